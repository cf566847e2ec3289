package rehearse

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"threetier/gate/node"
)

// pods watches the stack's pods: their restarts, what they use, what they log, and when migrations ran.
type pods struct {
	node localNode

	mu         sync.Mutex
	known      map[string]object // by name, as last seen
	deployed   string            // the version that is being deployed: a pod that begins is one of it
	versions   map[string]string // of pods, by name
	uses       map[string]*PodUse
	restarts   []restart
	lines      []logLine
	migrations map[string]object
	problems   []string
}

type restart struct {
	at   time.Time
	text string
}

type logLine struct {
	at            time.Time
	version, tier string
	text          string
}

// The two versions, in the report's words.
const (
	versionBase = "base"
	versionHead = "head"
)

func newPods(n localNode) *pods {
	return &pods{
		node: n, deployed: versionBase, known: map[string]object{}, versions: map[string]string{}, uses: map[string]*PodUse{}, migrations: map[string]object{},
	}
}

// deploying tells which version the next pods are of.
func (p *pods) deploying(version string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deployed = version
}

// watch follows the pods and Jobs until ctx ends.
func (p *pods) watch(ctx context.Context) {
	var all sync.WaitGroup
	for _, kind := range []string{"pods", "jobs"} {
		all.Go(func() { p.follow(ctx, &all, kind) })
	}
	all.Go(func() { p.measure(ctx) })
	all.Wait()
}

func (p *pods) follow(ctx context.Context, logs *sync.WaitGroup, kind string) {
	for ctx.Err() == nil {
		cmd := p.node.Kubectl(ctx, "get", kind, "--watch", "--output", "json")
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			p.fail("watch the %s: %v", kind, err)
			return
		}
		decoder := json.NewDecoder(out)
		for {
			var o object
			if decoder.Decode(&o) != nil {
				break // it has ended: the API server closes a watch now and then
			}
			if kind == "jobs" {
				p.job(o)
			} else if p.pod(o) {
				logs.Go(func() { p.log(ctx, o) })
			}
		}
		_ = cmd.Wait() // only its end matters
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func (p *pods) fail(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.problems = append(p.problems, fmt.Sprintf(format, args...))
}

func (p *pods) job(o object) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if strings.HasSuffix(o.tier(), "-migration") && o.Status.StartTime != nil {
		p.migrations[o.Metadata.Name] = o
	}
}

// pod notes what is new of one, and tells whether its log can be read for the first time.
func (p *pods) pod(o object) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	name := o.Metadata.Name
	before, known := p.known[name]
	p.known[name] = o
	if !known {
		p.versions[name] = p.deployed
	}
	p.count(o.tier())
	restarts := func(o object) (n int) {
		for _, c := range o.Status.ContainerStatuses {
			n += c.RestartCount
		}
		return n
	}
	if known && restarts(o) > restarts(before) {
		for _, c := range o.Status.ContainerStatuses {
			if last := c.LastState.Terminated; last != nil {
				p.restarts = append(p.restarts, restart{time.Now(), fmt.Sprintf("%s of %s ended with %s, status %d", c.Name, p.versions[name], last.Reason, last.ExitCode)})
			}
		}
	}
	running := o.Status.Phase != "Pending"
	return running && (!known || before.Status.Phase == "Pending")
}

// count notes how many pods of a tier there are; the lock is held.
func (p *pods) count(tier string) {
	now := 0
	for _, o := range p.known {
		if o.tier() == tier && o.Status.Phase == "Running" && o.Metadata.DeletionTimestamp == nil {
			now++
		}
	}
	use := p.use(tier)
	use.Most = max(use.Most, now)
}

func (p *pods) use(tier string) *PodUse {
	if p.uses[tier] == nil {
		p.uses[tier] = &PodUse{Tier: tier}
	}
	return p.uses[tier]
}

