package iam

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/project"
	"threetier/gate/recorder"
)

// project is the name that begins the names of the stacks' resources.
func projectName(t testing.TB) string {
	t.Helper()
	name, err := project.Name(project.Root())
	require.NoError(t, err)
	return name
}

// recorded are the stacks of all tests here: to record one takes a while.
var recorded struct {
	sync.Once
	stacks, victims []*recording
}

// recordings are stacks that together have everything that a stack can have.
func recordings(t testing.TB) []*recording {
	t.Helper()
	recorded.Do(func() {
		of := func(name string, config *project.Config) *recording {
			return record(t, projectName(t), name, recorder.Options{Config: config})
		}
		replicas := project.StackConfig(t, "prod").Set(t, "threetier:database.readReplicas", 1).Set(t, "threetier:cluster.eks", "acme-replicas")
		byHand := project.StackConfig(t, "dev").Set(t, "threetier:domain", map[string]any{"name": "hand.example.org"}).Set(t, "threetier:cluster.eks", "acme-hand")
		recorded.stacks = []*recording{
			of("dev", project.StackConfig(t, "dev")), of("prod", project.StackConfig(t, "prod")), of("full", project.StackConfig(t, "full")),
			of("replicas", replicas), of("hand", byHand),
		}
		config := func() recorder.Options {
			return recorder.Options{Config: project.StackConfig(t, "full").Set(t, "threetier:domain", map[string]any{"name": "bank.example.org", "zone": "example.org"}).
				Remove(t, "threetier:alarms.logGroup").Remove(t, "threetier:alarms.auditLogGroup").Remove(t, "threetier:alarms.slowSeconds")}
		}
		recorded.victims = append(slices.Clone(recorded.stacks), record(t, projectName(t), "another", config()))
		for _, stack := range recorded.stacks {
			recorded.victims = append(recorded.victims, record(t, "other", stack.stack, config()))
		}
	})
	return recorded.stacks
}

// fill gives a document the stack's names, as the page's commands do.
func (r *recording) fill(document string) string {
	var names []string
	for _, name := range r.names {
		names = append(names, name, "_*."+name)
	}
	list, err := json.Marshal(names)
	if err != nil {
		panic(err) // texts can always be encoded
	}
	return strings.NewReplacer("STACK", r.stack, `"NAMES"`, string(list), "ZONE_ID", r.zone).Replace(document)
}

const (
	base          = "deploy.json"
	ofAlarms      = "deploy-alarms.json"
	ofDomain      = "deploy-domain.json"
	ofPermissions = "deploy-permissions.json"
	ofTheApp      = "secrets.json"
)

var deployment = []string{base, ofAlarms, ofDomain, ofPermissions, ofTheApp}

// document is the one that allows a resource's calls.
func document(typ, name string) string {
	switch service := strings.Split(typ, "/")[0]; {
	case service == "aws:acm" || typ == "aws:route53/record:Record" || service == "aws:route53" && strings.Contains(typ, ":get"):
		return ofDomain
	case strings.HasPrefix(typ, "aws:secretsmanager/get") || service == "aws:ssm":
		return ofTheApp
	case strings.HasPrefix(name, "alarms"):
		return ofAlarms
	case strings.HasPrefix(name, "app-backend"):
		return ofPermissions
	}
	return base
}

// byDocument are the deployment's calls, by the document that is to allow them.
func (r *recording) byDocument(t testing.TB) map[string][]call {
	t.Helper()
	if r.calls != nil {
		return r.calls
	}
	all := map[string][]call{base: toDeploy(r.owner)}
	lookups := ofLookups(r.cluster)
	maps.Copy(lookups, ofSecrets(r.owner))
	for token, calls := range lookups {
		if document := document(token, ""); document == base || slices.Contains(r.lookups, token) {
			all[document] = append(all[document], calls...)
		}
	}
	for _, token := range r.lookups {
		if strings.HasPrefix(token, "pulumi:") {
			continue // the engine's own
		}
		require.Contains(t, lookups, token, "name the calls of this lookup, and add them to docs/iam")
	}
	for _, res := range r.resources {
		if strings.HasPrefix(res.Type, "aws:") {
			require.Contains(t, ofTypes, res.Type, "name the calls of this type, and add them to docs/iam")
			document := document(res.Type, res.Name)
			all[document] = append(all[document], ofTypes[res.Type](res)...)
		}
	}
	r.calls = all
	return all
}

