package tests

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/project"
	"threetier/gate/recorder"
)

// The tests of these files hold each stack to the reason why a value is as it is, whatever a plan that is written again says.

type object = map[string]any

// podTemplate is a pod's, with the resource that makes such pods.
type podTemplate struct {
	recorder.Resource
	kind string
	spec object
}

func (p podTemplate) String() string { return p.kind + " " + p.Name }

// containers are all of the pod, those that come first included.
func (p podTemplate) containers() (all []object) {
	for _, list := range []string{"initContainers", "containers"} {
		items, _ := p.spec[list].([]any)
		for _, item := range items {
			all = append(all, item.(object))
		}
	}
	return all
}

// templates are those of a recording.
func templates(t *testing.T, r *recorder.Recording) (all []podTemplate) {
	t.Helper()
	for _, res := range r.Resources {
		kind := res.Type[strings.LastIndex(res.Type, ":")+1:]
		path, makesPods := map[string]string{
			"Deployment": "spec.template.spec", "Job": "spec.template.spec", "CronJob": "spec.jobTemplate.spec.template.spec",
		}[kind]
		if makesPods && strings.HasPrefix(res.Type, "kubernetes:") {
			all = append(all, podTemplate{res, kind, res.Input(t, path).(object)})
		}
	}
	require.Greater(t, len(all), 7)
	return all
}

// eachStack runs a test for dev, prod and the stack with every key.
func eachStack(t *testing.T, test func(t *testing.T, r *recorder.Recording)) {
	t.Helper()
	for _, name := range []string{"dev", "prod", "full"} {
		t.Run(name, func(t *testing.T) { test(t, deploy(t, name, project.StackConfig(t, name))) })
	}
}

// number is a value of a record; 0 where there is none.
func number(of any, key string) float64 {
	record, _ := of.(object)
	value, _ := record[key].(float64)
	return value
}

func text(of object, key string) string {
	value, _ := of[key].(string)
	return value
}

func assertBetween(t *testing.T, low, high, value float64, why string, args ...any) {
	t.Helper()
	assert.True(t, low <= value && value <= high, "%v isn't %v to %v: %s", value, low, high, fmt.Sprintf(why, args...))
}

func TestProbesForgiveASlowMomentAndNoMore(t *testing.T) {
	eachStack(t, func(t *testing.T, r *recorder.Recording) {
		for _, pod := range templates(t, r) {
			for _, container := range pod.containers() {
				live, ready, start := container["livenessProbe"], container["readinessProbe"], container["startupProbe"]
				serves := pod.kind == "Deployment" && container["ports"] != nil
				assert.Equal(t, serves, ready != nil, "%s: a pod that serves says when it is ready", pod)
				if live != nil {
					assertBetween(t, 30, 120, number(live, "periodSeconds")*number(live, "failureThreshold"), "%s is killed for half a minute of silence or more, and in two", pod)
					assertBetween(t, 5, 10, number(live, "timeoutSeconds"), "%s isn't dead for one slow second", pod)
				}
				if ready != nil {
					assertBetween(t, 4, 60, number(ready, "periodSeconds")*number(ready, "failureThreshold"), "%s gets no requests once it doesn't answer", pod)
					assertBetween(t, 2, 5, number(ready, "timeoutSeconds"), "%s may be slow for a second", pod)
					assert.Zero(t, number(ready, "successThreshold"), "%s serves as soon as it can", pod)
					assert.LessOrEqual(t, number(ready, "initialDelaySeconds"), 10.0, "%s serves as soon as it can", pod)
				}
				if start != nil && pod.kind == "Deployment" && container["name"] != "lock" {
					assertBetween(t, 1, 5, number(start, "periodSeconds"), "%s is seen to have started", pod)
					assertBetween(t, 5, 10, number(start, "timeoutSeconds"), "%s may be slow at its start", pod)
					limit := number(start, "periodSeconds") * number(start, "failureThreshold")
					assertBetween(t, number(pod.Input(t, "spec"), "progressDeadlineSeconds"), 3600, limit+10, "%s may start for as long as a rollout takes", pod)
				}
			}
		}
	})
}

// A process that gets SIGTERM still gets requests until everybody knows, and then ends those that run.
func TestPodsHaveTheTimeToStop(t *testing.T) {
	eachStack(t, func(t *testing.T, r *recorder.Recording) {
		for _, pod := range templates(t, r) {
			if pod.kind != "Deployment" {
				continue
			}
			for _, container := range pod.containers() {
				sleep := number(pod.Input(t, "spec.template.spec.containers[0].lifecycle.preStop.sleep"), "seconds")
				if container["ports"] != nil {
					assertBetween(t, 5, 600, sleep, "%s serves on until nobody sends it requests", pod)
				}
				assert.GreaterOrEqual(t, number(pod.spec, "terminationGracePeriodSeconds"), sleep+15, "%s ends its requests", pod)
			}
		}
	})
}

