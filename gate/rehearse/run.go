package rehearse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"threetier/gate/load"
	"threetier/gate/node"
	"threetier/gate/project"
	"threetier/internal/settings"
)

// Options say what is rehearsed.
type Options struct {
	// Root is the checkout, Base the commit that runs now, Head the one that is to come; empty: the checkout as it is.
	Root, Base, Head string
	// Stack is the stack whose config is rehearsed.
	Stack string
	// Progress gets a line for each step, Log the output of the commands.
	Progress, Log io.Writer
}

// Open makes the folder of what is written, .local/rehearsal without a name, and the log in it.
func (o *Options) Open(folder, log string) (in string, file io.Closer, err error) {
	if o.Root, err = filepath.Abs(o.Root); err != nil {
		return "", nil, fmt.Errorf("find the project: %w", err)
	}
	if folder == "" {
		folder = filepath.Join(o.Root, ".local", "rehearsal")
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", nil, fmt.Errorf("make the folder %s: %w", folder, err)
	}
	opened, err := os.Create(filepath.Join(folder, log))
	if err != nil {
		return "", nil, fmt.Errorf("make the log: %w", err)
	}
	o.Log = opened
	return folder, opened, nil
}

// rehearsal is one under way.
type rehearsal struct {
	Options
	project    string // the Pulumi project's name
	node       localNode
	base, head *side
	file       File
	report     *Report

	// name is what the load asks for, at this machine.
	name  string
	load  *load.Load
	locks *locks
	pods  *pods
}

// cleaning is how long the removal of the stack may take, also after an interrupt.
const cleaning = 5 * time.Minute

// Run rehearses, and removes what it made. An error says that there is nothing to judge; the report has all else.
func Run(ctx context.Context, o Options) (report *Report, err error) {
	begun := time.Now()
	r, err := newRehearsal(o)
	if err != nil {
		return nil, err
	}
	if err := r.prepare(ctx); err != nil {
		return nil, errors.Join(err, r.clean(ctx, false))
	}
	defer func() { err = errors.Join(err, r.clean(ctx, true)) }()
	if err := r.deployBase(ctx); err != nil {
		return nil, err
	}
	if err := r.underLoad(ctx, r.steps); err != nil {
		return nil, err
	}
	r.report.Ended, r.report.Seconds = time.Now().UTC().Truncate(time.Second), time.Since(begun).Seconds()
	r.report.Judge(r.file)
	return r.report, nil
}

func newRehearsal(o Options) (*rehearsal, error) {
	project, err := project.Name(o.Root)
	if err != nil {
		return nil, fmt.Errorf("read the project's name: %w", err)
	}
	stack := o.Stack + "-rehearsal"
	return &rehearsal{
		Options: o, report: &Report{Stack: o.Stack}, project: project,
		node: localNode{Node: node.Node{Root: o.Root, Namespace: settings.DefaultNamespace(project, stack)}, stack: stack, log: o.Log},
	}, nil
}

// sides are the versions that are checked out.
func (r *rehearsal) sides() []*side {
	return slices.DeleteFunc([]*side{r.base, r.head}, func(s *side) bool { return s == nil })
}

func (r *rehearsal) say(format string, args ...any) {
	fmt.Fprintf(r.Progress, "• "+format+"\n", args...)
}

// prepare gets both versions ready to be deployed.
func (r *rehearsal) prepare(ctx context.Context) (err error) {
	r.say("check out %s and the present version", r.Base)
	base, err := resolve(ctx, r.Root, "BASE", r.Base)
	if err != nil {
		return err
	}
	head := r.Head
	if head == "" {
		head, err = checkoutAsCommit(ctx, r.Root)
	} else if head, err = resolve(ctx, r.Root, "HEAD", head); err == nil {
		r.warn(ctx, head)
	}
	if err != nil {
		return err
	}
	if base == head {
		return fmt.Errorf("BASE is %s, want another commit than the one that is rehearsed: nothing would change", r.Base)
	}
	r.report.Base, r.report.Head = base, head
	if r.base, err = checkOut(ctx, r.Root, versionBase, base); err != nil {
		return err
	}
	if r.head, err = checkOut(ctx, r.Root, versionHead, head); err != nil {
		return err
	}
	if r.file, err = ReadFile(r.head.dir); err != nil {
		return err
	}
	return r.ready(ctx)
}

// ready makes the configs and the programs.
func (r *rehearsal) ready(ctx context.Context) error {
	for _, s := range r.sides() {
		if err := s.configure(ctx, r.Stack, r.node.stack, r.file.Secrets); err != nil {
			return err
		}
	}
	var configs []*stackConfig
	for _, s := range r.sides() {
		configs = append(configs, s.config)
	}
	r.name = agreeOnName(configs...)
	if r.head == nil {
		r.base.config.Remove(r.base.config.upgradeKey())
	} else {
		allowOnlyTheUpgradeOf(r.head.config, r.base.config)
	}
	if err := r.link(ctx); err != nil {
		return err
	}
	return r.node.build(ctx)
}

