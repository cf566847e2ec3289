package rehearse

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"threetier/gate/node"
	"threetier/gate/project"
)

// side is one of the two versions: a worktree of its commit, with a stack config that can be rehearsed.
type side struct {
	version, commit, dir string
	config               *stackConfig
}

// git runs git in the checkout.
func git(ctx context.Context, root string, args ...string) (string, error) {
	out, err := node.Output(exec.CommandContext(ctx, "git", append([]string{"-C", root}, args...)...))
	if err != nil {
		return "", fmt.Errorf("git %s: %w", args[0], err)
	}
	return strings.TrimSpace(string(out)), nil
}

// resolve is the commit that a name stands for.
func resolve(ctx context.Context, root, what, name string) (string, error) {
	commit, err := git(ctx, root, "rev-parse", "--verify", "--quiet", name+"^{commit}")
	if err != nil {
		return "", fmt.Errorf("%s is %q, want a commit that this clone has", what, name)
	}
	return commit, nil
}

// checkoutAsCommit is a commit of the checkout as it is now. Files that git doesn't know yet aren't part of it.
func checkoutAsCommit(ctx context.Context, root string) (string, error) {
	commit, err := git(ctx, root, "-c", "user.name=rehearsal", "-c", "user.email=rehearsal@localhost", "stash", "create")
	if err != nil || commit != "" {
		return commit, err
	}
	return resolve(ctx, root, "HEAD", "HEAD")
}

// checkOut makes a new worktree.
func checkOut(ctx context.Context, root, version, commit string) (*side, error) {
	s := &side{version: version, commit: commit, dir: filepath.Join(root, ".local", "rehearsal", version)}
	if err := s.remove(ctx, root); err != nil {
		return nil, err
	}
	_, err := git(ctx, root, "worktree", "add", "--detach", "--force", s.dir, commit)
	return s, err
}

func (s *side) remove(ctx context.Context, root string) error {
	if err := os.RemoveAll(s.dir); err != nil {
		return fmt.Errorf("remove the worktree: %w", err)
	}
	_, err := git(ctx, root, "worktree", "prune")
	return err
}

// configure writes the config of the rehearsal's stack beside the one that it is made of.
func (s *side) configure(ctx context.Context, stack, scratch string, secrets map[string]string) error {
	file := filepath.Join(s.dir, "Pulumi."+stack+".yaml")
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("STACK is %s, want a stack with a config in %s: there is no Pulumi.%s.yaml", stack, s.version, stack)
	} else if err != nil {
		return fmt.Errorf("read the stack config: %w", err)
	}
	values, err := project.ReadValues(text)
	if err != nil {
		return err
	}
	s.config = &stackConfig{Values: values}
	s.config.rehearsable(secrets)
	for _, tier := range []string{"backend", "frontend"} {
		if _, err := os.Stat(filepath.Join(s.dir, "apps", tier, "Dockerfile")); err != nil {
			continue // its image comes from elsewhere: bin/local load
		}
		tree, err := git(ctx, s.dir, "rev-parse", s.commit+":apps/"+tier)
		if err != nil {
			return err
		}
		s.config.image(tier, tree[:12])
	}
	return s.write(scratch)
}

func (s *side) write(scratch string) error {
	text, err := s.config.Text()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.dir, "Pulumi."+scratch+".yaml"), text, 0o600); err != nil {
		return fmt.Errorf("write the stack config: %w", err)
	}
	return nil
}

// building links the program before the load begins: no up has to do that beside it.
func (s *side) building(ctx context.Context) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", s.program(), ".")
	cmd.Dir = s.dir
	cmd.Env = node.Environment("GOGC=400")
	return cmd
}

func (s *side) build(ctx context.Context) error {
	if out, err := s.building(ctx).CombinedOutput(); err != nil {
		return fmt.Errorf("build the program of %s: %w: %s", s.version, err, bytes.TrimSpace(out))
	}
	return nil
}

func (s *side) program() string { return filepath.Join(s.dir, ".local", "program") }

// sameProgram tells whether two commits have the same program, whatever else they change.
func sameProgram(ctx context.Context, root, base, head string) bool {
	_, err := git(ctx, root, "diff", "--quiet", base, head, "--", "main.go", "go.mod", "go.sum", "components", "internal")
	return err == nil
}

// runs has Pulumi run a program that is linked already.
func (s *side) runs(program string) error {
	file := filepath.Join(s.dir, "Pulumi.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read the project: %w", err)
	}
	var project map[string]any
	if err := yaml.Unmarshal(text, &project); err != nil {
		return fmt.Errorf("read the project of %s: %w", s.version, err)
	}
	project["runtime"] = map[string]any{"name": "go", "options": map[string]any{"binary": program}}
	if text, err = yaml.Marshal(project); err != nil {
		return fmt.Errorf("write the project: %w", err)
	}
	return os.WriteFile(file, text, 0o600)
}

// warn says whose code runs, where the commit isn't part of the checkout's history.
func (r *rehearsal) warn(ctx context.Context, head string) {
	if _, err := git(ctx, r.Root, "merge-base", "--is-ancestor", head, "HEAD"); err != nil {
		r.say("WARNING: HEAD is %s, which isn't in the history of this checkout: the rehearsal runs code of that commit as root on this machine", r.Head)
	}
}
