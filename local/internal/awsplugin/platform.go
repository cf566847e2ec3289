package awsplugin

import "maps"

// platformTypes are those of the project platform, as in resourceTypes.
var platformTypes = map[string]*resourceType{
	"aws:ec2/vpc:Vpc": tagged("ec2/vpc", map[string]input{
		"cidrBlock": {required: true}, "enableDnsHostnames": {shape: aTruth}, "enableDnsSupport": {shape: aTruth},
	}, "arn"),
	"aws:ec2/subnet:Subnet": tagged("ec2/subnet", map[string]input{
		"availabilityZone": {required: true}, "cidrBlock": {required: true}, "vpcId": {required: true},
	}, "arn"),
	"aws:ec2/internetGateway:InternetGateway": tagged("ec2/internetGateway", map[string]input{"vpcId": {required: true}}, "arn"),
	"aws:ec2/eip:Eip":                         tagged("ec2/eip", map[string]input{"domain": {computed: true}}, "publicIp"),
	"aws:ec2/natGateway:NatGateway": tagged("ec2/natGateway", map[string]input{
		"allocationId": {required: true}, "connectivityType": {computed: true}, "subnetId": {required: true},
	}),
	"aws:ec2/routeTable:RouteTable": tagged("ec2/routeTable", map[string]input{"vpcId": {required: true}}, "arn"),
	"aws:ec2/route:Route": {kind: "ec2/route", inputs: map[string]input{
		"destinationCidrBlock": {required: true}, "gatewayId": {}, "natGatewayId": {}, "routeTableId": {required: true},
	}},
	"aws:ec2/routeTableAssociation:RouteTableAssociation": {kind: "ec2/routeTableAssociation", inputs: map[string]input{
		"routeTableId": {required: true}, "subnetId": {required: true},
	}},
	"aws:ec2/vpcEndpoint:VpcEndpoint": tagged("ec2/vpcEndpoint", map[string]input{
		"routeTableIds": {shape: aSet}, "serviceName": {required: true}, "vpcEndpointType": {computed: true}, "vpcId": {required: true},
	}, "arn"),
	"aws:ec2/flowLog:FlowLog": tagged("ec2/flowLog", map[string]input{
		"iamRoleArn": {required: true}, "logDestination": {required: true}, "trafficType": {required: true}, "vpcId": {required: true},
	}, "arn"),
	"aws:eks/cluster:Cluster": tagged("eks/cluster", map[string]input{
		"accessConfig":               {shape: anEntry, fields: map[string]shape{"authenticationMode": aText, "bootstrapClusterCreatorAdminPermissions": aTruth}},
		"bootstrapSelfManagedAddons": {shape: aTruth},
		"computeConfig":              {shape: anEntry, fields: map[string]shape{"enabled": aTruth, "nodePools": aList, "nodeRoleArn": aText}},
		"enabledClusterLogTypes":     {shape: aSet},
		"kubernetesNetworkConfig":    {shape: anEntry, fields: map[string]shape{"elasticLoadBalancing": anEntry}},
		"name":                       {required: true},
		"roleArn":                    {required: true},
		"storageConfig":              {shape: anEntry, fields: map[string]shape{"blockStorage": anEntry}},
		"upgradePolicy":              {shape: anEntry, fields: map[string]shape{"supportType": aText}},
		"version":                    {computed: true},
		"vpcConfig": {shape: anEntry, required: true, fields: map[string]shape{"endpointPrivateAccess": aTruth, "endpointPublicAccess": aTruth,
			"publicAccessCidrs": aList, "subnetIds": aList}},
	}, "arn", "certificateAuthority", "endpoint", "status"),
	"aws:eks/addon:Addon": tagged("eks/addon", map[string]input{"addonName": {required: true}, "clusterName": {required: true}}, "arn"),
	"aws:eks/accessEntry:AccessEntry": tagged("eks/accessEntry", map[string]input{
		"clusterName": {required: true}, "kubernetesGroups": {shape: aSet}, "principalArn": {required: true}, "type": {computed: true},
	}, "accessEntryArn"),
	"aws:eks/accessPolicyAssociation:AccessPolicyAssociation": {kind: "eks/accessPolicyAssociation", inputs: map[string]input{
		"accessScope": {shape: anEntry, required: true, fields: map[string]shape{"namespaces": aList, "type": aText}},
		"clusterName": {required: true}, "policyArn": {required: true}, "principalArn": {required: true},
	}},
	"aws:ecr/repository:Repository": tagged("ecr/repository", map[string]input{
		"encryptionConfigurations": {shape: aRecord}, "forceDelete": {shape: aTruth}, "imageTagMutability": {},
		"imageScanningConfiguration": {shape: anEntry, fields: map[string]shape{"scanOnPush": aTruth}}, "name": {required: true},
	}, "arn", "registryId", "repositoryUrl"),
	"aws:ecr/lifecyclePolicy:LifecyclePolicy": {kind: "ecr/lifecyclePolicy", inputs: map[string]input{
		"policy": {required: true, json: true}, "repository": {required: true},
	}},
	"aws:iam/openIdConnectProvider:OpenIdConnectProvider": tagged("iam/openIdConnectProvider", map[string]input{
		"clientIdLists": {shape: aSet, required: true}, "url": {required: true},
	}, "arn"),
	"aws:iam/policy:Policy": tagged("iam/policy", map[string]input{
		"description": {}, "name": {required: true}, "namePrefix": {}, "path": {computed: true}, "policy": {required: true, json: true},
	}, "arn"),
	"aws:sns/topic:Topic": tagged("sns/topic", map[string]input{"fifoTopic": {shape: aTruth}, "name": {required: true}, "namePrefix": {}}, "arn"),
	"aws:sns/topicPolicy:TopicPolicy": {kind: "sns/topicPolicy", inputs: map[string]input{
		"arn": {required: true}, "policy": {required: true, json: true},
	}},
	"aws:sns/topicSubscription:TopicSubscription": {kind: "sns/topicSubscription", inputs: map[string]input{
		"endpoint": {required: true}, "protocol": {required: true}, "topic": {required: true},
	}, outputs: []string{"arn"}},
	"aws:budgets/budget:Budget": tagged("budgets/budget", map[string]input{
		"accountId": {computed: true}, "budgetType": {required: true}, "limitAmount": {computed: true}, "limitUnit": {computed: true},
		"name": {required: true}, "namePrefix": {}, "timeUnit": {required: true},
		"notifications": {shape: aRecord, fields: map[string]shape{"comparisonOperator": aText, "notificationType": aText,
			"subscriberSnsTopicArns": aList, "threshold": aNumber, "thresholdType": aText}},
	}, "arn"),
}

// tagged is a type with tags.
func tagged(kind string, inputs map[string]input, outputs ...string) *resourceType {
	inputs["tags"] = tags
	return &resourceType{kind: kind, inputs: inputs, outputs: append(outputs, "tagsAll"), follows: map[string][]string{"tags": {"tagsAll"}}}
}

func init() { maps.Copy(resourceTypes, platformTypes) }
