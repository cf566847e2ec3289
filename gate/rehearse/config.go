package rehearse

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"threetier/components/app"
	"threetier/components/database"
	"threetier/gate/project"
)

// stackConfig is a stack config on its way to one that can be rehearsed.
type stackConfig struct {
	project.Values
	notes []string
}

// leftOut are keys, by path, that have no sense on the local node: what belongs to the real stack or only exists in the
// account, and how long a real load balancer takes.
var leftOut = []string{
	"threetier:namespace", "threetier:adopt", "threetier:domain", "threetier:nginx.certificateArn", "threetier:nginx.redirect",
	"threetier:database.restoreFrom", "threetier:backend.allow", // a migration that is skipped is that of another image
}

// drainSeconds is the local load balancer's: it forgets a pod at once.
const drainSeconds = 10

func (c *stackConfig) note(format string, args ...any) {
	c.notes = append(c.notes, fmt.Sprintf(format, args...))
}

// rehearsable makes the config one of a stack that comes and goes.
func (c *stackConfig) rehearsable(secrets map[string]string) {
	c.keepNames()
	for _, path := range leftOut {
		if c.Remove(path) {
			c.note("%s is left out.", path)
		}
	}
	if db := c.Part("database"); db != nil && db["lifecycle"] != string(database.Disposable) {
		c.note("threetier:database.lifecycle is disposable instead of %v: the rehearsal removes its database.", db["lifecycle"])
		db["lifecycle"] = string(database.Disposable)
		c.Remove("threetier:allow.tags") // is refused beside a disposable database
	}
	if front := c.Part("nginx"); whole(front["drainSeconds"], defaults.Nginx.DrainSeconds) > drainSeconds {
		c.note("threetier:nginx.drainSeconds is %d instead of %d: the local load balancer forgets a pod at once.",
			drainSeconds, whole(front["drainSeconds"], defaults.Nginx.DrainSeconds))
		c.Set("threetier:nginx.drainSeconds", drainSeconds)
	}
	stoodIn := 0
	c.ReplaceSecrets(func(path string) any { // with the same in both versions
		stoodIn++
		sum := sha256.Sum256([]byte(path))
		return cmp.Or(secrets[path], hex.EncodeToString(sum[:])[:40])
	})
	if stoodIn > 0 {
		c.note("%d secret values are stand-ins.", stoodIn)
	}
}

// keepNames leaves the names of the domain to nginx.
func (c *stackConfig) keepNames() {
	domain := c.Part("domain")
	var names []any
	for _, of := range []any{domain["name"], domain["aliases"], domain["redirectFrom"], c.Part("nginx")["hosts"]} {
		switch of := of.(type) {
		case string:
			names = append(names, of)
		case []any:
			names = append(names, of...)
		}
	}
	if len(names) > 0 {
		c.Set("threetier:nginx.hosts", names)
	}
}

// agreeOnName finds a name that the app has in each version, for a load that asks for it: an app may know no other. Without
// one, it has all versions answer to any name.
func agreeOnName(versions ...*stackConfig) string {
	for _, name := range hosts(versions[0]) {
		isCommon := !slices.ContainsFunc(versions, func(c *stackConfig) bool { return !slices.Contains(hosts(c), name) })
		if host, isText := name.(string); isText && isCommon && !strings.HasPrefix(host, "*") {
			return host
		}
	}
	for _, c := range versions {
		if c.Remove("threetier:nginx.hosts") {
			c.note("threetier:nginx.hosts is left out.")
		}
	}
	return ""
}

func hosts(c *stackConfig) []any {
	all, _ := c.Part("nginx")["hosts"].([]any)
	return all
}

func (c *stackConfig) version() string {
	if given, isGiven := c.Part("database")["engineVersion"]; isGiven {
		return fmt.Sprint(given)
	}
	return database.DefaultEngineVersion
}

func (c *stackConfig) upgradeKey() string {
	return "threetier:database.allow." + database.UpgradeTo(c.version())
}

// image gives a tier the image that is built of the commit, by a name that says of what: then a rollout has a reason, and
// none where nothing changed.
func (c *stackConfig) image(tier, tree string) {
	part := c.Part(tier)
	name, _ := part["image"].(string)
	if name == "" {
		return
	}
	name, _, _ = strings.Cut(name, "@")
	if colon := strings.LastIndex(name, ":"); colon > strings.LastIndex(name, "/") {
		name = name[:colon]
	}
	part["image"] = name + ":" + imageTag + tree
}

const imageTag = "rehearsal-"

