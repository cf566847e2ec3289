package tools

import (
	"fmt"
	"os"
	"os/exec"
	"strings"

	"threetier/local/internal/home"
	"threetier/local/internal/step"
)

// trixie is what of Debian 13 the node and the tests run, whatever release this machine has; bin/trixie runs it.
var trixie = []string{
	"postgresql-17", "postgresql-15",
	"nginx-light", "openssl",
	"python3-fastapi", "python3-uvicorn", "python3-sqlalchemy", "python3-psycopg2", "alembic",
	"python3-psycopg", "python3-asyncpg", // other drivers that apps use
	"python3-pytest", "python3-httpx", "python3-packaging",
}

// postgresUser is made before the packages would make it, so that it has the same number on every machine: the
// databases' files are its.
const postgresUser = `echo postgres:x:5432:5432::/var/lib/postgresql:/bin/sh >> "$1/etc/passwd"; echo postgres:x:5432: >> "$1/etc/group"`

// bindTargets are files that bin/trixie mounts this machine's over.
const bindTargets = `: >> "$1/etc/hosts"; : >> "$1/etc/resolv.conf"`

// allowed are extensions that only a superuser may add, unless they are trusted; on RDS its administrator may.
const allowed = `for name in dblink pg_buffercache pg_prewarm pg_stat_statements pgrowlocks pgstattuple postgres_fdw; do
	for file in "$1"/usr/share/postgresql/*/extension/$name.control; do echo "trusted = true" >> "$file"; done
done`

// bookworm is the release before, which has PostgreSQL 15. Of a package that both have, apt takes trixie's, which is newer.
const bookworm = `sed -n "s/ trixie main/ bookworm main/p" "$1/etc/apt/sources.list" > "$1/etc/apt/sources.list.d/bookworm.list"`

// Unprivileged is a hook of mmdebstrap: nothing below .local gives a user of this machine root.
const Unprivileged = `--customize-hook=find "$1" -xdev -type f -perm /6000 -exec chmod ug-s {} +`

// Trixie makes the file system of Debian 13's packages, where it is missing or has others.
func Trixie(h home.Home) error {
	bootstrap := []string{"--variant=minbase", "--essential-hook=" + postgresUser, "--customize-hook=" + bindTargets,
		"--customize-hook=" + allowed, "--setup-hook=" + bookworm, Unprivileged, "--include=" + strings.Join(trixie, ","), "trixie"}
	root, note, want := h.Cache("trixie"), h.Cache("trixie.made-by"), strings.Join(bootstrap, "\n")
	if have, err := os.ReadFile(note); err == nil && string(have) == want {
		return nil
	}
	return step.Run("install Debian's PostgreSQL, NGINX and FastAPI", func(s *step.Step) error {
		// A running node uses the old one until the new one is complete.
		fresh := root + ".new"
		if err := os.RemoveAll(fresh); err != nil {
			return fmt.Errorf("clear %s: %w", fresh, err)
		}
		if err := s.Command(h.Path("logs", "trixie.log"), exec.Command("mmdebstrap", append(bootstrap, fresh)...)); err != nil {
			return err
		}
		if err := os.RemoveAll(root); err != nil {
			return fmt.Errorf("remove the old %s: %w", root, err)
		}
		if err := os.Rename(fresh, root); err != nil {
			return fmt.Errorf("put %s in its place: %w", root, err)
		}
		return os.WriteFile(note, []byte(want), 0o600)
	})
}
