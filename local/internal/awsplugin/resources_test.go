package awsplugin

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil/rpcerror"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

const (
	privateA     = "subnet-0local000000000a2"
	privateB     = "subnet-0local000000000b3"
	publicA      = "subnet-0local000000000a1"
	clusterGroup = "sg-0local0000cluster"
	trustPolicy  = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"monitoring.rds.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
)

// all makes one resource of every type, as a stack with a database does.
func all(r *rig) map[string]state {
	r.Helper()
	made := map[string]state{}
	add := func(token, name string, inputs map[string]any) state {
		s := r.create(token, name, inputs)
		made[token] = s
		return s
	}
	role := add("aws:iam/role:Role", "monitoring", map[string]any{"assumeRolePolicy": trustPolicy})
	add("aws:iam/rolePolicyAttachment:RolePolicyAttachment", "monitoring", map[string]any{"role": role.id,
		"policyArn": "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"})
	add("aws:iam/rolePolicy:RolePolicy", "backend", map[string]any{"role": role.id, "policy": trustPolicy})
	add("aws:eks/podIdentityAssociation:PodIdentityAssociation", "backend", map[string]any{"clusterName": "acme", "namespace": "shop",
		"serviceAccount": "backend", "roleArn": role.outputs["arn"].StringValue(), "tags": map[string]any{"stack": "dev"}})
	subnets := add("aws:rds/subnetGroup:SubnetGroup", "Db", map[string]any{"subnetIds": []any{privateB, privateA}})
	parameters := add("aws:rds/parameterGroup:ParameterGroup", "db", map[string]any{"family": "postgres17",
		"parameters": []any{map[string]any{"name": "rds.force_ssl", "value": "1", "applyMethod": "pending-reboot"},
			map[string]any{"name": "log_min_duration_statement", "value": "500"}}})
	group := add("aws:ec2/securityGroup:SecurityGroup", "db", map[string]any{"vpcId": "vpc-0local0000000001"})
	add("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "db", map[string]any{"securityGroupId": group.id,
		"referencedSecurityGroupId": clusterGroup, "ipProtocol": "tcp", "fromPort": 5433, "toPort": 5433})
	add("aws:cloudwatch/logGroup:LogGroup", "db", map[string]any{"name": "/aws/rds/instance/shop/postgresql", "retentionInDays": 7})
	secret := add("aws:secretsmanager/secret:Secret", "db", map[string]any{"recoveryWindowInDays": 0})
	add("aws:secretsmanager/secretVersion:SecretVersion", "db", map[string]any{"secretId": secret.id,
		"secretString": resource.MakeSecret(resource.NewProperty("a-generated-password"))})
	instance := add("aws:rds/instance:Instance", "db", map[string]any{
		"identifier": "shop", "engine": "postgres", "engineVersion": "17", "instanceClass": "db.t4g.micro",
		"allocatedStorage": 20, "dbName": "app", "username": "app_admin", "port": 5433,
		"password":          resource.MakeSecret(resource.NewProperty("a-generated-password")),
		"dbSubnetGroupName": subnets.id, "parameterGroupName": parameters.id, "vpcSecurityGroupIds": []any{group.id},
		"skipFinalSnapshot": true, "applyImmediately": true, "deletionProtection": true, "backupRetentionPeriod": 7,
		"enabledCloudwatchLogsExports": []any{"upgrade", "postgresql"}, "tags": map[string]any{"stack": "dev"},
		"monitoringInterval": 60, "monitoringRoleArn": role.outputs["arn"].StringValue(),
	})
	add("aws:rds/eventSubscription:EventSubscription", "db", map[string]any{"sourceType": "db-instance",
		"snsTopic": "arn:aws:sns:eu-west-1:123456789012:pager", "sourceIds": []any{"shop"}, "eventCategories": []any{"failure", "maintenance"}})
	add("aws:cloudwatch/metricAlarm:MetricAlarm", "cpu", map[string]any{"namespace": "AWS/RDS", "metricName": "CPUUtilization",
		"comparisonOperator": "GreaterThanThreshold", "threshold": 80.5, "evaluationPeriods": 3, "period": 300, "statistic": "Average",
		"dimensions": map[string]any{"DBInstanceIdentifier": instance.outputs["identifier"].StringValue()}})
	add("aws:cloudwatch/logMetricFilter:LogMetricFilter", "errors", map[string]any{"logGroupName": "/aws/containerinsights/acme/application",
		"pattern": "{ $.status >= 500 }", "metricTransformation": map[string]any{"namespace": "shop", "name": "Errors", "value": "1", "defaultValue": "0"}})
	add("aws:cloudwatch/dashboard:Dashboard", "shop", map[string]any{"dashboardName": "shop", "dashboardBody": `{"widgets": []}`})
	add("aws:route53/healthCheck:HealthCheck", "outside", map[string]any{"type": "HTTPS", "fqdn": "shop.example.org", "port": 443,
		"resourcePath": "/", "requestInterval": 30, "failureThreshold": 3})
	certificate := add("aws:acm/certificate:Certificate", "shop", map[string]any{"domainName": "shop.example.org", "validationMethod": "DNS"})
	zone, failures, err := r.invoke("aws:route53/getZone:getZone", map[string]any{"name": "example.org", "privateZone": false})
	if err != nil || len(failures) > 0 {
		r.Fatal(failures, err)
	}
	validation := plainText(certificate.outputs["domainValidationOptions"].ArrayValue()[0].ObjectValue())
	record := add("aws:route53/record:Record", "shop", map[string]any{"zoneId": zone["zoneId"].StringValue(), "name": validation["resourceRecordName"], "type": "CNAME",
		"records": []any{validation["resourceRecordValue"]}, "ttl": 300, "allowOverwrite": true})
	add("aws:acm/certificateValidation:CertificateValidation", "shop", map[string]any{"certificateArn": certificate.id,
		"validationRecordFqdns": []any{record.outputs["fqdn"].StringValue()}})
	ofPlatform(r, add, role)
	// One that is issued at once, since the record is there: it reads as it was made.
	add("aws:acm/certificate:Certificate", "again", map[string]any{"domainName": "shop.example.org", "validationMethod": "DNS", "tags": map[string]any{"stack": "dev"}})
	return made
}

