package postgres

import (
	"context"
	"errors"
	"strings"
)

func (s *Server) slot() string {
	return strings.ReplaceAll(strings.TrimPrefix(s.socket, "@threetier-"), "-", "_")
}

// Replicate makes the server's data from one that runs, which from then on keeps its log for it.
func (s *Server) Replicate(ctx context.Context, source *Server) error {
	if !source.Running() {
		return errors.New("the source's server doesn't run")
	}
	s.pg = source.pg
	err := s.pg.baseBackup(ctx, source, s.reachedData(), "--wal-method=stream", "--create-slot", "--slot="+s.slot())
	if err != nil {
		return err
	}
	if err := s.forget("server.crt", "server.key"); err != nil { // they are the source's
		return err
	}
	return s.writeOwned("standby.signal", nil)
}

// Promote makes a replica a server of its own.
func (s *Server) Promote(ctx context.Context) error {
	if !s.Running() {
		return s.forget("standby.signal")
	}
	const sql = "SELECT CASE WHEN pg_is_in_recovery() THEN pg_promote(true, 60) ELSE true END;\n"
	out, err := s.pg.query(ctx, s, sql)
	if err == nil && out != "t" {
		err = errors.New("the replica isn't promoted after 60 s")
	}
	return err
}

// DropSlots frees the log that the server keeps for replicas that are no more.
func (s *Server) DropSlots(ctx context.Context, replicas []*Server) error {
	keep := []string{"''"}
	for _, replica := range replicas {
		keep = append(keep, quoteText(replica.slot()))
	}
	sql := "SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots WHERE active AND slot_type = 'physical' AND slot_name NOT IN (" +
		strings.Join(keep, ", ") + ");\nSELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots " +
		"WHERE slot_type = 'physical' AND NOT active AND slot_name NOT IN (" + strings.Join(keep, ", ") + ");\n"
	_, err := s.pg.query(ctx, s, sql)
	return err
}
