package tests

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/components/app"
	"threetier/gate/project"
	"threetier/gate/recorder"
)

const (
	roleType        = "aws:iam/role:Role"
	rolePolicyType  = "aws:iam/rolePolicy:RolePolicy"
	associationType = "aws:eks/podIdentityAssociation:PodIdentityAssociation"
	accountType     = "kubernetes:core/v1:ServiceAccount"
	boundary        = "arn:aws:iam::123456789012:policy/apps"
)

func may(actions, resources []string, allow map[string]string) map[string]any {
	statement := map[string]any{"actions": actions, "resources": resources}
	if allow != nil {
		statement["allow"] = allow
	}
	return statement
}

// withPermissions is dev's stack config with a role for its backend.
func withPermissions(t *testing.T, statements ...any) *project.Config {
	return project.StackConfig(t, "dev").Set(t, "threetier:backend.permissions", statements)
}

var readUploads = may([]string{"s3:GetObject", "s3:PutObject"}, []string{"arn:aws:s3:::acme-uploads/*"}, nil)

func document(t *testing.T, text any) (parsed map[string]any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(text.(string)), &parsed))
	return parsed
}

func TestPermissionsAreARoleOfTheBackendsPodsInThisNamespaceOfThisCluster(t *testing.T) {
	r := deploy(t, "dev", withPermissions(t, readUploads).Set(t, "threetier:backend.permissionsBoundary", boundary))
	backend := r.One(t, app.BackendType)
	assert.Subset(t, r.Children(backend), []string{
		roleType + " app-backend-permissions", rolePolicyType + " app-backend-permissions",
		associationType + " app-backend", accountType + " app-backend",
	})
	role := r.Named(t, roleType, "app-backend-permissions")
	assert.Equal(t, map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
		"Effect": "Allow", "Principal": map[string]any{"Service": "pods.eks.amazonaws.com"}, "Action": []any{"sts:AssumeRole", "sts:TagSession"},
		"Condition": map[string]any{"StringEquals": map[string]any{
			"aws:RequestTag/eks-cluster-arn":            "arn:aws:eks:eu-west-1:123456789012:cluster/acme-dev",
			"aws:RequestTag/kubernetes-namespace":       "threetier-dev",
			"aws:RequestTag/kubernetes-service-account": "backend",
		}},
	}}}, document(t, role.Input(t, "assumeRolePolicy")))
	assert.Equal(t, boundary, role.Input(t, "permissionsBoundary"))
	policy := r.Named(t, rolePolicyType, "app-backend-permissions")
	assert.Equal(t, map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
		"Effect": "Allow", "Action": []any{"s3:GetObject", "s3:PutObject"}, "Resource": []any{"arn:aws:s3:::acme-uploads/*"},
	}}}, document(t, policy.Input(t, "policy")))
	association := r.One(t, associationType)
	for input, want := range map[string]string{"clusterName": "acme-dev", "namespace": "threetier-dev", "serviceAccount": "backend"} {
		assert.Equal(t, want, association.Input(t, input))
	}
	assert.Contains(t, association.Input(t, "roleArn"), "role/app-backend-permissions-")
	assert.True(t, association.DeleteBeforeReplace, "EKS takes one of a service account")
	assert.Equal(t, "backend", r.One(t, accountType).Input(t, "metadata.name"))
}

