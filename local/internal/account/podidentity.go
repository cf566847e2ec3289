package account

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

const (
	kindAssociation = "eks/podIdentityAssociation"
	podsService     = "pods.eks.amazonaws.com"
)

func createAssociation(a *shared, c *call) (*record, error) {
	if existing := findAssociation(a, text(c.inputs, "clusterName"), text(c.inputs, "namespace"), text(c.inputs, "serviceAccount")); existing != nil {
		return nil, refuse("ResourceInUseException", "Association already exists: %s", existing.ID)
	}
	rec := c.record(kindAssociation, "a-"+randomHex(8))
	rec.Outputs = map[string]any{
		"associationId":  rec.ID,
		"associationArn": arn("eks", c.region, "podidentityassociation/"+text(c.inputs, "clusterName")+"/"+rec.ID),
	}
	return rec, updateAssociation(a, c, rec)
}

func updateAssociation(a *shared, c *call, _ *record) error {
	if roleByARN(a, text(c.inputs, "roleArn")) == nil {
		return refuse("InvalidParameterException", "Role provided in the request does not exist.")
	}
	return nil
}

// findAssociation is the one of a service account, in one cluster or, where none is named, in any: the node is all of them.
func findAssociation(a *shared, cluster, namespace, serviceAccount string) *record {
	for _, rec := range a.store.all(kindAssociation) {
		if text(rec.Inputs, "namespace") == namespace && text(rec.Inputs, "serviceAccount") == serviceAccount &&
			(cluster == "" || text(rec.Inputs, "clusterName") == cluster) {
			return rec
		}
	}
	return nil
}

func roleByARN(a *shared, arn string) *record {
	for _, rec := range a.store.all(kindRole) {
		if text(rec.Outputs, "arn") == arn {
			return rec
		}
	}
	return nil
}

// assumeForPod is what EKS does for a pod's token: it finds the association of the pod's service account, and assumes its
// role with the tags that the role's trust policy may ask for. The caller holds a.mu.
func assumeForPod(a *shared, c *call) (map[string]any, error) {
	namespace, serviceAccount := text(c.inputs, "namespace"), text(c.inputs, "serviceAccount")
	rec := findAssociation(a, "", namespace, serviceAccount)
	if rec == nil {
		return nil, refuse("ResourceNotFoundException", "No association found for service account %s in namespace %s", serviceAccount, namespace)
	}
	role, cluster := roleByARN(a, text(rec.Inputs, "roleArn")), text(rec.Inputs, "clusterName")
	tags := map[string]string{
		"eks-cluster-name": cluster, "eks-cluster-arn": arn("eks", rec.Region, "cluster/"+cluster),
		"kubernetes-namespace": namespace, "kubernetes-service-account": serviceAccount,
	}
	if role == nil || !trusts(text(role.Inputs, "assumeRolePolicy"), tags) {
		return nil, refuse("AccessDeniedException", "Unauthorized Exception! EKS does not have permissions to assume the associated role.")
	}
	expiration := time.Now().UTC().Add(6 * time.Hour).Truncate(time.Second)
	// A session's token is opaque in AWS; here it says whose it is.
	session, err := json.Marshal(map[string]any{"role": text(role.Outputs, "arn"), "tags": tags})
	return map[string]any{
		"AccessKeyId": "ASIA" + randomUpper(16), "SecretAccessKey": randomHex(20), "Token": base64.StdEncoding.EncodeToString(session),
		"AccountId": ID, "Expiration": expiration.Format(time.RFC3339),
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
	return list(map[string]any{"": value}, "")
}
