package account

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
)

// The kinds of resources that are recorded, with the checks that AWS makes.
const (
	kindSubnetGroup       = "rds/subnetGroup"
	kindParameterGroup    = "rds/parameterGroup"
	kindEventSubscription = "rds/eventSubscription"
	kindSecurityGroup     = "ec2/securityGroup"
	kindIngressRule       = "vpc/securityGroupIngressRule"
	kindRole              = "iam/role"
	kindAttachment        = "iam/rolePolicyAttachment"
	kindLogGroup          = "cloudwatch/logGroup"
	kindAlarm             = "cloudwatch/metricAlarm"
)

const defaultSecurityGroupID = "sg-0local0000default"

func createSubnetGroup(a *Account, c *call) (*record, error) {
	name := text(c.inputs, "name")
	if a.store.get(kindSubnetGroup, name) != nil {
		return nil, refuse("DBSubnetGroupAlreadyExists", "The DB subnet group '%s' already exists.", name)
	}
	rec := c.record(kindSubnetGroup, name)
	rec.Outputs = map[string]any{
		"arn": arn("rds", c.region, "subgrp:"+name), "vpcId": vpcID, "supportedNetworkTypes": []string{"IPV4"},
		"description": "Managed by Pulumi",
	}
	return rec, checkSubnets(c)
}

func updateSubnetGroup(_ *Account, c *call, _ *record) error { return checkSubnets(c) }

func checkSubnets(c *call) error {
	var zones []string
	for _, id := range list(c.inputs, "subnetIds") {
		s := findSubnet(id)
		if s == nil {
			return refuse("InvalidSubnet", "The subnet ID '%s' does not exist", id)
		}
		if zone := c.region + s.zone; !slices.Contains(zones, zone) {
			zones = append(zones, zone)
		}
	}
	if len(zones) < 2 {
		return refuse("DBSubnetGroupDoesNotCoverEnoughAZs", "The DB subnet group doesn't meet Availability Zone (AZ) coverage "+
			"requirement. Current AZ coverage: %s. Add subnets to cover at least 2 AZs.", strings.Join(zones, ", "))
	}
	return nil
}

// users are the instances with an input of that value.
func (a *Account) users(input, value string) []string {
	var out []string
	for _, rec := range a.store.all(kindInstance) {
		if rec.Inputs[input] == value || slices.Contains(list(rec.Inputs, input), value) {
			out = append(out, rec.Instance.Identifier)
		}
	}
	return out
}

func removeSubnetGroup(a *Account, _ *call, rec *record) error {
	if users := a.users("dbSubnetGroupName", rec.ID); len(users) > 0 {
		return refuse("InvalidDBSubnetGroupStateFault", "Cannot delete the subnet group '%s' because at least one database "+
			"instance: %s is still using it.", rec.ID, users[0])
	}
	return nil
}

func createParameterGroup(a *Account, c *call) (*record, error) {
	name := text(c.inputs, "name")
	if a.store.get(kindParameterGroup, name) != nil {
		return nil, refuse("DBParameterGroupAlreadyExists", "Parameter group %s already exists", name)
	}
	if _, err := a.pg.readParameters(c.ctx, c.inputs); err != nil {
		return nil, err
	}
	rec := c.record(kindParameterGroup, name)
	rec.Outputs = map[string]any{
		"arn": arn("rds", c.region, "pg:"+name), "description": "Managed by Pulumi", "parameters": []any{}, "skipDestroy": false,
	}
	return rec, nil
}

// updateParameterGroup puts what may be changed at once into effect; the rest waits for each instance's reboot.
func updateParameterGroup(a *Account, c *call, rec *record) error {
	next, err := a.pg.readParameters(c.ctx, c.inputs)
	if err != nil {
		return err
	}
	rec.Inputs = c.inputs
	for _, other := range a.store.all(kindInstance) {
		if text(other.Inputs, "parameterGroupName") != rec.ID || other.Instance.Status == statusCreating {
			continue
		}
		if err := a.applyParameters(c, other, next); err != nil {
			return err
		}
	}
	return nil
}