func TestNoPodTakesWhatIsTheNodes(t *testing.T) {
	eachStack(t, func(t *testing.T, r *recorder.Recording) {
		for _, pod := range templates(t, r) {
			security := pod.spec["securityContext"]
			uid := number(security, "runAsUser")
			assertBetween(t, 1000, 65535, uid, "%s is nobody on the node", pod)
			assert.Equal(t, []float64{uid, uid}, []float64{number(security, "runAsGroup"), number(security, "fsGroup")}, "%s: its files are its own, and no group's of the node", pod)
			for _, container := range pod.containers() {
				limits, _ := container["resources"].(object)["limits"].(object)
				requests, _ := container["resources"].(object)["requests"].(object)
				assert.Regexp(t, `^([0-9]{1,4}Mi|[1-9]Gi|10Gi)$`, limits["ephemeral-storage"], "%s: a node has 20 GiB for the files and logs of all its pods", pod)
				assert.NotEmpty(t, requests["ephemeral-storage"], "%s: the scheduler counts with it", pod)
				assert.Equal(t, requests["memory"], limits["memory"], "%s: what it is promised is what it gets", pod)
				assert.NotEmpty(t, limits["memory"], "%s: one that leaks takes no other with it", pod)
				assert.Equal(t, "IfNotPresent", container["imagePullPolicy"], "%s starts while the registry is down, where the node has the image", pod)
			}
			for _, each := range pod.spec["tolerations"].([]any) {
				if toleration := each.(object); toleration["effect"] == "NoExecute" && strings.HasPrefix(text(toleration, "key"), "node.kubernetes.io/") {
					assertBetween(t, 10, 60, number(toleration, "tolerationSeconds"), "%s is made anew soon after its node is gone", pod)
				}
			}
		}
	})
}

// Whoever sends a password to a server that it hasn't verified sends it to anyone in between.
func TestWhoConnectsToTheDatabaseVerifiesIt(t *testing.T) {
	eachStack(t, func(t *testing.T, r *recorder.Recording) {
		clients := 0
		for _, pod := range templates(t, r) {
			for _, container := range pod.containers() {
				env := map[string]string{}
				variables, _ := container["env"].([]any)
				for _, each := range variables {
					env[text(each.(object), "name")] = text(each.(object), "value")
				}
				_, byLibpq := env["PGHOST"]
				if _, byName := env["DB_HOST"]; !byLibpq && !byName {
					continue
				}
				clients++
				assert.Equal(t, "verify-full", env["PGSSLMODE"], "%s, %s", pod, container["name"])
				if byLibpq {
					assert.Regexp(t, "^([1-9]|[1-3][0-9])$", env["PGCONNECT_TIMEOUT"], "%s, %s: a database that fails over is asked again, and not waited for", pod, container["name"])
				}
				mounted := slices.ContainsFunc(container["volumeMounts"].([]any), func(mount any) bool {
					return env["PGSSLROOTCERT"] != "" && strings.HasPrefix(env["PGSSLROOTCERT"], text(mount.(object), "mountPath")+"/")
				})
				assert.True(t, mounted, "%s, %s: the certificates at %q", pod, container["name"], env["PGSSLROOTCERT"])
			}
		}
		assert.GreaterOrEqual(t, clients, 6, "roles, lock, migration, backend, both of psql")
	})
}

// A file on the node's disk can be read after the pod is gone, by who has the disk.
func TestNoPasswordIsWrittenToADisk(t *testing.T) {
	eachStack(t, func(t *testing.T, r *recorder.Recording) {
		inMemory := 0
		for _, pod := range templates(t, r) {
			volumes, _ := pod.spec["volumes"].([]any)
			for _, each := range volumes {
				volume := each.(object)
				empty, isEmpty := volume["emptyDir"].(object)
				if !isEmpty || strings.HasPrefix(text(volume, "name"), "writable-") || text(volume, "name") == "copied" {
					continue
				}
				inMemory++
				assert.Equal(t, "Memory", empty["medium"], "%s, %s", pod, volume["name"])
				assert.NotEmpty(t, empty["sizeLimit"], "%s, %s: it counts as memory", pod, volume["name"])
			}
		}
		assert.GreaterOrEqual(t, inMemory, 2, "the login of a person, to read and to write")
	})
}

