package rds

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"

	"threetier/local/internal/account/recorded"
	"threetier/local/internal/account/state"
)

var (
	identifierPattern = regexp.MustCompile(`^[a-z](-?[a-z0-9])*$`)
	namePattern       = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,62}$`)
	// reservedWords are refused by RDS as names of the master user and of the database.
	reservedWords = strings.Fields(`admin all analyse analyze and any array as asc asymmetric authorization binary both
		case cast check collate column constraint create current_role current_user default deferrable desc distinct do
		else end except false for foreign from grant group having in initially intersect into leading like limit
		localtime new not null off offset old on only or order placing primary public rdsadmin rds_iam
		rds_password rds_replication rds_superuser references returning select session_user some symmetric table then
		to trailing true union unique user using when where with`)
)

func checkIdentifier(what, id string, longest int) error {
	if identifierPattern.MatchString(id) && len(id) <= longest {
		return nil
	}
	return state.Refuse("InvalidParameterValue", "The parameter %s is not a valid identifier. Identifiers must begin with a "+
		"letter; must contain only lowercase ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two "+
		"consecutive hyphens.", what)
}

// inherited is what a replica and a restored instance have in common with what they were made of.
var inherited = slices.Clip([]string{"engine", "engineVersion", "username", "dbName", "allocatedStorage",
	"storageEncrypted", "kmsKeyId", "storageType", "port"})

// inherit fills in what a replica has from its source and a restored instance from its snapshot. The caller holds
// a.Mu.
func (a *Service) inherit(inputs map[string]any) error {
	keys := inherited
	var from map[string]any
	if name := state.Text(inputs, "replicateSourceDb"); name != "" {
		source := a.InstanceByName(name)
		if source == nil {
			return state.Refuse("DBInstanceNotFound", "DBInstance %s not found.", name)
		}
		from, keys = source.Inputs, append(keys, "dbSubnetGroupName", "parameterGroupName")
	} else if id := state.Text(inputs, "snapshotIdentifier"); id != "" {
		snap := a.Store.Get(KindSnapshot, id)
		if snap == nil {
			return state.Refuse("DBSnapshotNotFound", "DBSnapshot %s not found.", id)
		}
		from = snap.Inputs
		// what RDS restores, to be modified afterwards into what was asked for
		inputs["allocatedStorage"], inputs["engineVersion"] = from["allocatedStorage"], from["engineVersion"]
		for _, key := range []string{"iops", "storageThroughput", "maxAllocatedStorage"} {
			delete(inputs, key)
		}
		inputs["username"], inputs["dbName"] = from["username"], from["dbName"] // these are in the data
		delete(inputs, "kmsKeyId")                                              // and so is what they are encrypted with
	}
	for _, key := range keys {
		if given, ok := inputs[key]; (!ok || given == nil) && from[key] != nil {
			inputs[key] = from[key]
		}
	}
	return nil
}

// checkNewInstance needs a.Mu held.
func (a *Service) checkNewInstance(c *state.Call, inputs map[string]any) error {
	identifier := state.Text(inputs, "identifier")
	if err := checkIdentifier("DBInstanceIdentifier", identifier, 63); err != nil {
		return err
	}
	if a.InstanceByName(identifier) != nil {
		return state.Refuse("DBInstanceAlreadyExists", "DB instance already exists")
	}
	if state.Text(inputs, "replicateSourceDb") != "" {
		if err := a.checkReplica(c.Inputs); err != nil {
			return err
		}
	} else if err := checkMaster(inputs); err != nil {
		return err
	}
	if id := state.Text(inputs, "snapshotIdentifier"); id != "" {
		if snap := a.Store.Get(KindSnapshot, id); snap.Snapshot.Status != StatusAvailable {
			return state.Refuse("InvalidDBSnapshotState", "snapshot %s is not in available state", id)
		}
	} else if err := checkSupport(inputs, time.Now()); err != nil {
		return err
	}
	if err := checkKey(c, inputs); err != nil {
		return err
	}
	return a.checkInstance(c, inputs)
}

var keyPattern = regexp.MustCompile(`^arn:aws:kms:([a-z0-9-]+):\d{12}:key/(?:mrk-)?[0-9a-f-]+$`)

// checkKey wants a key of the instance's region. There are no keys here: any will do.
func checkKey(c *state.Call, inputs map[string]any) error {
	key := state.Text(inputs, "kmsKeyId")
	if found := keyPattern.FindStringSubmatch(key); key != "" && (found == nil || found[1] != c.Region) {
		return state.Refuse("KMSKeyNotAccessibleFault", "The specified KMS key [%s] does not exist, is not enabled or you do not have permissions to access it.", key)
	}
	if key != "" && !state.Truth(inputs, "storageEncrypted") {
		return state.Refuse("InvalidParameterCombination", "You can't specify a KMS key without enabling encryption.")
	}
	return nil
}

// checkReplica sees what the caller gave, before anything was inherited.
func (a *Service) checkReplica(given map[string]any) error {
	source := a.InstanceByName(state.Text(given, "replicateSourceDb"))
	for _, key := range []string{"username", "password", "dbName", "allocatedStorage"} {
		if given[key] != nil {
			return state.Refuse("InvalidParameterCombination", "%s can't be given for a read replica", key)
		}
	}
	if source.Instance.Status != StatusAvailable {
		return state.Refuse("InvalidDBInstanceState", "DB Instance %s is not in available state.", source.Instance.Identifier)
	}
	if state.Number(source.Inputs, "backupRetentionPeriod") == 0 && source.Instance.Source == "" {
		return state.Refuse("InvalidDBInstanceState", "Automated backups are not enabled for this database instance. To enable "+
			"automated backups, use ModifyDBInstance to set the backup retention period to a non-zero value.")
	}
	return nil
}

func checkMaster(inputs map[string]any) error {
	username, password := state.Text(inputs, "username"), state.Text(inputs, "password")
	restored := state.Text(inputs, "snapshotIdentifier") != ""
	switch {
	case username == "":
		return state.Refuse("InvalidParameterValue", "The parameter MasterUsername must be provided and must not be blank.")
	case !namePattern.MatchString(username) || strings.HasPrefix(strings.ToLower(username), "pg_"):
		return state.Refuse("InvalidParameterValue", "The parameter MasterUsername is not valid: %s", username)
	case slices.Contains(reservedWords, strings.ToLower(username)):
		return state.Refuse("InvalidParameterValue",
			"MasterUsername %s cannot be used as it is a reserved word used by the engine", username)
	case password == "" && !restored:
		return state.Refuse("InvalidParameterValue", "The parameter MasterUserPassword must be provided and must not be blank.")
	}
	if password != "" {
		if err := checkPassword(password); err != nil {
			return err
		}
	}
	name := state.Text(inputs, "dbName")
	if name != "" && !namePattern.MatchString(name) {
		return state.Refuse("InvalidParameterValue",
			"DBName must begin with a letter and contain only alphanumeric characters.")
	}
	if slices.Contains(reservedWords, strings.ToLower(name)) {
		return state.Refuse("InvalidParameterValue", "DBName %s cannot be used as it is a reserved word used by the engine", name)
	}
	if lower := strings.ToLower(name); lower == "db" || lower == "rdsadmin" || strings.HasPrefix(lower, "template") {
		return state.Refuse("InvalidParameterValue", "Database name cannot be %s", name)
	}
	return nil
}

// checkInstance holds the rules for new and for modified instances. The caller holds a.Mu.
func (a *Service) checkInstance(c *state.Call, inputs map[string]any) error {
	for _, check := range []func(map[string]any) error{checkEngine, checkStorage, checkSpeed, checkOperation, a.checkNetwork,
		a.checkMonitoring, a.checkParameterGroup} {
		if err := check(inputs); err != nil {
			return err
		}
	}
	if zone := state.Text(inputs, "availabilityZone"); zone != "" {
		letter, ours := strings.CutPrefix(zone, c.Region)
		if _, known := a.cfg.Networks[letter]; !ours || !known {
			return state.Refuse("InvalidParameterValue", "Invalid availability zone: %s", zone)
		}
		if state.Truth(inputs, "multiAz") {
			return state.Refuse("InvalidParameterCombination",
				"Requesting a specific availability zone is not valid for Multi-AZ instances.")
		}
	}
	return nil
}

func checkEngine(inputs map[string]any) error {
	engine, version, class := state.Text(inputs, "engine"), state.Text(inputs, "engineVersion"), state.Text(inputs, "instanceClass")
	switch {
	case engine != "postgres":
		return state.Refuse("InvalidParameterValue", "Invalid DB engine: %s (this stand-in only has postgres)", engine)
	case resolve(version, "") == "":
		return state.Refuse("InvalidParameterCombination", "Cannot find version %s for postgres", version)
	case classMemory(class) == 0:
		return state.Refuse("InvalidParameterValue", "Invalid DB Instance class: %s", class)
	}
	return nil
}

// gp3Threshold is the size in GiB from which RDS stripes a volume: 12,000 IOPS and 500 MiB/s instead of 3,000 and 125.
const gp3Threshold = 400

// storageSpeed is what an instance has, asked for or not.
func storageSpeed(inputs map[string]any, size int) (iops, throughput int) {
	if state.Text(inputs, "storageType") == "gp3" {
		iops, throughput = 3000, 125
		if size >= gp3Threshold {
			iops, throughput = 12000, 500
		}
	}
	return cmp.Or(state.Number(inputs, "iops"), iops), cmp.Or(state.Number(inputs, "storageThroughput"), throughput)
}

func checkStorage(inputs map[string]any) error {
	size, most, kind := state.Number(inputs, "allocatedStorage"), state.Number(inputs, "maxAllocatedStorage"), state.Text(inputs, "storageType")
	switch {
	case size < 20 || size > 65536:
		return state.Refuse("InvalidParameterValue", "Invalid storage size for engine name postgres and storage type %v: %d",
			state.Fallback(inputs, "storageType", "gp2"), size)
	case !slices.Contains([]string{"", "gp2", "gp3", "io1", "io2", "standard"}, kind):
		return state.Refuse("InvalidParameterValue", "Invalid storage type: %s", kind)
	case most != 0 && most <= size:
		return state.Refuse("InvalidParameterCombination", "Max storage size must be greater than storage size")
	case kind == "gp3" && size < gp3Threshold && (state.Number(inputs, "iops") != 0 || state.Number(inputs, "storageThroughput") != 0):
		return state.Refuse("InvalidParameterCombination",
			"You can't specify IOPS or storage throughput for engine postgres and a storage size less than 400.")
	case (kind == "io1" || kind == "io2") && state.Number(inputs, "iops") == 0:
		return state.Refuse("InvalidParameterCombination", "You must specify IOPS for storage type %s.", kind)
	}
	return nil
}

// checkSpeed holds a striped gp3 volume to its ranges and ratios.
func checkSpeed(inputs map[string]any) error {
	size := state.Number(inputs, "allocatedStorage")
	if state.Text(inputs, "storageType") != "gp3" || size < gp3Threshold {
		return nil
	}
	iops, throughput := storageSpeed(inputs, size)
	const code, words = "InvalidParameterCombination", " for engine name postgres and storage type gp3: "
	switch {
	case iops < 12000 || iops > 64000:
		return state.Refuse(code, "Invalid iops value"+words+"%d", iops)
	case throughput < 500 || throughput > 4000:
		return state.Refuse(code, "Invalid storage throughput value"+words+"%d", throughput)
	case iops > 50*size:
		return state.Refuse(code, "Invalid iops to storage (GB) ratio"+words+"%.4f", float64(iops)/float64(size))
	case 4*throughput > iops:
		return state.Refuse(code, "Invalid storage throughput to iops ratio"+words+"%.4f", float64(throughput)/float64(iops))
	}
	return nil
}

func checkOperation(inputs map[string]any) error {
	port, backups := portOf(inputs), state.Number(inputs, "backupRetentionPeriod")
	if port < 1150 || port > 65535 {
		return state.Refuse("InvalidParameterValue", "The parameter Port is not a valid value: %d, want 1150-65535", port)
	}
	if backups < 0 || backups > 35 {
		return state.Refuse("InvalidParameterValue", "Invalid backup retention period: %d. Must be between 0 and 35.", backups)
	}
	if err := checkWindows(inputs); err != nil {
		return err
	}
	for _, export := range state.List(inputs, "enabledCloudwatchLogsExports") {
		if !slices.Contains([]string{"postgresql", "upgrade", "iam-db-auth-error"}, export) {
			return state.Refuse("InvalidParameterCombination",
				"You cannot use the log type '%s' with engine version postgres %s.", export, state.Text(inputs, "engineVersion"))
		}
	}
	mode := state.Text(inputs, "databaseInsightsMode")
	if !slices.Contains([]string{"", "standard", "advanced"}, mode) {
		return state.Refuse("InvalidParameterValue", "Invalid database insights mode: %s", mode)
	}
	support := state.Text(inputs, "engineLifecycleSupport")
	if !slices.Contains([]string{"", "open-source-rds-extended-support", "open-source-rds-extended-support-disabled"}, support) {
		return state.Refuse("InvalidParameterValue", "Invalid engine lifecycle support: %s", support)
	}
	ca := state.Text(inputs, "caCertIdentifier")
	if !slices.Contains([]string{"", "rds-ca-rsa2048-g1", "rds-ca-rsa4096-g1", "rds-ca-ecc384-g1"}, ca) {
		return state.Refuse("CertificateNotFound", "Certificate not found: %s", ca)
	}
	return nil
}

func (a *Service) checkNetwork(inputs map[string]any) error {
	vpc := recorded.VPCID
	if name := state.Text(inputs, "dbSubnetGroupName"); name != "" {
		group := a.Store.Get(KindSubnetGroup, name)
		if group == nil {
			return state.Refuse("DBSubnetGroupNotFoundFault", "DB subnet group '%s' does not exist.", name)
		}
		vpc = state.Text(group.Outputs, "vpcId")
	}
	for _, id := range state.List(inputs, "vpcSecurityGroupIds") {
		switch other := recorded.VPCOf(a.Shared, id); other {
		case vpc:
		case "":
			return state.Refuse("InvalidParameterValue", "Invalid security group , groupId= %s, groupName=.", id)
		default:
			return state.Refuse("InvalidParameterCombination", "The DB instance and EC2 security group are in different VPCs. "+
				"The DB instance is in %s and the EC2 security group is in %s", vpc, other)
		}
	}
	return nil
}

func (a *Service) checkMonitoring(inputs map[string]any) error {
	interval, role := state.Number(inputs, "monitoringInterval"), state.Text(inputs, "monitoringRoleArn")
	switch {
	case !slices.Contains([]int{0, 1, 5, 10, 15, 30, 60}, interval):
		return state.Refuse("InvalidParameterValue", "Invalid monitoring interval: %d", interval)
	case interval != 0 && role == "":
		return state.Refuse("InvalidParameterCombination",
			"A MonitoringRoleARN value is required if you specify a MonitoringInterval value other than 0.")
	case interval == 0 && role != "":
		return state.Refuse("InvalidParameterCombination",
			"You must specify a MonitoringInterval value other than 0 when you specify a MonitoringRoleARN value.")
	}
	if role != "" && !slices.ContainsFunc(a.Store.All(recorded.KindRole), func(r *state.Record) bool { return r.Outputs["arn"] == role }) {
		return state.Refuse("InvalidParameterValue", "The role %s does not exist", role)
	}
	return nil
}

func (a *Service) checkParameterGroup(inputs map[string]any) error {
	name := state.Text(inputs, "parameterGroupName")
	if name == "" || strings.HasPrefix(name, "default.postgres") {
		return nil
	}
	group := a.Store.Get(KindParameterGroup, name)
	if group == nil {
		return state.Refuse("DBParameterGroupNotFound", "DBParameterGroup not found: %s", name)
	}
	major, _ := familyMajor(state.Text(group.Inputs, "family"))
	if want := majorOf(state.Text(inputs, "engineVersion")); want != 0 && want != major {
		return state.Refuse("InvalidParameterCombination", "The parameter group %s with DBParameterGroupFamily postgres%d can't "+
			"be used for this instance. Use a parameter group with DBParameterGroupFamily postgres%d.", name, major, want)
	}
	return nil
}

// checkModification needs a.Mu held.
func (a *Service) checkModification(c *state.Call, rec *state.Record, next map[string]any) error {
	if other := a.InstanceByName(state.Text(next, "identifier")); other != nil && other != rec {
		return state.Refuse("DBInstanceAlreadyExists", "DB instance already exists")
	}
	if err := checkIdentifier("DBInstanceIdentifier", state.Text(next, "identifier"), 63); err != nil {
		return err
	}
	if password := state.Text(next, "password"); password != "" {
		if err := checkPassword(password); err != nil {
			return err
		}
	}
	if source := state.Text(next, "replicateSourceDb"); source != "" && source != state.Text(rec.Inputs, "replicateSourceDb") {
		return state.Refuse("InvalidParameterCombination", "%s can't be made a read replica of %s: it is an instance already",
			rec.Instance.Identifier, source)
	}
	if resolve(state.Text(next, "engineVersion"), "") == "" {
		return checkEngine(next)
	}
	from := a.versionOf(rec)
	to := resolve(state.Text(next, "engineVersion"), from)
	if majorOf(to) > majorOf(from) && !state.Truth(next, "allowMajorVersionUpgrade") {
		return state.Refuse("InvalidParameterCombination",
			"The AllowMajorVersionUpgrade flag must be present when upgrading to a new major version.")
	}
	if err := checkUpgrade(from, to); err != nil {
		return err
	}
	if err := checkGrowth(rec, next); err != nil {
		return err
	}
	if state.Number(next, "backupRetentionPeriod") == 0 && len(a.replicas(rec)) > 0 {
		return state.Refuse("InvalidParameterCombination",
			"Backup retention period can't be 0 for a DB instance that has read replicas.")
	}
	return a.checkInstance(c, next)
}

// checkPassword is RDS's rule for PostgreSQL.
func checkPassword(password string) error {
	if len(password) < 8 || len(password) > 128 {
		return state.Refuse("InvalidParameterValue",
			"The parameter MasterUserPassword is not a valid password because it is shorter than 8 or longer than 128 characters.")
	}
	for _, r := range password {
		if r <= ' ' || r > '~' || strings.ContainsRune(`/@"`, r) {
			return state.Refuse("InvalidParameterValue", "The parameter MasterUserPassword is not a valid password. "+
				"Only printable ASCII characters besides '/', '@', '\"', ' ' may be used.")
		}
	}
	return nil
}

