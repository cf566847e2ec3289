package planner

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"threetier/tests/recorder"
)

const (
	masked = "[secret]"
	// password stands for the database's. It is the same percent-encoded, so that a URL shows where it goes.
	password = "masked-password"
)

// legible is what a resource registers, with the data of a Kubernetes Secret as stringData, which means the same
// without base64: what is in it can be masked then, and the rest of a template read.
func legible(res recorder.Resource) resource.PropertyMap {
	data, given := res.Inputs["data"]
	if res.Type != "kubernetes:core/v1:Secret" || !given {
		return res.Inputs
	}
	inputs := res.Inputs.Copy()
	delete(inputs, "data")
	inputs["stringData"] = withoutBase64(data)
	return inputs
}

func withoutBase64(value resource.PropertyValue) resource.PropertyValue {
	switch {
	case value.IsSecret():
		return resource.MakeSecret(withoutBase64(value.SecretValue().Element))
	case value.IsObject():
		object := resource.PropertyMap{}
		for key, field := range value.ObjectValue() {
			object[key] = withoutBase64(field)
		}
		return resource.NewProperty(object)
	case value.IsString():
		if text, err := base64.StdEncoding.DecodeString(value.StringValue()); err == nil {
			return resource.NewProperty(string(text))
		}
	}
	return value
}

// mask takes the secrets out. What only holds the stand-in of the password is shown: a changed template is a change
// to review. So are certificates, by their digest: they are public.
func mask(value resource.PropertyValue, secret bool) resource.PropertyValue {
	switch {
	case value.IsSecret():
		return mask(value.SecretValue().Element, true)
	case value.IsObject():
		object := resource.PropertyMap{}
		for key, field := range value.ObjectValue() {
			object[key] = mask(field, secret)
		}
		return resource.NewProperty(object)
	case value.IsArray():
		items := make([]resource.PropertyValue, len(value.ArrayValue()))
		for i, item := range value.ArrayValue() {
			items[i] = mask(item, secret)
		}
		return resource.NewProperty(items)
	case secret:
		return resource.NewProperty(maskText(value))
	case value.IsString():
		return resource.NewProperty(readable(value.StringValue()))
	}
	return value
}

var encodedReference = regexp.MustCompile(`%3C(\w+)%20([\w-]+)%3E`)

// readable undoes what became of references in a URL.
func readable(text string) string { return encodedReference.ReplaceAllString(text, "<$1 $2>") }

func maskText(value resource.PropertyValue) string {
	if !value.IsString() {
		return masked
	}
	text := value.StringValue()
	switch {
	case text != password && strings.Contains(text, password):
		return readable(strings.ReplaceAll(text, password, masked))
	case strings.Contains(text, "BEGIN CERTIFICATE") && !strings.Contains(text, "PRIVATE KEY"):
		digest := sha256.Sum256([]byte(text))
		return "certificates, sha256 " + hex.EncodeToString(digest[:])
	}
	return masked
}
