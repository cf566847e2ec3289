package recorded

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"threetier/local/internal/account/state"
)

const (
	KindAssociation = "eks/podIdentityAssociation"
	podsService     = "pods.eks.amazonaws.com"
)

func createAssociation(a *state.Shared, c *state.Call) (*state.Record, error) {
	if existing := findAssociation(a, state.Text(c.Inputs, "clusterName"), state.Text(c.Inputs, "namespace"), state.Text(c.Inputs, "serviceAccount")); existing != nil {
		return nil, state.Refuse("ResourceInUseException", "Association already exists: %s", existing.ID)
	}
	rec := c.Record(KindAssociation, "a-"+state.RandomHex(8))
	rec.Outputs = map[string]any{
		"associationId":  rec.ID,
		"associationArn": state.ARN("eks", c.Region, "podidentityassociation/"+state.Text(c.Inputs, "clusterName")+"/"+rec.ID),
	}
	return rec, updateAssociation(a, c, rec)
}

func updateAssociation(a *state.Shared, c *state.Call, _ *state.Record) error {
	if roleByARN(a, state.Text(c.Inputs, "roleArn")) == nil {
		return state.Refuse("InvalidParameterException", "Role provided in the request does not exist.")
	}
	return nil
}

// findAssociation is the one of a service account, in one cluster or, where none is named, in any: the node is all of them.
func findAssociation(a *state.Shared, cluster, namespace, serviceAccount string) *state.Record {
	for _, rec := range a.Store.All(KindAssociation) {
		if state.Text(rec.Inputs, "namespace") == namespace && state.Text(rec.Inputs, "serviceAccount") == serviceAccount &&
			(cluster == "" || state.Text(rec.Inputs, "clusterName") == cluster) {
			return rec
		}
	}
	return nil
}

func roleByARN(a *state.Shared, arn string) *state.Record {
	for _, rec := range a.Store.All(KindRole) {
		if state.Text(rec.Outputs, "arn") == arn {
			return rec
		}
	}
	return nil
}

// AssumeForPod is what EKS does for a pod's token: it finds the association of the pod's service account, and assumes its
// role with the tags that the role's trust policy may ask for. The caller holds a.Mu.
func AssumeForPod(a *state.Shared, c *state.Call) (map[string]any, error) {
	namespace, serviceAccount := state.Text(c.Inputs, "namespace"), state.Text(c.Inputs, "serviceAccount")
	rec := findAssociation(a, "", namespace, serviceAccount)
	if rec == nil {
		return nil, state.Refuse("ResourceNotFoundException", "No association found for service account %s in namespace %s", serviceAccount, namespace)
	}
	role, cluster := roleByARN(a, state.Text(rec.Inputs, "roleArn")), state.Text(rec.Inputs, "clusterName")
	tags := map[string]string{
		"eks-cluster-name": cluster, "eks-cluster-arn": state.ARN("eks", rec.Region, "cluster/"+cluster),
		"kubernetes-namespace": namespace, "kubernetes-service-account": serviceAccount,
	}
	if role == nil || !trusts(state.Text(role.Inputs, "assumeRolePolicy"), tags) {
		return nil, state.Refuse("AccessDeniedException", "Unauthorized Exception! EKS does not have permissions to assume the associated role.")
	}
	expiration := time.Now().UTC().Add(6 * time.Hour).Truncate(time.Second)
	// A session's token is opaque in AWS; here it says whose it is.
	session, err := json.Marshal(map[string]any{"role": state.Text(role.Outputs, "arn"), "tags": tags})
	return map[string]any{
		"AccessKeyId": "ASIA" + state.RandomUpper(16), "SecretAccessKey": state.RandomHex(20), "Token": base64.StdEncoding.EncodeToString(session),
		"AccountId": state.ID, "Expiration": expiration.Format(time.RFC3339),
	}, err
}

// trusts says whether a trust policy lets EKS assume the role with these tags. Of conditions it knows the one that EKS's
// documentation uses, and takes any other for one that isn't met.
func trusts(policy string, tags map[string]string) bool {
	var document struct {
		Statement []struct {
			Effect    string
			Principal struct{ Service any }
			Action    any
			Condition map[string]map[string]any
		}
	}
	if json.Unmarshal([]byte(policy), &document) != nil {
		return false
	}
	for _, s := range document.Statement {
		actions := texts(s.Action)
		allowed := s.Effect == "Allow" && slices.Contains(texts(s.Principal.Service), podsService) &&
			slices.Contains(actions, "sts:AssumeRole") && slices.Contains(actions, "sts:TagSession")
		for operator, keys := range s.Condition {
			for key, values := range keys {
				tag, isTag := strings.CutPrefix(key, "aws:RequestTag/")
				allowed = allowed && operator == "StringEquals" && isTag && slices.Contains(texts(values), tags[tag])
			}
		}
		if allowed {
			return true
		}
	}
	return false
}

// texts is a member of a policy that may be one text or a list of them.
func texts(value any) []string {
	if one, isText := value.(string); isText {
		return []string{one}
	}
	return state.List(map[string]any{"": value}, "")
}
