package iam

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"threetier/gate/recorder"
	"threetier/internal/stack"
)

const (
	account  = "123456789012"
	anywhere = "eu-west-1:" + account
)

// call is one that the program or Pulumi makes: AWS asks about each of its targets, and all have to be allowed.
type call struct {
	action  string
	targets []target
	// reads tells that it is a look-up, which shows names and settings, and no secret.
	reads bool
	// shared tells that AWS has nothing that would keep it to one stack: docs/explanation/security.md has the row.
	shared bool
}

type target struct {
	arn  string
	keys keys
}

func (c call) allowed(t testing.TB, policy []statement) bool {
	t.Helper()
	return !slices.ContainsFunc(c.targets, func(on target) bool { return !allows(t, policy, request{c.action, on.arn, on.keys}) })
}

func (c call) String() string { return fmt.Sprintf("%s on %v", c.action, c.targets) }

// calls are those of "service: Action Action" on the targets.
func calls(actions string, targets ...target) (all []call) {
	service, names, _ := strings.Cut(actions, " ")
	for name := range strings.FieldsSeq(names) {
		all = append(all, call{action: service + name, targets: targets})
	}
	return all
}

func reads(actions string, targets ...target) []call {
	if targets == nil {
		targets = []target{on("*")}
	}
	all := calls(actions, targets...)
	for i := range all {
		all[i].reads = true
	}
	return all
}

func shared(all []call) []call {
	for i := range all {
		all[i].shared = true
	}
	return all
}

func on(arn string, of ...keys) target {
	all := keys{}
	for _, each := range of {
		maps.Copy(all, each)
	}
	return target{arn, all}
}

// owner is whose tags a resource has, or gets.
type owner struct{ project, stack string }

// requested are the keys of a call that gives a resource its tags, present those of a call on what has them.
func (o owner) requested() keys {
	return keys{"aws:requesttag/project": {o.project}, "aws:requesttag/stack": {o.stack}, "aws:requesttag/managedby": {"pulumi"},
		"aws:tagkeys": {"ManagedBy", "Project", "Stack"}}
}

func (o owner) present() keys {
	return keys{"aws:resourcetag/project": {o.project}, "aws:resourcetag/stack": {o.stack}, "aws:resourcetag/managedby": {"pulumi"}}
}

// One tag more or less: the provider sends the changed ones alone.
var (
	oneMore = keys{"aws:requesttag/name": {"x"}, "aws:tagkeys": {"Name"}}
	oneLess = keys{"aws:tagkeys": {"Name"}}
)

// registered is a resource of a recording.
type registered struct {
	recorder.Resource
	owner
	inputs map[string]any
	all    *recording
}

// recording is what a stack registers.
type recording struct {
	owner
	// cluster is the EKS cluster, zone the hosted zone's id, names the public names.
	cluster, zone string
	names         []string
	resources     []registered
	lookups       []string
	calls         map[string][]call
}

func record(t testing.TB, project, name string, options recorder.Options) *recording {
	t.Helper()
	options.Project, options.Stack = project, name
	run := recorder.MustRun(t, stack.Deploy, options)
	all := &recording{owner: owner{project, name}, cluster: "acme-" + name, zone: "ZONE_ID", names: []string{name + ".example.org"}}
	for _, res := range run.Resources {
		all.resources = append(all.resources, registered{res, all.owner, res.Inputs.Mappable(), all})
		if res.Type == "aws:acm/certificate:Certificate" {
			all.names = append(all.names, res.Inputs["domainName"].StringValue())
		}
		if res.Type == "aws:route53/record:Record" {
			all.zone = res.Inputs["zoneId"].StringValue()
		}
	}
	slices.Sort(all.names[1:]) // in no order of their own
	for _, lookup := range run.Lookups {
		all.lookups = append(all.lookups, lookup.Token)
	}
	return all
}

func (r registered) text(input string) string {
	text, _ := r.inputs[input].(string)
	return text
}

// physical is an automatic name: the logical one, and a suffix.
func (r registered) physical() string { return r.Name + "-0123456" }

// one is the resource of that type in the same stack.
func (r registered) one(typ string) registered {
	for _, other := range r.all.resources {
		if other.Type == typ && (typ != roleType || other.Parent == r.Parent) {
			return other
		}
	}
	panic(r.Name + " is without a " + typ)
}

