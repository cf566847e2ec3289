package tests

import (
	"fmt"
	"regexp"
	"sort"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/components/database"
	"threetier/gate/project"
	"threetier/gate/recorder"
	"threetier/internal/allow"
	"threetier/internal/stack"
)

// Each of these inputs replaces the instance, and with it the data, where the snapshot has another value than the config.
func TestWhatASnapshotBringsReplacesNothing(t *testing.T) {
	found := recorder.RDS{Snapshots: map[string]recorder.DBSnapshot{"old": {Engine: "postgres", Version: "17.9", StorageGiB: 50}}}
	recording, err := databaseOver(found, func(args *database.DatabaseArgs) { args.RestoreFrom = "old" })
	require.NoError(t, err)
	instance := recording.One(t, instanceType)
	for _, input := range []string{"dbName", "username", "storageEncrypted", "snapshotIdentifier", "engineVersion", "engineLifecycleSupport"} {
		assert.Contains(t, instance.IgnoreChanges, input)
	}
	assert.NotContains(t, instance.IgnoreChanges, "password", "it is the new stack's own")
}

func TestReplicasComeAfterWhatTheyNeedAndGoBeforeTheirSuccessors(t *testing.T) {
	r := mustDatabase(t, func(args *database.DatabaseArgs) { durable(args); args.ReadReplicas = 1 })
	replica := r.Named(t, instanceType, "database-replica-1")
	assert.True(t, replica.DeleteBeforeReplace, "its identifier is taken until it is gone")
	for _, typ := range []string{"aws:cloudwatch/logGroup:LogGroup", "aws:iam/rolePolicyAttachment:RolePolicyAttachment", ingressType} {
		require.NotEmpty(t, r.All(typ))
		for _, res := range r.All(typ) {
			assert.Contains(t, replica.DependsOn, res.URN, "%s: RDS makes a log group itself, without a retention, and refuses a role without its policy", res.Name)
		}
	}
}

func TestWindowsAreShorterThanADay(t *testing.T) {
	for maintenance, fits := range map[string]bool{
		"mon:03:00-mon:03:30": true, "mon:03:00-mon:03:29": false, "mon:03:00-tue:02:59": true, "mon:03:00-tue:03:00": false, "mon:03:00-mon:03:00": false,
	} {
		_, err := recordDatabase(databaseArgs(func(args *database.DatabaseArgs) { args.MaintenanceWindow = maintenance }))
		assert.Equal(t, fits, err == nil, "%s: %v", maintenance, err)
	}
}

// RDS grows a volume by at least a tenth: with less room below the ceiling it never does.
func TestACeilingHasRoomToGrow(t *testing.T) {
	for ceiling, fits := range map[int]bool{109: false, 110: true, 0: true} {
		_, err := recordDatabase(databaseArgs(func(args *database.DatabaseArgs) { args.StorageGiB, args.MaxStorageGiB = 100, &ceiling }))
		assert.Equal(t, fits, err == nil, "%d: %v", ceiling, err)
	}
}

func TestAControlIsMetToTheDay(t *testing.T) {
	refused := func(days int) error {
		_, err := recordDatabase(databaseArgs(func(args *database.DatabaseArgs) {
			args.BackupRetentionDays, args.Allow = &days, allow.List{"RDS.11": "rows of a test"}
		}))
		return err
	}
	assert.NoError(t, refused(6), "six days leave RDS.11 unmet, so a waiver is needed")
	assert.ErrorContains(t, refused(7), "RDS.11", "seven days meet it, so none is")
}

// The last client of a database that is full gets no connection.
func TestNoConnectionTooManyIsPlanned(t *testing.T) {
	config := func(most int) *project.Config {
		return project.StackConfig(t, "dev").Set(t, "threetier:database.parameters", map[string]any{"max_connections": fmt.Sprint(most)})
	}
	least := sort.Search(5000, func(most int) bool { return most > 5 && refusedByProgram(config(most)) == nil })
	lines := refusals(t, config(least-1))
	require.Len(t, lines, 1)
	numbers := regexp.MustCompile(`= (\d+) connections, and \S+ has (\d+) for them`).FindStringSubmatch(lines[0])
	require.NotNil(t, numbers, lines[0])
	pods, _ := strconv.Atoi(numbers[1])
	room, _ := strconv.Atoi(numbers[2])
	assert.Equal(t, 1, pods-room, "what is refused lacks one: %s", lines[0])
}

// Every image that runs beside data that lasts is known to the byte, also the one that only makes logins.
func TestEachImageBesideLastingDataHasADigest(t *testing.T) {
	const digest = "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	images := []string{"threetier:backend.image", "threetier:frontend.image", "threetier:nginx.image", "threetier:database.clientImage"}
	config := project.StackConfig(t, "prod").Remove(t, "threetier:allow")
	for _, path := range images {
		config.Set(t, path, "registry.example/image"+digest)
	}
	require.Empty(t, refusedByProgram(config))
	for _, path := range images {
		config.Set(t, path, "registry.example/image:1")
		assert.Contains(t, fmt.Sprint(refusals(t, config)), path+` is "registry.example/image:1", want a digest`)
		config.Set(t, path, "registry.example/image"+digest)
	}
}

// What one part of the config says, the look at the cluster knows.
func TestThePreflightKnowsWhatTheRestOfTheConfigSays(t *testing.T) {
	nodes := recorder.TwoZones()
	nodes.NodeGroups = []string{"sg-0123"}
	_, err := recorder.Run(stack.Deploy, recorder.Options{Network: nodes, Config: project.StackConfig(t, "dev")})
	require.ErrorContains(t, err, "number of nodes in sg-cluster", "the database would let in nobody")
	_, err = recorder.Run(stack.Deploy, recorder.Options{Network: nodes, Config: project.StackConfig(t, "dev").
		Set(t, "threetier:database.network.clientSecurityGroupIds", []string{"sg-0123"})})
	assert.NoError(t, err, "the nodes' own group is named")

	untagged := recorder.TwoZones()
	untagged.Untagged, untagged.AutoMode = true, true
	for internal, tag := range map[bool]string{true: "kubernetes.io/role/internal-elb", false: "kubernetes.io/role/elb"} {
		_, err := recorder.Run(stack.Deploy, recorder.Options{Network: untagged, Config: project.StackConfig(t, "dev").Set(t, "threetier:nginx.internal", internal)})
		assert.ErrorContains(t, err, "number of subnets with the tag "+tag+" of ")
	}
}
