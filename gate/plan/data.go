package plan

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"threetier/components/database"
	"threetier/gate/plan/replacement"
	"threetier/gate/project"
	"threetier/internal/settings"
)

const (
	instanceType    = "aws:rds/instance:Instance"
	secretType      = "aws:secretsmanager/secret:Secret"
	certificateType = "aws:acm/certificate:Certificate"
	recordType      = "aws:route53/record:Record"
	logGroupType    = "aws:cloudwatch/logGroup:LogGroup"
	serviceType     = "kubernetes:core/v1:Service"
	subnetType      = "aws:ec2/subnet:Subnet"
	clusterType     = "aws:eks/cluster:Cluster"
	repositoryType  = "aws:ecr/repository:Repository"
	policyType      = "kubernetes:admissionregistration.k8s.io/v1"

	// publicPath is the one guard that a read replica has too: its rows are the primary's.
	publicPath = "publiclyAccessible"
)

// goes is, by type, what goes with a resource that is deleted, and with one that is replaced; empty where nothing does.
var goes = map[string]struct{ deleted, replaced string }{
	instanceType:                          both("the database goes with it"),
	"aws:rds/subnetGroup:SubnetGroup":     both("no instance outlives its subnet group"),
	secretType:                            both("the only copy of the password goes with it"),
	logGroupType:                          both("its log lines go with it"),
	"aws:ec2/securityGroup:SecurityGroup": both("the way to the running database goes with it"),
	"aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": {deleted: "its clients can't reach the database any more"},
	// Its logical name has the public name in it: this one is served no more.
	certificateType:                               both("its public name goes dark"),
	recordType:                                    both("its public name leads nowhere"),
	"kubernetes:core/v1:Namespace":                both("the app and all else in it go dark"),
	serviceType:                                   both("what it leads to goes dark, and a load balancer's address goes with it"),
	replacement.Kubernetes:                        both("all of the app is made anew, and goes dark meanwhile"),
	"aws:route53/healthCheck:HealthCheck":         {deleted: "nobody is told any more that the site doesn't answer"},
	"aws:rds/eventSubscription:EventSubscription": {deleted: "nobody is told any more what happens to the database"},

	// A platform's.
	"aws:ec2/vpc:Vpc": both("all that is in the network goes dark"),
	subnetType:        both("what runs in it goes dark"),
	"aws:ec2/internetGateway:InternetGateway":             both("the network's sites go dark"),
	"aws:ec2/natGateway:NatGateway":                       both("what is behind it doesn't reach the internet, and gets another address"),
	"aws:ec2/eip:Eip":                                     both("the address goes, which others may have let in"),
	"aws:ec2/routeTable:RouteTable":                       both("its subnets reach nothing meanwhile"),
	"aws:ec2/route:Route":                                 both("its subnets don't reach the internet meanwhile"),
	"aws:ec2/routeTableAssociation:RouteTableAssociation": both("its subnet doesn't reach the internet meanwhile"),
	clusterType:    both("all that runs in it goes dark"),
	repositoryType: both("its images go with it"),
	"aws:iam/openIdConnectProvider:OpenIdConnectProvider":        both("no workflow gets a role any more"),
	"aws:eks/accessEntry:AccessEntry":                            {deleted: "its role can't reach the cluster any more"},
	"aws:eks/accessPolicyAssociation:AccessPolicyAssociation":    {deleted: "its role sees nothing of the cluster any more"},
	"aws:eks/addon:Addon":                                        {deleted: "no autoscaler knows the pods' load any more"},
	"aws:sns/topic:Topic":                                        both("nobody is told of alarms any more"),
	"aws:sns/topicSubscription:TopicSubscription":                {deleted: "its owner isn't told of alarms any more"},
	"aws:budgets/budget:Budget":                                  {deleted: "nobody is told of costs any more"},
	"aws:ec2/flowLog:FlowLog":                                    {deleted: "nobody knows any more who talked to whom"},
	"kubernetes:rbac.authorization.k8s.io/v1:ClusterRole":        both("no role of a stack may do anything in the cluster"),
	"kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding": {deleted: "its roles lose their rights in the cluster"},
	"kubernetes:rbac.authorization.k8s.io/v1:RoleBinding":        {deleted: "its roles lose their rights in the namespace"},
	"kubernetes:rbac.authorization.k8s.io/v1:Role":               {deleted: "its people lose their rights in the namespace"},
	policyType + ":ValidatingAdmissionPolicy":                    {deleted: "nothing keeps the drill in its namespace"},
	policyType + ":ValidatingAdmissionPolicyBinding":             {deleted: "nothing keeps the drill in its namespace"},
}

func both(text string) struct{ deleted, replaced string } {
	return struct{ deleted, replaced string }{text, text}
}

