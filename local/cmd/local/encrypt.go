package main

import (
	"github.com/spf13/cobra"

	"threetier/local/internal/home"
	"threetier/local/internal/step"
)

func encryptCommand() *cobra.Command {
	t := target{noConfig: true}
	cmd := &cobra.Command{
		Use: "encrypt", Short: "read a secret from standard input, print what stands for it in the stack's config: secure: …", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return onStack(&t, func(h home.Home) error {
				pid, err := start(h)
				if err != nil {
					return err
				}
				return inside(new(step.Step), h, pid, &t, "encrypt")
			})
		},
	}
	t.flags(cmd)
	return cmd
}
