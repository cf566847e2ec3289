//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// newRolesStack is of an app that opens a connection for each request: what a rotation does, it meets at once.
func newRolesStack(t *testing.T, name string) *testStack {
	t.Helper()
	buildSample(t, "backend", "registry.example.com/shop/api:roles")
	buildSample(t, "frontend", "registry.example.com/shop/page:roles")
	s := newStack(t, name, "tests/e2e/sample/Pulumi.shop.yaml")
	edit(t, s.config, "api:7", "api:roles")
	edit(t, s.config, "page:7", "page:roles")
	edit(t, s.config, "    env: { SHOP_CURRENCY: EUR }", "    env: { SHOP_CURRENCY: EUR, SIGNING_KEY: roles }")
	edit(t, s.config, "threetier:database: { lifecycle: disposable, name: shop, username: shop_owner }",
		"threetier:database:\n    lifecycle: disposable\n    name: shop\n    username: shop_owner\n    extensions: [pgcrypto, pg_stat_statements]")
	edit(t, s.config, "replicas: { min: 1, max: 1 }", "replicas: { min: 2, max: 2 }") // the backend's: it comes first
	return s
}

func TestDatabaseRoles(t *testing.T) {
	t.Parallel()
	s := newRolesStack(t, "roles")
	s.up(t)

	t.Run("BackendReadsAndWritesRowsAndNoMore", func(t *testing.T) { hasRowsAlone(t, s) })
	t.Run("PersonReadsForAWhile", func(t *testing.T) { looksInto(t, s) })
	t.Run("OwnerPlantsCode", func(t *testing.T) { attacks(t, s) })
	t.Run("NewTableIsUsableWithoutARestart", func(t *testing.T) { usesNewTable(t, s) })
	t.Run("RotationLosesNothingOfAnAppThatConnectsForEachRequest", func(t *testing.T) { rotatesLazily(t, s) })
	t.Run("OwnersCodeNeverRanAsTheAdministrator", func(t *testing.T) { attackedNobody(t, s) })
}

// fromBackend runs SQL in a pod of the backend, as its own login.
func fromBackend(t *testing.T, s *testStack, sql string) (string, error) {
	t.Helper()
	program := fmt.Sprintf(`import os, psycopg2
connection = psycopg2.connect(os.environ["DATABASE_URL"])
connection.autocommit = True
cursor = connection.cursor()
cursor.execute(%q)
print(cursor.fetchall() if cursor.description else "done")`, sql)
	return shell(fmt.Sprintf(".local/bin/local exec -- kubectl --namespace %s exec deployment/%s -- python3 -c '%s'",
		namespace(s.name), deployment(t, s.name, "backend"), strings.ReplaceAll(program, "'", `'\''`)))
}

func hasRowsAlone(t *testing.T, s *testStack) {
	for _, c := range []struct{ sql, want string }{
		{"select current_user", "threetier_a"},
		{"insert into orders (note) values ($$from the pod$$) returning note", "from the pod"},
		{"update orders set note = $$changed$$ where note = $$from the pod$$ returning note", "changed"},
		{"select tableowner from pg_tables where tablename = $$orders$$", "threetier_owner"},
		{"select pg_get_userbyid(datdba) from pg_database where datname = current_database()", "threetier_owner"},
		{"select count(*) from pg_extension where extname in ($$pgcrypto$$, $$pg_stat_statements$$)", "(2,)"},
		{"select rolsuper or rolcreaterole or rolcreatedb from pg_roles where rolname = current_user", "False"},
		{"insert into orders (note) values ($$to delete$$); delete from orders where note = $$to delete$$ returning note", "to delete"},
	} {
		if said, err := fromBackend(t, s, c.sql); err != nil || !strings.Contains(said, c.want) {
			t.Errorf("%s: %v: %s, want %s", c.sql, err, said, c.want)
		}
	}
	for sql, want := range map[string]string{
		"drop table orders": "must be owner", "drop database postgres": "must be owner", "create role evil": "permission denied",
		"select rolpassword from pg_authid": "permission denied", "create table evil (id int)": "permission denied",
		"alter role threetier_b login": "permission denied", "set role shop_owner": "permission denied",
	} {
		if said, err := fromBackend(t, s, sql); err == nil || !strings.Contains(said, want) {
			t.Errorf("%s: %v: %s, want it refused: %s", sql, err, said, want)
		}
	}
}

// person runs make psql with SQL on its input.
func person(s *testStack, env, sql string) (string, error) {
	return shell(fmt.Sprintf("echo %q | make psql STACK=%s %s", sql, s.name, env))
}

func looksInto(t *testing.T, s *testStack) {
	said, err := person(s, "WHO=Ada.Lovelace", `select 'rows: ' || count(*) from orders; select session_user; insert into orders (note) values ('x');`)
	for _, want := range []string{"rows: 1", "psql-ada-lovelace", "cannot execute INSERT in a read-only transaction"} {
		if !strings.Contains(said, want) {
			t.Errorf("psql: %v: no %q in\n%s", err, want, said)
		}
	}
	if events := kubectl(t, s.name, "events"); !strings.Contains(events, "Job/psql-ada-lovelace") {
		t.Errorf("the events don't show who opened a pod:\n%s", events)
	}
	log, err := os.ReadFile(filepath.Join(home, "account", "instances", strings.ToLower(s.instances(t)[0].ResourceID), "postgresql.log"))
	if err != nil || !strings.Contains(string(log), "psql opened: psql-ada-lovelace, reads, until ") {
		t.Errorf("the database's log doesn't say who opened psql: %v", err)
	}
	if left := kubectl(t, s.name, "get pods,jobs -l app.kubernetes.io/name=psql -o name"); left != "" {
		t.Errorf("left behind: %s", left)
	}
}

