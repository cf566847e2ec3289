package tests

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/project"
	"threetier/gate/recorder"
	"threetier/internal/stack"
)

// bin/preview changes the images of the template alone.
func TestTemplateOfPreviewsIsAPreviewsConfig(t *testing.T) {
	config, err := project.Read(project.Root(), "pr")
	require.NoError(t, err)
	r := recorder.MustRun(t, stack.Deploy, previewOptions(t, letsIn(t), config))
	assert.Equal(t, "threetier-pr-1", r.One(t, namespaceType).Input(t, "metadata.name"))
	assert.Equal(t, "drop-database", r.Named(t, cronJobType, "app-backend-drop-database").Input(t, "metadata.name"), "bin/preview makes a Job of it")
	assert.Equal(t, "preview", r.One(t, "kubernetes:core/v1:ResourceQuota").Input(t, "metadata.name"), "make previews reads it")
}
