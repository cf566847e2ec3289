package pods

import (
	"fmt"

	"threetier/internal/constraint"
	"threetier/internal/keys"
)

// maxIngressPorts is what the VPC CNI takes for one network, less those that are open anyway.
const maxIngressPorts = 20

// IngressArgs open a way in to a tier's pods from the pods of another namespace: a collector of metrics, say.
type IngressArgs struct {
	From  struct{ Namespace string }
	Ports []int
}

// IngressKey is the list of a tier's ways in.
func IngressKey(into *[]IngressArgs) *keys.Key {
	return keys.Objects("ingress", into, (*IngressArgs).keys).Otherwise("none: nobody but NGINX reaches them").
		Example("[{from: {namespace: monitoring}, ports: [9100]}]").
		Doc("Connections that others can open to the pods, such as a collector of metrics.")
}

func (way *IngressArgs) keys() keys.Table {
	return keys.Table{
		keys.Object("from", keys.Table{
			keys.Text("namespace", &way.From.Namespace).Match("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", "the name of a namespace").Required().Example("monitoring").
				Doc("Namespace of the cluster. All its pods can open the connections."),
		}).Required().Doc("Who can open them."),
		keys.Numbers("ports", &way.Ports).Is(constraint.Numbers{
			Items: constraint.Number{Min: 1, Max: 65535}, Max: maxIngressPorts, Want: fmt.Sprintf("1 to %d ports", maxIngressPorts),
		}).Required().Example("[9100]").Doc("TCP ports of the pods."),
	}
}
