package awsplugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
)

// engineCheck is how often the plugin looks whether its engine still lives; one whose engine was killed ends.
const engineCheck = 5 * time.Second

// Serve is the plugin as a process: it writes its port to out, as the engine expects, and serves until ctx ends. The
// engine's address is the argument that isn't a flag. The checkout is where the table of what replaces a resource is.
func Serve(ctx context.Context, args []string, checkout, socket string, out io.Writer) error {
	if socket == "" {
		return errors.New(SocketVariable + " is not set: this aws plugin only works with the local node's account")
	}
	replaces, err := readReplaces(checkout)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	provider := New(socket, replaces)
	if engine := engineAddress(args); engine != "" {
		if err := provider.log.connect(engine); err != nil {
			return err
		}
		if err := rpcutil.Healthcheck(ctx, engine, engineCheck, cancel); err != nil {
			return err
		}
	}
	stop := make(chan bool)
	handle, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{
		Cancel: stop,
		Init: func(server *grpc.Server) error {
			pulumirpc.RegisterResourceProviderServer(server, plugin.NewProviderServer(provider))
			return nil
		},
	})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "%d\n", handle.Port); err != nil {
		return err
	}
	select {
	case err := <-handle.Done:
		return err
	case <-ctx.Done():
		close(stop)
		return <-handle.Done
	}
}

func engineAddress(args []string) string {
	for _, arg := range args {
		if !strings.HasPrefix(arg, "-") {
			return arg
		}
	}
	return ""
}
