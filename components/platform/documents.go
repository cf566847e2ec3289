package platform

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"threetier/docs/iam"
)

// documents are the files of docs/iam, with the names of an account, a cluster and a stack in the place of the samples'.
type documents struct {
	account, cluster, stack string
	// key is the stack whose secrets' key it is. Default: stack.
	key string
	// names are the public names, zone the id of their hosted zone; empty where there are none.
	names []string
	zone  string
}

func (documents) has(name string) bool {
	_, err := fs.Stat(iam.Documents, name)
	return err == nil
}

var (
	accountNumber = regexp.MustCompile(`\b\d{12}\b`)
	clusterName   = regexp.MustCompile(`((?:cluster|addon|podidentityassociation|/aws/eks|/aws/containerinsights)/)[\w-]+-STACK\b`)
)

// read is a file, filled in.
func (d documents) read(name string) string {
	text, err := iam.Documents.ReadFile(name)
	if err != nil {
		panic(err) // it is part of the program
	}
	all := make([]string, 0, len(d.names))
	for _, name := range d.names {
		all = append(all, name, "_*."+name) // the second has the record that validates the certificate
	}
	names, err := json.Marshal(all)
	if err != nil {
		panic(err) // texts can always be encoded
	}
	filled := clusterName.ReplaceAllString(string(text), "${1}"+d.cluster)
	filled = strings.NewReplacer("alias/pulumi-STACK", "alias/pulumi-"+cmp.Or(d.key, d.stack), `"NAMES"`, string(names),
		"ZONE_ID", cmp.Or(d.zone, "ZONE_ID"), "STACK", d.stack).Replace(filled)
	return accountNumber.ReplaceAllString(filled, d.account)
}

// object is one of a cluster.
type object map[string]any

// objects are those of a file, in its order.
func (d documents) objects(name string) ([]object, error) {
	var all []object
	for part := range strings.SplitSeq(d.read(name), "\n---\n") {
		var one object
		if err := yaml.Unmarshal([]byte(part), &one); err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		all = append(all, one)
	}
	return all, nil
}

// namespace is the stack's.
func (d documents) namespace() string {
	all, err := d.objects("namespace.yaml")
	if err != nil {
		panic(err) // it is part of the program
	}
	return all[0].name()
}

func (o object) name() string {
	metadata, _ := o["metadata"].(object)
	return fmt.Sprint(metadata["name"])
}

// logical is what the object is called in the state.
func (o object) logical() string { return strings.ToLower(fmt.Sprint(o["kind"])) + "-" + o.name() }

// token is the type of Pulumi's Kubernetes provider.
func (o object) token() string {
	version := fmt.Sprint(o["apiVersion"])
	if !strings.Contains(version, "/") {
		version = "core/" + version
	}
	return fmt.Sprintf("kubernetes:%s:%v", version, o["kind"])
}