const (
	roleType, groupType           = "aws:iam/role:Role", "aws:ec2/securityGroup:SecurityGroup"
	parametersType, subnetsType   = "aws:rds/parameterGroup:ParameterGroup", "aws:rds/subnetGroup:SubnetGroup"
	instanceType, certificateType = "aws:rds/instance:Instance", "aws:acm/certificate:Certificate"
)

// arn is the resource's own, where a policy can tell it by nothing else than its name.
func (r registered) arn() string {
	switch r.Type {
	case "aws:cloudwatch/logGroup:LogGroup":
		return "arn:aws:logs:" + anywhere + ":log-group:" + r.text("name")
	case "aws:cloudwatch/logMetricFilter:LogMetricFilter":
		return "arn:aws:logs:" + anywhere + ":log-group:" + r.text("logGroupName") + ":log-stream:"
	case "aws:cloudwatch/metricAlarm:MetricAlarm":
		return "arn:aws:cloudwatch:" + anywhere + ":alarm:" + r.physical()
	case "aws:cloudwatch/dashboard:Dashboard":
		return "arn:aws:cloudwatch::" + account + ":dashboard/" + r.text("dashboardName")
	case groupType:
		return "arn:aws:ec2:" + anywhere + ":security-group/sg-0" + r.stack
	case "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule":
		return "arn:aws:ec2:" + anywhere + ":security-group-rule/sgr-0" + r.stack
	case roleType:
		return "arn:aws:iam::" + account + ":role/" + r.physical()
	case "aws:rds/eventSubscription:EventSubscription":
		return "arn:aws:rds:" + anywhere + ":es:" + r.physical()
	case parametersType:
		return "arn:aws:rds:" + anywhere + ":pg:" + r.physical()
	case subnetsType:
		return "arn:aws:rds:" + anywhere + ":subgrp:" + r.physical()
	case instanceType:
		return "arn:aws:rds:" + anywhere + ":db:" + r.text("identifier")
	case "aws:secretsmanager/secret:Secret":
		return "arn:aws:secretsmanager:" + anywhere + ":secret:" + r.physical() + "-AbCdEf"
	case "aws:eks/podIdentityAssociation:PodIdentityAssociation":
		return "arn:aws:eks:" + anywhere + ":podidentityassociation/" + r.text("clusterName") + "/a-0123456"
	case certificateType:
		return "arn:aws:acm:" + anywhere + ":certificate/" + r.stack
	}
	panic("the test knows no ARN of " + r.Type)
}

// own is the resource as it is there, with its tags.
func (r registered) own(of ...keys) target { return on(r.arn(), append(of, r.present())...) }

// made is the resource as it comes into being: it has no tags yet, and the request has them.
func (r registered) made(of ...keys) target { return on(r.arn(), append(of, r.requested())...) }

// tagging are the calls of the actions at creation and for one tag more, and of those for one less.
func (r registered) tagging(tag, untag string) []call {
	return slices.Concat(calls(tag, r.made()), calls(tag, r.own(oneMore)), calls(untag, r.own(oneLess)))
}

