package plan_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/plan"
	"threetier/gate/plan/replacement"
	"threetier/gate/project"
	"threetier/internal/allow"
)

// rich is prod with everything that can be lost.
func rich(t *testing.T) *plan.Plan {
	t.Helper()
	return build(t, edited(t, "prod",
		"port: 5433", "readReplicas: 1\n    port: 5433",
		"acme-prod-alerts #", "acme-prod-alerts\n    outsideTopicArn: arn:aws:sns:us-east-1:123456789012:alerts #",
		"  threetier:allow:", "  threetier:domain: { name: shop.example.org, zone: example.org, aliases: [store.example.org] }\n  threetier:allow:",
		"  threetier:nginx:\n", "  threetier:nginx:\n    loadBalancer: { annotations: { service.beta.kubernetes.io/aws-load-balancer-ip-address-type: dualstack } }\n",
	), "prod")
}

// losing allows losses.
func losing(names []string) allow.List {
	list := allow.List{}
	for _, name := range names {
		list["lose "+name] = "it is meant"
	}
	return list
}

// with is a plan in which a resource has another value at a path of its inputs, or no such path where the value is nil. The
// path of an annotation or tag is its own last part.
func with(t *testing.T, planned *plan.Plan, label string, value any, path ...string) *plan.Plan {
	t.Helper()
	out := &plan.Plan{Stack: planned.Stack, Resources: slices.Clone(planned.Resources)}
	at := slices.IndexFunc(out.Resources, func(res plan.Resource) bool { return res.Label() == label })
	require.NotEqual(t, -1, at, label)
	res := &out.Resources[at]
	if path[0] == "protect" {
		res.Protect = value.(bool)
		return out
	}
	res.Inputs = maps.Clone(res.Inputs)
	fields := res.Inputs
	for _, key := range path[:len(path)-1] {
		inner, _ := fields[key].(map[string]any)
		inner = maps.Clone(inner)
		fields[key], fields = inner, inner
	}
	if value == nil {
		delete(fields, path[len(path)-1])
	} else {
		fields[path[len(path)-1]] = value
	}
	return out
}

// without is a plan that lacks a resource.
func without(t *testing.T, planned *plan.Plan, labels ...string) *plan.Plan {
	t.Helper()
	out := &plan.Plan{Stack: planned.Stack, Resources: slices.Clone(planned.Resources)}
	for _, label := range labels {
		before := len(out.Resources)
		out.Resources = slices.DeleteFunc(out.Resources, func(res plan.Resource) bool { return res.Label() == label })
		require.Less(t, len(out.Resources), before, label)
	}
	return out
}

// losesOnly holds the gate to exactly these names: it refuses the change, takes it with all of them, refuses it without
// one, and refuses them without the change.
func losesOnly(t *testing.T, before, after *plan.Plan, lines map[string]string) {
	t.Helper()
	changes := plan.Compare(before, after)
	all := slices.Sorted(maps.Keys(lines))
	err := plan.Gate(after, changes)
	require.Error(t, err)
	assert.Len(t, strings.Split(err.Error(), "\n"), len(lines), "%v", err)
	summary := plan.Markdown("main", []plan.Comparison{{Stack: "prod", Changes: changes}})
	top, _, _ := strings.Cut(summary, "| stack |")
	assert.Contains(t, top, "[!CAUTION]")
	for name, line := range lines {
		what, lost, _ := strings.Cut(line, ", and ")
		assert.ErrorContains(t, err, "prod: "+what)
		assert.ErrorContains(t, err, ", and "+lost)
		assert.Contains(t, top, lost)
		after.Allow = losing(all)
		delete(after.Allow, "lose "+name)
		assert.ErrorContains(t, plan.Gate(after, changes), "prod: "+what)
	}
	after.Allow = losing(all)
	require.NoError(t, plan.Gate(after, changes))
	for _, name := range all {
		assert.ErrorContains(t, plan.Gate(after, nil), `prod: threetier:allow.lose `+name+` is "it is meant", want none: nothing is lost by this name`)
	}
	after.Allow = nil
}

