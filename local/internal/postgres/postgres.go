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

// Installation is one major of PostgreSQL, from the checkout's .local/trixie, run as its own user.
type Installation struct {
	Major   int
	Version string // such as 17.12

	trixie   string // the command that runs another on the files of root
	root     string // .local/trixie
	uid, gid uint32
	settings map[string]Setting
}

// Majors are the installations that there are, oldest first.
type Majors []*Installation

// folder is where Debian has a major's programs.
func (pg *Installation) folder(name string) string {
	return fmt.Sprintf("/usr/lib/postgresql/%d/%s", pg.Major, name)
}

// Find lists what bin/trixie of a checkout can run.
func Find(ctx context.Context, checkout string) (Majors, error) {
	root := filepath.Join(checkout, ".local/trixie")
	home, err := os.Stat(filepath.Join(root, "var/lib/postgresql"))
	if err != nil {
		return nil, fmt.Errorf("no PostgreSQL, which bin/local install gets: %w", err)
	}
	owner := home.Sys().(*syscall.Stat_t)
	folders, err := filepath.Glob(filepath.Join(root, "usr/lib/postgresql/*/bin/postgres"))
	if err != nil {
		return nil, err
	}
	var found Majors
	for _, file := range folders {
		major, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(file))))
		if err != nil {
			return nil, err
		}
		pg := &Installation{Major: major, trixie: filepath.Join(checkout, "bin/trixie"), root: root, uid: owner.Uid, gid: owner.Gid}
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
		found = append(found, pg)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s has no PostgreSQL, which bin/local install gets", root)
	}
	slices.SortFunc(found, func(a, b *Installation) int { return a.Major - b.Major })
	return found, nil
}

// Newest is the newest major.
func (m Majors) Newest() *Installation { return m[len(m)-1] }

// For is the one that serves a major: itself, or else the next that there is, or else the newest.
func (m Majors) For(major int) *Installation {
	for _, pg := range m {
		if pg.Major >= major {
			return pg
		}
	}
	return m.Newest()
}

// of is the one that made a data directory; nil where there is none.
func (m Majors) of(data string) *Installation {
	version, err := os.ReadFile(filepath.Join(data, "PG_VERSION"))
	if err != nil {
		return nil
	}
	for _, pg := range m {
		if strings.TrimSpace(string(version)) == strconv.Itoa(pg.Major) {
			return pg
		}
	}
	return nil
}

// CanRead refuses servers' data of a major that isn't here, as another stand-in made it.
func (m Majors) CanRead(servers string) error {
	files, err := filepath.Glob(filepath.Join(servers, "*", "data", "PG_VERSION"))
	for _, file := range files {
		if m.of(filepath.Dir(file)) != nil {
			continue
		}
		version, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		return fmt.Errorf("%s is %s, want %s: make clean removes the databases of another PostgreSQL, and all of the local node with them",
			file, strings.TrimSpace(string(version)), m)
	}
	return err
}

// String names the majors, such as "15 or 17".
func (m Majors) String() string {
	var names []string
	for _, pg := range m {
		names = append(names, strconv.Itoa(pg.Major))
	}
	return strings.Join(names, " or ")
}

// Command is one of PostgreSQL's programs as its own user, in a process group that no terminal's signal reaches and that
// ends as a whole with the context: initdb has children.
func (pg *Installation) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	user := []string{"setpriv", "--reuid=" + strconv.Itoa(int(pg.uid)), "--regid=" + strconv.Itoa(int(pg.gid)), "--clear-groups", "--"}
	cmd := exec.CommandContext(ctx, pg.trixie, slices.Concat(user, []string{pg.folder(filepath.Join("bin", name))}, args)...)
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
	return pg.queryIn(ctx, srv, "postgres", sql)
}

func (pg *Installation) queryIn(ctx context.Context, srv *Server, database, sql string) (string, error) {
	out, err := pg.run(ctx, sql, "psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align",
		"--set=ON_ERROR_STOP=1", "--host="+srv.socket, "--port="+strconv.Itoa(srv.Port()), "--username="+admin,
		"--dbname="+quoteConninfo(database))
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

// quoteConninfo makes a database's name one that psql doesn't take for a connection string.
func quoteConninfo(database string) string {
	return "dbname='" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(database) + "'"
}
