// Command pulumi-resource-aws is the aws plugin that Pulumi's engine starts on the local node.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"threetier/local/internal/awsplugin"
	"threetier/local/internal/home"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "pulumi-resource-aws:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	h, err := home.Find()
	if err != nil {
		return err
	}
	return awsplugin.Serve(ctx, os.Args[1:], h.Root, os.Getenv(awsplugin.SocketVariable), os.Stdout)
}
