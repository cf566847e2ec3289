package account

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"threetier/local/internal/account/rds"
	"threetier/local/internal/account/recorded"
	"threetier/local/internal/account/state"
	"threetier/local/internal/postgres"
)

func TestInstanceTakesConnectionsOverVerifiedTLSOnly(t *testing.T) {
	f := newFixture(t)
	out := f.create(state.KindInstance, f.instanceInputs("shop", nil))
	if out.Outputs["port"] != 5433.0 || !strings.HasPrefix(out.ID, "db-") {
		t.Errorf("outputs: %v", out.Outputs)
	}
	if _, found := out.Outputs["password"]; found {
		t.Error("the answer holds the password")
	}
	f.mustQuery("shop", "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", "t")
	f.mustQuery("shop", "SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user", "f|t|t")
	f.mustQuery("shop", "SELECT pg_has_role('rds_superuser', 'member'), pg_has_role('pg_monitor', 'usage'), pg_has_role('rdsadmin', 'member')", "t|t|f")
	f.mustQuery("shop", "CREATE ROLE reader LOGIN; GRANT pg_monitor TO reader; CREATE EXTENSION pgcrypto; CREATE EXTENSION pg_stat_statements; SELECT 1", "1")
	if _, err := f.psql("shop", "CREATE ROLE other SUPERUSER"); err == nil {
		t.Error("the administrator made a superuser")
	}
	if _, err := f.psql("shop", "COPY (SELECT 1) TO PROGRAM 'cat'"); err == nil {
		t.Error("the administrator ran a program on the server's machine")
	}
	f.mustQuery("shop", "CREATE TABLE items (id int); SELECT count(*) FROM items", "0")
	f.refusesQuery("no encryption", "sslmode=disable")
	f.refusesQuery("password authentication failed", "password=wrong")
	f.refusesQuery("pg_hba.conf rejects", "user=rdsadmin")
	hosts, err := os.ReadFile(f.cfg.HostsFile)
	d := f.describe("shop")
	if err != nil || string(hosts) != d.IP+" "+d.Address+"\n" {
		t.Errorf("hosts file: %q, %v", hosts, err)
	}
}

func TestPasswordLeavesNoPlainTextInTheAccount(t *testing.T) {
	f := newFixture(t)
	f.create(state.KindInstance, f.instanceInputs("shop", nil))
	secret := f.create(recorded.KindSecret, props{"name": "db"})
	f.create(recorded.KindSecretVersion, props{"secretId": secret.ID, "secretString": masterPassword})
	out, err := exec.Command("grep", "-rl", masterPassword, f.cfg.Dir).CombinedOutput()
	if len(out) > 0 || err == nil {
		t.Errorf("found in: %s", out)
	}
}

func TestUntrustedCertificateIsNoticed(t *testing.T) {
	f := newFixture(t)
	f.create(state.KindInstance, f.instanceInputs("shop", nil))
	f.act("certificate", props{"trusted": false})
	f.eventually("the server shows the other certificate", func() error {
		got, err := f.psql("shop", "SELECT 1")
		if err != nil && strings.Contains(err.Error(), "certificate verify failed") {
			return nil
		}
		return &state.Error{Code: "got", Message: got}
	})
	f.act("certificate", props{"trusted": true})
	f.eventually("the server shows a good certificate", func() error { _, err := f.psql("shop", "SELECT 1"); return err })
}

func TestSecurityGroupDecidesWhoConnects(t *testing.T) {
	f := newFixture(t)
	group := f.create(recorded.KindSecurityGroup, props{"name": "db"}).ID
	f.create(state.KindInstance, f.instanceInputs("shop", props{"vpcSecurityGroupIds": []string{group}}))
	f.refusesQuery("no pg_hba.conf entry")
	rule := props{"securityGroupId": group, "ipProtocol": "tcp", "fromPort": 5432, "toPort": 5432,
		"referencedSecurityGroupId": recorded.ClusterSecurityGroupID}
	id := f.create(recorded.KindIngressRule, rule).ID
	f.refusesQuery("no pg_hba.conf entry")
	f.update(recorded.KindIngressRule, id, state.Merge(rule, props{"fromPort": 5433, "toPort": 5433}))
	f.eventually("the rule lets in", func() error { _, err := f.psql("shop", "SELECT 1"); return err })
}

