package plan

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"threetier/components/database"
	"threetier/gate/project"
	"threetier/gate/recorder"
	"threetier/internal/stack"
)

// Input is what the stack in the folder is planned from.
func Input(root, stackName string) (recorder.Options, error) {
	name, err := project.Name(root)
	if err != nil {
		return recorder.Options{}, err
	}
	config, err := project.Read(root, stackName)
	if err != nil {
		return recorder.Options{}, err
	}
	var there existing
	if config.Decode("threetier:database", &there) != nil {
		there = existing{} // what is wrong is the program's to say, in its own words
	}
	options := recorder.Options{Project: name, Stack: stackName, Config: config, Network: there.network(), RDS: there.rds(name, stackName)}
	if of, err := config.Text("threetier:previewOf"); err == nil && of != "" {
		options.Others, err = previewsOf(root, of)
		if err != nil {
			return recorder.Options{}, fmt.Errorf("plan the stack that %s is a preview of: %w", stackName, err)
		}
	}
	return options, nil
}

// previewsOf are the outputs of a stack that lets previews in: a preview is planned beside one, whether that does by now or not.
func previewsOf(root, host string) (map[string]map[string]any, error) {
	options, err := Input(root, host)
	if err != nil {
		return nil, err
	}
	if err := options.Config.Put("threetier:domain.previews", true); err != nil {
		return nil, err
	}
	options.ID, options.Answer = reference, references
	outputs, _, err := recorder.Outputs(stack.Deploy, options)
	return map[string]map[string]any{host: outputs}, err
}

// existing is what threetier:database names of an account.
type existing struct {
	Network struct {
		VPC     string   `json:"vpcId"`
		Subnets []string `json:"subnetIds"`
	} `json:"network"`
	Restore string          `json:"restoreFrom"`
	Version json.RawMessage `json:"engineVersion"` // text or a number
	Key     string          `json:"kmsKeyArn"`
	Allow   map[string]any  `json:"allow"`
	Class   string          `json:"instanceClass"`
}

// network is a VPC in which the subnets that the config names exist, in two zones.
func (e existing) network() *recorder.Network {
	network := recorder.TwoZones()
	network.VPC = cmp.Or(e.Network.VPC, network.VPC)
	for i, id := range e.Network.Subnets {
		known := slices.ContainsFunc(network.Subnets, func(subnet recorder.Subnet) bool { return subnet.ID == id })
		if !known {
			network.Others = append(network.Others, recorder.Subnet{ID: id, Zone: []string{"eu-west-1a", "eu-west-1b"}[i%2]})
		}
	}
	return network
}

// rds has what the config wants to be there: a plan is of a stack that isn't there yet. That is the snapshot to restore, or
// the instance whose upgrade is allowed.
func (e existing) rds(projectName, stack string) recorder.RDS {
	version := cmp.Or(strings.Trim(string(e.Version), `"`), database.DefaultEngineVersion)
	_, upgrades := e.Allow[database.UpgradeTo(version)]
	switch major, err := strconv.Atoi(version); {
	case upgrades && err == nil:
		older := strconv.Itoa(major - 1)
		instance := recorder.DBInstance{Version: older, Class: cmp.Or(e.Class, database.DefaultInstanceClass)}
		return recorder.RDS{
			Instances:      map[string]recorder.DBInstance{database.Identifier(projectName, stack, "database"): instance},
			UpgradeTargets: map[string][]string{older: {version}},
		}
	case e.Restore != "":
		return recorder.RDS{Snapshots: map[string]recorder.DBSnapshot{e.Restore: {Engine: "postgres", Version: version, KMSKeyARN: e.Key}}}
	}
	return recorder.RDS{}
}
