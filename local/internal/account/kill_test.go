package account

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"threetier/local/internal/account/rds"
	"threetier/local/internal/account/state"
)

// asAccount marks the process that is an account and nothing else, with its configuration.
const asAccount = "THREETIER_TEST_ACCOUNT"

func TestMain(m *testing.M) {
	encoded := os.Getenv(asAccount)
	if encoded == "" {
		os.Exit(m.Run())
	}
	var cfg Config
	if err := json.Unmarshal([]byte(encoded), &cfg); err != nil {
		panic(err)
	}
	if err := Run(context.Background(), cfg); err != nil {
		panic(err)
	}
}

// TestAccountSurvivesKillsAtAnyMoment kills the account's process, with the servers left behind, while it creates,
// modifies and deletes. What was answered is there again, what was begun goes on.
func TestAccountSurvivesKillsAtAnyMoment(t *testing.T) {
	f := newFixture(t)
	keeper := f.instanceInputs("keeper", nil)
	id := f.create(state.KindInstance, keeper).ID
	f.mustQuery("keeper", "CREATE TABLE items AS SELECT 1 AS id; SELECT count(*) FROM items", "1")
	coming := f.instanceInputs("coming", props{"finalSnapshotIdentifier": "last", "skipFinalSnapshot": false})
	steps := []func(){
		func() { f.try("POST", "/resources/"+state.KindInstance, coming) },
		func() {
			f.try("PATCH", "/resources/"+state.KindInstance+"?id="+id, state.Merge(keeper, props{"port": 5000 + rand.N(1000)}))
		},
		func() { f.try("POST", "/instances/keeper/snapshots", props{"snapshotIdentifier": "copy"}) },
		func() { f.try("DELETE", "/resources/"+state.KindInstance+"?id=coming", coming) },
	}
	f.stop()
	for round := range 12 {
		process := f.spawn()
		done := make(chan struct{})
		go func() { defer close(done); steps[round%len(steps)]() }()
		time.Sleep(time.Duration(10+rand.N(1500)) * time.Millisecond)
		if err := process.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = process.Wait() // it was killed
		<-done
	}
	f.run()
	f.mustQuery("keeper", "SELECT count(*) FROM items", "1")
	if d := f.describe("coming"); d.Identifier != "" && d.Status != rds.StatusAvailable {
		t.Errorf("an instance is left %s", d.Status)
	}
	if f.describe("coming").Identifier == "" {
		f.call("DELETE", "/snapshots/last", Request{})
		f.create(state.KindInstance, coming)
	}
	f.mustQuery("coming", "SELECT 1", "1")
	for _, name := range f.names("snapshots/*") {
		if _, err := os.Stat(filepath.Join(f.cfg.Dir, "snapshots", name, "data", "PG_VERSION")); err != nil {
			t.Errorf("snapshot %s isn't whole: %v", name, err)
		}
	}
	if have := f.names("instances/*"); len(have) != 2 {
		t.Errorf("folders: %v", have)
	}
}

func (f *fixture) names(pattern string) []string {
	paths, err := filepath.Glob(filepath.Join(f.cfg.Dir, pattern))
	if err != nil {
		f.Fatal(err)
	}
	for i := range paths {
		paths[i] = filepath.Base(paths[i])
	}
	return paths
}

// spawn runs the account as a process of its own.
func (f *fixture) spawn() *exec.Cmd {
	f.Helper()
	cfg := f.cfg
	cfg.Log = nil
	encoded, err := json.Marshal(cfg)
	if err != nil {
		f.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asAccount+"="+string(encoded))
	cmd.Stderr = os.Stderr
	if err := os.Remove(f.cfg.Socket); err != nil && !os.IsNotExist(err) {
		f.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		f.Fatal(err)
	}
	f.eventually("the process opens the account", func() error {
		response, err := f.client.Get("http://account/instances")
		if err == nil {
			_ = response.Body.Close()
		}
		return err
	})
	return cmd
}

// try makes a call that may never be answered.
func (f *fixture) try(method, path string, inputs props) {
	body, err := json.Marshal(Request{Region: region, Owner: "urn", Inputs: inputs})
	if err != nil {
		return
	}
	req, err := http.NewRequest(method, "http://account"+path, strings.NewReader(string(body)))
	if err != nil {
		return
	}
	if response, err := f.client.Do(req); err == nil {
		_ = response.Body.Close()
	}
}
