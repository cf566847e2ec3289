// Package iam tests the policies of docs/iam: they allow what the stacks need, and nothing else.
package iam

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/encoding"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/internal/planner"
	"threetier/internal/recorder"
	"threetier/internal/stack"
)

// ofTypes are the actions that create, read, update, tag and delete a resource. Sources: what terraform-provider-aws 5
// calls in internal/service/…, and for RDS the permissions that the handlers of AWS's own CloudFormation types list
// (github.com/aws-cloudformation/aws-cloudformation-resource-providers-rds).
var ofTypes = map[string]string{
	// logs/group.go
	"aws:cloudwatch/logGroup:LogGroup": `logs: CreateLogGroup DeleteLogGroup DeleteRetentionPolicy DescribeLogGroups ListTagsForResource
		PutRetentionPolicy TagResource UntagResource`,
	// cloudwatch/metric_alarm.go
	"aws:cloudwatch/metricAlarm:MetricAlarm": "cloudwatch: DeleteAlarms DescribeAlarms ListTagsForResource PutMetricAlarm TagResource UntagResource",
	// ec2/vpc_security_group.go: the egress rule that AWS adds is revoked; interfaces are looked for before deletion
	"aws:ec2/securityGroup:SecurityGroup": `ec2: AuthorizeSecurityGroupEgress AuthorizeSecurityGroupIngress CreateSecurityGroup CreateTags
		DeleteSecurityGroup DeleteTags DescribeNetworkInterfaces DescribeSecurityGroups RevokeSecurityGroupEgress RevokeSecurityGroupIngress`,
	// ec2/vpc_security_group_ingress_rule.go
	"aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": `ec2: AuthorizeSecurityGroupIngress CreateTags DeleteTags
		DescribeSecurityGroupRules ModifySecurityGroupRules RevokeSecurityGroupIngress`,
	// iam/role.go
	"aws:iam/role:Role": `iam: CreateRole DeleteRole GetRole ListAttachedRolePolicies ListInstanceProfilesForRole ListRolePolicies TagRole
		UntagRole UpdateAssumeRolePolicy UpdateRole UpdateRoleDescription`,
	// iam/role_policy_attachment.go
	"aws:iam/rolePolicyAttachment:RolePolicyAttachment": "iam: AttachRolePolicy DetachRolePolicy ListAttachedRolePolicies",
	// rds/event_subscription.go; aws-rds-eventsubscription.json
	"aws:rds/eventSubscription:EventSubscription": `rds: AddSourceIdentifierToSubscription AddTagsToResource CreateEventSubscription
		DeleteEventSubscription DescribeEventSubscriptions ListTagsForResource ModifyEventSubscription RemoveSourceIdentifierFromSubscription
		RemoveTagsFromResource`,
	// rds/parameter_group.go; aws-rds-dbparametergroup.json
	"aws:rds/parameterGroup:ParameterGroup": `rds: AddTagsToResource CreateDBParameterGroup DeleteDBParameterGroup DescribeDBParameterGroups
		DescribeDBParameters ListTagsForResource ModifyDBParameterGroup RemoveTagsFromResource ResetDBParameterGroup`,
	// rds/subnet_group.go; aws-rds-dbsubnetgroup.json
	"aws:rds/subnetGroup:SubnetGroup": `rds: AddTagsToResource CreateDBSubnetGroup DeleteDBSubnetGroup DescribeDBSubnetGroups
		ListTagsForResource ModifyDBSubnetGroup RemoveTagsFromResource`,
	// rds/instance.go; aws-rds-dbinstance.json. CreateDBSnapshot is for the final snapshot, PassRole for the monitoring role,
	// and those of kms for kmsKeyArn.
	"aws:rds/instance:Instance": `rds: AddTagsToResource CreateDBInstance CreateDBInstanceReadReplica CreateDBSnapshot DeleteDBInstance
		DescribeDBInstances ListTagsForResource ModifyDBInstance RebootDBInstance RemoveTagsFromResource RestoreDBInstanceFromDBSnapshot
		ec2: DescribeAccountAttributes DescribeAvailabilityZones DescribeInternetGateways DescribeSecurityGroups DescribeSubnets
		DescribeVpcAttribute DescribeVpcs iam: CreateServiceLinkedRole PassRole kms: CreateGrant DescribeKey`,
	// secretsmanager/secret.go
	"aws:secretsmanager/secret:Secret": `secretsmanager: CreateSecret DeleteSecret DescribeSecret GetResourcePolicy TagResource UntagResource
		UpdateSecret`,
	// secretsmanager/secret_version.go
	"aws:secretsmanager/secretVersion:SecretVersion": "secretsmanager: GetSecretValue PutSecretValue UpdateSecretVersionStage",
}

