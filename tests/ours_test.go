package tests

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/components/app"
	"threetier/components/cluster"
	"threetier/gate/project"
	"threetier/gate/recorder"
	"threetier/internal/stack"
)

const namespacePath = "/api/v1/namespaces/threetier-dev"

// labels of objects in a cluster.
type labels = map[string]string

// objects are the labels of a cluster's objects, by path.
type objects = map[string]labels

// runDev runs the stack dev, with changes to its config, in a cluster that has the objects.
func runDev(t *testing.T, present objects, outputs map[string]any, changes ...func(*project.Config)) (*recorder.Recording, error) {
	t.Helper()
	config := project.StackConfig(t, "dev")
	for _, change := range changes {
		change(config)
	}
	return recorder.Run(stack.Deploy, recorder.Options{Config: config, Objects: present, Outputs: outputs})
}

func adopt(t *testing.T, namespace string) func(*project.Config) {
	return func(c *project.Config) { c.Set(t, "threetier:adopt", namespace) }
}

// ownerOf is the label of the stack dev's own objects.
func ownerOf(t *testing.T) string {
	t.Helper()
	recording, err := runDev(t, objects{}, nil)
	require.NoError(t, err)
	owner, isText := recording.One(t, "kubernetes:core/v1:Namespace").Input(t, `metadata.labels["`+app.OwnerLabel+`"]`).(string)
	require.True(t, isText)
	require.NotEmpty(t, owner)
	return owner
}

// before are labels of a namespace that was made before there was an owner's label, and those of objects in it.
var (
	namespaceBefore = labels{"app.kubernetes.io/managed-by": "pulumi", "eks.amazonaws.com/pod-readiness-gate-inject": "enabled"}
	objectBefore    = labels{"app.kubernetes.io/managed-by": "pulumi", "app.kubernetes.io/name": "backend"}
)

// upOnce are the outputs of the stack dev that came up.
var upOnce = map[string]any{"namespace": "threetier-dev", "databaseIdentifier": "threetier-dev-database"}

func TestANamespaceThatIsNotTheStacksIsRefusedBeforeAnythingRegisters(t *testing.T) {
	const there = "threetier:namespace is threetier-dev, which is there and isn't this stack's, want another name, or threetier:adopt: threetier-dev"
	own := labels{app.OwnerLabel: ownerOf(t)}
	for name, test := range map[string]struct {
		present objects
		outputs map[string]any
		want    string
	}{
		"absent":                                    {objects{}, nil, ""},
		"absent though the stack was up":            {objects{}, upOnce, ""},
		"somebody's":                                {objects{namespacePath: {}}, nil, there},
		"somebody's, made in the stack's place":     {objects{namespacePath: {}}, upOnce, there},
		"another stack's":                           {objects{namespacePath: {app.OwnerLabel: "other"}}, nil, there},
		"another stack's of the same name":          {objects{namespacePath: {app.OwnerLabel: "other"}}, upOnce, there},
		"nobody's, by the label":                    {objects{namespacePath: {app.OwnerLabel: ""}}, upOnce, there},
		"its own":                                   {objects{namespacePath: own}, upOnce, ""},
		"its own, after a first up that was killed": {objects{namespacePath: own}, nil, ""},
		"its own of an earlier version":             {objects{namespacePath: namespaceBefore}, upOnce, ""},
		"another stack's of an earlier version":     {objects{namespacePath: namespaceBefore}, nil, there},
		"made for the stack":                        {objects{namespacePath: {"threetier/project": "threetier", "threetier/stack": "dev"}}, nil, ""},
		"made for another stack":                    {objects{namespacePath: {"threetier/project": "threetier", "threetier/stack": "prod"}}, nil, there},
		"made for another project":                  {objects{namespacePath: {"threetier/project": "other", "threetier/stack": "dev"}}, nil, there},
		"made for the stack, taken by another one": {objects{namespacePath: {
			"threetier/project": "threetier", "threetier/stack": "dev", app.OwnerLabel: "other"}}, nil, there},
		"another Pulumi program's":                   {objects{namespacePath: {"app.kubernetes.io/managed-by": "pulumi"}}, upOnce, there},
		"its own, with its objects":                  {objects{namespacePath: own, namespacePath + "/services/backend-service": own}, upOnce, ""},
		"of an earlier version, with its objects":    {objects{namespacePath: namespaceBefore, namespacePath + "/services/backend-service": objectBefore}, upOnce, ""},
		"its own, its objects of an earlier version": {objects{namespacePath: own, namespacePath + "/services/backend-service": objectBefore}, upOnce, ""},
		"its own, with a Service of somebody's": {objects{namespacePath: own, namespacePath + "/services/backend-service": {}}, upOnce,
			"service backend-service in namespace threetier-dev is there, and isn't this stack's, want it gone"},
	} {
		t.Run(name, func(t *testing.T) {
			recording, err := runDev(t, test.present, test.outputs)
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.want)
			assert.Len(t, strings.Split(strings.TrimSpace(err.Error()), "\n"), 2, "one line under Pulumi's own")
			assert.Equal(t, []string{providerType + " cluster-provider", cluster.ClusterType + " cluster"}, recording.Names())
		})
	}
}