func TestAPersonsPodIsGoneWithItsLogin(t *testing.T) {
	eachStack(t, func(t *testing.T, r *recorder.Recording) {
		for _, name := range []string{"app-psql", "app-psql-write"} {
			job := r.Named(t, "kubernetes:batch/v1:CronJob", name)
			assert.Equal(t, true, job.Input(t, "spec.suspend"), "nobody but a person starts it")
			spec := job.Input(t, "spec.jobTemplate.spec")
			assertBetween(t, 600, 3600, number(spec, "activeDeadlineSeconds"), "%s lasts for an hour at most", name)
			assertBetween(t, 0, 300, number(spec, "ttlSecondsAfterFinished"), "%s is removed once it has ended", name)
			assert.Equal(t, 0.0, spec.(object)["backoffLimit"], "%s: a prompt that was left doesn't come back", name)
			pod := job.Input(t, "spec.jobTemplate.spec.template.spec")
			assert.Equal(t, "Never", pod.(object)["restartPolicy"], "%s: a prompt that was left doesn't come back", name)
			assertBetween(t, 0, 5, number(pod, "terminationGracePeriodSeconds"), "%s: sleep doesn't heed SIGTERM", name)
		}
	})
}

func TestPodsAreSpreadAndScaledByTheirOwnRollout(t *testing.T) {
	eachStack(t, func(t *testing.T, r *recorder.Recording) {
		for _, pod := range templates(t, r) {
			if pod.kind != "Deployment" {
				assert.Nil(t, pod.spec["topologySpreadConstraints"], "%s runs alone", pod)
				continue
			}
			if text(pod.Input(t, "spec.strategy").(object), "type") == "Recreate" {
				assert.EqualValues(t, 1, number(pod.Input(t, "spec"), "replicas"), "%s: one that never runs twice", pod)
				continue
			}
			var over []string
			for _, each := range pod.spec["topologySpreadConstraints"].([]any) {
				spread := each.(object)
				over = append(over, text(spread, "topologyKey"))
				assert.Equal(t, []any{"pod-template-hash"}, spread["matchLabelKeys"], "%s: the old pods, which go, don't count", pod)
				assert.Equal(t, "ScheduleAnyway", spread["whenUnsatisfiable"], "%s: two on one node rather than one too few", pod)
				assert.Equal(t, pod.Input(t, "spec.selector"), spread["labelSelector"], "%s: apart from its own kind", pod)
			}
			assert.ElementsMatch(t, []string{"topology.kubernetes.io/zone", "kubernetes.io/hostname"}, over, "%s: neither a zone nor a node takes all", pod)
			rolling := pod.Input(t, "spec.strategy.rollingUpdate").(object)
			assert.EqualValues(t, 0, rolling["maxUnavailable"], "%s: a new pod serves before an old one goes", pod)
			assertBetween(t, 1, 5, number(pod.Input(t, "spec"), "revisionHistoryLimit"), "%s: the version before can be looked at, and a year of them isn't kept", pod)
		}
		for _, scaler := range r.All(autoscalerType) {
			metric := scaler.Input(t, "spec.metrics[0].resource").(object)
			assert.Equal(t, "cpu", metric["name"])
			assertBetween(t, 50, 80, number(metric["target"], "averageUtilization"), "%s: a third is for the load that comes while a pod starts", scaler.Name)
			assert.EqualValues(t, 0, scaler.Input(t, "spec.behavior.scaleUp.stabilizationWindowSeconds"), "%s: up at once", scaler.Name)
			assertBetween(t, 60, 600, scaler.Input(t, "spec.behavior.scaleDown.stabilizationWindowSeconds").(float64), "%s: down after a while", scaler.Name)
			assert.Equal(t, "Max", scaler.Input(t, "spec.behavior.scaleUp.selectPolicy"), "%s: the larger step, whichever that is", scaler.Name)
			up := map[string]float64{}
			for _, policy := range scaler.Input(t, "spec.behavior.scaleUp.policies").([]any) {
				up[text(policy.(object), "type")] = number(policy, "value")
				assertBetween(t, 15, 30, number(policy, "periodSeconds"), "%s: again once the metrics, of each 15 s, know the new pods", scaler.Name)
			}
			assertBetween(t, 100, 200, up["Percent"], "%s: ten times the load is met in four steps, and a wrong metric isn't followed to the limit at once", scaler.Name)
			assertBetween(t, 2, 4, up["Pods"], "%s: of one pod, the double is too little", scaler.Name)
			for _, policy := range scaler.Input(t, "spec.behavior.scaleDown.policies").([]any) {
				assert.LessOrEqual(t, number(policy, "value"), 25.0, "%s: a quarter a minute", scaler.Name)
				assert.GreaterOrEqual(t, number(policy, "periodSeconds"), 60.0, "%s: a quarter a minute", scaler.Name)
			}
		}
		for _, budget := range r.All("kubernetes:policy/v1:PodDisruptionBudget") {
			assert.EqualValues(t, 1, budget.Input(t, "spec.maxUnavailable"), "%s: one at a time, and never none", budget.Name)
			assert.Equal(t, "AlwaysAllow", budget.Input(t, "spec.unhealthyPodEvictionPolicy"), "%s: what serves nobody holds up no drain", budget.Name)
		}
	})
}
