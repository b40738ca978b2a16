package pg_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"handover/internal/pg"
	"handover/internal/pgtest"
)

// querier is a pool, a connection or a transaction.
type querier interface {
	Exec(ctx context.Context, sql string, arguments ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func run(t *testing.T, db querier, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.Exec(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// one runs a query that yields one value.
func one[T any](t *testing.T, db querier, query string, args ...any) T {
	t.Helper()
	rows, err := db.Query(t.Context(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	v, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[T])
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

// refusedBy reports whether err is PostgreSQL's, with that SQLSTATE.
func refusedBy(err error, code string) bool {
	refused, ok := errors.AsType[*pgconn.PgError](err)
	return ok && refused.Code == code
}

// insufficientPrivilege is the SQLSTATE of what a role may not do.
const insufficientPrivilege = "42501"

// eventually waits for something another process does. It fails only if it hangs.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for !is() {
		select {
		case <-look.C:
		case <-deadline:
			t.Fatalf("never: %s", what)
		}
	}
}

func TestRolesOwnNothingAndHaveNoRights(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	for _, role := range []string{pg.RoleHub, pg.RoleLog} {
		if n := one[int](t, db.Owner, `SELECT count(*) FROM pg_roles WHERE rolname = $1 AND NOT rolcanlogin
			AND NOT rolsuper AND NOT rolbypassrls AND NOT rolcreaterole AND NOT rolcreatedb AND NOT rolreplication`, role); n != 1 {
			t.Errorf("%s is missing, can log in, or has rights of its own", role)
		}
		if n := one[int](t, db.Owner, `SELECT count(*) FROM pg_auth_members JOIN pg_roles r ON r.oid = member WHERE r.rolname = $1`, role); n != 0 {
			t.Errorf("%s is a member of %d roles", role, n)
		}
		for catalog, owner := range map[string]string{
			"pg_class": "relowner", "pg_proc": "proowner", "pg_type": "typowner", "pg_namespace": "nspowner", "pg_database": "datdba",
		} {
			query := fmt.Sprintf("SELECT count(*) FROM %s JOIN pg_roles r ON r.oid = %s WHERE r.rolname = $1", catalog, owner)
			if n := one[int](t, db.Owner, query, role); n != 0 {
				t.Errorf("%s owns %d rows of %s", role, n, catalog)
			}
		}
	}
}

func TestRolesCreateNothing(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	for role, pool := range map[string]*pgxpool.Pool{pg.RoleHub: db.Hub, pg.RoleLog: db.Log} {
		for _, s := range []string{"CREATE TABLE mine (id int)", "CREATE SCHEMA mine", "CREATE ROLE mine", "DROP TABLE goose_db_version"} {
			if _, err := pool.Exec(t.Context(), s); !refusedBy(err, insufficientPrivilege) {
				t.Errorf("%s may %s: %v", role, s, err)
			}
		}
	}
}

func TestResetsLeadBackToTheRole(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	run(t, db.Owner, "CREATE TABLE hidden (id int)")
	for _, reset := range []string{"RESET ROLE", "RESET ALL", "DISCARD ALL"} {
		conn, err := pgx.ConnectConfig(t.Context(), db.Hub.Config().ConnConfig)
		if err != nil {
			t.Fatal(err)
		}
		run(t, conn, reset)
		if role := one[string](t, conn, "SELECT current_user::text"); role != pg.RoleHub {
			t.Errorf("%s leads to %s", reset, role)
		}
		if _, err := conn.Exec(t.Context(), "SELECT FROM hidden"); !refusedBy(err, insufficientPrivilege) {
			t.Errorf("%s gives the owner's rights: %v", reset, err)
		}
		if err := conn.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestConnectionsAreBoundedWhateverTheAddressSays(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	loose := db.URL + "&timezone=Asia%2FTokyo&statement_timeout=0&idle_in_transaction_session_timeout=0&default_transaction_isolation=serializable&role=" + pg.Login
	want := map[string]string{
		"application_name": "handover", "TimeZone": "UTC", "search_path": "public, pg_temp",
		"idle_in_transaction_session_timeout": "10s", "statement_timeout": "15s", "lock_timeout": "5s",
		"transaction_isolation": "read committed",
	}
	for _, role := range []string{pg.RoleHub, pg.RoleLog, ""} {
		pool, err := pg.Open(t.Context(), loose, role, 1)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for name := range want {
			got[name] = one[string](t, pool, "SELECT current_setting($1)", name)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("role %q (-want +got):\n%s", role, diff)
		}
		if user := one[string](t, pool, "SELECT current_user::text"); user != role && (role != "" || user != pg.Login) {
			t.Errorf("role %q: works as %s", role, user)
		}
		pool.Close()
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	for name, row := range map[string]struct{ url, role string }{
		"an address that is none":        {"postgres://%zz", ""},
		"a server that is not there":     {strings.Replace(db.URL, "port=5432", "port=5433", 1), ""},
		"a role that does not exist":     {db.URL, "handover_nobody"},
		"a role the login is no part of": {db.URL, "pg_read_all_data"},
	} {
		if pool, err := pg.Open(t.Context(), row.url, row.role, 1); err == nil {
			pool.Close()
			t.Errorf("%s was opened", name)
		}
	}
}

func TestConnectionInAnotherRoleIsRefused(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	conn, err := db.Owner.Acquire(t.Context()) // as if a pooler had dropped the startup parameter
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	if err := pg.Confirm(t.Context(), conn.Conn(), pg.RoleHub); err == nil {
		t.Error("the owner's connection passes for the hub's")
	}
	if err := pg.Confirm(t.Context(), conn.Conn(), pg.Login); err != nil {
		t.Error(err)
	}
}

func TestViolatesNamesTheConstraint(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	run(t, db.Owner,
		"CREATE TABLE parent (id int CONSTRAINT parent_once PRIMARY KEY)",
		`CREATE TABLE child (id int NOT NULL CONSTRAINT child_positive CHECK (id > 0) CONSTRAINT child_parent REFERENCES parent)`,
		`CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			RAISE EXCEPTION USING ERRCODE = TG_ARGV[0], CONSTRAINT = 'guarded', MESSAGE = 'no'; END $$`,
		"CREATE TABLE guarded (id int)", "CREATE TRIGGER guard BEFORE INSERT ON guarded EXECUTE FUNCTION guard('check_violation')",
		"CREATE TABLE other (id int)", "CREATE TRIGGER guard BEFORE INSERT ON other EXECUTE FUNCTION guard('raise_exception')",
		"INSERT INTO parent VALUES (1)")
	for _, row := range []struct {
		statement, constraint string
		want                  bool
	}{
		{"INSERT INTO parent VALUES (1)", "parent_once", true},
		{"INSERT INTO parent VALUES (1)", "child_parent", false},
		{"INSERT INTO child VALUES (-1)", "child_positive", true},
		{"INSERT INTO child VALUES (9)", "child_parent", true},
		{"INSERT INTO child VALUES (NULL)", "", false},
		{"INSERT INTO guarded VALUES (1)", "guarded", true},
		{"INSERT INTO other VALUES (1)", "guarded", false}, // no refusal of a row
		{"SELECT 1/0", "", false},
		{"INSERT INTO parent VALUES (2)", "parent_once", false},
	} {
		_, err := db.Owner.Exec(t.Context(), row.statement)
		if got := pg.Violates(err, row.constraint); got != row.want {
			t.Errorf("%s, %q: %t for %v", row.statement, row.constraint, got, err)
		}
		if got := pg.Violates(fmt.Errorf("inserting: %w", err), row.constraint); err != nil && got != row.want {
			t.Errorf("%s, %q: %t for it wrapped", row.statement, row.constraint, got)
		}
	}
}
