package node

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"threetier/local/internal/home"
	"threetier/local/internal/machine"
	"threetier/local/internal/step"
)

// Start makes the node's namespaces, starts its first process in them, and
// waits until pods can run. The process is the node's only tie to the outside:
// it holds the lock that says that the node runs.
func Start(h home.Home, command *os.File) error {
	if pid, err := PID(h); err != nil || pid != 0 {
		return err
	}
	if err := RemoveCgroups(h); err != nil {
		return err
	}
	if err := os.MkdirAll(h.Path("logs"), 0o700); err != nil {
		return fmt.Errorf("make the folder of the logs: %w", err)
	}
	lock, err := lockNode(h)
	if err != nil {
		return err
	}
	defer lock.Close()
	hostNet, err := os.Open("/proc/self/ns/net")
	if err != nil {
		return fmt.Errorf("open the network namespace: %w", err)
	}
	defer hostNet.Close()
	output, err := os.OpenFile(h.Path("logs", "node.log"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("open the node's log: %w", err)
	}
	defer output.Close()
	cmd := exec.Command("/proc/self/exe", "supervise")
	cmd.Stdout, cmd.Stderr = output, output
	cmd.ExtraFiles = []*os.File{hostNet, lock}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: machine.Namespaces,
		Setsid:     true,
	}
	// The node outlives the command that starts it, and so must not inherit that command's lock.
	syscall.CloseOnExec(int(command.Fd()))
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the node: %w", err)
	}
	if err := home.Inherit(command); err != nil {
		return err
	}
	if err := os.WriteFile(h.Path("run", "node.pid"), []byte(strconv.Itoa(cmd.Process.Pid)), 0o600); err != nil {
		return errors.Join(fmt.Errorf("note the node's process: %w", err), cmd.Process.Kill())
	}
	return waitForNode(h, cmd)
}

func waitForNode(h home.Home, cmd *exec.Cmd) error {
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	deadline := time.After(4 * time.Minute)
	log := h.Path("logs", "node.log")
	for {
		if s, err := Connect(h).Status(); err == nil && s.Ready {
			return nil
		}
		select {
		case err := <-ended:
			return fmt.Errorf("the node ended: %w: %s (all of it: %s)", err, step.LastLine(log), log)
		case <-deadline:
			return fmt.Errorf("the node is not ready after four minutes: %s (all of it: %s)", step.LastLine(log), log)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func lockNode(h home.Home) (*os.File, error) {
	f, err := os.OpenFile(h.Path("run", "node.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the node's lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("take the node's lock: %w", err), f.Close())
	}
	return f, nil
}

// PID is the node's first process, as the machine counts, or 0 where the node
// doesn't run. The lock decides: a number in a file may since be somebody else's.
func PID(h home.Home) (int, error) {
	if err := os.MkdirAll(h.Path("run"), 0o700); err != nil {
		return 0, fmt.Errorf("make the node's run folder: %w", err)
	}
	lock, err := lockNode(h)
	if err == nil {
		return 0, lock.Close()
	}
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		return 0, err
	}
	data, err := os.ReadFile(h.Path("run", "node.pid"))
	if err != nil {
		return 0, fmt.Errorf("read the node's process: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return 0, fmt.Errorf("read the node's process: %w", err)
	}
	return pid, nil
}

// Stop ends the node and takes away what the kernel keeps of it. Data stays.
func Stop(h home.Home) error {
	pid, err := PID(h)
	if err != nil {
		return err
	}
	if pid != 0 {
		if err := end(h, pid); err != nil {
			return err
		}
	}
	if err := RemoveCgroups(h); err != nil {
		return err
	}
	// Made for the node's mount; only an empty one is ours to remove.
	if err := os.Remove(kubeletPlugins); err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ENOTEMPTY) && !errors.Is(err, syscall.EBUSY) {
		return fmt.Errorf("remove %s: %w", kubeletPlugins, err)
	}
	return nil
}

func end(h home.Home, pid int) error {
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		if err := syscall.Kill(pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stop the node: %w", err)
		}
		for range 300 {
			if left, err := PID(h); err != nil || left == 0 {
				return err
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	return fmt.Errorf("the node's process %d doesn't end", pid)
}

// Init is the node's first process: it starts the supervisor, hands on the
// signal to stop, and reaps whatever is left to it, as process 1 must.
func Init() error {
	// 3 and 4 were handed over open; nobody further down the line may have them by accident.
	syscall.CloseOnExec(3)
	syscall.CloseOnExec(4)
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keep mounts to the node: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if err := syscall.Sethostname([]byte(Name)); err != nil {
		return fmt.Errorf("name the host: %w", err)
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	child, err := os.StartProcess(self, []string{self, "supervise"}, &os.ProcAttr{
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr, os.NewFile(3, "hostnet")},
	})
	if err != nil {
		return fmt.Errorf("start the supervisor: %w", err)
	}
	go func() {
		for s := range signals {
			// The supervisor may have ended by now, which the loop below notices.
			_ = child.Signal(s)
		}
	}()
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return fmt.Errorf("wait for the supervisor: %w", err)
		case pid == child.Pid && status.ExitStatus() == 0:
			return nil
		case pid == child.Pid:
			return fmt.Errorf("the supervisor ended with status %d", status.ExitStatus())
		}
	}
}

// listenIn opens a TCP port in another network namespace. The thread that goes
// there never comes back: it ends with its goroutine, since it stays locked to it.
func listenIn(netns *os.File, address string) (net.Listener, error) {
	type result struct {
		l   net.Listener
		err error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread()
		if err := unix.Setns(int(netns.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- result{nil, fmt.Errorf("enter the machine's network: %w", err)}
			return
		}
		l, err := net.Listen("tcp", address)
		done <- result{l, err}
	}()
	r := <-done
	return r.l, r.err
}

// Command is a program that runs inside the node, with kubectl, pulumi, aws and their settings at hand. Pulumi has a
// home and a state of its own there, so that it can never touch a user's real stacks.
func Command(h home.Home, pid int, args ...string) *exec.Cmd {
	dir, err := os.Getwd()
	if err != nil {
		dir = h.Root
	}
	return CommandIn(dir, h, pid, args...)
}

// CommandIn is a Command in a folder of its own.
func CommandIn(dir string, h home.Home, pid int, args ...string) *exec.Cmd {
	// The folder is lost on the way into another mount namespace.
	enter := []string{"--target", strconv.Itoa(pid), "--mount", "--net", "--ipc", "--uts", "--pid", "--", "env", "--chdir=" + dir}
	cmd := exec.Command("nsenter", append(enter, args...)...)
	cmd.Env = append(os.Environ(),
		"PATH="+h.Path("run", "tools")+":"+os.Getenv("PATH"),
		"KUBECONFIG="+h.Path("node", "pki", "admin.kubeconfig"),
		"THREETIER_ACCOUNT_SOCKET="+h.Path("run", "account.sock"),
		"THREETIER_EXTRA_ROOTS="+h.Path("account", "ca.pem"),
		"PULUMI_HOME="+h.Path("pulumi"),
		// Without the files of metadata beside the state's: a pulumi that is killed while it writes one leaves it empty, and no
		// later one can read the state.
		"PULUMI_BACKEND_URL=file://"+h.Path("state")+"?metadata=skip",
		"PULUMI_CONFIG_PASSPHRASE_FILE="+h.Path("passphrase"),
		"PULUMI_SKIP_UPDATE_CHECK=true",
		"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION=true",
	)
	return cmd
}
