package tests

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/components/app"
	"threetier/gate/project"
	"threetier/gate/recorder"
	"threetier/internal/stack"
)

// letsIn is dev's stack config with previews.
func letsIn(t *testing.T) *project.Config {
	t.Helper()
	return project.StackConfig(t, "dev").Set(t, "threetier:domain.previews", true)
}

// previewOptions are those of a preview of a stack with that config.
func previewOptions(t *testing.T, of *project.Config, preview *project.Config) recorder.Options {
	t.Helper()
	return recorder.Options{Stack: "pr-1", Config: preview, Others: map[string]map[string]any{"dev": outputs(t, recorder.Options{Config: of})}}
}

func preview(t *testing.T) *recorder.Recording {
	t.Helper()
	return recorder.MustRun(t, stack.Deploy, previewOptions(t, letsIn(t), project.StackConfig(t, "pr-1")))
}

func TestPreviewRegistersNothingInAWS(t *testing.T) {
	r := preview(t)
	for _, res := range r.Resources {
		assert.Regexp(t, "^(kubernetes:|pulumi:providers:kubernetes$|threetier:)", res.Type, res.Name)
	}
	for _, lookup := range r.Lookups {
		assert.Equal(t, "pulumi:pulumi:readStackOutputs", lookup.Token)
	}
	for _, service := range r.All(serviceType) {
		assert.Equal(t, "ClusterIP", service.Input(t, "spec.type"), service.Name)
	}
	quota := r.One(t, "kubernetes:core/v1:ResourceQuota")
	assert.Equal(t, map[string]any{
		"pods": "15", "requests.cpu": "1100m", "limits.memory": "2432Mi",
		"persistentvolumeclaims": "0", "services.loadbalancers": "0", "services.nodeports": "0",
	}, quota.Input(t, "spec.hard"))
	for _, deployment := range r.All(deploymentType) {
		assert.EqualValues(t, 1, deployment.Input(t, "spec.replicas"), deployment.Name)
	}
	assert.Contains(t, r.One(t, app.BackendType).DependsOn, quota.URN)
	assert.Equal(t, true, r.Named(t, cronJobType, "app-job-nightly").Input(t, "spec.suspend"), "jobs run by hand")
}

func TestPreviewHasADatabaseAndLoginsOfItsOwnInTheInstance(t *testing.T) {
	r := preview(t)
	roles := r.Named(t, jobType, "app-backend-roles")
	env := environmentOf(t, r, roles.Input(t, "spec.template.spec.containers[0]").(map[string]any))
	assert.Equal(t, "postgres", env["PGDATABASE"], "its own isn't there yet")
	assert.Equal(t, "threetier_previews", env["PGUSER"])
	assert.Equal(t, "threetier-dev-database.abcdefghijkl.eu-west-1.rds.amazonaws.com", env["PGHOST"])
	for name, want := range map[string]string{
		"PREVIEW": "pr_1", "APP_LOGIN": "pr_1_a", "OWNER_LOGIN": "pr_1_owner_a", "RESTING_LOGINS": "pr_1_b,pr_1_owner_b",
		"APP_CONNECTIONS": "13", "OWNER_CONNECTIONS": "0", "MIGRATION_CONNECTIONS": "4",
		// Dev's pods, 5 that no app gets, and those of threetier_previews.
		"TAKEN_CONNECTIONS": fmt.Sprint(32 + 5 + 5),
	} {
		assert.Equal(t, want, env[name], name)
	}
	app := environmentOf(t, r, r.Named(t, deploymentType, "app-backend").Input(t, "spec.template.spec.containers[0]").(map[string]any))
	assert.Equal(t, []string{"pr_1", "pr_1_a", env["PGHOST"]}, []string{app["DB_NAME"], app["DB_USER"], app["DB_HOST"]})
	assert.NotEqual(t, env["PGPASSWORD"], app["DB_PASSWORD"])
	assert.Regexp(t, "^[A-Za-z0-9]{43}$", app["DB_PASSWORD"])

	drop := r.Named(t, cronJobType, "app-backend-drop-database")
	assert.Equal(t, "drop-database", drop.Input(t, "metadata.name"))
	assert.Equal(t, true, drop.Input(t, "spec.suspend"))
	assert.Contains(t, roles.DependsOn, drop.URN, "what is made can be dropped")
	assert.Equal(t, "database-roles", drop.Input(t, `spec.jobTemplate.spec.template.metadata.labels["app.kubernetes.io/name"]`), "whose way to the database it has")
}

