package platform

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/eks"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/component"
	"threetier/internal/constraint"
	"threetier/internal/keys"
	"threetier/internal/problems"
	"threetier/internal/tags"
)

// AccessType is the type token of Access.
const AccessType = "threetier:platform:Access"

// What an account or a cluster has once, whichever platform makes it.
const (
	oidcProvider = "oidcProvider"
	boundary     = "boundary"
	clusterRoles = "clusterRoles"
)

// AccessArgs say who may do what with a stack.
type AccessArgs struct {
	// Keys says what these mean.
	Names, Without, Readers, OnCall []string
	ZoneID                          string
	Alarms, Permissions, Secrets    bool

	// Account is the account's number. Required.
	Account string
}

// Needs are what the roles reach.
type Needs struct {
	// Cluster is the name of the EKS cluster, Made the resources that it takes. Both required.
	Cluster string
	Made    *Cluster
	// Images tells that the account's registries are made here, so the role that pushes to them is too.
	Images bool
}

// Keys are the roles', below platform:access.
func (args *AccessArgs) Keys() keys.Table {
	principal := constraint.Text{Pattern: `^arn:aws:iam::\d{12}:(role|user)/[\w+=,.@/-]+$`, Want: "the ARN of a role or user, as arn:aws:iam::123456789012:role/developers"}
	return keys.Table{
		keys.Texts("names", &args.Names).AtLeast(1, "at least one name").Once("each name once").
			Each(constraint.Text{Pattern: `^[a-z0-9*-]+(\.[a-z0-9-]+)+$`, Want: "a public name, as shop.example.org"}).Otherwise("none").Example("[shop.example.org]").
			Doc("The public names of the stack's threetier:domain: the deploy role may request their certificates and write their records, and no others."),
		keys.Text("zoneId", &args.ZoneID).Match("^Z[A-Z0-9]{5,31}$", "the id of a hosted zone, as Z0123456789ABCDEFGHIJ").Needs(args.Names != nil, "names beside it").
			Otherwise("none: records are made by hand").Example("Z0123456789ABCDEFGHIJ").Doc("The hosted zone of the names, by id."),
		keys.Flag("alarms", &args.Alarms).Doc("Whether the stack has threetier:alarms.topicArn: the deploy role may make alarms and a dashboard then."),
		keys.Flag("permissions", &args.Permissions).Doc("Whether the stack has backend.permissions: the deploy role may make a role within the boundary threetier-apps then."),
		keys.Flag("secrets", &args.Secrets).Doc("Whether the stack has {from: ARN} in secretEnv or secretFiles: its roles may read the secrets and parameters below threetier/STACK/ then."),
		keys.Texts("readers", &args.Readers).AtLeast(1, "at least one ARN").Once("each ARN once").Each(principal).Otherwise("no such role").
			Example(`["arn:aws:iam::123456789012:role/developers"]`).
			Doc("Who may take the role threetier-reader-STACK: it looks at everything but secrets, rows and the state."),
		keys.Texts("onCall", &args.OnCall).AtLeast(1, "at least one ARN").Once("each ARN once").Each(principal).Otherwise("no such role").
			Example(`["arn:aws:iam::123456789012:role/on-call"]`).
			Doc("Who may take the role threetier-on-call-STACK: the reader's rights, the stack's own in its namespace, psql, and the database's restart."),
		keys.Texts("without", &args.Without).AtLeast(1, "at least one of oidcProvider, boundary, clusterRoles").Once("each once").
			Each(constraint.Text{OneOf: []string{oidcProvider, boundary, clusterRoles}}).Otherwise("[]").Example("[oidcProvider, boundary]").
			Doc("Parts that exist already: an account has GitHub's OIDC provider and the boundary threetier-apps once, a cluster its ClusterRoles."),
	}
}

// Complete fills in the defaults, and returns every problem of the args.
func (args *AccessArgs) Complete() problems.List { return args.Keys().Complete() }

// StackProblems are one where docs/iam doesn't say whom the stack's roles trust.
func StackProblems(stack string) problems.List {
	if (documents{}).has("trust-deploy-" + stack + ".json") {
		return nil
	}
	return problems.List{{Path: "stack", Value: stack, Want: "one of which docs/iam has trust policies, as dev or prod"}}
}

// Access are the roles, and their rights in the cluster.
type Access struct {
	pulumi.ResourceState

	// Roles are the ARNs of the roles, by job: deploy, preview, previews, drill, images.
	Roles pulumi.StringMapOutput `pulumi:"roles"`
}

