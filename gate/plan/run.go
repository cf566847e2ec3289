package plan

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"threetier/gate/costs"
	"threetier/gate/project"
)

// folder has the plans.
const folder = "tests/plan"

// Run writes down what each stack registers. Given a commit to compare with, it prints what changed since, as Markdown or JSON, and
// fails where something would be lost that the stack config doesn't allow.
func Run(out io.Writer, root, base string, asJSON bool) error {
	plans, changed, err := write(root)
	if err != nil {
		return err
	}
	if base == "" && asJSON {
		return nil
	}
	if base == "" {
		_, err := fmt.Fprintf(out, "%s: %s changed\n", folder, cmp.Or(strings.Join(changed, ", "), "no plan"))
		return err
	}
	if _, err := git(root, "rev-parse", "--verify", "--quiet", base+"^{commit}"); err != nil {
		return fmt.Errorf("BASE is %s, want a commit that this clone has", base)
	}
	stacks, err := compare(root, base, plans)
	if err != nil {
		return err
	}
	summary := Markdown(base, stacks)
	if asJSON {
		if summary, err = JSON(stacks); err != nil {
			return err
		}
	}
	if _, err := io.WriteString(out, summary); err != nil {
		return err
	}
	var problems []error
	for i, planned := range plans {
		problems = append(problems, Gate(planned, stacks[i].Changes))
	}
	for _, gone := range stacks[len(plans):] {
		problems = append(problems, GateGone(gone.Before))
	}
	return errors.Join(problems...)
}

// write puts the plan of every stack and platform into the folder, and removes those of stacks that are gone. It names the
// plans that weren't there as they are now.
func write(root string) (plans []*Plan, changed []string, err error) {
	stacks, err := project.Stacks(root)
	if err != nil {
		return nil, nil, err
	}
	for _, stack := range stacks {
		if strings.HasPrefix(stack, project.Platform) {
			return nil, nil, fmt.Errorf("stack is %s, want a name that doesn't begin with %s: the plans of platforms do", stack, project.Platform)
		}
	}
	platforms, err := project.Platforms(root)
	if err != nil {
		return nil, nil, err
	}
	stacks = append(stacks, platforms...)
	for _, stack := range stacks {
		planned, err := Build(root, stack)
		if err != nil {
			return nil, nil, err
		}
		text, err := planned.Text()
		if err != nil {
			return nil, nil, err
		}
		file := filepath.Join(root, folder, stack+".yaml")
		if before, err := os.ReadFile(file); err != nil || !bytes.Equal(before, text) {
			changed = append(changed, stack)
		}
		if err := os.WriteFile(file, text, 0o644); err != nil {
			return nil, nil, fmt.Errorf("write plan: %w", err)
		}
		plans = append(plans, planned)
	}
	return plans, changed, removeOthers(root, stacks)
}

func removeOthers(root string, stacks []string) error {
	files, err := filepath.Glob(filepath.Join(root, folder, "*.yaml"))
	if err != nil {
		return err
	}
	for _, file := range files {
		if slices.Contains(stacks, strings.TrimSuffix(filepath.Base(file), ".yaml")) {
			continue
		}
		if err := os.Remove(file); err != nil {
			return fmt.Errorf("remove the plan of a stack that is gone: %w", err)
		}
	}
	return nil
}

// compare has a comparison for each plan, in the same order, and after them one for each stack that is gone.
func compare(root, base string, plans []*Plan) ([]Comparison, error) {
	list, err := git(root, "ls-tree", "--name-only", base, folder+"/")
	if err != nil {
		return nil, fmt.Errorf("list the plans of %s: %w", base, err)
	}
	old := map[string]*Plan{}
	for _, file := range strings.Fields(list) {
		if filepath.Ext(file) != ".yaml" {
			continue
		}
		text, err := git(root, "show", base+":./"+file)
		if err != nil {
			return nil, fmt.Errorf("read %s of %s: %w", file, base, err)
		}
		planned, err := Parse([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("%s of %s: %w", file, base, err)
		}
		old[planned.Stack] = planned
	}
	stacks := []Comparison{}
	for _, planned := range plans {
		before, existed := old[planned.Stack]
		delete(old, planned.Stack)
		comparison := Comparison{Stack: planned.Stack, New: !existed, Changes: Compare(before, planned)}
		if comparison.Costs, err = costsOf(root, base, planned.Stack); err != nil {
			return nil, err
		}
		stacks = append(stacks, comparison)
	}
	for _, stack := range slices.Sorted(maps.Keys(old)) {
		stacks = append(stacks, Comparison{Stack: stack, Gone: true, Changes: []Change{}, Before: old[stack]})
	}
	return stacks, nil
}

// costsOf is what was measured of the keys that a stack config changes. Nothing is known where nothing was measured, or of a
// stack config that base doesn't have.
func costsOf(root, base, stack string) (Costs, error) {
	measured, err := costs.Read(filepath.Join(root, costs.File))
	if err != nil || len(measured.Rows) == 0 {
		return Costs{}, err
	}
	file := project.File(root, stack)
	after, err := os.ReadFile(file)
	if err != nil {
		return Costs{}, fmt.Errorf("read stack config: %w", err)
	}
	name, err := filepath.Rel(root, file)
	if err != nil {
		return Costs{}, fmt.Errorf("find the stack config: %w", err)
	}
	if there, err := git(root, "ls-tree", "--name-only", base, name); err != nil || there == "" {
		return Costs{}, err
	}
	before, err := git(root, "show", base+":./"+name)
	if err != nil {
		return Costs{}, fmt.Errorf("read the stack config of %s: %w", base, err)
	}
	return CostsOf(measured.Rows, []byte(before), after)
}

func git(root string, args ...string) (string, error) {
	out, err := exec.Command("git", append([]string{"-C", root}, args...)...).Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		err = fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(exit.Stderr))
	}
	return string(out), err
}
