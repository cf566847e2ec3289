// Package commands tests the scripts of bin that ask a stack on AWS, with commands in the place of pulumi, kubectl and aws.
package commands

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/project"
)

// run runs a script of bin, with scripts in the place of the named commands.
func run(t *testing.T, script string, env []string, commands map[string]string, args ...string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	for name, body := range commands {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+body), 0o700))
	}
	cmd := exec.Command(filepath.Join(project.Root(), "bin", script), args...)
	// What the local node runs isn't asked for: its stacks have other names.
	cmd.Env = append([]string{"PATH=" + dir + ":/usr/bin:/bin", "HOME=" + dir}, env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// pod is one of a tier, whose container was restarted so often.
func pod(tier string, restarts int) string {
	return fmt.Sprintf(`{"kind": "Pod", "metadata": {"labels": {"app.kubernetes.io/name": %q}}, "status": {"containerStatuses": [{"restartCount": %d}]}}`, tier, restarts)
}

func deployment(tier, image, progress string) string {
	return fmt.Sprintf(`{"kind": "Deployment", "metadata": {"labels": {"app.kubernetes.io/name": %q}},
		"spec": {"replicas": 2, "template": {"spec": {"containers": [{"image": %q}]}}},
		"status": {"readyReplicas": 1, "conditions": [{"type": "Available"}, {"type": "Progressing", %s}]}}`, tier, image, progress)
}

// onAWS are the commands for a stack that is at the URL.
func onAWS(url string) map[string]string {
	rolled := time.Now().Add(-3 * time.Hour).UTC().Format(time.RFC3339)
	digest := "@sha256:" + strings.Repeat("0123456789abcdef", 4)
	items := strings.Join([]string{
		deployment("backend", "ghcr.io/acme/backend:2"+digest, `"reason": "NewReplicaSetAvailable", "lastUpdateTime": "`+rolled+`"`),
		deployment("worker-mailer", "ghcr.io/acme/backend:2", `"reason": "ReplicaSetUpdated", "lastUpdateTime": "`+rolled+`"`),
		deployment("worker-bot", "ghcr.io/acme/bot:3", `"reason": "ProgressDeadlineExceeded", "lastUpdateTime": "`+rolled+`"`),
		pod("backend", 2), pod("backend", 1), pod("worker-mailer", 0),
	}, ",")
	return map[string]string{
		"pulumi": `case "$*" in
"stack output --stack cloud --json") echo '{"url": "` + url + `", "version": "0.9.0", "namespace": "shop", "databaseIdentifier": "shop-database"}' ;;
"config get --stack cloud aws:region") echo eu-west-1 ;;
"stack export --stack cloud") echo '{"deployment": {"resources": [{"type": "aws:cloudwatch/metricAlarm:MetricAlarm", "id": "cpu-1", "outputs": {"arn": "arn:aws:cloudwatch:eu-west-1:1:alarm:cpu-1"}}, {"type": "aws:cloudwatch/metricAlarm:MetricAlarm", "id": "lag-1", "outputs": {"arn": "arn:aws:cloudwatch:eu-west-1:1:alarm:lag-1"}}, {"type": "aws:cloudwatch/metricAlarm:MetricAlarm", "id": "outside-1", "outputs": {"arn": "arn:aws:cloudwatch:us-east-1:1:alarm:outside-1"}}, {"type": "aws:sns/topic:Topic", "id": "x"}]}}' ;;
*) exit 9 ;;
esac`,
		"kubectl": `[ "$*" = "--namespace shop get deployments,pods --output json" ] && echo '{"items": [` + items + `]}'`,
		"aws": `case "$*" in
"rds describe-db-instances --region eu-west-1 --db-instance-identifier shop-database --output json")
	echo '{"DBInstances": [{"DBInstanceIdentifier": "shop-database", "DBInstanceStatus": "available", "DBInstanceClass": "db.t4g.small", "EngineVersion": "17.4", "AllocatedStorage": 20, "MultiAZ": true, "DBParameterGroups": [{"ParameterApplyStatus": "pending-reboot"}], "PendingModifiedValues": {"DBInstanceClass": "db.t4g.medium"}}]}' ;;
"cloudwatch describe-alarms --region eu-west-1 --alarm-names "*)
	[ "$6" = '["cpu-1","lag-1"]' ] && echo '{"MetricAlarms": [{"AlarmName": "cpu-1", "StateValue": "ALARM", "StateReason": "Threshold Crossed"}, {"AlarmName": "lag-1", "StateValue": "OK"}]}' ;;
"cloudwatch describe-alarms --region us-east-1 --alarm-names "*)
	[ "$6" = '["outside-1"]' ] && echo '{"MetricAlarms": [{"AlarmName": "outside-1", "StateValue": "OK"}]}' ;;
*) exit 9 ;;
esac`,
	}
}

func TestStatusOfAStackOnAWSIsOneScreen(t *testing.T) {
	site := httptest.NewTLSServer(http.NotFoundHandler())
	defer site.Close()
	said, err := run(t, "status", nil, onAWS(site.URL), "cloud")
	require.NoError(t, err, said)
	lines := strings.Split(said, "\n")
	assert.Equal(t, "cloud        "+site.URL, lines[0])
	for _, want := range []string{
		"tier           pods    restarts  last rollout  image",
		"backend        1 of 2  3         3 h ago       ghcr.io/acme/backend:2@sha256:0123456789ab…",
		"worker-mailer  1 of 2  0         under way     ghcr.io/acme/backend:2",
		"worker-bot     1 of 2  0         failed        ghcr.io/acme/bot:3",
		`database     shop-database, available, db.t4g.small, PostgreSQL 17.4, 20 GiB, Multi-AZ, parameters: pending-reboot, pending: {"DBInstanceClass":"db.t4g.medium"}`,
		"alarms       1 ALARM, 2 OK",
		"             cpu-1: Threshold Crossed",
	} {
		assert.Contains(t, lines, want)
	}
	assert.NotContains(t, said, "lag-1", "an alarm that doesn't ring has no line")
	ends := site.Certificate().NotAfter
	left := int(time.Until(ends).Hours() / 24)
	assert.Contains(t, lines, fmt.Sprintf("certificate  %d days left, until %s", left, ends.UTC().Format(time.DateOnly)))
}

func TestStatusIsAlsoJSON(t *testing.T) {
	said, err := run(t, "status", nil, onAWS("http://lb"), "cloud", "--json")
	require.NoError(t, err, said)
	var status map[string]any
	require.NoError(t, json.Unmarshal([]byte(said), &status))
	delete(status["tiers"].([]any)[0].(map[string]any), "rollout") // it has a time
	assert.Equal(t, map[string]any{
		"stack": "cloud", "version": "0.9.0", "url": "http://lb", "here": nil, "certificate": nil,
		"tiers": []any{
			map[string]any{"name": "backend", "ready": 1.0, "pods": 2.0, "restarts": 3.0, "image": "ghcr.io/acme/backend:2@sha256:" + strings.Repeat("0123456789abcdef", 4)},
			map[string]any{"name": "worker-mailer", "ready": 1.0, "pods": 2.0, "restarts": 0.0, "image": "ghcr.io/acme/backend:2", "rollout": map[string]any{"state": "under way"}},
			map[string]any{"name": "worker-bot", "ready": 1.0, "pods": 2.0, "restarts": 0.0, "image": "ghcr.io/acme/bot:3", "rollout": map[string]any{"state": "failed"}},
		},
		"database": map[string]any{
			"identifier": "shop-database", "status": "available", "class": "db.t4g.small", "version": "17.4", "storageGiB": 20.0, "multiAz": true,
			"parameters": []any{"pending-reboot"}, "pending": map[string]any{"DBInstanceClass": "db.t4g.medium"},
		},
		"alarms": []any{
			map[string]any{"name": "cpu-1", "state": "ALARM", "reason": "Threshold Crossed"},
			map[string]any{"name": "lag-1", "state": "OK", "reason": ""},
			map[string]any{"name": "outside-1", "state": "OK", "reason": ""},
		},
	}, status)
}

// A preview has no instance, no alarm and no stack config of its own.
func TestStatusOfAPreviewNamesTheInstanceOfTheOtherStack(t *testing.T) {
	commands := onAWS("http://lb")
	commands["pulumi"] = `case "$*" in
"stack output --stack pr-7 --json") echo '{"url": "http://pr-7.lb", "version": "0.9.0", "namespace": "shop", "databaseEndpoint": "x:5432"}' ;;
"stack output databaseIdentifier --stack dev") echo shop-database ;;
"config get --stack dev aws:region") echo eu-west-1 ;;
"stack export --stack pr-7") echo '{"deployment": {"resources": []}}' ;;
*) exit 9 ;;
esac`
	said, err := run(t, "status", nil, commands, "pr-7")
	require.NoError(t, err, said)
	assert.True(t, strings.HasPrefix(said, "pr-7         http://pr-7.lb\nversion      0.9.0\n"), said)
	assert.Regexp(t, `(?m)^backend        1 of 2 `, said)
	assert.Contains(t, said, "\ndatabase     pr_7 in the instance of dev: shop-database, available, db.t4g.small,")
	assert.True(t, strings.HasSuffix(said, "\ncertificate  none: the URL is no https\nalarms       none: a preview has none\n"), said)

	inside := t.TempDir() // the node
	require.NoError(t, os.Mkdir(filepath.Join(inside, "project"), 0o700))
	said, err = run(t, "status", []string{`NODE_STATUS={"urls": {"dev": "http://localhost:8080"}}`, "THREETIER_ACCOUNT_SOCKET=" + inside + "/run/account.sock"}, commands, "pr-7", "--json")
	require.NoError(t, err, said)
	var status struct {
		Here     string
		Database map[string]any
	}
	require.NoError(t, json.Unmarshal([]byte(said), &status))
	assert.Equal(t, "http://pr-7.localhost:8080", status.Here)
	assert.Equal(t, []any{"pr_7", "dev", "shop-database"}, []any{status.Database["name"], status.Database["of"], status.Database["identifier"]})
}

func TestStatusSaysThatAnHTTPSSiteServesNoCertificate(t *testing.T) {
	site := httptest.NewTLSServer(http.NotFoundHandler())
	site.Close()
	said, err := run(t, "status", nil, onAWS(site.URL), "cloud")
	require.NoError(t, err, said)
	assert.Contains(t, said, "certificate  "+site.URL+" serves none\n")
}

func TestStatusFailsWhereTheDatabaseCannotBeAsked(t *testing.T) {
	commands := onAWS("http://lb")
	commands["aws"] = "echo 'An error occurred (AccessDenied)' >&2; exit 254"
	said, err := run(t, "status", nil, commands, "cloud")
	assert.Error(t, err)
	assert.Contains(t, said, "AccessDenied")
}

func TestStatusFailsWhereOneRegionsAlarmsCannotBeAsked(t *testing.T) {
	for _, region := range []string{"eu-west-1", "us-east-1"} {
		commands := onAWS("http://lb")
		commands["aws"] = `case "$*" in *"describe-alarms --region ` + region + `"*) echo 'An error occurred (AccessDenied)' >&2; exit 254 ;; esac
` + commands["aws"]
		said, err := run(t, "status", nil, commands, "cloud")
		assert.Error(t, err, region)
		assert.Contains(t, said, "AccessDenied")
	}
}

func TestLogsOfARequestAreSortedByTime(t *testing.T) {
	commands := map[string]string{
		"pulumi": "echo shop",
		"kubectl": `[ "$*" = "--namespace shop logs --selector app.kubernetes.io/name=backend --all-containers --prefix --timestamps --tail=-1 --max-log-requests 100 --since=1h" ] || exit 9
echo '[pod/b/c] 2026-01-02 late id-1'; echo '[pod/a/c] 2026-01-01 early id-1'; echo '[pod/a/c] 2026-01-03 other id-2'`,
	}
	said, err := run(t, "logs", []string{"TIER=backend", "REQUEST=id-1", "SINCE=1h"}, commands, "cloud")
	require.NoError(t, err, said)
	assert.Equal(t, "[pod/a/c] 2026-01-01 early id-1\n[pod/b/c] 2026-01-02 late id-1\n", said)

	said, err = run(t, "logs", []string{"TIER=backend", "REQUEST=id-3", "SINCE=1h"}, commands, "cloud")
	assert.Error(t, err)
	assert.Equal(t, "no line of backend has id-3\n", said)
}

// The role for people on call may not read the state.
func TestStatusWithoutTheStateNamesTheOtherCommands(t *testing.T) {
	commands := onAWS("http://lb")
	commands["pulumi"] = "echo AccessDenied >&2; exit 255"
	said, err := run(t, "status", nil, commands, "cloud")
	assert.Error(t, err)
	assert.Equal(t, "AccessDenied\nthe state of cloud can't be read: docs/operate/README.md#without-the-state has the commands for people without its key\n", said)
}

func TestStackThatIsNowhereIsSaidToBe(t *testing.T) {
	for _, script := range []string{"status", "logs", "psql"} {
		said, err := run(t, script, nil, nil, "cloud")
		assert.Error(t, err, script)
		assert.Contains(t, said, "the stack cloud isn't on the local node, and pulumi isn't installed", script)
	}
}

func TestLogsFailWhereKubernetesCannotBeAsked(t *testing.T) {
	said, err := run(t, "logs", nil, map[string]string{"pulumi": "echo shop", "kubectl": "echo 'error: forbidden' >&2; exit 1"}, "cloud")
	assert.Error(t, err)
	assert.Contains(t, said, "forbidden")
}