func TestNoSecretOfAPreviewIsShown(t *testing.T) {
	options := previewOptions(t, letsIn(t), project.StackConfig(t, "pr-1"))
	var told struct{ Database struct{ Password string } }
	require.NoError(t, json.Unmarshal([]byte(options.Others["dev"]["previews"].(string)), &told))
	require.Regexp(t, "^[A-Za-z0-9]{32}$", told.Database.Password)
	r := recorder.MustRun(t, stack.Deploy, options)
	app := environmentOf(t, r, r.Named(t, deploymentType, "app-backend").Input(t, "spec.template.spec.containers[0]").(map[string]any))
	for _, res := range r.Resources {
		for _, secret := range []string{told.Database.Password, app["DB_PASSWORD"]} {
			assert.NotContains(t, fmt.Sprint(res.Plain()), secret, "%s %s", res.Type, res.Name)
		}
	}
}

func TestStackReadsItsOwnOutputsBesideTheSecretOne(t *testing.T) {
	recorder.MustRun(t, stack.Deploy, recorder.Options{Config: letsIn(t), Outputs: map[string]any{
		"namespace": "threetier-dev", "databaseIdentifier": "threetier-dev-database",
		"previews": &resource.Secret{Element: resource.NewProperty("{}")},
	}})
}

func TestPreviewIsReachedByTheOtherStacksNginxAlone(t *testing.T) {
	r := preview(t)
	assert.Equal(t, "threetier-dev", r.One(t, namespaceType).Input(t, `metadata.labels["threetier/preview-of"]`))
	peer := func(label, value string) []any {
		return []any{map[string]any{
			"namespaceSelector": map[string]any{"matchLabels": map[string]any{label: value}},
			"podSelector":       map[string]any{"matchLabels": map[string]any{"app.kubernetes.io/name": "nginx"}},
		}}
	}
	assert.Equal(t, []any{map[string]any{"from": peer("kubernetes.io/metadata.name", "threetier-dev"), "ports": []any{map[string]any{"port": 8080.0, "protocol": "TCP"}}}},
		r.Named(t, policyType, "app-nginx-in").Input(t, "spec.ingress"))
	service := r.Named(t, serviceType, "app-nginx")
	assert.Equal(t, "nginx", service.Input(t, "metadata.name"))
	config := nginxConfigOf(t, r)
	assert.Contains(t, config, "set_real_ip_from 0.0.0.0/0;")

	of := deploy(t, "dev", letsIn(t))
	assert.Contains(t, of.Named(t, policyType, "app-nginx-out").Input(t, "spec.egress"),
		map[string]any{"to": peer("threetier/preview-of", "threetier-dev"), "ports": []any{map[string]any{"port": 8080.0, "protocol": "TCP"}}})
	assert.Contains(t, nginxConfigOf(t, of), "proxy_pass http://nginx.threetier-$preview.$services_domain:8080;")
	assert.Contains(t, fmt.Sprint(of.Named(t, deploymentType, "app-nginx").Input(t, "spec.template.spec.containers[0].command")), "/tmp/resolver.conf")
}

func TestURLOfAPreviewIsBelowTheOtherStacks(t *testing.T) {
	assert.Equal(t, "http://pr-1."+balancer, outputs(t, previewOptions(t, letsIn(t), project.StackConfig(t, "pr-1")))["url"])
	of := inZone(t).Set(t, "threetier:domain.previews", true)
	assert.Equal(t, "https://pr-1."+shop, outputs(t, previewOptions(t, of, project.StackConfig(t, "pr-1")))["url"])
	r := deploy(t, "dev", of)
	assert.Equal(t, "*."+shop, r.Named(t, certificateType, "domain-*."+shop).Input(t, "domainName"))
	assert.Equal(t, "*."+shop, r.Named(t, recordType, "domain-records-*."+shop).Input(t, "name"))
	proof := r.Named(t, recordType, "domain-"+shop+"-validation")
	assert.Len(t, r.All(recordType), 5, "a wildcard's proof is that of the name itself")
	assert.Contains(t, r.Named(t, validationType, "domain-*."+shop).DependsOn, proof.URN)
	assert.Contains(t, nginxConfigOf(t, r), `server_name "~^(?<preview>pr-[1-9][0-9]{0,8})\.shop\.example\.org$";`)

	byHand := recorder.Options{Config: withNames(t, map[string]any{"name": shop, "previews": true})}
	var records []string
	for _, each := range outputs(t, byHand)["dnsRecords"].([]any) {
		record := each.(map[string]any)
		records = append(records, fmt.Sprint(record["type"], " ", record["name"]))
	}
	assert.Len(t, records, 3, records)
	assert.Contains(t, records, "CNAME *."+shop)
}

