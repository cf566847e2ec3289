package rehearse

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sampled is a sample of psql's answer.
func sampled(t *testing.T, text string) sample {
	t.Helper()
	var s sample
	require.NoError(t, json.Unmarshal([]byte(text), &s))
	return s
}

func TestLocksLastFromTheirFirstSampleToTheirLast(t *testing.T) {
	l := newLocks()
	began := time.Now()
	at := func(seconds float64) time.Time { return began.Add(time.Duration(seconds * float64(time.Second))) }
	held := sampled(t, `{"locks": [{"pid": 7, "table": "items", "mode": "AccessExclusiveLock", "who": "migration", "query": "SELECT pg_sleep(5)"}],
		"waits": [{"pid": 8, "began": 1.5, "seconds": 0.9, "query": "SELECT 1"}, {"pid": 9, "began": 1.6, "seconds": 4.1, "query": "SELECT 2"}]}`)
	for seconds := 2.0; seconds < 7; seconds += 0.2 {
		l.add(held, at(seconds))
	}
	later := held
	later.Locks = slices.Clone(held.Locks)
	later.Locks[0].Query = "UPDATE alembic_version SET version_num = '2'"
	l.add(later, at(7))
	// The same connection has another transaction later, too short for a line.
	l.add(held, at(20))

	long, waits, samples := l.within(at(0), at(10))
	require.Len(t, long, 1)
	assert.InDelta(t, 5, long[0].Seconds, 0.3)
	assert.Equal(t, "items", long[0].Table)
	assert.Equal(t, "migration", long[0].Who)
	assert.Equal(t, "SELECT pg_sleep(5)", long[0].Query, "the statement that took it")
	assert.Equal(t, Waits{Statements: 2, Longest: 4.1, Example: "SELECT 2"}, waits)
	assert.InDelta(t, 26, samples, 1)
	long, _, samples = l.within(at(10), at(30))
	assert.Empty(t, long)
	assert.Equal(t, 1, samples)
}

// pod is one as kubectl shows it.
func podOf(t *testing.T, name, tier, phase, rest string) object {
	t.Helper()
	var o object
	require.NoError(t, json.Unmarshal([]byte(`{"kind": "Pod", "metadata": {"name": "`+name+`", "labels": {"`+tierLabel+`": "`+tier+`"}},
		"spec": {"containers": [{"name": "`+tier+`", "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}}}]},
		"status": {"phase": "`+phase+`"`+rest+`}}`), &o))
	return o
}

func TestPodsAreOfTheVersionThatWasDeployedWhenTheyBegan(t *testing.T) {
	p := newPods(localNode{})
	began := time.Now()
	assert.False(t, p.pod(podOf(t, "old", "backend", "Pending", "")))
	assert.True(t, p.pod(podOf(t, "old", "backend", "Running", "")), "now its log can be read")
	assert.False(t, p.pod(podOf(t, "old", "backend", "Running", "")), "it is read already")
	assert.True(t, p.pod(podOf(t, keptPod, "backend", "Running", "")))
	p.deploying(versionHead)
	p.pod(podOf(t, "new", "backend", "Running", ""))
	assert.Equal(t, map[string]string{"old": versionBase, keptPod: versionBase, "new": versionHead}, p.versions)

	p.pod(podOf(t, "new", "backend", "Running", `, "containerStatuses": [{"name": "backend", "restartCount": 1,
		"lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}}]`))
	var step Step
	p.within(began, time.Now().Add(time.Second), &step)
	assert.Equal(t, []string{"backend of head ended with OOMKilled, status 137"}, step.Restarts)
	var later Step
	p.within(time.Now().Add(time.Second), time.Now().Add(time.Hour), &later)
	assert.Empty(t, later.Restarts)
}