// NewAccess creates the roles of a stack: those of workflows are what docs/iam has, filled in.
func NewAccess(ctx *pulumi.Context, name string, args *AccessArgs, needs Needs, opts ...pulumi.ResourceOption) (*Access, error) {
	access := &Access{}
	if args == nil || args.Account == "" || needs.Cluster == "" || needs.Made == nil {
		return nil, component.Wrap(access, name, errors.New("args, the account or the cluster are missing"))
	}
	b := &accessBuilder{ctx: ctx, name: name, args: *args, needs: needs, parent: access, roles: pulumi.StringMap{}}
	if err := b.args.Complete().Err(); err != nil {
		return nil, component.Wrap(access, name, err)
	}
	b.documents = documents{account: args.Account, cluster: needs.Cluster, stack: ctx.Stack(), names: b.args.Names, zone: b.args.ZoneID}
	if err := StackProblems(ctx.Stack()).Err(); err != nil {
		return nil, component.Wrap(access, name, err)
	}
	if strings.Contains(b.documents.read("trust-deploy-"+ctx.Stack()+".json"), "OWNER_ID") {
		if err := ctx.Log.Warn("the workflows' roles trust nobody yet: docs/iam has no repository's numbers. Run make names SUBJECT=…", nil); err != nil {
			return nil, err
		}
	}
	opts = append(opts, pulumi.Providers(needs.Made.Provider))
	return component.New(ctx, AccessType, name, access, opts, b.create)
}

// accessBuilder creates the children of an Access.
type accessBuilder struct {
	ctx       *pulumi.Context
	name      string
	args      AccessArgs
	needs     Needs
	parent    *Access
	documents documents
	roles     pulumi.StringMap
	// trusted is GitHub's OIDC provider, if it is made here.
	trusted []pulumi.Resource
}

func (b *accessBuilder) create() error {
	for _, step := range []func() error{b.once, b.workflows, b.people} {
		if err := step(); err != nil {
			return err
		}
	}
	b.parent.Roles = b.roles.ToStringMapOutput()
	return nil
}

// once creates what an account or a cluster has once.
func (b *accessBuilder) once() error {
	if b.makes(oidcProvider) {
		provider, err := iam.NewOpenIdConnectProvider(b.ctx, b.name+"-github", &iam.OpenIdConnectProviderArgs{
			Url: pulumi.String("https://token.actions.githubusercontent.com"), ClientIdLists: pulumi.ToStringArray([]string{"sts.amazonaws.com"}), Tags: tags.Of(b.ctx),
		}, b.child())
		if err != nil {
			return fmt.Errorf("create OIDC provider of GitHub: %w", err)
		}
		b.trusted = append(b.trusted, provider)
	}
	if b.makes(boundary) {
		if _, err := b.policy("threetier-apps", "boundary.json"); err != nil {
			return err
		}
	}
	if b.makes(clusterRoles) {
		if err := b.apply("cluster-role.yaml"); err != nil {
			return err
		}
	}
	return b.apply("namespace.yaml")
}

func (b *accessBuilder) makes(once string) bool { return !slices.Contains(b.args.Without, once) }

// workflows creates a role for each job that has a trust policy, and lets it into the cluster.
func (b *accessBuilder) workflows() error {
	stack := b.ctx.Stack()
	preview, err := b.workflow("preview", stack, "threetier:"+stack, b.documents.read("preview.json"))
	if err != nil {
		return err
	}
	deploy, err := b.workflow("deploy", stack, "threetier:"+stack, b.documents.read("deploy.json"))
	if err != nil {
		return err
	}
	read := []*role{preview, deploy}
	if b.documents.has("trust-previews-" + stack + ".json") {
		previews, err := b.workflow("previews", stack, "threetier:"+stack+"-previews", b.documents.read("previews.json"))
		if err != nil {
			return err
		}
		if err := b.apply("previews.yaml"); err != nil {
			return err
		}
		read = append(read, previews)
	}
	if b.documents.has("trust-drill-" + stack + ".json") {
		drill, err := b.drill(stack)
		if err != nil {
			return err
		}
		read = append(read, drill)
	}
	for _, more := range []struct {
		name, document string
		wanted         bool
		roles          []*role
	}{
		{"permissions", "deploy-permissions.json", b.args.Permissions, []*role{deploy}},
		{"alarms", "deploy-alarms.json", b.args.Alarms, []*role{deploy}},
		{"domain", "deploy-domain.json", b.args.Names != nil, []*role{deploy}},
		{"secrets", "secrets.json", b.args.Secrets, read},
	} {
		if !more.wanted {
			continue
		}
		policy, err := b.policy("threetier-"+more.name+"-"+stack, more.document)
		if err != nil {
			return err
		}
		for _, role := range more.roles {
			if err := role.attach(b.ctx, b.name+"-"+role.job+"-"+more.name, policy.Arn, b.child()); err != nil {
				return err
			}
		}
	}
	if b.needs.Images {
		if _, err := b.role("images", "threetier-images", b.documents.read("trust-images.json"), b.documents.read("images.json")); err != nil {
			return err
		}
	}
	return nil
}

// drill creates the role that changes a scratch stack, in this stack's cluster and with its key.
func (b *accessBuilder) drill(stack string) (*role, error) {
	scratch := b.documents
	scratch.stack, scratch.key = stack+"-drill", stack
	drill, err := b.workflow("drill", stack, "threetier:"+scratch.stack, scratch.read("deploy.json"))
	if err != nil {
		return nil, err
	}
	if err := drill.allow(b.ctx, b.name+"-drill-of-"+stack, pulumi.String(b.documents.read("drill.json")), b.child()); err != nil {
		return nil, err
	}
	return drill, b.apply("drill.yaml")
}