// role are the statements of the stack's deploy role with these documents.
func (r *recording) role(t testing.TB, documents ...string) (all []statement) {
	t.Helper()
	for _, name := range documents {
		all = append(all, parse(t, r.fill(read(t, name)))...)
	}
	return all
}

func TestDeploymentMayDoWhatTheStackRegisters(t *testing.T) {
	used := map[string]bool{}
	for _, stack := range recordings(t) {
		for document, calls := range stack.byDocument(t) {
			used[document] = true
			role := stack.role(t, base)
			if document != base {
				role = stack.role(t, base, document)
			}
			for _, call := range calls {
				assert.True(t, call.allowed(t, role), "%s: %s doesn't allow %s", stack.stack, document, call)
			}
		}
	}
	assert.ElementsMatch(t, deployment, slices.Collect(maps.Keys(used)))
}

// writes are the calls that change something, or show a secret, and that AWS can keep to one stack.
func writes(all map[string][]call) (own []call) {
	for _, calls := range all {
		for _, call := range calls {
			if !call.reads && !call.shared {
				own = append(own, call)
			}
		}
	}
	return own
}

// attacks are what a role must not do to another stack of the account: of its project, of another project, and of a name
// that no config has.
func (r *recording) attacks(t testing.TB) (all []call) {
	t.Helper()
	recordings(t)
	for _, victim := range recorded.victims {
		if victim.owner == r.owner {
			continue
		}
		for _, call := range writes(victim.byDocument(t)) {
			all = append(all, call)
			if strings.Contains(call.action, "Tag") || strings.Contains(call.action, ":Put") {
				all = append(all, r.claims(call, victim.owner))
			}
		}
	}
	for _, res := range r.resources {
		all = append(all, r.givesAway(res)...)
	}
	return append(all, r.namedAttacks()...)
}

// claims is the call on what is there, with the attacker's own tags in the request.
func (r *recording) claims(victims call, victim owner) call {
	claim := call{action: victims.action}
	for _, each := range victims.targets {
		if each.keys["aws:requesttag/stack"] != nil {
			each = on(each.arn, each.keys, r.requested(), victim.present(), keys{"ec2:createaction": nil})
		}
		claim.targets = append(claim.targets, each)
	}
	return claim
}

// givesAway is another stack's tag on a resource of the role's own, or one that lacks the stack's tags. What is named by
// its stack may have any.
func (r *recording) givesAway(res registered) (all []call) {
	byName := []string{instanceType, "aws:cloudwatch/logGroup:LogGroup"}
	if res.inputs["tags"] == nil || slices.Contains(byName, res.Type) || res.Type == "aws:route53/healthCheck:HealthCheck" {
		return nil
	}
	for _, call := range ofTypes[res.Type](res) {
		if strings.Contains(call.action, "Tag") && !call.reads {
			all = append(all,
				one(call.action, res.own(owner{r.project, "another"}.requested())), one(call.action, res.own(owner{"other", r.stack}.requested())),
				one(call.action, res.own(keys{"aws:tagkeys": {"Stack"}})), one(call.action, res.own(keys{"aws:tagkeys": {"Project", "Name"}})),
			)
		}
	}
	return all
}

func one(action string, targets ...target) call { return call{action: action, targets: targets} }

func TestDeploymentReachesNoOtherStack(t *testing.T) {
	stacks := recordings(t)
	for _, stack := range stacks {
		role := stack.role(t, deployment...)
		for _, attack := range stack.attacks(t) {
			assert.False(t, attack.allowed(t, role), "the deploy role of %s may %s", stack.stack, attack)
		}
	}
}