func (a *Account) applyParameters(c *call, rec *record, next map[string]parameter) error {
	applied, waiting := map[string]string{}, []string{}
	for name, old := range rec.Instance.Applied {
		known := a.pg.setting(name, newestMajor)
		if _, kept := next[name]; !kept && known != nil && known.static {
			applied[name], waiting = old, append(waiting, name)
		}
	}
	for name, p := range next {
		old, had := rec.Instance.Applied[name]
		switch {
		case !p.pending || had && old == p.value:
			applied[name] = p.value
		default:
			waiting = append(waiting, name)
			if had {
				applied[name] = old
			}
		}
	}
	if len(waiting) > 0 {
		slices.Sort(waiting)
		c.warn(fmt.Sprintf("%s: %s takes effect at the next reboot", rec.Instance.Identifier, strings.Join(waiting, ", ")))
	}
	rec.Instance.Applied, rec.Instance.PendingReboot = applied, len(waiting) > 0
	if err := a.store.put(rec); err != nil {
		return err
	}
	if rec.Instance.Status != statusAvailable {
		return nil
	}
	return a.refresh(c, rec)
}

func removeParameterGroup(a *Account, _ *call, rec *record) error {
	if len(a.users("parameterGroupName", rec.ID)) > 0 {
		return refuse("InvalidDBParameterGroupState", "One or more database instances are still members of this parameter "+
			"group %s, so the group cannot be deleted", rec.ID)
	}
	return nil
}

// eventCategories are RDS's, by the type of what the events are about.
var eventCategories = map[string][]string{
	"db-instance": strings.Split("availability,backtrack,backup,configuration change,creation,deletion,failover,failure,"+
		"low storage,maintenance,notification,read replica,recovery,restoration,security,security patching", ","),
	"db-parameter-group": {"configuration change"},
	"db-security-group":  {"configuration change", "failure"},
	"db-snapshot":        {"creation", "deletion", "notification", "restoration"},
}

func createEventSubscription(a *Account, c *call) (*record, error) {
	name := text(c.inputs, "name")
	if a.store.get(kindEventSubscription, name) != nil {
		return nil, refuse("SubscriptionAlreadyExist", "Event Subscription already exists with name: %s", name)
	}
	rec := c.record(kindEventSubscription, name)
	rec.Outputs = map[string]any{"arn": arn("rds", c.region, "es:"+name), "customerAwsId": ID, "enabled": true}
	return rec, updateEventSubscription(a, c, rec)
}

func updateEventSubscription(a *Account, c *call, _ *record) error {
	if topic := text(c.inputs, "snsTopic"); !strings.HasPrefix(topic, "arn:aws:sns:") {
		return refuse("SNSTopicArnNotFound", "SNS topic ARN does not exist: %s", topic)
	}
	sourceType, sources := text(c.inputs, "sourceType"), list(c.inputs, "sourceIds")
	known, ok := eventCategories[sourceType]
	if sourceType != "" && !ok {
		return refuse("InvalidParameterValue", "Invalid source type: %s", sourceType)
	}
	if sourceType == "" && len(sources) > 0 {
		return refuse("InvalidParameterCombination", "SourceType is required when SourceIds are given.")
	}
	for _, category := range list(c.inputs, "eventCategories") {
		if sourceType != "" && !slices.Contains(known, category) {
			return refuse("SubscriptionCategoryNotFound", "Category '%s' does not exist for %s", category, sourceType)
		}
	}
	for _, id := range sources {
		missing := sourceType == "db-instance" && a.instanceByName(id) == nil ||
			sourceType == "db-parameter-group" && a.store.get(kindParameterGroup, id) == nil
		if missing {
			return refuse("SourceNotFound", "Source %s of type %s not found.", id, sourceType)
		}
	}
	return nil
}

func (a *Account) securityGroupExists(id string) bool {
	return id == clusterSecurityGroupID || id == defaultSecurityGroupID || a.store.get(kindSecurityGroup, id) != nil
}

func createSecurityGroup(a *Account, c *call) (*record, error) {
	name, vpc := text(c.inputs, "name"), fallback(c.inputs, "vpcId", vpcID)
	if vpc != vpcID {
		return nil, refuse("InvalidVpcID.NotFound", "The vpc ID '%v' does not exist", vpc)
	}
	if a.store.find(kindSecurityGroup, "name", name) != nil || strings.HasPrefix(name, "sg-") {
		return nil, refuse("InvalidGroup.Duplicate", "The security group '%s' already exists for VPC '%v'", name, vpc)
	}
	rec := c.record(kindSecurityGroup, hexID("sg"))
	rec.Outputs = map[string]any{
		"arn": arn("ec2", c.region, "security-group/"+rec.ID), "ownerId": ID, "vpcId": vpcID,
		"description": "Managed by Pulumi", "egress": []any{}, "ingress": []any{}, "revokeRulesOnDelete": false,
	}
	return rec, nil
}