// ofPlatform makes one resource of every type of a platform, in an order that AWS takes.
func ofPlatform(r *rig, add func(token, name string, inputs map[string]any) state, role state) {
	r.Helper()
	vpc := add("aws:ec2/vpc:Vpc", "p", map[string]any{"cidrBlock": "10.20.0.0/16", "enableDnsSupport": true})
	subnet := add("aws:ec2/subnet:Subnet", "a", map[string]any{"vpcId": vpc.id, "cidrBlock": "10.20.0.0/18", "availabilityZone": "eu-west-1a"})
	second := r.create("aws:ec2/subnet:Subnet", "b", map[string]any{"vpcId": vpc.id, "cidrBlock": "10.20.64.0/18", "availabilityZone": "eu-west-1b"})
	internet := add("aws:ec2/internetGateway:InternetGateway", "p", map[string]any{"vpcId": vpc.id})
	address := add("aws:ec2/eip:Eip", "p", map[string]any{"domain": "vpc"})
	add("aws:ec2/natGateway:NatGateway", "p", map[string]any{"allocationId": address.id, "subnetId": subnet.id})
	table := add("aws:ec2/routeTable:RouteTable", "p", map[string]any{"vpcId": vpc.id})
	add("aws:ec2/route:Route", "p", map[string]any{"routeTableId": table.id, "destinationCidrBlock": "0.0.0.0/0", "gatewayId": internet.id})
	add("aws:ec2/routeTableAssociation:RouteTableAssociation", "p", map[string]any{"routeTableId": table.id, "subnetId": subnet.id})
	add("aws:ec2/vpcEndpoint:VpcEndpoint", "p", map[string]any{"vpcId": vpc.id, "serviceName": "com.amazonaws.eu-west-1.s3", "routeTableIds": []any{table.id}})
	add("aws:ec2/flowLog:FlowLog", "p", map[string]any{"vpcId": vpc.id, "trafficType": "ALL", "logDestination": "arn:aws:logs:eu-west-1:123456789012:log-group:x",
		"iamRoleArn": role.outputs["arn"].StringValue()})
	on := map[string]any{"enabled": true}
	cluster := add("aws:eks/cluster:Cluster", "p", map[string]any{"name": "acme-dev", "version": "1.35", "roleArn": role.outputs["arn"].StringValue(),
		"accessConfig": map[string]any{"authenticationMode": "API"}, "bootstrapSelfManagedAddons": false,
		"computeConfig": map[string]any{"enabled": true, "nodePools": []any{"system"}}, "kubernetesNetworkConfig": map[string]any{"elasticLoadBalancing": on},
		"storageConfig": map[string]any{"blockStorage": on}, "upgradePolicy": map[string]any{"supportType": "STANDARD"},
		"enabledClusterLogTypes": []any{"audit"}, "vpcConfig": map[string]any{"subnetIds": []any{subnet.id, second.id}, "endpointPublicAccess": true}})
	add("aws:eks/addon:Addon", "p", map[string]any{"clusterName": cluster.id, "addonName": "metrics-server"})
	entry := map[string]any{"clusterName": cluster.id, "principalArn": role.outputs["arn"].StringValue()}
	add("aws:eks/accessEntry:AccessEntry", "p", entry)
	add("aws:eks/accessPolicyAssociation:AccessPolicyAssociation", "p", map[string]any{"clusterName": cluster.id, "principalArn": entry["principalArn"],
		"policyArn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy", "accessScope": map[string]any{"type": "namespace", "namespaces": []any{"shop"}}})
	repository := add("aws:ecr/repository:Repository", "p", map[string]any{"name": "acme/backend", "forceDelete": false, "imageTagMutability": "IMMUTABLE",
		"imageScanningConfiguration": map[string]any{"scanOnPush": true}})
	add("aws:ecr/lifecyclePolicy:LifecyclePolicy", "p", map[string]any{"repository": repository.id, "policy": `{"rules": []}`})
	add("aws:iam/openIdConnectProvider:OpenIdConnectProvider", "p", map[string]any{"url": "https://token.actions.githubusercontent.com", "clientIdLists": []any{"sts.amazonaws.com"}})
	add("aws:iam/policy:Policy", "p", map[string]any{"name": "threetier-apps", "policy": trustPolicy})
	topic := add("aws:sns/topic:Topic", "p", map[string]any{"name": "acme-dev-alerts"})
	add("aws:sns/topicPolicy:TopicPolicy", "p", map[string]any{"arn": topic.id, "policy": trustPolicy})
	add("aws:sns/topicSubscription:TopicSubscription", "p", map[string]any{"topic": topic.id, "protocol": "email", "endpoint": "a@example.org"})
	add("aws:budgets/budget:Budget", "p", map[string]any{"name": "dev", "budgetType": "COST", "timeUnit": "MONTHLY", "limitAmount": "350", "limitUnit": "USD",
		"notifications": []any{map[string]any{"comparisonOperator": "GREATER_THAN", "notificationType": "ACTUAL", "threshold": 80, "thresholdType": "PERCENTAGE",
			"subscriberSnsTopicArns": []any{topic.id}}}})
}

