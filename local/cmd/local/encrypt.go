package main

import "github.com/spf13/cobra"

func encryptCommand() *cobra.Command {
	var t target
	cmd := &cobra.Command{
		Use: "encrypt", Short: "read a secret from standard input, print what stands for it in the stack's config: secure: …", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			h, lock, err := begin(&t)
			if err != nil {
				return err
			}
			defer lock.Close()
			pid, err := start(h, lock)
			if err != nil {
				return err
			}
			return inside(h, lock, pid, &t, "encrypt")
		},
	}
	t.flags(cmd)
	return cmd
}
