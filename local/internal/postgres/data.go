package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Make is the server's folder, without data yet.
func (s *Server) Make() error {
	if err := os.Mkdir(s.dir, 0o700); err != nil {
		return err
	}
	return s.pg.own(s.dir)
}

// Init gives the server a new data directory.
func (s *Server) Init(ctx context.Context) error {
	return s.pg.initdb(ctx, s.reachedData())
}

// Backup copies the data of the running server, and says where the copy lies.
func (s *Server) Backup(ctx context.Context) (copied string, err error) {
	return filepath.Join(s.dir, backupFolder), s.pg.baseBackup(ctx, s, filepath.Join(s.reached, backupFolder), "--wal-method=fetch")
}

const backupFolder = "snapshot"

// Backups are the copies that servers below a folder have made and nobody has taken away.
func Backups(dir string) ([]string, error) {
	return filepath.Glob(filepath.Join(dir, "*", backupFolder))
}

// Restore gives the server the data of a copy.
func (s *Server) Restore(ctx context.Context, from string) error {
	out, err := exec.CommandContext(ctx, "cp", "--archive", "--reflink=auto", from, s.Data()).CombinedOutput()
	if err != nil {
		return fmt.Errorf("copy %s: %w: %s", from, err, strings.TrimSpace(string(out)))
	}
	if s.pg = s.majors.of(s.Data()); s.pg == nil {
		return fmt.Errorf("%s is of another PostgreSQL, want %s", from, s.majors)
	}
	return s.forget("standby.signal", "postmaster.pid", "server.crt", "server.key")
}

func (s *Server) forget(names ...string) error {
	for _, name := range names {
		if err := os.Remove(filepath.Join(s.Data(), name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
