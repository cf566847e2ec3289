package deploy

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"gopkg.in/yaml.v3"
)

// encrypted is the key that a value is set by, in the copy of the config, to be encrypted.
const encrypted = "threetier:encrypted"

// Encrypt makes of a secret what may stand in the stack's config in its place: secure: ….
func (s *Stack) Encrypt(ctx context.Context, secret io.Reader) (string, error) {
	set := exec.CommandContext(ctx, "pulumi", "config", "set", "--secret", "--stack", s.name, encrypted)
	set.Dir = s.stack.Workspace().WorkDir()
	set.Env = append(os.Environ(), "PULUMI_HOME="+s.stack.Workspace().PulumiHome())
	for name, value := range s.stack.Workspace().GetEnvVars() {
		set.Env = append(set.Env, name+"="+value)
	}
	// By standard input: arguments are for anyone on the machine to read.
	set.Stdin = secret
	if out, err := set.CombinedOutput(); err != nil {
		return "", fmt.Errorf("encrypt: %w: %s", err, strings.TrimSpace(string(out)))
	}
	data, err := os.ReadFile(s.home.Path("stacks", s.name, "Pulumi."+s.name+".yaml"))
	if err != nil {
		return "", fmt.Errorf("read the encrypted value: %w", err)
	}
	var file struct {
		Config map[string]yaml.Node `yaml:"config"`
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		return "", fmt.Errorf("read the encrypted value: %w", err)
	}
	value := file.Config[encrypted]
	var secure struct {
		Secure string `yaml:"secure"`
	}
	if err := value.Decode(&secure); err != nil || secure.Secure == "" {
		return "", fmt.Errorf("read the encrypted value: there is none")
	}
	return secure.Secure, nil
}