// ofPermissions are those of a backend with permissions. Its role has a boundary, and can't lose it.
var ofPermissions = map[string]string{
	// iam/role.go
	"aws:iam/role:Role": `iam: CreateRole DeleteRole GetRole ListAttachedRolePolicies ListInstanceProfilesForRole ListRolePolicies
		PutRolePermissionsBoundary TagRole UntagRole UpdateAssumeRolePolicy UpdateRole UpdateRoleDescription`,
	// iam/role_policy.go
	"aws:iam/rolePolicy:RolePolicy": "iam: DeleteRolePolicy GetRolePolicy PutRolePolicy",
	// eks/pod_identity_association.go; EKS wants the role to be passed
	"aws:eks/podIdentityAssociation:PodIdentityAssociation": `eks: CreatePodIdentityAssociation DeletePodIdentityAssociation
		DescribePodIdentityAssociation TagResource UntagResource UpdatePodIdentityAssociation iam: GetRole PassRole`,
}

// ofAlarms are those of a stack with a topic.
var ofAlarms = map[string]string{
	"aws:cloudwatch/metricAlarm:MetricAlarm": ofTypes["aws:cloudwatch/metricAlarm:MetricAlarm"],
	// cloudwatch/dashboard.go
	"aws:cloudwatch/dashboard:Dashboard": "cloudwatch: DeleteDashboards GetDashboard PutDashboard",
	// logs/metric_filter.go
	"aws:cloudwatch/logMetricFilter:LogMetricFilter": "logs: DeleteMetricFilter DescribeMetricFilters PutMetricFilter",
	// route53/health_check.go
	"aws:route53/healthCheck:HealthCheck": `route53: ChangeTagsForResource CreateHealthCheck DeleteHealthCheck GetHealthCheck
		ListTagsForResource UpdateHealthCheck`,
}

// ofDomain are those of a stack with public names.
var ofDomain = map[string]string{
	// acm/certificate.go
	"aws:acm/certificate:Certificate": `acm: AddTagsToCertificate DeleteCertificate DescribeCertificate ListTagsForCertificate
		RemoveTagsFromCertificate RequestCertificate`,
	// acm/certificate_validation.go
	"aws:acm/certificateValidation:CertificateValidation": "acm: DescribeCertificate",
	// route53/record.go
	"aws:route53/record:Record": "route53: ChangeResourceRecordSets GetChange GetHostedZone ListResourceRecordSets",
}

// ofDomainLookups are those of its lookups: acm/certificate_data_source.go, route53/zone_data_source.go. The zone of the
// load balancers is a table in the provider.
var ofDomainLookups = map[string]string{
	"aws:acm/getCertificate:getCertificate":  "acm: DescribeCertificate GetCertificate ListCertificates ListTagsForCertificate",
	"aws:route53/getZone:getZone":            "route53: GetHostedZone ListHostedZones ListTagsForResource",
	"aws:lb/getHostedZoneId:getHostedZoneId": "",
}

