package rehearse

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

	"threetier/gate/costs"
)

// Keys are those whose change can be measured.
func Keys() []string {
	var keys []string
	for _, c := range changes {
		keys = append(keys, c.key)
	}
	return slices.Compact(keys) // the changes of one key stand together
}

// Measure changes one key after the other under load: some keys, or every known one.
func Measure(ctx context.Context, o Options, keys []string) (m costs.Measured, err error) {
	r, err := newRehearsal(o)
	if err != nil {
		return costs.Measured{}, err
	}
	if err := r.prepareOne(ctx); err != nil {
		return costs.Measured{}, errors.Join(err, r.clean(ctx, false))
	}
	defer func() { err = errors.Join(err, r.clean(ctx, true)) }()
	if err := r.deployBase(ctx); err != nil {
		return costs.Measured{}, err
	}
	err = r.underLoad(ctx, func(ctx context.Context) error {
		if err := r.pause(ctx); err != nil {
			return err
		}
		r.end(Step{Name: "before", Move: moveBefore})
		for _, c := range changes {
			if len(keys) > 0 && !slices.Contains(keys, c.key) {
				continue
			}
			if applies, err := c.apply(r.base.config); err != nil {
				return err
			} else if !applies {
				r.say("%s: the stack config has nothing to change, so there is no row", c.key)
				continue
			}
			row, err := r.measure(ctx, c)
			if err != nil {
				return fmt.Errorf("%s: %w", c.key, err)
			}
			m.Rows = append(m.Rows, row)
		}
		return nil
	})
	if err == nil && r.report.Failed != "" {
		err = errors.New(r.report.Failed)
	}
	m.Date, m.Stack, m.Rate, m.Load = time.Now().UTC().Format(time.DateOnly), o.Stack, r.report.Rate, r.report.kinds()
	for i := range m.Rows {
		step := r.report.Steps[i+1]
		if least := step.leastSent(r.report.Rate); step.Sent < least {
			return m, errors.Join(err, fmt.Errorf("%s: %d requests were sent, want %d or more", step.Name, step.Sent, least))
		}
		m.Rows[i].Sent, m.Rows[i].Lost = step.Sent, step.lost()
		for second := int(step.From); second < min(int(step.To), len(r.report.Timeline)); second++ {
			if r.report.Timeline[second].Lost > 0 {
				m.Rows[i].Seconds++
			}
		}
	}
	return m, err
}

// prepareOne gets the checkout ready, as the only version.
func (r *rehearsal) prepareOne(ctx context.Context) error {
	commit, err := checkoutAsCommit(ctx, r.Root)
	if err != nil {
		return err
	}
	if r.base, err = checkOut(ctx, r.Root, versionBase, commit); err != nil {
		return err
	}
	if r.file, err = ReadFile(r.base.dir); err != nil {
		return err
	}
	if err := r.ready(ctx); err != nil {
		return err
	}
	r.base.config.fixReplicas()
	return r.base.write(r.node.stack)
}

// fixReplicas leaves nothing to the autoscaler: its pods would look like those of a change.
func (c *stackConfig) fixReplicas() {
	for _, p := range c.pods() {
		p.part["replicas"] = map[string]any{"min": p.min, "max": p.min}
	}
}

// measure deploys a config with one key changed. What it costs may show until some time after the last old pod is gone.
func (r *rehearsal) measure(ctx context.Context, c change) (costs.Row, error) {
	row := costs.Row{Key: c.key, Change: c.text, AWS: c.aws}
	r.say("%s: %s", c.key, c.text)
	before, err := r.node.startedAt(ctx)
	if err != nil {
		return row, err
	}
	known := r.pods.byName()
	if err := r.base.write(r.node.stack); err != nil {
		return row, err
	}
	if err := r.node.run(ctx, r.base.dir, "up", "--stack", r.node.stack); err != nil {
		return row, err
	}
	if err := r.node.waitForStoppingPods(ctx, 3*time.Minute); err != nil {
		return row, err
	}
	if err := r.pause(ctx); err != nil {
		return row, err
	}
	after, err := r.node.startedAt(ctx)
	if err != nil {
		return row, err
	}
	row.Restarted, row.Pods = after != before, r.pods.tiersBeside(known)
	if row.Replaced, err = replaced(filepath.Join(home(r.Root), "logs", r.node.stack+"-up.events.jsonl")); err != nil {
		return row, err
	}
	r.end(Step{Name: c.key, Move: moveForward, Up: true})
	return row, nil
}

func (n localNode) startedAt(ctx context.Context) (string, error) {
	p, err := n.psql(ctx)
	if err != nil {
		return "", err
	}
	defer p.end()
	var at string
	err = p.ask("SELECT to_json(pg_postmaster_start_time());", &at)
	return at, err
}

func (p *pods) byName() map[string]object {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.known)
}

func (p *pods) tiersBeside(known map[string]object) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	tiers := map[string]bool{}
	for name, o := range p.known {
		if _, was := known[name]; !was && slices.Contains([]string{"backend", "frontend", "nginx"}, o.tier()) {
			tiers[o.tier()] = true
		}
	}
	return slices.Sorted(maps.Keys(tiers))
}

// replaced are the AWS resources that an up has replaced, by their logical names, of Pulumi's log of events.
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
			urn := event.Pre.Metadata.URN
			names[urn[strings.LastIndex(urn, "::")+2:]] = true
		}
	}
	return slices.Sorted(maps.Keys(names)), lines.Err()
}