// namedAttacks are those that no resource of a stack tells of. The attacker has everything that the documents give, and knows
// all names.
func (r *recording) namedAttacks() []call {
	var (
		own    = r.owner
		victim = owner{r.project, "another"}
		rds    = "arn:aws:rds:" + anywhere + ":"
		role   = "arn:aws:iam::" + account + ":role/"
		group  = "arn:aws:ec2:" + anywhere + ":security-group/sg-0cluster"
		secret = "arn:aws:secretsmanager:" + anywhere + ":secret:"
		kms    = "arn:aws:kms:" + anywhere + ":key/0"
		zone   = "arn:aws:route53:::hostedzone/"

		instance   = on(rds+"db:"+r.project+"-"+r.stack+"-database-copy", own.requested())
		parameters = on(rds+"pg:database-parameters-17-0123456", own.requested(), own.present())
		subnets    = on(rds+"subgrp:database-subnets-0123456", own.requested(), own.present())
		options    = on(rds+"og:default:postgres-17", own.requested())
		monitoring = role + "database-monitoring-0123456"
		backend    = role + "app-backend-permissions-0123456"
	)
	restore := func(snapshot string, of ...keys) call {
		return one("rds:RestoreDBInstanceFromDBSnapshot", instance, parameters, subnets, options, on(rds+"snapshot:"+snapshot, append(of, own.requested())...))
	}
	boundary := func(arn string) keys { return keys{"iam:permissionsboundary": {arn}} }
	attached := func(policy string) keys { return keys{"iam:policyarn": {"arn:aws:iam::aws:policy/" + policy}} }
	to := func(service string) keys { return keys{"iam:passedtoservice": {service}} }
	all := []call{
		// Rows of others: a restored copy has a password of the attacker's, a replica the rows.
		restore("rds:"+r.project+"-another-database-2026-01-31-03-00", victim.present()),
		restore("awsbackup:job-0123", victim.present()), restore("by-hand"), restore("of-another-project", owner{"other", r.stack}.present()),
		restore("of-another-projects-prod", owner{"other", "prod"}.present()),
		one("rds:CreateDBInstanceReadReplica", on(rds+"db:"+r.project+"-another-database", victim.present()), instance, parameters, subnets, options),
		one("rds:CreateDBInstance", instance, on(parameters.arn, victim.present(), own.requested()), subnets, options),
		one("rds:CreateDBInstance", instance, parameters, on(subnets.arn, victim.present(), own.requested()), options),
		one("rds:ModifyDBInstance", on(rds+"db:"+r.project+"-"+r.stack+"-2-database", own.present())),
		one("rds:CreateDBParameterGroup", on(parameters.arn)), one("rds:CreateDBSubnetGroup", on(subnets.arn)),
		one("rds:ModifyDBParameterGroup", on(parameters.arn)), one("rds:DeleteDBSubnetGroup", on(subnets.arn)),
		one("rds:ModifyDBParameterGroup", on(rds+"pg:of-another-tool", own.present())), one("rds:AddTagsToResource", on(rds+"snapshot:by-hand", own.requested())),
		one("rds:AddTagsToResource", on(rds+"pg:by-hand", own.requested())),

		// What another tool made: the cluster's security group has no tags of a stack.
		one("ec2:CreateTags", on(group, own.requested())), one("ec2:CreateTags", on(group, own.requested(), keys{"ec2:createaction": {"CreateVolume"}})),
		one("ec2:CreateTags", on("arn:aws:ec2:"+anywhere+":instance/i-0", own.requested(), keys{"ec2:createaction": {"CreateSecurityGroup"}})),
		one("ec2:AuthorizeSecurityGroupIngress", on(group), on("arn:aws:ec2:"+anywhere+":security-group-rule/*")),
		one("ec2:CreateSecurityGroup", on(group), on("arn:aws:ec2:"+anywhere+":vpc/vpc-0")),
		one("ec2:CreateTags", on(strings.Replace(group, "group/sg", "group-rule/sgr", 1), oneMore)),
		one("cloudwatch:DeleteAlarms", on("arn:aws:cloudwatch:"+anywhere+":alarm:by-hand", own.present())),
		one("cloudwatch:PutMetricAlarm", on("arn:aws:cloudwatch:"+anywhere+":alarm:database-alarm-by-hand")),
		one("logs:DeleteLogGroup", on("arn:aws:logs:"+anywhere+":log-group:/aws/eks/"+r.cluster+"/cluster")),
		one("logs:DeleteLogGroup", on("arn:aws:logs:"+anywhere+":log-group:/aws/rds/instance/"+r.project+"-"+r.stack+"-2-database/postgresql", own.present())),

		one("secretsmanager:CreateSecret", on(secret+"database-password-0123456-AbCdEf")), one("secretsmanager:GetSecretValue", on(secret+"database-password-0123456-AbCdEf")),
		one("secretsmanager:GetSecretValue", on(secret+"of-another-tool-AbCdEf", own.present())),
		one("secretsmanager:GetSecretValue", on(secret+r.project+"/"+r.stack+"2/stripe-AbCdEf")), one("ssm:GetParameter", on("arn:aws:ssm:"+anywhere+":parameter/"+r.stack)),
		one("secretsmanager:PutSecretValue", on(secret+r.project+"/"+r.stack+"/stripe-AbCdEf")),
		one("secretsmanager:TagResource", on(secret+"of-another-tool-AbCdEf", own.requested())),

		// To become an administrator.
		one("iam:AttachRolePolicy", on(monitoring, own.present(), attached("AdministratorAccess"))),
		one("iam:AttachRolePolicy", on(backend, own.present(), attached("service-role/AmazonRDSEnhancedMonitoringRole"))),
		one("iam:AttachRolePolicy", on(role+"threetier-deploy-"+r.stack, own.present(), attached("AdministratorAccess"))),
		one("iam:PutRolePolicy", on(monitoring, own.present())), one("iam:PutRolePolicy", on(backend, own.present())),
		one("iam:PutRolePolicy", on(backend, own.present(), boundary("arn:aws:iam::aws:policy/AdministratorAccess"))),
		one("iam:PutRolePolicy", on(backend, boundary("arn:aws:iam::"+account+":policy/threetier-apps"))),
		one("iam:PutRolePolicy", on(role+"threetier-deploy-"+r.stack, own.present(), boundary("arn:aws:iam::"+account+":policy/threetier-apps"))),
		one("iam:DeleteRolePolicy", on(backend, own.present())),
		one("iam:CreateRole", on(backend, own.requested())), one("iam:CreateRole", on(backend, own.requested(), boundary("arn:aws:iam::aws:policy/AdministratorAccess"))),
		one("iam:CreateRole", on(backend, boundary("arn:aws:iam::"+account+":policy/threetier-apps"))),
		one("iam:CreateRole", on(role+"admin", own.requested(), boundary("arn:aws:iam::"+account+":policy/threetier-apps"))),
		one("iam:CreateRole", on(monitoring)),
		one("iam:PutRolePermissionsBoundary", on(backend, own.present(), boundary("arn:aws:iam::aws:policy/AdministratorAccess"))),
		one("iam:DeleteRolePermissionsBoundary", on(backend, own.present(), boundary("arn:aws:iam::"+account+":policy/threetier-apps"))),
		one("iam:UpdateAssumeRolePolicy", on(role+"admin", own.present())), one("iam:UpdateAssumeRolePolicy", on(role+"threetier-deploy-another", own.present())),
		one("iam:UpdateAssumeRolePolicy", on(monitoring)), one("iam:UpdateAssumeRolePolicy", on(backend)), one("iam:DeleteRole", on(role+"admin", own.present())),
		one("iam:TagRole", on(role+"admin", own.requested())), one("iam:TagRole", on(role+"admin", own.present(), oneMore)),
		one("iam:PassRole", on(role+"admin", to("monitoring.rds.amazonaws.com"))), one("iam:PassRole", on(role+"admin", to("pods.eks.amazonaws.com"))),
		one("iam:PassRole", on(monitoring, to("ec2.amazonaws.com"))), one("iam:PassRole", on(backend, to("lambda.amazonaws.com"))),
		one("iam:PassRole", on(role+"admin", to("ec2.amazonaws.com"))), one("iam:PassRole", on(monitoring, to("pods.eks.amazonaws.com"))),
		one("iam:CreateServiceLinkedRole", on(role+"aws-service-role/rds.amazonaws.com/x", keys{"iam:awsservicename": {"ec2.amazonaws.com"}})),
		one("sts:AssumeRole", on(role+"admin", own.present())), one("iam:CreateAccessKey", on("*")), one("iam:CreatePolicyVersion", on("*")),

		// Keys: only RDS may use them, and only for a database.
		one("kms:CreateGrant", on(kms, keys{"kms:grantisforawsresource": {"true"}})), one("kms:CreateGrant", on(kms, viaRDS, keys{"kms:grantisforawsresource": {"false"}})),
		one("kms:CreateGrant", on(kms, keys{"kms:viaservice": {"ec2.eu-west-1.amazonaws.com"}, "kms:grantisforawsresource": {"true"}})),
		one("kms:DescribeKey", on(kms)), one("kms:Decrypt", key(victim)), one("kms:Encrypt", key(victim)), one("kms:Decrypt", on(kms)),

		// Names: of others, those that end the same, and what isn't an address.
		one("route53:ChangeResourceRecordSets", on(zone+r.zone, changing("A", "bank.example.org"))),
		one("route53:ChangeResourceRecordSets", on(zone+r.zone, changing("CNAME", "_0123.bank.example.org"))),
		one("route53:ChangeResourceRecordSets", on(zone+r.zone, changing("A", r.names[0], "bank.example.org"))),
		one("route53:ChangeResourceRecordSets", on(zone+r.zone, changing("A", "x"+r.names[0]))),
		one("route53:ChangeResourceRecordSets", on(zone+r.zone, changing("MX", r.names[0]))), one("route53:ChangeResourceRecordSets", on(zone+r.zone, changing("NS", r.names[0]))),
		one("route53:ChangeResourceRecordSets", on(zone+"Z0", changing("A", r.names[0]))),
		one("route53:DeleteHostedZone", on(zone+r.zone)), one("route53:ChangeTagsForResource", on(zone+r.zone)),
		one("acm:RequestCertificate", on("*", own.requested(), keys{"acm:domainnames": {"bank.example.org"}})),
		one("acm:RequestCertificate", on("*", keys{"acm:domainnames": {r.names[0]}})),
		one("acm:DeleteCertificate", on("arn:aws:acm:"+anywhere+":certificate/by-hand")),

		one("eks:CreateAccessEntry", on("arn:aws:eks:"+anywhere+":cluster/"+r.cluster)), one("eks:AssociateAccessPolicy", on("*")),
		one("eks:TagResource", on("arn:aws:eks:"+anywhere+":cluster/"+r.cluster, own.requested())),
		one("s3:PutObject", on(bucket+"/.pulumi/meta.yaml")), one("s3:GetObject", on(bucket+"/.pulumi/stacks/"+r.project+"/"+r.stack+"2.json")),
		one("s3:PutBucketPolicy", on(bucket)),
	}
	return all
}

