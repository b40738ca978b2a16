package pg_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"handover/internal/pg"
)

func TestServerIsPrivateAndDurableWhateverItsFilesSay(t *testing.T) {
	t.Parallel()
	dir := used(t)
	b := start(t, dir)
	admin := connect(t, superuser(b, "postgres"))
	for _, s := range []string{"fsync = off", "synchronous_commit = off", "full_page_writes = off", "listen_addresses = '*'", "log_statement = 'all'"} {
		run(t, admin, "ALTER SYSTEM SET "+s)
	}
	stop(t, b)
	b = start(t, dir)
	conn := connect(t, b.URL())
	for name, want := range map[string]string{
		"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "data_checksums": "on",
		"listen_addresses": "", "log_statement": "none", "unix_socket_permissions": "0700",
		"server_encoding": "UTF8", "TimeZone": "UTC",
	} {
		if got := one[string](t, conn, "SELECT current_setting($1)", name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if got := one[string](t, conn, "SELECT datcollate FROM pg_database WHERE datname = current_database()"); got != "C.UTF-8" {
		t.Errorf("the database's collation is %q", got)
	}
	if n := one[int](t, conn, "SELECT setting::int FROM pg_settings WHERE name = 'shared_buffers'"); n*8192 < 128<<20 {
		t.Errorf("shared_buffers is %d pages", n)
	}
	for _, path := range []string{filepath.Join(dir, "postgres"), pgdata(dir)} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

func TestTheHubsLoginIsNoSuperuser(t *testing.T) {
	t.Parallel()
	b := start(t, used(t))
	conn := connect(t, b.URL())
	for _, s := range []string{
		"COPY (SELECT 1) TO PROGRAM 'true'", "CREATE ROLE friend", "CREATE DATABASE more", "ALTER SYSTEM SET fsync = off",
		"SELECT pg_read_file('postgresql.conf')", "SET ROLE postgres",
	} {
		if _, err := conn.Exec(t.Context(), s); !refusedBy(err, insufficientPrivilege) {
			t.Errorf("the hub's login may %s: %v", s, err)
		}
	}
	if err := pg.Migrate(t.Context(), b.URL()); err != nil {
		t.Errorf("and needs to be for the migrations: %v", err)
	}
	// Even as superuser, a role with rights of its own is not taken for the hub's.
	run(t, connect(t, superuser(b, "postgres")), "ALTER ROLE handover_hub BYPASSRLS")
	if pool, err := pg.Open(t.Context(), b.URL(), pg.RoleHub, 1); err == nil {
		pool.Close()
		t.Error("a role that row-level security does not bind was opened")
	}
}

func TestLogQuotesNothingThatWasSent(t *testing.T) {
	t.Parallel()
	const canary = "Canary-Tilda-Brook"
	dir := used(t)
	b := start(t, dir)
	conn := connect(t, b.URL())
	run(t, conn, "CREATE TABLE person (name text UNIQUE CHECK (length(name) < 20))", "INSERT INTO person VALUES ('"+canary+"')")
	for _, name := range []string{canary, canary + canary} { // DETAIL would quote the key, and the row
		if _, err := conn.Exec(t.Context(), "INSERT INTO person VALUES ($1)", name); err == nil {
			t.Fatal("the row was taken")
		}
		if _, err := conn.Exec(t.Context(), "INSERT INTO person VALUES ('"+name+"')"); err == nil {
			t.Fatal("the row was taken")
		}
	}
	stop(t, b)
	text, err := os.ReadFile(filepath.Join(dir, "postgres", "server.log"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "violates check constraint") {
		t.Error("the log does not mention the refusals")
	}
	if strings.Contains(string(text), canary) {
		t.Error("the log quotes a row")
	}
}

// Roles belong to the server, so the migrations of its databases meet there: whoever
// comes second must find the role, or the membership, made in the same moment.
func TestDatabasesOfOneServerMayMigrateAtOnce(t *testing.T) {
	t.Parallel()
	b := start(t, used(t))
	admin, watcher := connect(t, superuser(b, "postgres")), connect(t, superuser(b, "postgres"))
	run(t, admin, "DROP ROLE handover_hub, handover_log", "CREATE ROLE builder LOGIN CREATEROLE")
	type meeting struct{ name, first string }
	meetings := []meeting{{"roles", "CREATE ROLE handover_hub ADMIN builder"}}
	// From 16 on, PostgreSQL has one grant of a role wait for the other by itself.
	if one[int](t, admin, "SELECT current_setting('server_version_num')::int") < 160000 {
		meetings = append(meetings, meeting{"memberships", "GRANT handover_hub, handover_log TO builder"})
	}
	for _, row := range meetings {
		run(t, admin, "CREATE DATABASE "+row.name+" OWNER builder", "BEGIN", row.first)
		url := strings.Replace(superuser(b, row.name), "postgres@", "builder@", 1)
		var second errgroup.Group
		second.Go(func() error { return pg.Migrate(t.Context(), url) })
		eventually(t, "the second waits for the first", func() bool {
			return one[int](t, watcher, "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND wait_event_type = 'Lock'", row.name) > 0
		})
		run(t, admin, "COMMIT")
		if err := second.Wait(); err != nil {
			t.Errorf("%s: %v", row.name, err)
		}
		pool, err := pg.Open(t.Context(), url, pg.RoleHub, 1)
		if err != nil {
			t.Errorf("%s: %v", row.name, err)
			continue
		}
		pool.Close()
		run(t, admin, "REVOKE handover_hub, handover_log FROM builder CASCADE")
	}
}

func TestMigrationsRefuseWhatWouldNotHold(t *testing.T) {
	t.Parallel()
	b := start(t, used(t))
	admin := connect(t, superuser(b, "postgres"))
	run(t, admin, "ALTER ROLE handover_log BYPASSRLS")
	if err := pg.Migrate(t.Context(), b.URL()); err == nil || !strings.Contains(err.Error(), "more rights than a plain role") {
		t.Errorf("a role that steps around row-level security: %v", err)
	}
	run(t, admin, "ALTER ROLE handover_log NOBYPASSRLS", "REVOKE handover_hub FROM handover")
	if err := pg.Migrate(t.Context(), b.URL()); err == nil || !strings.Contains(err.Error(), "GRANT handover_hub TO handover") {
		t.Errorf("a login that is no member: %v", err)
	}
	run(t, admin, "GRANT handover_hub TO handover")
	if err := pg.Migrate(t.Context(), b.URL()); err != nil {
		t.Errorf("after the repair: %v", err)
	}
}