// paths are where the API has the kinds whose objects may have fixed names.
var paths = map[string]string{
	"kubernetes:core/v1:Service":        "/api/v1/namespaces/%s/services/%s",
	"kubernetes:core/v1:ServiceAccount": "/api/v1/namespaces/%s/serviceaccounts/%s",
	"kubernetes:batch/v1:CronJob":       "/apis/batch/v1/namespaces/%s/cronjobs/%s",
}

// fixed are the objects with fixed names that a run registered, by path.
func fixed(t *testing.T, recording *recorder.Recording, namespace string) map[string]recorder.Resource {
	t.Helper()
	found := map[string]recorder.Resource{}
	for _, res := range recording.Resources {
		name, named := res.Input(t, "metadata.name").(string)
		if !strings.HasPrefix(res.Type, "kubernetes:") || !named || strings.HasSuffix(res.Type, "Patch") {
			continue
		}
		if res.Type == "kubernetes:core/v1:Namespace" {
			found["/api/v1/namespaces/"+name] = res
			continue
		}
		path, known := paths[res.Type]
		require.True(t, known, "%s %s has a fixed name, and nobody looks whether it is there", res.Type, name)
		found[fmt.Sprintf(path, namespace, name)] = res
	}
	return found
}

func TestEveryFixedNameIsLookedForAndSaysWhoseItIs(t *testing.T) {
	config := project.StackConfig(t, "full")
	run := func(present objects) (*recorder.Recording, error) {
		return recorder.Run(stack.Deploy, recorder.Options{Stack: "full", Config: config, Objects: present})
	}
	first, err := run(nil)
	require.NoError(t, err)
	names := fixed(t, first, "threetier-full")
	owner := names["/api/v1/namespaces/threetier-full"].Input(t, `metadata.labels["`+app.OwnerLabel+`"]`)
	require.NotEmpty(t, owner)
	own := objects{}
	for path, res := range names {
		assert.Equal(t, owner, res.Input(t, `metadata.labels["`+app.OwnerLabel+`"]`), path)
		own[path] = labels{app.OwnerLabel: owner.(string)}
	}
	again, err := run(own)
	require.NoError(t, err)
	assert.ElementsMatch(t, slices.Collect(maps.Keys(names)), again.Reads)

	for path := range names {
		others := maps.Clone(own)
		others[path] = labels{}
		_, err := run(others)
		assert.ErrorContains(t, err, "isn't this stack's, want ", path)
	}
	others := maps.Clone(own)
	others["/apis/batch/v1/namespaces/threetier-full/cronjobs/nightly"] = labels{}
	_, err = run(others)
	assert.ErrorContains(t, err, "cron job nightly in namespace threetier-full is there, and isn't this stack's, want it gone, or another name for threetier:jobs.nightly")
}

// NGINX's pods from before the change reach the tier by the old port.
func TestAChangedPortKeepsTheOneBefore(t *testing.T) {
	own := labels{app.OwnerLabel: ownerOf(t)}
	const service = namespacePath + "/services/"
	run := func(config map[string]any) (*recorder.Recording, error) {
		all := project.StackConfig(t, "dev")
		for key, value := range config {
			all.Set(t, key, value)
		}
		running := func(port int) map[string]any {
			return map[string]any{"ports": []any{map[string]any{"name": "http", "port": port}}}
		}
		return recorder.Run(stack.Deploy, recorder.Options{
			Config: all, Outputs: upOnce, Objects: objects{namespacePath: own, service + "backend-service": own, service + "frontend-service": own, service + "frontend-pods": own},
			Specs: map[string]any{service + "backend-service": running(8000), service + "frontend-service": running(8080), service + "frontend-pods": running(8080)},
		})
	}
	_, err := run(nil)
	require.NoError(t, err)
	recording, err := run(map[string]any{"threetier:backend.port": 9000, "threetier:frontend.port": 9080})
	require.ErrorContains(t, err, "threetier:backend.port is 9000, want 8000, where it is reached now, or threetier:backend.formerPort: 8000 beside it, until all pods have the new port")
	require.ErrorContains(t, err, "threetier:frontend.port is 9080, want 8080, where")
	assert.Equal(t, []string{providerType + " cluster-provider", cluster.ClusterType + " cluster"}, recording.Names())
	sticky := []any{map[string]any{"path": "/", "to": "frontend", "sticky": "cookie"}}
	_, err = run(map[string]any{"threetier:backend.port": 9000, "threetier:backend.formerPort": 8000, "threetier:nginx.routes": sticky})
	require.NoError(t, err)
}

