package tests

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"threetier/gate/project"
	"threetier/internal/keys"
	"threetier/internal/settings"
)

func TestFormerWordIsRefusedWithTheLineToWrite(t *testing.T) {
	former := map[string]struct {
		value any
		want  string
	}{
		"threetier:allowTags":                         {"ours have none", "threetier:allow: { tags: the reason }"},
		"plan:dataLoss":                               {[]string{"database"}, "threetier:allow: { lose database: the reason }"},
		"threetier:database.waive":                    {map[string]string{"RDS.5": "one zone"}, "threetier:database.allow: { RDS.5: the reason }"},
		"threetier:database.allowMajorVersionUpgrade": {true, "threetier:database.allow: { upgrade to 18: the reason }"},
		"threetier:backend.skipMigration":             {map[string]string{"image": "x", "reason": "y"}, "threetier:backend.allow: { skip migrate of IMAGE: the reason }"},
		"threetier:nginx.allow":                       {[]string{"203.0.113.0/24"}, "threetier:nginx.sourceRanges: [203.0.113.0/24]"},
		"threetier:backend.permissions[0].waive":      {map[string]string{"s3:*": "all"}, `threetier:backend.permissions[0].allow: { "s3:Get*": the reason }`},
	}
	for path, c := range former {
		config := project.StackConfig(t, "dev")
		if strings.Contains(path, "permissions") {
			config = withPermissions(t, may([]string{"s3:GetObject"}, []string{"arn:aws:s3:::acme/*"}, nil))
		}
		assert.Equal(t, []string{path + " is gone, want " + c.want}, refusals(t, config.Set(t, path, c.value)))
		var line map[string]any
		require.NoError(t, yaml.Unmarshal([]byte(c.want), &line), "it can be pasted")
		require.Len(t, slices.Collect(maps.Values(line))[0], 1, c.want)
	}
	words := 0
	eachKey("", settings.Keys(), func(_ string, key *keys.Key) { words += len(key.Was) })
	assert.Len(t, former, words, "every former word has a row above")
}

// The gate alone knows what a change loses, so the program takes every name of a loss.
func TestStackAllowsTagsAndLossesWithAReason(t *testing.T) {
	const known = "want tags, lose and a name, like lose database, or plain text of and a key"
	for name, want := range map[string][]string{
		"lose database":                  nil,
		"lose database-password.protect": nil,
		"lose":                           {`threetier:allow is "lose", ` + known},
		"lose two names":                 {`threetier:allow is "lose two names", ` + known},
		"RDS.5":                          {`threetier:allow is "RDS.5", ` + known},
	} {
		config := project.StackConfig(t, "dev").Set(t, "threetier:allow", map[string]string{name: "it is meant"})
		assert.Equal(t, want, refusedByProgram(config))
		if want == nil {
			config.Set(t, "threetier:allow", map[string]string{name: " "})
			assert.Equal(t, []string{"threetier:allow." + name + ` is " ", want a reason`}, refusals(t, config))
		}
	}
}
