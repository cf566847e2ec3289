package rehearsal

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Promise is what the change of one key costs, as measured.
type Promise struct {
	// Key is the key, and Change what was changed of it.
	Key    string `json:"key"`
	Change string `json:"change"`
	// Sent and Lost are requests, Errors the seconds in which some were lost, Up how long the up took.
	Sent   int     `json:"sent"`
	Lost   int     `json:"lost"`
	Errors int     `json:"errors"`
	Up     float64 `json:"up"`
	// Rolled are the tiers that got new pods, Replaced the resources that were replaced, by their logical names.
	Rolled   []string `json:"rolled"`
	Replaced []string `json:"replaced"`
	// Restarted tells that the database's server was started anew.
	Restarted bool `json:"restarted"`
	// AWS is what only an account can show.
	AWS string `json:"aws"`
}

// change is one that is measured: by path, the value that the key gets.
type change struct {
	key, value string
	set        func(c *stackConfig)
	aws        string
}

// awsClass and the others are what the stand-in can't show.
const (
	awsFailover = "minutes of work in the background, and a restart or a failover: 1 to 2 minutes without the database"
	awsRestart  = "a restart: up to a minute without the database"
	awsNone     = "the same"
	awsStorage  = "hours of optimization in the background, and no interruption"
)

// changes are in an order in which each is possible after the one before.
var changes = []change{
	{"threetier:backend.env", "one variable more", field("backend", "env", "PROMISE", "kept"), awsNone},
	{"threetier:backend.secretEnv", "one secret more", field("backend", "secretEnv", "PROMISE_KEY", "kept"), awsNone},
	{"threetier:backend.replicas", "one pod more", func(c *stackConfig) {
		c.part("backend")["replicas"] = map[string]any{"min": 3, "max": 3}
	}, awsNone},
	{"threetier:backend.resources", "more memory", field("backend", "resources", "memory", "320Mi"), awsNone},
	{"threetier:nginx.timeoutSeconds", "61", value("nginx", "timeoutSeconds", 61), "each pod drains for drainSeconds more"},
	{"threetier:nginx.drainSeconds", "11", value("nginx", "drainSeconds", 11), "each pod drains for drainSeconds more"},
	{"threetier:database.passwordVersion", "2", value("database", "passwordVersion", 2), awsNone},
	{"threetier:database.parameters, dynamic", "log_min_duration_statement: 400", field("database", "parameters", "log_min_duration_statement", "400"), awsNone},
	{"threetier:database.parameters, static", "max_connections: 90", field("database", "parameters", "max_connections", "90"), "nothing until the next restart, in the maintenance window or by hand"},
	{"threetier:database.storageGiB", "21", value("database", "storageGiB", 21), awsStorage},
	{"threetier:database.instanceClass", "db.t4g.medium", value("database", "instanceClass", "db.t4g.medium"), awsFailover},
	{"threetier:database.readReplicas", "1", value("database", "readReplicas", 1), "the replica takes 10 minutes and more"},
	{"threetier:database.port", "5434", value("database", "port", 5434), awsRestart},
}

// value sets a key of a part of the config.
func value(part, key string, to any) func(*stackConfig) {
	return func(c *stackConfig) { c.part(part)[key] = to }
}

// field sets a field of a key that is an object.
func field(part, key, name string, to any) func(*stackConfig) {
	return func(c *stackConfig) {
		fields, _ := c.part(part)[key].(map[string]any)
		if fields == nil {
			fields = map[string]any{}
		}
		fields[name] = to
		c.part(part)[key] = fields
	}
}

// Keys are those whose change is measured.
func Keys() []string {
	keys := make([]string, len(changes))
	for i, c := range changes {
		keys[i] = c.key
	}
	return keys
}

// Measure changes one key after the other under load, and tells what each cost. Without keys, it changes all.
func Measure(ctx context.Context, o Options, keys []string) (measured []Promise, err error) {
	r := newRehearsal(o)
	if err := r.prepareOne(ctx); err != nil {
		return nil, errors.Join(err, r.clean(ctx, false))
	}
	defer func() { err = errors.Join(err, r.clean(ctx, true)) }()
	if err := r.deployBase(ctx); err != nil {
		return nil, err
	}
	err = r.underLoad(ctx, func(ctx context.Context) error {
		if err := r.pause(ctx); err != nil {
			return err
		}
		for _, c := range changes {
			if len(keys) > 0 && !slices.Contains(keys, c.key) {
				continue
			}
			p, err := r.measure(ctx, c)
			if err != nil {
				return fmt.Errorf("%s: %w", c.key, err)
			}
			measured = append(measured, p)
		}
		return nil
	})
	if err == nil && r.report.Failed != "" {
		err = errors.New(r.report.Failed)
	}
	for i := range measured {
		step := r.report.Steps[i+1]
		measured[i].Sent, measured[i].Lost = step.Sent, step.lost()
		for second := int(step.From); second < int(step.To) && second < len(r.report.Timeline); second++ {
			if r.report.Timeline[second].Lost > 0 {
				measured[i].Errors++
			}
		}
	}
	return measured, err
}