func TestAServiceOfOthersWithTheNameOfTheStacksPodsIsRefused(t *testing.T) {
	sticky := func(c *project.Config) {
		c.Set(t, "threetier:nginx.routes", []any{map[string]any{"path": "/", "to": "backend", "sticky": "cookie"}})
	}
	_, err := runDev(t, objects{namespacePath: {}, namespacePath + "/services/backend-pods": {}}, nil, adopt(t, "threetier-dev"), sticky)
	require.ErrorContains(t, err, "service backend-pods in namespace threetier-dev is there, and isn't this stack's")
}

func TestANamespaceIsAdoptedByNameAndLeftAsItIs(t *testing.T) {
	recording, err := runDev(t, objects{namespacePath: {}}, nil, adopt(t, "threetier-dev"))
	require.NoError(t, err)
	assert.Empty(t, recording.All("kubernetes:core/v1:Namespace"))
	for path, res := range fixed(t, recording, "threetier-dev") {
		assert.NotEmpty(t, res.Input(t, `metadata.labels["`+app.OwnerLabel+`"]`), path)
		assert.Equal(t, "threetier-dev", res.Input(t, "metadata.namespace"), path)
	}

	// What closes the namespace closes the app's pods alone.
	deny := recording.Named(t, "kubernetes:networking.k8s.io/v1:NetworkPolicy", "app-deny")
	assert.Equal(t, "In", deny.Input(t, "spec.podSelector.matchExpressions[0].operator"))
	closed := deny.Input(t, "spec.podSelector.matchExpressions[0].values")
	for _, res := range recording.Resources {
		for _, path := range []string{"spec.template", "spec.jobTemplate.spec.template"} {
			if label := res.Input(t, path+`.metadata.labels["app.kubernetes.io/name"]`); label != nil {
				assert.Contains(t, closed, label, "pods of %s %s", res.Type, res.Name)
			}
		}
	}
}

func TestTheOwnNamespaceIsClosedAsAWhole(t *testing.T) {
	recording, err := runDev(t, nil, nil)
	require.NoError(t, err)
	deny := recording.Named(t, "kubernetes:networking.k8s.io/v1:NetworkPolicy", "app-deny")
	assert.Equal(t, map[string]any{}, deny.Input(t, "spec.podSelector"))
}

func TestWhatCanNotBeAdoptedIsRefused(t *testing.T) {
	const pods = namespacePath + "/pods/"
	const service = namespacePath + "/services/backend-service"
	own := labels{app.OwnerLabel: ownerOf(t)}
	for name, test := range map[string]struct {
		present   objects
		namespace string
		outputs   map[string]any
		want      string
	}{
		"another namespace than the stack's":    {objects{namespacePath: {}}, "shop", nil, "threetier:adopt is shop, want threetier-dev, the stack's namespace, or none"},
		"none that is there":                    {objects{}, "threetier-dev", nil, "threetier:adopt is threetier-dev, want a namespace that is there, or no adopt"},
		"its own":                               {objects{namespacePath: own}, "threetier-dev", upOnce, "threetier:adopt is threetier-dev, want none: a stack made the namespace"},
		"its own of an earlier version":         {objects{namespacePath: namespaceBefore}, "threetier-dev", upOnce, "threetier:adopt is threetier-dev, want none: a stack made the namespace"},
		"another stack's":                       {objects{namespacePath: {app.OwnerLabel: "other"}}, "threetier-dev", nil, "threetier:adopt is threetier-dev, want none: a stack made the namespace"},
		"with a Service of somebody's":          {objects{namespacePath: {}, service: {}}, "threetier-dev", nil, "service backend-service in namespace threetier-dev is there, and isn't this stack's, want it gone"},
		"with a Service of another stack's":     {objects{namespacePath: {}, service: {app.OwnerLabel: "other"}}, "threetier-dev", upOnce, "service backend-service in namespace threetier-dev is there"},
		"with a Service of an earlier version":  {objects{namespacePath: {}, service: objectBefore}, "threetier-dev", upOnce, "service backend-service in namespace threetier-dev is there"},
		"with a pod that the stack would take":  {objects{namespacePath: {}, pods + "x": {"app.kubernetes.io/name": "nginx"}}, "threetier-dev", nil, `label app.kubernetes.io/name of pod x in namespace threetier-dev is "nginx", want another value`},
		"with a pod of another name":            {objects{namespacePath: {}, pods + "x": {"app.kubernetes.io/name": "redis"}, pods + "y": {}}, "threetier-dev", nil, ""},
		"with the stack's own pods and objects": {objects{namespacePath: {}, service: own, pods + "x": {"app.kubernetes.io/name": "nginx", "app.kubernetes.io/managed-by": "pulumi"}}, "threetier-dev", upOnce, ""},
	} {
		t.Run(name, func(t *testing.T) {
			recording, err := runDev(t, test.present, test.outputs, adopt(t, test.namespace))
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.want)
			for _, name := range recording.Names() {
				assert.Contains(t, name, " cluster", "registered")
			}
		})
	}
	_, err := runDev(t, objects{namespacePath: {}, service: own}, upOnce)
	assert.ErrorContains(t, err, "threetier:namespace is threetier-dev, which is there and isn't this stack's", "the key is gone, the namespace stays others'")
}

