// Package docs tests what can be tested of README and docs: links, Makefile targets, and the example of an own app.
package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"threetier/gate/plan"
	"threetier/gate/project"
)

// pages are README, its neighbours and docs, by their path from the root.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md", "local/*.md"} {
		files, err := filepath.Glob(filepath.Join(project.Root(), pattern))
		require.NoError(t, err)
		require.NotEmpty(t, files, pattern)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			name, err := filepath.Rel(project.Root(), file)
			require.NoError(t, err)
			all[name] = string(text)
		}
	}
	return all
}

var (
	link        = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading     = regexp.MustCompile(`(?m)^#+ (.+)$`)
	punctuation = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	target      = regexp.MustCompile("(?m)(?:^|`)make ([a-z-]+)")
)

// anchors are what a page's headings can be linked by, as GitHub makes them.
func anchors(text string) []string {
	var names []string
	for _, match := range heading.FindAllStringSubmatch(text, -1) {
		names = append(names, strings.ReplaceAll(punctuation.ReplaceAllString(strings.ToLower(match[1]), ""), " ", "-"))
	}
	return names
}

func TestLinksLeadSomewhere(t *testing.T) {
	all := pages(t)
	for name, text := range all {
		for _, match := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(match[1], "://") {
				continue
			}
			path, anchor, _ := strings.Cut(match[1], "#")
			to := name
			if path != "" {
				to = filepath.Join(filepath.Dir(name), path)
			}
			if _, err := os.Stat(filepath.Join(project.Root(), to)); !assert.NoError(t, err, "%s links to %s", name, match[1]) {
				continue
			}
			if anchor != "" {
				assert.Contains(t, anchors(all[to]), anchor, "%s links to %s", name, match[1])
			}
		}
	}
}

func TestEveryPageIsReachedFromTheReadme(t *testing.T) {
	all := pages(t)
	reached := map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		if reached[name] {
			return
		}
		reached[name] = true
		for _, match := range link.FindAllStringSubmatch(all[name], -1) {
			path, _, _ := strings.Cut(match[1], "#")
			if to := filepath.Join(filepath.Dir(name), path); all[to] != "" {
				visit(to)
			}
		}
	}
	visit("README.md")
	for name := range all {
		assert.True(t, reached[name], "%s is linked to from nowhere", name)
	}
}

func TestMakefileHasTheTargetsThatThePagesName(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join(project.Root(), "Makefile"))
	require.NoError(t, err)
	for name, text := range pages(t) {
		for _, match := range target.FindAllStringSubmatch(text, -1) {
			assert.Regexp(t, `(?m)^`+match[1]+`:.*##`, string(makefile), "%s names make %s", name, match[1])
		}
	}
}

// plan is that of a stack with this config.
func planOf(t *testing.T, config string) (*plan.Plan, error) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "Pulumi.shop.yaml"), []byte(config), 0o600))
	return plan.Build(dir, "shop")
}

func TestExampleOfAnOwnAppIsPlannedAndItsMistakeIsSaid(t *testing.T) {
	page := pages(t)["docs/tutorials/your-app.md"]
	_, rest, _ := strings.Cut(page, "```yaml\n")
	example, _, found := strings.Cut(rest, "```")
	require.True(t, found)
	planned, err := planOf(t, example)
	require.NoError(t, err)
	text, err := planned.Text()
	require.NoError(t, err)
	for _, want := range []string{"name: PG_READ_DSN", "mountPath: /var/cache/shop", "containerPort: 3000", "runAsUser: 1000", "location /v1/"} {
		assert.Contains(t, string(text), want)
	}

	_, rest, _ = strings.Cut(page, "## Make a mistake\n")
	_, rest, _ = strings.Cut(rest, "```\n")
	message, _, _ := strings.Cut(rest, "\n")
	wrong := strings.Replace(example, "port: 8081", "port: 80801", 1)
	require.NotEqual(t, example, wrong)
	_, err = planOf(t, wrong)
	require.ErrorContains(t, err, ":\n"+message+"\n")
	assert.Equal(t, 1, strings.Count(err.Error(), ", want "), "one mistake")
}

