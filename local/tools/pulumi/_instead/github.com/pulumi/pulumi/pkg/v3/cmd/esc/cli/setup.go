package cli

import (
	"errors"

	"github.com/spf13/cobra"
)

func newEnvSetupCmd(*envCommand) *cobra.Command {
	return &cobra.Command{Use: "setup", Short: "not in this CLI", RunE: func(*cobra.Command, []string) error {
		return errors.New("the local node has built this CLI without env setup: take a released one")
	}}
}