func TestPasswordChangesInPlace(t *testing.T) {
	f := newFixture(t)
	out := f.create(state.KindInstance, f.instanceInputs("shop", nil))
	before := f.describe("shop").PID
	inputs := f.instanceInputs("shop", props{"password": "another-password-1"})
	f.update(state.KindInstance, out.ID, inputs)
	f.mustQuery("shop", "SELECT 1", "1", "password=another-password-1")
	f.refusesQuery("password authentication failed")
	if f.describe("shop").PID != before {
		t.Error("the server was restarted")
	}
}

func TestClassWaitsForTheWindowAndThePortNever(t *testing.T) {
	f := newFixture(t)
	out := f.create(state.KindInstance, f.instanceInputs("shop", nil))
	inputs := f.instanceInputs("shop", props{"port": 6000, "instanceClass": "db.t4g.small", "applyImmediately": false})
	waiting := f.update(state.KindInstance, out.ID, inputs)
	if waiting.Outputs["port"] != 6000.0 || len(waiting.Warnings) != 1 {
		t.Errorf("port %v, warnings %q", waiting.Outputs["port"], waiting.Warnings)
	}
	f.mustQuery("shop", "SELECT inet_server_port()", "6000")
	f.mustQuery("shop", "SHOW max_connections", "112")
	f.act("maintenance", nil)
	f.mustQuery("shop", "SHOW max_connections", "225")
	inputs["port"], inputs["applyImmediately"] = 6001, true
	if out := f.update(state.KindInstance, out.ID, inputs); out.Outputs["port"] != 6001.0 {
		t.Errorf("port: %v", out.Outputs["port"])
	}
	f.mustQuery("shop", "SELECT inet_server_port()", "6001")
}

func TestStaticParametersWaitForTheReboot(t *testing.T) {
	f := newFixture(t)
	group := func(connections, duration string) props {
		return props{"name": "pg", "family": "postgres17", "parameters": []any{
			props{"name": "max_connections", "value": connections, "applyMethod": "pending-reboot"},
			props{"name": "log_min_duration_statement", "value": duration, "applyMethod": "immediate"},
			props{"name": "rds.force_ssl", "value": "1", "applyMethod": "pending-reboot"},
		}}
	}
	f.create(rds.KindParameterGroup, group("50", "500"))
	f.create(state.KindInstance, f.instanceInputs("shop", props{"parameterGroupName": "pg"}))
	f.mustQuery("shop", "SHOW max_connections", "50")
	f.mustQuery("shop", "SHOW log_min_duration_statement", "500ms")
	out := f.update(rds.KindParameterGroup, "pg", group("60", "700"))
	if len(out.Warnings) != 1 || !strings.Contains(out.Warnings[0], "max_connections takes effect at the next reboot") {
		t.Errorf("warnings: %q", out.Warnings)
	}
	f.eventually("the dynamic parameter changes", func() error {
		got, _ := f.psql("shop", "SHOW log_min_duration_statement")
		if got != "700ms" {
			return &state.Error{Code: "got", Message: got}
		}
		return nil
	})
	f.mustQuery("shop", "SHOW max_connections", "50")
	if !f.describe("shop").PendingReboot {
		t.Error("no reboot is pending")
	}
	f.act("reboot", nil)
	f.mustQuery("shop", "SHOW max_connections", "60")
	if f.describe("shop").PendingReboot {
		t.Error("a reboot is still pending")
	}
	f.refused(f.remove(rds.KindParameterGroup, "pg", nil), "InvalidDBParameterGroupState")
}

func TestForcedTLSCanBeTurnedOff(t *testing.T) {
	f := newFixture(t)
	f.create(rds.KindParameterGroup, props{"name": "pg", "family": "postgres17", "parameters": []any{
		props{"name": "rds.force_ssl", "value": "0"}}})
	f.create(state.KindInstance, f.instanceInputs("shop", props{"parameterGroupName": "pg"}))
	f.mustQuery("shop", "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", "f", "sslmode=disable")
}

