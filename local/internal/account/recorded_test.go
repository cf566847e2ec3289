package account

import (
	"strings"
	"testing"
	"time"
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
	f.create(kindRole, props{"name": "taken", "assumeRolePolicy": testTrustPolicy})
	f.create(kindAssociation, props{"clusterName": "acme", "namespace": "shop", "serviceAccount": "backend", "roleArn": "arn:aws:iam::123456789012:role/taken"})
	f.create(kindLogGroup, props{"name": "taken"})
	f.create(kindSecret, props{"name": "taken"})
	sg := f.create(kindSecurityGroup, props{"name": "taken"}).ID
	rule := props{"securityGroupId": sg, "ipProtocol": "tcp", "fromPort": 1, "toPort": 2, "cidrIpv4": "10.0.0.0/16"}
	f.create(kindIngressRule, rule)
	f.create(kindParameterGroup, props{"name": "taken", "family": "postgres17", "parameters": []any{}})
	alarm := props{"name": "a", "namespace": "AWS/RDS", "metricName": "CPU", "comparisonOperator": "GreaterThanThreshold",
		"evaluationPeriods": 1, "period": 60, "statistic": "Average"}
	metric := props{"namespace": "AWS/RDS", "metricName": "CPU", "period": 60, "stat": "Sum"}
	queried := func(query props) props {
		return props{"name": "a", "comparisonOperator": "GreaterThanThreshold", "evaluationPeriods": 1, "metricQueries": []any{query}}
	}
	filter := props{"name": "f", "logGroupName": "taken", "pattern": "{ $.a = 1 }", "metricTransformation": props{"name": "m", "namespace": "n", "value": "1"}}
	check := props{"type": "HTTP", "fqdn": "example.org", "requestInterval": 30, "failureThreshold": 3}
	f.refusals([]refusal{
		{kindSubnetGroup, props{"name": "s", "subnetIds": []string{subnets[1].id}}, "DBSubnetGroupDoesNotCoverEnoughAZs", "Current AZ coverage: eu-west-1a"},
		{kindSubnetGroup, props{"name": "s", "subnetIds": []string{"subnet-no"}}, "InvalidSubnet", "subnet-no"},
		{kindSubnetGroup, props{"name": "s", "subnetIds": []string{subnets[1].id, subnets[4].id}}, "InvalidSubnet", "not all in the same VPC"},
		{kindSubnetGroup, props{"name": "s", "subnetIds": []string{subnets[1].id, subnets[2].id}, "tags": props{"aws:x": "1"}}, "InvalidParameterValue", `Tag keys cannot start with the reserved prefix "aws:"`},
		{kindSubnetGroup, props{"name": "s", "subnetIds": []string{subnets[1].id, subnets[2].id}, "tags": props{"backup": "rds:x"}}, "InvalidParameterValue", `Tag values cannot start with the reserved prefix "rds:"`},
		{kindSecurityGroup, props{"name": "n", "tags": props{"AWS:x": "1"}}, "InvalidParameterValue", "Tag keys"},
		{kindParameterGroup, group(props{"name": "no_such", "value": "1"}), "InvalidParameterValue", "Could not find parameter with name: no_such"},
		{kindParameterGroup, group(props{"name": "fsync", "value": "0"}), "InvalidParameterValue", "fsync cannot be modified"},
		{kindParameterGroup, group(props{"name": "max_connections", "value": "50"}), "InvalidParameterCombination", "cannot use immediate apply method for static parameter"},
		{kindParameterGroup, group(props{"name": "work_mem", "value": "4MB"}), "InvalidParameterValue", "allowed values are: 64-"},
		{kindParameterGroup, group(props{"name": "work_mem", "value": "1"}), "InvalidParameterValue", "Invalid parameter value: 1 for: work_mem"},
		{kindParameterGroup, group(props{"name": "log_connections", "value": "yes"}), "InvalidParameterValue", "allowed values are: 0, 1"},
		{kindParameterGroup, group(props{"name": "log_statement", "value": "some"}), "InvalidParameterValue", "Available values: none, ddl, mod, all"},
		{kindParameterGroup, group(props{"name": "io_method", "value": "sync"}), "InvalidParameterValue", "Could not find parameter"},
		{kindParameterGroup, group(props{"name": "autovacuum", "value": "on"}), "InvalidParameterValue", "allowed values are: 0, 1"},
		{kindParameterGroup, group(props{"name": "log_line_prefix", "value": "%m "}), "InvalidParameterValue", "Invalid parameter value: %m  for: log_line_prefix allowed values are: %t:%r:%u@%d:[%p]:,"},
		{kindParameterGroup, group(props{"name": "pgaudit.role", "value": "auditor"}), "InvalidParameterValue", "allowed values are: rds_pgaudit"},
		{kindParameterGroup, group(props{"name": "shared_preload_libraries", "value": "pg_cron, timescaledb", "applyMethod": "pending-reboot"}), "InvalidParameterValue", "Invalid parameter value: timescaledb for: shared_preload_libraries"},
		{kindParameterGroup, props{"name": "pg", "family": "mysql8"}, "InvalidParameterValue", "mysql8"},
		{kindParameterGroup, props{"name": "taken", "family": "postgres17"}, "DBParameterGroupAlreadyExists", "taken"},
		{kindEventSubscription, props{"name": "e", "snsTopic": "x"}, "SNSTopicArnNotFound", "x"},
		{kindEventSubscription, props{"name": "e", "snsTopic": testTopic, "sourceType": "db-instance", "sourceIds": []string{"no"}}, "SourceNotFound", "no"},
		{kindEventSubscription, props{"name": "e", "snsTopic": testTopic, "sourceType": "db-parameter-group", "eventCategories": []string{"failure"}}, "SubscriptionCategoryNotFound", "failure"},
		{kindSecurityGroup, props{"name": "taken"}, "InvalidGroup.Duplicate", "taken"},
		{kindSecurityGroup, props{"name": "n", "vpcId": "vpc-no"}, "InvalidVpcID.NotFound", "vpc-no"},
		{kindIngressRule, rule, "InvalidPermission.Duplicate", "from port: 1, to port: 2"},
		{kindIngressRule, merge(rule, props{"securityGroupId": "sg-no"}), "InvalidGroup.NotFound", "sg-no"},
		{kindIngressRule, merge(rule, props{"cidrIpv4": "10.0.0.1/16"}), "InvalidParameterValue", "malformed"},
		{kindIngressRule, merge(rule, props{"referencedSecurityGroupId": sg}), "InvalidParameterCombination", "exactly one"},
		{kindIngressRule, merge(rule, props{"cidrIpv4": nil, "referencedSecurityGroupId": otherSecurityGroupID}), "InvalidGroup.NotFound", "different networks"},
		{kindRole, props{"name": "taken", "assumeRolePolicy": testTrustPolicy}, "EntityAlreadyExists", "taken"},
		{kindRole, props{"name": "r", "assumeRolePolicy": "{"}, "MalformedPolicyDocument", "JSON"},
		{kindAttachment, props{"role": "no", "policyArn": "arn:aws:iam::aws:policy/x"}, "NoSuchEntity", "role with name no"},
		{kindAttachment, props{"role": "taken", "policyArn": "x"}, "NoSuchEntity", "Policy x"},
		{kindRolePolicy, props{"name": "p", "role": "no", "policy": testTrustPolicy}, "NoSuchEntity", "role with name no"},
		{kindRolePolicy, props{"name": "p", "role": "taken", "policy": "{"}, "MalformedPolicyDocument", "JSON"},
		{kindRolePolicy, props{"name": "p", "role": "taken", "policy": `{"Statement":[{"Action":"` + strings.Repeat("x", 10240) + `"}]}`}, "LimitExceeded", "10240 bytes exceeded for role taken"},
		{kindAssociation, props{"clusterName": "acme", "namespace": "n", "serviceAccount": "s", "roleArn": "arn:aws:iam::123456789012:role/no"}, "InvalidParameterException", "does not exist"},
		{kindAssociation, props{"clusterName": "acme", "namespace": "shop", "serviceAccount": "backend", "roleArn": "arn:aws:iam::123456789012:role/taken"}, "ResourceInUseException", "already exists"},
		{kindLogGroup, props{"name": "taken"}, "ResourceAlreadyExistsException", "taken"},
		{kindLogGroup, props{"name": "l", "retentionInDays": 8}, "InvalidParameterException", "8"},
		{kindAlarm, merge(alarm, props{"comparisonOperator": "More"}), "ValidationError", "More"},
		{kindAlarm, merge(alarm, props{"period": 45}), "ValidationError", "45"},
		{kindAlarm, merge(alarm, props{"statistic": nil}), "ValidationError", "statistic"},
		{kindAlarm, merge(alarm, props{"treatMissingData": "x"}), "ValidationError", "notBreaching"},
		{kindAlarm, merge(alarm, props{"evaluationPeriods": 1441}), "ValidationError", "more than 86400 seconds"},
		{kindAlarm, merge(alarm, props{"period": 3600, "evaluationPeriods": 169}), "ValidationError", "more than 604800 seconds"},
		{kindAlarm, queried(props{"id": "a", "metric": metric}), "ValidationError", "0 metric queries return data"},
		{kindAlarm, queried(props{"id": "a", "returnData": true}), "ValidationError", "either a metric or an expression"},
		{kindAlarm, queried(props{"id": "a", "returnData": true, "metric": merge(metric, props{"stat": nil})}), "ValidationError", "stat is required"},
		{kindAlarm, queried(props{"id": "a", "returnData": true, "metric": merge(metric, props{"period": 45})}), "ValidationError", "45"},
		{kindAlarm, queried(props{"id": "a", "returnData": true, "expression": "SELECT MAX(x) FROM y"}), "ValidationError", "period is 0"},
		{kindAlarm, merge(queried(props{"id": "a", "returnData": true, "expression": "SELECT MAX(x) FROM y", "period": 60}), props{"evaluationPeriods": 181}), "ValidationError", "10800 seconds"},
		{kindAlarm, merge(queried(props{"id": "a", "returnData": true, "metric": metric}), props{"metricName": "CPU"}), "ValidationError", "a metricName"},
		{kindMetricFilter, merge(filter, props{"logGroupName": "no"}), "ResourceNotFoundException", "The specified log group does not exist: no"},
		{kindMetricFilter, merge(filter, props{"logGroupName": "/aws/containerinsights/acme/performance"}), "ResourceNotFoundException", "performance"},
		{kindMetricFilter, merge(filter, props{"pattern": "{ $.a = 1"}), "InvalidParameterException", "Invalid metric filter pattern"},
		{kindMetricFilter, merge(filter, props{"metricTransformation": props{"name": "m", "namespace": "n"}}), "InvalidParameterException", "a value"},
		{kindMetricFilter, merge(filter, props{"metricTransformation": props{"name": "m", "namespace": "n", "value": "1", "defaultValue": "0", "dimensions": map[string]any{"a": "$.a"}}}), "InvalidParameterException", "or dimensions"},
		{kindDashboard, props{"dashboardName": "a b", "dashboardBody": "{}"}, "InvalidParameterValue", "a b"},
		{kindDashboard, props{"dashboardName": "d", "dashboardBody": "{"}, "InvalidParameterInput", "valid JSON"},
		{kindDashboard, props{"dashboardName": "d", "dashboardBody": `{"widgets": [{"type": "graph"}]}`}, "InvalidParameterInput", "graph"},
		{kindDashboard, props{"dashboardName": "d", "dashboardBody": `{"widgets": [{"type": "text", "x": 12, "width": 13}]}`}, "InvalidParameterInput", "12 and 13"},
		{kindDashboard, props{"dashboardName": "d", "dashboardBody": `{"widgets": [{"type": "metric"}]}`}, "InvalidParameterInput", "region is required"},
		{kindHealthCheck, merge(check, props{"type": "GRPC"}), "InvalidInput", "GRPC"},
		{kindHealthCheck, merge(check, props{"fqdn": nil}), "InvalidInput", "fqdn"},
		{kindHealthCheck, merge(check, props{"requestInterval": 60}), "InvalidInput", "60"},
		{kindHealthCheck, merge(check, props{"failureThreshold": 11}), "InvalidInput", "11"},
		{kindSecret, props{"name": "taken"}, "ResourceExistsException", "taken"},
		{kindSecret, props{"name": "s", "recoveryWindowInDays": 3}, "InvalidParameterException", "between 7 and 30"},
		{kindSecretVersion, props{"secretId": "no", "secretString": "x"}, "ResourceNotFoundException", "can't find"},
		{kindSecretVersion, props{"secretId": "taken"}, "InvalidParameterException", "SecretString"},
	})
}

