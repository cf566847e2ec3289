package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/eks"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	networkingv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/networking/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/app/pods"
	"threetier/internal/allow"
	"threetier/internal/constraint"
	"threetier/internal/keys"
	"threetier/internal/optional"
	"threetier/internal/problems"
	"threetier/internal/tags"
)

const (
	// backendAccount is the service account of all pods that have the backend's role.
	backendAccount = "backend"
	// maxPolicy is IAM's limit for what stands in a role's own policies, without spaces.
	maxPolicy = 10240

	// The names and places are those of EKS's own webhook, which leaves alone what is there.
	identityVolume = "eks-pod-identity-token"
	identityDir    = "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount"
	// identityTokenSeconds is what EKS gives a token, too.
	identityTokenSeconds = 86400
)

// identityAgents are the node's own addresses that hand out the role's credentials.
var identityAgents = []string{"169.254.170.23/32", "fd00:ec2::23/128"}

// EKSArgs name the EKS cluster that hands out credentials. The zero value is a cluster that isn't EKS.
type EKSArgs struct {
	// Name is the cluster's name, ARN its ARN, Region its region.
	Name, ARN, Region string
	// IPv6 tells that pods have IPv6 addresses.
	IPv6 bool
	// Networks are the public ones of its VPC. Default: it has none.
	Networks []string
}

// PermissionArgs are a statement of the role's policy: what the pods may do.
type PermissionArgs struct {
	Actions, Resources []string
	Allow              allow.List
}

var permissionAction = constraint.Text{Pattern: `^(\*|[a-z0-9-]+:[A-Za-z0-9*?]+)$`, Want: "an action, like s3:GetObject", Words: "IAM actions"}

func (args *PermissionArgs) keys() keys.Table {
	return keys.Table{
		keys.Texts("actions", &args.Actions).Each(permissionAction).AtLeast(1, "at least one action, like s3:GetObject").Once("each action once").
			Required().Example("[s3:GetObject, s3:PutObject]").
			Doc("IAM actions."),
		keys.Texts("resources", &args.Resources).Each(constraint.Text{
			Pattern: `^(\*|arn:[a-z*-]+:[a-z0-9-]+:[a-z0-9*-]*:[0-9*]*:[^ ]+)$`,
			Want:    "an ARN, like arn:aws:s3:::acme-uploads/*, or *",
			Words:   "ARNs, or *",
		}).AtLeast(1, "at least one ARN, or *").Once("each resource once").Required().Example(`["arn:aws:s3:::acme-uploads/*"]`).
			Doc("ARNs of the resources."),
		args.Allow.Key(permissionAction).Was("waive", "{ \"s3:Get*\": the reason }").Example(`{cloudwatch:Get*: "a dashboard of all metrics"}`).
			Doc("Exceptions, each with the reason: wildcard actions on all resources, and actions of " + powerful + ". Without it they are refused."),
	}
}

// reachProblems are rights that reach far and that nobody gave a reason for, and reasons that nothing needs.
func (args PermissionArgs) reachProblems() (ps problems.List) {
	var far []string
	for i, action := range args.Actions {
		value, want := args.reach(action)
		if want == "" {
			continue
		}
		far = append(far, action)
		if !args.Allow.Has(action) {
			ps = append(ps, problems.Problem{Path: fmt.Sprintf("actions[%d]", i), Value: value, Want: allow.Or(want, "allow", strconv.Quote(action))})
		}
	}
	return append(ps, args.Allow.Others("only actions with a wildcard on all resources need it, and those of "+powerful, far...)...)
}

// powerful are the services whose actions lead to the rights, or to the data, of others.
const powerful = "iam, kms, organizations and sts"

