package rehearse

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"threetier/components/app/logins"
	"threetier/gate/seed"
)

//go:embed locks.sql
var locksSQL string

//go:embed rows.sql
var rowsSQL string

// login is the environment by which psql reaches the stack's database: as its administrator, who sees all statements and may
// read all rows. It is taken from where the program's own Jobs have it.
func (n localNode) login(ctx context.Context) ([]string, error) {
	var jobs objects
	if err := n.Get(ctx, &jobs, "jobs", "--selector", tierLabel+"=database-roles"); err != nil {
		return nil, err
	}
	if len(jobs.Items) == 0 || len(jobs.Items[0].Spec.Template.Spec.Containers) == 0 {
		return nil, errors.New("find the database's administrator: no Job has made the database's roles")
	}
	env := []string{"PGSSLMODE=require", "PGAPPNAME=rehearsal", "PGOPTIONS=" + logins.AdministratorOptions}
	for _, variable := range jobs.Items[0].Spec.Template.Spec.Containers[0].Env {
		switch variable.Name {
		case "PGHOST", "PGPORT", "PGDATABASE", "PGUSER":
			env = append(env, variable.Name+"="+variable.Value)
		case "PGPASSWORD":
			from := variable.ValueFrom.SecretKeyRef
			var secret struct{ Data map[string]string }
			if err := n.Get(ctx, &secret, "secret", from.Name); err != nil {
				return nil, err
			}
			password, err := base64.StdEncoding.DecodeString(secret.Data[from.Key])
			if err != nil {
				return nil, fmt.Errorf("read the administrator's password: %w", err)
			}
			env = append(env, "PGPASSWORD="+string(password))
		}
	}
	return env, nil
}

// psql is one that stays, as the administrator, and answers one statement after the other. It ends at the first error.
type psql struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
	bad *bytes.Buffer
}

func (n localNode) psql(ctx context.Context) (*psql, error) {
	env, err := n.login(ctx)
	if err != nil {
		return nil, err
	}
	cmd := n.Inside(ctx, "psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--tuples-only", "--no-align")
	cmd.Env = append(cmd.Env, env...)
	p := &psql{cmd: cmd, bad: &bytes.Buffer{}}
	p.cmd.Stderr = p.bad
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("write to psql: %w", err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("read from psql: %w", err)
	}
	p.out = bufio.NewScanner(out)
	p.out.Buffer(nil, 1<<20)
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start psql: %w", err)
	}
	return p, nil
}

// ask sends a statement whose answer is one line of JSON.
func (p *psql) ask(statement string, into any) error {
	if _, err := io.WriteString(p.in, statement+"\n"); err != nil || !p.out.Scan() {
		return errors.Join(errors.New("psql has ended"), err, p.out.Err(), p.cmd.Wait(), errors.New(strings.TrimSpace(p.bad.String())))
	}
	if err := json.Unmarshal(p.out.Bytes(), into); err != nil {
		return fmt.Errorf("read psql's answer: %w", err)
	}
	return nil
}

func (p *psql) end() {
	_ = p.in.Close() // and psql has read all of its input
	_ = p.cmd.Wait() // its status says nothing that its answers didn't
}

func (n localNode) rows(ctx context.Context, into *map[string]int) error {
	p, err := n.psql(ctx)
	if err == nil {
		defer p.end()
		err = p.ask(rowsSQL, into)
	}
	if err != nil {
		return fmt.Errorf("count the rows: %w", err)
	}
	return nil
}

func (n localNode) seed(ctx context.Context, rows seed.Seed) error {
	psql := func(args ...string) *exec.Cmd {
		cmd := n.Inside(ctx, append([]string{filepath.Join(n.Root, "bin/psql"), n.stack}, args...)...)
		cmd.Env = append(cmd.Env, "NS="+n.Namespace, "WHO=rehearsal")
		return cmd
	}
	return rows.Put(psql, func(command []string) (*exec.Cmd, error) {
		pod, err := n.backendPod(ctx)
		if err != nil {
			return nil, err
		}
		metadata, _ := pod["metadata"].(map[string]any)
		return n.Kubectl(ctx, append([]string{"exec", fmt.Sprint(metadata["name"]), "--"}, command...)...), nil
	})
}

// sample is the state of the locks at a moment.
type sample struct {
	Locks []struct {
		PID   int
		Table string
		Mode  string
		Who   string
		Query string
	}
	Waits []struct {
		PID     int
		Began   float64
		Seconds float64
		Query   string
	}
}

// seen is a lock, or a statement that waits, from the first sample that has it to the last.
type seen struct {
	first, last time.Time
	lock        Lock
	waited      float64
	query       string
}

// locks watches who holds what and who waits.
type locks struct {
	mu    sync.Mutex
	held  map[string]*seen
	waits map[string]*seen
	taken []time.Time // the samples
	err   error       // why the last sample failed
	none  int         // samples that failed
}

func newLocks() *locks { return &locks{held: map[string]*seen{}, waits: map[string]*seen{}} }

// sampleEvery is how exact the times are.
const sampleEvery = 200 * time.Millisecond

func (n localNode) watchLocks(ctx context.Context, samples *locks) {
	var p *psql
	for ctx.Err() == nil {
		var s sample
		var err error
		if p == nil {
			p, err = n.psql(ctx)
		}
		if err == nil {
			err = p.ask(locksSQL, &s)
		}
		switch {
		case err == nil:
			samples.add(s, time.Now())
		case ctx.Err() == nil:
			samples.fail(err)
			p = nil // a database that restarts has ended it
		}
		select {
		case <-ctx.Done():
		case <-time.After(sampleEvery):
		}
	}
	if p != nil {
		p.end()
	}
}

func (s *locks) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err, s.none = err, s.none+1
}

func (s *locks) add(sample sample, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken = append(s.taken, now)
	for _, l := range sample.Locks {
		key := fmt.Sprint(l.PID, l.Table, l.Mode)
		was := s.held[key]
		// Another transaction of the same connection, since a sample in between didn't have it.
		if was == nil || now.Sub(was.last) > 5*sampleEvery {
			if was != nil {
				s.held[fmt.Sprint(key, was.first)] = was
			}
			// The first statement is the one that has taken it: later ones of the transaction hold it too.
			was = &seen{first: now, lock: Lock{Table: l.Table, Mode: l.Mode, Who: l.Who, Query: l.Query}}
			s.held[key] = was
		}
		was.last = now
	}
	for _, w := range sample.Waits {
		key := fmt.Sprint(w.PID, w.Began)
		if s.waits[key] == nil {
			s.waits[key] = &seen{first: now, query: w.Query}
		}
		s.waits[key].waited = w.Seconds
	}
}

// reportedLock is how long a lock is held to be worth a line.
const reportedLock = 1.0

// within are the locks and waits that began in a while, and how often they were looked at in it.
func (s *locks) within(from, to time.Time) (long []Lock, waits Waits, samples int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	inside := func(at time.Time) bool { return !at.Before(from) && at.Before(to) }
	for _, at := range s.taken {
		if inside(at) {
			samples++
		}
	}
	for _, held := range s.held {
		held.lock.Seconds = held.last.Sub(held.first).Seconds() + sampleEvery.Seconds()
		if inside(held.first) && held.lock.Seconds >= reportedLock {
			long = append(long, held.lock)
		}
	}
	for _, wait := range s.waits {
		if !inside(wait.first) {
			continue
		}
		waits.Statements++
		if wait.waited > waits.Longest {
			waits.Longest, waits.Example = wait.waited, wait.query
		}
	}
	return long, waits, samples
}