// link makes the programs of both versions, or the one that both have.
func (r *rehearsal) link(ctx context.Context) error {
	r.say("build the program")
	program := ""
	for _, s := range r.sides() {
		if program == "" || !sameProgram(ctx, r.Root, r.base.commit, s.commit) {
			program = s.program()
			if err := s.build(ctx); err != nil {
				return err
			}
		}
		if err := s.runs(program); err != nil {
			return err
		}
	}
	return nil
}

// deployBase brings up the version that runs now, with its rows.
func (r *rehearsal) deployBase(ctx context.Context) error {
	r.say("build the images and start the node")
	for _, s := range r.sides() {
		// A shell builds and loads the images that a stack config names. Nothing is run in it.
		if err := r.node.run(ctx, s.dir, "shell", "--stack", r.node.stack); err != nil {
			return err
		}
	}
	if err := r.removeOld(ctx); err != nil {
		return err
	}
	room, err := r.node.room(ctx)
	if err != nil {
		return err
	}
	for _, s := range r.sides() {
		if err := errors.Join(s.config.fit(room), s.write(r.node.stack)); err != nil {
			return err
		}
		r.report.Notes = slices.Clone(s.config.notes)
	}
	port, err := node.FreePort()
	if err != nil {
		return err
	}
	r.say("up to base")
	// The node keeps the port for the stack's later ups.
	if err := r.node.run(ctx, r.base.dir, "up", "--stack", r.node.stack, "--port", strconv.Itoa(port)); err != nil {
		return fmt.Errorf("deploy base: %w", err)
	}
	return nil
}

// removeOld destroys what a killed rehearsal has left.
func (r *rehearsal) removeOld(ctx context.Context) error {
	state := filepath.Join(home(r.Root), "state", ".pulumi", "stacks", r.project, r.node.stack+".json")
	if _, err := os.Stat(state); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	r.say("remove what an earlier rehearsal has left")
	return r.destroy(ctx)
}

// home is the node's folder.
func home(root string) string {
	if dir := os.Getenv("THREETIER_HOME"); dir != "" {
		return dir
	}
	return filepath.Join(root, ".local")
}

func (r *rehearsal) destroy(ctx context.Context) error {
	if err := r.node.run(ctx, r.base.dir, "destroy", "--stack", r.node.stack); err != nil {
		return err
	}
	return r.node.run(ctx, r.base.dir, "exec", "--", "pulumi", "stack", "rm", "--yes", "--non-interactive", "--stack", r.node.stack)
}

// clean removes the stack and the worktrees, also where ctx has ended.
func (r *rehearsal) clean(ctx context.Context, deployed bool) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleaning)
	defer cancel()
	if deployed {
		r.say("remove the stack")
		if err := r.destroy(ctx); err != nil {
			return fmt.Errorf("the rehearsal's stack is left, and the next rehearsal removes it: %w", err)
		}
	}
	var problems []error
	for _, s := range r.sides() {
		problems = append(problems, s.remove(ctx, r.Root))
	}
	return errors.Join(problems...)
}

// underLoad seeds, and then goes through steps while clients send requests. A step that fails ends them.
func (r *rehearsal) underLoad(ctx context.Context, steps func(context.Context) error) error {
	if err := r.node.seed(ctx, r.file.Seed); err != nil {
		return err
	}
	site, err := r.node.url(ctx)
	if err != nil {
		return err
	}
	if r.name != "" {
		site = strings.Replace(site, "127.0.0.1", r.name, 1)
	}
	requests, notes, err := choose(site, r.file.Load)
	if err != nil {
		return err
	}
	r.report.Notes = append(r.report.Notes, notes...)
	r.report.Requests, r.report.Rate = requests, *r.file.Load.Rate
	watching, stop := context.WithCancel(ctx)
	var watchers sync.WaitGroup
	r.pods, r.locks = newPods(r.node), newLocks()
	watchers.Go(func() { r.pods.watch(watching) })
	watchers.Go(func() { r.node.watchLocks(watching, r.locks) })
	if r.load, err = startLoad(site, r.report.Rate, requests); err != nil {
		stop()
		return err
	}
	err = steps(ctx)
	switch {
	case ctx.Err() != nil:
		err = errors.New("interrupted")
	case err != nil:
		r.report.Failed, err = err.Error(), nil
	}
	err = errors.Join(err, r.load.End(0))
	stop()
	watchers.Wait()
	r.collect()
	return err
}

