// Package securityhub judges a recorded stack by the AWS Security Hub controls that apply to one PostgreSQL instance
// on Amazon RDS. It looks at what was registered, not at how the program came to it.
package securityhub

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"threetier/internal/recorder"
)

// Control is one control: Check names what fails it, or is empty where it passes.
type Control struct {
	ID, Title string
	Check     func(Evidence) string
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

// Controls are all that apply, by number.
var Controls = []Control{
	{"RDS.2", "not publicly accessible", every("publiclyAccessible", false)},
	{"RDS.3", "storage encrypted", every("storageEncrypted", true)},
	{"RDS.4", "snapshots encrypted, as their instance is", every("storageEncrypted", true)},
	{"RDS.5", "several availability zones", primary("multiAz", true)},
	{"RDS.6", "enhanced monitoring", enhancedMonitoring},
	{"RDS.8", "deletion protection", every("deletionProtection", true)},
	{"RDS.9", "logs published to CloudWatch", publishedLogs},
	{"RDS.10", "IAM authentication possible", every("iamDatabaseAuthenticationEnabled", true)},
	{"RDS.11", "backups of 7 days", backups},
	{"RDS.13", "minor versions upgrade by themselves", every("autoMinorVersionUpgrade", true)},
	{"RDS.17", "tags copied to snapshots", every("copyTagsToSnapshot", true)},
	{"RDS.20", "events of instances notified", notified("db-instance", "maintenance", "configuration change", "failure")},
	{"RDS.21", "events of parameter groups notified", notified("db-parameter-group", "configuration change")},
	{"RDS.22", "events of security groups notified", notified("db-security-group", "configuration change", "failure")},
	{"RDS.23", "not the engine's default port", otherThan("port", 5432.0)},
	{"RDS.25", "not the default administrator", otherThan("username", "postgres")},
	{"RDS.26", "tagged for an AWS Backup plan", inBackupPlan},
	{"RDS.30", "instances tagged", tagged("aws:rds/instance:Instance")},
	{"RDS.32", "snapshots tagged, as their instance is", every("copyTagsToSnapshot", true)},
	{"RDS.33", "subnet groups tagged", tagged("aws:rds/subnetGroup:SubnetGroup")},
	{"RDS.36", "PostgreSQL's logs published, and kept for a while", publishedLogs},
	{"RDS.38", "TLS enforced", forcedTLS},
	{"RDS.46", "no subnet with a route to an internet gateway", privateSubnets},
}

// Status of a control.
const (
	Pass   = "pass"
	Waived = "waived"
	Fail   = "fail"
	// Unneeded is a waiver for a control that passes.
	Unneeded = "unneeded waiver"
)

// Verdict is a control's status in one stack, and why.
type Verdict struct {
	Status, Why string
}

// String is the verdict in one cell of a table.
func (v Verdict) String() string {
	if v.Why == "" {
		return v.Status
	}
	return v.Status + ": " + v.Why
}

// Judge gives the verdicts on a stack, by control, with its waivers.
func Judge(evidence Evidence, waive map[string]string) map[string]Verdict {
	verdicts := map[string]Verdict{}
	for _, control := range Controls {
		failure := control.Check(evidence)
		reason, waived := waive[control.ID]
		switch {
		case failure == "" && waived:
			verdicts[control.ID] = Verdict{Unneeded, reason}
		case failure == "":
			verdicts[control.ID] = Verdict{Status: Pass}
		case waived:
			verdicts[control.ID] = Verdict{Waived, reason}
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

func isReplica(res recorder.Resource) bool { return input(res, "replicateSourceDb") != nil }

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

func primaries(res recorder.Resource) bool { return !isReplica(res) }

func every(name string, want any) func(Evidence) string { return each(all, is(name, want)) }

func primary(name string, want any) func(Evidence) string { return each(primaries, is(name, want)) }

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
