package recorder

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

const account = "123456789012"

// fields are a resource's answers beside its inputs.
type fields = map[string]any

// answer is a resource's id and state: its inputs, and what AWS or Kubernetes adds.
func answer(res Resource, options Options) (string, resource.PropertyMap) {
	state := res.Inputs.Copy()
	id := res.Name + "-" + short(res.URN)
	add := func(extra fields) { maps.Copy(state, properties(extra)) }
	text := func(key resource.PropertyKey, fallback string) string {
		if value, given := state[key]; given && value.IsString() {
			return value.StringValue()
		}
		return fallback
	}
	switch res.Type {
	case "aws:rds/instance:Instance":
		name := text("identifier", id)
		address := name + ".abcdefghijkl.eu-west-1.rds.amazonaws.com"
		add(fields{"identifier": name, "address": address, "arn": arn("rds", "db:"+name), "resourceId": "db-" + short(name)})
		if port, given := state["port"]; given {
			add(fields{"endpoint": fmt.Sprintf("%s:%v", address, port.NumberValue())})
		}
	case "aws:rds/subnetGroup:SubnetGroup", "aws:rds/parameterGroup:ParameterGroup", "aws:iam/role:Role":
		name := text("name", id)
		id = name
		add(fields{"name": name, "arn": arn("iam", "role/"+name)})
	case "aws:eks/podIdentityAssociation:PodIdentityAssociation":
		add(fields{"associationId": "a-" + short(res.URN)})
	case "aws:acm/certificate:Certificate":
		add(certificate(arn("acm", "certificate/"+short(res.URN)), text("domainName", "")))
	case "aws:route53/record:Record":
		add(fields{"fqdn": strings.TrimSuffix(text("name", id), ".")})
	case "aws:ec2/securityGroup:SecurityGroup":
		id = "sg-0" + short(res.URN)
	case "aws:iam/openIdConnectProvider:OpenIdConnectProvider":
		id = arn("iam", "oidc-provider/"+strings.TrimPrefix(text("url", id), "https://"))
		add(fields{"arn": id})
	case "aws:iam/policy:Policy":
		id = arn("iam", "policy/"+text("name", id))
		add(fields{"arn": id})
	case "aws:eks/cluster:Cluster":
		id = text("name", id)
		add(fields{"arn": arn("eks", "cluster/"+id), "endpoint": "https://" + id + ".eks.amazonaws.com", "certificateAuthority": fields{"data": "Y2VydGlmaWNhdGU="}})
	case "aws:ecr/repository:Repository":
		id = text("name", id)
		add(fields{"arn": arn("ecr", "repository/"+id), "repositoryUrl": account + ".dkr.ecr.eu-west-1.amazonaws.com/" + id})
	case "aws:sns/topic:Topic":
		id = arn("sns", text("name", id))
		add(fields{"arn": id})
	case "aws:cloudwatch/logGroup:LogGroup":
		id = text("name", id)
		add(fields{"arn": arn("logs", "log-group:"+id)})
	case "aws:cloudwatch/metricAlarm:MetricAlarm":
		id = text("name", id)
		add(fields{"arn": arn("cloudwatch", "alarm:"+id)})
	case "aws:secretsmanager/secret:Secret":
		id = arn("secretsmanager", "secret:"+id)
		add(fields{"arn": id})
	case "kubernetes:core/v1:Service":
		// A load balancer's address comes later than the Service itself.
		if spec, given := res.Inputs["spec"]; given && spec.IsObject() && spec.ObjectValue()["type"].V == "LoadBalancer" {
			add(fields{"status": fields{"loadBalancer": fields{"ingress": []any{fields{"hostname": "k8s-shop-nginx-0a1b2c3d4e-0123456789abcdef.elb.eu-west-1.amazonaws.com"}}}}})
		}
	}
	return finish(res, options, id, state)
}

// finish names an object of Kubernetes without a name, and has the last word with the options.
func finish(res Resource, options Options, id string, state resource.PropertyMap) (string, resource.PropertyMap) {
	if metadata, given := state["metadata"]; given && metadata.IsObject() {
		named := metadata.ObjectValue().Copy()
		if _, hasName := named["name"]; !hasName {
			named["name"] = resource.NewProperty(id)
		}
		state["metadata"] = resource.NewProperty(named)
	}
	if options.Answer != nil {
		maps.Copy(state, options.Answer(res))
	}
	if options.ID != nil {
		id = cmp.Or(options.ID(res), id)
	}
	return id, state
}

func properties(values fields) resource.PropertyMap { return resource.NewPropertyMapFromMap(values) }

func arn(service, name string) string {
	return fmt.Sprintf("arn:aws:%s:eu-west-1:%s:%s", service, account, name)
}

// short is a suffix like that of an automatic name, the same in every run.
func short(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:4])
}