func TestWhatHoldsDataOrLeadsToTheAppIsNeitherDeletedNorReplacedUnlessNamed(t *testing.T) {
	const (
		both = "deleted replaced"
		dark = "its public name leads nowhere"
	)
	planned := rich(t)
	for label, c := range map[string]struct {
		replace string // an input whose change replaces it
		when    string
		lost    string
	}{
		"Instance database":                                 {"dbName", both, "the database goes with it"},
		"SubnetGroup database-subnets":                      {"name", both, "no instance outlives its subnet group"},
		"Secret database-password":                          {"name", both, "the only copy of the password goes with it"},
		"Secret database-password-a":                        {"namePrefix", both, "the only copy of the password goes with it"},
		"LogGroup database-log-postgresql":                  {"name", both, "its log lines go with it"},
		"SecurityGroup database-security-group":             {"vpcId", both, "the way to the running database goes with it"},
		"SecurityGroupIngressRule database-from-sg-cluster": {"securityGroupId", "deleted", "its clients can't reach the database any more"},
		"Certificate domain-shop.example.org":               {"keyAlgorithm", both, "its public name goes dark"},
		"Record domain-shop.example.org-validation":         {"zoneId", both, dark},
		"Record domain-records-shop.example.org":            {"zoneId", both, dark},
		"Record domain-records-shop.example.org-ipv6":       {"name", both, dark},
		"Namespace app":                                     {"metadata.name", both, "the app and all else in it go dark"},
		"Service app-nginx":                                 {"spec.loadBalancerClass", both, "what it leads to goes dark, and a load balancer's address goes with it"},
		"Service app-backend":                               {"spec.clusterIP", both, "what it leads to goes dark, and a load balancer's address goes with it"},
		"Service app-frontend":                              {"metadata.namespace", both, "what it leads to goes dark, and a load balancer's address goes with it"},
		"kubernetes cluster-provider":                       {"clusterIdentifier", both, "all of the app is made anew, and goes dark meanwhile"},
		"HealthCheck alarms-outside":                        {"type", "deleted", "nobody is told any more that the site doesn't answer"},
		"EventSubscription database-events-instance":        {"name", "deleted", "nobody is told any more what happens to the database"},
		"Instance database-replica-1":                       {"kmsKeyId", "", ""},
		"SecretVersion database-password-v1":                {"secretId", "", ""},
		"ConfigMap app-nginx-config":                        {"data", "", ""},
		"Deployment app-backend":                            {"spec.selector", "", ""},
		"MetricAlarm database-replica-1-alarm-cpu":          {"name", "", ""},
		"CertificateValidation domain-shop.example.org":     {"certificateArn", "", ""},
		"ParameterGroup database-parameters-17":             {"family", "", ""},
	} {
		name := label[strings.Index(label, " ")+1:]
		for kind, after := range map[string]*plan.Plan{
			"deleted":  without(t, planned, label),
			"replaced": with(t, planned, label, "another", strings.Split(c.replace, ".")...),
		} {
			t.Run(label+" "+kind, func(t *testing.T) {
				if strings.Contains(c.when, kind) {
					lines := map[string]string{name: label + " is " + kind + ", and " + c.lost}
					if label == "SubnetGroup database-subnets" && kind == "replaced" {
						lines["database"] = "Instance database is replaced, and the database goes with it"
					}
					losesOnly(t, planned, after, lines)
					return
				}
				changes := plan.Compare(planned, after)
				assert.True(t, slices.ContainsFunc(changes, func(c plan.Change) bool { return c.Resource.Label() == label && string(c.Kind) == kind }))
				assert.NoError(t, plan.Gate(after, changes))
			})
		}
	}
}