func TestARunningStackKeepsItsNamespaceAndItsName(t *testing.T) {
	own := labels{app.OwnerLabel: ownerOf(t)}
	recording, err := runDev(t, objects{namespacePath: own}, upOnce, func(c *project.Config) { c.Set(t, "threetier:namespace", "shop") })
	assert.ErrorContains(t, err, "threetier:namespace is shop, want threetier-dev, where the stack runs")
	assert.Equal(t, []string{providerType + " cluster-provider", cluster.ClusterType + " cluster"}, recording.Names())

	recording, err = recorder.Run(stack.Deploy, recorder.Options{
		Stack: "stage", Config: project.StackConfig(t, "dev"), Objects: objects{namespacePath: own}, Outputs: upOnce,
	})
	assert.ErrorContains(t, err, "stack is stage, want its former name (pulumi stack rename), as its database is threetier-dev-database")
	assert.Equal(t, []string{providerType + " cluster-provider", cluster.ClusterType + " cluster"}, recording.Names())
}

func TestNeitherContextNorStackNameIsWhatTellsOneClusterFromAnother(t *testing.T) {
	for _, context := range []string{"", "admin@acme"} {
		_, recording, err := recordCluster(&cluster.ClusterArgs{Kubeconfig: pulumi.String("apiVersion: v1"), Context: context}, nil)
		require.NoError(t, err)
		provider := recording.One(t, providerType)
		assert.Equal(t, "threetier-dev", provider.Input(t, "clusterIdentifier"))
		assert.Equal(t, []string{"clusterIdentifier"}, provider.IgnoreChanges)
	}
	_, recording, err := recordCluster(&eksArgs, nil)
	require.NoError(t, err)
	assert.Empty(t, recording.One(t, providerType).IgnoreChanges, "another ARN is another cluster")
}

func TestTheStackConfigOverridesManualEditsOfAllThatIsChangedInPlace(t *testing.T) {
	replaced := []string{"kubernetes:core/v1:ConfigMap", "kubernetes:core/v1:Secret", "kubernetes:batch/v1:Job"}
	recording := recorder.MustRun(t, stack.Deploy, recorder.Options{Stack: "full", Config: project.StackConfig(t, "full")})
	kinds := map[string]bool{}
	for _, res := range recording.Resources {
		if !strings.HasPrefix(res.Type, "kubernetes:") || slices.Contains(replaced, res.Type) || strings.HasSuffix(res.Type, "Patch") {
			continue
		}
		kinds[res.Type] = true
		assert.Equal(t, "true", res.Input(t, `metadata.annotations["pulumi.com/patchForce"]`), "%s %s", res.Type, res.Name)
		assert.NotContains(t, fmt.Sprint(res.Input(t, "spec.template.metadata")), "patchForce", "pods would roll")
	}
	assert.Len(t, kinds, 8)
}

func TestDestroyNeedsNothingOfADeploymentThatIsGone(t *testing.T) {
	recording, err := runDev(t, nil, nil)
	require.NoError(t, err)
	patches := recording.All("kubernetes:apps/v1:DeploymentPatch")
	require.NotEmpty(t, patches)
	for _, patch := range patches {
		assert.True(t, patch.RetainOnDelete, patch.Name)
	}
}
