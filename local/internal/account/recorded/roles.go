package recorded

import (
	"encoding/json"
	"regexp"
	"strings"
	"time"

	"threetier/local/internal/account/state"
)

const (
	KindRole       = "iam/role"
	KindAttachment = "iam/rolePolicyAttachment"
	KindRolePolicy = "iam/rolePolicy"
)

func createRole(a *state.Shared, c *state.Call) (*state.Record, error) {
	name := state.Text(c.Inputs, "name")
	if a.Store.Get(KindRole, name) != nil {
		return nil, state.Refuse("EntityAlreadyExists", "Role with name %s already exists.", name)
	}
	rec := c.Record(KindRole, name)
	path, _ := state.Fallback(c.Inputs, "path", "/").(string)
	rec.Outputs = map[string]any{
		"arn": "arn:aws:iam::" + state.ID + ":role" + path + name, "createDate": rec.Created.Format(time.RFC3339),
		"uniqueId": "AROA" + state.RandomUpper(17), "path": "/", "maxSessionDuration": 3600, "forceDetachPolicies": false,
		"managedPolicyArns": []string{}, "inlinePolicies": []any{},
	}
	return rec, updateRole(a, c, rec)
}

func updateRole(_ *state.Shared, c *state.Call, _ *state.Record) error {
	return checkPolicy(c, "assumeRolePolicy")
}

func checkPolicy(c *state.Call, input string) error {
	var policy struct{ Statement []any }
	if err := json.Unmarshal([]byte(state.Text(c.Inputs, input)), &policy); err != nil || len(policy.Statement) == 0 {
		return state.Refuse("MalformedPolicyDocument", "%s is not a policy: JSON with a Statement is wanted", input)
	}
	return nil
}

func removeRole(a *state.Shared, _ *state.Call, rec *state.Record) error {
	if a.Store.Find(KindAttachment, "role", rec.ID) != nil {
		return state.Refuse("DeleteConflict", "Cannot delete entity, must detach all policies first.")
	}
	if a.Store.Find(KindRolePolicy, "role", rec.ID) != nil {
		return state.Refuse("DeleteConflict", "Cannot delete entity, must delete policies first.")
	}
	return nil
}

var policyPattern = regexp.MustCompile(`^arn:aws:iam::(aws|\d{12}):policy/[\w+=,.@/-]+$`)

func createAttachment(a *state.Shared, c *state.Call) (*state.Record, error) {
	role, policy := state.Text(c.Inputs, "role"), state.Text(c.Inputs, "policyArn")
	if a.Store.Get(KindRole, role) == nil {
		return nil, state.Refuse("NoSuchEntity", "The role with name %s cannot be found.", role)
	}
	if !policyPattern.MatchString(policy) {
		return nil, state.Refuse("NoSuchEntity", "Policy %s does not exist or is not attachable.", policy)
	}
	return c.Record(KindAttachment, role+"-"+time.Now().UTC().Format("20060102150405")+state.RandomHex(5)), nil
}

// maxInlinePolicies is IAM's limit for the policies that stand in one role, without spaces.
const maxInlinePolicies = 10240

func createRolePolicy(a *state.Shared, c *state.Call) (*state.Record, error) {
	role := state.Text(c.Inputs, "role")
	if a.Store.Get(KindRole, role) == nil {
		return nil, state.Refuse("NoSuchEntity", "The role with name %s cannot be found.", role)
	}
	rec := c.Record(KindRolePolicy, role+":"+state.Text(c.Inputs, "name"))
	return rec, updateRolePolicy(a, c, rec)
}

func updateRolePolicy(a *state.Shared, c *state.Call, rec *state.Record) error {
	if err := checkPolicy(c, "policy"); err != nil {
		return err
	}
	size := len(strings.Join(strings.Fields(state.Text(c.Inputs, "policy")), ""))
	for _, other := range a.Store.All(KindRolePolicy) {
		if other.ID != rec.ID && state.Text(other.Inputs, "role") == state.Text(c.Inputs, "role") {
			size += len(strings.Join(strings.Fields(state.Text(other.Inputs, "policy")), ""))
		}
	}
	if size > maxInlinePolicies {
		return state.Refuse("LimitExceeded", "Maximum policy size of %d bytes exceeded for role %s", maxInlinePolicies, state.Text(c.Inputs, "role"))
	}
	return nil
}