// ofLookups are the actions of what the program asks AWS for.
var ofLookups = map[string]string{
	"aws:eks/getCluster:getCluster": "eks: DescribeCluster",
	// Where pods of the add-on have a role, its association is looked up too (eks/addon_data_source.go).
	"aws:eks/getAddon:getAddon": "eks: DescribeAddon DescribePodIdentityAssociation",
	// Some of these only ask where an instance stands, a snapshot is restored or a major is upgraded.
	"aws:rds/getInstances:getInstances":         "rds: DescribeDBInstances ListTagsForResource",
	"aws:rds/getInstance:getInstance":           "rds: DescribeDBInstances ListTagsForResource",
	"aws:rds/getSnapshot:getSnapshot":           "rds: DescribeDBSnapshots ListTagsForResource",
	"aws:rds/getEngineVersion:getEngineVersion": "rds: DescribeDBEngineVersions",
	// And these only where the class is another, and where the clients are of another VPC.
	"aws:rds/getOrderableDbInstance:getOrderableDbInstance":   "rds: DescribeOrderableDBInstanceOptions",
	"aws:ec2/getVpcPeeringConnection:getVpcPeeringConnection": "ec2: DescribeVpcPeeringConnections",

	"aws:ec2/getSecurityGroup:getSecurityGroup": "ec2: DescribeSecurityGroups",
	"aws:ec2/getSubnet:getSubnet":               "ec2: DescribeSubnets",
	"aws:ec2/getSubnets:getSubnets":             "ec2: DescribeSubnets",
	"aws:ec2/getInstances:getInstances":         "ec2: DescribeInstances",
	"aws:ec2/getRouteTables:getRouteTables":     "ec2: DescribeRouteTables",
	"aws:ec2/getRouteTable:getRouteTable":       "ec2: DescribeRouteTables",
}

// What Pulumi itself does: a preview takes no lock and writes nothing (pulumi/pulumi, pkg/backend/diy).
const (
	toPreview = "s3: GetObject ListBucket kms: Decrypt"
	toDeploy  = "s3: DeleteObject GetObject ListBucket PutObject kms: Decrypt"
)

var stacks = []string{"dev", "prod"}

// everyKey is the stack that has all that the others leave out.
const everyKey = "full"

func add(to map[string]bool, actions string) {
	service := ""
	for _, word := range strings.Fields(actions) {
		if strings.HasSuffix(word, ":") {
			service = word
		} else {
			to[service+word] = true
		}
	}
}

func sorted(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }

type statement struct {
	Action, Resource any
	Condition        map[string]map[string]any
}

// texts is a member of a policy that may be one string or a list of them.
func texts(t *testing.T, value any) []string {
	t.Helper()
	if one, ok := value.(string); ok {
		return []string{one}
	}
	var all []string
	for _, each := range value.([]any) {
		all = append(all, each.(string))
	}
	return all
}

// project is the name that begins the names of the stacks' resources.
func project(t *testing.T) string {
	t.Helper()
	name, err := recorder.ProjectName(recorder.Root())
	require.NoError(t, err)
	return name
}

func file(name string) string { return filepath.Join(recorder.Root(), "docs", "iam", name) }

func read(t *testing.T, name string) (statements []statement, compact int) {
	t.Helper()
	text, err := os.ReadFile(file(name))
	require.NoError(t, err)
	var policy struct {
		Version   string
		Statement []statement
	}
	require.NoError(t, json.Unmarshal(text, &policy), name)
	require.Equal(t, "2012-10-17", policy.Version)
	return policy.Statement, len(strings.Join(strings.Fields(string(text)), ""))
}

func allowed(t *testing.T, name string) []string {
	t.Helper()
	set := map[string]bool{}
	statements, _ := read(t, name)
	for _, each := range statements {
		for _, action := range texts(t, each.Action) {
			set[action] = true
		}
	}
	return sorted(set)
}

// IAM counts all inline policies of a role, without spaces.
func TestThePoliciesOfARoleFitIntoIt(t *testing.T) {
	const most = 10_240
	for _, ofRole := range [][]string{{"preview.json"}, {"deploy.json", "deploy-permissions.json"}, {"deploy.json", "drill.json"}} {
		total := 0
		for _, name := range ofRole {
			_, compact := read(t, name)
			total += compact
		}
		assert.LessOrEqual(t, total, most, "%v", ofRole)
	}
}

