package account

import (
	"strings"
	"testing"

	"threetier/local/internal/account/recorded"
	"threetier/local/internal/account/state"
)

// trustsPods is the trust policy that EKS's documentation recommends, with the program's conditions.
const trustsPods = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},
	"Action":["sts:AssumeRole","sts:TagSession"],"Condition":{"StringEquals":{
	"aws:RequestTag/eks-cluster-arn":"arn:aws:eks:eu-west-1:123456789012:cluster/acme","aws:RequestTag/kubernetes-namespace":"shop",
	"aws:RequestTag/kubernetes-service-account":["backend","worker"]}}}]}`

func TestPodGetsItsRoleWhereTheRoleTrustsIt(t *testing.T) {
	f := newFixture(t)
	arn := f.create(recorded.KindRole, props{"name": "r", "assumeRolePolicy": trustsPods}).Outputs["arn"]
	association := props{"clusterName": "acme", "namespace": "shop", "serviceAccount": "backend", "roleArn": arn}
	f.create(recorded.KindAssociation, association)
	assume := func(namespace, serviceAccount string) Response {
		return f.call("POST", "/pod-identity", Request{Inputs: props{"namespace": namespace, "serviceAccount": serviceAccount}})
	}
	given := assume("shop", "backend")
	if given.Error != nil || given.Outputs["AccessKeyId"] == "" || given.Outputs["AccountId"] != state.ID {
		t.Fatalf("the pod gets %v and error %v", given.Outputs, given.Error)
	}
	f.refused(assume("shop", "default").Error, "ResourceNotFoundException")
	f.refused(assume("blog", "backend").Error, "ResourceNotFoundException")
	// An association alone isn't enough.
	for old, changed := range map[string]string{
		"cluster/acme": "cluster/other", `"shop"`: `"blog"`, `["backend","worker"]`: `"worker"`, `,"sts:TagSession"`: "",
		"pods.eks": "ec2", `"Allow"`: `"Deny"`, "StringEquals": "StringLike", "aws:RequestTag/kubernetes-namespace": "aws:SourceAccount",
	} {
		policy := strings.ReplaceAll(trustsPods, old, changed)
		if policy == trustsPods {
			t.Fatalf("the policy has no %s", old)
		}
		f.update(recorded.KindRole, "r", props{"name": "r", "assumeRolePolicy": policy})
		f.refused(assume("shop", "backend").Error, "AccessDeniedException")
	}
}
