package machine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Probe does in its own namespaces what the node will do in its: an error names the first thing that is refused. The process
// ends after it, and with it what it has opened.
func Probe() error {
	for _, try := range []struct {
		what string
		do   func() error
	}{
		{"mount file systems", mounts},
		{"make control groups below /sys/fs/cgroup", cgroups},
		{"make a network bridge", bridge},
		{"filter packets by iptables or nftables", filter},
	} {
		if err := try.do(); err != nil {
			return fmt.Errorf("this machine doesn't let root %s (%w): a container needs --privileged, a kernel the feature", try.what, err)
		}
	}
	return nil
}

func mounts() error {
	folder, err := os.MkdirTemp("", "threetier-probe-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(folder) }()
	return errors.Join(
		syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""),
		syscall.Mount("tmpfs", folder, "tmpfs", 0, ""),
		syscall.Unmount(folder, 0),
		syscall.Mount("proc", "/proc", "proc", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC, ""),
	)
}

func cgroups() error {
	roots, err := CgroupRoots()
	if err != nil {
		return err
	}
	if len(roots) == 0 {
		return errors.New("there are none")
	}
	for _, root := range roots {
		folder := filepath.Join(root, fmt.Sprintf("threetier-probe-%d", os.Getpid()))
		if err := errors.Join(os.Mkdir(folder, 0o700), os.Remove(folder)); err != nil {
			return err
		}
	}
	return nil
}

// CgroupRoots are the hierarchies that the kubelet and runc use: one with version 2, one per controller with version 1.
func CgroupRoots() ([]string, error) {
	const base = "/sys/fs/cgroup"
	if _, err := os.Stat(base + "/cgroup.controllers"); err == nil {
		return []string{base}, nil
	}
	entries, err := os.ReadDir(base)
	if err != nil {
		return nil, fmt.Errorf("list the cgroup hierarchies: %w", err)
	}
	var roots []string
	for _, e := range entries {
		if e.IsDir() {
			roots = append(roots, filepath.Join(base, e.Name()))
		}
	}
	return roots, nil
}

func bridge() error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	name := append([]byte("probe"), 0)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(socket), unix.SIOCBRADDBR, uintptr(unsafe.Pointer(&name[0]))); errno != 0 {
		return errno
	}
	return nil
}

// filter asks the kernel for either of the two: the machine's iptables may use one or the other.
func filter() error {
	if legacyFilter() == nil {
		return nil
	}
	return nftables()
}

// legacyFilter asks for the table of NAT as iptables-legacy does: struct ipt_getinfo of linux/netfilter_ipv4/ip_tables.h.
func legacyFilter() error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_RAW)
	if err != nil {
		return err
	}
	const getInfo = 64
	info := [84]byte{'n', 'a', 't'}
	size := uint32(len(info))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(socket), unix.SOL_IP, getInfo,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// nftables asks for the generation of the rules, as nft does first: linux/netfilter/nf_tables.h.
func nftables() error {
	socket, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_NETFILTER)
	if err != nil {
		return err
	}
	if err := unix.SetsockoptTimeval(socket, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1}); err != nil {
		return err
	}
	request := make([]byte, unix.SizeofNlMsghdr+4)
	binary.NativeEndian.PutUint32(request[0:], uint32(len(request)))
	binary.NativeEndian.PutUint16(request[4:], unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_GETGEN)
	binary.NativeEndian.PutUint16(request[6:], unix.NLM_F_REQUEST)
	if err := unix.Sendto(socket, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(socket, answer, 0)
	if err != nil {
		return err
	}
	if n >= unix.SizeofNlMsghdr+4 && binary.NativeEndian.Uint16(answer[4:]) == unix.NLMSG_ERROR {
		if code := int32(binary.NativeEndian.Uint32(answer[unix.SizeofNlMsghdr:])); code != 0 {
			return unix.Errno(-code)
		}
	}
	return nil
}
