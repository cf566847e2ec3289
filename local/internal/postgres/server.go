package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	startPatience = 120 * time.Second // crash recovery of a large write-ahead log takes its time
	stopPatience  = 60 * time.Second
	firstBackoff  = 500 * time.Millisecond
	// LongestBackoff is how long a server that dies again and again waits for its next start.
	LongestBackoff = 30 * time.Second
	maxLogBytes    = 20 << 20
)

// Server is one PostgreSQL: its files, and its process, which is started, watched, restarted when it dies, stopped.
type Server struct {
	majors Majors
	pg     *Installation // the one that made the data, or is to make it
	log    *slog.Logger
	// dir is the folder of the instance's data and log, reached the same folder where the server's user can reach it.
	dir, reached string
	socket       string // abstract: no path length to mind, and nothing is left of it when the process is gone

	mu       sync.Mutex
	portNow  int
	process  *os.Process
	stopping chan struct{} // closed when the server is to end
	gone     chan struct{} // closed once nothing runs and nothing will restart it
}

// Server is the one that lives in a folder, whose last part is its own name among all of this machine's. A server without
// data is to be of the major.
func (m Majors) Server(major int, dir, reached string, log *slog.Logger) *Server {
	s := &Server{majors: m, pg: m.of(filepath.Join(dir, "data")), log: log, dir: dir, reached: reached, socket: "@threetier-" + filepath.Base(dir)}
	if s.pg == nil {
		s.pg = m.For(major)
	}
	return s
}

// Version is that of the server's PostgreSQL, such as 17.12.
func (s *Server) Version() string { return s.pg.Version }

// Data is the data directory.
func (s *Server) Data() string { return filepath.Join(s.dir, "data") }

// Log is the file of the server's messages.
func (s *Server) Log() string { return filepath.Join(s.dir, "postgresql.log") }

func (s *Server) reachedData() string { return filepath.Join(s.reached, "data") }

// ErrStopped is the error of a start that a stop overtook.
var ErrStopped = errors.New("the server is being stopped")

// Port is the one that the server was started with.
func (s *Server) Port() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.portNow
}

// Start returns once the server takes connections. A server that doesn't get that far is not retried.
func (s *Server) Start(ctx context.Context, port int) error {
	if err := ClearStale(s.reachedData()); err != nil {
		return err
	}
	s.mu.Lock()
	s.portNow, s.stopping, s.gone = port, make(chan struct{}), make(chan struct{})
	gone := s.gone
	s.mu.Unlock()
	exited, err := s.launch()
	if err != nil {
		close(gone)
		return err
	}
	if err := s.ready(ctx, exited); err != nil {
		s.giveUp()
		s.signal(syscall.SIGQUIT)
		<-exited
		close(gone)
		return err
	}
	go s.watch(exited, gone)
	return nil
}

// launch starts the process; the channel closes when it has ended.
func (s *Server) launch() (<-chan struct{}, error) {
	if info, err := os.Stat(s.Log()); err == nil && info.Size() > maxLogBytes {
		if err := os.Rename(s.Log(), s.Log()+".1"); err != nil {
			return nil, err
		}
	}
	out, err := os.OpenFile(s.Log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }() // the server has its own
	cmd := s.pg.Command(context.Background(), "postgres", "-D", s.reachedData())
	cmd.Stdout, cmd.Stderr = out, out
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isStopping() {
		return nil, ErrStopped
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	s.process = cmd.Process
	exited := make(chan struct{})
	go func() { s.reap(cmd); close(exited) }()
	return exited, nil
}

func (s *Server) reap(cmd *exec.Cmd) {
	err := cmd.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.process = nil
	if !s.isStopping() {
		s.log.Warn("PostgreSQL ended by itself", "reason", err, "log", s.Log())
	}
}

// watch restarts a server that died, later each time, until it is stopped.
func (s *Server) watch(exited <-chan struct{}, gone chan struct{}) {
	defer close(gone)
	backoff := firstBackoff
	for {
		began := time.Now()
		<-exited
		if time.Since(began) > time.Minute {
			backoff = firstBackoff
		}
		for exited = nil; exited == nil; backoff = min(backoff*2, LongestBackoff) {
			select {
			case <-s.stopping:
				return
			case <-time.After(backoff):
			}
			next, err := s.relaunch()
			if err != nil {
				s.log.Error("PostgreSQL doesn't start again", "error", err)
				continue
			}
			exited = next
		}
	}
}

func (s *Server) relaunch() (<-chan struct{}, error) {
	if err := ClearStale(s.reachedData()); err != nil {
		return nil, err
	}
	return s.launch()
}

func (s *Server) isStopping() bool {
	select {
	case <-s.stopping:
		return true
	default:
		return false
	}
}

// giveUp marks the server as one that nothing restarts.
func (s *Server) giveUp() (gone <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone != nil && !s.isStopping() {
		close(s.stopping)
	}
	return s.gone
}

// Stop ends all sessions and shuts down cleanly; a server that can't is killed, and recovers at its next start.
func (s *Server) Stop() {
	gone := s.giveUp()
	if gone == nil {
		return
	}
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL} {
		s.signal(sig)
		select {
		case <-gone:
			return
		case <-time.After(stopPatience):
			s.log.Warn("PostgreSQL doesn't stop", "after", sig)
		}
	}
	<-gone
}

