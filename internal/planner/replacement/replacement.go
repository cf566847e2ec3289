// Package replacement knows which changes of a resource make a new one in its place.
package replacement

import (
	"slices"
	"strings"
)

// The providers, whose replacement is that of all that they manage.
const (
	AWS        = "pulumi:providers:aws"
	Kubernetes = "pulumi:providers:kubernetes"
)

// replacing are, by type, the inputs whose change makes a new resource in the place of the old one. Those of AWS are
// what pulumi-aws v6 marks so, those of Kubernetes what its API doesn't let change.
var replacing = map[string][]string{
	AWS:        {"region"},
	Kubernetes: {"clusterIdentifier"},

	"aws:rds/instance:Instance": {
		"availabilityZone", "backupTarget", "dbName", "dbSubnetGroupName", "engine", "engineLifecycleSupport", "identifierPrefix",
		"kmsKeyId", "performanceInsightsKmsKeyId", "snapshotIdentifier", "storageEncrypted", "username",
	},
	"aws:rds/subnetGroup:SubnetGroup":                           {"name", "namePrefix"},
	"aws:rds/parameterGroup:ParameterGroup":                     {"description", "family", "name", "namePrefix"},
	"aws:rds/eventSubscription:EventSubscription":               {"name", "namePrefix"},
	"aws:ec2/securityGroup:SecurityGroup":                       {"description", "name", "namePrefix", "vpcId"},
	"aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": {"securityGroupId"},
	"aws:iam/role:Role":                                         {"name", "namePrefix", "path"},
	"aws:iam/rolePolicyAttachment:RolePolicyAttachment":         {"policyArn", "role"},
	"aws:cloudwatch/logGroup:LogGroup":                          {"logGroupClass", "name", "namePrefix"},
	"aws:cloudwatch/metricAlarm:MetricAlarm":                    {"name"},
	"aws:secretsmanager/secret:Secret":                          {"name", "namePrefix"},
	"aws:secretsmanager/secretVersion:SecretVersion":            {"secretBinary", "secretId", "secretString"},

	"kubernetes:core/v1:ConfigMap":   {"binaryData", "data"},
	"kubernetes:core/v1:Secret":      {"data", "stringData", "type"},
	"kubernetes:core/v1:Service":     {"spec.clusterIP"},
	"kubernetes:apps/v1:Deployment":  {"spec.selector"},
	"kubernetes:apps/v1:StatefulSet": {"spec.podManagementPolicy", "spec.selector", "spec.serviceName", "spec.volumeClaimTemplates"},
	"kubernetes:apps/v1:DaemonSet":   {"spec.selector"},
	"kubernetes:batch/v1:Job":        {"spec.completions", "spec.parallelism", "spec.selector", "spec.template"},
}

// By tells whether a change at the path makes a new resource of that type.
func By(typ, path string) bool {
	keys := replacing[typ]
	if strings.HasPrefix(typ, "kubernetes:") {
		keys = append([]string{"metadata.name", "metadata.namespace"}, keys...)
	}
	return slices.ContainsFunc(keys, func(key string) bool { return Below(path, key) })
}

// Below tells whether a path is a key's own, or leads into its value.
func Below(path, key string) bool {
	rest, found := strings.CutPrefix(path, key)
	return found && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// Provider is the type of the provider that manages resources of a type; empty for components.
func Provider(typ string) string {
	switch {
	case strings.HasPrefix(typ, "aws:"):
		return AWS
	case strings.HasPrefix(typ, "kubernetes:"):
		return Kubernetes
	}
	return ""
}