// plans are those of the stacks, and of others that are named.
func plans(t *testing.T, others ...string) []*planner.Plan {
	t.Helper()
	var all []*planner.Plan
	for _, name := range slices.Concat(stacks, others) {
		plan, err := planner.Build(recorder.Root(), name)
		require.NoError(t, err)
		all = append(all, plan)
	}
	return all
}

// lookups are what the stacks ask AWS for.
func lookups(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, name := range stacks {
		recording := recorder.MustRun(t, stack.Deploy, recorder.Options{Stack: name, Config: recorder.StackConfig(t, name)})
		require.NotEmpty(t, recording.Lookups)
		for _, lookup := range recording.Lookups {
			all = append(all, lookup.Token)
		}
	}
	return all
}

func TestPreviewMayDoWhatThePreviewDoesAndNoMore(t *testing.T) {
	want := map[string]bool{}
	add(want, toPreview)
	for _, lookup := range lookups(t) {
		require.Contains(t, ofLookups, lookup, "name the actions of this lookup, and add them to docs/iam/preview.json and deploy.json")
	}
	for _, lookups := range []map[string]string{ofLookups, ofDomainLookups} {
		for _, actions := range lookups {
			add(want, actions)
		}
	}
	assert.Equal(t, sorted(want), allowed(t, "preview.json"))
}

func TestDeploymentMayDoWhatTheStacksRegisterAndNoMore(t *testing.T) {
	want := map[string]bool{}
	add(want, toDeploy)
	for _, actions := range ofLookups {
		add(want, actions)
	}
	for _, plan := range plans(t, everyKey) {
		for _, res := range plan.Resources {
			optional := ofPermissions[res.Type] + ofAlarms[res.Type] + ofDomain[res.Type]
			if strings.HasPrefix(res.Type, "aws:") && (ofTypes[res.Type] != "" || optional == "") {
				require.Contains(t, ofTypes, res.Type, "name the actions of this type, and add them to docs/iam/deploy.json")
				add(want, ofTypes[res.Type])
			}
		}
	}
	assert.Equal(t, sorted(want), allowed(t, "deploy.json"))
}

// withPermissions is dev with a role for its backend, beside dev as it is.
func withPermissions(t *testing.T) (with, without *recorder.Recording) {
	t.Helper()
	config := recorder.StackConfig(t, "dev").Set(t, "threetier:backend.permissions", []any{
		map[string]any{"actions": []string{"s3:GetObject"}, "resources": []string{"arn:aws:s3:::acme-uploads/*"}},
	})
	return recorder.MustRun(t, stack.Deploy, recorder.Options{Config: config}),
		recorder.MustRun(t, stack.Deploy, recorder.Options{Config: recorder.StackConfig(t, "dev")})
}

func TestDeploymentOfPermissionsMayDoWhatTheyRegisterAndNoMore(t *testing.T) {
	with, without := withPermissions(t)
	want := map[string]bool{}
	for _, res := range with.Resources {
		if strings.HasPrefix(res.Type, "aws:") && !slices.Contains(without.Names(), res.Type+" "+res.Name) {
			require.Contains(t, ofPermissions, res.Type, "name the actions of this type, and add them to docs/iam/deploy-permissions.json")
			add(want, ofPermissions[res.Type])
		}
	}
	assert.Equal(t, sorted(want), allowed(t, "deploy-permissions.json"))
	statements, _ := read(t, "deploy-permissions.json")
	for _, each := range statements {
		for _, action := range texts(t, each.Action) {
			switch action {
			case "iam:CreateRole", "iam:PutRolePolicy", "iam:DeleteRolePolicy", "iam:PutRolePermissionsBoundary":
				assert.Contains(t, each.Condition["StringEquals"], "iam:PermissionsBoundary", "%s without it makes its holder an administrator", action)
			case "iam:PassRole":
				assert.Equal(t, map[string]any{"iam:PassedToService": "pods.eks.amazonaws.com"}, each.Condition["StringEquals"])
			}
			for _, resource := range texts(t, each.Resource) {
				if strings.HasPrefix(action, "iam:") {
					assert.True(t, matches(resource, "arn:aws:iam::123456789012:role/app-backend-permissions-0123456"), resource)
					assert.False(t, matches(resource, "arn:aws:iam::123456789012:role/threetier-deploy-dev"), resource)
				} else {
					assert.Contains(t, resource, "/acme-STACK", action)
				}
			}
		}
	}
}