// ofTypes are the calls that create, read, change, tag and delete a resource. Sources: what terraform-provider-aws 5 calls
// in internal/service/…, and for RDS the permissions that the handlers of AWS's own CloudFormation types list
// (github.com/aws-cloudformation/aws-cloudformation-resource-providers-rds). Which resources an action wants, and which
// keys it has: https://docs.aws.amazon.com/service-authorization/latest/reference/, list_amazonrds.html and its sisters.
var ofTypes = map[string]func(registered) []call{
	// logs/group.go
	"aws:cloudwatch/logGroup:LogGroup": func(r registered) []call {
		return slices.Concat(
			calls("logs: CreateLogGroup", r.made()),
			calls("logs: DeleteLogGroup DeleteRetentionPolicy PutRetentionPolicy", r.own()),
			r.tagging("logs: TagResource", "logs: UntagResource"),
			reads("logs: DescribeLogGroups ListTagsForResource"),
		)
	},
	// cloudwatch/metric_alarm.go: a change puts the whole alarm again, with its tags.
	"aws:cloudwatch/metricAlarm:MetricAlarm": func(r registered) []call {
		return slices.Concat(
			calls("cloudwatch: PutMetricAlarm", r.made()),
			calls("cloudwatch: PutMetricAlarm", r.own(r.requested())),
			calls("cloudwatch: DeleteAlarms", r.own()),
			r.tagging("cloudwatch: TagResource", "cloudwatch: UntagResource"),
			reads("cloudwatch: DescribeAlarms ListTagsForResource"),
		)
	},
	// ec2/vpc_security_group.go: the egress rule that AWS adds is revoked; interfaces are looked for before deletion. What
	// tags the group as it is created says so: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/supported-iam-actions-tagging.html
	groupType: func(r registered) []call {
		rule := on("arn:aws:ec2:" + anywhere + ":security-group-rule/*")
		return slices.Concat(
			calls("ec2: CreateSecurityGroup", r.made(), on("arn:aws:ec2:"+anywhere+":vpc/"+r.text("vpcId"))),
			calls("ec2: CreateTags", r.made(keys{"ec2:createaction": {"CreateSecurityGroup"}})),
			calls("ec2: AuthorizeSecurityGroupEgress AuthorizeSecurityGroupIngress RevokeSecurityGroupEgress RevokeSecurityGroupIngress", r.own(), rule),
			calls("ec2: DeleteSecurityGroup", r.own()),
			calls("ec2: CreateTags", r.own(oneMore)), calls("ec2: DeleteTags", r.own(oneLess)),
			reads("ec2: DescribeNetworkInterfaces DescribeSecurityGroups"),
		)
	},
	// ec2/vpc_security_group_ingress_rule.go: the tags come in a call of their own.
	"aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": func(r registered) []call {
		return slices.Concat(
			calls("ec2: AuthorizeSecurityGroupIngress", r.one(groupType).own(), on(r.arn())),
			calls("ec2: ModifySecurityGroupRules RevokeSecurityGroupIngress", r.one(groupType).own(), r.own()),
			r.tagging("ec2: CreateTags", "ec2: DeleteTags"),
			reads("ec2: DescribeSecurityGroupRules"),
		)
	},
	// iam/role.go
	roleType: func(r registered) []call {
		boundary := keys{}
		if arn := r.text("permissionsBoundary"); arn != "" {
			boundary["iam:permissionsboundary"] = []string{arn}
		}
		all := slices.Concat(
			calls("iam: CreateRole", r.made(boundary)),
			calls("iam: DeleteRole UpdateAssumeRolePolicy UpdateRole UpdateRoleDescription", r.own(boundary)),
			r.tagging("iam: TagRole", "iam: UntagRole"),
			reads("iam: GetRole ListAttachedRolePolicies ListInstanceProfilesForRole ListRolePolicies", on(r.arn())),
		)
		if len(boundary) > 0 {
			all = append(all, calls("iam: PutRolePermissionsBoundary", r.own(boundary))...)
		}
		return all
	},
	// iam/role_policy_attachment.go
	"aws:iam/rolePolicyAttachment:RolePolicyAttachment": func(r registered) []call {
		return slices.Concat(
			calls("iam: AttachRolePolicy DetachRolePolicy", r.one(roleType).own(keys{"iam:policyarn": {r.text("policyArn")}})),
			reads("iam: ListAttachedRolePolicies", on(r.one(roleType).arn())),
		)
	},
	// iam/role_policy.go
	"aws:iam/rolePolicy:RolePolicy": func(r registered) []call {
		boundary := keys{"iam:permissionsboundary": {r.one(roleType).text("permissionsBoundary")}}
		return slices.Concat(
			calls("iam: DeleteRolePolicy PutRolePolicy", r.one(roleType).own(boundary)),
			reads("iam: GetRolePolicy", on(r.one(roleType).arn())),
		)
	},
	// eks/pod_identity_association.go; EKS wants the role to be passed
	"aws:eks/podIdentityAssociation:PodIdentityAssociation": func(r registered) []call {
		role := r.one(roleType).arn()
		return slices.Concat(
			calls("eks: CreatePodIdentityAssociation", on("arn:aws:eks:"+anywhere+":cluster/"+r.text("clusterName"), r.requested())),
			calls("eks: DeletePodIdentityAssociation UpdatePodIdentityAssociation", r.own()),
			r.tagging("eks: TagResource", "eks: UntagResource"),
			passes(role, "pods.eks.amazonaws.com"), reads("iam: GetRole", on(role)), reads("eks: DescribePodIdentityAssociation", on(r.arn())),
		)
	},
	// rds/event_subscription.go; aws-rds-eventsubscription.json
	"aws:rds/eventSubscription:EventSubscription": func(r registered) []call {
		return slices.Concat(
			calls("rds: CreateEventSubscription", r.made()),
			calls("rds: AddSourceIdentifierToSubscription DeleteEventSubscription ModifyEventSubscription RemoveSourceIdentifierFromSubscription", r.own()),
			r.tagging("rds: AddTagsToResource", "rds: RemoveTagsFromResource"),
			reads("rds: DescribeEventSubscriptions ListTagsForResource"),
		)
	},
	// rds/parameter_group.go; aws-rds-dbparametergroup.json
	parametersType: func(r registered) []call {
		return slices.Concat(
			calls("rds: CreateDBParameterGroup", r.made()),
			calls("rds: DeleteDBParameterGroup ModifyDBParameterGroup ResetDBParameterGroup", r.own()),
			r.tagging("rds: AddTagsToResource", "rds: RemoveTagsFromResource"),
			reads("rds: DescribeDBParameterGroups DescribeDBParameters ListTagsForResource"),
		)
	},
	// rds/subnet_group.go; aws-rds-dbsubnetgroup.json
	subnetsType: func(r registered) []call {
		return slices.Concat(
			calls("rds: CreateDBSubnetGroup", r.made()),
			calls("rds: DeleteDBSubnetGroup ModifyDBSubnetGroup", r.own()),
			r.tagging("rds: AddTagsToResource", "rds: RemoveTagsFromResource"),
			reads("rds: DescribeDBSubnetGroups ListTagsForResource"),
		)
	},
	instanceType: ofInstance,
	// secretsmanager/secret.go. With tags, CreateSecret also wants TagResource, while there are no tags:
	// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html
	"aws:secretsmanager/secret:Secret": func(r registered) []call {
		return slices.Concat(
			calls("secretsmanager: CreateSecret", r.made()),
			calls("secretsmanager: DeleteSecret DescribeSecret GetResourcePolicy UpdateSecret", r.own()),
			r.tagging("secretsmanager: TagResource", "secretsmanager: UntagResource"),
		)
	},
	// secretsmanager/secret_version.go: of the secret by the same name
	"aws:secretsmanager/secretVersion:SecretVersion": func(r registered) []call {
		return calls("secretsmanager: GetSecretValue PutSecretValue UpdateSecretVersionStage", r.one("aws:secretsmanager/secret:Secret").own())
	},
	// cloudwatch/dashboard.go
	"aws:cloudwatch/dashboard:Dashboard": func(r registered) []call {
		return calls("cloudwatch: DeleteDashboards GetDashboard PutDashboard", on(r.arn()))
	},
	// logs/metric_filter.go: the group is the cluster's
	"aws:cloudwatch/logMetricFilter:LogMetricFilter": func(r registered) []call {
		return slices.Concat(calls("logs: DeleteMetricFilter PutMetricFilter", on(r.arn())), reads("logs: DescribeMetricFilters"))
	},
	// route53/health_check.go. Its actions have no condition keys, and its ids are AWS's.
	"aws:route53/healthCheck:HealthCheck": func(registered) []call {
		check := on("arn:aws:route53:::healthcheck/01234567-89ab-cdef-0123-456789abcdef")
		return slices.Concat(
			shared(calls("route53: CreateHealthCheck", on("*"))),
			shared(calls("route53: ChangeTagsForResource DeleteHealthCheck UpdateHealthCheck", check)),
			reads("route53: GetHealthCheck ListTagsForResource", check),
		)
	},
	// acm/certificate.go. With tags, RequestCertificate also wants AddTagsToCertificate (hashicorp/terraform-provider-aws#11903).
	certificateType: func(r registered) []call {
		return slices.Concat(
			calls("acm: RequestCertificate", on("*", r.requested(), keys{"acm:domainnames": {r.text("domainName")}})),
			calls("acm: DeleteCertificate", r.own()),
			r.tagging("acm: AddTagsToCertificate", "acm: RemoveTagsFromCertificate"),
			reads("acm: DescribeCertificate ListTagsForCertificate"),
		)
	},
	// acm/certificate_validation.go
	"aws:acm/certificateValidation:CertificateValidation": func(registered) []call { return reads("acm: DescribeCertificate") },
	// route53/record.go. A change has its names and types:
	// https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/specifying-rrset-conditions.html
	"aws:route53/record:Record": func(r registered) []call {
		zone := on("arn:aws:route53:::hostedzone/" + r.text("zoneId"))
		return slices.Concat(
			calls("route53: ChangeResourceRecordSets", on(zone.arn, changing(r.text("type"), strings.TrimSuffix(r.text("name"), ".")))),
			reads("route53: GetChange GetHostedZone ListResourceRecordSets"),
		)
	},
}