func TestWeakerGuardIsRefusedUnlessNamed(t *testing.T) {
	planned := rich(t)
	const balancer = "service.beta.kubernetes.io/aws-load-balancer-"
	for _, c := range []struct {
		label, path string
		weaker      []any
		same        []any // what isn't weaker
		lost        string
	}{
		{"Instance database", "protect", []any{false}, nil, "Pulumi doesn't refuse to delete it any more"},
		{"Instance database", "deletionProtection", []any{false, nil}, nil, "RDS doesn't refuse to delete it any more"},
		{"Instance database-replica-1", "deletionProtection", nil, []any{false, nil}, ""},
		{"Instance database", "skipFinalSnapshot", []any{true}, []any{nil}, "its deletion leaves no snapshot"},
		{"Instance database", "finalSnapshotIdentifier", []any{nil}, []any{"another"}, "its deletion leaves no snapshot"},
		{"Instance database", "deleteAutomatedBackups", []any{true, nil}, nil, "its backups go with it"},
		{"Instance database", "backupRetentionPeriod", []any{13, 0, nil}, []any{15, 35}, "its older backups go"},
		{"Instance database", "tags.backup-plan", []any{nil, "weekly"}, nil, "its AWS Backup plan doesn't select it any more"},
		{"Instance database", "multiAz", []any{false, nil}, nil, "the failure of a zone takes it down"},
		{"Instance database", "publiclyAccessible", []any{true}, []any{nil}, "the internet may reach it"},
		{"Instance database-replica-1", "publiclyAccessible", []any{true}, []any{nil}, "the internet may reach it"},
		{"Secret database-password", "recoveryWindowInDays", []any{0, 29}, []any{nil}, "a deleted password can be restored for a shorter time"},
		{"LogGroup database-log-postgresql", "retentionInDays", []any{7, 29}, []any{nil, 31}, "its older lines go"},
		{"Service app-nginx", "spec.type", []any{"NodePort", nil}, nil, "its load balancer's address goes"},
		{"Service app-nginx", "metadata.annotations." + balancer + "scheme", []any{"internal", nil}, nil, "its load balancer is another one, with another address"},
		{"Service app-nginx", "metadata.annotations." + balancer + "type", []any{"nlb", nil}, nil, "its load balancer is another one, with another address"},
		{"Service app-nginx", "metadata.annotations." + balancer + "healthcheck-interval", nil, []any{"20", nil}, ""},
		{"Instance database", "instanceClass", nil, []any{"db.t4g.large"}, ""},
	} {
		path := strings.Split(c.path, ".")
		if prefix, annotation, found := strings.Cut(c.path, "annotations."); found {
			path = append(strings.Split(prefix+"annotations", "."), annotation)
		}
		name := c.label[strings.Index(c.label, " ")+1:] + "." + c.path
		for _, value := range c.weaker {
			after := with(t, planned, c.label, value, path...)
			given := "not given, was "
			if value != nil {
				given = fmt.Sprintf("%v, was ", value)
			}
			losesOnly(t, planned, after, map[string]string{name: c.path + " of " + c.label + " is " + given + ", and " + c.lost})
			// The way back is a stronger guard, except where any change makes another one.
			if err := plan.Gate(planned, plan.Compare(after, planned)); !strings.HasPrefix(c.label, "Service") && value != "weekly" {
				assert.NoError(t, err, "%s %v", name, value)
			}
		}
		for _, value := range c.same {
			after := with(t, planned, c.label, value, path...)
			assert.NoError(t, plan.Gate(after, plan.Compare(planned, after)), "%s %v", name, value)
		}
	}
}

