package commands

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// previews is a cluster and a state, as files: what exists has one, and what was done is noted in its order.
type previews struct {
	t   *testing.T
	dir string
}

func newPreviews(t *testing.T, exists ...string) previews {
	t.Helper()
	p := previews{t, t.TempDir()}
	for _, name := range exists {
		require.NoError(t, os.WriteFile(filepath.Join(p.dir, name), nil, 0o600))
	}
	return p
}

func (p previews) text(name string) string {
	text, _ := os.ReadFile(filepath.Join(p.dir, name)) // empty where there is none
	return string(text)
}

// run runs bin/preview. Files: stack, pending (its operations), namespace, phase, template (of the Job), seeded, dev (its psql lets
// one in), others (other previews), databases, fails (the Job), locked (nobody may enter).
func (p previews) run(env []string, args ...string) (string, error) {
	p.t.Helper()
	const namespace = "threetier-pr-7"
	commands := map[string]string{
		"pulumi": `case "$*" in
"stack export --stack pr-7")
	[ -e stack ] || { echo "error: no stack named 'pr-7' found" >&2; exit 255; }
	[ -e pending ] && echo '{"deployment": {"resources": [], "pending_operations": [{"type": "creating", "resource": {"type": "kubernetes:batch/v1:Job", "inputs": {"metadata": {"name": "x"}}}}]}}' || echo '{"deployment": {}}' ;;
"stack init pr-7 --no-select"*) note "$@"; touch stack ;;
"config get --stack dev --path threetier:"*) echo "dev's-${6#threetier:}" ;;
"config set-all --stack pr-7"*|"cancel --stack pr-7") note "$@" ;;
"stack import --stack pr-7 --file "*) echo pulumi stack import >>calls; rm pending ;;
"refresh --stack pr-7") note "$@" ;;
"up --stack pr-7 --skip-preview --suppress-outputs") note "$@"; rm -f rotated; cp "$at/Pulumi.pr-7.yaml" config; touch namespace template; [ ! -e breaks ] ;;
"stack output namespace --stack dev") echo shop ;;
"stack output url --stack pr-7") echo http://pr-7.dev.example.org ;;
"stack rm --stack pr-7 --force --remove-backups") note "$@"; rm stack ;;
*) echo "pulumi $*: not known" >&2; exit 9 ;;
esac`,
		"kubectl": `case "$*" in
"get namespace"*) [ ! -e unreachable ] || exit 1 ;;
*"get cronjob"*) [ ! -e hiccup ] || exit 1 ;;
esac
case "$*" in
"get namespace ` + namespace + ` --ignore-not-found --output name") [ ! -e namespace ] || echo namespace/x ;;
"get namespace ` + namespace + ` --output jsonpath={.metadata.annotations.threetier/seeded}") [ ! -e seeded ] || echo yes ;;
"get namespace ` + namespace + ` --output jsonpath={.status.phase}") [ -e phase ] && cat phase || echo Active ;;
"apply --filename -") cat >applied; touch namespace ;;
"annotate namespace ` + namespace + ` --overwrite threetier/by="*) note "$@" ;;
"annotate namespace ` + namespace + ` threetier/seeded=yes") touch seeded ;;
"--namespace ` + namespace + ` auth can-i create jobs --quiet") [ ! -e locked ] ;;
"--namespace ` + namespace + ` get cronjob drop-database --ignore-not-found --output name") [ ! -e template ] || echo cronjob/x ;;
"--namespace ` + namespace + ` delete jobs --all --cascade=foreground"|"--namespace ` + namespace + ` create job drop-database --from=cronjob/drop-database") note "$@"; [ ! -e forbidden ] || { echo forbidden >&2; exit 1; } ;;
"--namespace ` + namespace + ` get job drop-database --output json")
	[ -e fails ] || [ -e rotated ] && ended=Failed || { ended=Complete; : >databases; }
	echo '{"status": {"conditions": [{"type": "'$ended'", "status": "True"}]}}' ;;
"--namespace ` + namespace + ` logs job/drop-database --all-containers") echo 'ERROR:  database "pr_7" is being accessed' ;;
"delete namespace ` + namespace + ` --ignore-not-found --wait=false") note "$@"; echo Terminating >phase ;;
"--namespace ` + namespace + ` delete pods --all --now --wait=false") note "$@"; [ ! -e slow ] ;;
"wait --for=delete namespace/` + namespace + ` --timeout=15m") rm -f namespace template ;;
"get namespaces --selector threetier/project=threetier,threetier/preview-of --output jsonpath={.items[*].metadata.name}") [ ! -e others ] || printf 'threetier-pr-8 threetier-pr-9' ;;
"--namespace shop create job psql-previews"*" --from=cronjob/psql") [ -e dev ] ;;
"--namespace threetier-pr-8 create job psql-previews"*" --from=cronjob/psql") exit 1 ;; # it is about to go
"--namespace threetier-pr-9 create job psql-previews"*" --from=cronjob/psql"|*" delete job psql-previews"*" --cascade=foreground"|*" wait "*) ;;
"--namespace "*" exec --stdin job/psql-previews"*" --container psql -- psql "*) cat databases ;;
"get namespaces --selector threetier/project=threetier --output json") cat namespaces ;;
"--namespace threetier-pr-9 get resourcequotas preview --ignore-not-found --output json") cat quota ;;
"--namespace "*" get resourcequotas preview --ignore-not-found --output json") echo forbidden >&2; exit 1 ;; # it is about to go
*) echo "kubectl $*: not known" >&2; exit 9 ;;
esac`,
		"go":    `[ "$*" = "run ./cmd/seed -stack pr-7 -namespace ` + namespace + `" ] && note "$@"`,
		"sleep": "",
	}
	for name, body := range commands {
		commands[name] = fmt.Sprintf("at=$PWD\ncd %s\nnote() { echo \"%s $*\" >>calls; }\n%s", p.dir, name, body)
	}
	return run(p.t, "preview", env, commands, args...)
}