func TestPodsThatHaveARoleFindItsCredentials(t *testing.T) {
	r := deploy(t, "dev", withPermissions(t, readUploads))
	association, policy := r.One(t, associationType).URN, r.Named(t, rolePolicyType, "app-backend-permissions").URN
	for _, res := range podsOf(r) {
		spec := func(path string) any { return res.Input(t, "spec.template.spec."+path) }
		env := environment(t, res)
		if !strings.HasPrefix(res.Name, "app-backend") || strings.HasPrefix(res.Name, "app-backend-roles") {
			assert.Nil(t, spec("serviceAccountName"), res.Name)
			assert.NotContains(t, env, "AWS_REGION", res.Name)
			continue
		}
		assert.Equal(t, "backend", spec("serviceAccountName"), res.Name)
		assert.Equal(t, false, spec("automountServiceAccountToken"), "no token for Kubernetes itself")
		assert.Equal(t, "http://169.254.170.23/v1/credentials", env["AWS_CONTAINER_CREDENTIALS_FULL_URI"])
		assert.Equal(t, "eu-west-1", env["AWS_REGION"])
		assert.Equal(t, "eu-west-1", env["AWS_DEFAULT_REGION"])
		dir, file, _ := strings.Cut(env["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"], "/eks-pod-identity-token")
		assert.Empty(t, file)
		assert.Contains(t, fmt.Sprint(spec("containers[0].volumeMounts")), "map[mountPath:"+dir+" name:eks-pod-identity-token readOnly:true]")
		assert.Contains(t, fmt.Sprint(spec("volumes")), "map[name:eks-pod-identity-token projected:map[sources:[map[serviceAccountToken:"+
			"map[audience:pods.eks.amazonaws.com expirationSeconds:86400 path:eks-pod-identity-token]]]]]")
		assert.Subset(t, res.DependsOn, []string{association, policy}, "%s starts when the role is there", res.Name)
	}
}

func TestAppsOwnAWSVariablesStay(t *testing.T) {
	r := deploy(t, "dev", withPermissions(t, readUploads).Set(t, "threetier:backend.env", map[string]string{"AWS_REGION": "us-east-1"}))
	env := environment(t, r.Named(t, deploymentType, "app-backend"))
	assert.Equal(t, "us-east-1", env["AWS_REGION"])
	assert.Equal(t, "eu-west-1", env["AWS_DEFAULT_REGION"])
}

func TestPodsOfAnIPv6ClusterAskTheAgentsIPv6Address(t *testing.T) {
	r := runApp(t, func(a *appStack) {
		a.EKS = app.EKSArgs{Name: "acme", ARN: "arn:aws:eks:eu-west-1:123456789012:cluster/acme", Region: "eu-west-1", IPv6: true}
		a.Backend.Permissions = []app.PermissionArgs{{Actions: []string{"s3:GetObject"}, Resources: []string{"*"}}}
	})
	assert.Equal(t, "http://[fd00:ec2::23]/v1/credentials", environment(t, r.Named(t, deploymentType, "shop-backend"))["AWS_CONTAINER_CREDENTIALS_FULL_URI"])
}

func TestRoleOpensTheWayToItsAgentAndNoOther(t *testing.T) {
	r := deploy(t, "dev", withPermissions(t, readUploads))
	require.Len(t, r.All(policyType), 9+2)
	for _, name := range []string{"app-backend-identity", "app-migration-identity"} {
		policy := r.Named(t, policyType, name)
		for _, address := range []string{"169.254.170.23", "fd00:ec2::23"} {
			assert.True(t, opens(t, policy, address, 80), "%s: %s", name, address)
			assert.False(t, opens(t, policy, address, 2703), "%s: %s", name, address)
		}
		for _, address := range slices.Concat(private, public, []string{"169.254.169.254", "169.254.170.2", "169.254.170.22", "169.254.170.24", "fd00:ec2::254"}) {
			assert.False(t, opens(t, policy, address, 80), "%s: %s", name, address)
		}
	}
}

func TestUnboundedPermissionsNeedAReason(t *testing.T) {
	assert.Empty(t, refusedByProgram(withPermissions(t,
		may([]string{"cloudwatch:Get*", "cloudwatch:ListMetrics"}, []string{"*"}, map[string]string{"cloudwatch:Get*": "a dashboard of all metrics"}),
		may([]string{"s3:*"}, []string{"arn:aws:s3:::acme-uploads", "arn:aws:s3:::acme-uploads/*"}, nil),
		may([]string{"ses:SendEmail"}, []string{"*"}, nil),
	)))
	want := func(action string) string {
		return "want single actions, single resources, or the reason in allow: { \"" + action + "\": … }"
	}
	const needless = `is "why", want none: only actions with a wildcard on all resources need it, and those of iam, kms, organizations and sts`
	assert.ElementsMatch(t, []string{
		`threetier:backend.permissions[0].actions[0] is "s3:*" on all resources, ` + want("s3:*"),
		`threetier:backend.permissions[1].actions[1] is "sqs:Get?ueue" on all resources, ` + want("sqs:Get?ueue"),
		`threetier:backend.permissions[2].allow.* is " ", want a reason`,
		`threetier:backend.permissions[3].allow.s3:GetObject ` + needless,
		`threetier:backend.permissions[4].allow.s3:* ` + needless,
	}, refusals(t, withPermissions(t,
		may([]string{"s3:*"}, []string{"arn:aws:s3:::acme/*", "arn:aws:s3:::*"}, nil),
		may([]string{"sqs:SendMessage", "sqs:Get?ueue"}, []string{"*"}, nil),
		may([]string{"*"}, []string{"*"}, map[string]string{"*": " "}),
		may([]string{"s3:GetObject"}, []string{"*"}, map[string]string{"s3:GetObject": "why"}),
		may([]string{"s3:*"}, []string{"arn:aws:s3:::acme/*"}, map[string]string{"s3:*": "why"}),
	)))
}

