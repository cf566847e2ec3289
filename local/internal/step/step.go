// Package step shows what a long command is doing, and how long each part took.
package step

import (
	"fmt"
	"os"
	"os/exec"
	"time"
)

// Run says what begins, does it, and says how long it took.
func Run(what string, do func() error) error {
	fmt.Fprintf(os.Stderr, "• %s …\n", what)
	start := time.Now()
	err := do()
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	fmt.Fprintf(os.Stderr, "  %s: %.1f s\n", what, time.Since(start).Seconds())
	return nil
}

// Command runs a program whose output goes to a log file, and puts the end of
// that output into the error where it fails.
func Command(log string, cmd *exec.Cmd) error {
	f, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	defer f.Close()
	cmd.Stdout, cmd.Stderr = f, f
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w; the end of %s:\n%s", cmd.Path, err, log, Tail(log, 2000))
	}
	return nil
}

// Tail is the end of a file, at most that many bytes; what can't be read is empty.
func Tail(path string, bytes int) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	if len(data) > bytes {
		data = data[len(data)-bytes:]
	}
	return string(data)
}
