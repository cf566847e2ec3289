package recorder

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/encoding"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/config"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
	"github.com/stretchr/testify/require"
)

// Config is a stack config, read as Pulumi reads one.
type Config struct {
	values config.Map
}

// Root is the project's folder.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}

// ProjectName is the name of the Pulumi project in a folder; in one that has only stack configs, of this project.
func ProjectName(root string) (string, error) {
	project, err := projectIn(root)
	if err != nil {
		return "", err
	}
	return project.Name.String(), nil
}

func projectIn(root string) (*workspace.Project, error) {
	if !exists(filepath.Join(root, "Pulumi.yaml")) {
		root = Root()
	}
	return workspace.LoadProject(filepath.Join(root, "Pulumi.yaml"))
}

// TestStacks is where the configs of stacks are that only tests plan.
const TestStacks = "tests/stacks"

// ConfigFile is a stack's config: Pulumi.<stack>.yaml in the project's folder, or in TestStacks.
func ConfigFile(root, stack string) string {
	name := "Pulumi." + stack + ".yaml"
	if file := filepath.Join(root, TestStacks, name); exists(file) {
		return file
	}
	return filepath.Join(root, name)
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// ReadStackConfig is the content of Pulumi.<stack>.yaml.
func ReadStackConfig(stack string) (*Config, error) {
	file, err := os.ReadFile(ConfigFile(Root(), stack))
	if err != nil {
		return nil, err
	}
	return parse(Root(), file)
}

// StackConfig is the content of Pulumi.<stack>.yaml.
func StackConfig(t testing.TB, stack string) *Config {
	t.Helper()
	read, err := ReadStackConfig(stack)
	require.NoError(t, err)
	return read
}

// YAML is a stack config given as the text of a Pulumi.<stack>.yaml. A value {secure: …} holds what Secure made.
func YAML(t testing.TB, text string) *Config {
	t.Helper()
	read, err := parse(Root(), []byte(text))
	require.NoError(t, err)
	return read
}

// parse reads a stack config as one of the project in a folder, whose name Pulumi puts before a key that has no namespace.
func parse(root string, text []byte) (*Config, error) {
	project, err := projectIn(root)
	if err != nil {
		return nil, err
	}
	stack, err := workspace.LoadProjectStackBytes(nil, project, text, "Pulumi.test.yaml", encoding.YAML)
	if err != nil {
		return nil, err
	}
	return &Config{values: stack.Config}, nil
}

// Text is a top-level key's value as the program gets it.
func (c *Config) Text(key string) (string, error) {
	values, _, err := c.program()
	return values[key], err
}

// Set sets a value by path, as `pulumi config set --path` does, and returns the config.
func (c *Config) Set(t testing.TB, path string, value any) *Config {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	set := config.NewObjectValue(string(text))
	if plain, isText := value.(string); isText {
		set = config.NewTypedValue(plain, config.TypeString)
	}
	require.NoError(t, c.values.Set(config.MustParseKey(path), set, true))
	return c
}

// SetSecret sets a secret value by path, as `pulumi config set --path --secret` does, and returns the config.
func (c *Config) SetSecret(t testing.TB, path, value string) *Config {
	t.Helper()
	require.NoError(t, c.values.Set(config.MustParseKey(path), config.NewSecureValue(Secure(t, value)), true))
	return c
}

// Remove removes a value by path, and returns the config.
func (c *Config) Remove(t testing.TB, path string) *Config {
	t.Helper()
	require.NoError(t, c.values.Remove(config.MustParseKey(path), true))
	return c
}

// Secure is the value as it stands below `secure:` in a test's config.
func Secure(t testing.TB, value string) string {
	t.Helper()
	encrypted, err := config.Base64Crypter.EncryptValue(t.Context(), value)
	require.NoError(t, err)
	return encrypted
}

// program is the config as a program sees it: text by key, and which keys hold a secret.
func (c *Config) program() (map[string]string, []string, error) {
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
func (c *Config) JSON(t testing.TB) []byte {
	t.Helper()
	text, err := json.Marshal(map[string]config.Map{"config": c.values})
	require.NoError(t, err)
	if len(c.values) == 0 {
		return []byte(`{"config": {}}`) // which Marshal leaves out
	}
	return text
}
