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

	"threetier/local/internal/account/rds"
	"threetier/local/internal/account/recorded"
	"threetier/local/internal/account/state"
	"threetier/local/internal/files"
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
		c.ClusterCIDRs = []string{recorded.VPCCIDR}
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
	if err := a.rds.Resume(ctx); err != nil {
		return fmt.Errorf("resume the account: %w", err)
	}
	a.Mu.Lock()
	err = a.writeHosts()
	a.Mu.Unlock()
	if err == nil {
		err = a.serve(ctx)
	}
	a.rds.StopAll()
	return err
}

// Account is the account while it runs.
type Account struct {
	*state.Shared
	cfg   Config
	rds   *rds.Service
	kinds map[string]state.Kind
}

func open(ctx context.Context, cfg Config) (*Account, error) {
	all, err := state.Open(cfg.Dir, cfg.Log)
	if err != nil {
		return nil, err
	}
	a := &Account{Shared: all, cfg: cfg}
	a.rds, err = rds.Open(ctx, rds.Config{Dir: cfg.Dir, Checkout: cfg.Checkout, Bridge: cfg.Bridge, MountPoint: cfg.MountPoint,
		Networks: cfg.Networks, ClusterCIDRs: cfg.ClusterCIDRs}, all, a.writeHosts)
	if err != nil {
		return nil, err
	}
	a.kinds = a.names()
	maps.Copy(a.kinds, a.platform())
	maps.Copy(a.kinds, recorded.Kinds(all))
	maps.Copy(a.kinds, a.rds.Kinds())
	return a, nil
}
