package database

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"
)

type noResources struct{}

func (noResources) NewResource(pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	return "", nil, nil
}

func (noResources) Call(pulumi.MockCallArgs) (resource.PropertyMap, error) { return nil, nil }

// A saved plan holds the up to what its preview knew, and the up draws another password.
func TestGeneratedPasswordIsUnknownInAPreviewAlone(t *testing.T) {
	for preview, want := range map[bool]int{true: 0, false: 1} {
		known := 0
		err := pulumi.RunErr(func(ctx *pulumi.Context) error {
			password, err := (&builder{ctx: ctx}).generatePassword()
			if err != nil {
				return err
			}
			// What is unknown is handed to nobody.
			ctx.Export("password", password.ApplyT(func(string) string { known++; return "" }))
			return nil
		}, pulumi.WithMocks("threetier", "dev", noResources{}), func(info *pulumi.RunInfo) { info.DryRun = preview })
		require.NoError(t, err)
		require.Equal(t, want, known, "known in a preview: %t", preview)
	}
}
