package rehearse

import (
	"bytes"
	"slices"
)

// change is one whose cost is measured.
type change struct {
	// key is the key, text says what becomes of it.
	key, text string
	edit      func(*stackConfig)
	// aws is what the local node can't show.
	aws string
}

// settingsPage is where AWS says which changes of an instance interrupt it.
const settingsPage = "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ModifyInstance.Settings.html"

// What AWS does beside the local node's.
const (
	same     = "the same"
	drains   = "the same; each old pod serves for `nginx.drainSeconds` more"
	restarts = "[the instance is down during the change](" + settingsPage + "); with `multiAz`, for the time of a failover. A `durable` one changes in its maintenance window"
)

// changes are in an order in which each is possible after those before it.
var changes = []change{
	{"threetier:backend.image", "another image", anotherImage("backend"), "the same, and the nodes pull the image"},
	{"threetier:backend.env", "one more variable", set("threetier:backend.env.COST", "kept"), same},
	{"threetier:backend.secretEnv", "one more secret", set("threetier:backend.secretEnv.COST_KEY", "kept"), same},
	{"threetier:backend.replicas", "one more pod", oneMorePod, "the same, unless a node must start first"},
	{"threetier:backend.resources", "`memory: 320Mi`", set("threetier:backend.resources.memory", "320Mi"), same},
	{"threetier:frontend.image", "another image", anotherImage("frontend"), "the same, and the nodes pull the image"},
	{"threetier:nginx.routes", "one more route", oneMoreRoute, drains},
	{"threetier:nginx.timeoutSeconds", "61", set("threetier:nginx.timeoutSeconds", 61), drains},
	{"threetier:nginx.drainSeconds", "11", set("threetier:nginx.drainSeconds", drainSeconds+1), drains},
	{"threetier:nginx.resources", "`memory: 160Mi`", set("threetier:nginx.resources.memory", "160Mi"), drains},
	{"threetier:domain", "a first name, with `nginx.redirect: false`", func(c *stackConfig) {
		c.Set("threetier:domain", map[string]any{"name": "shop.example.org", "zone": "example.org"})
		c.Set("threetier:nginx.redirect", false)
	}, "the same; ACM takes minutes to issue the certificate"},
	{"threetier:database.passwordVersion", "2", set("threetier:database.passwordVersion", 2), same},
	{"threetier:database.parameters", "a dynamic one: `work_mem`", set("threetier:database.parameters.work_mem", "8192"), same},
	{"threetier:database.parameters", "a static one: `max_connections`", set("threetier:database.parameters.max_connections", "90"), "the same: it waits for the next restart"},
	{"threetier:database.storageGiB", "25", set("threetier:database.storageGiB", 25), "[no interruption](" + settingsPage + "); RDS takes the next change of the volume six hours later"},
	{"threetier:database.instanceClass", "db.t4g.small", set("threetier:database.instanceClass", "db.t4g.small"), restarts},
	{"threetier:database.engineVersion", "18, with `allow: { upgrade to 18: … }`", func(c *stackConfig) {
		c.Set("threetier:database.engineVersion", "18")
		c.Set(c.upgradeKey(), "it is measured")
	}, "the instance is down during [the upgrade](https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_UpgradeDBInstance.PostgreSQL.MajorVersion.Process.html)"},
	{"threetier:database.readReplicas", "1", set("threetier:database.readReplicas", 1),
		"[I/O pauses for about a second without `multiAz`](https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ReadRepl.Create.html)"},
	{"threetier:database.port", "5434", set("threetier:database.port", 5434), "[the instance restarts at once](https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html), also a `durable` one"},
}

// apply changes the config, and tells whether that made another one of it.
func (c change) apply(to *stackConfig) (bool, error) {
	to.Remove(to.upgradeKey()) // of the change before: it is refused once the upgrade is through
	before, err := to.Text()
	if err != nil {
		return false, err
	}
	c.edit(to)
	after, err := to.Text()
	return !bytes.Equal(before, after), err
}

func set(path string, to any) func(*stackConfig) {
	return func(c *stackConfig) { c.Set(path, to) }
}

// anotherImage is the same content by another name: to Kubernetes a new version.
func anotherImage(tier string) func(*stackConfig) {
	return func(c *stackConfig) {
		if name, hasTier := c.Part(tier)["image"].(string); hasTier {
			c.Set("threetier:"+tier+".image", name+"-again")
		}
	}
}

func oneMorePod(c *stackConfig) {
	for _, p := range c.pods() {
		if p.name == "backend" {
			p.part["replicas"] = map[string]any{"min": p.min + 1, "max": p.min + 1}
		}
	}
}

func oneMoreRoute(c *stackConfig) {
	routes, given := c.Part("nginx")["routes"].([]any)
	switch {
	case given:
	case c.Part("frontend") != nil:
		routes = []any{map[string]any{"path": "/api", "to": "backend"}, map[string]any{"path": "/", "to": "frontend"}}
	default:
		routes = []any{map[string]any{"path": "/", "to": "backend"}}
	}
	c.Set("threetier:nginx.routes", append(slices.Clip(routes), map[string]any{"path": "/cost", "to": "backend"}))
}
