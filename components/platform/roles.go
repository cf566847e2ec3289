package platform

import (
	"encoding/json"
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/tags"
)

// role is a role whose policies can be added to.
type role struct {
	*iam.Role
	// job is what it does, in the names of what belongs to it.
	job string
	// attached are the attachments: a cluster whose role lacks them can't delete what it has made.
	attached []pulumi.Resource
}

// newRole creates a role with managed policies of AWS's own; an automatic name where it has none.
func newRole(ctx *pulumi.Context, logical string, args *iam.RoleArgs, managed []string, opts ...pulumi.ResourceOption) (*role, error) {
	args.Tags = tags.Of(ctx)
	made, err := iam.NewRole(ctx, logical, args, opts...)
	if err != nil {
		return nil, fmt.Errorf("create role %s: %w", logical, err)
	}
	r := &role{Role: made}
	for _, policy := range managed {
		if err := r.attach(ctx, logical+"-"+policy, pulumi.String("arn:aws:iam::aws:policy/"+policy), opts...); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// newServiceRole creates a role that a service of AWS's takes.
func newServiceRole(ctx *pulumi.Context, logical, service string, actions, managed []string, opts ...pulumi.ResourceOption) (*role, error) {
	trust, err := trusting(map[string]any{"Service": service}, actions...)
	if err != nil {
		return nil, err
	}
	return newRole(ctx, logical, &iam.RoleArgs{AssumeRolePolicy: pulumi.String(trust)}, managed, opts...)
}

// trusting is the trust policy of a role that a principal takes.
func trusting(principal any, actions ...string) (string, error) {
	text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []map[string]any{
		{"Effect": "Allow", "Principal": principal, "Action": actions},
	}})
	return string(text), err
}

func (r *role) attach(ctx *pulumi.Context, logical string, policy pulumi.StringInput, opts ...pulumi.ResourceOption) error {
	attachment, err := iam.NewRolePolicyAttachment(ctx, logical, &iam.RolePolicyAttachmentArgs{Role: r.Name, PolicyArn: policy}, opts...)
	if err != nil {
		return fmt.Errorf("attach policy %s: %w", logical, err)
	}
	r.attached = append(r.attached, attachment)
	return nil
}

// allow gives the role a policy of its own.
func (r *role) allow(ctx *pulumi.Context, logical string, policy pulumi.StringInput, opts ...pulumi.ResourceOption) error {
	_, err := iam.NewRolePolicy(ctx, logical, &iam.RolePolicyArgs{Role: r.Name, Policy: policy}, opts...)
	if err != nil {
		return fmt.Errorf("create policy %s: %w", logical, err)
	}
	return nil
}

func newLogGroup(ctx *pulumi.Context, logical, name string, days int, opts ...pulumi.ResourceOption) (*cloudwatch.LogGroup, error) {
	group, err := cloudwatch.NewLogGroup(ctx, logical, &cloudwatch.LogGroupArgs{
		Name: pulumi.String(name), RetentionInDays: pulumi.Int(days), Tags: tags.Of(ctx),
	}, opts...)
	if err != nil {
		return nil, fmt.Errorf("create log group %s: %w", name, err)
	}
	return group, nil
}