// plainText are the texts of an output.
func plainText(properties resource.PropertyMap) map[string]string {
	texts := map[string]string{}
	for key, value := range properties {
		texts[string(key)] = value.StringValue()
	}
	return texts
}

func TestEveryTypeIsMadeReadUnchangedAndDeleted(t *testing.T) {
	r := newRig(t)
	made := all(r)
	if len(made) != len(resourceTypes) {
		t.Fatalf("made %d types, know %d", len(made), len(resourceTypes))
	}
	for token, s := range made {
		checked, failures, err := r.check(token, s.name, s.inputs, s.inputs)
		if err != nil || len(failures) > 0 || !reflect.DeepEqual(checked, s.inputs) {
			t.Errorf("%s: check again: %v %v, inputs %v", token, failures, err, checked)
		}
		if d := r.diff(s, checked); d.Changes != pulumirpc.DiffResponse_DIFF_NONE {
			t.Errorf("%s: unchanged inputs differ: %v", token, d.DetailedDiff)
		}
		inputs, outputs := r.read(s)
		if !reflect.DeepEqual(inputs, s.inputs) {
			t.Errorf("%s: read gives inputs %v, had %v", token, inputs, s.inputs)
		}
		if !reflect.DeepEqual(outputs, s.outputs) {
			t.Errorf("%s: read gives outputs %v, had %v", token, outputs, s.outputs)
		}
		for _, name := range resourceTypes[token].outputs {
			if _, ok := s.outputs[resource.PropertyKey(name)]; !ok {
				t.Errorf("%s has no output %s", token, name)
			}
		}
	}
	instance := made["aws:rds/instance:Instance"]
	if err := r.delete(instance); err == nil || !strings.Contains(err.Error(),
		"InvalidParameterCombination: Cannot delete protected DB Instance, please disable deletion protection and try again.") {
		t.Errorf("deleting a protected instance: %v", err)
	}
	if err := r.delete(made["aws:rds/subnetGroup:SubnetGroup"]); err == nil || !strings.Contains(err.Error(), "is still using it") {
		t.Errorf("deleting a subnet group in use: %v", err)
	}
	made["aws:rds/instance:Instance"] = r.update(instance, with(instance.inputs, map[string]any{"deletionProtection": false}))
	for _, token := range []string{"aws:rds/instance:Instance", "aws:rds/subnetGroup:SubnetGroup",
		"aws:rds/parameterGroup:ParameterGroup", "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
		"aws:ec2/securityGroup:SecurityGroup", "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
		"aws:iam/rolePolicy:RolePolicy", "aws:eks/podIdentityAssociation:PodIdentityAssociation", "aws:iam/role:Role"} {
		if err := r.delete(made[token]); err != nil {
			t.Errorf("delete %s: %v", token, err)
		}
		if inputs, outputs := r.read(made[token]); len(inputs)+len(outputs) > 0 {
			t.Errorf("%s can be read after it was deleted", token)
		}
		if err := r.delete(made[token]); err != nil {
			t.Errorf("delete %s, which is gone: %v", token, err)
		}
	}
}