func TestPreviewUpMakesAStackOfTheTemplate(t *testing.T) {
	p := newPreviews(t)
	said, err := p.run([]string{"PR=7", "BACKEND=ghcr.io/acme/backend:pr-7@sha256:1", "WHO=ada"}, "up")
	require.NoError(t, err, said)
	assert.True(t, strings.HasSuffix(said, "\nhttp://pr-7.dev.example.org\n"), said)
	assert.Equal(t, `kubectl annotate namespace threetier-pr-7 --overwrite threetier/by=ada
pulumi stack init pr-7 --no-select
pulumi config set-all --stack pr-7 --path --plaintext threetier:backend.image=ghcr.io/acme/backend:pr-7@sha256:1 --plaintext threetier:frontend.image=dev's-frontend.image
pulumi cancel --stack pr-7
pulumi up --stack pr-7 --skip-preview --suppress-outputs
go run ./cmd/seed -stack pr-7 -namespace threetier-pr-7
`, p.text("calls"))
	template, err := os.ReadFile("../../Pulumi.pr.yaml")
	require.NoError(t, err)
	assert.Equal(t, string(template), p.text("config"))
	assert.NoFileExists(t, "../../Pulumi.pr-7.yaml", "make plan would plan it")
	for _, want := range []string{"name: threetier-pr-7\n", "threetier/stack: pr-7\n", "name: threetier:dev-previews\n"} {
		assert.Contains(t, p.text("applied"), want)
	}

	again, err := p.run([]string{"PR=7", "WHO=ada"}, "up")
	require.NoError(t, err, again)
	assert.Equal(t, 1, strings.Count(p.text("calls"), "go run"), "the rows are put in once")
	assert.Equal(t, 1, strings.Count(p.text("calls"), "stack init"))
}

func TestPreviewUpGoesOnAfterOneThatWasKilled(t *testing.T) {
	p := newPreviews(t, "stack", "pending", "namespace", "template")
	said, err := p.run([]string{"PR=7"}, "up")
	require.NoError(t, err, said)
	_, calls, found := strings.Cut(p.text("calls"), "pulumi cancel --stack pr-7\n")
	require.True(t, found)
	assert.Equal(t, "pulumi stack import\npulumi refresh --stack pr-7\npulumi up --stack pr-7 --skip-preview --suppress-outputs\n"+
		"go run ./cmd/seed -stack pr-7 -namespace threetier-pr-7\n", calls)
}

// What the state has was in the namespace: an up would look for it.
func TestPreviewUpForgetsTheStateOfANamespaceThatIsGone(t *testing.T) {
	p := newPreviews(t, "stack")
	said, err := p.run([]string{"PR=7", "WHO=ada"}, "up")
	require.NoError(t, err, said)
	assert.True(t, strings.HasPrefix(p.text("calls"), "pulumi cancel --stack pr-7\npulumi stack rm --stack pr-7 --force --remove-backups\n"), p.text("calls"))
	assert.Contains(t, p.text("calls"), "pulumi stack init pr-7")
}

