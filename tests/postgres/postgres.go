// Package postgres runs a real PostgreSQL on loopback, with the administrator that RDS gives: no superuser.
package postgres

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Admin is the administrator's name, and AdminPassword its password.
const (
	Admin         = "app_admin"
	AdminPassword = "administrators-own"
	// Database is the administrator's, as RDS creates it.
	Database = "app"
)

// Server is a running PostgreSQL.
type Server struct {
	Port int
	// Database is the one that Psql connects to.
	Database string

	major   int
	dir     string
	uid     uint32
	process *exec.Cmd
}

// rds is what RDS makes in a new instance.
const rds = `CREATE ROLE rds_superuser;
CREATE ROLE rds_password;
GRANT pg_monitor, pg_signal_backend, pg_checkpoint, rds_password TO rds_superuser WITH ADMIN OPTION;
CREATE ROLE ` + Admin + ` LOGIN CREATEDB CREATEROLE IN ROLE rds_superuser PASSWORD '` + AdminPassword + `';
ALTER DATABASE postgres OWNER TO ` + Admin + `;
CREATE DATABASE ` + Database + ` OWNER ` + Admin + `;
`

// Majors are those that Start can start: of Debian 12, whose package postgresql-15 bin/local install gets there, and of
// Debian 13.
func Majors() []int {
	if _, err := os.Stat(programs(15)); err != nil {
		return []int{17}
	}
	return []int{15, 17}
}

func programs(major int) string { return fmt.Sprintf("/usr/lib/postgresql/%d/bin", major) }

// Start makes a server of its own, whose log has every statement. Only root can.
func Start(major int) (*Server, error) {
	dir, err := os.MkdirTemp("", "postgres-")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, major: major, Database: Database}
	if err := s.start(); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

func (s *Server) start() error {
	files := "/"
	if s.major == 17 {
		files = filepath.Join(root(), ".local/trixie")
	}
	home, err := os.Stat(filepath.Join(files, "var/lib/postgresql"))
	if err != nil {
		return fmt.Errorf("bin/local install makes what bin/trixie runs: %w", err)
	}
	s.uid = home.Sys().(*syscall.Stat_t).Uid
	if err := os.Chown(s.dir, int(s.uid), -1); err != nil {
		return err
	}
	if said, err := s.command("initdb", "--pgdata="+s.data(), "--username=rdsadmin", "--auth-local=trust", "--auth-host=scram-sha-256",
		"--no-sync", "--no-instructions", "--locale=C.UTF-8").CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, said)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.Port = listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		return err
	}
	log, err := os.Create(s.logFile())
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	s.process = s.command("postgres", "-D", s.data(), "-p", strconv.Itoa(s.Port), "-k", s.dir, "-c", "listen_addresses=127.0.0.1",
		"-c", "fsync=off", "-c", "log_statement=all", "-c", "shared_buffers=16MB")
	s.process.Stdout, s.process.Stderr = log, log
	if err := s.process.Start(); err != nil {
		return err
	}
	for range 1000 {
		if err = s.command("pg_isready", "-q", "-h", s.dir, "-p", strconv.Itoa(s.Port)).Run(); err == nil {
			_, err = s.AsSuperuser("postgres", rds)
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("PostgreSQL isn't ready: %w: %s", err, s.Log())
}

// Stop ends the server and removes its files.
func (s *Server) Stop() {
	if s.process != nil && s.process.Process != nil {
		_ = s.process.Process.Signal(syscall.SIGQUIT)
		_ = s.process.Wait()
	}
	_ = os.RemoveAll(s.dir)
}

// Log is everything that the server has logged.
func (s *Server) Log() string {
	data, err := os.ReadFile(s.logFile())
	if err != nil {
		return err.Error()
	}
	return string(data)
}

// Psql runs psql with an environment and arguments.
func (s *Server) Psql(user, password string, env map[string]string, args ...string) (string, error) {
	return s.PsqlFrom(os.DevNull, user, password, env, args...)
}

// PsqlFrom runs psql, which has a session of its own and so no terminal, with a file for its input.
func (s *Server) PsqlFrom(stdin, user, password string, env map[string]string, args ...string) (string, error) {
	input, err := os.Open(stdin)
	if err != nil {
		return "", err
	}
	defer func() { _ = input.Close() }()
	cmd := s.client(user, password, env,
		append([]string{"psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"}, args...)...)
	cmd.Stdin = input
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// Script runs a shell script, whose psql reaches the server.
func (s *Server) Script(script, user, password string, env map[string]string) (string, error) {
	cmd := s.client(user, password, env, "sh", "-ec", script)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// client is a command of Debian 13 with the environment of a client.
func (s *Server) client(user, password string, env map[string]string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(context.Background(), filepath.Join(root(), "bin/trixie"), args...)
	cmd.Env = os.Environ()
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Env = append(cmd.Env, "PGPORT="+strconv.Itoa(s.Port), "PGDATABASE="+s.Database, "PGHOSTADDR=127.0.0.1",
		"PGUSER="+user, "PGPASSWORD="+password, "PGSSLMODE=disable")
	if env["PGHOST"] == "" {
		cmd.Env = append(cmd.Env, "PGHOST=127.0.0.1")
	}
	return cmd
}

// AsSuperuser runs SQL in a database as who made the server: AWS, on RDS.
func (s *Server) AsSuperuser(database, sql string) (string, error) {
	cmd := s.command("psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1",
		"-h", s.dir, "-p", strconv.Itoa(s.Port), "-U", "rdsadmin", "-d", database)
	cmd.Stdin = strings.NewReader(sql)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

func (s *Server) data() string    { return filepath.Join(s.dir, "data") }
func (s *Server) logFile() string { return filepath.Join(s.dir, "log") }

// command is one of PostgreSQL's programs, as the servers' user.
func (s *Server) command(name string, args ...string) *exec.Cmd {
	all := append([]string{"setpriv", "--reuid=" + strconv.Itoa(int(s.uid)), "--clear-groups", "--", filepath.Join(programs(s.major), name)}, args...)
	if s.major == 17 {
		all = append([]string{filepath.Join(root(), "bin/trixie")}, all...)
	}
	cmd := exec.CommandContext(context.Background(), all[0], all[1:]...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"}
	return cmd
}

func root() string {
	_, here, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(here), "../..")
}