// reach is empty for an action whose resources bound it.
func (args PermissionArgs) reach(action string) (value, want string) {
	service, _, _ := strings.Cut(strings.ToLower(action), ":")
	services := []string{service}
	for _, resource := range args.Resources {
		if parts := strings.Split(resource, ":"); service == "*" && len(parts) > 2 {
			services = append(services, parts[2])
		}
	}
	switch {
	case slices.ContainsFunc(services, func(s string) bool { return slices.Contains([]string{"iam", "kms", "organizations", "sts"}, s) }):
		return fmt.Sprintf("%q, of %s", action, powerful), "an action of another service"
	case strings.ContainsAny(action, "*?") && slices.ContainsFunc(args.Resources, unbounded):
		return fmt.Sprintf("%q on all resources", action), "single actions, single resources"
	}
	return "", ""
}

// unbounded tells whether a resource's name has only wildcards. Before the name, most services have a word for the
// type, like role/ or secret:. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
func unbounded(resource string) bool {
	parts := strings.SplitN(resource, ":", 6)
	if len(parts) < 6 {
		return true // * alone
	}
	words := strings.FieldsFunc(parts[5], func(r rune) bool { return r == '/' || r == ':' })
	named := slices.Contains([]string{"s3", "sns", "sqs"}, parts[2])
	if !named && (len(words) > 1 || strings.ContainsAny(parts[5], "*?")) {
		words = words[min(1, len(words)):]
	}
	return len(words) == 0 || strings.Trim(words[0], "*?") == ""
}

// permissionsProblems are those of all statements, and of the policy that they make.
func (args BackendArgs) permissionsProblems(known problems.List) (ps problems.List) {
	for i, statement := range args.Permissions {
		if path := fmt.Sprintf("permissions[%d]", i); !known.Has(path) {
			ps = append(ps, statement.reachProblems().Under(path)...)
		}
	}
	if n := len(permissionsPolicy(args.Permissions)); len(ps) == 0 && n > maxPolicy {
		ps = append(ps, problems.Problem{Path: "permissions", Value: fmt.Sprintf("%d characters as a policy", n), Want: fmt.Sprintf("at most %d", maxPolicy)})
	}
	return ps
}

// identityPolicies open the way to the agent that hands out the role's credentials, and no other.
func identityPolicies(args AppArgs) []networkPolicy {
	if len(args.Backend.Permissions) == 0 {
		return nil
	}
	var agents networkingv1.NetworkPolicyPeerArray
	for _, agent := range identityAgents {
		agents = append(agents, networkingv1.NetworkPolicyPeerArgs{IpBlock: networkingv1.IPBlockArgs{Cidr: pulumi.String(agent)}})
	}
	rules := networkingv1.NetworkPolicyEgressRuleArray{egress(agents, pulumi.Int(80))}
	return []networkPolicy{
		{suffix: "backend-identity", selector: backendSelector(args.processLabels(true)), egress: rules},
		{suffix: "migration-identity", selector: pods.Selector(migrationLabel), egress: rules},
	}
}

// checkCluster finds what only a program can get wrong; the stack config's mistakes are Problems.
func checkCluster(permissions []PermissionArgs, cluster EKSArgs) error {
	if len(permissions) > 0 && (cluster.Name == "" || cluster.ARN == "" || cluster.Region == "") {
		return errors.New("the backend has permissions, and no EKS cluster that could hand out credentials")
	}
	return nil
}

type statement = map[string]any

func policyDocument(statements ...statement) string {
	text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
	if err != nil {
		panic(err) // texts and lists of texts can always be encoded
	}
	return string(text)
}

func permissionsPolicy(permissions []PermissionArgs) string {
	var statements []statement
	for _, p := range permissions {
		statements = append(statements, statement{"Effect": "Allow", "Action": p.Actions, "Resource": p.Resources})
	}
	return policyDocument(statements...)
}

// trustPolicy lets EKS give the role to pods with the backend's service account, in this namespace of this cluster.
func trustPolicy(cluster EKSArgs, namespace string) string {
	return policyDocument(statement{
		"Effect":    "Allow",
		"Principal": map[string]string{"Service": "pods.eks.amazonaws.com"},
		"Action":    []string{"sts:AssumeRole", "sts:TagSession"},
		"Condition": map[string]any{"StringEquals": map[string]string{
			"aws:RequestTag/eks-cluster-arn":            cluster.ARN,
			"aws:RequestTag/kubernetes-namespace":       namespace,
			"aws:RequestTag/kubernetes-service-account": backendAccount,
		}},
	})
}

