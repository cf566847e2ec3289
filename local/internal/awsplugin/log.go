package awsplugin

import (
	"context"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// logger shows the user what the account has to say.
type logger interface {
	connect(engine string) error
	warn(ctx context.Context, urn string, warnings []string)
}

// engineLog shows warnings in the engine's own output, beside the resource.
type engineLog struct{ engine pulumirpc.EngineClient }

func (l *engineLog) connect(address string) error {
	if address == "" {
		return nil
	}
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	l.engine = pulumirpc.NewEngineClient(connection)
	return nil
}

func (l *engineLog) warn(ctx context.Context, urn string, warnings []string) {
	if l.engine == nil {
		return
	}
	for _, warning := range warnings {
		// a warning that can't be shown is no reason to fail
		_, _ = l.engine.Log(ctx, &pulumirpc.LogRequest{Severity: pulumirpc.LogSeverity_WARNING, Urn: urn, Message: warning})
	}
}