func TestEveryWayToWriteAllResourcesNeedsAReason(t *testing.T) {
	for resource, all := range map[string]bool{
		"*": true, "arn:aws:iam::*:*": true, "arn:aws:s3:::*": true, "arn:aws:s3:::?*": true, "arn:aws:s3:::*/*": true, "arn:aws:s3:::*/public/*": true,
		"arn:aws:secretsmanager:*:*:secret:*": true, "arn:aws:secretsmanager:eu-west-1:123456789012:secret:?*": true, "arn:aws:secretsmanager:*:*:secret*": true,
		"arn:aws:dynamodb:*:*:table/*": true, "arn:aws:dynamodb:*:*:table/*/index/*": true, "arn:aws:logs:*:*:log-group:*:*": true, "arn:aws:sqs:*:*:*": true,
		"arn:aws:apigateway:eu-west-1::/*": true, "arn:aws:rds:*:*:*:*": true, "arn:aws:sns:*:*:**": true,

		"arn:aws:s3:::acme-uploads/*": false, "arn:aws:s3:::acme-*": false, "arn:aws:s3:::*-uploads/*": false, "arn:aws:secretsmanager:*:*:secret:prod/*": false,
		"arn:aws:dynamodb:*:*:table/shop/index/*": false, "arn:aws:logs:*:*:log-group:/aws/lambda/*:*": false, "arn:aws:sqs:*:*:jobs*": false,
		"arn:aws:sns:eu-west-1:123456789012:alerts": false, "arn:aws:lambda:*:*:function:thumbnail": false,
	} {
		found := refusedByProgram(withPermissions(t, may([]string{"s3:Get*"}, []string{"arn:aws:s3:::acme/*", resource}, nil)))
		assert.Equal(t, all, strings.Contains(strings.Join(found, "\n"), "on all resources"), "%s: %s", resource, found)
	}
}

func TestActionsThatLeadToTheRightsOfOthersNeedAReason(t *testing.T) {
	role := []string{"arn:aws:iam::123456789012:role/report"}
	for _, action := range []string{"iam:PassRole", "sts:AssumeRole", "kms:Decrypt", "organizations:ListAccounts", "*"} {
		assert.Equal(t, []string{`threetier:backend.permissions[0].actions[0] is "` + action + `", of iam, kms, organizations and sts, ` +
			"want an action of another service, or the reason in allow: { \"" + action + "\": … }"}, refusals(t, withPermissions(t, may([]string{action}, role, nil))))
		assert.Empty(t, refusedByProgram(withPermissions(t, may([]string{action}, role, map[string]string{action: "reports are of another account"}))))
	}
}

