// Package rds does what RDS does: what it refuses, restarts for, keeps for the maintenance window and does by itself. It
// runs a real PostgreSQL for every instance.
package rds

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"threetier/local/internal/account/state"
	"threetier/local/internal/certificates"
	"threetier/local/internal/files"
	"threetier/local/internal/postgres"
)

// Config says where the instances live. The fields are those of the account's Config.
type Config struct {
	Dir, Checkout, Bridge, MountPoint string
	Networks                          map[string]string
	ClusterCIDRs                      []string
}

// Service is RDS while it runs.
type Service struct {
	*state.Shared
	cfg Config
	// writeHosts tells the DNS server that an instance came or went.
	writeHosts func() error
	majors     postgres.Majors
	ca         *certificates.Authority
	suffix     string // what all instances' DNS names share
	// life ends with the account. Long work lasts as long: RDS goes on too when its caller is gone.
	life context.Context

	closing bool                        // no server is started any more
	servers map[string]*postgres.Server // by resource id
	holds   map[string]*sync.Mutex      // by resource id: one operation at a time
}

// Open finds PostgreSQL, and makes what all instances share.
func Open(ctx context.Context, cfg Config, all *state.Shared, writeHosts func() error) (*Service, error) {
	a := &Service{Shared: all, cfg: cfg, writeHosts: writeHosts, life: ctx,
		servers: map[string]*postgres.Server{}, holds: map[string]*sync.Mutex{}}
	var err error
	if a.majors, err = postgres.Find(ctx, a.cfg.Checkout); err != nil {
		return nil, err
	}
	instances := filepath.Join(cfg.Dir, "instances")
	if cfg.MountPoint == "" && cfg.Bridge != "" && a.majors.Newest().Reaches(instances) != nil {
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
	if err := a.majors.Newest().Reaches(a.serverRoot()); err != nil {
		return nil, err
	}
	if a.ca, err = certificates.Open(cfg.Dir, caName); err != nil {
		return nil, err
	}
	a.suffix, err = openSuffix(filepath.Join(cfg.Dir, "suffix"))
	return a, err
}

// openSuffix is the part of DNS names that differs between accounts.
func openSuffix(file string) (string, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		data = []byte("c0local" + state.RandomHex(3))
		err = files.Write(file, data, 0o600)
	}
	return strings.TrimSpace(string(data)), err
}

// serverRoot is the instances' folder as user postgres reaches it.
func (a *Service) serverRoot() string {
	if a.cfg.MountPoint != "" {
		return a.cfg.MountPoint
	}
	return filepath.Join(a.cfg.Dir, "instances")
}

// Resume finishes or undoes what was interrupted, then starts the servers, replicas after what they follow.
func (a *Service) Resume(ctx context.Context) error {
	if err := a.tidy(); err != nil {
		return err
	}
	if err := a.majors.CanRead(filepath.Join(a.cfg.Dir, "instances")); err != nil {
		return err
	}
	var replicas []*state.Record
	var wait sync.WaitGroup
	for _, rec := range a.Store.All(state.KindInstance) {
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
	return nil
}

// bringUp starts an instance, or goes on with its creation.
func (a *Service) bringUp(ctx context.Context, rec *state.Record) {
	if rec.Instance.Status != StatusCreating {
		a.startOrRetry(ctx, rec)
		return
	}
	if _, err := a.finishCreation(rec); err != nil {
		a.Log.Error("instance can't be finished", "instance", rec.Instance.Identifier, "error", err)
	}
}

func (a *Service) startOrRetry(ctx context.Context, rec *state.Record) {
	err := a.startInstance(ctx, rec)
	if err == nil {
		return
	}
	a.Log.Error("instance doesn't start, trying again", "instance", rec.Instance.Identifier, "error", err)
	go func() {
		for wait := time.Second; err != nil; wait = min(wait*2, postgres.LongestBackoff) {
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
			release := a.Hold(rec)
			if err = nil; a.wanted(rec) {
				err = a.startInstance(ctx, rec)
			}
			release()
		}
	}()
}

// wanted is false for an instance that was deleted, stopped or started meanwhile.
func (a *Service) wanted(rec *state.Record) bool {
	a.Mu.Lock()
	defer a.Mu.Unlock()
	return a.Store.Get(state.KindInstance, rec.ID) == rec && rec.Instance.Status == StatusAvailable && !a.server(rec).Running()
}

func (a *Service) StopAll() {
	a.Mu.Lock()
	a.closing = true
	running := maps.Clone(a.servers)
	a.Mu.Unlock()
	var wait sync.WaitGroup
	for _, srv := range running {
		wait.Go(srv.Stop)
	}
	wait.Wait()
	if a.cfg.MountPoint != "" {
		if err := syscall.Unmount(a.cfg.MountPoint, syscall.MNT_DETACH); err != nil {
			a.Log.Warn("instances stay mounted", "error", err)
		}
	}
}

// Hold makes operations on one instance wait for each other.
func (a *Service) Hold(rec *state.Record) (release func()) {
	a.Mu.Lock()
	if a.holds[rec.ID] == nil {
		a.holds[rec.ID] = &sync.Mutex{}
	}
	held := a.holds[rec.ID]
	a.Mu.Unlock()
	held.Lock()
	return held.Unlock
}

// Kinds are RDS's types of resources.
func (a *Service) Kinds() map[string]state.Kind {
	return map[string]state.Kind{
		state.KindInstance: state.NewKind(a, "identifier", (*Service).createInstance, (*Service).modifyInstance,
			(*Service).deleteInstance).LocksItself(),
		KindSubnetGroup:       state.NewKind(a, "name", createSubnetGroup, updateSubnetGroup, removeSubnetGroup),
		KindParameterGroup:    state.NewKind(a, "name", createParameterGroup, updateParameterGroup, removeParameterGroup),
		KindEventSubscription: state.NewKind(a, "name", createEventSubscription, updateEventSubscription),
	}
}

// Actions are what somebody can do with an instance who isn't the program.
func (a *Service) Actions() map[string]func(*state.Call, *state.Record) error {
	return map[string]func(*state.Call, *state.Record) error{
		"reboot": a.reboot, "stop": a.stopInstance, "start": a.startStopped, "maintenance": a.maintain,
		"snapshots": a.takeSnapshot, "backups": a.takeBackup, "certificate": a.swapCertificate, "storage": a.grow,
	}
}

// Lookups are RDS's.
func (a *Service) Lookups() map[string]func(*state.Call) (map[string]any, error) {
	return map[string]func(*state.Call) (map[string]any, error){
		"rds.getInstances": a.getInstances, "rds.getInstance": a.getInstance, "rds.getSnapshot": a.getSnapshot,
		"rds.getEngineVersion": getEngineVersion, "rds.getOrderableDbInstance": getOrderableDbInstance,
	}
}