// An error in a log: a level in JSON or as a word, or a program's own death.
var errorLine = regexp.MustCompile(`(?i)"(level|severity|levelname)": ?"(error|critical|fatal|panic)"|\b(?-i:ERROR|CRITICAL|FATAL)\b|^Traceback |^panic: |\[(error|crit|alert|emerg)\]`)

// log reads one to its end.
func (p *pods) log(ctx context.Context, o object) {
	cmd := p.node.Kubectl(ctx, "logs", "--follow", o.Metadata.Name)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		p.fail("read the log of %s: %v", o.Metadata.Name, err)
		return
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if !errorLine.MatchString(lines.Text()) {
			continue
		}
		p.mu.Lock()
		p.lines = append(p.lines, logLine{time.Now(), p.versions[o.Metadata.Name], o.tier(), lines.Text()})
		p.mu.Unlock()
	}
	_ = cmd.Wait() // a pod that is gone ends it
}

// metrics is the answer of the metrics API.
type metrics struct {
	Items []struct {
		Metadata   struct{ Name string }
		Containers []struct {
			Usage map[string]string
		}
	}
}

// measureEvery is metrics-server's own pace.
const measureEvery = 5 * time.Second

func (p *pods) measure(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(measureEvery):
		}
		out, err := node.Output(p.node.Kubectl(ctx, "get", "--raw", "/apis/metrics.k8s.io/v1beta1/namespaces/"+p.node.Namespace+"/pods"))
		var m metrics
		if err == nil {
			err = json.Unmarshal(out, &m)
		}
		if err != nil {
			continue // metrics-server has nothing yet, or ctx has ended
		}
		p.measured(m)
	}
}

func (p *pods) measured(m metrics) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, item := range m.Items {
		o, known := p.known[item.Metadata.Name]
		if !known {
			continue
		}
		use := p.use(o.tier())
		var cpu, memory float64
		for _, c := range item.Containers {
			cpu += cores(c.Usage["cpu"])
			memory += mebi(c.Usage["memory"])
		}
		use.CPU, use.Memory = max(use.CPU, cpu), max(use.Memory, memory)
		use.CPURequest, use.MemoryRequest = o.requests()
	}
}

// within puts what was seen in a while into a step.
func (p *pods) within(from, to time.Time, step *Step) {
	p.mu.Lock()
	defer p.mu.Unlock()
	inside := func(at time.Time) bool { return !at.Before(from) && at.Before(to) }
	for _, r := range p.restarts {
		if inside(r.at) {
			step.Restarts = append(step.Restarts, r.text)
		}
	}
	for _, o := range p.migrations {
		// Kubernetes writes whole seconds.
		if done := o.Status.CompletionTime; done != nil && inside(o.Status.StartTime.Add(time.Second)) {
			step.Migration = max(step.Migration, done.Sub(*o.Status.StartTime).Seconds())
		}
	}
	found := map[string]*LogErrors{}
	for _, line := range p.lines {
		if !inside(line.at) {
			continue
		}
		key := line.version + line.tier
		if found[key] == nil {
			found[key] = &LogErrors{Version: line.version, Tier: line.tier, Example: ends(line.text)}
		}
		found[key].Lines++
	}
	for _, key := range slices.Sorted(maps.Keys(found)) {
		step.Errors = append(step.Errors, *found[key])
	}
}

// ends are the beginning and the end of a long line: an exception says at its end what it is.
func ends(text string) string {
	const first, last = 120, 220
	runes := []rune(text)
	if len(runes) <= first+last {
		return text
	}
	return string(runes[:first]) + " … " + string(runes[len(runes)-last:])
}

// used are the tiers' pods that the metrics API knew.
func (p *pods) used() []PodUse {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []PodUse
	for _, tier := range slices.Sorted(maps.Keys(p.uses)) {
		if use := p.uses[tier]; use.CPURequest > 0 && use.Most > 0 {
			all = append(all, *use)
		}
	}
	return all
}