func TestInstanceOutputs(t *testing.T) {
	r := newRig(t)
	out := all(r)["aws:rds/instance:Instance"]
	get := func(name string) any { v, _ := plain(out.outputs[resource.PropertyKey(name)]); return v }
	address, _ := get("address").(string)
	if !strings.HasPrefix(address, "shop.c0local") || !strings.HasSuffix(address, ".eu-west-1.rds.amazonaws.com") {
		t.Errorf("address: %s", address)
	}
	for name, want := range map[string]any{
		"endpoint": address + ":5433", "resourceId": out.id, "identifier": "shop", "port": 5433.0, "status": "available",
		"arn": "arn:aws:rds:eu-west-1:123456789012:db:shop", "engineVersion": "17", "multiAz": false,
		"caCertIdentifier": "rds-ca-rsa2048-g1", "tagsAll": map[string]any{"team": "shop", "stack": "dev"},
		"tags": map[string]any{"stack": "dev"}, "password": "a-generated-password",
	} {
		if have := get(name); !reflect.DeepEqual(have, want) {
			t.Errorf("%s is %v, want %v", name, have, want)
		}
	}
	if !strings.HasPrefix(out.id, "db-") {
		t.Errorf("id: %s", out.id)
	}
}

func TestSecretsStaySecret(t *testing.T) {
	r := newRig(t)
	made := all(r)
	for token, names := range map[string][]resource.PropertyKey{
		"aws:rds/instance:Instance": {"password"}, "aws:secretsmanager/secretVersion:SecretVersion": {"secretString"}} {
		s := made[token]
		inputs, outputs := r.read(s)
		for where, m := range map[string]resource.PropertyMap{"inputs": s.inputs, "outputs": s.outputs, "read inputs": inputs, "read outputs": outputs} {
			for _, name := range names {
				if !m[name].IsSecret() {
					t.Errorf("%s of %s is no secret in its %s", name, token, where)
				}
				masked := m.Copy()
				delete(masked, name)
				if strings.Contains(resource.NewProperty(masked).String(), "a-generated-password") {
					t.Errorf("the %s of %s have the password elsewhere too", where, token)
				}
			}
		}
	}
	checked, _, err := r.check("aws:rds/instance:Instance", "plain", nil, properties(map[string]any{
		"instanceClass": "db.t4g.micro", "password": "not marked at all"}))
	if err != nil || !checked["password"].IsSecret() {
		t.Errorf("a password that isn't marked stays unmarked: %v", err)
	}
}

func TestPreviewPlansWithoutDoing(t *testing.T) {
	r := newRig(t)
	token := "aws:rds/subnetGroup:SubnetGroup"
	inputs, _, err := r.check(token, "plan", nil, resource.PropertyMap{
		"subnetIds": resource.MakeComputed(resource.NewProperty(""))})
	if err != nil {
		t.Fatal(err)
	}
	out, err := r.client.Create(t.Context(), &pulumirpc.CreateRequest{Urn: urn(token, "plan"), Properties: r.marshal(inputs), Preview: true})
	if err != nil {
		t.Fatal(err)
	}
	planned := r.unmarshal(out.Properties)
	if out.Id != "" || !planned["arn"].IsComputed() || !planned["subnetIds"].IsComputed() || planned["name"] != inputs["name"] {
		t.Errorf("planned %s: %v", out.Id, planned)
	}
	made := all(r)["aws:rds/instance:Instance"]
	news := with(made.inputs, map[string]any{"port": 6000})
	updated, err := r.client.Update(t.Context(), &pulumirpc.UpdateRequest{Urn: urn(made.token, made.name), Id: made.id, Preview: true,
		OldInputs: r.marshal(made.inputs), Olds: r.marshal(made.outputs), News: r.marshal(news)})
	if err != nil {
		t.Fatal(err)
	}
	planned = r.unmarshal(updated.Properties)
	if !planned["endpoint"].IsComputed() || planned["address"].IsComputed() || planned["port"].NumberValue() != 6000 {
		t.Errorf("planned update: %v", planned)
	}
	if _, outputs := r.read(made); outputs["port"].NumberValue() != 5433 {
		t.Error("the preview changed the port")
	}
}

