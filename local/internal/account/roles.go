package account

import (
	"encoding/json"
	"regexp"
	"strings"
	"time"
)

const (
	kindRole       = "iam/role"
	kindAttachment = "iam/rolePolicyAttachment"
	kindRolePolicy = "iam/rolePolicy"
)

func createRole(a *shared, c *call) (*record, error) {
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

func updateRole(_ *shared, c *call, _ *record) error { return checkPolicy(c, "assumeRolePolicy") }

func checkPolicy(c *call, input string) error {
	var policy struct{ Statement []any }
	if err := json.Unmarshal([]byte(text(c.inputs, input)), &policy); err != nil || len(policy.Statement) == 0 {
		return refuse("MalformedPolicyDocument", "%s is not a policy: JSON with a Statement is wanted", input)
	}
	return nil
}

func removeRole(a *shared, _ *call, rec *record) error {
	if a.store.find(kindAttachment, "role", rec.ID) != nil {
		return refuse("DeleteConflict", "Cannot delete entity, must detach all policies first.")
	}
	if a.store.find(kindRolePolicy, "role", rec.ID) != nil {
		return refuse("DeleteConflict", "Cannot delete entity, must delete policies first.")
	}
	return nil
}

var policyPattern = regexp.MustCompile(`^arn:aws:iam::(aws|\d{12}):policy/[\w+=,.@/-]+$`)

func createAttachment(a *shared, c *call) (*record, error) {
	role, policy := text(c.inputs, "role"), text(c.inputs, "policyArn")
	if a.store.get(kindRole, role) == nil {
		return nil, refuse("NoSuchEntity", "The role with name %s cannot be found.", role)
	}
	if !policyPattern.MatchString(policy) {
		return nil, refuse("NoSuchEntity", "Policy %s does not exist or is not attachable.", policy)
	}
	return c.record(kindAttachment, role+"-"+time.Now().UTC().Format("20060102150405")+randomHex(5)), nil
}

// maxInlinePolicies is IAM's limit for the policies that stand in one role, without spaces.
const maxInlinePolicies = 10240

func createRolePolicy(a *shared, c *call) (*record, error) {
	role := text(c.inputs, "role")
	if a.store.get(kindRole, role) == nil {
		return nil, refuse("NoSuchEntity", "The role with name %s cannot be found.", role)
	}
	rec := c.record(kindRolePolicy, role+":"+text(c.inputs, "name"))
	return rec, updateRolePolicy(a, c, rec)
}

func updateRolePolicy(a *shared, c *call, rec *record) error {
	if err := checkPolicy(c, "policy"); err != nil {
		return err
	}
	size := len(strings.Join(strings.Fields(text(c.inputs, "policy")), ""))
	for _, other := range a.store.all(kindRolePolicy) {
		if other.ID != rec.ID && text(other.Inputs, "role") == text(c.inputs, "role") {
			size += len(strings.Join(strings.Fields(text(other.Inputs, "policy")), ""))
		}
	}
	if size > maxInlinePolicies {
		return refuse("LimitExceeded", "Maximum policy size of %d bytes exceeded for role %s", maxInlinePolicies, text(c.inputs, "role"))
	}
	return nil
}
