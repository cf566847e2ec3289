package logins

import (
	_ "embed"
	"fmt"
	"slices"

	batchv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/batch/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/app/pods"
)

const (
	// DropName is the CronJob whose Jobs drop a preview's database and logins.
	DropName = "drop-database"
	// dropSeconds is for a server that restarts meanwhile.
	dropSeconds = 300
)

//go:embed drop.sql
var dropSQL string

// letDrop makes the template of what takes a preview's database away: nothing that Pulumi deletes would. It returns what the logins
// come after, which is nothing where the stack has an instance of its own.
func (r *Logins) letDrop(ctx *pulumi.Context, parent pulumi.Resource) ([]pulumi.Resource, error) {
	if r.of.Preview == nil {
		return nil, nil
	}
	name := r.resource + "-" + DropName
	scripts, err := corev1.NewConfigMap(ctx, name, &corev1.ConfigMapArgs{
		Metadata:  r.Metadata(),
		Immutable: pulumi.Bool(true),
		Data:      pulumi.StringMap{"administrator.sql": pulumi.String(administratorSQL), "drop.sql": pulumi.String(dropSQL)},
	}, pulumi.Parent(parent))
	if err != nil {
		return nil, fmt.Errorf("create SQL config map: %w", err)
	}
	t := r.Set
	t.Volumes, t.Mounts = nil, nil
	t.Mount("sql", sqlDir, corev1.VolumeArgs{ConfigMap: corev1.ConfigMapVolumeSourceArgs{Name: scripts.Metadata.Name()}})
	t.Mount("database-ca", CADir, r.ca)
	t.Container = corev1.ContainerArgs{
		Image:   pulumi.String(r.image),
		Command: pods.Strings([]string{"sh", "-ec", psqlOnceReachable([]string{"drop.sql"})}),
		Env:     slices.Concat(r.outside, r.administrator, pods.PlainEnv(map[string]pulumi.StringInput{"PREVIEW": pulumi.String(r.of.Preview.Name)})),
	}
	metadata := r.Metadata()
	metadata.Name = pulumi.String(DropName)
	template, err := newTemplate(ctx, parent, name, metadata, batchv1.JobSpecArgs{
		BackoffLimit:          pulumi.Int(3), // for a session that was slow to end
		ActiveDeadlineSeconds: pulumi.Int(dropSeconds),
		Template:              t.RunToEnd(nil),
	})
	if err != nil {
		return nil, fmt.Errorf("create cron job %s: %w", DropName, err)
	}
	return []pulumi.Resource{template}, nil
}
