package postgres

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"threetier/local/internal/files"
)

const (
	// sharedBuffers is far below RDS's quarter of the class's memory: several servers share one small machine.
	sharedBuffers = "32MB"
	// maxReplicaLag is how much write-ahead log is kept for a replica that is away.
	maxReplicaLag = "2GB"
)

// Settings are everything that a server is configured by.
type Settings struct {
	// Name is the cluster_name, and what a replica calls itself.
	Name    string
	Address string
	Port    int
	// Connections is the max_connections where Parameters don't have it.
	Connections int
	// LeastConnections is the max_connections that a replica may not fall below: that of what it follows.
	LeastConnections int
	// Parameters are values as PostgreSQL takes them, beside RDS's own, which start with "rds.".
	Parameters map[string]string
	// Clients are the networks that may connect; everyone else gets "no pg_hba.conf entry for host …", the words of RDS.
	Clients []string
	// ForceTLS refuses clients without TLS.
	ForceTLS bool
	// Certificate and Key are PEM. Empty: the files stay as they are.
	Certificate, Key []byte
	// Follows is the server that this one replicates, and FollowsPort its port.
	Follows     *Server
	FollowsPort int
}

// Configure writes everything that the server reads at its start: settings, client rules, certificate. It returns the
// parameters that this PostgreSQL doesn't have.
func (s *Server) Configure(settings *Settings) (missing []string, err error) {
	config, missing := s.config(settings)
	written := map[string]string{
		"postgresql.conf":      config,
		"postgresql.auto.conf": "",
		"pg_hba.conf":          clientRules(settings),
		"pg_ident.conf":        "rds postgres " + admin + "\n",
	}
	for name, content := range written {
		if err := s.writeOwned(name, []byte(content)); err != nil {
			return nil, err
		}
	}
	if len(settings.Certificate) == 0 {
		return missing, nil
	}
	if err := s.writeOwned("server.key", settings.Key); err != nil {
		return nil, err
	}
	return missing, s.writeOwned("server.crt", settings.Certificate)
}

// Certificate is the PEM that the server shows; empty where it has none yet.
func (s *Server) Certificate() []byte {
	have, err := os.ReadFile(filepath.Join(s.Data(), "server.crt"))
	if err != nil {
		return nil
	}
	return have
}

func (s *Server) config(settings *Settings) (config string, missing []string) {
	lines := []string{
		"listen_addresses = " + quoteConfig(settings.Address),
		"port = " + strconv.Itoa(settings.Port),
		"unix_socket_directories = " + quoteConfig(s.socket),
		"cluster_name = " + quoteConfig(settings.Name),
		"ssl = on",
		"ssl_cert_file = 'server.crt'",
		"ssl_key_file = 'server.key'",
		"ssl_min_protocol_version = 'TLSv1.2'",
		"password_encryption = 'scram-sha-256'",
		"shared_buffers = " + sharedBuffers,
		"max_connections = " + strconv.Itoa(settings.Connections),
		"max_wal_size = '256MB'",
		"min_wal_size = '64MB'",
		"max_slot_wal_keep_size = " + maxReplicaLag,
		"timezone = 'UTC'",
		"log_timezone = 'UTC'",
		"log_line_prefix = '%t:%r:%u@%d:[%p]:'",
	}
	if source := settings.Follows; source != nil {
		lines = append(lines, fmt.Sprintf("primary_conninfo = 'host=%s port=%d user=%s application_name=%s'",
			source.socket, settings.FollowsPort, admin, settings.Name),
			"primary_slot_name = "+quoteConfig(s.slot()))
	}
	own, missing := s.pg.ConfigLines(settings.Parameters)
	lines = append(lines, own...)
	if settings.LeastConnections > 0 {
		have := settings.Connections
		if n, err := strconv.Atoi(settings.Parameters["max_connections"]); err == nil {
			have = n
		}
		lines = append(lines, "max_connections = "+strconv.Itoa(max(have, settings.LeastConnections)))
	}
	return strings.Join(lines, "\n") + "\n", missing
}

func clientRules(settings *Settings) string {
	lines := []string{
		"local all " + admin + " peer map=rds",
		"local replication " + admin + " peer map=rds",
		"host all " + admin + " all reject",
		"host replication all all reject",
	}
	kind := "host"
	if settings.ForceTLS {
		kind = "hostssl"
	}
	for _, source := range settings.Clients {
		lines = append(lines, kind+" all all "+source+" scram-sha-256")
	}
	return strings.Join(lines, "\n") + "\n"
}

// writeOwned writes a file of the data directory, which the server's user owns, as a whole.
func (s *Server) writeOwned(name string, content []byte) error {
	path := filepath.Join(s.Data(), name)
	if err := files.Write(path, content, 0o600); err != nil {
		return err
	}
	return os.Lchown(path, int(s.pg.uid), int(s.pg.gid))
}
