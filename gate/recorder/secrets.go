package recorder

import (
	"fmt"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// SecretText is what a secret or a parameter of the account holds.
func SecretText(arn string) string { return "text of " + arn }

func (o Options) secrets() map[string]func(resource.PropertyMap) (resource.PropertyMap, error) {
	return map[string]func(resource.PropertyMap) (resource.PropertyMap, error){
		"aws:secretsmanager/getSecretVersion:getSecretVersion": func(args resource.PropertyMap) (resource.PropertyMap, error) {
			arn := args["secretId"].StringValue()
			if slices.Contains(o.NoSecrets, arn) {
				return nil, fmt.Errorf("reading Secrets Manager Secret Version (%s|AWSCURRENT): couldn't find resource", arn)
			}
			return properties(fields{"arn": arn, "secretString": SecretText(arn)}), nil
		},
		"aws:ssm/getParameter:getParameter": func(args resource.PropertyMap) (resource.PropertyMap, error) {
			arn := args["name"].StringValue()
			if slices.Contains(o.NoSecrets, arn) || !args["withDecryption"].BoolValue() {
				return nil, fmt.Errorf("reading SSM Parameter (%s): couldn't find resource", arn)
			}
			return properties(fields{"arn": arn, "value": SecretText(arn)}), nil
		},
	}
}
