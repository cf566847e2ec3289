package rds

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"threetier/local/internal/account/state"
	"threetier/local/internal/certificates"
	"threetier/local/internal/postgres"
)

const (
	caName              = "threetier local RDS root CA"
	certificateLifetime = 365 * 24 * time.Hour
	// certificateRenewal is how long before its end a certificate is replaced, at the server's next start.
	certificateRenewal = 60 * 24 * time.Hour
)

// CA is the PEM of the authority that signs the certificates of the account kept in dir. It is created where it is
// absent, also before the account ever ran.
func CA(dir string) (string, error) {
	authority, err := certificates.Open(dir, caName)
	if err != nil {
		return "", err
	}
	return string(authority.PEM), nil
}

func (a *Service) instanceDir(rec *state.Record) string {
	return filepath.Join(a.cfg.Dir, "instances", folder(rec))
}

func folder(rec *state.Record) string { return strings.ToLower(rec.ID) }

func (a *Service) serverOf(rec *state.Record) *postgres.Server {
	a.Mu.Lock()
	defer a.Mu.Unlock()
	return a.server(rec)
}

// server is the instance's, running or not. The caller holds a.Mu.
func (a *Service) server(rec *state.Record) *postgres.Server {
	srv := a.servers[rec.ID]
	if srv == nil {
		srv = a.majors.Server(majorOf(a.versionOf(rec)), a.instanceDir(rec), filepath.Join(a.serverRoot(), folder(rec)),
			a.Log.With("instance", rec.Instance.Identifier))
		a.servers[rec.ID] = srv
	}
	return srv
}

// configure writes everything that the server reads at its start. It returns the parameters that this PostgreSQL can't do.
// The caller holds a.Mu.
func (a *Service) configure(rec *state.Record) (missing []string, err error) {
	settings := &postgres.Settings{
		Name: rec.Instance.Identifier, Address: rec.Instance.IP, Port: rec.Instance.Port,
		Connections: defaultConnections(state.Text(rec.Inputs, "instanceClass")), Parameters: a.parameters(rec),
		Clients: a.sources(rec), ForceTLS: a.forcesTLS(rec),
	}
	if source := a.Store.Get(state.KindInstance, rec.Instance.Source); source != nil {
		settings.Follows, settings.FollowsPort = a.server(source), source.Instance.Port
		settings.LeastConnections = a.connections(source)
	}
	srv := a.server(rec)
	if settings.Certificate, settings.Key, err = a.certify(rec, srv.Certificate()); err != nil {
		return nil, err
	}
	return srv.Configure(settings)
}

// parameters are the values in effect, with RDS's formulas worked out for the instance.
func (a *Service) parameters(rec *state.Record) map[string]string {
	out := map[string]string{}
	for name, value := range rec.Instance.Applied {
		worked, err := evaluate(value, variables(rec))
		if err != nil { // checked when the parameter group was made
			worked = value
		}
		out[name] = worked
	}
	return out
}

// connections is the instance's max_connections.
func (a *Service) connections(rec *state.Record) int {
	if n, err := strconv.Atoi(a.parameters(rec)["max_connections"]); err == nil {
		return n
	}
	return defaultConnections(state.Text(rec.Inputs, "instanceClass"))
}

// forcesTLS follows RDS: on by default since PostgreSQL 15.
func (a *Service) forcesTLS(rec *state.Record) bool {
	if value, set := rec.Instance.Applied["rds.force_ssl"]; set {
		return value == "1"
	}
	return majorOf(state.Text(rec.Inputs, "engineVersion")) >= 15
}

// certify issues nothing where the certificate is still good, so that a restart changes nothing.
func (a *Service) certify(rec *state.Record, have []byte) (certPEM, keyPEM []byte, err error) {
	name, issuer := a.DNSName(rec), a.ca
	switch {
	case rec.Instance.Untrusted:
		if issuer, err = certificates.New("an authority that nobody trusts"); err != nil {
			return nil, nil, err
		}
	case issuer.Usable(have, name, certificateRenewal):
		return nil, nil, nil
	}
	certPEM, keyPEM, err = issuer.Issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: name[:min(len(name), 64)]},
		DNSNames:    []string{name},
		NotAfter:    time.Now().Add(certificateLifetime),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	return slices.Concat(certPEM, issuer.PEM), keyPEM, err
}