func TestWrongPermissionsAreALineEach(t *testing.T) {
	assert.ElementsMatch(t, []string{
		"threetier:backend.permissions[0].actions is missing, want at least one action, like s3:GetObject",
		"threetier:backend.permissions[0].resources is empty, want at least one ARN, or *",
		`threetier:backend.permissions[1].actions[0] is "GetObject", want an action, like s3:GetObject`,
		`threetier:backend.permissions[1].resources[0] is "acme-uploads", want an ARN, like arn:aws:s3:::acme-uploads/*, or *`,
		`threetier:backend.permissionsBoundary is "apps", want the ARN of a managed policy`,
	}, refusals(t, withPermissions(t, map[string]any{"resources": []string{}}, may([]string{"GetObject"}, []string{"acme-uploads"}, nil)).
		Set(t, "threetier:backend.permissionsBoundary", "apps")))
	assert.Equal(t, []string{`threetier:backend.permissionsBoundary is "` + boundary + `", want none without permissions`},
		refusals(t, project.StackConfig(t, "dev").Set(t, "threetier:backend.permissionsBoundary", boundary)))
	var resources []string
	for i := range 250 {
		resources = append(resources, fmt.Sprintf("arn:aws:s3:::uploads-%03d-%s/*", i, strings.Repeat("x", 21)))
	}
	assert.Equal(t, []string{"threetier:backend.permissions is 12846 characters as a policy, want at most 10240"},
		refusals(t, withPermissions(t, may([]string{"s3:GetObject"}, resources, nil))))
}

func TestPermissionsNeedAnEKSCluster(t *testing.T) {
	config := withPermissions(t, readUploads).Remove(t, "threetier:cluster.eks").SetSecret(t, "threetier:cluster.kubeconfig", "apiVersion: v1").
		Set(t, "threetier:database.network", map[string]any{
			"vpcId": "vpc-0123abcd", "subnetIds": []string{"subnet-0123abcd", "subnet-4567cdef"}, "clientSecurityGroupIds": []string{"sg-0123abcd"},
		})
	assert.Equal(t, []string{"threetier:backend.permissions is given with cluster.kubeconfig, want cluster.eks: only EKS hands out credentials"}, refusals(t, config))
	_, err := tryApp(func(a *appStack) {
		a.Backend.Permissions = []app.PermissionArgs{{Actions: []string{"s3:GetObject"}, Resources: []string{"*"}}}
	}, recorder.Options{Answer: func(recorder.Resource) resource.PropertyMap { return nil }})
	assert.ErrorContains(t, err, "the backend has permissions, and no EKS cluster that could hand out credentials")
}

func TestWorkersAndJobsHaveTheBackendsWaysRoleAndNodes(t *testing.T) {
	r := deploy(t, "dev", withPermissions(t, readUploads).
		Set(t, "threetier:backend.egress", []any{map[string]any{"to": "internet", "ports": []int{443}}}).
		Set(t, "threetier:placement.nodeSelector", map[string]string{"pool": "apps"}).
		Set(t, "threetier:registry", map[string]string{"server": "ghcr.io", "username": "acme-bot", "password": "x"}).
		Set(t, "threetier:workers.mailer.command", []string{"mail"}).
		Set(t, "threetier:jobs.reindex", map[string]any{"command": []string{"reindex"}, "schedule": "@daily"}))
	for _, name := range []string{"app-backend-egress", "app-backend-identity"} {
		assert.Equal(t, []any{map[string]any{
			"key": "app.kubernetes.io/name", "operator": "In", "values": []any{"backend", "job-reindex", "worker-mailer"},
		}}, r.Named(t, policyType, name).Input(t, "spec.podSelector.matchExpressions"), name)
	}
	for path, res := range map[string]recorder.Resource{
		"spec.template.spec.":                  r.Named(t, deploymentType, "app-worker-mailer"),
		"spec.jobTemplate.spec.template.spec.": r.Named(t, "kubernetes:batch/v1:CronJob", "app-job-reindex"),
	} {
		assert.Equal(t, "backend", res.Input(t, path+"serviceAccountName"), res.Name)
		assert.Equal(t, map[string]any{"pool": "apps"}, res.Input(t, path+"nodeSelector"), res.Name)
		assert.Regexp(t, "^app-registry-", res.Input(t, path+"imagePullSecrets[0].name"), res.Name)
		assert.Contains(t, fmt.Sprint(res.Input(t, path+"containers[0].env")), "AWS_CONTAINER_CREDENTIALS_FULL_URI", res.Name)
		assert.Contains(t, fmt.Sprint(res.Input(t, path+"containers[0].volumeMounts")), "eks-pod-identity-token", res.Name)
	}
}
