package project

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/encoding"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/config"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
	"go.yaml.in/yaml/v3"

	"threetier/internal/settings"
)

// Config is a stack config, read as Pulumi reads one.
type Config struct {
	values config.Map
}

// Read is a stack's config. A stand-in is in the place of each secret: nobody needs a key for it, and no secret is shown.
func Read(root, stack string) (*Config, error) {
	text, err := os.ReadFile(File(root, stack))
	if err != nil {
		return nil, fmt.Errorf("read stack config: %w", err)
	}
	config, err := parseWithoutSecrets(root, stack, text)
	if err != nil {
		return nil, fmt.Errorf("read the stack config %s: %w", stack, err)
	}
	return config, nil
}

func parseWithoutSecrets(root, stack string, text []byte) (*Config, error) {
	name, err := Name(root)
	if err != nil {
		return nil, err
	}
	var keys map[string]any
	if err := yaml.Unmarshal(text, &keys); err != nil {
		return nil, err
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if !slices.Contains(settings.FileKeys, key) {
			return nil, fmt.Errorf("%s is unknown, want one of %s: the program's keys stand below config", key, strings.Join(settings.FileKeys, ", "))
		}
	}
	values, err := ReadValues(text)
	if err != nil {
		return nil, err
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if _, twice := values[name+":"+key]; twice {
			return nil, fmt.Errorf("%s is given beside %s:%[1]s, want one of the two: Pulumi reads them as one key", key, name)
		}
	}
	if err := values.checkSecrets(stack); err != nil {
		return nil, err
	}
	standIn, err := config.Base64Crypter.EncryptValue(context.Background(), "a-stand-in")
	if err != nil {
		return nil, fmt.Errorf("encrypt the stand-in of secrets: %w", err)
	}
	values.ReplaceSecrets(func(string) any { return map[string]any{"secure": standIn} })
	if text, err = values.Text(); err != nil {
		return nil, err
	}
	return Parse(root, text)
}

// Parse reads the text of a Pulumi.<stack>.yaml as one of the project in a folder, whose name Pulumi puts before a key that has
// no namespace.
func Parse(root string, text []byte) (*Config, error) {
	project, err := load(root)
	if err != nil {
		return nil, err
	}
	stack, err := workspace.LoadProjectStackBytes(nil, project, text, "Pulumi.test.yaml", encoding.YAML)
	if err != nil {
		return nil, err
	}
	return &Config{values: stack.Config}, nil
}

// Decode reads a top-level key's value; nothing is read of one that isn't there.
func (c *Config) Decode(key string, into any) error {
	text, err := c.Text(key)
	if err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	if text == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return fmt.Errorf("%s is %s", key, text)
	}
	return nil
}

// Test is what the helpers of tests need of a *testing.T: no command links the package testing for it.
type Test interface {
	Helper()
	Fatalf(format string, args ...any)
}

// Must fails the test where there is an error.
func Must(t Test, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v", err)
	}
}

// StackConfig is the content of Pulumi.<stack>.yaml.
func StackConfig(t Test, stack string) *Config {
	t.Helper()
	text, err := os.ReadFile(File(Root(), stack))
	Must(t, err)
	return YAML(t, string(text))
}

// YAML is a stack config given as the text of a Pulumi.<stack>.yaml. A value {secure: …} holds what Secure made.
func YAML(t Test, text string) *Config {
	t.Helper()
	read, err := Parse(Root(), []byte(text))
	Must(t, err)
	return read
}

// Text is a top-level key's value as the program gets it.
func (c *Config) Text(key string) (string, error) {
	values, _, err := c.Program()
	return values[key], err
}

// Set sets a value by path, as `pulumi config set --path` does, and returns the config.
func (c *Config) Set(t Test, path string, value any) *Config {
	t.Helper()
	Must(t, c.Put(path, value))
	return c
}

// Put is Set for others than tests.
func (c *Config) Put(path string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	set := config.NewObjectValue(string(text))
	if plain, isText := value.(string); isText {
		set = config.NewTypedValue(plain, config.TypeString)
	}
	return c.values.Set(config.MustParseKey(path), set, true)
}

// SetSecret sets a secret value by path, as `pulumi config set --path --secret` does, and returns the config.
func (c *Config) SetSecret(t Test, path, value string) *Config {
	t.Helper()
	Must(t, c.values.Set(config.MustParseKey(path), config.NewSecureValue(Secure(t, value)), true))
	return c
}

// Remove removes a value by path, and returns the config.
func (c *Config) Remove(t Test, path string) *Config {
	t.Helper()
	Must(t, c.values.Remove(config.MustParseKey(path), true))
	return c
}

// Secure is the value as it stands below `secure:` in a test's config.
func Secure(t Test, value string) string {
	t.Helper()
	encrypted, err := config.Base64Crypter.EncryptValue(context.Background(), value)
	Must(t, err)
	return encrypted
}

// Program is the config as a program sees it: text by key, and which keys hold a secret.
func (c *Config) Program() (map[string]string, []string, error) {
	decrypted, err := c.values.Decrypt(config.Base64Crypter)
	if err != nil {
		return nil, nil, fmt.Errorf("decrypt config: %w", err)
	}
	values := map[string]string{}
	for key, value := range decrypted {
		values[key.String()] = value
	}
	var secret []string
	for _, key := range c.values.SecureKeys() {
		secret = append(secret, key.String())
	}
	return values, secret, nil
}

// JSON is the content of a Pulumi.<stack>.yaml that holds the config, for readers of such a file.
func (c *Config) JSON(t Test) []byte {
	t.Helper()
	text, err := json.Marshal(map[string]config.Map{"config": c.values})
	Must(t, err)
	if len(c.values) == 0 {
		return []byte(`{"config": {}}`) // which Marshal leaves out
	}
	return text
}