func TestDiffs(t *testing.T) {
	r := newRig(t)
	made := all(r)
	const update, replace = pulumirpc.PropertyDiff_UPDATE, pulumirpc.PropertyDiff_UPDATE_REPLACE
	for _, test := range []struct {
		name, token string
		change      map[string]any
		want        map[string]pulumirpc.PropertyDiff_Kind
	}{
		{"port", "aws:rds/instance:Instance", map[string]any{"port": 5999}, kindsOf("port", update)},
		{"class", "aws:rds/instance:Instance", map[string]any{"instanceClass": "db.t4g.small"}, kindsOf("instanceClass", update)},
		{"database", "aws:rds/instance:Instance", map[string]any{"dbName": "other"}, kindsOf("dbName", replace)},
		{"user", "aws:rds/instance:Instance", map[string]any{"username": "other"}, kindsOf("username", replace)},
		{"encryption", "aws:rds/instance:Instance", map[string]any{"storageEncrypted": true}, kindsOf("storageEncrypted", replace)},
		{"snapshot", "aws:rds/instance:Instance", map[string]any{"snapshotIdentifier": "s"}, kindsOf("snapshotIdentifier", pulumirpc.PropertyDiff_ADD_REPLACE)},
		{"subnet group", "aws:rds/instance:Instance", map[string]any{"dbSubnetGroupName": "other"}, kindsOf("dbSubnetGroupName", replace)},
		{"password", "aws:rds/instance:Instance", map[string]any{"password": "another-password"}, kindsOf("password", update)},
		{"no tags", "aws:rds/instance:Instance", map[string]any{"tags": nil}, kindsOf("tags", pulumirpc.PropertyDiff_DELETE)},
		{"what AWS chose", "aws:rds/instance:Instance", map[string]any{"backupWindow": "03:00-03:30", "port": nil}, nil},
		{"order of a set", "aws:rds/instance:Instance", map[string]any{"enabledCloudwatchLogsExports": []any{"postgresql", "upgrade"}}, nil},
		{"not known yet", "aws:rds/instance:Instance", map[string]any{"parameterGroupName": resource.MakeComputed(resource.NewProperty(""))}, kindsOf("parameterGroupName", update)},
		{"order of parameters, and a default", "aws:rds/parameterGroup:ParameterGroup", map[string]any{"parameters": []any{
			map[string]any{"name": "log_min_duration_statement", "value": "500", "applyMethod": "immediate"},
			map[string]any{"name": "rds.force_ssl", "value": "1", "applyMethod": "pending-reboot"}}}, nil},
		{"family", "aws:rds/parameterGroup:ParameterGroup", map[string]any{"family": "postgres18"}, kindsOf("family", replace)},
		{"description of a security group", "aws:ec2/securityGroup:SecurityGroup", map[string]any{"description": "other"}, kindsOf("description", replace)},
		{"policy's spaces", "aws:iam/role:Role", map[string]any{"assumeRolePolicy": strings.ReplaceAll(trustPolicy, ",", ", ")}, nil},
		{"secret's value", "aws:secretsmanager/secretVersion:SecretVersion", map[string]any{"secretString": "other"}, kindsOf("secretString", replace)},
		{"retention", "aws:cloudwatch/logGroup:LogGroup", map[string]any{"retentionInDays": 30}, kindsOf("retentionInDays", update)},
		{"threshold", "aws:cloudwatch/metricAlarm:MetricAlarm", map[string]any{"threshold": 90}, kindsOf("threshold", update)},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := made[test.token]
			out := r.diff(s, with(s.inputs, test.change))
			have := map[string]pulumirpc.PropertyDiff_Kind{}
			for path, d := range out.DetailedDiff {
				have[path] = d.Kind
			}
			if !maps.Equal(have, test.want) || out.DeleteBeforeReplace {
				t.Errorf("differs in %v, want %v", have, test.want)
			}
		})
	}
	s := made["aws:secretsmanager/secretVersion:SecretVersion"]
	if out := r.diff(s, with(s.inputs, map[string]any{"secretString": "other"}), "secretString"); len(out.DetailedDiff) > 0 {
		t.Errorf("an ignored change differs: %v", out.DetailedDiff)
	}
}

func kindsOf(name string, kind pulumirpc.PropertyDiff_Kind) map[string]pulumirpc.PropertyDiff_Kind {
	return map[string]pulumirpc.PropertyDiff_Kind{name: kind}
}

func TestWhatIsNotKnownIsRefused(t *testing.T) {
	r := newRig(t)
	if _, _, err := r.check("aws:s3/bucket:Bucket", "b", nil, nil); err == nil ||
		!strings.Contains(err.Error(), "doesn't know the resource type aws:s3/bucket:Bucket") {
		t.Errorf("unknown type: %v", err)
	}
	if _, _, err := r.invoke("aws:s3/getBucket:getBucket", nil); err == nil ||
		!strings.Contains(err.Error(), "doesn't know the lookup aws:s3/getBucket:getBucket") {
		t.Errorf("unknown lookup: %v", err)
	}
	for name, test := range map[string]struct {
		token  string
		inputs map[string]any
		want   string
	}{
		"property":          {"aws:rds/instance:Instance", map[string]any{"instanceClass": "db.t4g.micro", "manageMasterUserPassword": true}, `doesn't know the property "manageMasterUserPassword" of aws:rds/instance:Instance`},
		"inline rules":      {"aws:ec2/securityGroup:SecurityGroup", map[string]any{"ingress": []any{}}, `doesn't know the property "ingress"`},
		"wrong type":        {"aws:rds/instance:Instance", map[string]any{"instanceClass": "db.t4g.micro", "port": "5432"}, "want a number"},
		"missing":           {"aws:rds/instance:Instance", nil, "instanceClass is required"},
		"field":             {"aws:rds/parameterGroup:ParameterGroup", map[string]any{"family": "postgres17", "parameters": []any{map[string]any{"nam": "x"}}}, `doesn't know the field "nam"`},
		"text in a set":     {"aws:rds/subnetGroup:SubnetGroup", map[string]any{"subnetIds": []any{1}}, "want a list of texts"},
		"number in a map":   {"aws:rds/subnetGroup:SubnetGroup", map[string]any{"subnetIds": []any{"s"}, "tags": map[string]any{"a": 1}}, "want a map of texts"},
		"list for a record": {"aws:rds/parameterGroup:ParameterGroup", map[string]any{"family": "postgres17", "parameters": []any{"x"}}, "want an object"},
	} {
		_, failures, err := r.check(test.token, "x", nil, properties(test.inputs))
		if err != nil || len(failures) != 1 || !strings.Contains(failures[0].Reason, test.want) {
			t.Errorf("%s: %v %v, want %q", name, failures, err, test.want)
		}
	}
	_, failures, err := r.invoke("aws:ec2/getSubnets:getSubnets", map[string]any{"vpc": "x"})
	if err != nil || len(failures) != 1 || !strings.Contains(failures[0].Reason, `doesn't know the property "vpc"`) {
		t.Errorf("unknown argument: %v %v", failures, err)
	}
}