// part is one of a role's actions, resources and conditions.
type part struct {
	name string
	// isCondition: without it, more is allowed. Without another part, less is.
	isCondition bool
	// of is its statement, rest what is left of the role without the part.
	of   statement
	rest []statement
}

// parts are those of the first statements, which others stand beside.
func parts(role, beside []statement) (all []part) {
	for i, each := range role {
		without := func(what string, isCondition bool, edit func(*statement)) {
			rest := slices.Concat(role, beside)
			edit(&rest[i])
			all = append(all, part{each.Sid + " " + what, isCondition, each, rest})
		}
		for j, action := range each.Action {
			without(action, false, func(s *statement) { s.Action = slices.Delete(slices.Clone(each.Action), j, j+1) })
		}
		for j, resource := range each.Resource {
			without(resource, false, func(s *statement) { s.Resource = slices.Delete(slices.Clone(each.Resource), j, j+1) })
		}
		for operator, keys := range each.Condition {
			for key := range keys {
				without(operator+" "+key, true, func(s *statement) {
					s.Condition = maps.Clone(each.Condition)
					s.Condition[operator] = maps.Clone(keys)
					delete(s.Condition[operator], key)
				})
			}
		}
	}
	return all
}

// isNeeded tells whether a wanted call is denied without the part, or without a condition an attack is allowed.
func (p part) isNeeded(t testing.TB, wanted, attacks []call) bool {
	t.Helper()
	tried := wanted
	if p.isCondition {
		tried = attacks
	}
	return slices.ContainsFunc(tried, func(c call) bool {
		return slices.Contains(p.of.Action, strings.ToLower(c.action)) && c.allowed(t, p.rest) == p.isCondition
	})
}