func TestRowsOutliveRestartAndKill(t *testing.T) {
	f := newFixture(t)
	f.create(state.KindInstance, f.instanceInputs("shop", nil))
	f.mustQuery("shop", "CREATE TABLE items (id int); INSERT INTO items VALUES (1); SELECT count(*) FROM items", "1")
	before := f.describe("shop")
	if err := syscall.Kill(before.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	f.eventually("the server is back after a kill", func() error { _, err := f.psql("shop", "SELECT 1"); return err })
	f.mustQuery("shop", "INSERT INTO items VALUES (2); SELECT count(*) FROM items", "2")
	f.stop()
	if left := postgres.ProcessesIn(before.DataDir); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
	f.run()
	f.mustQuery("shop", "SELECT count(*) FROM items", "2")
	if after := f.describe("shop"); after.Address != before.Address || after.IP != before.IP {
		t.Errorf("address changed from %s to %s", before.Address, after.Address)
	}
}

func TestStaleLockFileIsNoObstacle(t *testing.T) {
	f := newFixture(t)
	f.create(state.KindInstance, f.instanceInputs("shop", nil))
	d := f.describe("shop")
	lock := filepath.Join(d.DataDir, "postmaster.pid")
	held, err := os.ReadFile(lock)
	if err != nil {
		t.Fatal(err)
	}
	f.stop()
	// the pid of a living process of user postgres, as it happens when pids start over
	sleeper := exec.Command("sleep", "60")
	sleeper.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: ownerOf(t, d.DataDir)}}
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = sleeper.Process.Kill(), sleeper.Wait() }()
	_, rest, _ := strings.Cut(string(held), "\n")
	if err := os.WriteFile(lock, []byte(strconv.Itoa(sleeper.Process.Pid)+"\n"+rest), 0o600); err != nil {
		t.Fatal(err)
	}
	f.run()
	f.mustQuery("shop", "SELECT 1", "1")
}

func TestServerOfAKilledAccountIsTakenDownFirst(t *testing.T) {
	f := newFixture(t)
	f.create(state.KindInstance, f.instanceInputs("shop", nil))
	d := f.describe("shop")
	f.stop()
	pg, err := postgres.Find(t.Context(), f.cfg.Checkout)
	if err != nil {
		t.Fatal(err)
	}
	left := pg.Newest().Command(context.Background(), "postgres", "-D", d.DataDir)
	if err := left.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = left.Wait(); close(ended) }()
	f.eventually("the server that is left runs", func() error {
		_, err := os.Stat(filepath.Join(d.DataDir, "postmaster.pid"))
		return err
	})
	f.run()
	<-ended
	f.mustQuery("shop", "SELECT 1", "1")
}

func TestCreationGoesOnWhenItsCallerIsGone(t *testing.T) {
	f := newFixture(t)
	inputs := f.instanceInputs("shop", nil)
	body, err := json.Marshal(Request{Region: region, Owner: "urn", Inputs: inputs})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://account/resources/"+state.KindInstance, strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		f.eventually("the creation begins", func() error { return f.is("shop", rds.StatusCreating) })
		cancel()
	}()
	if response, err := f.client.Do(req); err == nil {
		_ = response.Body.Close()
		t.Fatal("the creation was not interrupted")
	}
	made := f.describe("shop").ResourceID
	if made == "" {
		t.Fatal("the instance went with its caller")
	}
	next := f.call("POST", "/resources/"+state.KindInstance, Request{Region: region, Owner: "urn", Inputs: inputs})
	if next.Error != nil || next.ID != made {
		t.Errorf("the next run got %q, %v, want %q", next.ID, next.Error, made)
	}
	f.mustQuery("shop", "SELECT 1", "1")
}

// is says what else than that an instance is.
func (f *fixture) is(identifier, status string) error {
	f.Helper()
	if have := f.describe(identifier).Status; have != status {
		return &state.Error{Code: "status", Message: have}
	}
	return nil
}