func TestPreviewTakesTheRestFromTheOtherStack(t *testing.T) {
	for path, value := range map[string]any{
		"cluster.eks": "acme-dev", "database.lifecycle": "disposable", "domain.name": shop, "alarms.topicArn": "arn:aws:sns:eu-west-1:123456789012:alerts",
		"namespace": "shop", "adopt": "shop",
	} {
		key, _, _ := strings.Cut(path, ".")
		config := project.StackConfig(t, "pr-1").Set(t, "threetier:"+path, value)
		assert.Equal(t, []string{"threetier:" + key + " is given beside previewOf, want none: a preview has that of dev"}, previewRefusals(t, "pr-1", config))
	}
	permissions := []any{map[string]any{"actions": []string{"s3:GetObject"}, "resources": []string{"arn:aws:s3:::acme-uploads/*"}}}
	assert.Equal(t, []string{"threetier:backend.permissions is given beside previewOf, want none: a preview makes nothing in AWS"},
		previewRefusals(t, "pr-1", project.StackConfig(t, "pr-1").Set(t, "threetier:backend.permissions", permissions)))
	for _, name := range []string{"dev-2", "pr-", "pr-0", "pr-01", "pr-1234567890", "pr-x"} {
		assert.Equal(t, []string{`stack is "` + name + `", want pr- and a number, as pr-1, beside threetier:previewOf`},
			previewRefusals(t, name, project.StackConfig(t, "pr-1")))
	}
	options := previewOptions(t, project.StackConfig(t, "dev"), project.StackConfig(t, "pr-1"))
	r, err := recorder.Run(stack.Deploy, options)
	require.ErrorContains(t, err, "threetier:previewOf is dev, want a stack that lets previews in: one with domain.previews: true since its last up")
	assert.Empty(t, r.Names())
}

// previewRefusals are the lines of the error that a preview's config is refused with.
func previewRefusals(t *testing.T, name string, config *project.Config) (lines []string) {
	t.Helper()
	r, err := recorder.Run(stack.Deploy, recorder.Options{Stack: name, Config: config})
	require.Error(t, err)
	assert.Empty(t, r.Names())
	for line := range strings.Lines(err.Error()) {
		if strings.Contains(line, ", want ") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return slices.Compact(lines)
}

func TestPreviewsAreLetInBesideDataThatMayBeLost(t *testing.T) {
	for want, change := range map[string]func(*project.Config){
		"false with database.lifecycle retiring: previews run code that nobody has approved, beside the data": func(c *project.Config) { c.Set(t, "threetier:database.lifecycle", "retiring") },
		"false with database.engineVersion 15, or 16 or later":                                                func(c *project.Config) { c.Set(t, "threetier:database.engineVersion", "15") },
		"false with adopt: a preview's namespace is the program's own": func(c *project.Config) {
			c.Set(t, "threetier:namespace", "shop").Set(t, "threetier:adopt", "shop")
		},
	} {
		config := letsIn(t)
		change(config)
		_, err := recorder.Run(stack.Deploy, recorder.Options{Config: config})
		assert.ErrorContains(t, err, "threetier:domain.previews is true, want "+want)
	}
	for _, names := range []map[string]any{{"previews": true, "zone": "example.org"}, {"previews": true, "aliases": []string{shop}}, {"previews": false}} {
		_, err := recorder.Run(stack.Deploy, recorder.Options{Config: withNames(t, names)})
		assert.ErrorContains(t, err, "threetier:domain.name is missing", names)
	}
	long := strings.Repeat("a", 51) + ".example.org"
	_, err := recorder.Run(stack.Deploy, recorder.Options{Config: withNames(t, map[string]any{"name": long, "previews": true})})
	assert.ErrorContains(t, err, "want at most 62 characters with previews")
}

func TestPreviewsObjectsAreRefusedWhereTheyAreOthers(t *testing.T) {
	options := previewOptions(t, letsIn(t), project.StackConfig(t, "pr-1"))
	options.Objects = map[string]map[string]string{
		"/api/v1/namespaces/threetier-pr-1":                {app.OwnerLabel: "somebody"},
		"/api/v1/namespaces/threetier-pr-1/services/nginx": {},
	}
	_, err := recorder.Run(stack.Deploy, options)
	require.ErrorContains(t, err, "threetier-pr-1, which is there and isn't this stack's")
}