// tierPods are the pods of a tier, as the config asks for them.
type tierPods struct {
	name           string
	part           map[string]any
	min, max       int
	cpu, memoryMiB float64 // of a pod
}

// defaults are those of an app with a worker.
var defaults = func() app.AppArgs {
	args := app.AppArgs{Frontend: &app.FrontendArgs{}, Workers: map[string]app.WorkerArgs{"": {}}}
	args.Complete() // what is wrong is no matter of the defaults
	return args
}()

// podDefaults are those of the tiers' pods.
var podDefaults = map[string]tierPods{
	"backend":  podsOf(defaults.Backend.WorkloadArgs),
	"frontend": podsOf(defaults.Frontend.WorkloadArgs),
	"nginx":    podsOf(app.WorkloadArgs{Replicas: defaults.Nginx.Replicas, Resources: defaults.Nginx.Resources}),
	"worker":   podsOf(app.WorkloadArgs{Replicas: defaults.Workers[""].Replicas, Resources: defaults.Workers[""].Resources}),
}

func podsOf(args app.WorkloadArgs) tierPods {
	return tierPods{min: args.Replicas.Min, max: args.Replicas.Max, cpu: cores(args.Resources.CPU), memoryMiB: mebi(args.Resources.Memory)}
}

func (c *stackConfig) pods() []tierPods {
	var all []tierPods
	add := func(name, kind string, part map[string]any) {
		pods := podDefaults[kind]
		pods.name, pods.part = name, part
		replicas, _ := part["replicas"].(map[string]any)
		pods.min = whole(replicas["min"], pods.min)
		pods.max = max(pods.min, whole(replicas["max"], pods.max))
		resources, _ := part["resources"].(map[string]any)
		if cpu, given := resources["cpu"]; given {
			pods.cpu = cores(fmt.Sprint(cpu))
		}
		if memory, given := resources["memory"].(string); given {
			pods.memoryMiB = mebi(memory)
		}
		all = append(all, pods)
	}
	for _, tier := range []string{"backend", "frontend", "nginx"} {
		part := c.Part(tier)
		if part == nil && tier == "nginx" {
			part = map[string]any{}
			c.Values["threetier:nginx"] = part
		}
		if part != nil {
			add(tier, tier, part)
		}
	}
	workers := c.Part("workers")
	for _, name := range slices.Sorted(maps.Keys(workers)) {
		if part, isObject := workers[name].(map[string]any); isObject {
			add("workers."+name, "worker", part)
		}
	}
	return all
}

// room is what a node has for the stack's pods.
type room struct{ cpu, memoryMiB float64 }

// fit scales the stack to the room: to the largest number of pods of a tier for which all fit, with one more of each tier
// for the rollout and one that stays of the old version.
func (c *stackConfig) fit(r room) error {
	pods := c.pods()
	most := 0
	for _, p := range pods {
		most = max(most, p.max)
	}
	var cpu, memory float64
	for limit := most; limit > 0; limit-- {
		cpu, memory = jobsCPU, jobsMemoryMiB
		for _, p := range pods {
			n := float64(min(p.max, limit)) + math.Ceil(float64(min(p.max, limit))/4)
			if p.name == "backend" {
				n++
			}
			cpu, memory = cpu+n*p.cpu, memory+n*p.memoryMiB
		}
		if cpu > r.cpu || memory > r.memoryMiB {
			continue
		}
		for _, p := range pods {
			if p.max > limit {
				c.note("threetier:%s.replicas are %d to %d instead of %d to %d: the node has room for no more.", p.name, min(p.min, limit), limit, p.min, p.max)
				p.part["replicas"] = map[string]any{"min": min(p.min, limit), "max": limit}
			}
		}
		return nil
	}
	return fmt.Errorf("the node has %.2f CPU and %.0f MiB left, want %.2f and %.0f for one pod of each tier: stop other stacks on it", r.cpu, r.memoryMiB, cpu, memory)
}

// The migration and the jobs of the database's roles.
const (
	jobsCPU       = 0.2
	jobsMemoryMiB = 512
)

func whole(value any, byDefault int) int {
	if n, isNumber := value.(int); isNumber {
		return n
	}
	return byDefault
}

// cores reads an amount of CPU: 100m, 2, 0.5. What can't be read is the program's to refuse.
func cores(text string) float64 {
	amount, err := resource.ParseQuantity(text)
	if err != nil {
		return 0
	}
	return amount.AsApproximateFloat64()
}

// mebi reads an amount of memory.
func mebi(text string) float64 { return cores(text) / (1 << 20) }