// unneeded notes which parts some stack needs.
type unneeded map[string]bool

func (u unneeded) note(t testing.TB, r *recording, all []part, wanted, attacks []call) {
	t.Helper()
	for _, each := range all {
		name := strings.NewReplacer(r.stack, "STACK", r.zone, "ZONE_ID").Replace(each.name)
		if needed := u[name]; !needed {
			u[name] = each.isNeeded(t, wanted, attacks)
		}
	}
}

func (u unneeded) check(t testing.TB) {
	t.Helper()
	require.NotEmpty(t, u)
	for name, needed := range u {
		assert.True(t, needed, "%s isn't needed, or no attack tries to do without", name)
	}
}

func TestEachPartOfADeploymentsPoliciesIsNeeded(t *testing.T) {
	stacks := recordings(t)
	for _, name := range deployment {
		all := unneeded{}
		for _, stack := range stacks {
			var beside []statement
			if name != base {
				beside = stack.role(t, base)
			}
			all.note(t, stack, parts(stack.role(t, name), beside), stack.byDocument(t)[name], stack.attacks(t))
		}
		all.check(t)
	}
}

// IAM counts all inline policies of a role, and each managed one, without white space:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
func TestPoliciesFitIntoIAM(t *testing.T) {
	long := &recording{owner: owner{"a-project-of-24-letters-", "production-eu-west"}, zone: "Z0123456789ABCDEFGHIJ"}
	for range 12 {
		long.names = append(long.names, "a-name-of-40-letters.and.more.example.org")
	}
	size := func(names ...string) (total int) {
		for _, name := range names {
			text := strings.ReplaceAll(long.fill(read(t, name)), projectName(t), long.project)
			total += len(strings.Join(strings.Fields(text), ""))
		}
		return total
	}
	for _, inline := range [][]string{{"preview.json"}, {base, "drill.json"}, {"images.json"}} {
		assert.LessOrEqual(t, size(inline...), 10_240, "%v", inline)
	}
	for _, managed := range []string{ofAlarms, ofDomain, ofPermissions, ofTheApp} {
		assert.LessOrEqual(t, size(managed), 6_144, managed)
	}
}