func TestProviderSettings(t *testing.T) {
	r := newRig(t)
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_DEFAULT_REGION", "")
	for want, settings := range map[string]map[string]any{
		"":                                   {"region": "eu-west-1"},
		`is "", want an AWS region`:          {},
		`is "Ireland", want an AWS region`:   {"region": "Ireland"},
		`doesn't know the property "assumeR`: {"region": "eu-west-1", "assumeRole": map[string]any{}},
	} {
		out, err := r.client.CheckConfig(t.Context(), &pulumirpc.CheckRequest{Urn: urn("pulumi:providers:aws", "default"),
			News: r.marshal(properties(settings))})
		var all []string
		for _, failure := range out.GetFailures() {
			all = append(all, failure.Reason)
		}
		reasons := strings.Join(all, "; ")
		if err != nil || !strings.Contains(reasons, want) || want == "" && reasons != "" {
			t.Errorf("%v: %q %v, want %q", settings, reasons, err, want)
		}
	}
}

func TestNames(t *testing.T) {
	r := newRig(t)
	name := func(token, logical string, inputs map[string]any) string {
		t.Helper()
		checked, failures, err := r.check(token, logical, nil, properties(inputs))
		if err != nil || len(failures) > 0 {
			t.Fatal(failures, err)
		}
		for _, property := range []resource.PropertyKey{"name", "identifier"} {
			if checked[property].IsString() {
				return checked[property].StringValue()
			}
		}
		return ""
	}
	automatic := name("aws:rds/parameterGroup:ParameterGroup", "Db-17", map[string]any{"family": "postgres17"})
	if !strings.HasPrefix(automatic, "db-17-") || len(automatic) != len("db-17-")+suffixLength {
		t.Errorf("automatic name: %s", automatic)
	}
	if given := name("aws:iam/role:Role", "x", map[string]any{"assumeRolePolicy": "{}", "name": "Given"}); given != "Given" {
		t.Errorf("given name: %s", given)
	}
	prefixed := name("aws:rds/instance:Instance", "x", map[string]any{"instanceClass": "db.t4g.micro", "identifierPrefix": "shop-"})
	if !strings.HasPrefix(prefixed, "shop-") {
		t.Errorf("name with a prefix: %s", prefixed)
	}
}

func TestInterruptedRunIsTakenUpAndNothingElse(t *testing.T) {
	r := newRig(t)
	token := "aws:ec2/securityGroup:SecurityGroup"
	lost := r.create(token, "db", nil) // the engine is killed before it writes this down
	again := r.create(token, "db", nil)
	if again.id != lost.id {
		t.Errorf("a second group %s was made beside %s", again.id, lost.id)
	}
	if line := <-r.warnings.lines; !strings.Contains(line, "was left by an interrupted run") {
		t.Errorf("warning: %s", line)
	}
	// now the engine holds it, and a replacement is another one
	if _, _, err := r.check(token, "db", again.inputs, again.inputs); err != nil {
		t.Fatal(err)
	}
	out, err := r.client.Check(t.Context(), &pulumirpc.CheckRequest{Urn: urn(token, "db"), RandomSeed: []byte("another")})
	if err != nil {
		t.Fatal(err)
	}
	if r.unmarshal(out.Inputs)["name"] == again.inputs["name"] {
		t.Error("the replacement has the name of what it replaces")
	}
}

