// Package deploy runs the program against the local node, by Pulumi's own
// engine. It knows the program only as the function that main.go runs.
package deploy

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/events"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optdestroy"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"gopkg.in/yaml.v3"

	"threetier/internal/rdsca"
	"threetier/internal/stack"
	"threetier/local/internal/account"
	"threetier/local/internal/home"
)

// Stack is one stack on the local node.
type Stack struct {
	home  home.Home
	name  string
	stack auto.Stack
}

// Open selects a stack, or makes it, with its config copied from a file: Pulumi
// writes its own entries into the copy, never into the user's file.
func Open(ctx context.Context, h home.Home, name, configFile string) (*Stack, error) {
	if err := endLeftovers(name); err != nil {
		return nil, err
	}
	dir := h.Path("stacks", name)
	if err := copyConfig(h, dir, name, configFile); err != nil {
		return nil, err
	}
	passphrase, err := passphrase(h, name)
	if err != nil {
		return nil, err
	}
	// The account signs with a CA of its own, and the program trusts only Amazon's.
	ca, err := account.CA(h.Path("account"))
	if err != nil {
		return nil, fmt.Errorf("read the account's CA: %w", err)
	}
	rdsca.Trust(ca)
	if err := tellConfigNames(configFile); err != nil {
		return nil, err
	}
	s, err := auto.UpsertStackInlineSource(ctx, name, "threetier", stack.Deploy,
		auto.WorkDir(dir),
		auto.PulumiHome(h.Path("pulumi")),
		auto.EnvVars(map[string]string{
			"PULUMI_BACKEND_URL":                          "file://" + h.Path("state"),
			"PULUMI_CONFIG_PASSPHRASE":                    passphrase,
			"PULUMI_SKIP_UPDATE_CHECK":                    "true",
			"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
		}))
	if err != nil {
		return nil, fmt.Errorf("open the stack %s: %w", name, err)
	}
	return &Stack{h, name, s}, nil
}

func copyConfig(h home.Home, dir, name, configFile string) error {
	for _, d := range []string{dir, h.Path("state"), h.Path("pulumi")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return fmt.Errorf("make %s: %w", d, err)
		}
	}
	target := filepath.Join(dir, "Pulumi."+name+".yaml")
	old, err := os.ReadFile(target)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the stack's config: %w", err)
	}
	for from, to := range map[string]string{h.Source("Pulumi.yaml"): filepath.Join(dir, "Pulumi.yaml"), configFile: target} {
		data, err := os.ReadFile(from)
		if err != nil {
			return fmt.Errorf("read the config: %w", err)
		}
		if to == target {
			data = keepSalt(data, old)
		}
		if err := os.WriteFile(to, data, 0o600); err != nil {
			return fmt.Errorf("copy the config: %w", err)
		}
	}
	return nil
}

// tellConfigNames puts the names of all config keys where Pulumi puts them for
// a program of its own process: by them an unknown key is found.
func tellConfigNames(configFile string) error {
	data, err := os.ReadFile(configFile)
	if err != nil {
		return fmt.Errorf("read the config: %w", err)
	}
	var file struct {
		Config map[string]yaml.Node `yaml:"config"`
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		return fmt.Errorf("%s is not a stack config: %w", configFile, err)
	}
	names := map[string]string{}
	for name := range file.Config {
		names[name] = ""
	}
	encoded, err := json.Marshal(names)
	if err != nil {
		return fmt.Errorf("encode the config's names: %w", err)
	}
	return os.Setenv(pulumi.EnvConfig, string(encoded))
}

// keepSalt hands the passphrase's salt, which Pulumi wrote into the last copy, on to the next.
func keepSalt(config, old []byte) []byte {
	if strings.Contains(string(config), "encryptionsalt:") {
		return config
	}
	for _, line := range strings.Split(string(old), "\n") {
		if strings.HasPrefix(line, "encryptionsalt:") {
			return append([]byte(line+"\n"), config...)
		}
	}
	return config
}

// passphrase encrypts the secrets in the local state. A user's own is taken where it is set.
func passphrase(h home.Home, name string) (string, error) {
	if p, ok := os.LookupEnv("PULUMI_CONFIG_PASSPHRASE"); ok {
		return p, nil
	}
	path := h.Path("passphrase")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		// Two stacks may begin at once: a file that is linked is whole, and never replaces another.
		drawn := h.Path("stacks", name, "passphrase")
		if err := os.WriteFile(drawn, []byte(rand.Text()), 0o600); err != nil {
			return "", fmt.Errorf("draw a passphrase: %w", err)
		}
		defer func() { _ = os.Remove(drawn) }()
		if err := os.Link(drawn, path); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", fmt.Errorf("keep the passphrase: %w", err)
		}
		data, err = os.ReadFile(path)
	}
	if err != nil {
		return "", fmt.Errorf("read the passphrase: %w", err)
	}
	return string(data), nil
}