// checkGrowth compares with the size that the storage has, which may be more than was asked for. As the provider does,
// a size that hasn't changed isn't asked for again.
func checkGrowth(rec *state.Record, next map[string]any) error {
	present, asked := storage(rec), state.Number(next, "allocatedStorage")
	resized := !state.Same(rec.Inputs["allocatedStorage"], next["allocatedStorage"])
	if resized && asked < present {
		return state.Refuse("InvalidParameterCombination", "Invalid storage size for engine name postgres and storage type %v: %d",
			state.Fallback(next, "storageType", "gp2"), asked)
	}
	if resized && asked >= gp3Threshold {
		iops, _ := storageSpeed(rec.Inputs, present) // the provider repeats what the instance has
		if err := checkSpeed(state.Merge(next, map[string]any{"iops": cmp.Or(state.Number(next, "iops"), iops)})); err != nil {
			return err
		}
	}
	most := state.Number(next, "maxAllocatedStorage")
	if !state.Same(rec.Inputs["maxAllocatedStorage"], next["maxAllocatedStorage"]) && rec.Inputs["maxAllocatedStorage"] != nil {
		most = cmp.Or(most, asked) // so the provider ends the growth
		if most < present || most == present && state.Number(next, "maxAllocatedStorage") != 0 {
			return state.Refuse("InvalidParameterCombination", "Max storage size must be greater than storage size")
		}
	}
	return nil
}

// CheckTags is RDS's rule for keys and values; of other services the keys alone.
func CheckTags(kind string, inputs map[string]any) error {
	for _, prefix := range []string{"aws:", "rds:"} {
		ours := prefix == "aws:" || strings.HasPrefix(kind, "rds/")
		for key, value := range state.TagsOf(inputs) {
			if ours && strings.HasPrefix(strings.ToLower(key), prefix) {
				return state.Refuse("InvalidParameterValue", "Tag keys cannot start with the reserved prefix %q.", prefix)
			}
			if strings.HasPrefix(kind, "rds/") && strings.HasPrefix(strings.ToLower(value), prefix) {
				return state.Refuse("InvalidParameterValue", "Tag values cannot start with the reserved prefix %q.", prefix)
			}
		}
	}
	return nil
}