func TestUseOfATierIsTheMostOfAnyOfItsPods(t *testing.T) {
	p := newPods(localNode{})
	p.pod(podOf(t, "a", "backend", "Running", ""))
	p.pod(podOf(t, "b", "backend", "Running", ""))
	p.pod(podOf(t, "c", "backend", "Succeeded", ""))
	for _, usage := range []string{
		`{"items": [{"metadata": {"name": "a"}, "containers": [{"usage": {"cpu": "250m", "memory": "100Mi"}}]}]}`,
		`{"items": [{"metadata": {"name": "b"}, "containers": [{"usage": {"cpu": "90000000n", "memory": "131072Ki"}}]}, {"metadata": {"name": "other"}}]}`,
	} {
		var m metrics
		require.NoError(t, json.Unmarshal([]byte(usage), &m))
		p.measured(m)
	}
	assert.Equal(t, []PodUse{{Tier: "backend", CPU: 0.25, CPURequest: 0.1, Memory: 128, MemoryRequest: 256, Most: 2}}, p.used())
}

func TestMigrationIsPartOfTheStepInWhichItBegan(t *testing.T) {
	p := newPods(localNode{})
	began := time.Now().Truncate(time.Second)
	done := began.Add(27 * time.Second)
	start := began.Add(20 * time.Second)
	migration := podOf(t, "m", "backend-migration", "", "")
	migration.Status.StartTime, migration.Status.CompletionTime = &start, &done
	p.job(migration)
	other := podOf(t, "r", "database-roles", "", "")
	other.Status.StartTime, other.Status.CompletionTime = &began, &done
	p.job(other)
	var before, step Step
	p.within(began, start, &before)
	p.within(start, done, &step)
	assert.Zero(t, before.Migration)
	assert.InDelta(t, 7, step.Migration, 0.1)
}

func TestErrorsInLogsAreTold(t *testing.T) {
	for line, isError := range map[string]bool{
		`{"time": "…", "level": "error", "message": "no column"}`:    true,
		`{"level":"warning","message":"an error may follow"}`:        false,
		"Traceback (most recent call last):":                         true,
		"2026/11/25 03:00:00 [error] 7#7: *1 connect() failed":       true,
		"ERROR:    Exception in ASGI application":                    true,
		`10.0.0.1 "GET /api/errors HTTP/1.1" 200`:                    false,
		"panic: runtime error: index out of range":                   true,
		`{"level": "info", "message": "retry after a fatal signal"}`: false,
	} {
		assert.Equal(t, isError, errorLine.MatchString(line), line)
	}
}

func TestReasonOfAFailureIsWhatTheCommandSaidOfIt(t *testing.T) {
	failed := errors.New("exit status 1")
	// Pulumi prints the stack's own lines before those of its resources, or after them.
	const stack = "  pulumi:pulumi:Stack (dev):\n    error: update failed\n    error: an unhandled error occurred: program failed:\n" +
		"    waiting for RPCs: rpc error: code = Unavailable\n\n    exit status 32\n\n"
	const job = "  kubernetes:batch/v1:Job (migrate):\n    error: 8 errors occurred:\n    \t* [Pod a]: [Error] looking\n" +
		"    {\"level\": \"info\", \"message\": \"begun\"}\n    {\"level\": \"error\", \"message\": \"Can't locate revision\"}\n\n"
	for _, said := range []string{job + stack, stack + job} {
		assert.Equal(t, `* [Pod a]: [Error] looking; {"level": "error", "message": "Can't locate revision"}`,
			reason("++ kubernetes:batch/v1:Job migrate error: 8 errors occurred:\nDiagnostics:\n"+said+"Resources:\n    2 errored\nerror: pulumi failed: the reason stands above\n", failed))
	}
	assert.Equal(t, "no space left", reason("• pulumi up …\nno space left\n\n", failed))
	assert.Equal(t, "exit status 1", reason("\n", failed))
}

func TestALongLineIsToldByItsBeginningAndItsEnd(t *testing.T) {
	assert.Equal(t, "short", ends("short"))
	long := ends("ERROR " + strings.Repeat("x", 1000) + " column created_at does not exist")
	assert.Regexp(t, `^ERROR x+ … x+ column created_at does not exist$`, long)
	assert.Less(t, len(long), 400)
}
