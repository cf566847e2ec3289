package deploy

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// Mark is in the environment of a stack's deployment and of everything that it starts.
func Mark(stack string) string { return "THREETIER_DEPLOYMENT=" + stack }

// endLeftovers kills what a killed run of the stack left behind in the node: a
// provider whose engine is gone waits for minutes before it notices, and may still
// be creating. The caller's lock says that no other run is alive.
func endLeftovers(stack string) error {
	for range 100 {
		left, err := marked(Mark(stack) + "\x00")
		if err != nil || len(left) == 0 {
			return err
		}
		for _, pid := range left {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("end process %d of an interrupted run: %w", pid, err)
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	return errors.New("processes of an interrupted run don't end: try make down")
}

func marked(mark string) ([]int, error) {
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return nil, fmt.Errorf("list the node's processes: %w", err)
	}
	var pids []int
	for _, file := range files {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil || pid == os.Getpid() {
			continue
		}
		// A process that is gone meanwhile, or has ended, has no environment.
		environ, err := os.ReadFile(file)
		if err == nil && bytes.Contains(environ, []byte(mark)) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}
