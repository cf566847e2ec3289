package account

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"threetier/local/internal/account/rds"
	"threetier/local/internal/account/recorded"
	"threetier/local/internal/account/state"
	"threetier/local/internal/skip"
)

const (
	region         = "eu-west-1"
	masterPassword = "correct-horse-battery"
)

// fixture is an account on loopback addresses that a test can stop and run again.
type fixture struct {
	*testing.T
	cfg    Config
	client *http.Client
	cancel context.CancelFunc
	done   chan error
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	t.Parallel()
	if os.Geteuid() != 0 {
		skip.Test(t, "root, to run PostgreSQL as its own user")
	}
	checkout, err := enclosingCheckout()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "account-") // t.TempDir is closed to other users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	// networks of their own keep packages that test at the same time apart
	block := fmt.Sprintf("127.%d.%d", 1+rand.N(200), rand.N(250))
	f := &fixture{T: t, cfg: Config{
		Checkout: checkout, Dir: dir, Socket: filepath.Join(dir, "api.sock"), HostsFile: filepath.Join(dir, "hosts"),
		ClusterEndpoint: "https://10.0.0.10:6443", ClusterCAFile: filepath.Join(dir, "cluster.pem"), // which isn't there yet
		Networks: map[string]string{"a": block + ".0/25", "b": block + ".128/25"},
	}}
	if testing.Verbose() {
		f.cfg.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	f.client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", f.cfg.Socket)
		}}}
	f.run()
	t.Cleanup(f.stop)
	return f
}

func (f *fixture) run() {
	f.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	f.cancel, f.done = cancel, make(chan error, 1)
	go func() { f.done <- Run(ctx, f.cfg) }()
	f.eventually("the account opens", func() error {
		select {
		case err := <-f.done:
			f.cancel = nil // there is nothing left to stop
			f.Fatal("account ended: ", err)
		default:
		}
		response, err := f.client.Get("http://account/instances")
		if err == nil {
			_ = response.Body.Close()
		}
		return err
	})
}

func (f *fixture) stop() {
	if f.cancel == nil {
		return
	}
	f.cancel()
	if err := <-f.done; err != nil {
		f.Error("account ended with: ", err)
	}
	f.cancel = nil
	_ = os.Remove(f.cfg.Socket)
}

func (f *fixture) eventually(what string, try func() error) {
	f.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			f.Fatalf("%s: still not after 30 s: %v", what, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

type props = map[string]any

func (f *fixture) call(method, path string, request Request) Response {
	f.Helper()
	body, err := json.Marshal(request)
	if err != nil {
		f.Fatal(err)
	}
	req, err := http.NewRequest(method, "http://account"+path, bytes.NewReader(body))
	if err != nil {
		f.Fatal(err)
	}
	response, err := f.client.Do(req)
	if err != nil {
		f.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var out Response
	if err := json.NewDecoder(response.Body).Decode(&out); err != nil {
		f.Fatal(err)
	}
	return out
}

// Create fails the test where the account refuses.
func (f *fixture) create(kind string, inputs props) Response {
	f.Helper()
	out := f.call("POST", "/resources/"+kind, Request{Region: region, Inputs: inputs})
	if out.Error != nil {
		f.Fatalf("create %s: %v", kind, out.Error)
	}
	return out
}

func (f *fixture) update(kind, id string, inputs props) Response {
	f.Helper()
	out := f.call("PATCH", "/resources/"+kind+"?id="+url.QueryEscape(id), Request{Inputs: inputs})
	if out.Error != nil {
		f.Fatalf("update %s: %v", kind, out.Error)
	}
	return out
}

func (f *fixture) remove(kind, id string, inputs props) *state.Error {
	f.Helper()
	return f.call("DELETE", "/resources/"+kind+"?id="+url.QueryEscape(id), Request{Inputs: inputs}).Error
}

// act is what the node's own tools can do with the instance shop.
func (f *fixture) act(action string, inputs props) {
	f.Helper()
	if out := f.call("POST", "/instances/shop/"+action, Request{Inputs: inputs}); out.Error != nil {
		f.Fatalf("%s: %v", action, out.Error)
	}
}

func (f *fixture) describe(identifier string) rds.Description {
	f.Helper()
	response, err := f.client.Get("http://account/instances")
	if err != nil {
		f.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var all []rds.Description
	if err := json.NewDecoder(response.Body).Decode(&all); err != nil {
		f.Fatal(err)
	}
	for _, one := range all {
		if one.Identifier == identifier {
			return one
		}
	}
	return rds.Description{}
}

// refused fails the test unless the code is the one wanted.
func (f *fixture) refused(err *state.Error, code string) {
	f.Helper()
	if err == nil || err.Code != code {
		f.Fatalf("got %v, want a refusal with %s", err, code)
	}
}

// openGroup is a security group that lets everyone on loopback reach every port.
func (f *fixture) openGroup() string {
	f.Helper()
	group := f.create(recorded.KindSecurityGroup, props{"name": "db-" + strconv.Itoa(rand.N(1<<30))}).ID
	f.create(recorded.KindIngressRule, props{"securityGroupId": group, "ipProtocol": "-1", "referencedSecurityGroupId": recorded.ClusterSecurityGroupID})
	return group
}

func (f *fixture) instanceInputs(identifier string, more props) props {
	f.Helper()
	return state.Merge(props{
		"identifier": identifier, "engine": "postgres", "engineVersion": "17", "instanceClass": "db.t4g.micro",
		"allocatedStorage": 20, "dbName": "app", "username": "app_admin", "password": masterPassword, "port": 5433,
		"backupRetentionPeriod": 1, "skipFinalSnapshot": true, "applyImmediately": true,
		"vpcSecurityGroupIds": []string{f.openGroup()},
	}, more)
}

// psql runs one statement as the master user, over TLS that is verified to the end unless told otherwise.
func (f *fixture) psql(identifier, sql string, conninfo ...string) (string, error) {
	f.Helper()
	d := f.describe(identifier)
	parts := []string{"host=" + d.Address, "hostaddr=" + d.IP, "port=" + strconv.Itoa(d.Port), "dbname=app",
		"user=app_admin", "password=" + masterPassword, "sslmode=verify-full", "connect_timeout=5",
		"sslrootcert=" + filepath.Join(f.cfg.Dir, "ca.pem")}
	cmd := exec.Command("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", strings.Join(append(parts, conninfo...), " "), "-c", sql)
	out, err := cmd.CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return text, fmt.Errorf("%w: %s", err, text)
	}
	return text, nil
}

func (f *fixture) mustQuery(identifier, sql, want string, conninfo ...string) {
	f.Helper()
	got, err := f.psql(identifier, sql, conninfo...)
	if err != nil || got != want {
		f.Fatalf("%s: got %q and error %v, want %q", sql, got, err, want)
	}
}

func (f *fixture) refusesQuery(reason string, conninfo ...string) {
	f.Helper()
	got, err := f.psql("shop", "SELECT 1", conninfo...)
	if err == nil || !strings.Contains(err.Error(), reason) {
		f.Fatalf("got %q and error %v, want an error with %q", got, err, reason)
	}
}
