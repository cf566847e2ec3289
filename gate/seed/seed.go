// Package seed puts the rows that a rehearsal and a preview begin with into a stack's database.
package seed

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"threetier/gate/node"
)

// FileName is where a project has them, below the key seed.
const FileName = "rehearsal.yaml"

// Seed is how the rows get in: both ways run where both are given, the SQL first.
type Seed struct {
	// SQL runs as the database's owner.
	SQL string `yaml:"sql"`
	// Command runs in a pod of the backend.
	Command []string `yaml:"command"`
}

// Read is the seed of the project in a folder, which may have none. All else in the file is make rehearse's to check.
func Read(folder string) (Seed, error) {
	text, err := os.ReadFile(filepath.Join(folder, FileName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Seed{}, fmt.Errorf("read %s: %w", FileName, err)
	}
	var file struct{ Seed Seed }
	if err := yaml.Unmarshal(text, &file); err != nil {
		return Seed{}, fmt.Errorf("read %s: %w", FileName, err)
	}
	return file.Seed, nil
}

// Put runs both. psql is bin/psql of the stack with more arguments, inPod a command in a pod of the backend.
func (s Seed) Put(psql func(args ...string) *exec.Cmd, inPod func(command []string) (*exec.Cmd, error)) error {
	if s.SQL != "" {
		// As the owner, by a login of its own: triggers and defaults of the tables run, and aren't the administrator's.
		cmd := psql("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction")
		cmd.Env = append(cmd.Environ(), "WRITE=1")
		cmd.Stdin = strings.NewReader("SET statement_timeout = 0;\n" + s.SQL)
		if _, err := node.Output(cmd); err != nil {
			return fmt.Errorf("seed.sql: %w", err)
		}
	}
	if len(s.Command) == 0 {
		return nil
	}
	cmd, err := inPod(s.Command)
	if err != nil {
		return err
	}
	if _, err := node.Output(cmd); err != nil {
		return fmt.Errorf("seed.command: %w", err)
	}
	return nil
}