func TestHalfMadeInstanceIsTheEnginesToKeep(t *testing.T) {
	r := newRig(t)
	token := "aws:rds/instance:Instance"
	made := all(r)[token]
	r.update(made, with(made.inputs, map[string]any{"deletionProtection": false, "finalSnapshotIdentifier": "last"}))
	made.outputs = with(made.outputs, map[string]any{"skipFinalSnapshot": false, "finalSnapshotIdentifier": "last"})
	if err := r.delete(made); err != nil {
		t.Fatal(err)
	}
	_, err := r.client.Create(t.Context(), &pulumirpc.CreateRequest{Urn: urn(token, "again"), Properties: r.marshal(
		with(made.inputs, map[string]any{"identifier": "again", "snapshotIdentifier": "last", "engineVersion": "18",
			"parameterGroupName": nil}))})
	failed, ok := rpcerror.FromError(err)
	if !ok || len(failed.Details()) != 1 {
		t.Fatalf("got %v, want a creation that failed half-way", err)
	}
	half, ok := failed.Details()[0].(*pulumirpc.ErrorResourceInitFailed)
	if !ok || half.Id == "" || !strings.Contains(half.Reasons[0], "AllowMajorVersionUpgrade flag must be present") {
		t.Fatalf("got %+v", failed.Details()[0])
	}
	left := state{token: token, name: "again", id: half.Id, inputs: made.inputs, outputs: r.unmarshal(half.Properties)}
	if _, outputs := r.read(left); outputs["engineVersion"] != resource.NewProperty("17") {
		t.Errorf("the instance that is left: %v", outputs)
	}
}

func TestStorageThatGrewByItselfIsNoDifference(t *testing.T) {
	r := newRig(t)
	made := all(r)["aws:rds/instance:Instance"]
	made.outputs = with(made.outputs, map[string]any{"allocatedStorage": 50.0})
	for most, want := range map[any]pulumirpc.DiffResponse_DiffChanges{nil: pulumirpc.DiffResponse_DIFF_SOME, 100: pulumirpc.DiffResponse_DIFF_NONE} {
		before := made
		before.inputs = with(made.inputs, map[string]any{"maxAllocatedStorage": most})
		before.outputs = with(made.outputs, map[string]any{"maxAllocatedStorage": most})
		if d := r.diff(before, before.inputs); d.Changes != want {
			t.Errorf("with at most %v: %v, want %v", most, d.Changes, want)
		}
	}
}

func TestWarningsReachTheEngine(t *testing.T) {
	r := newRig(t)
	made := all(r)["aws:rds/instance:Instance"]
	r.update(made, with(made.inputs, map[string]any{"instanceClass": "db.t4g.small", "applyImmediately": false}))
	if line := <-r.warnings.lines; !strings.Contains(line, "instanceClass waits for the maintenance window") {
		t.Errorf("warning: %s", line)
	}
}

func TestDatabaseLookups(t *testing.T) {
	r := newRig(t)
	made := all(r)["aws:rds/instance:Instance"]
	ask := func(name string, arguments map[string]any) (map[string]any, error) {
		t.Helper()
		out, failures, err := r.invoke("aws:rds/"+name+":"+name, arguments)
		if len(failures) > 0 {
			t.Fatal(name, failures)
		}
		object, _ := plain(resource.NewProperty(out))
		found, _ := object.(map[string]any)
		return found, err
	}
	must := func(name string, arguments map[string]any) map[string]any {
		t.Helper()
		out, err := ask(name, arguments)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if ids := must("getInstances", nil)["instanceIdentifiers"]; !reflect.DeepEqual(ids, []any{"shop"}) {
		t.Errorf("instances: %v", ids)
	}
	shop := must("getInstance", map[string]any{"dbInstanceIdentifier": "shop"})
	for name, want := range map[string]any{"engineVersion": "17.6", "dbInstanceClass": "db.t4g.micro", "allocatedStorage": 20.0,
		"maxAllocatedStorage": 0.0, "dbInstanceArn": made.outputs["arn"].StringValue(), "masterUsername": "app_admin"} {
		if !reflect.DeepEqual(shop[name], want) {
			t.Errorf("%s is %v, want %v", name, shop[name], want)
		}
	}
	if _, told := shop["password"]; told {
		t.Error("a lookup tells the password")
	}
	targets := must("getEngineVersion", map[string]any{"engine": "postgres", "version": "16.13", "includeAll": true})
	if !reflect.DeepEqual(targets["validUpgradeTargets"], []any{"17.9", "18.3"}) {
		t.Errorf("targets of 16.13: %v", targets["validUpgradeTargets"])
	}
	made = r.update(made, with(made.inputs, map[string]any{"deletionProtection": false, "finalSnapshotIdentifier": "last"}))
	made.outputs = with(made.outputs, map[string]any{"skipFinalSnapshot": false})
	if err := r.delete(made); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"last", "arn:aws:rds:eu-west-1:123456789012:snapshot:last"} {
		last := must("getSnapshot", map[string]any{"dbSnapshotIdentifier": id, "includeShared": true})
		if last["engine"] != "postgres" || last["engineVersion"] != "17.6" || last["allocatedStorage"] != 20.0 {
			t.Errorf("snapshot: %v", last)
		}
	}
	for name, arguments := range map[string]map[string]any{
		"getInstance":      {"dbInstanceIdentifier": "shop"},
		"getSnapshot":      {"dbSnapshotIdentifier": "first"},
		"getEngineVersion": {"engine": "postgres", "version": "16.99"},
	} {
		if found, err := ask(name, arguments); err == nil {
			t.Errorf("%s with %v finds %v", name, arguments, found)
		}
	}
}