// The keys that a user changes, and everything that goes with each.
func TestChangeOfAKeyThatLosesSomethingIsRefusedWithAllNames(t *testing.T) {
	const named = "  threetier:domain: { name: shop.example.org, zone: example.org, aliases: [store.example.org] }\n"
	with := []string{"  threetier:allow:", named + "  threetier:allow:"}
	before := build(t, edited(t, "prod", with...), "prod")
	guards := []string{"database-password.recoveryWindowInDays", "database-password-a.recoveryWindowInDays", "database-password-b.recoveryWindowInDays", "database-password-migration.recoveryWindowInDays"}
	for _, c := range []struct {
		name   string
		change []string
		want   []string
	}{
		{"disposable", []string{"lifecycle: durable", "allow: { RDS.5: x, RDS.8: x, RDS.11: x }\n    lifecycle: disposable", "    multiAz: true", "    multiAz: false", "backupRetentionDays: 14", "backupRetentionDays: 1", "threetier:allow:", "other:allow:"}, nil},
		{"retiring", []string{"lifecycle: durable", "allow: { RDS.8: it goes }\n    lifecycle: retiring"}, []string{"database.deletionProtection", "database.protect"}},
		{"one zone", []string{"multiAz: true", "allow: { RDS.5: x }\n    multiAz: false"}, []string{"database.multiAz"}},
		{"fewer backups", []string{"backupRetentionDays: 14", "backupRetentionDays: 7"}, []string{"database.backupRetentionPeriod"}},
		{"another VPC", []string{"port: 5433", "network: { vpcId: vpc-0999, subnetIds: [subnet-0aaa, subnet-0bbb] }\n    port: 5433"}, []string{"database-security-group"}},
		{"internal", []string{"  threetier:nginx:\n", "  threetier:nginx:\n    internal: true\n"}, []string{"app-nginx.metadata.annotations.service.beta.kubernetes.io/aws-load-balancer-scheme"}},
		{"another class", []string{"  threetier:nginx:\n", "  threetier:nginx:\n    loadBalancer: { class: service.k8s.aws/nlb }\n"}, []string{"app-nginx"}},
		{"another cluster", []string{"eks: acme-prod", "eks: acme-new"}, []string{"cluster-provider"}},
		{"another namespace", []string{"  threetier:cluster:", "  threetier:namespace: shop\n  threetier:cluster:"}, []string{"app", "app-backend", "app-frontend", "app-nginx"}},
		{"no zone", []string{named, strings.Replace(named, "zone: example.org, ", "", 1)}, []string{
			"domain-shop.example.org-validation", "domain-store.example.org-validation", "domain-records-shop.example.org", "domain-records-store.example.org",
		}},
		{"no alias", []string{named, strings.Replace(named, ", aliases: [store.example.org]", "", 1)}, []string{"domain-store.example.org"}},
		{"no domain", []string{named, ""}, []string{"domain-shop.example.org", "domain-store.example.org"}},
		{"no topic", []string{"  threetier:alarms:\n    topicArn: arn:aws:sns:eu-west-1:123456789012:acme-prod-alerts", "  other:topic: x", "    port: 5433", "    allow: { RDS.20: x, RDS.21: x, RDS.22: x }\n    port: 5433"}, []string{
			"database-events-availability", "database-events-instance", "database-events-parameters", "database-events-security-groups",
		}},
		// What isn't lost.
		{"another password", []string{"port: 5433", "passwordVersion: 2\n    port: 5433"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			after := build(t, edited(t, "prod", append(slices.Clone(with), c.change...)...), "prod")
			changes := plan.Compare(before, after)
			var names []string
			for _, change := range changes {
				for _, loss := range change.Losses {
					names = append(names, loss.Name)
				}
			}
			switch c.name {
			case "disposable":
				for _, want := range append(guards, "database.protect", "database.deletionProtection", "database.skipFinalSnapshot", "database.deleteAutomatedBackups", "database.multiAz", "database.backupRetentionPeriod") {
					assert.Contains(t, names, want)
				}
			default:
				assert.ElementsMatch(t, c.want, names)
			}
			if len(names) > 0 {
				assert.ErrorContains(t, plan.Gate(after, changes), "if that is meant, add to threetier:allow in Pulumi.prod.yaml: { lose "+strings.Join(names, ": the reason, lose ")+": the reason }")
			}
			after.Allow = losing(names)
			assert.NoError(t, plan.Gate(after, changes))
		})
	}
}