func TestExampleOfEachShapeIsPlanned(t *testing.T) {
	shapes := ""
	for _, name := range []string{"app-shapes", "connections", "workers-and-jobs", "egress-and-permissions"} {
		shapes += pages(t)["docs/how-to/"+name+".md"]
	}
	examples := map[string]string{}
	for _, section := range strings.Split(shapes, "\n## ")[1:] {
		title, text, _ := strings.Cut(section, "\n")
		_, config, hasExample := strings.Cut(text, "```yaml\n")
		require.True(t, hasExample, "%s has no example", title)
		examples[title], _, _ = strings.Cut(config, "```")
	}
	// What each plan shows of its shape.
	for title, want := range map[string][]string{
		"One image for pages and API":         {"location / {", "proxy_pass http://backend;"},
		"The API on a host of its own":        {"server_name api.shop.example.org;", "value: https://shop.example.org"},
		"Calls to other services":             {"name: app-worker-mailer-egress", "name: app-frontend-egress", "s3:PutObject", "cidr: 10.20.0.0/16"},
		"Workers":                             {"type: threetier:index:Worker", "value: mails", "terminationGracePeriodSeconds: 130"},
		"Jobs":                                {"timeZone: Europe/Berlin", "suspend: false", "suspend: true", "backoffLimit: 2"},
		"An image that migrates at its start": {"progressDeadlineSeconds: 890", "path: /ready"},
		"WebSockets":                          {"location /api/socket/ {", "proxy_read_timeout 300s;"},
		"Large uploads":                       {"location /api/files/ {", "client_max_body_size 50m;"},
		"Events and streams":                  {"location /api/events/ {", "proxy_read_timeout 300s;", "proxy_buffering off;"},
		"Sessions in memory":                  {"name: backend-pods", "set $stick cookie_backend;", "set $stick header_mcp_session_id;"},

		"An image that writes beside its files":       {"subPath: \"3\"", "- /usr/share/nginx/html"},
		"An app that looks at the host or the scheme": {"value: shop.internal"},
		"Requests that block the app":                 {"failureThreshold: 20"},
		"Pages rendered on the server":                {"name: app-frontend-egress", "value: http://backend-service:8000", "location /v1/ {", "proxy_buffering off;", "- /app/.next"},
		"A queue in Redis":                            {"name: app-backend-egress", "cidr: 10.20.0.0/16", "port: 6379", "terminationGracePeriodSeconds: 610", "celery@$HOSTNAME", "name: app-worker-beat-lock"},
		"A chat over WebSockets":                      {"location /api/chat/ {", "proxy_read_timeout 300s;", "terminationGracePeriodSeconds: 35"},
		"An image that starts with uv run":            {"name: UV_NO_SYNC", "value: /tmp/uv"},
		"Responses that take minutes":                 {"worker_shutdown_timeout 900s;", "proxy_read_timeout 60s;"},
	} {
		require.Contains(t, examples, title)
		planned, err := planOf(t, examples[title])
		require.NoError(t, err, title)
		text, err := planned.Text()
		require.NoError(t, err)
		for _, part := range want {
			assert.Contains(t, string(text), part, title)
		}
		delete(examples, title)
	}
	assert.Empty(t, examples, "examples that nothing is expected of")
}

// The sample of a summary is what the planner says of the change that the page tells.
func TestSampleOfASummaryIsThePlanners(t *testing.T) {
	_, sample, found := strings.Cut(pages(t)["docs/how-to/review.md"], "<!-- a summary -->\n")
	require.True(t, found)
	sample, rest, found := strings.Cut(sample, "<!-- its end -->")
	require.True(t, found)
	_, rest, _ = strings.Cut(rest, "```\nprod: ")
	refusal, _, _ := strings.Cut(rest, "\n```")

	config := source(t, "Pulumi.prod.yaml")
	changed := strings.NewReplacer("max: 10 }", "max: 8 }", "backupRetentionDays: 14", "backupRetentionDays: 7").Replace(config)
	before, err := plan.Build(project.Root(), "prod")
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "Pulumi.prod.yaml"), []byte(changed), 0o600))
	after, err := plan.Build(dir, "prod")
	require.NoError(t, err)
	comparison := plan.Comparison{Stack: "prod", Changes: plan.Compare(before, after)}
	said := plan.Markdown("HEAD", []plan.Comparison{comparison})
	for line := range strings.Lines(sample) {
		line = strings.TrimSpace(strings.TrimLeft(strings.ReplaceAll(line, "**CAUTION**: ", ""), "> "))
		assert.Contains(t, said, line)
	}
	assert.ErrorContains(t, plan.Gate(after, comparison.Changes), refusal)
}

// Nobody has run the pipeline for GitLab: its scripts and targets are there, and each token is for the role that the job takes.
func TestPipelineForGitLabNamesWhatIsThere(t *testing.T) {
	_, pipeline, found := strings.Cut(pages(t)["docs/how-to/gitlab.md"], "```yaml\n")
	require.True(t, found)
	pipeline, _, _ = strings.Cut(pipeline, "```")
	var jobs map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(pipeline), &jobs))
	roles := 0
	for name := range jobs {
		var job struct {
			Script    []string
			Variables map[string]string
			Tokens    map[string]struct{ Aud string } `yaml:"id_tokens"`
		}
		text, err := yaml.Marshal(jobs[name])
		require.NoError(t, err)
		if yaml.Unmarshal(text, &job) != nil { // stages are a list
			continue
		}
		for _, line := range job.Script {
			command := strings.Fields(line)
			if command[0] == "make" {
				assert.Contains(t, source(t, "Makefile"), "\n"+command[1]+":", name)
				continue
			}
			assert.FileExists(t, filepath.Join(project.Root(), command[0]), name)
		}
		for _, token := range job.Tokens {
			roles++
			assert.Equal(t, job.Variables["ROLE"], token.Aud, name)
			assert.FileExists(t, filepath.Join(project.Root(), "docs/iam", "trust-"+strings.TrimPrefix(token.Aud, "threetier-")+".json"), name)
		}
	}
	assert.Equal(t, 4, roles)
}