func TestLookups(t *testing.T) {
	r := newRig(t)
	ask := func(token string, arguments map[string]any) map[string]any {
		t.Helper()
		out, failures, err := r.invoke(token, arguments)
		if err != nil || len(failures) > 0 {
			t.Fatal(token, failures, err)
		}
		object, _ := plain(resource.NewProperty(out))
		return object.(map[string]any)
	}
	cluster := ask("aws:eks/getCluster:getCluster", map[string]any{"name": "acme-dev"})
	network := cluster["vpcConfig"].(map[string]any)
	if cluster["endpoint"] != "https://10.0.0.10:6443" || network["clusterSecurityGroupId"] != clusterGroup ||
		cluster["arn"] != "arn:aws:eks:eu-west-1:123456789012:cluster/acme-dev" {
		t.Errorf("cluster: %v", cluster)
	}
	ca := cluster["certificateAuthorities"].([]any)[0].(map[string]any)["data"]
	if ca != "dGhlIGNsdXN0ZXIncyBDQQ==" {
		t.Errorf("certificate authority: %v", ca)
	}
	addon := map[string]any{"clusterName": "acme-dev", "addonName": "vpc-cni"}
	if enforced := ask("aws:eks/getAddon:getAddon", addon)["configurationValues"]; enforced != `{"enableNetworkPolicy":"true"}` {
		t.Errorf("network policies: %v", enforced)
	}
	vpc := []any{map[string]any{"name": "vpc-id", "values": []any{network["vpcId"]}}}
	subnets := ask("aws:ec2/getSubnets:getSubnets", map[string]any{"filters": vpc})["ids"].([]any)
	if !slices.Equal(subnets, []any{publicA, privateA, privateB}) {
		t.Errorf("subnets: %v", subnets)
	}
	if zone := ask("aws:ec2/getSubnet:getSubnet", map[string]any{"id": privateB})["availabilityZone"]; zone != "eu-west-1b" {
		t.Errorf("zone: %v", zone)
	}
	ranges := ask("aws:ec2/getVpc:getVpc", map[string]any{"id": network["vpcId"]})["cidrBlockAssociations"].([]any)
	if len(ranges) != 1 || ranges[0].(map[string]any)["cidrBlock"] != "10.0.0.0/16" {
		t.Errorf("networks of the VPC: %v", ranges)
	}
	var open []any
	for _, id := range ask("aws:ec2/getRouteTables:getRouteTables", map[string]any{"vpcId": network["vpcId"]})["ids"].([]any) {
		table := ask("aws:ec2/getRouteTable:getRouteTable", map[string]any{"routeTableId": id})
		for _, route := range table["routes"].([]any) {
			if strings.HasPrefix(route.(map[string]any)["gatewayId"].(string), "igw-") {
				for _, association := range table["associations"].([]any) {
					open = append(open, association.(map[string]any)["subnetId"])
				}
			}
		}
	}
	if !slices.Equal(open, []any{publicA}) {
		t.Errorf("subnets with a route to an internet gateway: %v", open)
	}
	for token, arguments := range map[string]map[string]any{
		"aws:ec2/getSubnet:getSubnet":         {"id": "subnet-nowhere"},
		"aws:ec2/getVpc:getVpc":               {"id": "vpc-nowhere"},
		"aws:ec2/getSubnets:getSubnets":       {"filters": []any{map[string]any{"name": "no-such-filter", "values": []any{"x"}}}},
		"aws:ec2/getRouteTable:getRouteTable": {"subnetId": privateA},
		"aws:eks/getAddon:getAddon":           {"clusterName": "acme-dev", "addonName": "metrics-server"},
	} {
		if _, _, err := r.invoke(token, arguments); err == nil {
			t.Errorf("%s with %v found something", token, arguments)
		}
	}
	if id := ask("aws:index/getCallerIdentity:getCallerIdentity", nil)["accountId"]; id != "123456789012" {
		t.Errorf("account: %v", id)
	}
	if name := ask("aws:index/getRegion:getRegion", nil)["name"]; name != "eu-west-1" {
		t.Errorf("region: %v", name)
	}
	const secret, parameter = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:threetier/dev/stripe-AbCdEf", "arn:aws:ssm:eu-west-1:123456789012:parameter/threetier/dev/key"
	if text := ask("aws:secretsmanager/getSecretVersion:getSecretVersion", map[string]any{"secretId": secret})["secretString"]; text != "stand-in of "+secret {
		t.Errorf("secret: %v", text)
	}
	if text := ask("aws:ssm/getParameter:getParameter", map[string]any{"name": parameter, "withDecryption": true})["value"]; text != "stand-in of "+parameter {
		t.Errorf("parameter: %v", text)
	}
	if name := ask("aws:index/getPartition:getPartition", nil)["partition"]; name != "aws" {
		t.Errorf("partition: %v", name)
	}
}