// Its Service only names pods: the pods of nginx that still run ask the tier's own Service.
func TestRouteThatNoLongerSticksLosesNothing(t *testing.T) {
	const nginx = "  threetier:nginx:\n"
	routes := func(sticky string) string {
		return nginx + "    routes: [{ path: /, to: frontend }, { path: /api, to: backend" + sticky + " }]\n"
	}
	before := build(t, edited(t, "prod", nginx, routes(", sticky: cookie")), "prod")
	after := build(t, edited(t, "prod", nginx, routes("")), "prod")
	changes := plan.Compare(before, after)
	assert.True(t, slices.ContainsFunc(changes, func(c plan.Change) bool {
		return c.Resource.Label() == "Service app-backend-pods" && c.Kind == plan.Deleted
	}))
	assert.NoError(t, plan.Gate(after, changes))
}

func TestUpgradeIsToldOfAndLosesNothing(t *testing.T) {
	before := build(t, project.Root(), "prod")
	after := build(t, edited(t, "prod", "port: 5433", "engineVersion: 18\n    allow: { upgrade to 18: tried }\n    port: 5433"), "prod")
	changes := plan.Compare(before, after)
	require.NoError(t, plan.Gate(after, changes))
	summary := plan.Markdown("main", []plan.Comparison{{Stack: "prod", Changes: changes}})
	top, _, _ := strings.Cut(summary, "| stack |")
	assert.Contains(t, top, "[!WARNING]")
	assert.Contains(t, top, "`Instance database` is **changed**\n")
	assert.Contains(t, summary, "`engineVersion`: `17` → `18`")
	assert.Contains(t, summary, "`applyImmediately`: `false` → `true`")
	assert.Contains(t, summary, "`allowMajorVersionUpgrade`: `false` → `true`")
	for _, path := range []string{"allowMajorVersionUpgrade", "identifier", "backupRetentionPeriod", "skipFinalSnapshot"} {
		changes := plan.Compare(before, with(t, before, "Instance database", "another", path))
		assert.Contains(t, plan.Markdown("main", []plan.Comparison{{Stack: "prod", Changes: changes}}), "> - **prod**: `Instance database` is **changed**", path)
	}
}

func TestASecretOfTheAppThatGoesIsToldOfAndLosesNothing(t *testing.T) {
	planned := build(t, project.Root(), "prod")
	after := without(t, planned, "Secret app-backend-database")
	changes := plan.Compare(planned, after)
	require.NoError(t, plan.Gate(after, changes))
	assert.Contains(t, plan.Markdown("main", []plan.Comparison{{Stack: "prod", Changes: changes}}), "> - **prod**: `Secret app-backend-database` is **deleted**")
}

// Only an instance that is deleted says of its logs that they go.
func TestLogsThatGoBesideANewInstanceAreToldOf(t *testing.T) {
	planned := rich(t)
	losesOnly(t, planned, without(t, with(t, planned, "Instance database", "another", "dbName"), "LogGroup database-log-postgresql"), map[string]string{
		"database":                "Instance database is replaced, and the database goes with it",
		"database-log-postgresql": "LogGroup database-log-postgresql is deleted, and its log lines go with it",
	})
}

func TestAnotherSubnetGroupReplacesTheInstance(t *testing.T) {
	planned := rich(t)
	after := with(t, planned, "Instance database", "another", "dbSubnetGroupName")
	losesOnly(t, planned, after, map[string]string{"database": "Instance database is replaced, and the database goes with it"})
}

