package pods

import (
	"fmt"
	"strings"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// WritableTmp is the one directory that is always writable, since nearly every runtime wants one.
const WritableTmp = "/tmp"

func (t Set) emptyDirs() (corev1.VolumeArray, corev1.VolumeMountArray) {
	var volumes corev1.VolumeArray
	var mounts corev1.VolumeMountArray
	for i, dir := range t.Writable {
		name := pulumi.String(writable(i))
		volumes = append(volumes, corev1.VolumeArgs{Name: name, EmptyDir: corev1.EmptyDirVolumeSourceArgs{}})
		mounts = append(mounts, corev1.VolumeMountArgs{Name: name, MountPath: pulumi.String(dir)})
	}
	return volumes, mounts
}

// mayMove lets the Cluster Autoscaler remove a pod's node. It spares nodes whose pods have files of their own, unless these
// are named (its FAQ: "What types of pods can prevent CA from removing a node?").
func (t Set) mayMove() pulumi.StringMap {
	var names []string
	for i := range t.Writable {
		names = append(names, writable(i))
	}
	return pulumi.StringMap{"cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes": pulumi.String(strings.Join(names, ","))}
}

func writable(i int) string { return fmt.Sprintf("writable-%d", i) }

// Mount gives the pods a volume.
func (t *Set) Mount(name, dir string, volume corev1.VolumeArgs) {
	volume.Name = pulumi.String(name)
	t.Volumes = append(t.Volumes, volume)
	t.Mounts = append(t.Mounts, corev1.VolumeMountArgs{Name: pulumi.String(name), MountPath: pulumi.String(dir), ReadOnly: pulumi.Bool(true)})
}