func changing(recordType string, names ...string) keys {
	return keys{"route53:changeresourcerecordsetsnormalizedrecordnames": names, "route53:changeresourcerecordsetsrecordtypes": {recordType},
		"route53:changeresourcerecordsetsactions": {"UPSERT"}}
}

// passes lets a service take a role. Its tags are none of the request's keys:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
func passes(role, service string) []call {
	return shared(calls("iam: PassRole", on(role, keys{"iam:passedtoservice": {service}})))
}

// ofInstance is from rds/instance.go and aws-rds-dbinstance.json. CreateDBSnapshot is for the final snapshot, PassRole for
// the monitoring role, and those of kms for kmsKeyArn. The new instance's tags are in every part of a request.
func ofInstance(r registered) []call {
	beside := []target{
		r.one(parametersType).own(r.requested()), r.one(subnetsType).own(r.requested()), on("arn:aws:rds:"+anywhere+":og:default:postgres-17", r.requested()),
	}
	snapshot := "arn:aws:rds:" + anywhere + ":snapshot:rds:" + r.text("identifier") + "-2026-01-31-03-00"
	replica := on(r.arn()+"-replica-1", r.requested())
	all := slices.Concat(
		calls("rds: CreateDBInstance", append(beside, r.made())...),
		calls("rds: RestoreDBInstanceFromDBSnapshot", append(beside, r.made(), on(snapshot, r.requested(), r.present()))...),
		calls("rds: CreateDBInstanceReadReplica", append(beside, r.own(r.requested()), replica)...),
		calls("rds: ModifyDBInstance", r.own(), r.one(parametersType).own(), on("arn:aws:rds:"+anywhere+":pg:default.postgres17")),
		calls("rds: DeleteDBInstance RebootDBInstance", r.own()),
		r.tagging("rds: AddTagsToResource", "rds: RemoveTagsFromResource"),
		reads("rds: DescribeDBInstances ListTagsForResource"),
		reads(`ec2: DescribeAccountAttributes DescribeAvailabilityZones DescribeInternetGateways DescribeSecurityGroups DescribeSubnets
			DescribeVpcAttribute DescribeVpcs`),
		shared(calls("iam: CreateServiceLinkedRole", on("arn:aws:iam::"+account+":role/aws-service-role/rds.amazonaws.com/AWSServiceRoleForRDS",
			keys{"iam:awsservicename": {"rds.amazonaws.com"}}))),
		shared(calls("kms: CreateGrant", on("arn:aws:kms:"+anywhere+":key/0", viaRDS, keys{"kms:grantisforawsresource": {"true"}}))),
		shared(calls("kms: DescribeKey", on("arn:aws:kms:"+anywhere+":key/0", viaRDS))),
	)
	if r.inputs["finalSnapshotIdentifier"] != nil {
		all = append(all, calls("rds: CreateDBSnapshot", r.own(), on("arn:aws:rds:"+anywhere+":snapshot:"+r.text("finalSnapshotIdentifier")))...)
	}
	if r.inputs["monitoringRoleArn"] != nil {
		all = append(all, passes(r.one(roleType).arn(), "monitoring.rds.amazonaws.com")...)
	}
	return all
}

