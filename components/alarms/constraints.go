package alarms

import (
	"regexp"

	"threetier/internal/constraint"
)

// DefaultSlowSeconds is above the 1.8 s from which web.dev calls a page's first byte poor.
const DefaultSlowSeconds = 2

// Constraints of the keys. The names of both log groups are AWS's own, and hold the cluster's.
var (
	LogGroupConstraint = constraint.Text{
		Pattern: logGroupName.String(),
		Want:    "the log group of the CloudWatch Observability add-on, /aws/containerinsights/CLUSTER/application",
		Words:   "/aws/containerinsights/CLUSTER/application",
		Valid:   []string{"/aws/containerinsights/acme-prod/application"},
		Invalid: []string{"acme-prod", "/aws/containerinsights/acme-prod/performance", "/aws/eks/acme-prod/cluster"},
	}
	AuditLogGroupConstraint = constraint.Text{
		Pattern: auditLogGroupName.String(),
		Want:    "the log group of the EKS control plane, /aws/eks/CLUSTER/cluster",
		Words:   "/aws/eks/CLUSTER/cluster",
		Valid:   []string{"/aws/eks/acme-prod/cluster"},
		Invalid: []string{"acme-prod", "/aws/eks/acme-prod", "/aws/containerinsights/acme-prod/application"},
	}
	OutsideTopicARNConstraint = constraint.Text{
		Pattern: `^arn:aws:sns:us-east-1:\d{12}:[A-Za-z0-9_-]{1,256}$`,
		Want:    "the ARN of an SNS topic in us-east-1, as arn:aws:sns:us-east-1:123456789012:alerts",
		Words:   "the ARN of an SNS topic in us-east-1",
		Valid:   []string{"arn:aws:sns:us-east-1:123456789012:alerts"},
		Invalid: []string{"alerts", "arn:aws:sns:eu-west-1:123456789012:alerts", "arn:aws:sqs:us-east-1:123456789012:alerts"},
	}
	SlowSecondsConstraint = constraint.Number{Default: DefaultSlowSeconds, Min: 1, Max: 3600}
)

const clusterName = `([A-Za-z0-9][A-Za-z0-9_-]{0,99})`

var (
	logGroupName      = regexp.MustCompile("^/aws/containerinsights/" + clusterName + "/application$")
	auditLogGroupName = regexp.MustCompile("^/aws/eks/" + clusterName + "/cluster$")
)
