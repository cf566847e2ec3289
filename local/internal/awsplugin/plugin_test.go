package awsplugin

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"

	"threetier/local/internal/account"
	"threetier/local/internal/skip"
)

// rig is the plugin as the engine sees it: another process's gRPC server, with an account and an engine's log behind.
type rig struct {
	*testing.T
	client   pulumirpc.ResourceProviderClient
	warnings *warnings
}

// warnings is the engine's log.
type warnings struct {
	pulumirpc.UnimplementedEngineServer
	lines chan string
}

func (w *warnings) Log(_ context.Context, req *pulumirpc.LogRequest) (*emptypb.Empty, error) {
	w.lines <- req.Message
	return &emptypb.Empty{}, nil
}

func newRig(t *testing.T) *rig {
	t.Helper()
	if os.Geteuid() != 0 {
		skip.Test(t, "root: the account runs PostgreSQL as its own user")
	}
	socket := runAccount(t)
	engine, log := runEngine(t)
	ctx, cancel := context.WithCancel(context.Background())
	read, write := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, []string{"-logtostderr", engine}, checkout, socket, write) }()
	port, err := bufio.NewReader(read).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	connection, err := grpc.NewClient("127.0.0.1:"+strings.TrimSpace(port), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = connection.Close()
		cancel()
		if err := <-done; err != nil {
			t.Error("plugin ended with: ", err)
		}
	})
	r := &rig{t, pulumirpc.NewResourceProviderClient(connection), log}
	if _, err := r.client.Handshake(t.Context(), &pulumirpc.ProviderHandshakeRequest{EngineAddress: engine}); err != nil {
		t.Fatal(err)
	}
	_, err = r.client.Configure(t.Context(), &pulumirpc.ConfigureRequest{AcceptSecrets: true, AcceptResources: true,
		Args: r.marshal(resource.NewPropertyMapFromMap(map[string]any{"region": "eu-west-1",
			"defaultTags": `{"tags":{"team":"shop"}}`}))})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func runAccount(t *testing.T) (socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "plugin-") // t.TempDir is closed to other users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(dir, "cluster.pem")
	if err := os.WriteFile(ca, []byte("the cluster's CA"), 0o600); err != nil {
		t.Fatal(err)
	}
	block := fmt.Sprintf("127.%d.%d", 1+rand.N(200), rand.N(250))
	cfg := account.Config{Dir: dir, Socket: filepath.Join(dir, "api.sock"), ClusterEndpoint: "https://10.0.0.10:6443",
		ClusterCAFile: ca, Networks: map[string]string{"a": block + ".0/25", "b": block + ".128/25"}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { defer close(done); done <- account.Run(ctx, cfg) }()
	t.Cleanup(func() { cancel(); <-done })
	for range 300 {
		select {
		case err := <-done:
			t.Fatal("the account doesn't start: ", err)
		case <-time.After(100 * time.Millisecond):
		}
		if connection, err := net.Dial("unix", cfg.Socket); err == nil {
			_ = connection.Close()
			return cfg.Socket
		}
	}
	t.Fatal("the account doesn't open")
	return ""
}

func runEngine(t *testing.T) (address string, log *warnings) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	log = &warnings{lines: make(chan string, 100)}
	pulumirpc.RegisterEngineServer(server, log)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return listener.Addr().String(), log
}

func (r *rig) marshal(m resource.PropertyMap) *structpb.Struct {
	r.Helper()
	out, err := plugin.MarshalProperties(m, plugin.MarshalOptions{KeepUnknowns: true, KeepSecrets: true, KeepResources: true})
	if err != nil {
		r.Fatal(err)
	}
	return out
}

func (r *rig) unmarshal(s *structpb.Struct) resource.PropertyMap {
	r.Helper()
	out, err := plugin.UnmarshalProperties(s, plugin.MarshalOptions{KeepUnknowns: true, KeepSecrets: true, KeepResources: true})
	if err != nil {
		r.Fatal(err)
	}
	return out
}

