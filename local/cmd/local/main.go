// Command local runs the program and its stacks on this one machine. Called as
// aws, it is the few calls of the AWS CLI that a kubeconfig for EKS and bin/drill make.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

func main() {
	if filepath.Base(os.Args[0]) == "aws" {
		exit(awsCommand(os.Args[1:]))
	}
	exit(rootCommand().Execute())
}

func exit(err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "error: %v\n", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "local",
		Short:         "An AWS account and an EKS cluster on this machine, for this checkout",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(upCommand(), previewCommand(), destroyCommand(), encryptCommand(), downCommand(), cleanCommand(),
		execCommand(), runCommand(), shellCommand(), loadCommand(), unloadCommand(), statusCommand(), installCommand(), checkCommand(), probeCommand(), superviseCommand(), deployCommand())
	return root
}