var viaRDS = keys{"kms:viaservice": {"rds.eu-west-1.amazonaws.com"}}

// ofLookups are the calls of what the program asks AWS for. Where pods of an add-on have a role, its association is looked
// up too (eks/addon_data_source.go). The zone of the load balancers is a table in the provider.
func ofLookups(cluster string) map[string][]call {
	eks := "arn:aws:eks:" + anywhere + ":"
	return map[string][]call{
		"aws:eks/getCluster:getCluster": reads("eks: DescribeCluster", on(eks+"cluster/"+cluster)),
		"aws:eks/getAddon:getAddon": slices.Concat(reads("eks: DescribeAddon", on(eks+"addon/"+cluster+"/vpc-cni/0")),
			reads("eks: DescribePodIdentityAssociation", on(eks+"podidentityassociation/"+cluster+"/a-0"))),
		// Some of these only ask where an instance stands, a snapshot is restored or a major is upgraded.
		"aws:rds/getInstances:getInstances":         reads("rds: DescribeDBInstances ListTagsForResource"),
		"aws:rds/getInstance:getInstance":           reads("rds: DescribeDBInstances ListTagsForResource"),
		"aws:rds/getSnapshot:getSnapshot":           reads("rds: DescribeDBSnapshots ListTagsForResource"),
		"aws:rds/getEngineVersion:getEngineVersion": reads("rds: DescribeDBEngineVersions"),
		// And these only where the class is another, and where the clients are of another VPC.
		"aws:rds/getOrderableDbInstance:getOrderableDbInstance":   reads("rds: DescribeOrderableDBInstanceOptions"),
		"aws:ec2/getVpcPeeringConnection:getVpcPeeringConnection": reads("ec2: DescribeVpcPeeringConnections"),

		"aws:ec2/getSecurityGroup:getSecurityGroup": reads("ec2: DescribeSecurityGroups"),
		"aws:ec2/getSubnet:getSubnet":               reads("ec2: DescribeSubnets"),
		"aws:ec2/getSubnets:getSubnets":             reads("ec2: DescribeSubnets"),
		"aws:ec2/getInstances:getInstances":         reads("ec2: DescribeInstances"),
		// ec2/vpc_data_source.go: its attributes, and its main route table.
		"aws:ec2/getVpc:getVpc":                  reads("ec2: DescribeRouteTables DescribeVpcAttribute DescribeVpcs"),
		"aws:ec2/getRouteTables:getRouteTables":  reads("ec2: DescribeRouteTables"),
		"aws:ec2/getRouteTable:getRouteTable":    reads("ec2: DescribeRouteTables"),
		"aws:acm/getCertificate:getCertificate":  reads("acm: DescribeCertificate GetCertificate ListCertificates ListTagsForCertificate"),
		"aws:route53/getZone:getZone":            reads("route53: GetHostedZone ListHostedZones ListTagsForResource"),
		"aws:lb/getHostedZoneId:getHostedZoneId": nil,
	}
}

