// Package scorecard judges a recorded stack by the AWS Security Hub controls that apply to one PostgreSQL instance
// on Amazon RDS and to the secrets of its logins. It looks at what was registered, not at how the program came to it.
//
// Controls that the stack doesn't decide are left out. Those of EKS are of the cluster, which the stack only looks up.
// SecretsManager.2 is of secrets that rotate by themselves, and SecretsManager.3 of when a secret was last read.
package scorecard

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"threetier/gate/recorder"
	"threetier/internal/allow"
)

// Control is one control: Check names what fails it, or is empty where it passes.
type Control struct {
	ID, Title string
	Check     func(Evidence) string
	// ByDesign is why no stack of this program meets it.
	ByDesign string
}

// Evidence is what a control looks at.
type Evidence struct {
	// Instances are the primary and its replicas.
	Instances []recorder.Resource
	// Recording is the whole stack.
	Recording *recorder.Recording
	// PublicSubnets are those with a route to an internet gateway.
	PublicSubnets []string
}

// rotatedByVersion is short: it stands in a cell. docs/decisions/password.md has the reasons.
const rotatedByVersion = "passwordVersion rotates all logins"

// Controls are those that apply, by number.
var Controls = []Control{
	{ID: "RDS.2", Title: "not publicly accessible", Check: every("publiclyAccessible", false)},
	{ID: "RDS.3", Title: "storage encrypted", Check: every("storageEncrypted", true)},
	{ID: "RDS.4", Title: "snapshots encrypted, as their instance is", Check: every("storageEncrypted", true)},
	{ID: "RDS.5", Title: "several availability zones", Check: each(primaries, is("multiAz", true))},
	{ID: "RDS.6", Title: "enhanced monitoring", Check: enhancedMonitoring},
	{ID: "RDS.8", Title: "deletion protection", Check: every("deletionProtection", true)},
	{ID: "RDS.9", Title: "logs published to CloudWatch", Check: publishedLogs},
	{ID: "RDS.10", Title: "IAM authentication possible", Check: every("iamDatabaseAuthenticationEnabled", true)},
	{ID: "RDS.11", Title: "backups of 7 days", Check: backups},
	{ID: "RDS.13", Title: "minor versions upgrade by themselves", Check: every("autoMinorVersionUpgrade", true)},
	{ID: "RDS.17", Title: "tags copied to snapshots", Check: every("copyTagsToSnapshot", true)},
	{ID: "RDS.20", Title: "events of instances notified", Check: notified("db-instance", "maintenance", "configuration change", "failure")},
	{ID: "RDS.21", Title: "events of parameter groups notified", Check: notified("db-parameter-group", "configuration change")},
	{ID: "RDS.22", Title: "events of security groups notified", Check: notified("db-security-group", "configuration change", "failure")},
	{ID: "RDS.23", Title: "not the engine's default port", Check: otherThan("port", 5432.0)},
	{ID: "RDS.25", Title: "not the default administrator", Check: otherThan("username", "postgres")},
	{ID: "RDS.26", Title: "tagged for an AWS Backup plan", Check: inBackupPlan},
	{ID: "RDS.30", Title: "instances tagged", Check: tagged("aws:rds/instance:Instance")},
	{ID: "RDS.32", Title: "snapshots tagged, as their instance is", Check: every("copyTagsToSnapshot", true)},
	{ID: "RDS.33", Title: "subnet groups tagged", Check: tagged("aws:rds/subnetGroup:SubnetGroup")},
	{ID: "RDS.36", Title: "PostgreSQL's logs published, and kept for a while", Check: publishedLogs},
	{ID: "RDS.38", Title: "TLS enforced", Check: forcedTLS},
	{ID: "RDS.46", Title: "no subnet with a route to an internet gateway", Check: privateSubnets},
	{ID: "SecretsManager.1", Title: "secrets rotate by themselves", Check: rotation, ByDesign: rotatedByVersion},
	{ID: "SecretsManager.4", Title: "secrets rotated within 90 days", Check: rotation, ByDesign: rotatedByVersion},
	{ID: "SecretsManager.5", Title: "secrets tagged", Check: tagged("aws:secretsmanager/secret:Secret")},
}

// Status of a control.
const (
	Pass    = "pass"
	Allowed = "allowed"
	Fail    = "fail"
	// ByDesign is a control that no stack of this program meets.
	ByDesign = "not met by design"
)

// Verdict is a control's status in one stack, and why.
type Verdict struct {
	Status string `json:"status"`
	Why    string `json:"why"`
}

// String is the verdict in one cell of a table.
func (v Verdict) String() string {
	if v.Why == "" {
		return v.Status
	}
	return v.Status + ": " + v.Why
}

// Judge returns the verdicts for a stack, by control, with the exceptions of its database.
func Judge(evidence Evidence, allowed allow.List) map[string]Verdict {
	verdicts := map[string]Verdict{}
	for _, control := range Controls {
		failure := control.Check(evidence)
		switch {
		case failure == "":
			verdicts[control.ID] = Verdict{Status: Pass}
		case control.ByDesign != "":
			verdicts[control.ID] = Verdict{ByDesign, control.ByDesign}
		case allowed.Has(control.ID):
			verdicts[control.ID] = Verdict{Allowed, allowed[control.ID]}
		default:
			verdicts[control.ID] = Verdict{Fail, failure}
		}
	}
	return verdicts
}

// Of is the evidence of a recorded stack, in a network.
func Of(recording *recorder.Recording, network *recorder.Network) Evidence {
	evidence := Evidence{Recording: recording, Instances: recording.All("aws:rds/instance:Instance")}
	for _, subnet := range network.All() {
		if subnet.Public || (subnet.Main && network.MainIsPublic) {
			evidence.PublicSubnets = append(evidence.PublicSubnets, subnet.ID)
		}
	}
	return evidence
}

