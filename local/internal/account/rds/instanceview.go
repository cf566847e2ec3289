package rds

import (
	"cmp"
	"fmt"
	"maps"
	"time"

	"threetier/local/internal/account/recorded"
	"threetier/local/internal/account/state"
)

// hostedZoneID is the Route 53 zone of RDS in eu-west-1.
const hostedZoneID = "Z29XKXDKYMONMX"

// instanceDefaults are what AWS answers for inputs that were not given.
var instanceDefaults = map[string]any{
	"autoMinorVersionUpgrade":          true,
	"backupRetentionPeriod":            0,
	"backupTarget":                     "region",
	"caCertIdentifier":                 "rds-ca-rsa2048-g1",
	"copyTagsToSnapshot":               false,
	"databaseInsightsMode":             "standard",
	"dbSubnetGroupName":                "default",
	"dedicatedLogVolume":               false,
	"deleteAutomatedBackups":           true,
	"deletionProtection":               false,
	"engineLifecycleSupport":           "open-source-rds-extended-support",
	"iamDatabaseAuthenticationEnabled": false,
	"kmsKeyId":                         "",
	"licenseModel":                     "postgresql-license",
	"monitoringInterval":               0,
	"monitoringRoleArn":                "",
	"multiAz":                          false,
	"networkType":                      "IPV4",
	"performanceInsightsEnabled":       false,
	"publiclyAccessible":               false,
	"skipFinalSnapshot":                false,
	"storageEncrypted":                 false,
	"storageType":                      "gp2",
}

// ViewInstance is what the API answers: the inputs in effect, AWS's defaults, and what was computed. The caller holds
// a.Mu.
func (a *Service) ViewInstance(rec *state.Record) map[string]any {
	name, region := a.DNSName(rec), rec.Region
	actual := a.versionOf(rec)
	version := cmp.Or(state.Text(rec.Inputs, "engineVersion"), actual)
	iops, throughput := storageSpeed(rec.Inputs, storage(rec))
	defaults := maps.Clone(instanceDefaults)
	defaults["engineVersion"], defaults["iops"] = version, iops
	defaults["backupWindow"], defaults["maintenanceWindow"] = windows(rec.Inputs)
	if throughput != 0 {
		defaults["storageThroughput"] = throughput
	}
	defaults["optionGroupName"] = fmt.Sprintf("default:postgres-%d", majorOf(version))
	defaults["parameterGroupName"] = fmt.Sprintf("default.postgres%d", majorOf(version))
	defaults["vpcSecurityGroupIds"] = []string{recorded.DefaultSecurityGroupID}
	replicas := []string{}
	for _, replica := range a.replicas(rec) {
		replicas = append(replicas, replica.Instance.Identifier)
	}
	status := rec.Instance.Status
	computed := map[string]any{
		"address":              name,
		"arn":                  state.ARN("rds", region, "db:"+rec.Instance.Identifier),
		"availabilityZone":     region + rec.Instance.Zone,
		"endpoint":             fmt.Sprintf("%s:%d", name, rec.Instance.Port),
		"allocatedStorage":     storage(rec),
		"engineVersionActual":  actual,
		"hostedZoneId":         hostedZoneID,
		"identifier":           rec.Instance.Identifier,
		"latestRestorableTime": "",
		"listenerEndpoints":    []any{},
		"masterUserSecrets":    []any{},
		"port":                 rec.Instance.Port,
		"replicas":             replicas,
		"resourceId":           rec.ID,
		"status":               status,
	}
	return state.Merge(defaults, rec.Inputs, computed)
}

// Description is an instance as those see it who look after the node.
type Description struct {
	Identifier         string         `json:"identifier"`
	ResourceID         string         `json:"resourceId"`
	Status             string         `json:"status"`
	Running            bool           `json:"running"`
	PID                int            `json:"pid,omitempty"`
	IP                 string         `json:"ip"`
	Address            string         `json:"address"`
	Port               int            `json:"port"`
	Database           string         `json:"database"`
	Username           string         `json:"username"`
	Version            string         `json:"version"`
	ReplicaOf          string         `json:"replicaOf,omitempty"`
	PendingReboot      bool           `json:"pendingReboot"`
	Pending            map[string]any `json:"pending,omitempty"`
	DataDir            string         `json:"dataDir"`
	LogFile            string         `json:"logFile"`
	Owner              string         `json:"owner"`
	Created            time.Time      `json:"created"`
	DeletionProtection bool           `json:"deletionProtection"`
}

// Describe needs a.Mu held.
func (a *Service) Describe(rec *state.Record) Description {
	d := Description{
		Identifier: rec.Instance.Identifier, ResourceID: rec.ID, Status: rec.Instance.Status,
		IP: rec.Instance.IP, Address: a.DNSName(rec), Port: rec.Instance.Port,
		Database: state.Text(rec.Inputs, "dbName"), Username: state.Text(rec.Inputs, "username"), Version: a.server(rec).Version(),
		PendingReboot: rec.Instance.PendingReboot, Pending: rec.Instance.Pending,
		DataDir: a.server(rec).Data(), LogFile: a.server(rec).Log(),
		Owner: rec.Owner, Created: rec.Created, DeletionProtection: state.Truth(rec.Inputs, "deletionProtection"),
	}
	if source := a.Store.Get(state.KindInstance, rec.Instance.Source); source != nil {
		d.ReplicaOf = source.Instance.Identifier
	}
	d.Running, d.PID = a.server(rec).Running(), a.server(rec).PID()
	return d
}