// startInstance brings up the address and the server, whose data it first brings to the instance's major.
func (a *Service) startInstance(ctx context.Context, rec *state.Record) error {
	a.Mu.Lock()
	if a.closing {
		a.Mu.Unlock()
		return postgres.ErrStopped
	}
	srv := a.server(rec)
	port, ip := rec.Instance.Port, rec.Instance.IP
	a.Mu.Unlock()
	if err := a.addAddress(ip); err != nil {
		return err
	}
	outgrown := a.outgrown(rec)
	if outgrown {
		if err := a.upgrade(ctx, rec, srv); err != nil {
			return err
		}
	}
	a.Mu.Lock()
	_, err := a.configure(rec)
	a.Mu.Unlock()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := srv.Start(ctx, port); err != nil {
		return err
	}
	a.Log.Info("PostgreSQL is ready", "instance", rec.Instance.Identifier, "address", ip+":"+strconv.Itoa(port),
		"took", time.Since(began).Round(time.Millisecond))
	a.dropSlots(ctx, rec)
	if outgrown && rec.Instance.Source == "" {
		return srv.GiveExtensions(ctx, state.Text(rec.Inputs, "username"))
	}
	return nil
}

// outgrown tells whether the instance's data is of an older major than the instance.
func (a *Service) outgrown(rec *state.Record) bool {
	a.Mu.Lock()
	defer a.Mu.Unlock()
	return a.server(rec).Upgrades(majorOf(a.versionOf(rec)))
}

// upgrade gives a replica the data of its source again, which comes first.
func (a *Service) upgrade(ctx context.Context, rec *state.Record, srv *postgres.Server) error {
	a.Mu.Lock()
	major, source := majorOf(a.versionOf(rec)), a.Store.Get(state.KindInstance, rec.Instance.Source)
	a.Mu.Unlock()
	began := time.Now()
	var err error
	if source == nil {
		err = srv.Upgrade(ctx, major, rec.Instance.Port)
	} else if err = os.RemoveAll(srv.Data()); err == nil {
		err = srv.Replicate(ctx, a.serverOf(source))
	}
	if err == nil {
		a.Log.Info("PostgreSQL is upgraded", "instance", rec.Instance.Identifier, "to", srv.Version(), "took", time.Since(began).Round(time.Millisecond))
	}
	return err
}

func (a *Service) restartInstance(ctx context.Context, rec *state.Record) error {
	a.serverOf(rec).Stop()
	return a.startInstance(ctx, rec)
}

func (a *Service) replicasOf(rec *state.Record) []*state.Record {
	a.Mu.Lock()
	defer a.Mu.Unlock()
	return a.replicas(rec)
}

// replicas needs a.Mu held.
func (a *Service) replicas(rec *state.Record) []*state.Record {
	var out []*state.Record
	for _, other := range a.Store.All(state.KindInstance) {
		if other.Instance.Source == rec.ID {
			out = append(out, other)
		}
	}
	return out
}

// promote makes a replica an instance of its own.
func (a *Service) promote(ctx context.Context, rec *state.Record) error {
	if err := a.serverOf(rec).Promote(ctx); err != nil {
		return err
	}
	a.Mu.Lock()
	source := a.Store.Get(state.KindInstance, rec.Instance.Source)
	rec.Instance.Source = ""
	delete(rec.Inputs, "replicateSourceDb")
	err := a.Store.Put(rec)
	if err == nil {
		err = a.Refresh(nil, rec)
	}
	a.Mu.Unlock()
	if err == nil {
		a.dropSlots(ctx, source)
	}
	return err
}

// dropSlots frees the log that a source keeps for replicas that are no more. A source that is down does so when it
// starts.
func (a *Service) dropSlots(ctx context.Context, source *state.Record) {
	if source == nil {
		return
	}
	a.Mu.Lock()
	srv := a.server(source)
	var replicas []*postgres.Server
	for _, rec := range a.replicas(source) {
		replicas = append(replicas, a.server(rec))
	}
	a.Mu.Unlock()
	if !srv.Running() {
		return
	}
	if err := srv.DropSlots(ctx, replicas); err != nil {
		a.Log.Warn("a replication slot stays", "error", err)
	}
}

// followers point the replicas at what they follow, after its port has changed.
func (a *Service) followers(rec *state.Record) error {
	a.Mu.Lock()
	defer a.Mu.Unlock()
	for _, replica := range a.replicas(rec) {
		if err := a.Refresh(nil, replica); err != nil {
			return err
		}
	}
	return nil
}

// swapCertificate gives the server a certificate of an authority that nobody trusts, or a good one again: to test
// that clients verify.
func (a *Service) swapCertificate(c *state.Call, rec *state.Record) error {
	defer a.Hold(rec)()
	a.Mu.Lock()
	defer a.Mu.Unlock()
	rec.Instance.Untrusted = state.Fallback(c.Inputs, "trusted", true) == false
	if err := a.Store.Put(rec); err != nil {
		return err
	}
	return a.Refresh(c, rec)
}
