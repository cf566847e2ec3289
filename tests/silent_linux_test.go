package tests

import "syscall"

// shrinkQueue leaves room for one connection that nobody has accepted.
func shrinkQueue(fd uintptr) { _ = syscall.Listen(int(fd), 0) }