func TestDeploymentOfAlarmsMayDoWhatTheyRegisterAndNoMore(t *testing.T) {
	want := map[string]bool{}
	for _, plan := range plans(t, everyKey) {
		for _, res := range plan.Resources {
			if strings.HasPrefix(res.Type, "aws:") && strings.HasPrefix(res.Name, "alarms") {
				require.Contains(t, ofAlarms, res.Type, "name the actions of this type, and add them to docs/iam/deploy-alarms.json")
				add(want, ofAlarms[res.Type])
			}
		}
	}
	assert.Equal(t, sorted(want), allowed(t, "deploy-alarms.json"))
}

func TestDeploymentOfNamesMayDoWhatTheyRegisterAndNoMore(t *testing.T) {
	want, found := map[string]bool{}, map[string]bool{}
	for _, domain := range []map[string]any{{"name": "shop.example.org"}, {"name": "shop.example.org", "zone": "example.org"}} {
		recording := recorder.MustRun(t, stack.Deploy, recorder.Options{Config: recorder.StackConfig(t, "dev").Set(t, "threetier:domain", domain)})
		for _, res := range recording.Resources {
			add(want, ofDomain[res.Type])
			found[res.Type] = true
		}
		for _, lookup := range recording.Lookups {
			add(want, ofDomainLookups[lookup.Token])
			found[lookup.Token] = true
		}
	}
	for _, all := range []map[string]string{ofDomain, ofDomainLookups} {
		for token := range all {
			assert.True(t, found[token], "no stack with names uses %s", token)
		}
	}
	assert.Equal(t, sorted(want), allowed(t, "deploy-domain.json"))
	statements, _ := read(t, "deploy-domain.json")
	for _, each := range statements {
		for _, action := range texts(t, each.Action) {
			kind := map[string]string{"RequestCertificate": "RequestTag", "AddTagsToCertificate": "RequestTag",
				"DeleteCertificate": "ResourceTag", "RemoveTagsFromCertificate": "ResourceTag"}[strings.TrimPrefix(action, "acm:")]
			if kind != "" {
				assert.Equal(t, map[string]any{"aws:" + kind + "/Project": project(t), "aws:" + kind + "/Stack": "STACK"}, each.Condition["StringEquals"], action)
			}
			if action == "route53:ChangeResourceRecordSets" {
				assert.Equal(t, "arn:aws:route53:::hostedzone/ZONE_ID", each.Resource)
			}
		}
	}
}

// matches is IAM's own comparison, where a star is any text.
func matches(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if !strings.HasPrefix(text, parts[0]) {
		return false
	}
	text = text[len(parts[0]):]
	for i, part := range parts[1:] {
		at := strings.Index(text, part)
		if i == len(parts)-2 {
			return strings.HasSuffix(text, part)
		}
		if at < 0 {
			return false
		}
		text = text[at+len(part):]
	}
	return text == ""
}

