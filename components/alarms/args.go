package alarms

import (
	"regexp"
	"strconv"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/app"
	"threetier/components/app/pods"
	"threetier/internal/keys"
	"threetier/internal/problems"
)

// AlarmsArgs say what to watch, by what, and whom to tell.
type AlarmsArgs struct {
	// Keys says what these mean.
	LogGroup, AuditLogGroup, OutsideTopicARN string
	SlowSeconds                              int

	// TopicARN is the SNS topic that alarms go to. Required.
	TopicARN string
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
	// Reachable are what somebody outside needs before the site answers. Default: nothing.
	Reachable []pulumi.Resource
	// Tiers are the app's Deployments, in the order of the request path.
	Tiers []pods.Tier
	// Jobs are the app's, by name.
	Jobs map[string]app.JobArgs
	// Database is the instance's identifier. Required.
	Database pulumi.StringInput
	// DatabaseAlarms are the ARNs of its own alarms, for the dashboard.
	DatabaseAlarms pulumi.StringArray
}

// The names of both log groups are AWS's own, and hold the cluster's.
const clusterName = `([A-Za-z0-9][A-Za-z0-9_-]{0,99})`

var (
	logGroupName      = regexp.MustCompile("^/aws/containerinsights/" + clusterName + "/application$")
	auditLogGroupName = regexp.MustCompile("^/aws/eks/" + clusterName + "/cluster$")
)

// Keys are the alarms' own, below threetier:alarms.
func (args *AlarmsArgs) Keys() keys.Table {
	return keys.Table{
		keys.Text("logGroup", &args.LogGroup).
			Match(logGroupName.String(), "the log group of the CloudWatch Observability add-on, /aws/containerinsights/CLUSTER/application").
			Words("/aws/containerinsights/CLUSTER/application").Otherwise("none: no alarms of requests and pods").
			Example("/aws/containerinsights/acme-prod/application").
			Doc("The log group to which the Amazon CloudWatch Observability add-on writes the logs of the cluster's containers. " +
				"The add-on must be installed with container logs and enhanced Container Insights, its defaults."),
		keys.Text("auditLogGroup", &args.AuditLogGroup).
			Match(auditLogGroupName.String(), "the log group of the EKS control plane, /aws/eks/CLUSTER/cluster").
			Words("/aws/eks/CLUSTER/cluster").Otherwise("none: no alarms of jobs and migrations").Example("/aws/eks/acme-prod/cluster").
			Doc("The log group to which EKS writes the cluster's audit log. The cluster's control plane logging must be on for audit."),
		keys.Text("outsideTopicArn", &args.OutsideTopicARN).
			Match(`^arn:aws:sns:us-east-1:\d{12}:[A-Za-z0-9_-]{1,256}$`, "the ARN of an SNS topic in us-east-1, as arn:aws:sns:us-east-1:123456789012:alerts").
			Words("the ARN of an SNS topic in us-east-1").Otherwise("none: no check from outside").Example("arn:aws:sns:us-east-1:123456789012:alerts").
			Doc("An SNS topic in us-east-1. Route 53 then asks the site from the internet, and this topic receives an alarm if the site doesn't answer. " +
				"Route 53 has its metrics in us-east-1 alone, and an alarm's topic is in its own region. Credentials come from the environment, as aws:profile isn't used there."),
		// The default is above the 1.8 s from which web.dev calls a page's first byte poor.
		keys.Number("slowSeconds", &args.SlowSeconds).Between(1, 3600).Default(2).Example("5").
			Needs(args.LogGroup != "", "logGroup beside it: without a log nobody knows how long requests take").
			Doc("The latency alarm's threshold, in seconds: 95 of 100 requests must take less. It needs logGroup."),
	}
}

// Complete fills in the defaults, and returns what the args can't run with.
func (args *AlarmsArgs) Complete() problems.List {
	ps := args.Keys().Complete()
	ps = append(ps, args.clusterProblems("logGroup", args.LogGroup, logGroupName)...)
	ps = append(ps, args.clusterProblems("auditLogGroup", args.AuditLogGroup, auditLogGroupName)...)
	if args.OutsideTopicARN != "" && args.Internal {
		ps = append(ps, problems.Problem{Path: "outsideTopicArn", Value: "given with nginx.internal", Want: "a site that can be reached from outside, or no topic"})
	}
	if args.TopicARN == "" && (args.LogGroup != "" || args.AuditLogGroup != "" || args.OutsideTopicARN != "" || args.SlowSeconds != 0) {
		ps = append(ps, problems.Problem{Path: "topicArn", Want: "the ARN of an SNS topic: the other keys of alarms need it"})
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

// cluster is the name that Container Insights knows the cluster by.
func (args AlarmsArgs) cluster() string { return logGroupName.FindStringSubmatch(args.LogGroup)[1] }