// attacks plants code as the owner, which the migration is, too. The Jobs of the rotation come after it.
func attacks(t *testing.T, s *testStack) {
	said, err := person(s, "WRITE=1 WHO=mallory", "create function public.format(a text, b name, c text) returns text language plpgsql as "+
		"'begin raise log ''owner code ran for %'', session_user; return a || b || c; end'; "+
		"create function public.format(a text, b name) returns text language sql as 'select public.format(a, b, b::text)'; "+
		"select 'planted: ' || format('x', 'y'::name, 'z'); "+
		"alter database shop set search_path = public, pg_catalog; alter database shop set default_transaction_read_only = on;")
	if err != nil || !strings.Contains(said, "planted: xyz") {
		t.Fatalf("the attack: %v: %s", err, said)
	}
	if said, err := person(s, "WHO=ada", "select 6*7 as answer;"); err != nil || !strings.Contains(said, "42") {
		t.Errorf("psql after the attack: %v: %s", err, said)
	}
	said, err = person(s, "WRITE=1 WHO=mallory", "set default_transaction_read_only = off; alter database shop reset all;")
	if err != nil || !strings.Contains(said, "ALTER DATABASE") {
		t.Errorf("the settings: %v: %s", err, said)
	}
}

func attackedNobody(t *testing.T, s *testStack) {
	log, err := os.ReadFile(filepath.Join(home, "account", "instances", strings.ToLower(s.instances(t)[0].ResourceID), "postgresql.log"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(log), "owner code ran for psql-mallory") || strings.Contains(string(log), "owner code ran for shop_owner") {
		t.Error("the owner's code ran as the administrator, or wasn't there")
	}
}

func usesNewTable(t *testing.T, s *testStack) {
	before := pods(t, s.name, "backend")
	if said, err := person(s, "WRITE=1 WHO=ada", "create table carts (id serial primary key, note text);"); err != nil || !strings.Contains(said, "CREATE TABLE") {
		t.Fatalf("psql that writes: %v: %s", err, said)
	}
	if said, err := fromBackend(t, s, "insert into carts (note) values ($$new$$) returning id"); err != nil || !strings.Contains(said, "(1,)") {
		t.Errorf("the app and the new table: %v: %s", err, said)
	}
	if after := pods(t, s.name, "backend"); !slices.Equal(before, after) {
		t.Errorf("the pods were %v and are %v", before, after)
	}
}

// orders are the requests of a rotation's load: one in ten writes.
func orders(i int, title string) (method, path, body string, want int) {
	if i%10 == 0 {
		return http.MethodPost, "/shop/v1/orders", title, http.StatusCreated
	}
	return http.MethodGet, "/shop/v1/status", "", http.StatusOK
}

func (l *traffic) lostNothing(t *testing.T, least int) {
	t.Helper()
	if err := l.End(least); err != nil {
		t.Error(err)
	}
	failed := l.failed()
	t.Logf("%d requests, %d of them writes, %d failed", l.sent(), len(l.added()), len(failed))
	if len(failed) > 0 {
		t.Errorf("%d requests failed, the first: %s", len(failed), failed[0])
	}
}

func rotatesLazily(t *testing.T, s *testStack) {
	old, oldPods := loginOf(t, s), pods(t, s.name, "backend")
	s.set(t, "database", "passwordVersion: 2")
	l := startLoadOf(s.site, 60, orders)
	s.up(t)
	l.lostNothing(t, 2000)
	if now := loginOf(t, s); now.user != "threetier_b" || now.password == old.password {
		t.Errorf("the app's login was %s and is %s, the same password: %t", old.user, now.user, now.password == old.password)
	}
	if left := pods(t, s.name, "backend"); len(started(left, oldPods)) != len(left) {
		t.Errorf("of the old pods %v some are left: %v", oldPods, left)
	}
	if out, err := psqlTo(s.instances(t)[0].Address+":5432", "shop", "verify-full", old.user, old.password, "select 1"); err == nil || !strings.Contains(out, "is not permitted to log in") {
		t.Errorf("the old login: %v: %s, want it locked", err, out)
	}
}

type credentials struct{ user, password string }

// loginOf is what the backend's pods get.
func loginOf(t *testing.T, s *testStack) credentials {
	t.Helper()
	var env map[string]string
	said := kubectl(t, s.name, "exec deployment/"+deployment(t, s.name, "backend")+` --container backend -- python3 -c 'import json, os; print(json.dumps(dict(os.environ)))'`)
	if err := json.Unmarshal([]byte(said), &env); err != nil {
		t.Fatal(err)
	}
	return credentials{env["PGUSER"], env["PGPASSWORD"]}
}
