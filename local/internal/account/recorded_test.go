package account

import (
	"os"
	"strings"
	"testing"
	"time"

	"threetier/local/internal/account/rds"
	"threetier/local/internal/account/recorded"
	"threetier/local/internal/account/state"
)

const (
	testTrustPolicy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow"}]}`
	testTopic       = "arn:aws:sns:eu-west-1:123456789012:pager"
)

func group(parameters ...props) props {
	list := []any{}
	for _, p := range parameters {
		list = append(list, p)
	}
	return props{"name": "pg", "family": "postgres17", "parameters": list}
}

func TestRefusals(t *testing.T) {
	f := newFixture(t)
	f.create(recorded.KindRole, props{"name": "taken", "assumeRolePolicy": testTrustPolicy})
	f.create(recorded.KindAssociation, props{"clusterName": "acme", "namespace": "shop", "serviceAccount": "backend", "roleArn": "arn:aws:iam::123456789012:role/taken"})
	f.create(recorded.KindLogGroup, props{"name": "taken"})
	f.create(recorded.KindSecret, props{"name": "taken"})
	sg := f.create(recorded.KindSecurityGroup, props{"name": "taken"}).ID
	rule := props{"securityGroupId": sg, "ipProtocol": "tcp", "fromPort": 1, "toPort": 2, "cidrIpv4": "10.0.0.0/16"}
	f.create(recorded.KindIngressRule, rule)
	f.create(rds.KindParameterGroup, props{"name": "taken", "family": "postgres17", "parameters": []any{}})
	alarm := props{"name": "a", "namespace": "AWS/RDS", "metricName": "CPU", "comparisonOperator": "GreaterThanThreshold",
		"evaluationPeriods": 1, "period": 60, "statistic": "Average"}
	metric := props{"namespace": "AWS/RDS", "metricName": "CPU", "period": 60, "stat": "Sum"}
	queried := func(query props) props {
		return props{"name": "a", "comparisonOperator": "GreaterThanThreshold", "evaluationPeriods": 1, "metricQueries": []any{query}}
	}
	filter := props{"name": "f", "logGroupName": "taken", "pattern": "{ $.a = 1 }", "metricTransformation": props{"name": "m", "namespace": "n", "value": "1"}}
	check := props{"type": "HTTP", "fqdn": "example.org", "requestInterval": 30, "failureThreshold": 3}
	f.refusals([]refusal{
		{rds.KindSubnetGroup, props{"name": "s", "subnetIds": []string{recorded.Subnets[1].ID}}, "DBSubnetGroupDoesNotCoverEnoughAZs", "Current AZ coverage: eu-west-1a"},
		{rds.KindSubnetGroup, props{"name": "s", "subnetIds": []string{"subnet-no"}}, "InvalidSubnet", "subnet-no"},
		{rds.KindSubnetGroup, props{"name": "s", "subnetIds": []string{recorded.Subnets[1].ID, recorded.Subnets[4].ID}}, "InvalidSubnet", "not all in the same VPC"},
		{rds.KindSubnetGroup, props{"name": "s", "subnetIds": []string{recorded.Subnets[1].ID, recorded.Subnets[2].ID}, "tags": props{"aws:x": "1"}}, "InvalidParameterValue", `Tag keys cannot start with the reserved prefix "aws:"`},
		{rds.KindSubnetGroup, props{"name": "s", "subnetIds": []string{recorded.Subnets[1].ID, recorded.Subnets[2].ID}, "tags": props{"backup": "rds:x"}}, "InvalidParameterValue", `Tag values cannot start with the reserved prefix "rds:"`},
		{recorded.KindSecurityGroup, props{"name": "n", "tags": props{"AWS:x": "1"}}, "InvalidParameterValue", "Tag keys"},
		{rds.KindParameterGroup, group(props{"name": "no_such", "value": "1"}), "InvalidParameterValue", "Could not find parameter with name: no_such"},
		{rds.KindParameterGroup, group(props{"name": "fsync", "value": "0"}), "InvalidParameterValue", "fsync cannot be modified"},
		{rds.KindParameterGroup, group(props{"name": "max_connections", "value": "50"}), "InvalidParameterCombination", "cannot use immediate apply method for static parameter"},
		{rds.KindParameterGroup, group(props{"name": "work_mem", "value": "4MB"}), "InvalidParameterValue", "allowed values are: 64-"},
		{rds.KindParameterGroup, group(props{"name": "work_mem", "value": "1"}), "InvalidParameterValue", "Invalid parameter value: 1 for: work_mem"},
		{rds.KindParameterGroup, group(props{"name": "log_connections", "value": "yes"}), "InvalidParameterValue", "allowed values are: 0, 1"},
		{rds.KindParameterGroup, group(props{"name": "log_statement", "value": "some"}), "InvalidParameterValue", "Available values: none, ddl, mod, all"},
		{rds.KindParameterGroup, group(props{"name": "io_method", "value": "sync"}), "InvalidParameterValue", "Could not find parameter"},
		{rds.KindParameterGroup, group(props{"name": "autovacuum", "value": "on"}), "InvalidParameterValue", "allowed values are: 0, 1"},
		{rds.KindParameterGroup, group(props{"name": "log_line_prefix", "value": "%m "}), "InvalidParameterValue", "Invalid parameter value: %m  for: log_line_prefix allowed values are: %t:%r:%u@%d:[%p]:,"},
		{rds.KindParameterGroup, group(props{"name": "pgaudit.role", "value": "auditor"}), "InvalidParameterValue", "allowed values are: rds_pgaudit"},
		{rds.KindParameterGroup, group(props{"name": "shared_preload_libraries", "value": "pg_cron, timescaledb", "applyMethod": "pending-reboot"}), "InvalidParameterValue", "Invalid parameter value: timescaledb for: shared_preload_libraries"},
		{rds.KindParameterGroup, props{"name": "pg", "family": "mysql8"}, "InvalidParameterValue", "mysql8"},
		{rds.KindParameterGroup, props{"name": "taken", "family": "postgres17"}, "DBParameterGroupAlreadyExists", "taken"},
		{rds.KindEventSubscription, props{"name": "e", "snsTopic": "x"}, "SNSTopicArnNotFound", "x"},
		{rds.KindEventSubscription, props{"name": "e", "snsTopic": testTopic, "sourceType": "db-instance", "sourceIds": []string{"no"}}, "SourceNotFound", "no"},
		{rds.KindEventSubscription, props{"name": "e", "snsTopic": testTopic, "sourceType": "db-parameter-group", "eventCategories": []string{"failure"}}, "SubscriptionCategoryNotFound", "failure"},
		{recorded.KindSecurityGroup, props{"name": "taken"}, "InvalidGroup.Duplicate", "taken"},
		{recorded.KindSecurityGroup, props{"name": "n", "vpcId": "vpc-no"}, "InvalidVpcID.NotFound", "vpc-no"},
		{recorded.KindIngressRule, rule, "InvalidPermission.Duplicate", "from port: 1, to port: 2"},
		{recorded.KindIngressRule, state.Merge(rule, props{"securityGroupId": "sg-no"}), "InvalidGroup.NotFound", "sg-no"},
		{recorded.KindIngressRule, state.Merge(rule, props{"cidrIpv4": "10.0.0.1/16"}), "InvalidParameterValue", "malformed"},
		{recorded.KindIngressRule, state.Merge(rule, props{"referencedSecurityGroupId": sg}), "InvalidParameterCombination", "exactly one"},
		{recorded.KindIngressRule, state.Merge(rule, props{"cidrIpv4": nil, "referencedSecurityGroupId": recorded.OtherSecurityGroupID}), "InvalidGroup.NotFound", "different networks"},
		{recorded.KindRole, props{"name": "taken", "assumeRolePolicy": testTrustPolicy}, "EntityAlreadyExists", "taken"},
		{recorded.KindRole, props{"name": "r", "assumeRolePolicy": "{"}, "MalformedPolicyDocument", "JSON"},
		{recorded.KindAttachment, props{"role": "no", "policyArn": "arn:aws:iam::aws:policy/x"}, "NoSuchEntity", "role with name no"},
		{recorded.KindAttachment, props{"role": "taken", "policyArn": "x"}, "NoSuchEntity", "Policy x"},
		{recorded.KindRolePolicy, props{"name": "p", "role": "no", "policy": testTrustPolicy}, "NoSuchEntity", "role with name no"},
		{recorded.KindRolePolicy, props{"name": "p", "role": "taken", "policy": "{"}, "MalformedPolicyDocument", "JSON"},
		{recorded.KindRolePolicy, props{"name": "p", "role": "taken", "policy": `{"Statement":[{"Action":"` + strings.Repeat("x", 10240) + `"}]}`}, "LimitExceeded", "10240 bytes exceeded for role taken"},
		{recorded.KindAssociation, props{"clusterName": "acme", "namespace": "n", "serviceAccount": "s", "roleArn": "arn:aws:iam::123456789012:role/no"}, "InvalidParameterException", "does not exist"},
		{recorded.KindAssociation, props{"clusterName": "acme", "namespace": "shop", "serviceAccount": "backend", "roleArn": "arn:aws:iam::123456789012:role/taken"}, "ResourceInUseException", "already exists"},
		{recorded.KindLogGroup, props{"name": "taken"}, "ResourceAlreadyExistsException", "taken"},
		{recorded.KindLogGroup, props{"name": "l", "retentionInDays": 8}, "InvalidParameterException", "8"},
		{recorded.KindAlarm, state.Merge(alarm, props{"comparisonOperator": "More"}), "ValidationError", "More"},
		{recorded.KindAlarm, state.Merge(alarm, props{"period": 45}), "ValidationError", "45"},
		{recorded.KindAlarm, state.Merge(alarm, props{"statistic": nil}), "ValidationError", "statistic"},
		{recorded.KindAlarm, state.Merge(alarm, props{"treatMissingData": "x"}), "ValidationError", "notBreaching"},
		{recorded.KindAlarm, state.Merge(alarm, props{"evaluationPeriods": 1441}), "ValidationError", "more than 86400 seconds"},
		{recorded.KindAlarm, state.Merge(alarm, props{"period": 3600, "evaluationPeriods": 169}), "ValidationError", "more than 604800 seconds"},
		{recorded.KindAlarm, queried(props{"id": "a", "metric": metric}), "ValidationError", "0 metric queries return data"},
		{recorded.KindAlarm, queried(props{"id": "a", "returnData": true}), "ValidationError", "either a metric or an expression"},
		{recorded.KindAlarm, queried(props{"id": "a", "returnData": true, "metric": state.Merge(metric, props{"stat": nil})}), "ValidationError", "stat is required"},
		{recorded.KindAlarm, queried(props{"id": "a", "returnData": true, "metric": state.Merge(metric, props{"period": 45})}), "ValidationError", "45"},
		{recorded.KindAlarm, queried(props{"id": "a", "returnData": true, "expression": "SELECT MAX(x) FROM y"}), "ValidationError", "period is 0"},
		{recorded.KindAlarm, state.Merge(queried(props{"id": "a", "returnData": true, "expression": "SELECT MAX(x) FROM y", "period": 60}), props{"evaluationPeriods": 181}), "ValidationError", "10800 seconds"},
		{recorded.KindAlarm, state.Merge(queried(props{"id": "a", "returnData": true, "metric": metric}), props{"metricName": "CPU"}), "ValidationError", "a metricName"},
		{recorded.KindMetricFilter, state.Merge(filter, props{"logGroupName": "no"}), "ResourceNotFoundException", "The specified log group does not exist: no"},
		{recorded.KindMetricFilter, state.Merge(filter, props{"logGroupName": "/aws/containerinsights/acme/performance"}), "ResourceNotFoundException", "performance"},
		{recorded.KindMetricFilter, state.Merge(filter, props{"pattern": "{ $.a = 1"}), "InvalidParameterException", "Invalid metric filter pattern"},
		{recorded.KindMetricFilter, state.Merge(filter, props{"metricTransformation": props{"name": "m", "namespace": "n"}}), "InvalidParameterException", "a value"},
		{recorded.KindMetricFilter, state.Merge(filter, props{"metricTransformation": props{"name": "m", "namespace": "n", "value": "1", "defaultValue": "0", "dimensions": map[string]any{"a": "$.a"}}}), "InvalidParameterException", "or dimensions"},
		{recorded.KindDashboard, props{"dashboardName": "a b", "dashboardBody": "{}"}, "InvalidParameterValue", "a b"},
		{recorded.KindDashboard, props{"dashboardName": "d", "dashboardBody": "{"}, "InvalidParameterInput", "valid JSON"},
		{recorded.KindDashboard, props{"dashboardName": "d", "dashboardBody": `{"widgets": [{"type": "graph"}]}`}, "InvalidParameterInput", "graph"},
		{recorded.KindDashboard, props{"dashboardName": "d", "dashboardBody": `{"widgets": [{"type": "text", "x": 12, "width": 13}]}`}, "InvalidParameterInput", "12 and 13"},
		{recorded.KindDashboard, props{"dashboardName": "d", "dashboardBody": `{"widgets": [{"type": "metric"}]}`}, "InvalidParameterInput", "region is required"},
		{recorded.KindHealthCheck, state.Merge(check, props{"type": "GRPC"}), "InvalidInput", "GRPC"},
		{recorded.KindHealthCheck, state.Merge(check, props{"fqdn": nil}), "InvalidInput", "fqdn"},
		{recorded.KindHealthCheck, state.Merge(check, props{"requestInterval": 60}), "InvalidInput", "60"},
		{recorded.KindHealthCheck, state.Merge(check, props{"failureThreshold": 11}), "InvalidInput", "11"},
		{recorded.KindSecret, props{"name": "taken"}, "ResourceExistsException", "taken"},
		{recorded.KindSecret, props{"name": "s", "recoveryWindowInDays": 3}, "InvalidParameterException", "between 7 and 30"},
		{recorded.KindSecretVersion, props{"secretId": "no", "secretString": "x"}, "ResourceNotFoundException", "can't find"},
		{recorded.KindSecretVersion, props{"secretId": "taken"}, "InvalidParameterException", "SecretString"},
	})
}

// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html and the API references of EKS, ECR, IAM and SNS
func TestRefusalsOfAPlatform(t *testing.T) {
	f := newFixture(t)
	role := f.create(recorded.KindRole, props{"name": "control", "assumeRolePolicy": testTrustPolicy})
	vpc := f.create(kindVPC, props{"cidrBlock": "10.20.0.0/16"}).ID
	subnet := func(cidr, zone string) props { return props{"vpcId": vpc, "cidrBlock": cidr, "availabilityZone": zone} }
	a, b := f.create(kindSubnet, subnet("10.20.0.0/18", "eu-west-1a")).ID, f.create(kindSubnet, subnet("10.20.64.0/18", "eu-west-1b")).ID
	address := f.create(kindAddress, props{"domain": "vpc"}).ID
	f.refusals([]refusal{{kindNAT, props{"subnetId": a, "allocationId": address}, "Gateway.NotAttached", vpc}})
	internet := f.create(kindInternet, props{"vpcId": vpc}).ID
	nat := f.create(kindNAT, props{"subnetId": a, "allocationId": address}).ID
	table := f.create(kindTable, props{"vpcId": vpc}).ID
	route := f.create(kindRoute, props{"routeTableId": table, "destinationCidrBlock": "0.0.0.0/0", "natGatewayId": nat}).ID
	associated := f.create(kindAssociation, props{"routeTableId": table, "subnetId": b}).ID
	on := map[string]any{"enabled": true}
	cluster := props{"name": "acme", "roleArn": "arn:aws:iam::123456789012:role/" + role.ID, "computeConfig": on, "storageConfig": map[string]any{"blockStorage": on},
		"kubernetesNetworkConfig": map[string]any{"elasticLoadBalancing": on}, "vpcConfig": map[string]any{"subnetIds": []string{a, b}}}
	f.refusals([]refusal{{kindCluster, cluster, "ServiceUnavailableException", "no cluster yet"}})
	if err := os.WriteFile(f.cfg.ClusterCAFile, []byte("certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.create(kindCluster, cluster)
	entry := props{"clusterName": "acme", "principalArn": "arn:aws:iam::123456789012:role/deploy"}
	f.create(kindEntry, entry)
	f.create(kindRepository, props{"name": "taken"})
	f.create(kindProvider, props{"url": "https://token.actions.githubusercontent.com"})
	policy := f.create(kindPolicy, props{"name": "taken", "policy": testTrustPolicy}).ID
	attached := f.create(recorded.KindAttachment, props{"role": role.ID, "policyArn": policy}).ID
	f.create(kindTopic, props{"name": "taken"})
	f.create(kindBudget, props{"name": "taken"})
	f.refusals([]refusal{
		{kindVPC, props{"cidrBlock": "10.0.0.0/8"}, "InvalidVpc.Range", "10.0.0.0/8"},
		{kindSubnet, props{"vpcId": "vpc-no", "cidrBlock": "10.20.0.0/18", "availabilityZone": "eu-west-1a"}, "InvalidVpcID.NotFound", "vpc-no"},
		{kindSubnet, subnet("10.21.0.0/18", "eu-west-1a"), "InvalidSubnet.Range", "10.21.0.0/18"},
		{kindSubnet, subnet("10.20.32.0/20", "eu-west-1a"), "InvalidSubnet.Conflict", "conflicts with another subnet"},
		{kindSubnet, subnet("10.20.128.0/18", "us-east-1a"), "InvalidParameterValue", "us-east-1a"},
		{kindInternet, props{"vpcId": vpc}, "Resource.AlreadyAssociated", vpc},
		{kindNAT, props{"subnetId": "no", "allocationId": address}, "InvalidSubnetID.NotFound", "no"},
		{kindNAT, props{"subnetId": a, "allocationId": "no"}, "InvalidAllocationID.NotFound", "no"},
		{kindNAT, props{"subnetId": a, "allocationId": address}, "Resource.AlreadyAssociated", address},
		{kindRoute, props{"routeTableId": "no", "gatewayId": internet}, "InvalidRouteTableID.NotFound", "no"},
		{kindRoute, props{"routeTableId": table}, "InvalidParameterCombination", "exactly one"},
		{kindRoute, props{"routeTableId": table, "gatewayId": "no"}, "InvalidInternetGatewayID.NotFound", "no"},
		{kindRoute, props{"routeTableId": table, "natGatewayId": "no"}, "InvalidNatGatewayID.NotFound", "no"},
		{kindRoute, props{"routeTableId": table, "gatewayId": internet, "destinationCidrBlock": "0.0.0.0/0"}, "RouteAlreadyExists", "0.0.0.0/0"},
		{kindAssociation, props{"routeTableId": table, "subnetId": "no"}, "InvalidSubnetID.NotFound", "no"},
		{kindAssociation, props{"routeTableId": table, "subnetId": b}, "Resource.AlreadyAssociated", table},
		{kindCluster, cluster, "ResourceInUseException", "Cluster already exists with name: acme"},
		{kindCluster, state.Merge(cluster, props{"name": "x", "storageConfig": nil}), "InvalidParameterException", "fully enabled or fully disabled"},
		{kindCluster, state.Merge(cluster, props{"name": "x", "vpcConfig": map[string]any{"subnetIds": []string{a}}}), "InvalidParameterException", "two different AZs"},
		{kindCluster, state.Merge(cluster, props{"name": "x", "roleArn": "arn:aws:iam::123456789012:role/no"}), "InvalidParameterException", "does not exist"},
		{kindAddon, props{"clusterName": "no", "addonName": "metrics-server"}, "ResourceNotFoundException", "No cluster found for name: no"},
		{kindEntry, entry, "ResourceInUseException", "access-entry"},
		{kindEntryPolicy, props{"clusterName": "acme", "principalArn": "arn:no"}, "ResourceNotFoundException", "arn:no"},
		{kindRepository, props{"name": "taken"}, "RepositoryAlreadyExistsException", "taken"},
		{kindLifecycle, props{"repository": "no"}, "RepositoryNotFoundException", "no"},
		{kindProvider, props{"url": "https://token.actions.githubusercontent.com"}, "EntityAlreadyExists", "Provider with url"},
		{kindPolicy, props{"name": "taken", "policy": testTrustPolicy}, "EntityAlreadyExists", "taken"},
		{kindTopic, props{"name": "taken"}, "InvalidParameter", "taken"},
		{kindSubscriber, props{"topic": "no", "protocol": "email"}, "NotFound", "no"},
		{kindBudget, props{"name": "taken"}, "DuplicateRecordException", "taken"},
	})
	// From the outside in, AWS refuses; from the inside out, all of it goes.
	for _, c := range []struct{ kind, id, code string }{
		{kindVPC, vpc, "DependencyViolation"}, {kindSubnet, a, "DependencyViolation"}, {kindSubnet, b, "DependencyViolation"}, {kindInternet, internet, "DependencyViolation"},
		{kindAddress, address, "InvalidIPAddress.InUse"}, {kindTable, table, "DependencyViolation"}, {kindPolicy, policy, "DeleteConflict"}, {recorded.KindRole, role.ID, "DeleteConflict"},
	} {
		if err := f.remove(c.kind, c.id, nil); err == nil || err.Code != c.code {
			t.Errorf("remove %s: %v, want %s", c.kind, err, c.code)
		}
	}
	for _, c := range [][2]string{{kindCluster, "acme"}, {kindAssociation, associated}, {kindRoute, route}, {kindNAT, nat}, {kindAddress, address}, {kindTable, table},
		{kindInternet, internet}, {kindSubnet, a}, {kindSubnet, b}, {kindVPC, vpc}, {recorded.KindAttachment, attached}, {kindPolicy, policy}, {recorded.KindRole, role.ID}} {
		if err := f.remove(c[0], c[1], nil); err != nil {
			t.Errorf("remove %s: %v", c[0], err)
		}
	}
}

func TestInstanceRefusals(t *testing.T) {
	f := newFixture(t)
	f.create(rds.KindParameterGroup, props{"name": "taken", "family": "postgres18", "parameters": []any{}})
	f.create(rds.KindSubnetGroup, props{"name": "other", "subnetIds": []string{recorded.Subnets[3].ID, recorded.Subnets[4].ID}})
	instance := func(more props) props { return f.instanceInputs("shop", more) }
	f.refusals([]refusal{
		{state.KindInstance, instance(props{"engine": "mysql"}), "InvalidParameterValue", "mysql"},
		{state.KindInstance, instance(props{"engineVersion": "9"}), "InvalidParameterCombination", "Cannot find version 9"},
		{state.KindInstance, instance(props{"instanceClass": "db.t4g.huge"}), "InvalidParameterValue", "Invalid DB Instance class: db.t4g.huge"},
		{state.KindInstance, instance(props{"engineVersion": "16.99"}), "InvalidParameterCombination", "Cannot find version 16.99 for postgres"},
		{state.KindInstance, instance(props{"instanceClass": "db.m7g.48xlarge"}), "InvalidParameterValue", "Invalid DB Instance class: db.m7g.48xlarge"},
		{state.KindInstance, instance(props{"dbName": "Select"}), "InvalidParameterValue", "Select cannot be used as it is a reserved word"},
		{state.KindInstance, instance(props{"tags": props{"backup": "aws:daily"}}), "InvalidParameterValue", "Tag values cannot start"},
		{state.KindInstance, instance(props{"dbSubnetGroupName": "other"}), "InvalidParameterCombination", "The DB instance and EC2 security group are in different VPCs. The DB instance is in " + recorded.OtherVPCID},
		{state.KindInstance, instance(props{"vpcSecurityGroupIds": []string{recorded.OtherSecurityGroupID}}), "InvalidParameterCombination", "and the EC2 security group is in " + recorded.OtherVPCID},
		{state.KindInstance, instance(props{"storageType": "gp3", "allocatedStorage": 400, "iops": 3000}), "InvalidParameterCombination", "Invalid iops value for engine name postgres and storage type gp3: 3000"},
		{state.KindInstance, instance(props{"allocatedStorage": 5}), "InvalidParameterValue", "Invalid storage size"},
		{state.KindInstance, instance(props{"maxAllocatedStorage": 20}), "InvalidParameterCombination", "Max storage size"},
		{state.KindInstance, instance(props{"storageType": "gp3", "iops": 3000}), "InvalidParameterCombination", "less than 400"},
		{state.KindInstance, instance(props{"username": "admin"}), "InvalidParameterValue", "reserved word"},
		{state.KindInstance, instance(props{"username": "pg_me"}), "InvalidParameterValue", "MasterUsername"},
		{state.KindInstance, instance(props{"password": "short"}), "InvalidParameterValue", "shorter than 8"},
		{state.KindInstance, instance(props{"password": "with space and @"}), "InvalidParameterValue", "Only printable ASCII"},
		{state.KindInstance, instance(props{"password": nil}), "InvalidParameterValue", "MasterUserPassword must be provided"},
		{state.KindInstance, instance(props{"identifier": "Shop--x"}), "InvalidParameterValue", "DBInstanceIdentifier"},
		{state.KindInstance, instance(props{"dbName": "my-db"}), "InvalidParameterValue", "DBName"},
		{state.KindInstance, instance(props{"port": 80}), "InvalidParameterValue", "80"},
		{state.KindInstance, instance(props{"backupRetentionPeriod": 36}), "InvalidParameterValue", "Must be between 0 and 35"},
		{state.KindInstance, instance(props{"dbSubnetGroupName": "no"}), "DBSubnetGroupNotFoundFault", "no"},
		{state.KindInstance, instance(props{"parameterGroupName": "no"}), "DBParameterGroupNotFound", "no"},
		{state.KindInstance, instance(props{"parameterGroupName": "taken"}), "InvalidParameterCombination", "Use a parameter group with DBParameterGroupFamily postgres17"},
		{state.KindInstance, instance(props{"vpcSecurityGroupIds": []string{"sg-no"}}), "InvalidParameterValue", "sg-no"},
		{state.KindInstance, instance(props{"monitoringInterval": 60}), "InvalidParameterCombination", "MonitoringRoleARN value is required"},
		{state.KindInstance, instance(props{"monitoringInterval": 60, "monitoringRoleArn": "arn:aws:iam::123456789012:role/no"}), "InvalidParameterValue", "does not exist"},
		{state.KindInstance, instance(props{"enabledCloudwatchLogsExports": []string{"slow"}}), "InvalidParameterCombination", "log type 'slow'"},
		{state.KindInstance, instance(props{"availabilityZone": "us-east-1a"}), "InvalidParameterValue", "us-east-1a"},
		{state.KindInstance, instance(props{"availabilityZone": "eu-west-1a", "multiAz": true}), "InvalidParameterCombination", "Multi-AZ"},
		{state.KindInstance, instance(props{"snapshotIdentifier": "no"}), "DBSnapshotNotFound", "no"},
		{state.KindInstance, instance(props{"replicateSourceDb": "no"}), "DBInstanceNotFound", "no"},
		{"s3/bucket", props{}, "UnknownResourceType", "s3/bucket"},
	})
	if d := f.describe("shop"); d.Identifier != "" {
		t.Error("a refused instance is left")
	}
}

// refusal is a creation that AWS refuses, with the code and some of the words.
type refusal struct {
	kind   string
	inputs props
	code   string
	words  string
}

func (f *fixture) refusals(tests []refusal) {
	f.Helper()
	for _, test := range tests {
		out := f.call("POST", "/resources/"+test.kind, Request{Region: region, Inputs: test.inputs})
		if out.Error == nil || out.Error.Code != test.code || !strings.Contains(out.Error.Message, test.words) {
			f.Errorf("%s %v: got %v, want %s with %q", test.kind, test.inputs, out.Error, test.code, test.words)
		}
	}
}

func TestWhatIsInUseStays(t *testing.T) {
	f := newFixture(t)
	f.create(rds.KindSubnetGroup, props{"name": "sn", "subnetIds": []string{recorded.Subnets[1].ID, recorded.Subnets[2].ID}})
	f.create(rds.KindParameterGroup, props{"name": "pg", "family": "postgres17", "parameters": []any{}})
	role := f.create(recorded.KindRole, props{"name": "r", "assumeRolePolicy": testTrustPolicy})
	attachment := f.create(recorded.KindAttachment, props{"role": "r", "policyArn": "arn:aws:iam::aws:policy/service-role/X"})
	inputs := f.instanceInputs("shop", props{"dbSubnetGroupName": "sn", "parameterGroupName": "pg"})
	id := f.create(state.KindInstance, inputs).ID
	sg := inputs["vpcSecurityGroupIds"].([]string)[0]
	f.refused(f.remove(rds.KindSubnetGroup, "sn", nil), "InvalidDBSubnetGroupStateFault")
	f.refused(f.remove(rds.KindParameterGroup, "pg", nil), "InvalidDBParameterGroupState")
	f.refused(f.remove(recorded.KindSecurityGroup, sg, nil), "DependencyViolation")
	f.refused(f.remove(recorded.KindRole, role.ID, nil), "DeleteConflict")
	for _, gone := range []struct{ kind, id string }{{state.KindInstance, id}, {rds.KindSubnetGroup, "sn"}, {rds.KindParameterGroup, "pg"},
		{recorded.KindSecurityGroup, sg}, {recorded.KindAttachment, attachment.ID}, {recorded.KindRole, "r"}} {
		if err := f.remove(gone.kind, gone.id, props{"skipFinalSnapshot": true}); err != nil {
			t.Errorf("%s: %v", gone.kind, err)
		}
	}
}

func TestDeletedSecretKeepsItsNameForTheRecoveryWindow(t *testing.T) {
	f := newFixture(t)
	id := f.create(recorded.KindSecret, props{"name": "db", "recoveryWindowInDays": 7}).ID
	if err := f.remove(recorded.KindSecret, id, nil); err != nil {
		t.Fatal(err)
	}
	out := f.call("POST", "/resources/"+recorded.KindSecret, Request{Region: region, Inputs: props{"name": "db"}})
	f.refused(out.Error, "InvalidRequestException")
	f.refused(f.call("POST", "/resources/"+recorded.KindSecretVersion, Request{Region: region,
		Inputs: props{"secretId": id, "secretString": "x"}}).Error, "InvalidRequestException")
	f.stop()
	s, err := state.OpenStore(f.cfg.Dir + "/records")
	if err != nil {
		t.Fatal(err)
	}
	past := time.Now().Add(-time.Hour)
	secret := s.Get(recorded.KindSecret, id)
	secret.Deleted = &past
	if err := s.Put(secret); err != nil {
		t.Fatal(err)
	}
	f.run()
	again := f.create(recorded.KindSecret, props{"name": "db", "recoveryWindowInDays": 0}).ID
	if err := f.remove(recorded.KindSecret, again, nil); err != nil {
		t.Fatal(err)
	}
	f.create(recorded.KindSecret, props{"name": "db"})
}

func TestSecretsValueCanBeOpenedAgain(t *testing.T) {
	f := newFixture(t)
	secret := f.create(recorded.KindSecret, props{"name": "db"}).ID
	version := f.create(recorded.KindSecretVersion, props{"secretId": secret, "secretString": "the value"})
	if _, told := version.Outputs["secretString"]; told {
		t.Error("the answer holds the value")
	}
	f.stop()
	s, err := state.OpenStore(f.cfg.Dir + "/records")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := state.OpenSealer(f.cfg.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if value, err := keys.Open(s.Get(recorded.KindSecretVersion, version.ID).Sealed); value != "the value" || err != nil {
		t.Errorf("opened %q, %v", value, err)
	}
	f.run()
}

func TestLogGroupsThatNobodyMadeAreMadeForGood(t *testing.T) {
	f := newFixture(t)
	id := f.create(state.KindInstance, f.instanceInputs("shop", props{"enabledCloudwatchLogsExports": []string{"postgresql"}})).ID
	if err := f.remove(state.KindInstance, id, props{"skipFinalSnapshot": true}); err != nil {
		t.Fatal(err)
	}
	out := f.call("POST", "/resources/"+recorded.KindLogGroup, Request{Region: region, Inputs: props{"name": "/aws/rds/instance/shop/postgresql"}})
	f.refused(out.Error, "ResourceAlreadyExistsException")
}

func TestParametersOfANewerMajorAreRecordedOnly(t *testing.T) {
	f := newFixture(t)
	f.create(rds.KindParameterGroup, props{"name": "pg", "family": "postgres18", "parameters": []any{
		props{"name": "vacuum_max_eager_freeze_failure_rate", "value": "1"},
		props{"name": "shared_preload_libraries", "value": "pg_stat_statements,pg_cron", "applyMethod": "pending-reboot"},
		props{"name": "pg_stat_statements.track", "value": "all"}}})
	out := f.create(state.KindInstance, f.instanceInputs("shop", props{"engineVersion": "18", "parameterGroupName": "pg"}))
	warnings := strings.Join(out.Warnings, "; ")
	for _, want := range []string{"PostgreSQL 18 was asked for", "vacuum_max_eager_freeze_failure_rate is recorded only", "pg_cron is recorded only"} {
		if !strings.Contains(warnings, want) {
			t.Errorf("warnings %q lack %q", warnings, want)
		}
	}
	f.mustQuery("shop", "SHOW shared_preload_libraries", "pg_stat_statements")
	f.mustQuery("shop", "SHOW pg_stat_statements.track", "all")
}
