package awsplugin

// shape is the type of a property's value.
type shape int

const (
	aText shape = iota
	aNumber
	aTruth
	aList   // of texts, in an order that matters
	aSet    // of texts, in any order
	aMap    // of texts
	aRecord // a list of objects, in any order
	anEntry // one object
)

// input is one property that a resource takes.
type input struct {
	shape    shape
	required bool
	computed bool // AWS chooses a value where none is given, so that leaving it out changes nothing
	secret   bool
	json     bool // two texts that are the same JSON are the same value
	fields   map[string]shape
	defaults map[string]string // of the fields, for comparison
}

// resourceType is what the plugin knows of one type; all behaviour is the account's.
type resourceType struct {
	kind    string // the account's name for it
	inputs  map[string]input
	outputs []string            // what is computed beside the inputs
	named   *naming             // nil: the type has no name
	follows map[string][]string // by input: the outputs that a change of it changes
}

// naming is how a resource gets a name where the program gives none.
type naming struct {
	property string // the input that holds the name
	prefix   string // the input that holds a prefix, in its place
	longest  int
	lower    bool
}

var tags = input{shape: aMap}

// resourceTypes are those that the program uses; property names are those of pulumi-aws v6.
var resourceTypes = map[string]*resourceType{
	"aws:rds/instance:Instance": {
		kind:  "rds/instance",
		named: &naming{property: "identifier", prefix: "identifierPrefix", longest: 63, lower: true},
		inputs: map[string]input{
			"allocatedStorage":                   {shape: aNumber, computed: true},
			"allowMajorVersionUpgrade":           {shape: aTruth},
			"applyImmediately":                   {shape: aTruth},
			"autoMinorVersionUpgrade":            {shape: aTruth, computed: true},
			"availabilityZone":                   {computed: true},
			"backupRetentionPeriod":              {shape: aNumber, computed: true},
			"backupTarget":                       {computed: true},
			"backupWindow":                       {computed: true},
			"caCertIdentifier":                   {computed: true},
			"copyTagsToSnapshot":                 {shape: aTruth},
			"databaseInsightsMode":               {computed: true},
			"dbName":                             {computed: true},
			"dbSubnetGroupName":                  {computed: true},
			"dedicatedLogVolume":                 {shape: aTruth},
			"deleteAutomatedBackups":             {shape: aTruth, computed: true},
			"deletionProtection":                 {shape: aTruth},
			"enabledCloudwatchLogsExports":       {shape: aSet},
			"engine":                             {computed: true},
			"engineLifecycleSupport":             {computed: true},
			"engineVersion":                      {computed: true},
			"finalSnapshotIdentifier":            {},
			"iamDatabaseAuthenticationEnabled":   {shape: aTruth},
			"identifier":                         {computed: true},
			"identifierPrefix":                   {computed: true},
			"instanceClass":                      {required: true},
			"iops":                               {shape: aNumber, computed: true},
			"kmsKeyId":                           {computed: true},
			"licenseModel":                       {computed: true},
			"maintenanceWindow":                  {computed: true},
			"maxAllocatedStorage":                {shape: aNumber},
			"monitoringInterval":                 {shape: aNumber, computed: true},
			"monitoringRoleArn":                  {computed: true},
			"multiAz":                            {shape: aTruth, computed: true},
			"networkType":                        {computed: true},
			"parameterGroupName":                 {computed: true},
			"password":                           {secret: true},
			"performanceInsightsEnabled":         {shape: aTruth},
			"performanceInsightsKmsKeyId":        {computed: true},
			"performanceInsightsRetentionPeriod": {shape: aNumber, computed: true},
			"port":                               {shape: aNumber, computed: true},
			"publiclyAccessible":                 {shape: aTruth},
			"replicateSourceDb":                  {},
			"skipFinalSnapshot":                  {shape: aTruth},
			"snapshotIdentifier":                 {computed: true},
			"storageEncrypted":                   {shape: aTruth, computed: true},
			"storageThroughput":                  {shape: aNumber, computed: true},
			"storageType":                        {computed: true},
			"tags":                               tags,
			"username":                           {computed: true},
			"vpcSecurityGroupIds":                {shape: aSet, computed: true},
		},
		outputs: []string{"address", "arn", "endpoint", "engineVersionActual", "hostedZoneId", "latestRestorableTime",
			"listenerEndpoints", "masterUserSecrets", "optionGroupName", "replicas", "resourceId", "status", "tagsAll"},
		follows: map[string][]string{
			"identifier":    {"address", "arn", "endpoint"},
			"port":          {"endpoint"},
			"engineVersion": {"engineVersionActual", "optionGroupName"},
			"tags":          {"tagsAll"},
		},
	},
	"aws:rds/subnetGroup:SubnetGroup": {
		kind:  "rds/subnetGroup",
		named: &naming{property: "name", prefix: "namePrefix", longest: 255, lower: true},
		inputs: map[string]input{
			"description": {computed: true},
			"name":        {computed: true},
			"namePrefix":  {computed: true},
			"subnetIds":   {shape: aSet, required: true},
			"tags":        tags,
		},
		outputs: []string{"arn", "supportedNetworkTypes", "tagsAll", "vpcId"},
		follows: map[string][]string{"tags": {"tagsAll"}},
	},
	"aws:rds/parameterGroup:ParameterGroup": {
		kind:  "rds/parameterGroup",
		named: &naming{property: "name", prefix: "namePrefix", longest: 255, lower: true},
		inputs: map[string]input{
			"description": {computed: true},
			"family":      {required: true},
			"name":        {computed: true},
			"namePrefix":  {computed: true},
			"parameters": {shape: aRecord, fields: map[string]shape{"name": aText, "value": aText, "applyMethod": aText},
				defaults: map[string]string{"applyMethod": "immediate"}},
			"skipDestroy": {shape: aTruth},
			"tags":        tags,
		},
		outputs: []string{"arn", "tagsAll"},
		follows: map[string][]string{"tags": {"tagsAll"}},
	},
	"aws:rds/eventSubscription:EventSubscription": {
		kind:  "rds/eventSubscription",
		named: &naming{property: "name", prefix: "namePrefix", longest: 255},
		inputs: map[string]input{
			"enabled":         {shape: aTruth, computed: true},
			"eventCategories": {shape: aSet},
			"name":            {computed: true},
			"namePrefix":      {computed: true},
			"snsTopic":        {required: true},
			"sourceIds":       {shape: aSet},
			"sourceType":      {},
			"tags":            tags,
		},
		outputs: []string{"arn", "customerAwsId", "tagsAll"},
		follows: map[string][]string{"tags": {"tagsAll"}},
	},
	"aws:ec2/securityGroup:SecurityGroup": {
		kind:  "ec2/securityGroup",
		named: &naming{property: "name", prefix: "namePrefix", longest: 255},
		inputs: map[string]input{
			"description":         {computed: true},
			"name":                {computed: true},
			"namePrefix":          {computed: true},
			"revokeRulesOnDelete": {shape: aTruth},
			"tags":                tags,
			"vpcId":               {computed: true},
		},
		outputs: []string{"arn", "egress", "ingress", "ownerId", "tagsAll"},
		follows: map[string][]string{"tags": {"tagsAll"}},
	},
	"aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": {
		kind: "vpc/securityGroupIngressRule",
		inputs: map[string]input{
			"cidrIpv4":                  {},
			"cidrIpv6":                  {},
			"description":               {},
			"fromPort":                  {shape: aNumber},
			"ipProtocol":                {required: true},
			"prefixListId":              {},
			"referencedSecurityGroupId": {},
			"securityGroupId":           {required: true},
			"tags":                      tags,
			"toPort":                    {shape: aNumber},
		},
		outputs: []string{"arn", "securityGroupRuleId", "tagsAll"},
		follows: map[string][]string{"tags": {"tagsAll"}},
	},
	"aws:iam/role:Role": {
		kind:  "iam/role",
		named: &naming{property: "name", prefix: "namePrefix", longest: 64},
		inputs: map[string]input{
			"assumeRolePolicy":    {required: true, json: true},
			"description":         {},
			"forceDetachPolicies": {shape: aTruth},
			"maxSessionDuration":  {shape: aNumber},
			"name":                {computed: true},
			"namePrefix":          {computed: true},
			"path":                {computed: true},
			"permissionsBoundary": {},
			"tags":                tags,
		},
		outputs: []string{"arn", "createDate", "inlinePolicies", "managedPolicyArns", "tagsAll", "uniqueId"},
		follows: map[string][]string{"tags": {"tagsAll"}},
	},
	"aws:iam/rolePolicyAttachment:RolePolicyAttachment": {
		kind: "iam/rolePolicyAttachment",
		inputs: map[string]input{
			"policyArn": {required: true},
			"role":      {required: true},
		},
	},
	"aws:iam/rolePolicy:RolePolicy": {
		kind:  "iam/rolePolicy",
		named: &naming{property: "name", prefix: "namePrefix", longest: 128},
		inputs: map[string]input{
			"name":       {computed: true},
			"namePrefix": {computed: true},
			"policy":     {required: true, json: true},
			"role":       {required: true},
		},
	},
	"aws:eks/podIdentityAssociation:PodIdentityAssociation": {
		kind: "eks/podIdentityAssociation",
		inputs: map[string]input{
			"clusterName":    {required: true},
			"namespace":      {required: true},
			"roleArn":        {required: true},
			"serviceAccount": {required: true},
			"tags":           tags,
		},
		outputs: []string{"associationArn", "associationId", "tagsAll"},
		follows: map[string][]string{"tags": {"tagsAll"}},
	},
	"aws:cloudwatch/logGroup:LogGroup": {
		kind:  "cloudwatch/logGroup",
		named: &naming{property: "name", prefix: "namePrefix", longest: 512},
		inputs: map[string]input{
			"kmsKeyId":        {},
			"logGroupClass":   {computed: true},
			"name":            {computed: true},
			"namePrefix":      {computed: true},
			"retentionInDays": {shape: aNumber},
			"skipDestroy":     {shape: aTruth},
			"tags":            tags,
		},
		outputs: []string{"arn", "tagsAll"},
		follows: map[string][]string{"tags": {"tagsAll"}},
	},
	"aws:cloudwatch/metricAlarm:MetricAlarm": {
		kind:  "cloudwatch/metricAlarm",
		named: &naming{property: "name", longest: 255},
		inputs: map[string]input{
			"actionsEnabled":                    {shape: aTruth, computed: true},
			"alarmActions":                      {shape: aSet},
			"alarmDescription":                  {},
			"comparisonOperator":                {required: true},
			"datapointsToAlarm":                 {shape: aNumber},
			"dimensions":                        {shape: aMap},
			"evaluateLowSampleCountPercentiles": {computed: true},
			"evaluationPeriods":                 {shape: aNumber, required: true},
			"extendedStatistic":                 {},
			"insufficientDataActions":           {shape: aSet},
			"metricName":                        {},
			"metricQueries": {shape: aRecord, fields: map[string]shape{"id": aText, "expression": aText, "label": aText,
				"metric": anEntry, "period": aNumber, "returnData": aTruth}},
			"name":             {computed: true},
			"namespace":        {},
			"okActions":        {shape: aSet},
			"period":           {shape: aNumber},
			"statistic":        {},
			"tags":             tags,
			"threshold":        {shape: aNumber},
			"treatMissingData": {computed: true},
			"unit":             {},
		},
		outputs: []string{"arn", "tagsAll"},
		follows: map[string][]string{"tags": {"tagsAll"}},
	},
	"aws:cloudwatch/logMetricFilter:LogMetricFilter": {
		kind:  "cloudwatch/logMetricFilter",
		named: &naming{property: "name", longest: 512},
		inputs: map[string]input{
			"logGroupName": {required: true},
			"metricTransformation": {shape: anEntry, required: true, fields: map[string]shape{"defaultValue": aText, "dimensions": aMap,
				"name": aText, "namespace": aText, "unit": aText, "value": aText}},
			"name":    {computed: true},
			"pattern": {required: true},
		},
	},
	"aws:cloudwatch/dashboard:Dashboard": {
		kind: "cloudwatch/dashboard",
		inputs: map[string]input{
			"dashboardBody": {required: true, json: true},
			"dashboardName": {required: true},
		},
		outputs: []string{"dashboardArn"},
	},
	"aws:route53/healthCheck:HealthCheck": {
		kind: "route53/healthCheck",
		inputs: map[string]input{
			"failureThreshold": {shape: aNumber, computed: true},
			"fqdn":             {},
			"measureLatency":   {shape: aTruth},
			"port":             {shape: aNumber},
			"referenceName":    {},
			"requestInterval":  {shape: aNumber},
			"resourcePath":     {},
			"tags":             tags,
			"type":             {required: true},
		},
		outputs: []string{"arn", "tagsAll"},
		follows: map[string][]string{"tags": {"tagsAll"}},
	},
	"aws:secretsmanager/secret:Secret": {
		kind:  "secretsmanager/secret",
		named: &naming{property: "name", prefix: "namePrefix", longest: 512},
		inputs: map[string]input{
			"description":                 {},
			"forceOverwriteReplicaSecret": {shape: aTruth},
			"kmsKeyId":                    {},
			"name":                        {computed: true},
			"namePrefix":                  {computed: true},
			"policy":                      {json: true, computed: true},
			"recoveryWindowInDays":        {shape: aNumber, computed: true},
			"tags":                        tags,
		},
		outputs: []string{"arn", "replicas", "tagsAll"},
		follows: map[string][]string{"tags": {"tagsAll"}},
	},
	"aws:secretsmanager/secretVersion:SecretVersion": {
		kind: "secretsmanager/secretVersion",
		inputs: map[string]input{
			"secretBinary": {secret: true},
			"secretId":     {required: true},
			"secretString": {secret: true},
		},
		outputs: []string{"arn", "versionId", "versionStages"},
	},
	"aws:acm/certificate:Certificate": {
		kind: "acm/certificate",
		inputs: map[string]input{
			"domainName":              {computed: true},
			"keyAlgorithm":            {computed: true},
			"subjectAlternativeNames": {shape: aSet, computed: true},
			"tags":                    tags,
			"validationMethod":        {computed: true},
		},
		outputs: []string{"arn", "domainValidationOptions", "notAfter", "notBefore", "pendingRenewal", "renewalEligibility", "renewalSummaries",
			"status", "tagsAll", "type", "validationEmails"},
		follows: map[string][]string{"tags": {"tagsAll"}},
	},
	"aws:acm/certificateValidation:CertificateValidation": {
		kind: "acm/certificateValidation",
		inputs: map[string]input{
			"certificateArn":        {required: true},
			"validationRecordFqdns": {shape: aSet},
		},
	},
	"aws:route53/record:Record": {
		kind: "route53/record",
		inputs: map[string]input{
			"aliases":        {shape: aRecord, fields: aliasFields},
			"allowOverwrite": {shape: aTruth, computed: true},
			"name":           {required: true},
			"records":        {shape: aSet},
			"ttl":            {shape: aNumber},
			"type":           {required: true},
			"zoneId":         {required: true},
		},
		outputs: []string{"fqdn"},
	},
}

