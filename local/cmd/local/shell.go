package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"threetier/local/internal/deploy"
	"threetier/local/internal/node"
)

func shellCommand() *cobra.Command {
	var t target
	cmd := &cobra.Command{
		Use: "shell", Short: "a shell in the node, where pulumi, kubectl, psql and aws eks get-token work as on AWS", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			h, err := t.home()
			if err != nil {
				return err
			}
			var pid int
			err = settingUp(h, func(lock *os.File) (err error) {
				if pid, err = startLocked(h, lock, nil); err != nil {
					return err
				}
				if err := ensureImages(h, pid, &t); err != nil {
					fmt.Fprintf(os.Stderr, "an up will not succeed: %v\n", err)
				}
				return deploy.OpenShell(h, t.name, t.configFile)
			})
			if err != nil {
				return err
			}
			bash := node.CommandIn(deploy.Project(h), h, pid, "bash")
			bash.Env = append(bash.Env, "PULUMI_STACK="+t.name)
			bash.Stdin, bash.Stdout, bash.Stderr = os.Stdin, os.Stdout, os.Stderr
			if info, err := os.Stdin.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
				fmt.Fprintf(os.Stderr, "The stack is %s. The stack configs here are copies: what you set in them is kept until their originals change, or make up runs.\n", t.name)
			}
			return exitAs(bash.Run())
		},
	}
	t.flags(cmd)
	return cmd
}
