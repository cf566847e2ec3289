// Package account stands in for an AWS account on one machine: it records resources with the checks, the names and
// the refusals of AWS, and runs a real PostgreSQL for every RDS instance.
package account

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"threetier/local/internal/certificates"
	"threetier/local/internal/files"
	"threetier/local/internal/postgres"
)

// longestSocket is the kernel's limit for the path of a unix socket.
const longestSocket = 107

// Config says where the account lives and what it serves.
type Config struct {
	// Dir holds everything that outlives a restart. Required.
	Dir string
	// Socket is the unix socket of the API. Required; only root can use it.
	Socket string
	// HostsFile gets a line "address name" for every instance and load balancer, and for names that lead to one. Empty: none is written.
	HostsFile string
	// LoadBalancers are the addresses that load balancers may have.
	LoadBalancers []string
	// InUse tells whether a load balancer serves the certificate with that ARN. Default: none does.
	InUse func(arn string) bool `json:"-"`
	// Checkout is the folder whose bin/trixie runs PostgreSQL. Default: the one that the working folder is in.
	Checkout string
	// Bridge is the network interface that gets the instances' addresses. Empty: they have loopback addresses.
	Bridge string
	// MountPoint is an existing folder where the instances' folder is bind-mounted, for a Dir that user postgres can't
	// reach, as below /root. Only for a process in a mount namespace of its own. Default: with Bridge, and where it is
	// needed, /run/postgresql, which is made.
	MountPoint string
	// Networks is the network of the instances' addresses by zone letter. Default: 10.0.2.0/24 in a and 10.0.3.0/24 in
	// b, or 127.77.2.0/24 and 127.77.3.0/24 without Bridge.
	Networks map[string]string
	// ClusterCIDRs is what the cluster's security group stands for: where nodes and pods connect from. Default: the
	// VPC's 10.0.0.0/16, or 127.0.0.0/8 without Bridge.
	ClusterCIDRs []string
	// ClusterEndpoint is the URL of the API server that eks:getCluster answers with.
	ClusterEndpoint string
	// ClusterCAFile is the PEM file of the cluster's certificate authority, read at each lookup.
	ClusterCAFile string
	// Log gets what happens, never a secret. Default: nothing is logged.
	Log *slog.Logger
}

func (c *Config) setDefaults() error {
	if c.Dir == "" || c.Socket == "" {
		return errors.New("the account needs Dir and Socket")
	}
	if len(c.Socket) > longestSocket {
		return fmt.Errorf("the path of the account's socket is too long for a unix socket (%d of %d letters): %s",
			len(c.Socket), longestSocket, c.Socket)
	}
	if c.Networks == nil {
		c.Networks = map[string]string{"a": "10.0.2.0/24", "b": "10.0.3.0/24"}
		if c.Bridge == "" {
			c.Networks = map[string]string{"a": "127.77.2.0/24", "b": "127.77.3.0/24"}
		}
	}
	if c.ClusterCIDRs == nil {
		c.ClusterCIDRs = []string{vpcCIDR}
		if c.Bridge == "" {
			c.ClusterCIDRs = []string{"127.0.0.0/8"}
		}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	var err error
	if c.Checkout == "" {
		if c.Checkout, err = enclosingCheckout(); err != nil {
			return err
		}
	}
	dir, err := filepath.Abs(c.Dir)
	c.Dir = dir
	return err
}

func enclosingCheckout() (string, error) {
	working, err := os.Getwd()
	for dir := working; err == nil; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "bin/trixie")); err == nil {
			return dir, nil
		}
		if dir == "/" {
			return "", fmt.Errorf("%s is in no checkout, want Checkout", working)
		}
	}
	return "", err
}

// Account is the account while it runs.
type Account struct {
	cfg    Config
	log    *slog.Logger
	pg     *postgres.Installation
	ca     *certificates.Authority
	sealer *sealer
	suffix string // what all instances' DNS names share
	// life ends with the account. Long work lasts as long: RDS goes on too when its caller is gone.
	life context.Context

	mu      sync.Mutex // guards the records and the maps below, never held while a server works
	closing bool       // no server is started any more
	store   *store
	servers map[string]*postgres.Server // by resource id
	holds   map[string]*sync.Mutex      // by resource id: one operation at a time
}

// Run serves the account until ctx ends, then stops every server cleanly. The socket answers once every instance was
// started, or has failed to start once; those are tried again.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.setDefaults(); err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return errors.New("the account needs root, to run PostgreSQL as its own user")
	}
	for dir, mode := range map[string]os.FileMode{cfg.Dir: 0o711, filepath.Join(cfg.Dir, "instances"): 0o711} {
		if err := os.MkdirAll(dir, mode); err != nil {
			return err
		}
		if err := os.Chmod(dir, mode); err != nil {
			return err
		}
	}
	unlock, err := files.Lock(filepath.Join(cfg.Dir, "account.lock"), false)
	if err != nil {
		return fmt.Errorf("another process runs this account: %w", err)
	}
	defer unlock()
	a, err := open(ctx, cfg)
	if err != nil {
		return fmt.Errorf("open the account: %w", err)
	}
	if err := a.resume(ctx); err != nil {
		return fmt.Errorf("resume the account: %w", err)
	}
	err = a.serve(ctx)
	a.stopAll()
	return err
}

