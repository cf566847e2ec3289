package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const (
	// upgraded is the data of the next major while pg_upgrade makes it.
	upgraded = "upgraded"
	// outgrown is the data of the major before, until that of the next is in its place.
	outgrown = "outgrown"
)

// UpgradeError is what pg_upgrade says where it fails. The files that it names stay until the next try.
type UpgradeError struct{ From, To, Output string }

// Error has all of pg_upgrade's words.
func (e *UpgradeError) Error() string {
	return fmt.Sprintf("pg_upgrade from %s to %s: %s", e.From, e.To, e.Output)
}

// Upgrades tells whether the data is older than what serves a major here.
func (s *Server) Upgrades(major int) bool { return s.pg.Major < s.majors.For(major).Major }

// Upgrade gives a stopped server's data to what serves a major here, with pg_upgrade. Where that fails, nothing has changed.
func (s *Server) Upgrade(ctx context.Context, major, port int) error {
	next := s.majors.For(major)
	if err := s.shutDown(ctx, port); err != nil {
		return err
	}
	fresh, reached := filepath.Join(s.dir, upgraded), filepath.Join(s.reached, upgraded)
	if err := os.RemoveAll(fresh); err != nil {
		return err
	}
	if err := next.initdb(ctx, reached); err != nil {
		return err
	}
	// pg_upgrade starts both servers, one after the other, and comes in by the same door as the stand-in.
	for _, name := range []string{"pg_hba.conf", "pg_ident.conf"} {
		rules, err := os.ReadFile(filepath.Join(s.Data(), name))
		if err == nil {
			err = os.WriteFile(filepath.Join(fresh, name), rules, 0o600)
		}
		if err != nil {
			return err
		}
	}
	// It writes its sockets and a script into its working folder. A socket's path is short.
	work, err := os.MkdirTemp("", "upgrade-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	if err := next.own(work); err != nil {
		return err
	}
	cmd := next.Command(ctx, "pg_upgrade", "--username="+admin, "--old-bindir="+s.pg.folder("bin"), "--new-bindir="+next.folder("bin"),
		"--old-datadir="+s.reachedData(), "--new-datadir="+reached)
	cmd.Dir = work
	if out, err := cmd.CombinedOutput(); err != nil {
		return &UpgradeError{From: s.pg.Version, To: next.Version, Output: strings.TrimSpace(string(out))}
	}
	if err := os.Rename(s.Data(), filepath.Join(s.dir, outgrown)); err != nil {
		return err
	}
	if err := os.Rename(fresh, s.Data()); err != nil {
		return err
	}
	s.pg = next
	return os.RemoveAll(filepath.Join(s.dir, outgrown))
}

// GiveExtensions makes a role the owner of all extensions. After pg_upgrade they are the superuser's, while on RDS the
// administrator may update them.
func (s *Server) GiveExtensions(ctx context.Context, username string) error {
	databases, err := s.pg.query(ctx, s, "SELECT datname FROM pg_database WHERE datallowconn;\n")
	for name := range strings.Lines(databases) {
		_, failed := s.pg.queryIn(ctx, s, strings.TrimSuffix(name, "\n"),
			"UPDATE pg_extension SET extowner = "+quoteText(quoteName(username))+"::regrole WHERE extname <> 'plpgsql';\n")
		err = errors.Join(err, failed)
	}
	return err
}

// shutDown lets a server recover that was killed: pg_upgrade wants data that was shut down.
func (s *Server) shutDown(ctx context.Context, port int) error {
	state, err := s.pg.run(ctx, "", "pg_controldata", s.reachedData())
	if err != nil || strings.Contains(state, " shut down\n") {
		return err
	}
	if err := s.Start(ctx, port); err != nil {
		return err
	}
	s.Stop()
	return nil
}

// settle takes back the data that an interrupted upgrade had put aside. The upgrade is made again then.
func settle(dir string) error {
	data, aside := filepath.Join(dir, "data"), filepath.Join(dir, outgrown)
	if _, err := os.Stat(data); errors.Is(err, os.ErrNotExist) {
		if err := os.Rename(aside, data); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	}
	return os.RemoveAll(aside)
}

// Settle ends the upgrades that were interrupted, of all servers below a folder.
func Settle(servers string) error {
	dirs, err := filepath.Glob(filepath.Join(servers, "*"))
	for _, dir := range dirs {
		err = errors.Join(err, settle(dir))
	}
	return err
}
