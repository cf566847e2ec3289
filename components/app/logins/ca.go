package logins

import (
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// CADir is where pods have the CA bundle.
const CADir = "/etc/database"

// CAFile is where pods find the certificates that the database's own is checked against: {caFile}.
const CAFile = CADir + "/ca.pem"

// CAKey can't be an environment variable's name.
const CAKey = "ca.pem"

// CAVolume is the CA bundle of a Secret, and nothing else of it.
func CAVolume(secret pulumi.StringInput) corev1.VolumeArgs {
	return corev1.VolumeArgs{Secret: corev1.SecretVolumeSourceArgs{
		SecretName: secret,
		Items:      corev1.KeyToPathArray{corev1.KeyToPathArgs{Key: pulumi.String(CAKey), Path: pulumi.String(CAKey)}},
	}}
}