func TestInstanceRefusals(t *testing.T) {
	f := newFixture(t)
	f.create(kindParameterGroup, props{"name": "taken", "family": "postgres18", "parameters": []any{}})
	f.create(kindSubnetGroup, props{"name": "other", "subnetIds": []string{subnets[3].id, subnets[4].id}})
	instance := func(more props) props { return f.instanceInputs("shop", more) }
	f.refusals([]refusal{
		{kindInstance, instance(props{"engine": "mysql"}), "InvalidParameterValue", "mysql"},
		{kindInstance, instance(props{"engineVersion": "9"}), "InvalidParameterCombination", "Cannot find version 9"},
		{kindInstance, instance(props{"instanceClass": "db.t4g.huge"}), "InvalidParameterValue", "Invalid DB Instance class: db.t4g.huge"},
		{kindInstance, instance(props{"engineVersion": "16.99"}), "InvalidParameterCombination", "Cannot find version 16.99 for postgres"},
		{kindInstance, instance(props{"instanceClass": "db.m7g.48xlarge"}), "InvalidParameterValue", "Invalid DB Instance class: db.m7g.48xlarge"},
		{kindInstance, instance(props{"dbName": "Select"}), "InvalidParameterValue", "Select cannot be used as it is a reserved word"},
		{kindInstance, instance(props{"tags": props{"backup": "aws:daily"}}), "InvalidParameterValue", "Tag values cannot start"},
		{kindInstance, instance(props{"dbSubnetGroupName": "other"}), "InvalidParameterCombination", "The DB instance and EC2 security group are in different VPCs. The DB instance is in " + otherVPCID},
		{kindInstance, instance(props{"vpcSecurityGroupIds": []string{otherSecurityGroupID}}), "InvalidParameterCombination", "and the EC2 security group is in " + otherVPCID},
		{kindInstance, instance(props{"storageType": "gp3", "allocatedStorage": 400, "iops": 3000}), "InvalidParameterCombination", "Invalid iops value for engine name postgres and storage type gp3: 3000"},
		{kindInstance, instance(props{"allocatedStorage": 5}), "InvalidParameterValue", "Invalid storage size"},
		{kindInstance, instance(props{"maxAllocatedStorage": 20}), "InvalidParameterCombination", "Max storage size"},
		{kindInstance, instance(props{"storageType": "gp3", "iops": 3000}), "InvalidParameterCombination", "less than 400"},
		{kindInstance, instance(props{"username": "admin"}), "InvalidParameterValue", "reserved word"},
		{kindInstance, instance(props{"username": "pg_me"}), "InvalidParameterValue", "MasterUsername"},
		{kindInstance, instance(props{"password": "short"}), "InvalidParameterValue", "shorter than 8"},
		{kindInstance, instance(props{"password": "with space and @"}), "InvalidParameterValue", "Only printable ASCII"},
		{kindInstance, instance(props{"password": nil}), "InvalidParameterValue", "MasterUserPassword must be provided"},
		{kindInstance, instance(props{"identifier": "Shop--x"}), "InvalidParameterValue", "DBInstanceIdentifier"},
		{kindInstance, instance(props{"dbName": "my-db"}), "InvalidParameterValue", "DBName"},
		{kindInstance, instance(props{"port": 80}), "InvalidParameterValue", "80"},
		{kindInstance, instance(props{"backupRetentionPeriod": 36}), "InvalidParameterValue", "Must be between 0 and 35"},
		{kindInstance, instance(props{"dbSubnetGroupName": "no"}), "DBSubnetGroupNotFoundFault", "no"},
		{kindInstance, instance(props{"parameterGroupName": "no"}), "DBParameterGroupNotFound", "no"},
		{kindInstance, instance(props{"parameterGroupName": "taken"}), "InvalidParameterCombination", "Use a parameter group with DBParameterGroupFamily postgres17"},
		{kindInstance, instance(props{"vpcSecurityGroupIds": []string{"sg-no"}}), "InvalidParameterValue", "sg-no"},
		{kindInstance, instance(props{"monitoringInterval": 60}), "InvalidParameterCombination", "MonitoringRoleARN value is required"},
		{kindInstance, instance(props{"monitoringInterval": 60, "monitoringRoleArn": "arn:aws:iam::123456789012:role/no"}), "InvalidParameterValue", "does not exist"},
		{kindInstance, instance(props{"enabledCloudwatchLogsExports": []string{"slow"}}), "InvalidParameterCombination", "log type 'slow'"},
		{kindInstance, instance(props{"availabilityZone": "us-east-1a"}), "InvalidParameterValue", "us-east-1a"},
		{kindInstance, instance(props{"availabilityZone": "eu-west-1a", "multiAz": true}), "InvalidParameterCombination", "Multi-AZ"},
		{kindInstance, instance(props{"snapshotIdentifier": "no"}), "DBSnapshotNotFound", "no"},
		{kindInstance, instance(props{"replicateSourceDb": "no"}), "DBInstanceNotFound", "no"},
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
	f.create(kindSubnetGroup, props{"name": "sn", "subnetIds": []string{subnets[1].id, subnets[2].id}})
	f.create(kindParameterGroup, props{"name": "pg", "family": "postgres17", "parameters": []any{}})
	role := f.create(kindRole, props{"name": "r", "assumeRolePolicy": testTrustPolicy})
	attachment := f.create(kindAttachment, props{"role": "r", "policyArn": "arn:aws:iam::aws:policy/service-role/X"})
	inputs := f.instanceInputs("shop", props{"dbSubnetGroupName": "sn", "parameterGroupName": "pg"})
	id := f.create(kindInstance, inputs).ID
	sg := inputs["vpcSecurityGroupIds"].([]string)[0]
	f.refused(f.remove(kindSubnetGroup, "sn", nil), "InvalidDBSubnetGroupStateFault")
	f.refused(f.remove(kindParameterGroup, "pg", nil), "InvalidDBParameterGroupState")
	f.refused(f.remove(kindSecurityGroup, sg, nil), "DependencyViolation")
	f.refused(f.remove(kindRole, role.ID, nil), "DeleteConflict")
	for _, gone := range []struct{ kind, id string }{{kindInstance, id}, {kindSubnetGroup, "sn"}, {kindParameterGroup, "pg"},
		{kindSecurityGroup, sg}, {kindAttachment, attachment.ID}, {kindRole, "r"}} {
		if err := f.remove(gone.kind, gone.id, props{"skipFinalSnapshot": true}); err != nil {
			t.Errorf("%s: %v", gone.kind, err)
		}
	}
}

func TestDeletedSecretKeepsItsNameForTheRecoveryWindow(t *testing.T) {
	f := newFixture(t)
	id := f.create(kindSecret, props{"name": "db", "recoveryWindowInDays": 7}).ID
	if err := f.remove(kindSecret, id, nil); err != nil {
		t.Fatal(err)
	}
	out := f.call("POST", "/resources/"+kindSecret, Request{Region: region, Inputs: props{"name": "db"}})
	f.refused(out.Error, "InvalidRequestException")
	f.refused(f.call("POST", "/resources/"+kindSecretVersion, Request{Region: region,
		Inputs: props{"secretId": id, "secretString": "x"}}).Error, "InvalidRequestException")
	f.stop()
	s, err := openStore(f.cfg.Dir + "/records")
	if err != nil {
		t.Fatal(err)
	}
	past := time.Now().Add(-time.Hour)
	secret := s.get(kindSecret, id)
	secret.Deleted = &past
	if err := s.put(secret); err != nil {
		t.Fatal(err)
	}
	f.run()
	again := f.create(kindSecret, props{"name": "db", "recoveryWindowInDays": 0}).ID
	if err := f.remove(kindSecret, again, nil); err != nil {
		t.Fatal(err)
	}
	f.create(kindSecret, props{"name": "db"})
}

func TestSecretsValueCanBeOpenedAgain(t *testing.T) {
	f := newFixture(t)
	secret := f.create(kindSecret, props{"name": "db"}).ID
	version := f.create(kindSecretVersion, props{"secretId": secret, "secretString": "the value"})
	if _, told := version.Outputs["secretString"]; told {
		t.Error("the answer holds the value")
	}
	f.stop()
	s, err := openStore(f.cfg.Dir + "/records")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := openSealer(f.cfg.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if value, err := keys.open(s.get(kindSecretVersion, version.ID).Sealed); value != "the value" || err != nil {
		t.Errorf("opened %q, %v", value, err)
	}
	f.run()
}

func TestLogGroupsThatNobodyMadeAreMadeForGood(t *testing.T) {
	f := newFixture(t)
	id := f.create(kindInstance, f.instanceInputs("shop", props{"enabledCloudwatchLogsExports": []string{"postgresql"}})).ID
	if err := f.remove(kindInstance, id, props{"skipFinalSnapshot": true}); err != nil {
		t.Fatal(err)
	}
	out := f.call("POST", "/resources/"+kindLogGroup, Request{Region: region, Inputs: props{"name": "/aws/rds/instance/shop/postgresql"}})
	f.refused(out.Error, "ResourceAlreadyExistsException")
}

func TestParametersOfANewerMajorAreRecordedOnly(t *testing.T) {
	f := newFixture(t)
	f.create(kindParameterGroup, props{"name": "pg", "family": "postgres18", "parameters": []any{
		props{"name": "vacuum_max_eager_freeze_failure_rate", "value": "1"},
		props{"name": "shared_preload_libraries", "value": "pg_stat_statements,pg_cron", "applyMethod": "pending-reboot"},
		props{"name": "pg_stat_statements.track", "value": "all"}}})
	out := f.create(kindInstance, f.instanceInputs("shop", props{"engineVersion": "18", "parameterGroupName": "pg"}))
	warnings := strings.Join(out.Warnings, "; ")
	for _, want := range []string{"PostgreSQL 18 was asked for", "vacuum_max_eager_freeze_failure_rate is recorded only", "pg_cron is recorded only"} {
		if !strings.Contains(warnings, want) {
			t.Errorf("warnings %q lack %q", warnings, want)
		}
	}
	f.mustQuery("shop", "SHOW shared_preload_libraries", "pg_stat_statements")
	f.mustQuery("shop", "SHOW pg_stat_statements.track", "all")
}

func TestClassMemory(t *testing.T) {
	const gib = 1 << 30
	for class, want := range map[string]int{
		"db.t4g.micro": gib, "db.t3.medium": 4 * gib, "db.t4g.2xlarge": 32 * gib, "db.m7g.large": 8 * gib,
		"db.r6g.xlarge": 32 * gib, "db.r7g.16xlarge": 512 * gib, "db.x2g.large": 32 * gib,
		"db.x2iedn.xlarge": 128 * gib, "db.m5.48xlarge": 0, "db.m5d.32xlarge": 0, "db.m6g.24xlarge": 0, "db.m6i.48xlarge": 0,
		"db.r7g.32xlarge": 0, "db.x2g.24xlarge": 0, "db.m7g.xxlarge": 0, "db.t4g.4xlarge": 0, "db.m6g.micro": 0, "t4g.micro": 0, "db.t4g": 0, "": 0,
	} {
		if have := classMemory(class); have != want {
			t.Errorf("%q has %d, want %d", class, have, want)
		}
	}
}