// A type that is new to the program is in the gate's table, or somebody has thought about why not.
func TestEveryTypeOfThePlansIsDecidedUpon(t *testing.T) {
	// Each is made again from the stack config, and nothing waits for the old one; or its owner's own loss says it.
	lose := []string{
		"aws:cloudwatch/dashboard:Dashboard", "aws:cloudwatch/logMetricFilter:LogMetricFilter", "aws:cloudwatch/metricAlarm:MetricAlarm",
		"aws:acm/certificateValidation:CertificateValidation", "aws:eks/podIdentityAssociation:PodIdentityAssociation",
		"aws:iam/role:Role", "aws:iam/rolePolicy:RolePolicy", "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
		"aws:rds/parameterGroup:ParameterGroup", "aws:secretsmanager/secretVersion:SecretVersion", "pulumi:providers:aws",
		"kubernetes:apps/v1:Deployment", "kubernetes:apps/v1:DeploymentPatch", "kubernetes:autoscaling/v2:HorizontalPodAutoscaler",
		"kubernetes:batch/v1:CronJob", "kubernetes:batch/v1:Job", "kubernetes:core/v1:ConfigMap", "kubernetes:core/v1:Secret",
		"kubernetes:core/v1:ServiceAccount", "kubernetes:networking.k8s.io/v1:NetworkPolicy", "kubernetes:policy/v1:PodDisruptionBudget",

		"aws:ec2/vpcEndpoint:VpcEndpoint", "aws:ecr/lifecyclePolicy:LifecyclePolicy", "aws:iam/policy:Policy", "aws:sns/topicPolicy:TopicPolicy",
	}
	plans := []*plan.Plan{richPlatform(t)}
	for _, stack := range []string{"dev", "prod", "full"} {
		plans = append(plans, build(t, project.Root(), stack))
	}
	for _, planned := range plans {
		for _, res := range planned.Resources {
			changes := plan.Compare(planned, without(t, planned, res.Label()))
			if res.Name == "app-backend-pods" {
				assert.Empty(t, changes[len(changes)-1].Losses, "it has no address, and nothing goes dark")
				continue
			}
			loses := slices.ContainsFunc(changes, func(c plan.Change) bool { return len(c.Losses) > 0 && c.Resource.Type == res.Type })
			assert.NotEqual(t, slices.Contains(lose, res.Type) || strings.HasPrefix(res.Type, "threetier:"), loses, "%s %s", res.Type, res.Name)
		}
	}
}

// richPlatform is a platform with everything that it can have.
func richPlatform(t *testing.T) *plan.Plan {
	t.Helper()
	return build(t, edited(t, "platform-prod",
		"    without: [oidcProvider, boundary]", `    readers: ["arn:aws:iam::123456789012:role/developers"]`+"\n"+`    onCall: ["arn:aws:iam::123456789012:role/on-call"]`,
		"  platform:notices:\n", "  platform:registries: { repositories: [acme/backend] }\n  platform:notices:\n    emails: [on-call@example.org]\n",
	), "platform-prod")
}