// What is named by the stack, or carries its tags, is out of the other stack's reach.
func TestARoleReachesNoOtherStacksDataWhereItsNameOrTagsTell(t *testing.T) {
	statements, _ := read(t, "deploy.json")
	ofAlarms, _ := read(t, "deploy-alarms.json")
	statements = append(statements, ofAlarms...)
	reach := func(stack, action, arn string) bool {
		for _, each := range statements {
			for _, resource := range texts(t, each.Resource) {
				if slices.Contains(texts(t, each.Action), action) && matches(strings.ReplaceAll(resource, "STACK", stack), arn) {
					return true
				}
			}
		}
		return false
	}
	const account = "eu-west-1:123456789012"
	for _, plan := range plans(t) {
		other := map[string]string{"dev": "prod", "prod": "dev"}[plan.Stack]
		reached := func(action, arn string) {
			assert.True(t, reach(plan.Stack, action, arn), "%s: %s on %s", plan.Stack, action, arn)
			assert.False(t, reach(other, action, arn), "%s: %s on %s", other, action, arn)
		}
		reached("s3:GetObject", "arn:aws:s3:::acme-pulumi-state/.pulumi/stacks/"+project(t)+"/"+plan.Stack+".json")
		reached("s3:PutObject", "arn:aws:s3:::acme-pulumi-state/.pulumi/locks/organization/"+project(t)+"/"+plan.Stack+"/id.json")
		for _, res := range plan.Resources {
			switch res.Type {
			case "aws:rds/instance:Instance":
				reached("rds:DeleteDBInstance", "arn:aws:rds:"+account+":db:"+res.Inputs["identifier"].(string))
			case "aws:cloudwatch/logGroup:LogGroup":
				reached("logs:DeleteLogGroup", "arn:aws:logs:"+account+":log-group:"+res.Inputs["name"].(string))
			case "aws:iam/role:Role":
				assert.True(t, reach(plan.Stack, "iam:CreateRole", "arn:aws:iam::123456789012:role/"+res.Name+"-0123456"))
			case "aws:cloudwatch/metricAlarm:MetricAlarm":
				assert.True(t, reach(plan.Stack, "cloudwatch:PutMetricAlarm", "arn:aws:cloudwatch:"+account+":alarm:"+res.Name+"-0123456"))
			case "aws:cloudwatch/dashboard:Dashboard":
				reached("cloudwatch:PutDashboard", "arn:aws:cloudwatch::123456789012:dashboard/"+res.Inputs["dashboardName"].(string))
			case "aws:secretsmanager/secret:Secret":
				assert.True(t, reach(plan.Stack, "secretsmanager:CreateSecret", "arn:aws:secretsmanager:"+account+":secret:"+res.Name+"-0123456-AbCdEf"))
				tags := res.Inputs["tags"].(map[string]any)
				assert.Equal(t, map[string]any{"Project": project(t), "Stack": plan.Stack, "ManagedBy": "pulumi"}, tags)
			}
		}
	}
	for _, each := range statements {
		for _, action := range texts(t, each.Action) {
			kind := "aws:ResourceTag/"
			if action == "secretsmanager:CreateSecret" {
				kind = "aws:RequestTag/"
			}
			if strings.HasPrefix(action, "secretsmanager:") {
				assert.Equal(t, map[string]any{kind + "Project": project(t), kind + "Stack": "STACK"}, each.Condition["StringEquals"], action)
			}
			if action == "iam:AttachRolePolicy" || action == "iam:PassRole" {
				assert.NotEmpty(t, each.Condition, "%s without a condition makes its holder an administrator", action)
			}
		}
	}
}

// The subject begins with the repository, whose numbers make names fills in. A branch's own workflow may name any
// environment: the ref keeps it out, also where the environment isn't restricted to main.
func TestEachRoleTrustsOnlyItsOwnSubject(t *testing.T) {
	files, err := filepath.Glob(file("trust-*.json"))
	require.NoError(t, err)
	var names []string
	for _, path := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), "trust-"), ".json")
		names = append(names, name)
		want := map[string]any{
			"token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
			"token.actions.githubusercontent.com:sub": "repo:acme@OWNER_ID/shop@REPO_ID:environment:" + strings.TrimPrefix(name, "deploy-"),
			"token.actions.githubusercontent.com:ref": "refs/heads/main",
		}
		if name == "preview-dev" { // of a pull request's own code
			want["token.actions.githubusercontent.com:sub"] = "repo:acme@OWNER_ID/shop@REPO_ID:pull_request"
			delete(want, "token.actions.githubusercontent.com:ref")
		}
		statements, _ := read(t, filepath.Base(path))
		require.Len(t, statements, 1, name)
		assert.Equal(t, map[string]map[string]any{"StringEquals": want}, statements[0].Condition, name)
	}
	assert.ElementsMatch(t, []string{"deploy-dev", "deploy-prod", "drill-prod", "images", "preview-dev", "preview-prod"}, names)
}

