// Package step shows what a long command is doing, what is left of it, and what each part took.
package step

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Step is one part of a long command.
type Step struct {
	what  string
	start time.Time
	cpu   time.Duration
}

// Run says what begins, does it, and says how long it took, and how much time of the processors its commands.
func Run(what string, do func(s *Step) error) error {
	s := &Step{what: what, start: time.Now()}
	shown.begin(s)
	err := do(s)
	shown.end(s, err)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// Command runs a program whose output goes to a log file. Where it fails, the
// error holds the last line of that output, and says where the rest is.
func (s *Step) Command(log string, cmd *exec.Cmd) error {
	f, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	defer f.Close()
	cmd.Stdout, cmd.Stderr = f, f
	err = cmd.Run()
	s.Ran(cmd)
	if err != nil {
		return fmt.Errorf("%s: %w: %s (all of it: %s)", filepath.Base(cmd.Path), err, LastLine(log), log)
	}
	return nil
}

// Ran counts the processors' time of a command that has ended, and of everything that it waited for.
func (s *Step) Ran(cmd *exec.Cmd) {
	if cmd.ProcessState != nil {
		s.cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
}

// Sum says how long all of it took since the start, and how much time of the processors this process and everything that it waited for.
func Sum(start time.Time) {
	var cpu time.Duration
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var usage syscall.Rusage
		if syscall.Getrusage(who, &usage) == nil {
			cpu += time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
		}
	}
	shown.line("  all: " + took(time.Since(start), cpu))
}

func took(wall, cpu time.Duration) string {
	if cpu < 100*time.Millisecond {
		return fmt.Sprintf("%.1f s", wall.Seconds())
	}
	return fmt.Sprintf("%.1f s, %.1f s of CPU", wall.Seconds(), cpu.Seconds())
}

// LastLine is the last line of a log that says anything; what can't be read is empty.
func LastLine(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return lines[len(lines)-1]
}
