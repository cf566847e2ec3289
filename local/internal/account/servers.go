package account

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

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

func (a *service) instanceDir(rec *record) string {
	return filepath.Join(a.cfg.Dir, "instances", folder(rec))
}

func folder(rec *record) string { return strings.ToLower(rec.ID) }

func (a *service) serverOf(rec *record) *postgres.Server {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.server(rec)
}

// server is the instance's, running or not. The caller holds a.mu.
func (a *service) server(rec *record) *postgres.Server {
	srv := a.servers[rec.ID]
	if srv == nil {
		srv = a.pg.Server(a.instanceDir(rec), filepath.Join(a.serverRoot(), folder(rec)),
			a.log.With("instance", rec.Instance.Identifier))
		a.servers[rec.ID] = srv
	}
	return srv
}

// configure writes all that the server reads at its start. It returns the parameters that this PostgreSQL can't do.
// The caller holds a.mu.
func (a *service) configure(rec *record) (missing []string, err error) {
	settings := &postgres.Settings{
		Name: rec.Instance.Identifier, Address: rec.Instance.IP, Port: rec.Instance.Port,
		Connections: defaultConnections(text(rec.Inputs, "instanceClass")), Parameters: a.parameters(rec),
		Clients: a.sources(rec), ForceTLS: a.forcesTLS(rec),
	}
	if source := a.store.get(kindInstance, rec.Instance.Source); source != nil {
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
func (a *service) parameters(rec *record) map[string]string {
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
func (a *service) connections(rec *record) int {
	if n, err := strconv.Atoi(a.parameters(rec)["max_connections"]); err == nil {
		return n
	}
	return defaultConnections(text(rec.Inputs, "instanceClass"))
}

// forcesTLS follows RDS: on by default since PostgreSQL 15.
func (a *service) forcesTLS(rec *record) bool {
	if value, set := rec.Instance.Applied["rds.force_ssl"]; set {
		return value == "1"
	}
	return majorOf(text(rec.Inputs, "engineVersion")) >= 15
}

// certify issues nothing where the certificate is still good, so that a restart changes nothing.
func (a *service) certify(rec *record, have []byte) (certPEM, keyPEM []byte, err error) {
	name, issuer := a.dnsName(rec), a.ca
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

// startInstance brings up the address and the server.
func (a *service) startInstance(ctx context.Context, rec *record) error {
	a.mu.Lock()
	if a.closing {
		a.mu.Unlock()
		return postgres.ErrStopped
	}
	_, err := a.configure(rec)
	srv := a.server(rec)
	port, ip := rec.Instance.Port, rec.Instance.IP
	a.mu.Unlock()
	if err != nil {
		return err
	}
	if err := a.addAddress(ip); err != nil {
		return err
	}
	began := time.Now()
	if err := srv.Start(ctx, port); err != nil {
		return err
	}
	a.log.Info("PostgreSQL is ready", "instance", rec.Instance.Identifier, "address", ip+":"+strconv.Itoa(port),
		"took", time.Since(began).Round(time.Millisecond))
	a.dropSlots(ctx, rec)
	return nil
}

func (a *service) restartInstance(ctx context.Context, rec *record) error {
	a.serverOf(rec).Stop()
	return a.startInstance(ctx, rec)
}

func (a *service) replicasOf(rec *record) []*record {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.replicas(rec)
}

// replicas needs a.mu held.
func (a *service) replicas(rec *record) []*record {
	var out []*record
	for _, other := range a.store.all(kindInstance) {
		if other.Instance.Source == rec.ID {
			out = append(out, other)
		}
	}
	return out
}

// promote makes a replica an instance of its own.
func (a *service) promote(ctx context.Context, rec *record) error {
	if err := a.serverOf(rec).Promote(ctx); err != nil {
		return err
	}
	a.mu.Lock()
	source := a.store.get(kindInstance, rec.Instance.Source)
	rec.Instance.Source = ""
	delete(rec.Inputs, "replicateSourceDb")
	err := a.store.put(rec)
	if err == nil {
		err = a.refresh(nil, rec)
	}
	a.mu.Unlock()
	if err == nil {
		a.dropSlots(ctx, source)
	}
	return err
}

// dropSlots frees the log that a source keeps for replicas that are no more. A source that is down does so when it
// starts.
func (a *service) dropSlots(ctx context.Context, source *record) {
	if source == nil {
		return
	}
	a.mu.Lock()
	srv := a.server(source)
	var replicas []*postgres.Server
	for _, rec := range a.replicas(source) {
		replicas = append(replicas, a.server(rec))
	}
	a.mu.Unlock()
	if !srv.Running() {
		return
	}
	if err := srv.DropSlots(ctx, replicas); err != nil {
		a.log.Warn("a replication slot stays", "error", err)
	}
}

// followers point the replicas at what they follow, after its port has changed.
func (a *service) followers(rec *record) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, replica := range a.replicas(rec) {
		if err := a.refresh(nil, replica); err != nil {
			return err
		}
	}
	return nil
}

// swapCertificate gives the server a certificate of an authority that nobody trusts, or a good one again: to test
// that clients verify.
func (a *service) swapCertificate(c *call, rec *record) error {
	defer a.hold(rec)()
	a.mu.Lock()
	defer a.mu.Unlock()
	rec.Instance.Untrusted = fallback(c.inputs, "trusted", true) == false
	if err := a.store.put(rec); err != nil {
		return err
	}
	return a.refresh(c, rec)
}