// Its objects have the owner of a state that is lost, so no up may take them over.
func TestPreviewUpBeginsAnewWhereTheStateIsGone(t *testing.T) {
	p := newPreviews(t, "namespace", "template")
	said, err := p.run([]string{"PR=7", "WHO=ada"}, "up")
	require.NoError(t, err, said)
	assert.True(t, strings.HasPrefix(p.text("calls"), dropped+deleted), p.text("calls"))
	assert.True(t, strings.HasSuffix(said, "\nhttp://pr-7.dev.example.org\n"), said)
}

func TestPreviewUpSaysThatTheRightsAreMissing(t *testing.T) {
	p := newPreviews(t, "locked")
	said, err := p.run([]string{"PR=7"}, "up")
	require.Error(t, err)
	assert.Contains(t, said, "the namespace threetier-pr-7 has no rights for you, want those of docs/iam/previews.yaml\n")
	assert.NotContains(t, p.text("calls"), "pulumi")
}

const deleted = `kubectl delete namespace threetier-pr-7 --ignore-not-found --wait=false
kubectl --namespace threetier-pr-7 delete pods --all --now --wait=false
`

const dropped = `kubectl --namespace threetier-pr-7 delete jobs --all --cascade=foreground
kubectl --namespace threetier-pr-7 create job drop-database --from=cronjob/drop-database
`

// Whatever was killed, and whatever somebody has deleted by hand, nothing stays.
func TestPreviewDownLeavesNothingWhateverIsThere(t *testing.T) {
	const forgotten = "pulumi cancel --stack pr-7\npulumi stack rm --stack pr-7 --force --remove-backups\n"
	for name, c := range map[string]struct {
		exists []string
		want   string
	}{
		"a preview":                            {[]string{"stack", "namespace", "template"}, dropped + deleted + forgotten},
		"an up that was killed":                {[]string{"stack", "pending", "namespace", "template"}, dropped + deleted + forgotten},
		"an up before its database":            {[]string{"stack", "pending", "namespace"}, deleted + forgotten},
		"an up before its stack":               {[]string{"namespace"}, deleted},
		"a removal after the namespace":        {[]string{"stack"}, forgotten},
		"a database whose stack is gone":       {[]string{"namespace", "template"}, dropped + deleted},
		"nothing":                              {nil, ""},
		"nothing, and another preview is here": {[]string{"others"}, ""},
		"pods that nobody may delete":          {[]string{"stack", "namespace", "template", "slow"}, dropped + deleted + forgotten},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPreviews(t, append(c.exists, "databases")...)
			said, err := p.run([]string{"PR=7"}, "down")
			require.NoError(t, err, said)
			assert.Equal(t, c.want, p.text("calls"))
			assert.True(t, strings.HasSuffix(said, "pr-7 is gone\n"), said)
			for _, left := range []string{"stack", "namespace"} {
				assert.NoFileExists(t, filepath.Join(p.dir, left))
			}
		})
	}
}

// A removal that was killed while the namespace was about to go has dropped the database before. No Job can be made in it.
func TestPreviewDownWaitsForANamespaceThatIsAboutToGo(t *testing.T) {
	p := newPreviews(t, "namespace", "template", "stack")
	require.NoError(t, os.WriteFile(filepath.Join(p.dir, "phase"), []byte("Terminating"), 0o600))
	said, err := p.run([]string{"PR=7"}, "down")
	require.NoError(t, err, said)
	assert.NotContains(t, p.text("calls"), "drop-database")
}

func TestPreviewDownBringsAnOrphanBackToDropIt(t *testing.T) {
	for _, seenBy := range []string{"dev", "others"} {
		p := newPreviews(t, seenBy, "breaks") // also where the app doesn't come up
		require.NoError(t, os.WriteFile(filepath.Join(p.dir, "databases"), []byte("7\n9\n"), 0o600))
		said, err := p.run([]string{"PR=7"}, "down")
		require.NoError(t, err, said)
		calls := p.text("calls")
		assert.Contains(t, calls, "pulumi up", seenBy)
		assert.NotContains(t, calls, "go run", "the rows would be there twice")
		assert.Less(t, strings.Index(calls, "pulumi up"), strings.Index(calls, dropped))
		assert.NoFileExists(t, filepath.Join(p.dir, "stack"))
	}
}

// The workflow has no rights in the namespace of the other stack.
func TestPreviewDownSaysThatNobodyLooksForADatabase(t *testing.T) {
	p := newPreviews(t)
	said, err := p.run([]string{"PR=7"}, "down")
	require.NoError(t, err, said)
	assert.Equal(t, "• no psql says which previews have a database: a database without a preview is not seen\npr-7 is gone\n", said)
}