// ofSecrets are the look-ups of secrets that others keep for a stack. They show them.
func ofSecrets(o owner) map[string][]call {
	name := o.project + "/" + o.stack
	return map[string][]call{
		"aws:secretsmanager/getSecretVersion:getSecretVersion": calls("secretsmanager: GetSecretValue", on("arn:aws:secretsmanager:"+anywhere+":secret:"+name+"/stripe-AbCdEf")),
		"aws:ssm/getParameter:getParameter":                    calls("ssm: GetParameter", on("arn:aws:ssm:"+anywhere+":parameter/"+name+"/smtp")),
	}
}

const bucket = "arn:aws:s3:::acme-pulumi-state"

func state(o owner, path string) target {
	return on(bucket + "/.pulumi/" + fmt.Sprintf(path, o.project, o.stack))
}

// key is what encrypts a stack's secrets. An alias is an account's: another project has other ones.
func key(o owner) target {
	alias := "alias/pulumi-" + o.stack
	if o.project == "other" {
		alias = "alias/other-" + o.stack
	}
	return on("arn:aws:kms:"+anywhere+":key/0", keys{"kms:resourcealiases": {alias}})
}

// toPreview and toDeploy are what Pulumi itself does: a preview takes no lock and writes nothing (pulumi/pulumi,
// pkg/backend/diy).
func toPreview(o owner) []call {
	return slices.Concat(
		reads("s3: ListBucket", on(bucket)), reads("s3: GetObject", on(bucket+"/.pulumi/meta.yaml")),
		calls("s3: GetObject", state(o, "stacks/%s/%s.json")), calls("s3: GetObject", state(o, "history/%s/%s/0.json")),
		calls("s3: GetObject", state(o, "backups/%s/%s/0.json")), calls("s3: GetObject", state(o, "locks/organization/%s/%s/0.json")),
		calls("kms: Decrypt", key(o)),
	)
}

func toDeploy(o owner) (all []call) {
	for _, path := range []string{"stacks/%s/%s.json", "history/%s/%s/0.json", "backups/%s/%s/0.json", "locks/organization/%s/%s/0.json"} {
		all = append(all, calls("s3: DeleteObject PutObject", state(o, path))...)
	}
	return append(all, toPreview(o)...)
}
