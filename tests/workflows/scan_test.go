package workflows

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/encoding"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/project"
)

func TestScanRunsEachWeekOnTheDefaultImagesAndTheStacksAndMayOnlyRead(t *testing.T) {
	scan := read(t, "scan.yml")
	assert.Contains(t, scan.On, "schedule")
	assert.Empty(t, scan.Permissions)
	assert.True(t, scan.Jobs["defaults"].runs("make scan STACK="))
	assert.Empty(t, scan.Jobs["defaults"].If, "it needs no registry of one's own")
	assert.True(t, scan.Jobs["stacks"].runs("make scan STACK=${{ matrix.stack }}"))
	for id, job := range scan.Jobs {
		for scope, right := range job.Permissions {
			assert.Equal(t, "read", right, "%s: %s", id, scope)
		}
	}
	text, err := os.ReadFile(folder("workflows", "scan.yml"))
	require.NoError(t, err)
	assert.NotContains(t, string(text), "secrets.")
}

func TestTheBotRenewsTheDefaultImages(t *testing.T) {
	text, err := os.ReadFile(folder("dependabot.yml"))
	require.NoError(t, err)
	var config struct {
		Updates []struct {
			Ecosystem   string   `yaml:"package-ecosystem"`
			Directory   string   `yaml:"directory"`
			Directories []string `yaml:"directories"`
		} `yaml:"updates"`
	}
	require.NoError(t, encoding.YAML.Unmarshal(text, &config))
	watched := map[string][]string{}
	for _, update := range config.Updates {
		for _, dir := range append(update.Directories, update.Directory) {
			assert.DirExists(t, filepath.Join(project.Root(), dir))
			watched[update.Ecosystem] = append(watched[update.Ecosystem], dir)
		}
	}
	assert.Contains(t, watched["docker"], "/components/app/images")
}