// Up brings the stack to what its config says, and returns its URL. A plan that a preview
// has saved, where there is one, is what it may do.
func (s *Stack) Up(ctx context.Context, plan string) (string, error) {
	if err := s.recover(ctx); err != nil {
		return "", err
	}
	channel, wait := s.record("up")
	start := time.Now()
	out, errOut := &masked{out: os.Stdout}, &masked{out: os.Stderr}
	options := []optup.Option{
		optup.ProgressStreams(out), optup.ErrorProgressStreams(errOut), optup.EventStreams(channel), optup.SuppressOutputs(),
	}
	if plan != "" {
		options = append(options, optup.Plan(plan))
	}
	result, err := s.stack.Up(ctx, options...)
	wait()
	if closed := errors.Join(out.Close(), errOut.Close()); closed != nil {
		return "", fmt.Errorf("show what pulumi says: %w", closed)
	}
	if err != nil {
		s.explain(ctx, os.Stderr, start)
		return "", summary(err)
	}
	url, ok := result.Outputs["url"].Value.(string)
	if !ok {
		return "", fmt.Errorf("the stack's output url is %v, want a string", result.Outputs["url"].Value)
	}
	return url, nil
}

// Preview shows what an up would change, and saves it where a file for the plan is named.
func (s *Stack) Preview(ctx context.Context, plan string) error {
	channel, wait := s.record("preview")
	options := []optpreview.Option{
		optpreview.Diff(), optpreview.ProgressStreams(os.Stdout), optpreview.ErrorProgressStreams(os.Stderr), optpreview.EventStreams(channel),
	}
	if plan != "" {
		options = append(options, optpreview.Plan(plan))
	}
	_, err := s.stack.Preview(ctx, options...)
	wait()
	return summary(err)
}

// Destroy removes what the stack has made: all of it, or nothing where something is protected.
func (s *Stack) Destroy(ctx context.Context) error {
	if err := s.recover(ctx); err != nil {
		return err
	}
	if err := s.previewDestroy(ctx); err != nil {
		return err
	}
	channel, wait := s.record("destroy")
	_, err := s.stack.Destroy(ctx, optdestroy.ProgressStreams(os.Stdout), optdestroy.ErrorProgressStreams(os.Stderr),
		optdestroy.EventStreams(channel))
	wait()
	return summary(err)
}

// previewDestroy comes first, as in pulumi destroy: a run without it deletes the whole app before it meets the
// database that is protected.
func (s *Stack) previewDestroy(ctx context.Context) error {
	_, err := s.stack.PreviewDestroy(ctx)
	if err == nil {
		return nil
	}
	fmt.Fprintln(os.Stderr, err)
	if strings.Contains(err.Error(), "because it is protected") {
		return errors.New("nothing was deleted: the stack holds what is durable. To delete it after all, with a final snapshot, " +
			"set lifecycle to retiring in threetier:database, run up, and destroy again")
	}
	return errors.New("nothing was deleted: pulumi's preview failed, the reason stands above")
}

// summary keeps the message that the engine has already printed from being printed again.
func summary(err error) error {
	if err == nil {
		return nil
	}
	for _, run := range []string{"update", "preview", "destroy"} {
		if strings.HasPrefix(err.Error(), "failed to run "+run) || strings.HasPrefix(err.Error(), "failed to "+run+" stack") {
			return errors.New("pulumi failed: the reason stands above")
		}
	}
	return err
}

// record writes the engine's events of one run to a log, a line each.
func (s *Stack) record(run string) (chan<- events.EngineEvent, func()) {
	channel := make(chan events.EngineEvent)
	done := make(chan struct{})
	go func() {
		defer close(done)
		out := io.Discard
		f, err := os.OpenFile(s.home.Path("logs", s.name+"-"+run+".events.jsonl"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
		if err == nil {
			out = f
			defer f.Close()
		} else {
			fmt.Fprintf(os.Stderr, "the engine's events are not kept: %v\n", err)
		}
		writeEvents(out, channel)
	}()
	return channel, func() {
		select {
		case <-done:
		case <-time.After(5 * time.Second):
		}
	}
}
