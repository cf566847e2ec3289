package platform

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/project"
	"threetier/gate/recorder"
)

// bin/github setup --from takes the output as it is: it refuses a name that no workflow reads.
func TestPlatformsTellTheVariablesOfTheRepository(t *testing.T) {
	all := map[string]string{}
	for _, stack := range []string{"dev", "prod"} {
		text, err := os.ReadFile(project.File(project.Root(), project.Platform+stack))
		require.NoError(t, err)
		_, err = recorder.Run(func(ctx *pulumi.Context) error {
			outputs, err := register(ctx)
			if err != nil {
				return err
			}
			ctx.Export("told", pulumi.ToOutput(outputs["github"]).ApplyT(func(told any) any {
				for name, value := range told.(map[string]string) {
					all[name] = value
				}
				return nil
			}))
			return nil
		}, recorder.Options{Project: "threetier-platform", Stack: stack, Config: project.YAML(t, string(text))})
		require.NoError(t, err)
	}
	const roles = "arn:aws:iam:eu-west-1:123456789012:role/"
	assert.Equal(t, map[string]string{
		"AWS_REGION": "eu-west-1", "PULUMI_BACKEND_URL": "s3://acme-pulumi-state?region=eu-west-1",
		"PREVIEW_ROLE_ARN": roles + "threetier-preview-dev", "PREVIEW_PROD_ROLE_ARN": roles + "threetier-preview-prod",
		"dev/DEPLOY_ROLE_ARN": roles + "threetier-deploy-dev", "prod/DEPLOY_ROLE_ARN": roles + "threetier-deploy-prod",
		"PREVIEWS_ROLE_ARN": roles + "threetier-previews-dev", "DRILL_PROD_ROLE_ARN": roles + "threetier-drill-prod", "IMAGES_ROLE_ARN": roles + "threetier-images",
		"IMAGE_REGISTRY": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/acme",
	}, all)
	files, err := filepath.Glob(filepath.Join(project.Root(), ".github/*/*.yml"))
	require.NoError(t, err)
	workflows := ""
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		workflows += string(text)
	}
	for name := range all {
		assert.Contains(t, workflows, "vars."+name[strings.Index(name, "/")+1:])
	}
}
