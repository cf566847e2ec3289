package database

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

const (
	// Logs of a kept database cover a month's incident review; others only the days in which somebody looks.
	keptLogDays       = 30
	disposableLogDays = 7
)

// databaseLogs are the logs that RDS for PostgreSQL can export.
var databaseLogs = []string{"postgresql", "upgrade"}

// createLogGroups comes before the instances: RDS would create them itself, and keep the logs for ever.
func (b *builder) createLogGroups() error {
	days := disposableLogDays
	if b.args.keeps() {
		days = keptLogDays
	}
	for instance := range b.args.ReadReplicas + 1 {
		for _, log := range databaseLogs {
			suffix := replicaSuffix(instance)
			group, err := cloudwatch.NewLogGroup(b.ctx, b.name+suffix+"-log-"+log, &cloudwatch.LogGroupArgs{
				Name:            pulumi.String(fmt.Sprintf("/aws/rds/instance/%s/%s", b.identifier()+suffix, log)),
				RetentionInDays: pulumi.Int(days),
				Tags:            b.tags(),
			}, b.child())
			if err != nil {
				return fmt.Errorf("create log group for %s: %w", log, err)
			}
			b.before = append(b.before, group)
		}
	}
	return nil
}
