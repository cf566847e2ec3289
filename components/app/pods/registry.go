package pods

import (
	"encoding/base64"
	"encoding/json"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/keys"
)

// RegistryArgs are the credentials for private images. The zero value is none.
type RegistryArgs struct {
	Server, Username string
	Password         pulumi.StringInput
}

func (args RegistryArgs) isGiven() bool {
	return args.Server != "" || args.Username != "" || args.Password != nil
}

// Key is the registry's.
func (args *RegistryArgs) Key() *keys.Key {
	return keys.Object("registry", keys.Table{
		keys.Text("server", &args.Server).
			Match("^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$", "a registry's host name, like ghcr.io, as the images begin with").
			Words("a host name, with a port where the images have one").Required().Example("ghcr.io").
			Doc("Host name of the registry, as the image names begin with it."),
		keys.Text("username", &args.Username).Match("^[^:]+$", "the name of the user that pulls images, without a colon"). // a colon ends it
																	Required().Example("acme-bot").
																	Doc("User name for the registry."),
		keys.SecretText("password", &args.Password).Required("the password or token that images are pulled with").Example("{secure: …}").
			Doc("Password or token for the registry. It is stored in a Kubernetes Secret. A changed password restarts all pods, one after the other."),
	}).If(args.isGiven()).Otherwise("none: public images, or images that the nodes' own role can pull").
		Doc("The credentials for private images of one registry.")
}

// NewPullSecret is auto-named, as every Secret: pods with new credentials come before the old ones go.
func NewPullSecret(ctx *pulumi.Context, parent pulumi.Resource, name string, namespace pulumi.StringInput, args RegistryArgs) (pulumi.StringInput, error) {
	if !args.isGiven() {
		return nil, nil
	}
	server := args.Server
	if server == "docker.io" {
		server = "https://index.docker.io/v1/" // the name that Docker Hub's credentials go by
	}
	config := pulumi.ToSecret(args.Password).(pulumi.StringOutput).ApplyT(func(password string) (string, error) {
		text, err := json.Marshal(map[string]any{"auths": map[string]any{server: map[string]string{
			"username": args.Username, "password": password,
			"auth": base64.StdEncoding.EncodeToString([]byte(args.Username + ":" + password)),
		}}})
		return base64.StdEncoding.EncodeToString(text), err
	}).(pulumi.StringOutput)
	secret, err := corev1.NewSecret(ctx, name+"-registry", &corev1.SecretArgs{
		Metadata:  Metadata(namespace, "registry"),
		Type:      pulumi.String("kubernetes.io/dockerconfigjson"),
		Immutable: pulumi.Bool(true),
		Data:      pulumi.StringMap{".dockerconfigjson": config},
	}, pulumi.Parent(parent))
	if err != nil {
		return nil, err
	}
	return secret.Metadata.Name().Elem(), nil
}