// workflow creates a job's role, which is a group in the cluster.
func (b *accessBuilder) workflow(job, stack, group, policy string) (*role, error) {
	made, err := b.role(job, "threetier-"+job+"-"+stack, b.documents.read("trust-"+job+"-"+stack+".json"), policy)
	if err != nil {
		return nil, err
	}
	_, err = b.enter(job, made, group)
	return made, err
}

// longestJob is how long the roles' credentials last, in seconds: an up that outlives its own can't save its state.
const longestJob = 7200

func (b *accessBuilder) role(job, name, trust, policy string, managed ...string) (*role, error) {
	logical := b.name + "-" + job
	made, err := newRole(b.ctx, logical, &iam.RoleArgs{
		Name: pulumi.String(name), AssumeRolePolicy: pulumi.String(trust), MaxSessionDuration: pulumi.Int(longestJob),
	}, managed, b.child(), pulumi.DependsOn(b.trusted))
	if err != nil {
		return nil, err
	}
	b.roles[job], made.job = made.Arn, job
	return made, made.allow(b.ctx, logical, pulumi.String(policy), b.child())
}

// policy creates a managed policy: a role's own have a limit together, of 10,240 characters.
func (b *accessBuilder) policy(name, document string) (*iam.Policy, error) {
	policy, err := iam.NewPolicy(b.ctx, b.name+"-"+strings.TrimSuffix(document, ".json"), &iam.PolicyArgs{
		Name: pulumi.String(name), Policy: pulumi.String(b.documents.read(document)), Tags: tags.Of(b.ctx),
	}, b.child())
	if err != nil {
		return nil, fmt.Errorf("create policy %s: %w", name, err)
	}
	return policy, nil
}

// enter lets a role into the cluster, as these groups.
func (b *accessBuilder) enter(job string, made *role, groups ...string) (*eks.AccessEntry, error) {
	entry, err := eks.NewAccessEntry(b.ctx, b.name+"-"+job, &eks.AccessEntryArgs{
		ClusterName: b.needs.Made.Name, PrincipalArn: made.Arn, KubernetesGroups: pulumi.ToStringArray(groups), Tags: tags.Of(b.ctx),
	}, b.child())
	if err != nil {
		return nil, fmt.Errorf("create access entry of %s: %w", job, err)
	}
	return entry, nil
}

// people creates the roles of those who look, and of those who act.
func (b *accessBuilder) people() error {
	stack := b.ctx.Stack()
	if _, err := b.person("reader", b.args.Readers); err != nil {
		return err
	}
	if b.args.OnCall == nil {
		return nil
	}
	acts, err := b.person("on-call", b.args.OnCall, "threetier:"+stack, "threetier:"+stack+"-on-call")
	if err != nil {
		return err
	}
	if err := acts.allow(b.ctx, b.name+"-on-call-acts", pulumi.String(b.documents.read("on-call.json")), b.child()); err != nil {
		return err
	}
	return b.apply("on-call.yaml")
}

// person creates a role of people: it looks at all but secrets.
func (b *accessBuilder) person(job string, principals []string, groups ...string) (*role, error) {
	if principals == nil {
		return nil, nil
	}
	trust, err := trusting(map[string]any{"AWS": principals}, "sts:AssumeRole")
	if err != nil {
		return nil, err
	}
	made, err := b.role(job, "threetier-"+job+"-"+b.ctx.Stack(), trust, b.documents.read("reader.json"), "ReadOnlyAccess")
	if err != nil {
		return nil, err
	}
	entry, err := b.enter(job, made, groups...)
	if err != nil {
		return nil, err
	}
	_, err = eks.NewAccessPolicyAssociation(b.ctx, b.name+"-"+job, &eks.AccessPolicyAssociationArgs{
		ClusterName: b.needs.Made.Name, PrincipalArn: entry.PrincipalArn,
		// It reads no Secrets.
		PolicyArn: pulumi.String("arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"),
		AccessScope: eks.AccessPolicyAssociationAccessScopeArgs{
			Type: pulumi.String("namespace"), Namespaces: pulumi.ToStringArray([]string{b.documents.namespace()}),
		},
	}, b.child())
	if err != nil {
		return nil, fmt.Errorf("create access policy of %s: %w", job, err)
	}
	return made, nil
}

// apply registers the objects of a file of docs/iam.
func (b *accessBuilder) apply(file string) error {
	all, err := b.documents.objects(file)
	if err != nil {
		return err
	}
	for _, each := range all {
		var made pulumi.CustomResourceState
		// The namespace's app is the stack's: it stays where the access alone goes, and goes with the stack or the cluster.
		keep := pulumi.RetainOnDelete(each["kind"] == "Namespace")
		if err := b.ctx.RegisterResource(each.token(), b.name+"-"+each.logical(), pulumi.ToMap(each), &made, b.child(), keep); err != nil {
			return fmt.Errorf("create %s of %s: %w", each.logical(), file, err)
		}
	}
	return nil
}

func (b *accessBuilder) child() pulumi.ResourceOption { return pulumi.Parent(b.parent) }