func removeSecurityGroup(a *Account, _ *call, rec *record) error {
	used := len(a.users("vpcSecurityGroupIds", rec.ID)) > 0 ||
		slices.ContainsFunc(a.store.all(kindIngressRule), func(rule *record) bool {
			return text(rule.Inputs, "referencedSecurityGroupId") == rec.ID && text(rule.Inputs, "securityGroupId") != rec.ID
		})
	if used {
		return refuse("DependencyViolation", "resource %s has a dependent object", rec.ID)
	}
	for _, rule := range a.store.all(kindIngressRule) { // AWS lets rules go with their group
		if text(rule.Inputs, "securityGroupId") == rec.ID {
			if err := a.store.remove(rule); err != nil {
				return err
			}
		}
	}
	return nil
}

var ruleSources = []string{"cidrIpv4", "cidrIpv6", "prefixListId", "referencedSecurityGroupId"}

func createIngressRule(a *Account, c *call) (*record, error) {
	rec := c.record(kindIngressRule, hexID("sgr"))
	rec.Outputs = map[string]any{
		"arn": arn("ec2", c.region, "security-group-rule/"+rec.ID), "securityGroupRuleId": rec.ID,
	}
	return rec, updateIngressRule(a, c, rec)
}

func updateIngressRule(a *Account, c *call, rec *record) error {
	if id := text(c.inputs, "securityGroupId"); !a.securityGroupExists(id) {
		return refuse("InvalidGroup.NotFound", "The security group '%s' does not exist", id)
	}
	given := slices.DeleteFunc(slices.Clone(ruleSources), func(s string) bool { return text(c.inputs, s) == "" })
	if len(given) != 1 {
		return refuse("InvalidParameterCombination", "exactly one of %s must be given", strings.Join(ruleSources, ", "))
	}
	source := text(c.inputs, given[0])
	if given[0] == "referencedSecurityGroupId" && !a.securityGroupExists(source) {
		return refuse("InvalidGroup.NotFound", "You have specified two resources that belong to different networks, or "+
			"the security group '%s' does not exist", source)
	}
	if strings.HasPrefix(given[0], "cidr") {
		if prefix, err := netip.ParsePrefix(source); err != nil || prefix.Masked() != prefix {
			return refuse("InvalidParameterValue", "CIDR block %s is malformed", source)
		}
	}
	keys := append([]string{"securityGroupId", "ipProtocol", "fromPort", "toPort"}, ruleSources...)
	for _, other := range a.store.all(kindIngressRule) {
		equal := func(key string) bool { return fmt.Sprint(other.Inputs[key]) == fmt.Sprint(c.inputs[key]) }
		if other != rec && !slices.ContainsFunc(keys, func(key string) bool { return !equal(key) }) {
			return refuse("InvalidPermission.Duplicate", "the specified rule \"peer: %s, %s, from port: %d, to port: %d, "+
				"ALLOW\" already exists", source, strings.ToUpper(text(c.inputs, "ipProtocol")),
				number(c.inputs, "fromPort"), number(c.inputs, "toPort"))
		}
	}
	return nil
}

func removeIngressRule(*Account, *call, *record) error { return nil }

func createRole(a *Account, c *call) (*record, error) {
	name := text(c.inputs, "name")
	if a.store.get(kindRole, name) != nil {
		return nil, refuse("EntityAlreadyExists", "Role with name %s already exists.", name)
	}
	rec := c.record(kindRole, name)
	path, _ := fallback(c.inputs, "path", "/").(string)
	rec.Outputs = map[string]any{
		"arn": "arn:aws:iam::" + ID + ":role" + path + name, "createDate": rec.Created.Format(time.RFC3339),
		"uniqueId": "AROA" + randomUpper(17), "path": "/", "maxSessionDuration": 3600, "forceDetachPolicies": false,
		"managedPolicyArns": []string{}, "inlinePolicies": []any{},
	}
	return rec, updateRole(a, c, rec)
}

func updateRole(_ *Account, c *call, _ *record) error {
	var policy struct{ Statement []any }
	if err := json.Unmarshal([]byte(text(c.inputs, "assumeRolePolicy")), &policy); err != nil || len(policy.Statement) == 0 {
		return refuse("MalformedPolicyDocument", "assumeRolePolicy is not a policy: JSON with a Statement is wanted")
	}
	return nil
}

func removeRole(a *Account, _ *call, rec *record) error {
	if a.store.find(kindAttachment, "role", rec.ID) != nil {
		return refuse("DeleteConflict", "Cannot delete entity, must detach all policies first.")
	}
	return nil
}

var policyPattern = regexp.MustCompile(`^arn:aws:iam::(aws|\d{12}):policy/[\w+=,.@/-]+$`)

