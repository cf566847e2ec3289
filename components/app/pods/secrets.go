package pods

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/secretsmanager"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ssm"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/constraint"
	"threetier/internal/keys"
)

// read are the values, with those from AWS looked up: a new version there is a new value at the next up.
func read(ctx *pulumi.Context, parent pulumi.Resource, values map[string]pulumi.StringInput) (map[string]pulumi.StringInput, error) {
	all := maps.Clone(values)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		from, isFrom := values[name].(keys.From)
		if !isFrom {
			continue
		}
		text, err := lookUp(ctx, parent, from.ARN)
		if err != nil {
			return nil, fmt.Errorf("read %s from %s: %w", name, from.ARN, err)
		}
		all[name] = pulumi.ToSecret(pulumi.String(text)).(pulumi.StringOutput)
	}
	return all, nil
}

func lookUp(ctx *pulumi.Context, parent pulumi.Resource, arn string) (string, error) {
	if strings.Contains(arn, ":ssm:") {
		found, err := ssm.LookupParameter(ctx, &ssm.LookupParameterArgs{Name: arn, WithDecryption: pulumi.BoolRef(true)}, pulumi.Parent(parent))
		if err != nil {
			return "", err
		}
		return found.Value, nil
	}
	found, err := secretsmanager.LookupSecretVersion(ctx, &secretsmanager.LookupSecretVersionArgs{SecretId: arn}, pulumi.Parent(parent))
	if err == nil && found.SecretString == "" {
		err = errors.New("it has no text, want SecretString")
	}
	if err != nil {
		return "", err
	}
	return found.SecretString, nil
}

// FilesKey is for what wants a secret as a file. No file may be in a directory of below.
func FilesKey(into *map[string]pulumi.StringInput, below ...string) *keys.Key {
	return keys.Environment("secretFiles", into, true).Names(constraint.Text{
		Pattern: `^(/([^/.]|\.[^/.]|\.\.[^/])[^/]*)+$`, // no segment is empty, . or ..
		Want:    "absolute paths of files",
		Except:  "^" + constraint.Either(below) + "(/|$)",
		Instead: "paths that aren't below " + strings.Join(below, " or "),
	}).Example("{/etc/app/tls.key: {secure: …}}").
		Doc("Files, by path, that are stored in a Kubernetes Secret: keys and certificates. The pods' user can read them, and nobody can change them.")
}

// MountFiles gives the pods the files. What else is in their directories stays.
func (t *Set) MountFiles(ctx *pulumi.Context, parent pulumi.Resource, files map[string]pulumi.StringInput) error {
	if len(files) == 0 {
		return nil
	}
	files, err := read(ctx, parent, files)
	if err != nil {
		return err
	}
	contents := map[string]pulumi.StringInput{}
	var mounts corev1.VolumeMountArray
	for i, path := range slices.Sorted(maps.Keys(files)) {
		key := fmt.Sprintf("file-%d", i)
		contents[key] = files[path]
		mounts = append(mounts, corev1.VolumeMountArgs{
			Name: pulumi.String(filesVolume), MountPath: pulumi.String(path), SubPath: pulumi.String(key), ReadOnly: pulumi.Bool(true),
		})
	}
	secret, err := NewSecret(ctx, parent, t.Name+"-files", t.Metadata(), contents)
	if err != nil {
		return fmt.Errorf("create secret of the files: %w", err)
	}
	t.Volumes = append(t.Volumes, corev1.VolumeArgs{Name: pulumi.String(filesVolume), Secret: corev1.SecretVolumeSourceArgs{
		SecretName: secret, DefaultMode: pulumi.Int(0o440), // root's, and the pod's group: what libpq and OpenSSH accept of a key
	}})
	t.Mounts = append(t.Mounts, mounts...)
	return nil
}

const filesVolume = "secret-files"