func TestWhatAllOfAStackStandsOnIsNeitherDeletedNorReplacedUnlessNamed(t *testing.T) {
	planned := richPlatform(t)
	for _, c := range []struct{ label, replace, lost string }{
		{"Vpc network", "cidrBlock", "all that is in the network goes dark"},
		{"Subnet network-private-eu-west-1b", "cidrBlock", "what runs in it goes dark"},
		{"Subnet network-public-eu-west-1a", "availabilityZone", "what runs in it goes dark"},
		{"NatGateway network-nat-eu-west-1a", "subnetId", "what is behind it doesn't reach the internet, and gets another address"},
		{"Eip network-nat-eu-west-1a", "domain", "the address goes, which others may have let in"},
		{"RouteTable network-public", "vpcId", "its subnets reach nothing meanwhile"},
		{"Route network-private-eu-west-1c", "routeTableId", "its subnets don't reach the internet meanwhile"},
		{"RouteTableAssociation network-public-eu-west-1b", "subnetId", "its subnet doesn't reach the internet meanwhile"},
		{"InternetGateway network-internet", "", "the network's sites go dark"},
		{"FlowLog network-flow-logs", "", "nobody knows any more who talked to whom"},
		{"LogGroup network-flow-logs", "name", "its log lines go with it"},
		{"Cluster cluster-eks", "name", "all that runs in it goes dark"},
		{"Cluster cluster-eks", "roleArn", "all that runs in it goes dark"},
		{"Cluster cluster-eks", "computeConfig.nodeRoleArn", "all that runs in it goes dark"},
		{"Addon cluster-metrics-server", "", "no autoscaler knows the pods' load any more"},
		{"Repository registries-acme-backend", "name", "its images go with it"},
		{"OpenIdConnectProvider access-github", "url", "no workflow gets a role any more"},
		{"AccessEntry access-deploy", "", "its role can't reach the cluster any more"},
		{"AccessPolicyAssociation access-reader", "", "its role sees nothing of the cluster any more"},
		{"Topic notices", "name", "nobody is told of alarms any more"},
		{"TopicSubscription notices-on-call@example.org", "", "its owner isn't told of alarms any more"},
		{"Budget notices-budget", "", "nobody is told of costs any more"},
		{"ClusterRole access-clusterrole-threetier", "metadata.name", "no role of a stack may do anything in the cluster"},
		{"ValidatingAdmissionPolicy access-validatingadmissionpolicy-threetier-drill", "", "nothing keeps the drill in its namespace"},
	} {
		t.Run(c.label+" "+c.replace, func(t *testing.T) {
			afters := map[string]*plan.Plan{"deleted": without(t, planned, c.label)}
			if c.replace != "" {
				afters["replaced"] = with(t, planned, c.label, "another", strings.Split(c.replace, ".")...)
			}
			for kind, after := range afters {
				changes := plan.Compare(planned, after)
				assert.ErrorContains(t, plan.Gate(after, changes), "platform-prod: "+c.label+" is "+kind+", and "+c.lost)
				assert.ErrorContains(t, plan.Gate(after, changes), "add to platform:allow in platform/Pulumi.prod.yaml: { lose ")
				var names []string
				for _, change := range changes {
					for _, loss := range change.Losses {
						names = append(names, loss.Name)
					}
				}
				after.Allow = losing(names)
				assert.NoError(t, plan.Gate(after, changes))
			}
		})
	}
	for label, weaker := range map[string]map[string]any{
		"Vpc network": {"protect": false}, "Subnet network-public-eu-west-1a": {"protect": false}, "Cluster cluster-eks": {"protect": false},
		"Repository registries-acme-backend": {"protect": false, "forceDelete": true},
	} {
		for path, value := range weaker {
			after := with(t, planned, label, value, path)
			err := plan.Gate(after, plan.Compare(planned, after))
			assert.ErrorContains(t, err, fmt.Sprintf("%s of %s is %v, was %v", path, label, value, value == false))
		}
	}
	assert.ErrorContains(t, plan.GateGone(planned), "platform-prod: platform/Pulumi.prod.yaml is gone, and Vpc network, ")
}

func TestEveryInputThatTheProgramReplacesOnIsKnownToThePlan(t *testing.T) {
	assert.True(t, replacement.By("kubernetes:core/v1:Service", "spec.loadBalancerClass"), "components/app/nginx/load_balancer.go asks for it")
	assert.True(t, replacement.By("kubernetes:networking.k8s.io/v1:NetworkPolicy", "spec.egress"), "components/app/network_policies.go asks for it")
}

func TestStackThatIsGoneMayHaveNothingProtected(t *testing.T) {
	prod := build(t, project.Root(), "prod")
	assert.EqualError(t, plan.GateGone(prod), "prod: Pulumi.prod.yaml is gone, and Instance database is protected; "+
		`want lifecycle retiring and pulumi destroy first: "Delete a stack" in docs/how-to/delete.md`)
	assert.Contains(t, plan.Markdown("main", []plan.Comparison{{Stack: "prod", Gone: true, Before: prod}}),
		"> [!CAUTION]\n> This touches data, or what leads to the app.\n> - **prod** has no config any more, and `Instance database` is protected\n")
	assert.NoError(t, plan.GateGone(build(t, project.Root(), "dev")))
}
