package pods

import (
	"fmt"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// WritableTmp is the one directory that is always writable, since nearly every runtime wants one.
const WritableTmp = "/tmp"

func (t Set) emptyDirs() (corev1.VolumeArray, corev1.VolumeMountArray) {
	var volumes corev1.VolumeArray
	var mounts corev1.VolumeMountArray
	for i, dir := range t.Writable {
		name := pulumi.String(fmt.Sprintf("writable-%d", i))
		volumes = append(volumes, corev1.VolumeArgs{Name: name, EmptyDir: corev1.EmptyDirVolumeSourceArgs{}})
		mounts = append(mounts, corev1.VolumeMountArgs{Name: name, MountPath: pulumi.String(dir)})
	}
	return volumes, mounts
}

// Mount gives the pods a volume.
func (t *Set) Mount(name, dir string, volume corev1.VolumeArgs) {
	volume.Name = pulumi.String(name)
	t.Volumes = append(t.Volumes, volume)
	t.Mounts = append(t.Mounts, corev1.VolumeMountArgs{Name: pulumi.String(name), MountPath: pulumi.String(dir), ReadOnly: pulumi.Bool(true)})
}
