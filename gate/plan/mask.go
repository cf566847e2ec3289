package plan

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"threetier/gate/recorder"
)

const (
	masked = "[secret]"
	// password stands for the database's. It is the same percent-encoded, so that a URL shows where it goes.
	password = "masked-password"
)

// shown are the inputs of a resource without their secrets. The data of a Kubernetes Secret stands there as stringData,
// which means the same without base64: what is no secret in a template can be read then.
func shown(res recorder.Resource) map[string]any {
	inputs := resource.PropertyMap{}
	for key, value := range res.Inputs {
		if key == "data" && res.Type == "kubernetes:core/v1:Secret" {
			inputs["stringData"] = recorder.Rewrite(value, maskBase64)
			continue
		}
		inputs[key] = recorder.Rewrite(value, mask)
	}
	return inputs.Mappable()
}

func maskBase64(value resource.PropertyValue, secret bool) resource.PropertyValue {
	if value.IsString() {
		if text, err := base64.StdEncoding.DecodeString(value.StringValue()); err == nil {
			value = resource.NewProperty(string(text))
		}
	}
	return mask(value, secret)
}

// mask removes a secret. What only holds the stand-in of the password is shown: a changed template is a change to
// review. So are certificates, by their digest: they are public.
func mask(value resource.PropertyValue, secret bool) resource.PropertyValue {
	switch {
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
