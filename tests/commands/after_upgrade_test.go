package commands

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// afterUpgrade are the commands for a stack on AWS with a replica. A reboot puts the parameters into effect, once the
// instance has been asked for its state again.
func afterUpgrade(dir, ended string) map[string]string {
	return map[string]string{
		"pulumi": `case "$*" in
"config get --stack cloud aws:region") echo eu-west-1 ;;
"stack output databaseIdentifier --stack cloud") echo shop ;;
"stack output namespace --stack cloud") echo shops ;;
*) exit 9 ;;
esac`,
		"aws": `cd ` + dir + `
case "$*" in
"rds describe-db-instances --region eu-west-1 --db-instance-identifier "*" --output json")
	state=in-sync status=available
	if [ -e $6.waits ]; then state=pending-reboot; fi
	if [ -e $6.reboots ]; then status=rebooting; rm $6.reboots $6.waits; fi
	echo '{"DBInstances": [{"DBInstanceStatus": "'$status'", "DBParameterGroups": [{"ParameterApplyStatus": "'$state'"}], "ReadReplicaDBInstanceIdentifiers": ["reader"]}]}' ;;
"rds reboot-db-instance --region eu-west-1 --db-instance-identifier "*" --output json") touch $6.reboots; echo $6 >>rebooted; echo '{}' ;;
*) exit 9 ;;
esac`,
		"kubectl": `cd ` + dir + `
case "$*" in
"delete --namespace shops job/psql-after-upgrade --ignore-not-found --cascade=foreground") ;;
"--namespace shops create job psql-after-upgrade --from=cronjob/psql-write --dry-run=client --output json")
	echo '{"spec": {"activeDeadlineSeconds": 3600, "template": {"spec": {"initContainers": [{"command": ["sh", "-ec", "login"], "env": []}], "containers": [{"env": []}]}}}}' ;;
"create --filename -") cat >job ;;
"--namespace shops get job psql-after-upgrade --output json") echo '{"status": {"conditions": [{"type": "` + ended + `", "status": "True"}]}}' ;;
"logs --namespace shops job/psql-after-upgrade --all-containers") echo 'statistics: 3 tables analyzed' ;;
*) exit 9 ;;
esac`,
	}
}

func TestAfterUpgradeRebootsWhatWaitsUpdatesAndAnalyzes(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "shop.waits"), nil, 0o600))
	said, err := run(t, "after-upgrade", []string{"PAUSE=0"}, afterUpgrade(dir, "Complete"), "cloud")
	require.NoError(t, err, said)
	assert.Equal(t, "shop: reboot, since its parameter group waits for one\nreader: its parameters are in effect\nstatistics: 3 tables analyzed\n", said)
	rebooted, err := os.ReadFile(filepath.Join(dir, "rebooted"))
	require.NoError(t, err)
	assert.Equal(t, "shop\n", string(rebooted))
	job, err := os.ReadFile(filepath.Join(dir, "job"))
	require.NoError(t, err)
	for _, want := range []string{`"activeDeadlineSeconds": 86400`, `login\nprintf`} {
		assert.Contains(t, string(job), want)
	}
	type containers []struct {
		Env []struct{ Name, Value string }
	}
	var made struct {
		Spec struct {
			Template struct {
				Spec struct{ InitContainers, Containers containers }
			}
		}
	}
	require.NoError(t, json.Unmarshal(job, &made))
	for file, in := range map[string]containers{"extensions.sql": made.Spec.Template.Spec.InitContainers, "analyze.sql": made.Spec.Template.Spec.Containers} {
		sql, err := os.ReadFile(filepath.Join("../../bin", file))
		require.NoError(t, err)
		// https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/ of env.value
		assert.Equal(t, string(sql), strings.ReplaceAll(in[0].Env[0].Value, "$$", "$"), "%s as the container has it", file)
	}

	said, err = run(t, "after-upgrade", []string{"PAUSE=0"}, afterUpgrade(dir, "Complete"), "cloud")
	require.NoError(t, err, said)
	assert.True(t, strings.HasPrefix(said, "shop: its parameters are in effect\n"), said)
	rebooted, err = os.ReadFile(filepath.Join(dir, "rebooted"))
	require.NoError(t, err)
	assert.Equal(t, "shop\n", string(rebooted), "it was rebooted again")
}

func TestAfterUpgradeFailsWhereTheStatisticsDo(t *testing.T) {
	said, err := run(t, "after-upgrade", []string{"PAUSE=0"}, afterUpgrade(t.TempDir(), "Failed"), "cloud")
	assert.Error(t, err)
	assert.Contains(t, said, "the statistics are not complete\n")
}