func TestPreviewMayLookAndNoMore(t *testing.T) {
	stacks := recordings(t)
	all := unneeded{}
	for _, stack := range stacks {
		role := stack.role(t, "preview.json")
		wanted := toPreview(stack.owner)
		for _, calls := range ofLookups(stack.cluster) {
			wanted = append(wanted, calls...)
		}
		isWanted := map[string]bool{}
		for _, call := range wanted {
			assert.True(t, call.allowed(t, role), "the preview role of %s may not %s", stack.stack, call)
			isWanted[call.String()] = true
		}
		attacks := append(stack.attacks(t), writes(stack.byDocument(t))...)
		for _, attack := range attacks {
			assert.True(t, isWanted[attack.String()] || !attack.allowed(t, role), "the preview role of %s may %s", stack.stack, attack)
		}
		all.note(t, stack, parts(role, nil), wanted, attacks)
	}
	all.check(t)
}

// A push of docker's asks for what is there, uploads the rest, and reads back what it has put.
func TestImagesRolePushesToTheRepositoriesOfTheAppsAlone(t *testing.T) {
	role := parse(t, read(t, "images.json"))
	repository := func(name string) target { return on("arn:aws:ecr:" + anywhere + ":repository/" + name) }
	push := "ecr: BatchCheckLayerAvailability BatchGetImage CompleteLayerUpload GetDownloadUrlForLayer InitiateLayerUpload PutImage UploadLayerPart"
	wanted := slices.Concat(reads("ecr: GetAuthorizationToken"), calls(push, repository("acme/backend")), calls(push, repository("acme/frontend")))
	for _, call := range wanted {
		assert.True(t, call.allowed(t, role), call)
	}
	for _, attack := range slices.Concat(calls(push, repository("acme/other")), calls("ecr: BatchDeleteImage SetRepositoryPolicy", repository("acme/backend"))) {
		assert.False(t, attack.allowed(t, role), attack)
	}
	for _, part := range parts(role, nil) {
		assert.True(t, part.isNeeded(t, wanted, nil), "%s isn't needed", part.name)
	}
}
