package app

import (
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

const databaseCADir = "/etc/database"

// DatabaseCAFile is where pods find the certificates that the database's own is checked against: {caFile}.
const DatabaseCAFile = databaseCADir + "/ca.pem"

// databaseCAKey can't be an environment variable's name.
const databaseCAKey = "ca.pem"

// caVolume is the CA bundle of a Secret, and nothing else of it.
func caVolume(secret pulumi.StringInput) corev1.VolumeArgs {
	return corev1.VolumeArgs{Secret: corev1.SecretVolumeSourceArgs{
		SecretName: secret,
		Items:      corev1.KeyToPathArray{corev1.KeyToPathArgs{Key: pulumi.String(databaseCAKey), Path: pulumi.String(databaseCAKey)}},
	}}
}
