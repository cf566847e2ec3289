// Package step shows what a long command is doing, and how long each part took.
package step

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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

// Command runs a program whose output goes to a log file. Where it fails, the
// error holds the last line of that output, and says where the rest is.
func Command(log string, cmd *exec.Cmd) error {
	f, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	defer f.Close()
	cmd.Stdout, cmd.Stderr = f, f
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s (all of it: %s)", filepath.Base(cmd.Path), err, LastLine(log), log)
	}
	return nil
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