func (s *Server) signal(sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		_ = s.process.Signal(sig) // it may have ended by now
	}
}

// Reload makes the server read its configuration, its client rules and its certificate again.
func (s *Server) Reload() { s.signal(syscall.SIGHUP) }

// Running says whether the server takes connections.
func (s *Server) Running() bool {
	s.mu.Lock()
	process := s.process
	s.mu.Unlock()
	return process != nil && s.status(process.Pid) == "ready"
}

// status is the last line of postmaster.pid, which the server keeps for those who wait for it.
func (s *Server) status(pid int) string {
	data, err := os.ReadFile(filepath.Join(s.reachedData(), "postmaster.pid"))
	if err != nil {
		return ""
	}
	lines := strings.Split(string(data), "\n")
	if len(lines) < 8 || strings.TrimSpace(lines[0]) != strconv.Itoa(pid) {
		return ""
	}
	return strings.TrimSpace(lines[7])
}

func (s *Server) ready(ctx context.Context, exited <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !s.Running() {
		select {
		case <-exited:
			return fmt.Errorf("PostgreSQL doesn't start: %s", s.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL isn't ready: %w", context.Cause(ctx))
		case <-tick.C:
		}
	}
	return nil
}

// lastWords are the newest lines of the log that say what is wrong.
func (s *Server) lastWords() string {
	data, err := os.ReadFile(s.Log())
	if err != nil {
		return err.Error()
	}
	var words []string
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	for _, line := range lines[max(0, len(lines)-8):] {
		if strings.Contains(line, "FATAL:") || strings.Contains(line, "HINT:") || strings.Contains(line, "DETAIL:") ||
			strings.Contains(line, "LOG:  invalid") || strings.Contains(line, "LOG:  unrecognized") {
			words = append(words, line)
		}
	}
	if len(words) == 0 {
		return "see " + s.Log()
	}
	return strings.Join(words, "; ")
}

// ClearStale ends what a killed stand-in left running on this data, then removes the lock file that names a process
// which by now may be anyone's.
func ClearStale(data string) error {
	deadline := time.Now().Add(stopPatience)
	for {
		left := ProcessesIn(data)
		if len(left) == 0 {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("processes %v still use %s", left, data)
		}
		for _, pid := range left {
			_ = syscall.Kill(pid, syscall.SIGQUIT) // it may have ended by now
		}
		time.Sleep(100 * time.Millisecond)
	}
	err := os.Remove(filepath.Join(data, "postmaster.pid"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// ProcessesIn lists the processes whose working directory is dir: PostgreSQL's all have their data directory.
func ProcessesIn(dir string) []int {
	want, err := os.Stat(dir)
	if err != nil {
		return nil
	}
	var pids []int
	links, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, link := range links {
		have, err := os.Stat(link)
		if err != nil || !os.SameFile(want, have) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// PID is 0 for a server that isn't running.
func (s *Server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return 0
	}
	return s.process.Pid
}
