//go:build examples

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/project"
)

// sdks are generated from the package's schema: a folder for each language.
func sdks(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	text, err := schema()
	require.NoError(t, err)
	file := filepath.Join(dir, "schema.json")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	command(t, filepath.Join(project.Root(), "local/tools/pulumi"), "go", "run", "./gen-sdk", file, dir)
	return dir
}

func command(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	require.NoError(t, err, "%s %v: %s%s", name, args, out, said.String())
	return string(out)
}

// accepted holds what a program gives to the component to the component.
func accepted(t *testing.T, text string) {
	t.Helper()
	var given map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &given), text)
	require.NotEmpty(t, given)
	_, err := run("dev", resource.NewPropertyMapFromMap(given), region(t))
	assert.NoError(t, err)
}

// mocks runs the program without an engine, and prints what it gives to the component.
const mocks = `import * as pulumi from "@pulumi/pulumi";
pulumi.runtime.setMocks({
  newResource: (args) => {
    if (args.type === "threetier:index:Stack") console.log(JSON.stringify(args.inputs));
    return { id: args.name, state: { ...args.inputs, url: "http://site" } };
  },
  call: () => ({}),
}, "threetier", "dev");
import("./index.js");
`

func TestTheExampleInTypeScriptIsOfTheSDKsTypesAndIsAccepted(t *testing.T) {
	generated, dir := sdks(t), t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("examples/typescript")))
	sdk := filepath.Join(dir, "sdks/threetier")
	require.NoError(t, os.CopyFS(sdk, os.DirFS(filepath.Join(generated, "nodejs"))))
	command(t, dir, "npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
	require.NoError(t, os.Symlink(sdk, filepath.Join(dir, "node_modules/threetier")))
	tsc := filepath.Join(dir, "node_modules/.bin/tsc")
	command(t, dir, tsc, "--project", sdk)
	command(t, dir, "cp", sdk+"/package.json", sdk+"/bin/")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "mocks.ts"), []byte(mocks), 0o600))
	command(t, dir, tsc)
	accepted(t, command(t, dir, "node", "bin/mocks.js"))

	program, err := os.ReadFile(filepath.Join(dir, "index.ts"))
	require.NoError(t, err)
	for right, wrong := range map[string]string{`eks: "acme-dev"`: "eks: 5", "healthPath": "healthpath"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "index.ts"), []byte(strings.Replace(string(program), right, wrong, 1)), 0o600))
		cmd := exec.Command(tsc)
		cmd.Dir = dir
		said, err := cmd.CombinedOutput()
		assert.Error(t, err, "%s is refused: %s", wrong, said)
	}
}

// capture runs the program with its two modules replaced: what Pulumi's own would need can't be had everywhere.
const capture = `import json, runpy, sys, types
class Stack:
    def __init__(self, name, **given):
        print(json.dumps(given))
    def __getattr__(self, name):
        return name
sys.modules["threetier"] = types.SimpleNamespace(Stack=Stack)
sys.modules["pulumi"] = types.SimpleNamespace(export=lambda name, value: None)
runpy.run_path(sys.argv[1])
`

var snake = regexp.MustCompile(`"([a-z]+(?:_[a-z]+)+)":`)

func TestTheExampleInPythonNamesWhatTheSDKHasAndIsAccepted(t *testing.T) {
	generated := sdks(t)
	command(t, generated, "python3", "-m", "compileall", "-q", "python/threetier")
	inputs, err := os.ReadFile(filepath.Join(generated, "python/threetier/_inputs.py"))
	require.NoError(t, err)
	given := command(t, ".", "python3", "-c", capture, "examples/python/__main__.py")
	for _, key := range snake.FindAllStringSubmatch(given, -1) {
		assert.Contains(t, string(inputs), "\n    "+key[1]+": ", "a key of an object")
	}
	accepted(t, snake.ReplaceAllStringFunc(given, func(key string) string {
		words := strings.Split(key, "_")
		for i, word := range words[1:] {
			words[i+1] = strings.ToUpper(word[:1]) + word[1:]
		}
		return strings.Join(words, "")
	}))
}
