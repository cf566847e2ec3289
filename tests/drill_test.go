package tests

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/project"
	"threetier/gate/recorder"
	"threetier/internal/settings"
	"threetier/internal/stack"
)

// Pulumi removes a key that isn't there without a word: a renamed one would stay in the scratch stack.
func TestDrillEditsKeysThatTheProgramKnows(t *testing.T) {
	script, err := os.ReadFile(filepath.Join(project.Root(), "bin", "drill"))
	require.NoError(t, err)
	paths := regexp.MustCompile(`threetier:([a-zA-Z.$]+)`).FindAllStringSubmatch(string(script), -1)
	require.Greater(t, len(paths), 20)
	for _, path := range paths {
		table, known := settings.Keys(), true
		for name := range strings.SplitSeq(settings.Namespace+":"+strings.ReplaceAll(path[1], "$tier", "backend"), ".") {
			i := slices.Index(table.Names(), name)
			if known = i >= 0; !known {
				break
			}
			table = table[i].Keys
		}
		assert.True(t, known, path[0])
	}
}

// scratchConfig is a stack's config with the edits of bin/drill.
func scratchConfig(t *testing.T, name string, tiers ...string) *project.Config {
	t.Helper()
	script, err := os.ReadFile(filepath.Join(project.Root(), "bin", "drill"))
	require.NoError(t, err)
	_, edits, found := strings.Cut(string(script), "config rm-all")
	require.True(t, found)
	removes, edits, _ := strings.Cut(edits, "fail '")
	config := project.StackConfig(t, name).Set(t, "threetier:nginx.hosts", []string{"shop.example.org", "www.example.org"}).
		Set(t, "threetier:nginx.sourceRanges", []string{"10.0.0.0/8", "203.0.113.0/24"})
	if slices.Contains(tiers, "frontend") {
		config.Set(t, "threetier:frontend.egress", []any{map[string]any{"to": "internet", "ports": []int{443}}})
	}
	for _, path := range regexp.MustCompile(`threetier:\S+`).FindAllString(removes, -1) {
		config.Remove(t, path)
	}
	set := func(path, text string) {
		var value any
		if json.Unmarshal([]byte(text), &value) != nil || strings.Contains(path, ".allow") {
			value = text
		}
		config.Set(t, path, value)
	}
	for _, pair := range regexp.MustCompile(`--plaintext ["']?(threetier:[^= ]+)=([^"'\n]*?)["']?[ )\n]`).FindAllStringSubmatch(edits+"\n", -1) {
		if !strings.Contains(pair[1], "$tier") {
			set(pair[1], strings.ReplaceAll(pair[2], "$snapshot", "newest"))
		}
	}
	for _, tier := range tiers {
		set("threetier:"+tier+".replicas.min", "1")
		set("threetier:"+tier+".replicas.max", "1")
	}
	return config
}

func TestDrillsScratchStackIsClosedAndSmall(t *testing.T) {
	for name, tiers := range map[string][]string{"prod": {"backend", "frontend", "nginx"}, "full": {"backend", "nginx"}} {
		t.Run(name, func(t *testing.T) {
			config := scratchConfig(t, name, tiers...)
			key := map[string]string{"full": "arn:aws:kms:eu-west-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"}[name]
			recording := recorder.MustRun(t, stack.Deploy, recorder.Options{Stack: name + "-drill", Config: config, RDS: recorder.RDS{
				Snapshots: map[string]recorder.DBSnapshot{"newest": {Engine: "postgres", Version: "17.4", KMSKeyARN: key}},
			}})
			for _, absent := range []string{
				"aws:iam/role:Role", "aws:cloudwatch/metricAlarm:MetricAlarm", subscriptionType, "aws:eks/podIdentityAssociation:PodIdentityAssociation",
				"kubernetes:autoscaling/v2:HorizontalPodAutoscaler", certificateType, recordType,
			} {
				assert.Empty(t, recording.All(absent), absent)
			}
			for _, job := range recording.All("kubernetes:batch/v1:CronJob") {
				assert.Contains(t, job.Name, "psql")
			}
			for _, deployment := range recording.All("kubernetes:apps/v1:Deployment") {
				assert.Contains(t, tiers, strings.TrimPrefix(deployment.Name, "app-"))
			}
			for _, policy := range recording.All("kubernetes:networking.k8s.io/v1:NetworkPolicy") {
				assert.NotContains(t, fmt.Sprint(policy.Inputs), "2000::/3", "%s leads to the internet", policy.Name)
			}
			assert.NotContains(t, fmt.Sprint(recording.All("kubernetes:core/v1:ConfigMap")), "example.org")
			instance := recording.All(instanceType)
			require.Len(t, instance, 1)
			for input, want := range map[string]any{
				"snapshotIdentifier": "newest", "multiAz": false, "deletionProtection": false, "skipFinalSnapshot": true, "identifier": "threetier-" + name + "-drill-database",
			} {
				assert.Equal(t, want, instance[0].Inputs[resource.PropertyKey(input)].Mappable(), input)
			}
			service := recording.Named(t, "kubernetes:core/v1:Service", "app-nginx")
			assert.Equal(t, []any{"127.0.0.1/32"}, service.Input(t, "spec.loadBalancerSourceRanges"), "the rows are prod's, and the VPC is others' too")
			assert.Equal(t, "internal", annotation(t, recording, "scheme"))
		})
	}
}