// steps are the rehearsal itself.
func (r *rehearsal) steps(ctx context.Context) error {
	if err := r.steady(ctx, "before", moveBefore); err != nil {
		return err
	}
	if err := r.change(ctx, r.head, "forward", moveForward); err != nil {
		return fmt.Errorf("the new version can't be deployed: %w", err)
	}
	if err := r.steady(ctx, "both versions", moveForward); err != nil {
		return err
	}
	// A way back that fails is a finding: the new version is still there, or comes again.
	back := r.change(ctx, r.base, "back", moveBack)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := r.steady(ctx, "both again", moveBack); err != nil {
		return err
	}
	if err := r.withoutUpgrade(); err != nil {
		return err
	}
	if err := r.change(ctx, r.head, "forward again", moveAgain); err != nil {
		if back != nil {
			return fmt.Errorf("after the failed way back, the new version can't be deployed either: %w", err)
		}
		return fmt.Errorf("the new version can't be deployed a second time: %w", err)
	}
	return r.steady(ctx, "after", moveAgain)
}

// allowOnlyTheUpgradeOf takes the exception of an upgrade out where there is none: base's instance is a new one, of base's
// version. A stack may need it that isn't upgraded yet.
func allowOnlyTheUpgradeOf(head, base *stackConfig) {
	taken := base.Remove(base.upgradeKey())
	if head.version() == base.version() {
		taken = head.Remove(head.upgradeKey()) || taken
	}
	if taken {
		head.note("%s is left out where nothing is upgraded.", head.upgradeKey())
	}
}

// withoutUpgrade takes back the exception of an upgrade that is through: no way back undoes it, and the program refuses one that
// nothing needs.
func (r *rehearsal) withoutUpgrade() error {
	if !r.head.config.Remove(r.head.config.upgradeKey()) {
		return nil
	}
	r.report.Notes = append(r.report.Notes, r.head.config.upgradeKey()+" is left out on the second way to the new version: the instance is upgraded by then.")
	return r.head.write(r.node.stack)
}

// change is an up to a version. The pod that stays of the other one serves until the next steady step has ended.
func (r *rehearsal) change(ctx context.Context, to *side, name, move string) error {
	r.say("%s: up to %s", name, to.version)
	r.pods.deploying(to.version)
	step := Step{Name: name, Move: move, Up: true}
	err := r.node.run(ctx, to.dir, "up", "--stack", r.node.stack)
	if err != nil {
		step.Problem = err.Error()
	}
	r.end(step)
	return err
}

// steady is a while of load in which nothing is changed. After it, no pod of another version is left, and one of this
// version stays for the next change.
func (r *rehearsal) steady(ctx context.Context, name, move string) error {
	step := Step{Name: name, Move: move}
	r.say("%s: %d s of load", name, *r.file.Load.SteadySeconds)
	if err := r.pause(ctx); err != nil {
		return err
	}
	if err := r.node.dropPod(ctx); err != nil {
		return err
	}
	if err := r.node.waitForStoppingPods(ctx, 3*time.Minute); err != nil {
		return err
	}
	if err := r.node.rows(ctx, &step.Rows); err != nil {
		return err
	}
	if move != moveAgain {
		if err := r.node.keepPod(ctx); err != nil {
			return err
		}
	}
	r.end(step)
	return nil
}

// pause is a while of load.
func (r *rehearsal) pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Duration(*r.file.Load.SteadySeconds) * time.Second):
		return nil
	}
}

// end is now. A step begins where the one before has ended, so each request is part of one.
func (r *rehearsal) end(step Step) {
	if n := len(r.report.Steps); n > 0 {
		step.From = r.report.Steps[n-1].To
	}
	step.To = time.Since(r.load.Began).Seconds()
	r.report.Steps = append(r.report.Steps, step)
	steps := []Step{step}
	count(r.load.Hits(), r.load.Began, steps)
	r.say("%s: %.0f s, %d requests, %d lost", step.Name, step.To-step.From, steps[0].Sent, steps[0].lost())
}

// collect puts what the watchers have seen into the steps.
func (r *rehearsal) collect() {
	r.report.Timeline = count(r.load.Hits(), r.load.Began, r.report.Steps)
	for i := range r.report.Steps {
		step := &r.report.Steps[i]
		at := func(seconds float64) time.Time {
			return r.load.Began.Add(time.Duration(seconds * float64(time.Second)))
		}
		from, to := at(step.From), at(step.To)
		step.Locks, step.Waits, step.Samples = r.locks.within(from, to)
		r.pods.within(from, to, step)
	}
	r.report.Pods, r.report.Watched = r.pods.used(), len(r.pods.byName())
	if r.locks.none > 0 {
		r.report.Notes = append(r.report.Notes, fmt.Sprintf("The locks couldn't be seen %d times: %v.", r.locks.none, r.locks.err))
	}
	r.report.Notes = append(r.report.Notes, r.pods.problems...)
}
