// Package project reads and edits a Pulumi project as it stands in its folder: Pulumi.yaml and the stack configs.
package project

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
)

// Root is this project's folder.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}

// Name is the name of the Pulumi project in a folder; in one that has only stack configs, of this project.
func Name(root string) (string, error) {
	project, err := load(root)
	if err != nil {
		return "", fmt.Errorf("read the project's name: %w", err)
	}
	return project.Name.String(), nil
}

func load(root string) (*workspace.Project, error) {
	if !exists(filepath.Join(root, "Pulumi.yaml")) {
		ofPlatform := filepath.Base(root) == PlatformFolder
		if root = Root(); ofPlatform {
			root = filepath.Join(root, PlatformFolder)
		}
	}
	return workspace.LoadProject(filepath.Join(root, "Pulumi.yaml"))
}

// Platform begins the name of a platform's plan: its stacks are in a project of their own, in PlatformFolder.
const (
	Platform       = "platform-"
	PlatformFolder = "platform"
)

// testStacks is where the configs of stacks are that only tests plan.
const testStacks = "tests/stacks"

// File is a stack's config: Pulumi.<stack>.yaml in the project's folder, in testStacks, or in PlatformFolder.
func File(root, stack string) string {
	if name, isPlatform := strings.CutPrefix(stack, Platform); isPlatform {
		root, stack = filepath.Join(root, PlatformFolder), name
	}
	name := "Pulumi." + stack + ".yaml"
	if file := filepath.Join(root, testStacks, name); exists(file) {
		return file
	}
	return filepath.Join(root, name)
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// ofPreviews are the template of previews, and what is made from it.
var ofPreviews = regexp.MustCompile(`^pr(-\d+)?$`)

// Stacks are the stacks that have a config in the folder, or in testStacks, sorted. Previews come and go, and are no part of
// the project.
func Stacks(root string) ([]string, error) {
	var stacks []string
	for _, folder := range []string{root, filepath.Join(root, testStacks)} {
		files, err := filepath.Glob(filepath.Join(folder, "Pulumi.*.yaml"))
		if err != nil {
			return nil, fmt.Errorf("list stack configs: %w", err)
		}
		for _, file := range files {
			name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "Pulumi."), ".yaml")
			if folder == root && ofPreviews.MatchString(name) {
				continue
			}
			stacks = append(stacks, name)
		}
	}
	slices.Sort(stacks)
	return stacks, nil
}

// Platforms are the platforms that have a config in PlatformFolder, as their plans are called, sorted.
func Platforms(root string) ([]string, error) {
	stacks, err := Stacks(filepath.Join(root, PlatformFolder))
	for i, stack := range stacks {
		stacks[i] = Platform + stack
	}
	return stacks, err
}