// guard is an input or an option of a resource that stays: what a weaker one loses.
type guard struct {
	typ, path string
	weaker    func(old, wanted any) bool
	text      string
}

var guards = []guard{
	{instanceType, "protect", isOff, "Pulumi doesn't refuse to delete it any more"},
	{instanceType, "deletionProtection", isOff, "RDS doesn't refuse to delete it any more"},
	{instanceType, "skipFinalSnapshot", isOn, "its deletion leaves no snapshot"},
	{instanceType, "finalSnapshotIdentifier", isGone, "its deletion leaves no snapshot"},
	{instanceType, "deleteAutomatedBackups", isNotOff, "its backups go with it"},
	{instanceType, "backupRetentionPeriod", isLessThan(0), "its older backups go"},
	{instanceType, "tags." + database.BackupPlanTag, isAnother, "its AWS Backup plan doesn't select it any more"},
	{instanceType, "multiAz", isOff, "the failure of a zone takes it down"},
	{instanceType, publicPath, isOn, "the internet may reach it"},
	{"aws:ec2/vpc:Vpc", "protect", isOff, "Pulumi doesn't refuse to delete it any more"},
	{subnetType, "protect", isOff, "Pulumi doesn't refuse to delete it any more"},
	{clusterType, "protect", isOff, "Pulumi doesn't refuse to delete it any more"},
	{repositoryType, "protect", isOff, "Pulumi doesn't refuse to delete it any more"},
	{repositoryType, "forceDelete", isOn, "its deletion takes its images with it"},
	// The defaults are those of Secrets Manager, and of CloudWatch, which keeps lines for ever.
	{secretType, "recoveryWindowInDays", isLessThan(30), "a deleted password can be restored for a shorter time"},
	{logGroupType, "retentionInDays", isLessThan(math.Inf(1)), "its older lines go"},
	// The AWS Load Balancer Controller makes another one where these change (isSDKLoadBalancerRequiresReplacement), and so does
	// whoever else the type leads to.
	{serviceType, "spec.type", isAnother, "its load balancer's address goes"},
	{serviceType, awsLoadBalancer + "scheme", isAnother, "its load balancer is another one, with another address"},
	{serviceType, awsLoadBalancer + "type", isAnother, "its load balancer is another one, with another address"},
}

const awsLoadBalancer = "metadata.annotations.service.beta.kubernetes.io/aws-load-balancer-"

func isOff(old, wanted any) bool     { return text(old) == "true" && text(wanted) != "true" }
func isOn(old, wanted any) bool      { return text(old) != "true" && text(wanted) == "true" }
func isNotOff(old, wanted any) bool  { return text(old) == "false" && text(wanted) != "false" }
func isGone(old, wanted any) bool    { return old != nil && wanted == nil }
func isAnother(old, wanted any) bool { return old != nil && old != wanted }

// isLessThan compares numbers, of which one that isn't given is the default.
func isLessThan(byDefault float64) func(old, wanted any) bool {
	number := func(value any) float64 {
		if number, err := strconv.ParseFloat(text(value), 64); err == nil {
			return number
		}
		return byDefault
	}
	return func(old, wanted any) bool { return number(wanted) < number(old) }
}

func text(value any) string { return fmt.Sprint(value) }

// told are more inputs of an instance whose change deserves a look, and loses nothing.
var told = []string{"engineVersion", "allowMajorVersionUpgrade", "identifier"}

// Loss is data, a guard of data, or a way to the app that a change takes away.
type Loss struct {
	// Name is what the stack config calls it: the logical name of what goes, with the path of a guard.
	Name string `json:"name"`
	// What says what happens, Text what is lost.
	What string `json:"what"`
	Text string `json:"lost"`
}

func lose(changes []Change) {
	for i := range changes {
		change := &changes[i]
		change.Losses = []Loss{}
		if text := change.goes(); text != "" && !change.isTold(changes) {
			change.Losses = append(change.Losses, Loss{Name: change.Resource.Name, What: fmt.Sprintf("%s is %s", change.Resource.Label(), change.Kind), Text: text})
		}
		for _, guard := range guards {
			at := slices.IndexFunc(change.Details, func(d Detail) bool { return d.Path == guard.path && d.Follows == "" })
			if change.Resource.Type != guard.typ || at < 0 || change.isReplica() && guard.path != publicPath {
				continue
			}
			if was, is := change.Details[at].Old, change.Details[at].New; guard.weaker(was, is) {
				what := fmt.Sprintf("%s of %s is %s, was %s", guard.path, change.Resource.Label(), given(is), given(was))
				change.Losses = append(change.Losses, Loss{Name: change.Resource.Name + "." + guard.path, What: what, Text: guard.text})
			}
		}
	}
}

// isReplica tells that the resource is a read replica, which holds nothing of its own.
func (c Change) isReplica() bool {
	_, isReplica := c.Resource.Inputs["replicateSourceDb"]
	return isReplica
}

