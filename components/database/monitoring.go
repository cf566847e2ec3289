package database

import (
	"encoding/json"
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// monitoringSeconds is the interval of enhanced monitoring: the longest, and the only one without extra log volume.
const monitoringSeconds = 60

// createMonitoringRole lets RDS write the operating system's metrics; a database that is allowed RDS.6 does without them.
func (b *builder) createMonitoringRole() error {
	if b.args.Allow.Has("RDS.6") {
		return nil
	}
	policy, err := json.Marshal(map[string]any{
		"Version": "2012-10-17",
		"Statement": []map[string]any{{
			"Effect":    "Allow",
			"Principal": map[string]string{"Service": "monitoring.rds.amazonaws.com"},
			"Action":    "sts:AssumeRole",
		}},
	})
	if err != nil {
		return fmt.Errorf("write trust policy of the monitoring role: %w", err)
	}
	b.monitoringRole, err = iam.NewRole(b.ctx, b.name+"-monitoring", &iam.RoleArgs{
		Description:      pulumi.String("Enhanced monitoring of the database"),
		AssumeRolePolicy: pulumi.String(policy),
		Tags:             b.tags(),
	}, b.child())
	if err != nil {
		return fmt.Errorf("create monitoring role: %w", err)
	}
	attachment, err := iam.NewRolePolicyAttachment(b.ctx, b.name+"-monitoring-policy", &iam.RolePolicyAttachmentArgs{
		Role:      b.monitoringRole.Name,
		PolicyArn: pulumi.String("arn:" + partition(b.args.Region) + ":iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"),
	}, b.child())
	if err != nil {
		return fmt.Errorf("attach policy to the monitoring role: %w", err)
	}
	b.before = append(b.before, attachment)
	return nil
}