// A push of docker's asks for what is there, uploads the rest, and reads back what it has put.
func TestImagesRolePushesToTheRepositoriesOfTheAppsAlone(t *testing.T) {
	want := map[string]bool{}
	add(want, `ecr: BatchCheckLayerAvailability BatchGetImage CompleteLayerUpload GetAuthorizationToken GetDownloadUrlForLayer
		InitiateLayerUpload PutImage UploadLayerPart`)
	assert.Equal(t, sorted(want), allowed(t, "images.json"))
	statements, _ := read(t, "images.json")
	for _, each := range statements {
		for _, resource := range texts(t, each.Resource) {
			isLogin := slices.Equal(texts(t, each.Action), []string{"ecr:GetAuthorizationToken"})
			assert.True(t, isLogin || strings.HasSuffix(resource, ":repository/acme/backend") || strings.HasSuffix(resource, ":repository/acme/frontend"), resource)
		}
	}
}

func TestClusterRoleMayWriteTheKindsThatTheStacksRegister(t *testing.T) {
	text, err := os.ReadFile(file("cluster-role.yaml"))
	require.NoError(t, err)
	role, _, _ := strings.Cut(string(text), "\n---\n")
	type rule struct {
		APIGroups        []string `yaml:"apiGroups"`
		Resources, Verbs []string
	}
	var parsed struct{ Rules []rule }
	require.NoError(t, encoding.YAML.Unmarshal([]byte(role), &parsed))
	may := map[string]bool{}
	for _, rule := range parsed.Rules {
		if slices.Contains(rule.Verbs, "create") {
			assert.ElementsMatch(t, []string{"create", "delete", "get", "list", "patch", "update", "watch"}, rule.Verbs)
			for _, resource := range rule.Resources {
				may[rule.APIGroups[0]+"/"+resource] = true
			}
		}
	}
	want := map[string]bool{}
	types := map[string]bool{}
	for _, plan := range plans(t, everyKey) {
		for _, res := range plan.Resources {
			types[res.Type] = true
		}
	}
	with, _ := withPermissions(t)
	for _, res := range with.Resources {
		types[res.Type] = true
	}
	for typ := range types {
		path, found := strings.CutPrefix(typ, "kubernetes:")
		if !found {
			continue
		}
		group, kind, _ := strings.Cut(path, ":")
		group, _, _ = strings.Cut(group, "/")
		if group == "core" {
			group = ""
		}
		kind = strings.TrimSuffix(kind, "Patch") // of an object of that kind
		plural := strings.ToLower(kind) + "s"
		if strings.HasSuffix(kind, "Policy") {
			plural = strings.ToLower(strings.TrimSuffix(kind, "y")) + "ies"
		}
		want[group+"/"+plural] = true
	}
	assert.Equal(t, sorted(want), sorted(may))
	require.NotEmpty(t, with.APIs)
	assert.True(t, slices.ContainsFunc(parsed.Rules, func(r rule) bool {
		return slices.Equal(r.APIGroups, []string{"apiregistration.k8s.io"}) && slices.Equal(r.Resources, []string{"apiservices"}) &&
			slices.Equal(r.Verbs, []string{"get"})
	}), "the program reads which APIs there are")
}

