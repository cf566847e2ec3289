package tests

import (
	"encoding/json"
	"maps"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/project"
	"threetier/gate/recorder"
	"threetier/internal/stack"
)

// kubeScore builds the tool at the version that its go.mod pins.
func kubeScore(t *testing.T) string {
	t.Helper()
	tool := filepath.Join(t.TempDir(), "kube-score")
	build := exec.Command("go", "build", "-o", tool, "github.com/zegl/kube-score/cmd/kube-score")
	build.Dir = filepath.Join(project.Root(), "local", "tools", "kube-score")
	said, err := build.CombinedOutput()
	require.NoError(t, err, "build kube-score: %s", said)
	return tool
}

// finding is one judgement of kube-score about one object.
type finding struct {
	Object string `json:"object_name"`
	Checks []struct {
		Check struct{ Name string }
		Grade int
		// Skipped checks have no grade.
		Skipped  bool
		Comments []struct{ Summary string }
	}
}

// critical is kube-score's worst grade.
const critical = 1

// named is an object's metadata; where the program gives it no name, it has the logical one.
func named(res recorder.Resource) resource.PropertyMap {
	metadata, isObject := res.Inputs["metadata"]
	if !isObject {
		return nil
	}
	named := metadata.ObjectValue().Copy()
	if _, hasName := named["name"]; !hasName {
		named["name"] = resource.NewProperty(res.Name)
	}
	return resource.PropertyMap{"metadata": resource.NewProperty(named)}
}

// rendered records a stack whose objects refer to each other by their logical names.
func rendered(t *testing.T, name string) *recorder.Recording {
	t.Helper()
	return recorder.MustRun(t, stack.Deploy, recorder.Options{Stack: name, Config: project.StackConfig(t, name), Answer: named})
}

// findings are kube-score's about what a stack renders.
func findings(t *testing.T, tool string, recording *recorder.Recording) []finding {
	t.Helper()
	var manifests strings.Builder
	for _, res := range recording.Resources {
		if !strings.HasPrefix(res.Type, "kubernetes:") || strings.HasSuffix(res.Type, "Patch") {
			continue // a patch is of an object that is judged whole
		}
		maps.Copy(res.Inputs, named(res))
		text, err := json.Marshal(res.Plain())
		require.NoError(t, err)
		manifests.WriteString("---\n" + string(text) + "\n")
	}
	score := exec.Command(tool, "score", "--kubernetes-version", "v1.35", "--output-format", "json",
		// What runs is what the config names; a registry that is down must not keep pods from starting.
		"--ignore-test", "container-image-pull-policy", "-")
	score.Stdin = strings.NewReader(manifests.String())
	said, err := score.Output()
	var all []finding
	require.NoError(t, json.Unmarshal(said, &all), "kube-score: %v: %s", err, said)
	return all
}

func TestKubeScoreFindsNothingCritical(t *testing.T) {
	tool := kubeScore(t)
	seen := map[string]bool{}
	for _, name := range []string{"dev", "prod", "full"} {
		kinds := map[string]bool{}
		for _, object := range findings(t, tool, rendered(t, name)) {
			kind, _, _ := strings.Cut(object.Object, "/")
			kinds[kind] = true
			for _, check := range object.Checks {
				assert.False(t, !check.Skipped && check.Grade == critical, "%s: %s: %s: %v", name, object.Object, check.Check.Name, check.Comments)
			}
		}
		for _, kind := range []string{"Deployment", "Service", "Job", "NetworkPolicy", "PodDisruptionBudget", "HorizontalPodAutoscaler"} {
			assert.True(t, kinds[kind], "%s: kube-score looked at a %s", name, kind)
		}
		maps.Copy(seen, kinds)
	}
	assert.True(t, seen["CronJob"], "kube-score looked at a CronJob")
}

func TestKubeScoreFindsWhatIsCritical(t *testing.T) {
	recording := rendered(t, "dev")
	for _, res := range recording.Resources {
		if res.Type == deploymentType {
			delete(res.Inputs["spec"].ObjectValue()["template"].ObjectValue()["spec"].ObjectValue(), "securityContext")
		}
	}
	found := 0
	for _, object := range findings(t, kubeScore(t), recording) {
		for _, check := range object.Checks {
			if !check.Skipped && check.Grade == critical {
				found++
			}
		}
	}
	assert.NotZero(t, found)
}
