package deploy

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"threetier/local/internal/account/rds"
	"threetier/local/internal/files"
	"threetier/local/internal/home"
)

// Project is the folder that Pulumi runs in. Its Pulumi.yaml leads to the checkout's program, and its stack configs are
// copies: Pulumi writes into them, and never into the user's own.
func Project(h home.Home) string {
	if h.Project != h.Root {
		return h.Deployed(".local", "project")
	}
	return h.Path("project")
}

// Prepare makes what every Pulumi in the node wants: its folders, a passphrase for the secrets in the local state, and
// the account's root certificate.
func Prepare(h home.Home) error {
	for _, dir := range []string{Project(h), h.Path("state"), h.Path("pulumi")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("make %s: %w", dir, err)
		}
	}
	path := h.Path("passphrase")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := write(path, []byte(rand.Text())); err != nil {
			return fmt.Errorf("keep the passphrase: %w", err)
		}
	}
	if _, err := rds.CA(h.Path("account")); err != nil {
		return fmt.Errorf("make the account's CA: %w", err)
	}
	return nil
}

// platform is the folder of the platform's project, beside the stacks' own.
const platform = "platform"

// OpenShell copies the checkout's configs, the platforms' too, and one from elsewhere if a stack is named, for Pulumi's own
// commands. What these have set in a copy stays until its original is another.
func OpenShell(h home.Home, name, configFile string) error {
	for _, folder := range []string{"", platform} {
		// A commit before the platform has none.
		if _, err := os.Stat(h.Deployed(folder)); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if _, err := writeProject(h, folder); err != nil {
			return err
		}
		configs, err := filepath.Glob(h.Deployed(folder, "Pulumi.*.yaml"))
		if err != nil {
			return fmt.Errorf("list the stack configs: %w", err)
		}
		for _, file := range configs {
			stack := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "Pulumi."), ".yaml")
			if folder == "" && stack == name {
				continue
			}
			if err := copyConfig(h, folder, stack, file, false); err != nil {
				return err
			}
		}
	}
	if name == "" {
		return nil
	}
	return copyConfig(h, "", name, configFile, false)
}

// writeProject writes the project file of a folder again, and returns the project's name.
func writeProject(h home.Home, folder string) (string, error) {
	data, err := os.ReadFile(h.Deployed(folder, "Pulumi.yaml"))
	if err != nil {
		return "", fmt.Errorf("read the project: %w", err)
	}
	var project map[string]any
	if err := yaml.Unmarshal(data, &project); err != nil {
		return "", fmt.Errorf("read the project: %w", err)
	}
	name, _ := project["name"].(string)
	main, _ := project["main"].(string)
	project["main"] = h.Deployed(folder, main)
	if data, err = yaml.Marshal(project); err != nil {
		return "", fmt.Errorf("write the project: %w", err)
	}
	dir := filepath.Join(Project(h), folder)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("write the project: %w", err)
	}
	return name, write(filepath.Join(dir, "Pulumi.yaml"), data)
}

func configCopy(h home.Home, folder, name string) string {
	return filepath.Join(Project(h), folder, "Pulumi."+name+".yaml")
}

// copyConfig copies a stack's config, again or where the original isn't the one that was copied last. No file: an empty config.
func copyConfig(h home.Home, folder, name, file string, anew bool) error {
	data := []byte("config: {}\n")
	if file != "" {
		var err error
		if data, err = os.ReadFile(file); err != nil {
			return fmt.Errorf("read the config: %w", err)
		}
	}
	target := configCopy(h, folder, name)
	original := filepath.Join(filepath.Dir(target), "."+name+".original")
	old, err := os.ReadFile(target)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the stack's config: %w", err)
	}
	if last, readErr := os.ReadFile(original); !anew && err == nil && readErr == nil && bytes.Equal(last, data) {
		return nil
	}
	ours, others, err := readable(data)
	if err != nil {
		return fmt.Errorf("copy the config: %w", err)
	}
	if others > 0 {
		fmt.Fprintf(os.Stderr, "  stand-ins for the %d secret values of %s: their secrets provider isn't here\n", others, filepath.Base(file))
	}
	if err := write(target, keepSalt(ours, old)); err != nil {
		return fmt.Errorf("copy the config: %w", err)
	}
	return write(original, data)
}

// keepSalt hands the passphrase's salt, which Pulumi wrote into the last copy, on to the next.
func keepSalt(config, old []byte) []byte {
	if strings.Contains(string(config), "encryptionsalt:") {
		return config
	}
	for line := range strings.Lines(string(old)) {
		if strings.HasPrefix(line, "encryptionsalt:") {
			return append([]byte(strings.TrimSpace(line)+"\n"), config...)
		}
	}
	return config
}

// write leaves a file alone that says so already: another stack's Pulumi may be reading it.
func write(path string, data []byte) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, data) {
		return nil
	}
	return files.Write(path, data, 0o600)
}
