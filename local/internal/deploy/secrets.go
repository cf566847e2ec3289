package deploy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// readable is a stack config without the keys of another secrets provider, such as awskms://…, which can't be asked here.
// Each value that only it can open becomes a stand-in, the same each time. others counts them.
func readable(config []byte) (ours []byte, others int, err error) {
	var file yaml.Node
	if err := yaml.Unmarshal(config, &file); err != nil || len(file.Content) == 0 || file.Content[0].Kind != yaml.MappingNode {
		return config, 0, nil // Pulumi says what is wrong
	}
	top := file.Content[0]
	foreign := false
	kept := []*yaml.Node{}
	for i := 0; i+1 < len(top.Content); i += 2 {
		key, value := top.Content[i], top.Content[i+1]
		another := key.Value == "secretsprovider" && value.Value != "passphrase" || key.Value == "encryptedkey"
		if foreign = foreign || another; !another {
			kept = append(kept, key, value)
		}
	}
	top.Content = kept
	others = standIn(top, "", foreign)
	if !foreign && others == 0 {
		return config, 0, nil
	}
	ours, err = yaml.Marshal(&file)
	return ours, others, err
}

// standIn replaces what a passphrase can't open. What it can open begins with v1, but a key of AWS's writes that, too.
func standIn(node *yaml.Node, path string, foreign bool) (replaced int) {
	if node.Kind == yaml.MappingNode && len(node.Content) == 2 && node.Content[0].Value == "secure" && node.Content[1].Kind == yaml.ScalarNode {
		if !foreign && strings.HasPrefix(node.Content[1].Value, "v1:") {
			return 0
		}
		sum := sha256.Sum256([]byte(path))
		*node = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: hex.EncodeToString(sum[:])[:40]}
		return 1
	}
	for i, child := range node.Content {
		at := fmt.Sprintf("%s/%d", path, i)
		if node.Kind == yaml.MappingNode && i%2 == 1 {
			at = path + "/" + node.Content[i-1].Value
		}
		replaced += standIn(child, at, foreign)
	}
	return replaced
}