func open(ctx context.Context, cfg Config) (*Account, error) {
	a := &Account{cfg: cfg, log: cfg.Log, life: ctx, servers: map[string]*postgres.Server{}, holds: map[string]*sync.Mutex{}}
	var err error
	if a.pg, err = postgres.Find(ctx, a.cfg.Checkout); err != nil {
		return nil, err
	}
	instances := filepath.Join(cfg.Dir, "instances")
	if cfg.MountPoint == "" && cfg.Bridge != "" && a.pg.Reaches(instances) != nil {
		a.cfg.MountPoint = "/run/postgresql" // on the node, /run is its own
		if err := os.MkdirAll(a.cfg.MountPoint, 0o755); err != nil {
			return nil, err
		}
	}
	if a.cfg.MountPoint != "" {
		err := syscall.Mount(instances, a.cfg.MountPoint, "", syscall.MS_BIND, "")
		if err != nil {
			return nil, fmt.Errorf("mount the instances at %s: %w", a.cfg.MountPoint, err)
		}
	}
	if err := a.pg.Reaches(a.serverRoot()); err != nil {
		return nil, err
	}
	if a.ca, err = certificates.Open(cfg.Dir, caName); err != nil {
		return nil, err
	}
	if a.sealer, err = openSealer(cfg.Dir); err != nil {
		return nil, err
	}
	if a.suffix, err = openSuffix(filepath.Join(cfg.Dir, "suffix")); err != nil {
		return nil, err
	}
	a.store, err = openStore(filepath.Join(cfg.Dir, "records"))
	return a, err
}

// openSuffix is the part of DNS names that differs between accounts.
func openSuffix(file string) (string, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		data = []byte("c0local" + randomHex(3))
		err = files.Write(file, data, 0o600)
	}
	return strings.TrimSpace(string(data)), err
}

// serverRoot is the instances' folder as user postgres reaches it.
func (a *Account) serverRoot() string {
	if a.cfg.MountPoint != "" {
		return a.cfg.MountPoint
	}
	return filepath.Join(a.cfg.Dir, "instances")
}

// resume finishes or undoes what was interrupted, then starts the servers, replicas after what they follow.
func (a *Account) resume(ctx context.Context) error {
	if err := a.tidy(); err != nil {
		return err
	}
	if err := a.pg.CanRead(filepath.Join(a.cfg.Dir, "instances")); err != nil {
		return err
	}
	var replicas []*record
	var wait sync.WaitGroup
	for _, rec := range a.store.all(kindInstance) {
		switch {
		case rec.Instance.Status == statusStopped:
		case rec.Instance.Source != "":
			replicas = append(replicas, rec)
		default:
			wait.Go(func() { a.bringUp(ctx, rec) })
		}
	}
	wait.Wait()
	for _, rec := range replicas {
		wait.Go(func() { a.bringUp(ctx, rec) })
	}
	wait.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.writeHosts()
}

// bringUp starts an instance, or goes on with its creation.
func (a *Account) bringUp(ctx context.Context, rec *record) {
	if rec.Instance.Status != statusCreating {
		a.startOrRetry(ctx, rec)
		return
	}
	if _, err := a.finishCreation(rec); err != nil {
		a.log.Error("instance can't be finished", "instance", rec.Instance.Identifier, "error", err)
	}
}

func (a *Account) startOrRetry(ctx context.Context, rec *record) {
	err := a.startInstance(ctx, rec)
	if err == nil {
		return
	}
	a.log.Error("instance doesn't start, trying again", "instance", rec.Instance.Identifier, "error", err)
	go func() {
		for wait := time.Second; err != nil; wait = min(wait*2, postgres.LongestBackoff) {
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
			release := a.hold(rec)
			if err = nil; a.wanted(rec) {
				err = a.startInstance(ctx, rec)
			}
			release()
		}
	}()
}

// wanted is false for an instance that was deleted, stopped or started meanwhile.
func (a *Account) wanted(rec *record) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.store.get(kindInstance, rec.ID) == rec && rec.Instance.Status == statusAvailable && !a.server(rec).Running()
}

func (a *Account) stopAll() {
	a.mu.Lock()
	a.closing = true
	running := maps.Clone(a.servers)
	a.mu.Unlock()
	var wait sync.WaitGroup
	for _, srv := range running {
		wait.Go(srv.Stop)
	}
	wait.Wait()
	if a.cfg.MountPoint != "" {
		if err := syscall.Unmount(a.cfg.MountPoint, syscall.MNT_DETACH); err != nil {
			a.log.Warn("instances stay mounted", "error", err)
		}
	}
}

// hold makes operations on one instance wait for each other.
func (a *Account) hold(rec *record) (release func()) {
	a.mu.Lock()
	if a.holds[rec.ID] == nil {
		a.holds[rec.ID] = &sync.Mutex{}
	}
	held := a.holds[rec.ID]
	a.mu.Unlock()
	held.Lock()
	return held.Unlock
}
