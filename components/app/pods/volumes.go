package pods

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// WritableTmp is the one directory that is always writable, since nearly every runtime wants one.
const WritableTmp = "/tmp"

const (
	// copiedVolume has the copies of directories of the image, each in a directory of its own.
	copiedVolume = "copied"
	// copiedDir is where the container that copies has the volume.
	copiedDir = "/.threetier"
)

// copyScript runs as the pod's user. What that can't read is left out, as the app couldn't read it either; a directory that
// the image doesn't have is empty. The times stay: they become ETags, which are the same in all pods. After a restart of the
// node it runs again, on what is there.
const copyScript = `n=0
for dir; do
    mkdir -p "$0/$n"
    if test -d "$dir"; then cp -Rp "$dir/." "$0/$n" || true; fi
    chmod -R u+w "$0/$n"
    n=$((n + 1))
done`

func (t Set) emptyDirs() (corev1.VolumeArray, corev1.VolumeMountArray) {
	var volumes corev1.VolumeArray
	var mounts corev1.VolumeMountArray
	for i, dir := range t.Writable {
		name := pulumi.String(writable(i))
		volumes = append(volumes, corev1.VolumeArgs{Name: name, EmptyDir: corev1.EmptyDirVolumeSourceArgs{}})
		mounts = append(mounts, corev1.VolumeMountArgs{Name: name, MountPath: pulumi.String(dir)})
	}
	if len(t.Copied) > 0 {
		volumes = append(volumes, corev1.VolumeArgs{Name: pulumi.String(copiedVolume), EmptyDir: corev1.EmptyDirVolumeSourceArgs{}})
	}
	for i, dir := range t.Copied {
		mounts = append(mounts, corev1.VolumeMountArgs{
			Name: pulumi.String(copiedVolume), MountPath: pulumi.String(dir), SubPath: pulumi.String(strconv.Itoa(i)),
		})
	}
	return volumes, mounts
}

// copying is the container that fills the directories that keep what the image has there. It is of the pod's own image.
func (t Set) copying() corev1.ContainerArray {
	if len(t.Copied) == 0 {
		return nil
	}
	container := t.Hardened(corev1.ContainerArgs{
		Image: t.Container.Image, Command: Strings(slices.Concat([]string{"sh", "-ec", copyScript, copiedDir}, t.Copied)),
	}, "copy")
	container.VolumeMounts = corev1.VolumeMountArray{corev1.VolumeMountArgs{Name: pulumi.String(copiedVolume), MountPath: pulumi.String(copiedDir)}}
	return corev1.ContainerArray{container}
}

// mayMove lets the Cluster Autoscaler remove a pod's node. It spares nodes whose pods have files of their own, unless these
// are named (its FAQ: "What types of pods can prevent CA from removing a node?").
func (t Set) mayMove() pulumi.StringMap {
	var names []string
	for i := range t.Writable {
		names = append(names, writable(i))
	}
	if len(t.Copied) > 0 {
		names = append(names, copiedVolume)
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
