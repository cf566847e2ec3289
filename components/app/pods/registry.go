package pods

import (
	"encoding/base64"
	"encoding/json"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/problems"
)

// RegistryArgs are the credentials for private images. The zero value is none.
type RegistryArgs struct {
	// Server is the registry's host name, with its port where it has one: what the images begin with. Required.
	Server string
	// Username is who pulls. Required.
	Username string
	// Password is a password or a token. Required.
	Password pulumi.StringInput
}

func (args RegistryArgs) isGiven() bool {
	return args.Server != "" || args.Username != "" || args.Password != nil
}

// Problems are what no image can be pulled with.
func (args RegistryArgs) Problems() problems.List {
	if !args.isGiven() {
		return nil
	}
	ps := RegistryServerConstraint.Required("server", args.Server)
	ps = append(ps, RegistryUsernameConstraint.Required("username", args.Username)...)
	if args.Password == nil {
		ps = append(ps, problems.Problem{Path: "password", Want: "the password or token that images are pulled with"})
	}
	return ps
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