// Of the real stack, the drill's role reads the state and the snapshots. The page's own commands say what it may do.
func TestDrillsRoleChangesTheScratchStackAlone(t *testing.T) {
	assert.Equal(t, []string{"kms:Encrypt", "s3:GetObject"}, allowed(t, "drill.json"))
	text, err := os.ReadFile(filepath.Join(recorder.Root(), "docs", "from-zero-to-production.md"))
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(text), "```console\naws iam create-role --role-name threetier-drill-prod")
	require.True(t, found)
	commands, _, _ := strings.Cut(rest, "```")
	run := exec.Command("bash", "-euc", `aws() { [ "$2" != put-role-policy ] || printf '%s\0' "${@: -1}"; }`+"\naws iam create-role"+commands)
	run.Dir = recorder.Root()
	out, err := run.Output()
	require.NoError(t, err)
	var statements []statement
	for document := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		var policy struct{ Statement []statement }
		require.NoError(t, json.Unmarshal([]byte(document), &policy))
		statements = append(statements, policy.Statement...)
		assert.NotContains(t, document, "STACK")
	}
	may := func(action, resource string) bool {
		return slices.ContainsFunc(statements, func(each statement) bool {
			return slices.Contains(texts(t, each.Action), action) &&
				slices.ContainsFunc(texts(t, each.Resource), func(pattern string) bool { return matches(pattern, resource) })
		})
	}
	state, instances := "arn:aws:s3:::acme-pulumi-state/.pulumi/stacks/"+project(t)+"/", "arn:aws:rds:eu-west-1:123456789012:db:"+project(t)+"-"
	for _, action := range []string{"rds:DeleteDBInstance", "rds:ModifyDBInstance", "rds:RestoreDBInstanceFromDBSnapshot"} {
		assert.True(t, may(action, instances+"prod-drill-database"), action)
		assert.False(t, may(action, instances+"prod-database"), action)
	}
	for _, action := range []string{"s3:PutObject", "s3:DeleteObject"} {
		assert.True(t, may(action, state+"prod-drill.json"), action)
		assert.False(t, may(action, state+"prod.json"), action)
	}
	assert.True(t, may("s3:GetObject", state+"prod.json"))
	assert.False(t, may("s3:GetObject", state+"dev.json"))
	assert.True(t, may("eks:DescribeCluster", "arn:aws:eks:eu-west-1:123456789012:cluster/acme-prod"))
	for _, each := range statements {
		for _, action := range texts(t, each.Action) {
			if strings.HasPrefix(action, "secretsmanager:") {
				assert.Contains(t, fmt.Sprint(each.Condition), "Stack:prod-drill", action)
			}
			if action == "kms:Decrypt" || action == "kms:Encrypt" {
				assert.Contains(t, fmt.Sprint(each.Condition), "alias/pulumi-prod", action)
			}
		}
	}
}

// The page's own commands make the roles, with an aws that only notes what it is called with.
func TestCommandsOfThePageMakeTheRoles(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(recorder.Root(), "docs", "from-zero-to-production.md"))
	require.NoError(t, err)
	page := string(text)
	files, err := os.ReadDir(file(""))
	require.NoError(t, err)
	for _, each := range files {
		assert.Contains(t, page, "iam/"+each.Name())
	}

	_, rest, found := strings.Cut(page, "```console\naws iam create-open-id-connect-provider")
	require.True(t, found)
	_, commands, _ := strings.Cut(rest, "\n")
	commands, _, _ = strings.Cut(commands, "```")
	run := exec.Command("bash", "-euc", `aws() { jq --null-input --compact-output '$ARGS.positional' --args -- "$@"; }`+"\n"+commands)
	run.Dir = recorder.Root()
	out, err := run.Output()
	require.NoError(t, err)
	made := map[string]int{}
	for line := range strings.Lines(string(out)) {
		var args []string
		require.NoError(t, json.Unmarshal([]byte(line), &args))
		value := func(flag string) string { return args[slices.Index(args, flag)+1] }
		document := "--policy-document"
		if args[1] == "create-role" {
			document = "--assume-role-policy-document"
			assert.Equal(t, "7200", value("--max-session-duration"), "what .github/actions/pulumi asks for")
		}
		assert.True(t, json.Valid([]byte(value(document))), line)
		assert.NotContains(t, value(document), "STACK")
		made[args[1]+" "+value("--role-name")]++
	}
	want := map[string]int{}
	for _, stack := range stacks {
		for _, job := range []string{"preview", "deploy"} {
			want["create-role threetier-"+job+"-"+stack], want["put-role-policy threetier-"+job+"-"+stack] = 1, 1
		}
	}
	assert.Equal(t, want, made)
}
