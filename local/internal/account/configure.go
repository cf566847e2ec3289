package account

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	// sharedBuffers is far below RDS's quarter of the class's memory: several servers share one small machine.
	sharedBuffers = "32MB"
	// maxReplicaLag is how much write-ahead log is kept for a replica that is away.
	maxReplicaLag = "2GB"
)

func (a *Account) instanceDir(rec *record) string {
	return filepath.Join(a.cfg.Dir, "instances", folder(rec))
}

func (a *Account) dataDir(rec *record) string { return filepath.Join(a.instanceDir(rec), "data") }

// serverDir is where the server's user finds the instance.
func (a *Account) serverDir(rec *record) string { return filepath.Join(a.serverRoot(), folder(rec)) }

func folder(rec *record) string { return strings.ToLower(rec.ID) }

// socketOf is an abstract socket: no path length to mind, and nothing left behind.
func socketOf(rec *record) string { return "@threetier-" + folder(rec) }

// configure writes all that the server reads at its start: settings, client rules, certificate. It returns what of
// the parameters this PostgreSQL can't do. The caller holds a.mu.
func (a *Account) configure(rec *record) (missing []string, err error) {
	settings, missing := a.serverSettings(rec)
	files := map[string]string{
		"postgresql.conf":      settings,
		"postgresql.auto.conf": "",
		"pg_hba.conf":          a.clientRules(rec),
		"pg_ident.conf":        "rds postgres " + admin + "\n",
	}
	for name, content := range files {
		if err := a.writeOwned(rec, name, []byte(content)); err != nil {
			return nil, err
		}
	}
	return missing, a.certify(rec)
}

func (a *Account) serverSettings(rec *record) (settings string, missing []string) {
	lines := []string{
		"listen_addresses = " + quoteConfig(rec.Instance.IP),
		"port = " + strconv.Itoa(rec.Instance.Port),
		"unix_socket_directories = " + quoteConfig(socketOf(rec)),
		"cluster_name = " + quoteConfig(rec.Instance.Identifier),
		"ssl = on",
		"ssl_cert_file = 'server.crt'",
		"ssl_key_file = 'server.key'",
		"ssl_min_protocol_version = 'TLSv1.2'",
		"password_encryption = 'scram-sha-256'",
		"shared_buffers = " + sharedBuffers,
		"max_connections = " + strconv.Itoa(defaultConnections(text(rec.Inputs, "instanceClass"))),
		"max_wal_size = '256MB'",
		"min_wal_size = '64MB'",
		"max_slot_wal_keep_size = " + maxReplicaLag,
		"timezone = 'UTC'",
		"log_timezone = 'UTC'",
		"log_line_prefix = '%t:%r:%u@%d:[%p]:'",
	}
	if source := a.store.get(kindInstance, rec.Instance.Source); source != nil {
		lines = append(lines, fmt.Sprintf("primary_conninfo = 'host=%s port=%d user=%s application_name=%s'",
			socketOf(source), source.Instance.Port, admin, rec.Instance.Identifier),
			"primary_slot_name = "+quoteConfig(slotOf(rec)))
	}
	own, missing := a.pg.configLines(a.parameters(rec))
	lines = append(lines, own...)
	if source := a.store.get(kindInstance, rec.Instance.Source); source != nil {
		lines = append(lines, "max_connections = "+strconv.Itoa(max(a.connections(rec), a.connections(source))))
	}
	return strings.Join(lines, "\n") + "\n", missing
}

// parameters are the values in effect, with RDS's formulas worked out for the instance.
func (a *Account) parameters(rec *record) map[string]string {
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

// connections is the instance's max_connections; a replica may not have fewer than what it follows.
func (a *Account) connections(rec *record) int {
	if n, err := strconv.Atoi(a.parameters(rec)["max_connections"]); err == nil {
		return n
	}
	return defaultConnections(text(rec.Inputs, "instanceClass"))
}

// clientRules let in whom the security groups let in, and only over TLS where rds.force_ssl says so. Everyone else
// gets the words of RDS: no pg_hba.conf entry for host ….
func (a *Account) clientRules(rec *record) string {
	lines := []string{
		"local all " + admin + " peer map=rds",
		"local replication " + admin + " peer map=rds",
		"host all " + admin + " all reject",
		"host replication all all reject",
	}
	kind := "host"
	if a.forcesTLS(rec) {
		kind = "hostssl"
	}
	for _, source := range a.sources(rec) {
		lines = append(lines, kind+" all all "+source+" scram-sha-256")
	}
	return strings.Join(lines, "\n") + "\n"
}

// forcesTLS follows RDS: on by default since PostgreSQL 15.
func (a *Account) forcesTLS(rec *record) bool {
	if value, set := rec.Instance.Applied["rds.force_ssl"]; set {
		return value == "1"
	}
	return majorOf(text(rec.Inputs, "engineVersion")) >= 15
}

// certify keeps a certificate that is still good, so that a restart changes nothing.
func (a *Account) certify(rec *record) error {
	name := a.dnsName(rec)
	have, err := os.ReadFile(filepath.Join(a.dataDir(rec), "server.crt"))
	if err == nil && !rec.Instance.Untrusted && a.ca.usable(have, name) {
		return nil
	}
	issuer := a.ca
	if rec.Instance.Untrusted {
		certPEM, keyPEM, err := newAuthority("an authority that nobody trusts")
		if err != nil {
			return err
		}
		if issuer, err = parseAuthority(certPEM, keyPEM); err != nil {
			return err
		}
	}
	certPEM, keyPEM, err := issuer.issue(name)
	if err != nil {
		return fmt.Errorf("issue a certificate for %s: %w", name, err)
	}
	if err := a.writeOwned(rec, "server.key", keyPEM); err != nil {
		return err
	}
	return a.writeOwned(rec, "server.crt", slices.Concat(certPEM, issuer.pem))
}

// writeOwned writes a file that the server's user owns, as a whole.
func (a *Account) writeOwned(rec *record, name string, content []byte) error {
	path := filepath.Join(a.dataDir(rec), name)
	if err := writeFile(path, content, 0o600); err != nil {
		return err
	}
	return os.Lchown(path, int(a.pg.uid), int(a.pg.gid))
}
