// Package deploy runs Pulumi's command line against the local node. It knows the program only as that does.
package deploy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"time"

	"threetier/local/internal/home"
)

// Stack is one stack on the local node.
type Stack struct {
	home home.Home
	name string
	// project is the project's name.
	project string
}

// Open makes the stack where there is none, with its config copied from a file.
func Open(ctx context.Context, h home.Home, name, configFile string) (*Stack, error) {
	if err := endLeftovers(name); err != nil {
		return nil, err
	}
	project, err := writeProject(h, "")
	if err != nil {
		return nil, err
	}
	if err := copyConfig(h, "", name, configFile, true); err != nil {
		return nil, err
	}
	s := &Stack{home: h, name: name, project: project}
	if _, err := os.Stat(s.state()); errors.Is(err, fs.ErrNotExist) {
		return s, s.quietly(ctx, "stack", "init", "--no-select")
	}
	return s, nil
}

// pulumi is one of Pulumi's commands for the stack. Where ctx ends, it finishes what it has begun.
func (s *Stack) pulumi(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "pulumi", append(args, "--stack", s.name, "--non-interactive")...)
	cmd.Dir = Project(s.home)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	return cmd
}

// quietly runs what has something to say only where it fails.
func (s *Stack) quietly(ctx context.Context, args ...string) error {
	if out, err := s.pulumi(ctx, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("pulumi %s: %w: %s", args[0], err, bytes.TrimSpace(out))
	}
	return nil
}

// run runs one of the engine's operations, and keeps its events.
func (s *Stack) run(ctx context.Context, verb string, args ...string) error {
	cmd := s.pulumi(ctx, append([]string{verb, "--event-log", s.events(verb)}, args...)...)
	// The flag is one of Pulumi's for finding bugs in itself.
	cmd.Env = append(os.Environ(), "PULUMI_DEBUG_COMMANDS=true")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return errors.New("pulumi failed: the reason stands above")
	}
	return nil
}

// state is the file of the stack's state.
func (s *Stack) state() string {
	return s.home.Path("state/.pulumi/stacks", s.project, s.name+".json")
}

func (s *Stack) events(verb string) string {
	return s.home.Path("logs", s.name+"-"+verb+".events.jsonl")
}

// Up brings the stack to what its config says. A plan that a preview has saved, where there is one, is what it may do.
func (s *Stack) Up(ctx context.Context, plan string) error {
	if err := s.recover(ctx); err != nil {
		return err
	}
	start := time.Now()
	args := []string{"--yes", "--skip-preview", "--suppress-outputs"}
	if plan != "" {
		args = append(args, "--plan", plan)
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go s.watch(watching, os.Stderr)
	if err := s.run(ctx, "up", args...); err != nil {
		s.explain(ctx, os.Stderr, start)
		return err
	}
	return nil
}

// Preview shows what an up would change, and saves it where a file for the plan is named.
func (s *Stack) Preview(ctx context.Context, plan string) error {
	args := []string{"--diff"}
	if plan != "" {
		args = append(args, "--save-plan", plan)
	}
	return s.run(ctx, "preview", args...)
}

// Destroy removes what the stack has made: all of it, or nothing where something is protected. Pulumi's preview comes
// first: a run without it deletes the whole app before it meets the database that is protected.
func (s *Stack) Destroy(ctx context.Context) error {
	if err := s.recover(ctx); err != nil {
		return err
	}
	err := s.run(ctx, "destroy", "--yes")
	if said, readErr := os.ReadFile(s.events("destroy")); err != nil && readErr == nil && bytes.Contains(said, []byte("because it is protected")) {
		return errors.New("nothing was deleted: the stack holds what is durable. To delete it after all, with a final snapshot, " +
			"set lifecycle to retiring in threetier:database, run up, and destroy again")
	}
	return err
}