// isHeadless tells that the resource is a Service that only names pods. Where nginx finds no name, it asks the tier's own Service.
func (c Change) isHeadless() bool {
	spec, _ := c.Resource.Inputs["spec"].(map[string]any)
	return c.Resource.Type == serviceType && spec["clusterIP"] == "None"
}

func given(value any) string {
	if value == nil {
		return "not given"
	}
	return text(value)
}

func (c Change) goes() string {
	switch {
	case c.isReplica(), c.isHeadless():
		return ""
	case c.Kind == Deleted:
		return goes[c.Resource.Type].deleted
	case c.Kind == Replaced:
		return goes[c.Resource.Type].replaced
	}
	return ""
}

// isTold tells that another change says it already: a cluster's of what is in it, a certificate's of the records of its public
// name, and that of an instance of its logs.
func (c Change) isTold(all []Change) bool {
	name := text(c.Resource.Inputs["name"])
	by := func(typ string, says func(Change) bool) bool {
		return slices.ContainsFunc(all, func(other Change) bool { return other.Resource.Type == typ && says(other) })
	}
	switch {
	case replacement.Provider(c.Resource.Type) == replacement.Kubernetes:
		return slices.ContainsFunc(c.Details, func(d Detail) bool { return d.Path == "provider" })
	case c.Resource.Type == recordType:
		return by(certificateType, func(other Change) bool {
			return other.goes() != "" && (name == other.Resource.Inputs["domainName"] || strings.Contains(name, "<"+other.Resource.Label()+">"))
		})
	case c.Resource.Type == logGroupType:
		return by(instanceType, func(other Change) bool {
			return other.Kind == Deleted && strings.Contains(name, "/"+text(other.Resource.Inputs["identifier"])+"/")
		})
	}
	return false
}

// TouchesData tells whether a change deserves a look before all others.
func (c Change) TouchesData() bool {
	if len(c.Losses) > 0 {
		return true
	}
	if c.Kind == Replaced || c.Kind == Deleted {
		typ := c.Resource.Type
		return strings.HasPrefix(typ, "aws:rds/") || strings.HasPrefix(typ, "aws:secretsmanager/") || typ == "kubernetes:core/v1:Secret"
	}
	return c.Kind == Changed && slices.ContainsFunc(c.Details, func(d Detail) bool {
		return c.Resource.Type == instanceType && (slices.Contains(told, d.Path) ||
			slices.ContainsFunc(guards, func(g guard) bool { return g.typ == instanceType && g.path == d.Path }))
	})
}

// Gate is an error where a change loses something that the stack config doesn't allow, and where it allows a loss that isn't one.
func Gate(plan *Plan, changes []Change) error {
	var problems, lost, missing []string
	for _, change := range changes {
		for _, loss := range change.Losses {
			name := settings.Lose + loss.Name
			if !plan.Allow.Has(name) {
				problems = append(problems, fmt.Sprintf("%s: %s, and %s", plan.Stack, loss.What, loss.Text))
				if entry := name + ": the reason"; !slices.Contains(missing, entry) {
					missing = append(missing, entry)
				}
			}
			lost = append(lost, name)
		}
	}
	if len(problems) > 0 {
		problems[len(problems)-1] += fmt.Sprintf("; if that is meant, add to %s in %s: { %s }", plan.allowKey(), project.File("", plan.Stack), strings.Join(missing, ", "))
	}
	for _, unneeded := range plan.Allow.Beginning(settings.Lose).Others("nothing is lost by this name", lost...) {
		problems = append(problems, fmt.Sprintf("%s: %s%s", plan.Stack, strings.TrimSuffix(plan.allowKey(), "allow"), unneeded))
	}
	if len(problems) == 0 {
		return nil
	}
	return fmt.Errorf("%s", strings.Join(problems, "\n"))
}

// GateGone is an error where a stack's config is gone while something in the stack is protected: what nobody plans, deploys
// or drills any more isn't to hold data that somebody wants to keep.
func GateGone(before *Plan) error {
	kept := before.protected()
	if len(kept) == 0 {
		return nil
	}
	want := `lifecycle retiring and pulumi destroy first: "Delete a stack" in docs/how-to/delete.md`
	if strings.HasPrefix(before.Stack, project.Platform) {
		want = "platform:protect false and pulumi destroy first: docs/tutorials/first-deploy-to-aws.md"
	}
	return fmt.Errorf("%s: %s is gone, and %s is protected; want %s", before.Stack, project.File("", before.Stack), strings.Join(kept, ", "), want)
}

func (p *Plan) protected() []string {
	var kept []string
	for _, res := range p.Resources {
		if res.Protect {
			kept = append(kept, res.Label())
		}
	}
	return kept
}
