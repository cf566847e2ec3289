// Package postgres runs the real PostgreSQL behind each RDS instance: servers and their files, roles, replicas, copies.
// It knows nothing of AWS.
package postgres

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// admin is the superuser of every server, as on RDS; only the stand-in itself can be it, over the local socket.
const admin = "rdsadmin"

// Installation is PostgreSQL from the checkout's Debian 13, run as its own user.
type Installation struct {
	Major   int
	Version string // such as 17.12

	trixie   string // the command that runs another on Debian 13
	root     string // where Debian 13's files are
	uid, gid uint32
	settings map[string]Setting
}

// programs is where Debian 13 has PostgreSQL, of one major alone.
const (
	major    = 17
	programs = "/usr/lib/postgresql/17/bin"
)

// Find is the PostgreSQL that bin/trixie of a checkout runs.
func Find(ctx context.Context, checkout string) (*Installation, error) {
	pg := &Installation{Major: major, trixie: filepath.Join(checkout, "bin/trixie"), root: filepath.Join(checkout, ".local/trixie")}
	home, err := os.Stat(filepath.Join(pg.root, "var/lib/postgresql"))
	if err != nil {
		return nil, fmt.Errorf("no PostgreSQL %d, which bin/local install gets: %w", major, err)
	}
	owner := home.Sys().(*syscall.Stat_t)
	pg.uid, pg.gid = owner.Uid, owner.Gid
	if err := pg.readSettings(ctx); err != nil {
		return nil, err
	}
	out, err := pg.run(ctx, "", "postgres", "--version")
	if err != nil {
		return nil, err
	}
	if words := strings.Fields(out); len(words) >= 3 {
		pg.Version = words[2]
	}
	return pg, nil
}

// CanRead refuses servers' data of another major, as an older stand-in made it.
func (pg *Installation) CanRead(servers string) error {
	files, err := filepath.Glob(filepath.Join(servers, "*", "data", "PG_VERSION"))
	for _, file := range files {
		version, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if has := strings.TrimSpace(string(version)); has != strconv.Itoa(pg.Major) {
			return fmt.Errorf("%s is %s, want %d: make clean removes the databases of another PostgreSQL, and all of the local node with them",
				file, has, pg.Major)
		}
	}
	return err
}

// Command is one of PostgreSQL's programs as its own user, in a process group that no terminal's signal reaches and that
// ends as a whole with the context: initdb has children.
func (pg *Installation) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	user := []string{"setpriv", "--reuid=" + strconv.Itoa(int(pg.uid)), "--regid=" + strconv.Itoa(int(pg.gid)), "--clear-groups", "--"}
	cmd := exec.CommandContext(ctx, pg.trixie, slices.Concat(user, []string{filepath.Join(programs, name)}, args)...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "HOME=/nonexistent", "PGAPPNAME=rdsadmin"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd
}

func (pg *Installation) run(ctx context.Context, stdin, name string, args ...string) (string, error) {
	cmd := pg.Command(ctx, name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return "", fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

func (pg *Installation) initdb(ctx context.Context, data string) error {
	_, err := pg.run(ctx, "", "initdb", "--pgdata="+data, "--username="+admin, "--encoding=UTF8", "--locale=C.UTF-8",
		"--auth-local=peer", "--auth-host=scram-sha-256", "--data-checksums", "--no-instructions")
	return err
}

// baseBackup copies a running server's data; the log that the copy needs to be consistent comes with it.
func (pg *Installation) baseBackup(ctx context.Context, from *Server, data string, args ...string) error {
	args = append([]string{"--host=" + from.socket, "--port=" + strconv.Itoa(from.Port()), "--username=" + admin,
		"--pgdata=" + data, "--checkpoint=fast", "--no-password"}, args...)
	_, err := pg.run(ctx, "", "pg_basebackup", args...)
	return err
}

// query runs SQL as the superuser; one statement's failure ends it. The SQL goes over stdin, where no process list
// shows it.
func (pg *Installation) query(ctx context.Context, srv *Server, sql string) (string, error) {
	out, err := pg.run(ctx, sql, "psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align",
		"--set=ON_ERROR_STOP=1", "--host="+srv.socket, "--port="+strconv.Itoa(srv.Port()), "--username="+admin,
		"--dbname=postgres")
	return strings.TrimSpace(out), err
}

// own gives a tree to the servers' user.
func (pg *Installation) own(path string) error {
	return filepath.WalkDir(path, func(p string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(p, int(pg.uid), int(pg.gid))
	})
}

// Reaches says which folder keeps the servers' user from a path.
func (pg *Installation) Reaches(path string) error {
	for dir := path; dir != "/"; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		owner := info.Sys().(*syscall.Stat_t)
		open := info.Mode().Perm()&0o001 != 0 ||
			owner.Uid == pg.uid && info.Mode().Perm()&0o100 != 0 ||
			owner.Gid == pg.gid && info.Mode().Perm()&0o010 != 0
		if !open {
			return fmt.Errorf("user postgres can't reach %s: %s is closed to it (%s)", path, dir, info.Mode())
		}
	}
	return nil
}

func quoteName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func quoteText(value string) string { return "'" + strings.ReplaceAll(value, "'", "''") + "'" }
