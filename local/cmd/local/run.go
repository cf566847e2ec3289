package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"

	"threetier/local/internal/deploy"
	"threetier/local/internal/home"
	"threetier/local/internal/node"
)

func runCommand() *cobra.Command {
	var stack string
	cmd := &cobra.Command{
		Use: "run JOB", Short: "run one of a stack's jobs now, show its log, and exit with its status", Args: cobra.ExactArgs(1),
		RunE: withNode(func(h home.Home, pid int, args []string) error {
			namespace, err := node.CommandIn(deploy.Project(h), h, pid, "pulumi", "stack", "output", "namespace", "--stack", stack).Output()
			if err != nil {
				return fmt.Errorf("read the namespace of the stack %s, which must be up: %w", stack, err)
			}
			status, err := deploy.RunJob(func(args ...string) *exec.Cmd {
				return node.Command(h, pid, append([]string{"kubectl", "--namespace", strings.TrimSpace(string(namespace))}, args...)...)
			}, args[0])
			if err == nil && status != 0 {
				os.Exit(status)
			}
			return err
		}),
	}
	cmd.Flags().StringVar(&stack, "stack", "dev", "the stack")
	return cmd
}