// prepareOne gets the checkout ready, as the only version.
func (r *rehearsal) prepareOne(ctx context.Context) error {
	head, err := present(ctx, r.Root)
	if err != nil {
		return err
	}
	if r.base, err = checkOut(ctx, r.Root, versionBase, head); err != nil {
		return err
	}
	if r.file, err = ReadFile(r.base.dir); err != nil {
		return err
	}
	return r.ready(ctx)
}

// pause is the time before the first change.
func (r *rehearsal) pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Duration(*r.file.Load.SteadySeconds) * time.Second):
	}
	r.end(Step{Name: "before", Move: moveBefore})
	return nil
}

// measure changes one key, and waits until the pods that it replaces are gone.
func (r *rehearsal) measure(ctx context.Context, c change) (Promise, error) {
	p := Promise{Key: c.key, Change: c.value, AWS: c.aws}
	r.say("%s", c.key)
	before, err := r.node.started(ctx)
	if err != nil {
		return p, err
	}
	known := r.pods.names()
	c.set(r.base.config)
	if err := r.base.write(r.node.stack); err != nil {
		return p, err
	}
	begun := time.Now()
	if err := r.node.run(ctx, r.base.dir, "up", "--stack", r.node.stack); err != nil {
		return p, err
	}
	p.Up = time.Since(begun).Seconds()
	if err := r.node.settled(ctx, 3*time.Minute); err != nil {
		return p, err
	}
	after, err := r.node.started(ctx)
	if err != nil {
		return p, err
	}
	p.Restarted = after != before
	p.Rolled = r.pods.rolled(known)
	if p.Replaced, err = replaced(filepath.Join(home(r.Root), "logs", r.node.stack+"-up.events.jsonl")); err != nil {
		return p, err
	}
	r.end(Step{Name: c.key, Move: moveForward})
	return p, nil
}

// started is when the database's server was.
func (n node) started(ctx context.Context) (string, error) {
	p, err := n.psql(ctx)
	if err != nil {
		return "", err
	}
	defer p.end()
	var at string
	err = p.ask("SELECT to_json(pg_postmaster_start_time());", &at)
	return at, err
}

// names are the pods so far.
func (p *pods) names() map[string]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := map[string]bool{}
	for name := range p.known {
		all[name] = true
	}
	return all
}

// rolled are the tiers that serve and have pods that weren't known.
func (p *pods) rolled(known map[string]bool) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	tiers := map[string]bool{}
	for name, o := range p.known {
		if !known[name] && slices.Contains([]string{"backend", "frontend", "nginx"}, o.tier()) {
			tiers[o.tier()] = true
		}
	}
	return slices.Sorted(maps.Keys(tiers))
}

// replaced are the account's resources that an up has replaced, of Pulumi's log of events: their logical names.
func replaced(file string) ([]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read the events of the up: %w", err)
	}
	defer f.Close()
	names := map[string]bool{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var event struct {
			Pre *struct {
				Metadata struct{ Op, URN, Type string }
			} `json:"resourcePreEvent"`
		}
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			return nil, fmt.Errorf("read the events of the up: %w", err)
		}
		if event.Pre != nil && event.Pre.Metadata.Op == "replace" && strings.HasPrefix(event.Pre.Metadata.Type, "aws:") {
			names[event.Pre.Metadata.URN[strings.LastIndex(event.Pre.Metadata.URN, "::")+2:]] = true
		}
	}
	return slices.Sorted(maps.Keys(names)), lines.Err()
}

// PromisesMarkdown is the page of what was measured, on a day, of a stack.
func PromisesMarkdown(measured []Promise, stack, day string, rate int) string {
	b := &strings.Builder{}
	fmt.Fprintf(b, `# What a change costs

`+"`make promises`"+` measured this page on %s, on the local node. It deployed Pulumi.%s.yaml, sent %d requests per second, and changed one key after the other with `+"`pulumi up`"+`. A lost request is one that got another answer than the expected one, or none in 30 seconds. The last column is not measured: it is what AWS documents, or does beside the stack.

| key | change | requests lost | seconds with losses | new pods | replaced in AWS | database restarted | on AWS |
| --- | --- | ---: | ---: | --- | --- | --- | --- |
`, day, stack, rate)
	list := func(names []string) string {
		if len(names) == 0 {
			return "none"
		}
		return strings.Join(names, ", ")
	}
	for _, p := range measured {
		fmt.Fprintf(b, "| `%s` | %s | %d of %d | %d | %s | %s | %s | %s |\n", p.Key, p.Change, p.Lost, p.Sent, p.Errors,
			list(p.Rolled), list(p.Replaced), map[bool]string{true: "yes", false: "no"}[p.Restarted], p.AWS)
	}
	return b.String()
}