// aliasFields are those of an alias record's target.
var aliasFields = map[string]shape{"name": aText, "zoneId": aText, "evaluateTargetHealth": aTruth}

// lookupTypes are the arguments that each lookup takes.
var lookupTypes = map[string]map[string]input{
	"aws:eks/getCluster:getCluster":     {"name": {required: true}, "tags": tags},
	"aws:eks/getAddon:getAddon":         {"addonName": {required: true}, "clusterName": {required: true}, "tags": tags},
	"aws:rds/getInstances:getInstances": {"filters": filters, "tags": tags},
	"aws:rds/getInstance:getInstance":   {"dbInstanceIdentifier": {required: true}},
	"aws:rds/getSnapshot:getSnapshot": {"dbSnapshotIdentifier": {required: true}, "includePublic": {shape: aTruth},
		"includeShared": {shape: aTruth}, "snapshotType": {}},
	"aws:rds/getEngineVersion:getEngineVersion": {"engine": {required: true}, "includeAll": {shape: aTruth}, "version": {}},
	"aws:ec2/getSubnets:getSubnets":             {"filters": filters, "tags": tags},
	"aws:ec2/getInstances:getInstances":         {"filters": filters, "instanceStateNames": {shape: aList}, "instanceTags": tags},
	"aws:ec2/getSubnet:getSubnet": {"availabilityZone": {}, "cidrBlock": {}, "filters": filters, "id": {}, "state": {},
		"tags": tags, "vpcId": {}},
	"aws:ec2/getVpc:getVpc": {"cidrBlock": {}, "default": {shape: aTruth}, "dhcpOptionsId": {}, "filters": filters, "id": {}, "state": {},
		"tags": tags},
	"aws:ec2/getRouteTables:getRouteTables":     {"filters": filters, "tags": tags, "vpcId": {}},
	"aws:ec2/getRouteTable:getRouteTable":       {"filters": filters, "routeTableId": {}, "subnetId": {}, "tags": tags, "vpcId": {}},
	"aws:ec2/getSecurityGroup:getSecurityGroup": {"id": {required: true}},
	"aws:rds/getOrderableDbInstance:getOrderableDbInstance": {
		"engine": {required: true}, "engineLatestVersion": {shape: aTruth}, "instanceClass": {required: true},
		"preferredInstanceClasses": {shape: aList}, "storageType": {},
	},
	"aws:acm/getCertificate:getCertificate": {"domain": {}, "keyTypes": {shape: aSet}, "mostRecent": {shape: aTruth}, "statuses": {shape: aList},
		"tags": tags, "types": {shape: aList}},
	"aws:secretsmanager/getSecretVersion:getSecretVersion": {"secretId": {required: true}, "versionId": {}, "versionStage": {}},
	"aws:ssm/getParameter:getParameter":                    {"name": {required: true}, "withDecryption": {shape: aTruth}},
	"aws:route53/getZone:getZone":                          {"name": {}, "privateZone": {shape: aTruth}, "tags": tags, "vpcId": {}, "zoneId": {}},
	"aws:lb/getHostedZoneId:getHostedZoneId":               {"loadBalancerType": {}, "region": {}},
	"aws:index/getPartition:getPartition":                  {"id": {}},
	"aws:index/getCallerIdentity:getCallerIdentity":        {"id": {}},
	"aws:index/getRegion:getRegion":                        {"id": {}, "name": {}},
}

var filters = input{shape: aRecord, fields: map[string]shape{"name": aText, "values": aList}}

// providerInputs are the provider's settings that mean something here, or may be ignored: credentials and their checks.
var providerInputs = map[string]input{
	"allowedAccountIds": {shape: aSet}, "region": {}, "profile": {}, "accessKey": {secret: true}, "secretKey": {secret: true}, "token": {secret: true},
	"defaultTags": {}, "maxRetries": {}, "retryMode": {}, "skipCredentialsValidation": {}, "skipMetadataApiCheck": {},
	"skipRegionValidation": {}, "skipRequestingAccountId": {}, "version": {}, "pluginDownloadURL": {},
}
