package commands

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/components/app/images"
	"threetier/gate/plan"
	"threetier/gate/project"
)

// scanned runs bin/scan with a scanner that refuses an image, and returns what it was asked for.
func scanned(t *testing.T, refused string, args ...string) (asked []string, said string, err error) {
	t.Helper()
	dir := t.TempDir()
	calls := filepath.Join(dir, "calls")
	require.NoError(t, os.Mkdir(filepath.Join(dir, "grype-0.112.0"), 0o700))
	scanner := "#!/bin/sh\necho \"$1\" >>" + calls + "\n[ \"$1\" != 'registry:" + refused + "' ]\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "grype-0.112.0", "grype"), []byte(scanner), 0o700))
	said, err = run(t, "scan", []string{"RUNNER_TEMP=" + dir}, nil, args...)
	text, readErr := os.ReadFile(calls)
	if readErr == nil {
		asked = strings.Fields(strings.ReplaceAll(string(text), "registry:", ""))
	}
	return asked, said, err
}

// imagesIn are those of all containers below a resource's inputs.
func imagesIn(value any) (images []string) {
	switch value := value.(type) {
	case map[string]any:
		for key, field := range value {
			if image, isText := field.(string); isText && key == "image" {
				images = append(images, image)
			}
			images = append(images, imagesIn(field)...)
		}
	case []any:
		for _, item := range value {
			images = append(images, imagesIn(item)...)
		}
	}
	return images
}

func TestScanAsksForEveryImageOfAPlanOnceAndForNothingElse(t *testing.T) {
	for _, stack := range []string{"dev", "prod", "full"} {
		text, err := os.ReadFile(filepath.Join(project.Root(), "tests", "plan", stack+".yaml"))
		require.NoError(t, err)
		planned, err := plan.Parse(text)
		require.NoError(t, err)
		var want []string
		for _, res := range planned.Resources {
			want = append(want, imagesIn(res.Inputs)...)
		}
		slices.Sort(want)
		want = slices.Compact(want)
		require.Subset(t, want, []string{images.Nginx, images.Client}, "a plan has the images that no config names")
		asked, said, err := scanned(t, "none", stack)
		require.NoError(t, err, said)
		assert.ElementsMatch(t, want, asked, stack)
	}
}

func TestScanWithoutAStackAsksForTheDefaultImages(t *testing.T) {
	asked, said, err := scanned(t, "none")
	require.NoError(t, err, said)
	assert.Equal(t, []string{images.Nginx, images.Client}, asked)
}

func TestScanGoesOnAfterAnImageThatFailsAndFailsThen(t *testing.T) {
	asked, said, err := scanned(t, images.Nginx)
	require.Error(t, err)
	assert.Len(t, asked, 2)
	assert.True(t, strings.HasSuffix(said, "\nnot passed: "+images.Nginx+"\n"), said)
	assert.NotContains(t, said, "not passed: "+images.Client)

	asked, said, err = scanned(t, "none", "nowhere")
	require.Error(t, err)
	assert.Empty(t, asked)
	assert.Equal(t, "STACK is nowhere, want one that has a plan: make plan\n", said)
}