// assumeRole gives the workload's pods a role of their own, where the args have permissions.
func (w *workload) assumeRole(ctx *pulumi.Context, parent pulumi.Resource, args BackendArgs, cluster EKSArgs) error {
	if len(args.Permissions) == 0 {
		return nil
	}
	namespace := w.Namespace.ToStringOutput()
	role, err := iam.NewRole(ctx, w.Name+"-permissions", &iam.RoleArgs{
		Description: pulumi.String("What the backend's pods may do"),
		AssumeRolePolicy: namespace.ApplyT(func(namespace string) string {
			return trustPolicy(cluster, namespace)
		}).(pulumi.StringOutput),
		PermissionsBoundary: optional.String(args.PermissionsBoundary),
		Tags:                tags.Of(ctx),
	}, pulumi.Parent(parent))
	if err != nil {
		return fmt.Errorf("create role: %w", err)
	}
	policy, err := iam.NewRolePolicy(ctx, w.Name+"-permissions", &iam.RolePolicyArgs{
		Role: role.Name, Policy: pulumi.String(permissionsPolicy(args.Permissions)),
	}, pulumi.Parent(parent))
	if err != nil {
		return fmt.Errorf("create policy of the role: %w", err)
	}
	metadata := w.Metadata()
	metadata.Name = pulumi.String(backendAccount)
	account, err := corev1.NewServiceAccount(ctx, w.Name, &corev1.ServiceAccountArgs{
		Metadata: metadata, AutomountServiceAccountToken: pulumi.Bool(false),
	}, pulumi.Parent(parent))
	if err != nil {
		return fmt.Errorf("create service account: %w", err)
	}
	association, err := eks.NewPodIdentityAssociation(ctx, w.Name, &eks.PodIdentityAssociationArgs{
		ClusterName: pulumi.String(cluster.Name), Namespace: namespace, ServiceAccount: account.Metadata.Name().Elem(),
		RoleArn: role.Arn, Tags: tags.Of(ctx),
	}, pulumi.Parent(parent), pulumi.DeleteBeforeReplace(true)) // EKS takes one of a service account
	if err != nil {
		return fmt.Errorf("create pod identity association: %w", err)
	}
	// The pods wait for all of it by their service account's name.
	w.ServiceAccount = pulumi.All(account.Metadata.Name().Elem(), association.AssociationId, policy.ID()).ApplyT(func(ready []any) string {
		return ready[0].(string)
	}).(pulumi.StringOutput)
	w.findCredentials(args, cluster)
	return nil
}

// findCredentials sets what AWS's SDKs look for. EKS's webhook would do it, too, but only for pods that it sees some
// seconds after the association was made.
func (w *workload) findCredentials(args BackendArgs, cluster EKSArgs) {
	agent := "http://169.254.170.23/v1/credentials"
	if cluster.IPv6 {
		agent = "http://[fd00:ec2::23]/v1/credentials"
	}
	const tokenFile = "eks-pod-identity-token"
	env := map[string]pulumi.StringInput{
		"AWS_CONTAINER_CREDENTIALS_FULL_URI":     pulumi.String(agent),
		"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": pulumi.String(identityDir + "/" + tokenFile),
		"AWS_REGION":                             pulumi.String(cluster.Region),
		"AWS_DEFAULT_REGION":                     pulumi.String(cluster.Region),
	}
	for name := range env {
		if args.sets(name) {
			delete(env, name)
		}
	}
	w.env = append(w.env, pods.PlainEnv(env)...)
	w.Mount(identityVolume, identityDir, corev1.VolumeArgs{
		Projected: corev1.ProjectedVolumeSourceArgs{Sources: corev1.VolumeProjectionArray{corev1.VolumeProjectionArgs{
			ServiceAccountToken: corev1.ServiceAccountTokenProjectionArgs{
				Audience: pulumi.String("pods.eks.amazonaws.com"), ExpirationSeconds: pulumi.Int(identityTokenSeconds), Path: pulumi.String(tokenFile),
			},
		}}},
	})
}