func createAttachment(a *Account, c *call) (*record, error) {
	role, policy := text(c.inputs, "role"), text(c.inputs, "policyArn")
	if a.store.get(kindRole, role) == nil {
		return nil, refuse("NoSuchEntity", "The role with name %s cannot be found.", role)
	}
	if !policyPattern.MatchString(policy) {
		return nil, refuse("NoSuchEntity", "Policy %s does not exist or is not attachable.", policy)
	}
	return c.record(kindAttachment, role+"-"+time.Now().UTC().Format("20060102150405")+randomHex(5)), nil
}

// retentions are the numbers of days that CloudWatch keeps logs for; 0 is for ever.
var retentions = []int{0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

func createLogGroup(a *Account, c *call) (*record, error) {
	name := text(c.inputs, "name")
	if a.store.get(kindLogGroup, name) != nil {
		return nil, refuse("ResourceAlreadyExistsException", "The specified log group already exists: %s", name)
	}
	rec := c.record(kindLogGroup, name)
	rec.Outputs = map[string]any{
		"arn": arn("logs", c.region, "log-group:"+name), "logGroupClass": "STANDARD", "retentionInDays": 0, "skipDestroy": false,
	}
	return rec, updateLogGroup(a, c, rec)
}

func updateLogGroup(_ *Account, c *call, _ *record) error {
	if days := number(c.inputs, "retentionInDays"); !slices.Contains(retentions, days) {
		return refuse("InvalidParameterException", "retentionInDays is %d, want one of %v", days, retentions)
	}
	return nil
}

// createLogGroups makes those that RDS makes by itself, without retention, where nobody did before. The caller holds
// a.mu.
func (a *Account) createLogGroups(rec *record) {
	for _, export := range list(rec.Inputs, "enabledCloudwatchLogsExports") {
		name := "/aws/rds/instance/" + rec.Instance.Identifier + "/" + export
		if a.store.get(kindLogGroup, name) != nil {
			continue
		}
		group, err := createLogGroup(a, &call{region: rec.Region, inputs: map[string]any{"name": name}})
		if err == nil {
			err = a.store.put(group)
		}
		if err != nil {
			a.log.Warn("log group isn't made", "name", name, "error", err)
		}
	}
}

var comparisons = []string{"GreaterThanOrEqualToThreshold", "GreaterThanThreshold", "LessThanThreshold",
	"LessThanOrEqualToThreshold", "LessThanLowerOrGreaterThanUpperThreshold", "LessThanLowerThreshold", "GreaterThanUpperThreshold"}

// createAlarm replaces an alarm of the same name, as CloudWatch does.
func createAlarm(a *Account, c *call) (*record, error) {
	name := text(c.inputs, "name")
	rec := c.record(kindAlarm, name)
	rec.Outputs = map[string]any{
		"arn": arn("cloudwatch", c.region, "alarm:"+name), "actionsEnabled": true, "treatMissingData": "missing",
		"evaluateLowSampleCountPercentiles": "",
	}
	return rec, updateAlarm(a, c, rec)
}

func updateAlarm(_ *Account, c *call, _ *record) error {
	in := c.inputs
	switch {
	case !slices.Contains(comparisons, text(in, "comparisonOperator")):
		return refuse("ValidationError", "comparisonOperator is %q, want one of %v", text(in, "comparisonOperator"), comparisons)
	case number(in, "evaluationPeriods") < 1:
		return refuse("ValidationError", "evaluationPeriods is %d, want 1 or more", number(in, "evaluationPeriods"))
	case number(in, "datapointsToAlarm") > number(in, "evaluationPeriods"):
		return refuse("ValidationError", "datapointsToAlarm can't be more than evaluationPeriods")
	case text(in, "metricName") == "" || text(in, "namespace") == "":
		return refuse("ValidationError", "metricName and namespace are required")
	case number(in, "period") < 10 || number(in, "period")%10 != 0 || number(in, "period") > 30 && number(in, "period")%60 != 0:
		return refuse("ValidationError", "period is %d, want 10, 30 or a multiple of 60", number(in, "period"))
	case text(in, "statistic") == "" && text(in, "extendedStatistic") == "":
		return refuse("ValidationError", "statistic or extendedStatistic is required")
	}
	if missing := text(in, "treatMissingData"); !slices.Contains([]string{"", "missing", "ignore", "breaching", "notBreaching"}, missing) {
		return refuse("ValidationError", "treatMissingData is %q, want missing, ignore, breaching or notBreaching", missing)
	}
	return nil
}