func urn(token, name string) string {
	return "urn:pulumi:dev::threetier::" + token + "::" + name
}

// state is a resource as the engine keeps it.
type state struct {
	token, name, id string
	inputs, outputs resource.PropertyMap
}

func (r *rig) check(token, name string, olds, news resource.PropertyMap) (resource.PropertyMap, []*pulumirpc.CheckFailure, error) {
	r.Helper()
	out, err := r.client.Check(r.Context(), &pulumirpc.CheckRequest{Urn: urn(token, name), Olds: r.marshal(olds),
		News: r.marshal(news), RandomSeed: []byte("seed " + name)})
	if err != nil {
		return nil, nil, err
	}
	return r.unmarshal(out.Inputs), out.Failures, nil
}

func (r *rig) create(token, name string, inputs map[string]any) state {
	r.Helper()
	checked, failures, err := r.check(token, name, nil, properties(inputs))
	if err != nil || len(failures) > 0 {
		r.Fatalf("check %s: %v %v", name, failures, err)
	}
	out, err := r.client.Create(r.Context(), &pulumirpc.CreateRequest{Urn: urn(token, name), Properties: r.marshal(checked)})
	if err != nil {
		r.Fatalf("create %s: %v", name, err)
	}
	return state{token, name, out.Id, checked, r.unmarshal(out.Properties)}
}

func (r *rig) diff(s state, inputs resource.PropertyMap, ignore ...string) *pulumirpc.DiffResponse {
	r.Helper()
	out, err := r.client.Diff(r.Context(), &pulumirpc.DiffRequest{Urn: urn(s.token, s.name), Id: s.id,
		OldInputs: r.marshal(s.inputs), Olds: r.marshal(s.outputs), News: r.marshal(inputs), IgnoreChanges: ignore})
	if err != nil {
		r.Fatal(err)
	}
	return out
}

func (r *rig) update(s state, inputs resource.PropertyMap) state {
	r.Helper()
	out, err := r.client.Update(r.Context(), &pulumirpc.UpdateRequest{Urn: urn(s.token, s.name), Id: s.id,
		OldInputs: r.marshal(s.inputs), Olds: r.marshal(s.outputs), News: r.marshal(inputs)})
	if err != nil {
		r.Fatal(err)
	}
	s.inputs, s.outputs = inputs, r.unmarshal(out.Properties)
	return s
}

func (r *rig) read(s state) (resource.PropertyMap, resource.PropertyMap) {
	r.Helper()
	out, err := r.client.Read(r.Context(), &pulumirpc.ReadRequest{Urn: urn(s.token, s.name), Id: s.id,
		Properties: r.marshal(s.outputs), Inputs: r.marshal(s.inputs)})
	if err != nil {
		r.Fatal(err)
	}
	return r.unmarshal(out.Inputs), r.unmarshal(out.Properties)
}

func (r *rig) delete(s state) error {
	_, err := r.client.Delete(r.Context(), &pulumirpc.DeleteRequest{Urn: urn(s.token, s.name), Id: s.id,
		Properties: r.marshal(s.outputs), OldInputs: r.marshal(s.inputs)})
	return err
}

func (r *rig) invoke(token string, arguments map[string]any) (resource.PropertyMap, []*pulumirpc.CheckFailure, error) {
	r.Helper()
	out, err := r.client.Invoke(r.Context(), &pulumirpc.InvokeRequest{Tok: token, Args: r.marshal(properties(arguments))})
	if err != nil {
		return nil, nil, err
	}
	return r.unmarshal(out.Return), out.Failures, nil
}

func properties(m map[string]any) resource.PropertyMap { return resource.NewPropertyMapFromMap(m) }

// with is a copy of the inputs in which some are others; nil takes one out.
func with(inputs resource.PropertyMap, changes map[string]any) resource.PropertyMap {
	out := inputs.Copy()
	for key, value := range changes {
		if value == nil {
			delete(out, resource.PropertyKey(key))
			continue
		}
		out[resource.PropertyKey(key)] = resource.NewPropertyValue(value)
	}
	return out
}
