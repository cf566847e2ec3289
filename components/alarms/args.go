package alarms

import (
	"regexp"
	"strconv"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/app"
	"threetier/components/app/pods"
	"threetier/internal/optional"
	"threetier/internal/problems"
)

// AlarmsArgs say what to watch, by what, and whom to tell.
type AlarmsArgs struct {
	// TopicARN is the SNS topic that is told. Required.
	TopicARN string
	// LogGroup is where the CloudWatch Observability add-on writes the containers' logs. Default: none, and nothing is
	// known of requests and pods.
	LogGroup string
	// AuditLogGroup is where EKS writes the cluster's audit log. Default: none, and nothing is known of Jobs.
	AuditLogGroup string
	// OutsideTopicARN is the SNS topic of us-east-1 that is told of the site as seen from outside. Default: none, and
	// nobody looks from there.
	OutsideTopicARN string
	// SlowSeconds is what 95 of 100 requests take at the most. Default: DefaultSlowSeconds.
	SlowSeconds *int
	// Region is the topic's. Required.
	Region string
	// EKS is the cluster's name, where it is one. Default: none, and the load balancer isn't AWS's.
	EKS string
	// Namespace is the app's. Required.
	Namespace string
	// Internal tells that nobody outside reaches the site.
	Internal bool
	// URL is where a browser finds the site, LoadBalancer the host name of its load balancer. Required.
	URL, LoadBalancer pulumi.StringInput
	// Tiers are the app's Deployments, in the order of the request path.
	Tiers []pods.Tier
	// Jobs are the app's, by name.
	Jobs map[string]app.JobArgs
	// Database is the instance's identifier. Required.
	Database pulumi.StringInput
	// DatabaseAlarms are the ARNs of its own alarms, for the dashboard.
	DatabaseAlarms pulumi.StringArray
}

// Problems are what the args can't run with.
func (args AlarmsArgs) Problems() problems.List {
	ps := LogGroupConstraint.Problems("logGroup", args.LogGroup)
	ps = append(ps, AuditLogGroupConstraint.Problems("auditLogGroup", args.AuditLogGroup)...)
	ps = append(ps, OutsideTopicARNConstraint.Problems("outsideTopicArn", args.OutsideTopicARN)...)
	ps = append(ps, SlowSecondsConstraint.Problems("slowSeconds", args.SlowSeconds)...)
	ps = append(ps, args.clusterProblems("logGroup", args.LogGroup, logGroupName)...)
	ps = append(ps, args.clusterProblems("auditLogGroup", args.AuditLogGroup, auditLogGroupName)...)
	if args.OutsideTopicARN != "" && args.Internal {
		ps = append(ps, problems.Problem{Path: "outsideTopicArn", Value: "given with nginx.internal", Want: "a site that can be reached from outside, or no topic"})
	}
	if args.TopicARN == "" && (args.LogGroup != "" || args.AuditLogGroup != "" || args.OutsideTopicARN != "" || args.SlowSeconds != nil) {
		ps = append(ps, problems.Problem{Path: "topicArn", Want: "the ARN of an SNS topic: the other keys of alarms need it"})
	}
	if args.SlowSeconds != nil && args.LogGroup == "" {
		ps = append(ps, problems.Problem{Path: "slowSeconds", Value: strconv.Itoa(*args.SlowSeconds), Want: "logGroup beside it: without a log nobody knows how long requests take"})
	}
	return ps.FirstOfEach()
}

// clusterProblems want a log group of the stack's own cluster.
func (args AlarmsArgs) clusterProblems(path, group string, name *regexp.Regexp) problems.List {
	parts := name.FindStringSubmatch(group)
	if parts == nil || args.EKS == "" || parts[1] == args.EKS {
		return nil
	}
	return problems.List{{Path: path, Value: strconv.Quote(group), Want: "the log group of the stack's cluster, " + args.EKS}}
}

func (args AlarmsArgs) withDefaults() AlarmsArgs {
	args.SlowSeconds = optional.Or(args.SlowSeconds, DefaultSlowSeconds)
	return args
}

// cluster is the name that Container Insights knows the cluster by.
func (args AlarmsArgs) cluster() string { return logGroupName.FindStringSubmatch(args.LogGroup)[1] }