func TestPreviewDownKeepsTheNamespaceOfADatabaseThatIsNotDropped(t *testing.T) {
	for why, want := range map[string]string{"fails": "is being accessed", "forbidden": "forbidden"} {
		p := newPreviews(t, "stack", "namespace", "template", "seeded", why)
		said, err := p.run([]string{"PR=7"}, "down")
		require.Error(t, err)
		assert.Contains(t, said, want)
		assert.True(t, strings.HasSuffix(said, "the database of pr-7 isn't dropped, so its namespace threetier-pr-7 stays\n"), said)
		assert.FileExists(t, filepath.Join(p.dir, "stack"))
		assert.FileExists(t, filepath.Join(p.dir, "namespace"))
	}
}

// Nothing may pass for gone because nobody answers.
func TestPreviewDownKeepsAllWhereTheClusterDoesNotAnswer(t *testing.T) {
	for _, why := range []string{"unreachable", "hiccup"} {
		p := newPreviews(t, "stack", "namespace", "template", "seeded", why)
		said, err := p.run([]string{"PR=7"}, "down")
		require.Error(t, err)
		assert.NotContains(t, said, "is gone")
		assert.FileExists(t, filepath.Join(p.dir, "stack"), why)
		assert.FileExists(t, filepath.Join(p.dir, "namespace"), why)
	}
}

// A rotation in the other stack changes the password of the Job at the next up.
func TestPreviewDownDeploysOnceMoreWhereTheJobFails(t *testing.T) {
	p := newPreviews(t, "stack", "namespace", "template", "seeded", "rotated")
	said, err := p.run([]string{"PR=7"}, "down")
	require.NoError(t, err, said)
	assert.Equal(t, 1, strings.Count(p.text("calls"), "pulumi up"))
	assert.Equal(t, 2, strings.Count(p.text("calls"), dropped))
	assert.NoFileExists(t, filepath.Join(p.dir, "namespace"))
}

func TestPreviewsAreListedWithTheirCost(t *testing.T) {
	p := newPreviews(t, "others")
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600))
	}
	object := func(name, labels, annotations string) string {
		return fmt.Sprintf(`{"metadata": {"name": "threetier-%s", "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {%s}, "annotations": {%s}}}`, name, labels, annotations)
	}
	write("namespaces", `{"items": [`+strings.Join([]string{
		object("dev", `"threetier/stack": "dev"`, ""), object("pr-9", `"threetier/stack": "pr-9"`, `"threetier/by": "ada"`),
		object("pr-10", `"threetier/stack": "pr-10"`, ""), object("pr-x", `"threetier/stack": "pr-x"`, ""),
	}, ", ")+`]}`)
	write("quota", `{"status": {"used": {"pods": "3", "requests.cpu": "200m", "limits.memory": "1Gi"}}}`)
	write("databases", "9\n7\n")
	said, err := p.run(nil, "list", "--json")
	require.NoError(t, err, said)
	said = strings.ReplaceAll(said, "forbidden\n", "")
	assert.JSONEq(t, `[
		{"number": 7, "database": true},
		{"number": 9, "namespace": "threetier-pr-9", "since": "2026-01-01T00:00:00Z", "by": "ada", "pods": 3, "dollarsADay": 0.27, "database": true},
		{"number": 10, "namespace": "threetier-pr-10", "since": "2026-01-01T00:00:00Z", "by": null, "pods": 0, "dollarsADay": 0}]`, said)

	said, err = p.run(nil, "list")
	require.NoError(t, err, said)
	assert.Regexp(t, `(?m)^pr-7 +a database without a preview: make preview-down PR=7$`, said)
	assert.Regexp(t, `(?m)^pr-9 +\d+ days +ada +3 +0\.27$`, said)
}

// The sweep would take a list that is empty for one of nothing.
func TestPreviewsAreNotListedWhereTheClusterDoesNotAnswer(t *testing.T) {
	p := newPreviews(t, "unreachable")
	said, err := p.run(nil, "list", "--json")
	require.Error(t, err)
	assert.NotContains(t, said, "[]")
}

func TestPreviewWantsTheNumberOfAPullRequest(t *testing.T) {
	for number, shown := range map[string]string{"": "empty", "0": "0", "07": "07", "7a": "7a", "7\n8": "7\n8", "-1": "-1", "../7": "../7"} {
		p := newPreviews(t)
		said, err := p.run([]string{"PR=" + number}, "down")
		require.Error(t, err)
		assert.Equal(t, "PR is "+shown+", want the number of a pull request: make preview-down PR=123\n", said)
		assert.Empty(t, p.text("calls"))
	}
}
