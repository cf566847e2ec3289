package planner

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/encoding"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/config"

	"threetier/components/database"
	"threetier/internal/recorder"
	"threetier/internal/settings"
)

// dataLossKey is the stack config's key for losses that are meant: a list of names.
// It has a namespace of its own since the program has no use for it.
const dataLossKey = "plan:dataLoss"

// stackConfig is what a plan needs of a Pulumi.<stack>.yaml.
type stackConfig struct {
	project string
	config  *recorder.Config
	network *recorder.Network
	rds     recorder.RDS
	region  string
	// meant are the losses that may be.
	meant []string
}

// Stacks are the stacks that have a config in the folder, or in the one for tests, sorted.
func Stacks(root string) ([]string, error) {
	var stacks []string
	for _, folder := range []string{root, filepath.Join(root, recorder.TestStacks)} {
		files, err := filepath.Glob(filepath.Join(folder, "Pulumi.*.yaml"))
		if err != nil {
			return nil, fmt.Errorf("list stack configs: %w", err)
		}
		for _, file := range files {
			name := strings.TrimPrefix(filepath.Base(file), "Pulumi.")
			stacks = append(stacks, strings.TrimSuffix(name, ".yaml"))
		}
	}
	slices.Sort(stacks)
	return stacks, nil
}

func readConfig(root, stack string) (stackConfig, error) {
	text, err := os.ReadFile(recorder.ConfigFile(root, stack))
	if err != nil {
		return stackConfig{}, fmt.Errorf("read stack config: %w", err)
	}
	project, err := recorder.ProjectName(root)
	if err != nil {
		return stackConfig{}, fmt.Errorf("read the project's name: %w", err)
	}
	if text, err = withoutSecrets(text, project); err != nil {
		return stackConfig{}, fmt.Errorf("read the stack config %s: %w", stack, err)
	}
	read, err := recorder.Parse(root, text)
	if err != nil {
		return stackConfig{}, fmt.Errorf("read the stack config %s: %w", stack, err)
	}
	region, err := read.Text("aws:region")
	if err != nil {
		return stackConfig{}, fmt.Errorf("read aws:region: %w", err)
	}
	var meant []string
	if err := decode(read, dataLossKey, &meant); err != nil {
		return stackConfig{}, fmt.Errorf("%w, want a list of names", err)
	}
	return stackConfig{project: project, config: read, network: networkOf(read), rds: RDSOf(read, project, stack), region: region, meant: meant}, nil
}

// withoutSecrets puts a stand-in into each {secure: …}: the plan needs no key, and shows no secret.
func withoutSecrets(text []byte, project string) ([]byte, error) {
	var content map[string]any
	if err := encoding.YAML.Unmarshal(text, &content); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(content)) {
		if !slices.Contains(settings.FileKeys, name) {
			return nil, fmt.Errorf("%s is unknown, want one of %s: the program's keys stand below config", name, strings.Join(settings.FileKeys, ", "))
		}
	}
	given, _ := content["config"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if _, twice := given[project+":"+name]; twice {
			return nil, fmt.Errorf("%s is given beside %s:%[1]s, want one of the two: Pulumi reads them as one key", name, project)
		}
	}
	standIn, err := config.Base64Crypter.EncryptValue(context.Background(), "a-stand-in")
	if err != nil {
		return nil, fmt.Errorf("encrypt the stand-in of secrets: %w", err)
	}
	if given := content["config"]; given != nil {
		content["config"] = replaceSecure(given, standIn)
	}
	return encoding.YAML.Marshal(content)
}

func replaceSecure(value any, standIn string) any {
	switch value := value.(type) {
	case map[string]any:
		if _, secure := value["secure"]; secure && len(value) == 1 {
			return map[string]any{"secure": standIn}
		}
		for key, field := range value {
			value[key] = replaceSecure(field, standIn)
		}
	case []any:
		for i, item := range value {
			value[i] = replaceSecure(item, standIn)
		}
	}
	return value
}

// networkOf is a VPC in which the subnets that the config names exist, in two zones.
func networkOf(read *recorder.Config) *recorder.Network {
	var database struct {
		Network struct {
			VPC     string   `json:"vpcId"`
			Subnets []string `json:"subnetIds"`
		} `json:"network"`
	}
	network := recorder.TwoZones()
	if err := decode(read, "threetier:database", &database); err != nil {
		// What is wrong is the program's to say, in its own words.
		return network
	}
	if database.Network.VPC != "" {
		network.VPC = database.Network.VPC
	}
	for i, id := range database.Network.Subnets {
		known := slices.ContainsFunc(network.Subnets, func(subnet recorder.Subnet) bool { return subnet.ID == id })
		if !known {
			network.Others = append(network.Others, recorder.Subnet{ID: id, Zone: []string{"eu-west-1a", "eu-west-1b"}[i%2]})
		}
	}
	return network
}

// RDSOf has what the config wants to be there: a plan is of a stack that isn't there yet. That is the snapshot to restore, or
// the instance whose upgrade is allowed.
func RDSOf(read *recorder.Config, project, stack string) recorder.RDS {
	var given struct {
		Restore string          `json:"restoreFrom"`
		Version json.RawMessage `json:"engineVersion"` // text or a number
		Key     string          `json:"kmsKeyArn"`
		Upgrade bool            `json:"allowMajorVersionUpgrade"`
		Class   string          `json:"instanceClass"`
	}
	if err := decode(read, "threetier:database", &given); err != nil {
		return recorder.RDS{}
	}
	version := cmp.Or(strings.Trim(string(given.Version), `"`), database.DefaultEngineVersion)
	switch major, err := strconv.Atoi(version); {
	case given.Upgrade && err == nil:
		older := strconv.Itoa(major - 1)
		instance := recorder.DBInstance{Version: older, Class: cmp.Or(given.Class, database.DefaultInstanceClass)}
		return recorder.RDS{
			Instances:      map[string]recorder.DBInstance{database.Identifier(project, stack, "database"): instance},
			UpgradeTargets: map[string][]string{older: {version}},
		}
	case given.Restore != "":
		return recorder.RDS{Snapshots: map[string]recorder.DBSnapshot{given.Restore: {Engine: "postgres", Version: version, KMSKeyARN: given.Key}}}
	}
	return recorder.RDS{}
}

func decode(read *recorder.Config, key string, into any) error {
	text, err := read.Text(key)
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
