package account

import (
	"encoding/json"
	"regexp"
	"time"
)

const (
	kindRole       = "iam/role"
	kindAttachment = "iam/rolePolicyAttachment"
)

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