func TestCreationGoesOnAfterAKill(t *testing.T) {
	f := newFixture(t)
	inputs := f.instanceInputs("shop", nil)
	f.stop()
	keys, err := state.OpenSealer(f.cfg.Dir)
	if err != nil {
		t.Fatal(err)
	}
	half := state.NewRecord(state.KindInstance, "db-HALF", region, "urn")
	half.Inputs = state.Merge(inputs, props{"password": nil})
	half.Sealed = keys.Seal(masterPassword)
	first, _, _ := strings.Cut(f.cfg.Networks["a"], "/")
	half.Instance = &state.Instance{Identifier: "shop", Status: rds.StatusCreating, IP: strings.TrimSuffix(first, "0") + "10", Zone: "a", Port: 5433}
	s, err := state.OpenStore(filepath.Join(f.cfg.Dir, "records"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Put(half); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"db-half/data", "db-unknown/data"} {
		if err := os.MkdirAll(filepath.Join(f.cfg.Dir, "instances", dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	f.run()
	if d := f.describe("shop"); d.ResourceID != half.ID || d.Status != rds.StatusAvailable {
		t.Errorf("the instance is %s and %s", d.ResourceID, d.Status)
	}
	f.mustQuery("shop", "SELECT 1", "1")
	if names := f.names("instances/*"); len(names) != 1 {
		t.Errorf("folders: %v", names)
	}
	f.stop()
	if s, err = state.OpenStore(filepath.Join(f.cfg.Dir, "records")); err != nil {
		t.Fatal(err)
	}
	if left := s.Get(state.KindInstance, half.ID).Sealed; left != nil {
		t.Error("the record still holds the password")
	}
	f.run()
}

func TestUnconfirmedInstanceIsTakenOverByItsOwner(t *testing.T) {
	f := newFixture(t)
	inputs := f.instanceInputs("shop", nil)
	create := func(owner string) Response {
		return f.call("POST", "/resources/"+state.KindInstance, Request{Region: region, Owner: owner, Inputs: inputs})
	}
	first := create("urn:a")
	f.mustQuery("shop", "CREATE TABLE items (id int); SELECT 1", "1")
	f.refused(create("urn:b").Error, "DBInstanceAlreadyExists")
	inputs["password"] = "the-second-password"
	second := create("urn:a")
	if second.Error != nil || second.ID != first.ID {
		t.Fatalf("got %v %s, want %s", second.Error, second.ID, first.ID)
	}
	f.mustQuery("shop", "SELECT count(*) FROM items", "0", "password=the-second-password")
	f.call("GET", "/resources/"+state.KindInstance+"?known=1&id="+first.ID, Request{})
	f.refused(create("urn:a").Error, "DBInstanceAlreadyExists")
}

func TestDeletionProtectionAndFinalSnapshot(t *testing.T) {
	f := newFixture(t)
	inputs := f.instanceInputs("shop", props{"deletionProtection": true, "skipFinalSnapshot": false})
	id := f.create(state.KindInstance, inputs).ID
	f.mustQuery("shop", "CREATE TABLE items AS SELECT 7 AS id; SELECT id FROM items", "7")
	f.refused(f.remove(state.KindInstance, id, props{}), "InvalidParameterCombination")
	inputs["deletionProtection"] = false
	f.update(state.KindInstance, id, inputs)
	f.refused(f.remove(state.KindInstance, id, props{}), "InvalidParameterCombination")
	if err := f.remove(state.KindInstance, id, props{"finalSnapshotIdentifier": "last-one"}); err != nil {
		t.Fatal(err)
	}
	if d := f.describe("shop"); d.Identifier != "" {
		t.Errorf("instance is still there: %+v", d)
	}
	f.create(state.KindInstance, f.instanceInputs("again", props{
		"snapshotIdentifier": "last-one", "password": "after-the-restore", "port": 5999, "username": nil, "dbName": nil}))
	f.mustQuery("again", "SELECT id FROM items", "7", "password=after-the-restore")
	f.refused(f.remove(state.KindInstance, "again", props{"finalSnapshotIdentifier": "last-one"}), "DBSnapshotAlreadyExists")
	f.mustQuery("again", "SELECT id FROM items", "7", "password=after-the-restore")
}

func TestSnapshotOfAWSBackupRestoresAndIsFoundByItsType(t *testing.T) {
	f := newFixture(t)
	f.create(state.KindInstance, f.instanceInputs("shop", nil))
	f.mustQuery("shop", "CREATE TABLE items AS SELECT 7 AS id; SELECT id FROM items", "7")
	const job = "be59cf2a-2343-4402-bd8b-226993d23453"
	f.act("backups", props{"job": job})
	taken := f.names("snapshots/*")
	if len(taken) != 1 || taken[0] != "awsbackup:job-"+job {
		t.Fatalf("snapshots are %v", taken)
	}
	asked := props{"dbSnapshotIdentifier": taken[0]}
	f.refused(f.call("POST", "/lookups/rds.getSnapshot", Request{Region: region, Inputs: asked}).Error, "DBSnapshotNotFound")
	found := f.call("POST", "/lookups/rds.getSnapshot", Request{Region: region, Inputs: state.Merge(asked, props{"snapshotType": "awsbackup"})})
	if found.Error != nil || found.Outputs["snapshotType"] != "awsbackup" {
		t.Errorf("found %v, %v", found.Outputs, found.Error)
	}
	f.create(state.KindInstance, f.instanceInputs("copy", props{"snapshotIdentifier": taken[0]}))
	f.mustQuery("copy", "SELECT id FROM items", "7")
	byHand := f.call("POST", "/instances/shop/snapshots", Request{Inputs: props{"snapshotIdentifier": "awsbackup:job-mine"}})
	f.refused(byHand.Error, "InvalidParameterValue")
}

func TestSnapshotOfARunningInstanceIsConsistent(t *testing.T) {
	f := newFixture(t)
	f.create(state.KindInstance, f.instanceInputs("shop", nil))
	f.mustQuery("shop", "CREATE TABLE items AS SELECT generate_series(1, 1000) AS id; SELECT count(*) FROM items", "1000")
	f.act("snapshots", props{"snapshotIdentifier": "now"})
	f.mustQuery("shop", "DELETE FROM items; SELECT count(*) FROM items", "0")
	f.create(state.KindInstance, f.instanceInputs("copy", props{"snapshotIdentifier": "now"}))
	f.mustQuery("copy", "SELECT count(*) FROM items", "1000")
	if out := f.call("DELETE", "/snapshots/now", Request{}); out.Error != nil {
		t.Fatal(out.Error)
	}
	if out := f.call("DELETE", "/snapshots/now", Request{}); out.Error == nil {
		t.Error("a snapshot could be deleted twice")
	}
}

func TestReplicaStreamsAndOutlivesItsSource(t *testing.T) {
	f := newFixture(t)
	source := f.create(state.KindInstance, f.instanceInputs("shop", nil)).ID
	f.refused(f.call("POST", "/resources/"+state.KindInstance, Request{Region: region, Inputs: props{
		"identifier": "r", "replicateSourceDb": "shop", "username": "x", "instanceClass": "db.t4g.micro"}}).Error, "InvalidParameterCombination")
	replica := f.create(state.KindInstance, props{"identifier": "shop-reader", "replicateSourceDb": "shop",
		"instanceClass": "db.t4g.micro", "skipFinalSnapshot": true, "vpcSecurityGroupIds": []string{f.openGroup()}})
	if f.describe("shop-reader").IP == f.describe("shop").IP {
		t.Error("replica and source share an address")
	}
	f.mustQuery("shop", "CREATE TABLE items AS SELECT 1 AS id; SELECT count(*) FROM items", "1")
	read := func(want string) {
		t.Helper()
		f.eventually("the replica has the row", func() error {
			got, err := f.psql("shop-reader", "SELECT count(*) FROM items")
			if err == nil && got != want {
				err = &state.Error{Code: "got", Message: got}
			}
			return err
		})
	}
	read("1")
	if _, err := f.psql("shop-reader", "INSERT INTO items VALUES (2)"); err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("a write on the replica: %v", err)
	}
	f.stop()
	f.run()
	f.mustQuery("shop", "INSERT INTO items VALUES (2); SELECT count(*) FROM items", "2")
	read("2")
	if err := f.remove(state.KindInstance, source, props{"skipFinalSnapshot": true}); err != nil {
		t.Fatal(err)
	}
	f.mustQuery("shop-reader", "INSERT INTO items VALUES (3); SELECT count(*) FROM items", "3")
	if err := f.remove(state.KindInstance, replica.ID, props{"skipFinalSnapshot": true}); err != nil {
		t.Fatal(err)
	}
}

func TestStoppedInstanceStaysStopped(t *testing.T) {
	f := newFixture(t)
	f.create(state.KindInstance, f.instanceInputs("shop", nil))
	f.act("stop", nil)
	f.refusesQuery("refused")
	f.stop()
	f.run()
	f.refusesQuery("refused")
	f.act("start", nil)
	f.mustQuery("shop", "SELECT 1", "1")
}

func TestAnotherMajorIsSaidToBeStoodInFor(t *testing.T) {
	f := newFixture(t)
	f.create(rds.KindParameterGroup, props{"name": "new", "family": "postgres18", "parameters": []any{}})
	inputs := f.instanceInputs("shop", nil)
	first := f.create(state.KindInstance, inputs)
	if len(first.Warnings) != 0 {
		t.Errorf("warnings for the major that runs: %q", first.Warnings)
	}
	f.mustQuery("shop", "SELECT current_setting('server_version_num')::int / 10000", "17")
	replica := f.create(state.KindInstance, props{"identifier": "reader", "replicateSourceDb": "shop", "instanceClass": "db.t4g.micro"}).ID
	inputs["engineVersion"], inputs["parameterGroupName"] = "18", "new"
	out := f.call("PATCH", "/resources/"+state.KindInstance+"?id="+first.ID, Request{Inputs: inputs})
	f.refused(out.Error, "InvalidParameterCombination")
	inputs["allowMajorVersionUpgrade"] = true
	out = f.update(state.KindInstance, first.ID, inputs)
	if len(out.Warnings) != 1 || !strings.Contains(out.Warnings[0], "PostgreSQL 18 was asked for, and PostgreSQL 17.") {
		t.Errorf("warnings: %q", out.Warnings)
	}
	f.mustQuery("shop", "SELECT 1", "1")
	if have := f.call("GET", "/resources/"+state.KindInstance+"?id="+replica, Request{}).Outputs["engineVersion"]; have != "18" {
		t.Errorf("the replica has version %v", have)
	}
}

func TestDataOfAnotherMajorIsNamedBeforeAnythingStarts(t *testing.T) {
	f := newFixture(t)
	f.create(state.KindInstance, f.instanceInputs("shop", nil))
	file := filepath.Join(f.describe("shop").DataDir, "PG_VERSION")
	f.stop()
	if err := os.WriteFile(file, []byte("9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Run(t.Context(), f.cfg); err == nil || !strings.Contains(err.Error(), file+" is 9, want 15 or 17: make clean") {
		t.Errorf("got %v, want the file, its version and what to do", err)
	}
}

func TestUpgradeWaitsWithItsParameterGroup(t *testing.T) {
	f := newFixture(t)
	f.create(rds.KindParameterGroup, props{"name": "old", "family": "postgres17", "parameters": []any{}})
	f.create(rds.KindParameterGroup, props{"name": "new", "family": "postgres18", "parameters": []any{}})
	id := f.create(state.KindInstance, f.instanceInputs("shop", props{"parameterGroupName": "old"})).ID
	upgraded := f.instanceInputs("shop", props{"parameterGroupName": "new", "engineVersion": "18",
		"allowMajorVersionUpgrade": true, "applyImmediately": false})
	if out := f.update(state.KindInstance, id, upgraded).Outputs; out["engineVersion"] != "17" || out["parameterGroupName"] != "old" {
		t.Errorf("before the maintenance window: %v, %v", out["engineVersion"], out["parameterGroupName"])
	}
	f.act("maintenance", nil)
	out := f.call("GET", "/resources/"+state.KindInstance+"?id="+id, Request{}).Outputs
	if out["engineVersion"] != "18" || out["parameterGroupName"] != "new" {
		t.Errorf("after the maintenance window: %v, %v", out["engineVersion"], out["parameterGroupName"])
	}
}

func TestInstanceBecomesNoReplicaLater(t *testing.T) {
	f := newFixture(t)
	f.create(state.KindInstance, f.instanceInputs("shop", nil))
	inputs := f.instanceInputs("other", nil)
	id := f.create(state.KindInstance, inputs).ID
	inputs["replicateSourceDb"] = "shop"
	out := f.call("PATCH", "/resources/"+state.KindInstance+"?id="+id, Request{Inputs: inputs})
	f.refused(out.Error, "InvalidParameterCombination")
}

func ownerOf(t *testing.T, path string) uint32 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Uid
}
