package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"
)

// encrypted is the key that a value is set by, in the copy of the config, to be encrypted.
const encrypted = "threetier:encrypted"

// Encrypt makes of a secret what may stand in the stack's config in its place: secure: ….
func (s *Stack) Encrypt(ctx context.Context, secret io.Reader) (string, error) {
	before, err := os.ReadFile(configCopy(s.home, "", s.name))
	if err != nil {
		return "", fmt.Errorf("read the stack's config: %w", err)
	}
	set := s.pulumi(ctx, "config", "set", "--secret", encrypted)
	// By standard input: arguments are for anyone on the machine to read.
	set.Stdin = secret
	if out, err := set.CombinedOutput(); err != nil {
		return "", fmt.Errorf("encrypt: %w: %s", err, strings.TrimSpace(string(out)))
	}
	after, err := os.ReadFile(configCopy(s.home, "", s.name))
	if err != nil {
		return "", fmt.Errorf("read the encrypted value: %w", err)
	}
	var file struct {
		Config map[string]yaml.Node `yaml:"config"`
	}
	if err := yaml.Unmarshal(after, &file); err != nil {
		return "", fmt.Errorf("read the encrypted value: %w", err)
	}
	value := file.Config[encrypted]
	var secure struct {
		Secure string `yaml:"secure"`
	}
	if err := value.Decode(&secure); err != nil || secure.Secure == "" {
		return "", errors.New("read the encrypted value: there is none")
	}
	return secure.Secure, write(configCopy(s.home, "", s.name), keepSalt(before, after))
}