// input is an input's value as plain Go, nil where there is none.
func input(res recorder.Resource, name string) any {
	value, given := res.Inputs[resource.PropertyKey(name)]
	if !given {
		return nil
	}
	return value.Mappable()
}

// each applies a check to every instance it is for; no instance at all fails.
func each(applies func(recorder.Resource) bool, check func(recorder.Resource) string) func(Evidence) string {
	return func(e Evidence) string {
		if len(e.Instances) == 0 {
			return "there is no instance"
		}
		for _, instance := range e.Instances {
			if !applies(instance) {
				continue
			}
			if failure := check(instance); failure != "" {
				return instance.Name + ": " + failure
			}
		}
		return ""
	}
}

func all(recorder.Resource) bool { return true }

func primaries(res recorder.Resource) bool { return input(res, "replicateSourceDb") == nil }

func every(name string, want any) func(Evidence) string { return each(all, is(name, want)) }

func is(name string, want any) func(recorder.Resource) string {
	return func(res recorder.Resource) string {
		if got := input(res, name); got != want {
			return fmt.Sprintf("%s is %v", name, got)
		}
		return ""
	}
}

func otherThan(name string, bad any) func(Evidence) string {
	return each(primaries, func(res recorder.Resource) string {
		if got := input(res, name); got == nil || got == bad {
			return fmt.Sprintf("%s is %v", name, got)
		}
		return ""
	})
}

var enhancedMonitoring = each(all, func(res recorder.Resource) string {
	interval, _ := input(res, "monitoringInterval").(float64)
	if interval <= 0 || input(res, "monitoringRoleArn") == nil {
		return fmt.Sprintf("monitoringInterval is %v", interval)
	}
	return ""
})

var backups = each(primaries, func(res recorder.Resource) string {
	if days, _ := input(res, "backupRetentionPeriod").(float64); days < 7 {
		return fmt.Sprintf("backupRetentionPeriod is %v", days)
	}
	return ""
})

var inBackupPlan = each(primaries, func(res recorder.Resource) string {
	tags, _ := input(res, "tags").(map[string]any)
	if tags["backup-plan"] == nil {
		return "no tag backup-plan"
	}
	return ""
})

// publishedLogs wants each exported log's group to exist, with a retention: RDS's own would never forget.
func publishedLogs(e Evidence) string {
	kept := map[any]bool{}
	for _, group := range e.Recording.All("aws:cloudwatch/logGroup:LogGroup") {
		days, _ := input(group, "retentionInDays").(float64)
		kept[input(group, "name")] = days > 0
	}
	return each(all, func(res recorder.Resource) string {
		exports, _ := input(res, "enabledCloudwatchLogsExports").([]any)
		for _, log := range []string{"postgresql", "upgrade"} {
			group := fmt.Sprintf("/aws/rds/instance/%v/%s", input(res, "identifier"), log)
			if !slices.Contains(exports, any(log)) || !kept[group] {
				return log + " isn't exported to a group with a retention"
			}
		}
		return ""
	})(e)
}

func notified(source string, categories ...string) func(Evidence) string {
	return func(e Evidence) string {
		for _, subscription := range e.Recording.All("aws:rds/eventSubscription:EventSubscription") {
			subscribed, _ := input(subscription, "eventCategories").([]any)
			missing := slices.DeleteFunc(slices.Clone(categories), func(c string) bool { return slices.Contains(subscribed, any(c)) })
			if input(subscription, "sourceType") == source && input(subscription, "enabled") == true && len(missing) == 0 {
				return ""
			}
		}
		return "no subscription to " + strings.Join(categories, ", ")
	}
}

func tagged(typ string) func(Evidence) string {
	return func(e Evidence) string {
		found := e.Recording.All(typ)
		if len(found) == 0 {
			return "there is none"
		}
		for _, res := range found {
			if tags, _ := input(res, "tags").(map[string]any); len(tags) == 0 {
				return res.Name + " has no tags"
			}
		}
		return ""
	}
}

// rotation wants secrets to rotate on a schedule: only Secrets Manager's own rotation counts as one.
func rotation(e Evidence) string {
	if len(e.Recording.All("aws:secretsmanager/secretRotation:SecretRotation")) == 0 {
		return "no secret has a schedule"
	}
	return ""
}

func forcedTLS(e Evidence) string {
	groups := e.Recording.All("aws:rds/parameterGroup:ParameterGroup")
	for _, group := range groups {
		parameters, _ := input(group, "parameters").([]any)
		forced := slices.ContainsFunc(parameters, func(parameter any) bool {
			fields, _ := parameter.(map[string]any)
			return fields["name"] == "rds.force_ssl" && fields["value"] == "1"
		})
		if !forced {
			return group.Name + " doesn't set rds.force_ssl to 1"
		}
	}
	return each(all, func(res recorder.Resource) string {
		if len(groups) == 0 || input(res, "parameterGroupName") == nil {
			return "no parameter group of its own"
		}
		return ""
	})(e)
}

func privateSubnets(e Evidence) string {
	groups := e.Recording.All("aws:rds/subnetGroup:SubnetGroup")
	if len(groups) == 0 {
		return "there is no subnet group"
	}
	for _, group := range groups {
		subnets, _ := input(group, "subnetIds").([]any)
		for _, subnet := range subnets {
			if slices.Contains(e.PublicSubnets, fmt.Sprint(subnet)) {
				return fmt.Sprintf("%v has a route to an internet gateway", subnet)
			}
		}
	}
	return ""
}
