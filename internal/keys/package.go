package keys

import "strings"

// Package is the schema of an object's keys as Pulumi's packages have it: the properties, those that are required, and in
// types, below the token, a type for each object inside.
// https://www.pulumi.com/docs/iac/guides/building-extending/packages/schema/
func (t Table) Package(token string, types Schema) (properties Schema, required []string) {
	properties = Schema{}
	for _, key := range t {
		property := key.packageType(token+strings.ToUpper(key.Name[:1])+key.Name[1:], types)
		property["description"] = key.prose() + "\n\n" + key.about()
		if key.Confidential {
			property["secret"] = true
		}
		if key.Required {
			required = append(required, key.Name)
		}
		properties[key.Name] = property
	}
	return properties, required
}

func (k *Key) packageType(token string, types Schema) Schema {
	text := Schema{"type": "string"}
	if k.From {
		text = Schema{"$ref": "pulumi.json#/Any"} // a string, or where AWS keeps it
	}
	return k.shape(func() Schema {
		properties, required := k.Keys.Package(token, types)
		types[token] = Schema{"type": "object", "properties": properties, "required": required}
		return Schema{"type": "object", "$ref": "#/types/" + token}
	}, text)
}
