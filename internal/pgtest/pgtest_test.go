package pgtest

import (
	"context"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"

	"handover/internal/pg"
)

// count runs a query that yields one number.
func count(t *testing.T, url, query string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	if err := conn.QueryRow(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestEachTestHasADatabaseOfItsOwn(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"one", "another", "a third"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := New(t)
			for _, statement := range []string{"CREATE TABLE scratch (id int)", "INSERT INTO scratch VALUES (1)"} {
				if _, err := db.Owner.Exec(t.Context(), statement); err != nil {
					t.Fatal(err)
				}
			}
			if n := count(t, db.URL, "SELECT count(*) FROM scratch"); n != 1 {
				t.Errorf("%d rows, want the one this test wrote", n)
			}
		})
	}
}

func TestNewIsMigratedAndEmptyIsNot(t *testing.T) {
	t.Parallel()
	const tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
	if n := count(t, New(t).URL, tables); n == 0 {
		t.Error("New has no tables")
	}
	if n := count(t, Empty(t), tables); n != 0 {
		t.Errorf("Empty has %d tables", n)
	}
}

func TestPoolsWorkInTheirRoles(t *testing.T) {
	t.Parallel()
	db := New(t)
	for role, pool := range map[string]interface {
		QueryRow(context.Context, string, ...any) pgx.Row
	}{pg.RoleHub: db.Hub, pg.RoleLog: db.Log, pg.Login: db.Owner} {
		var is string
		if err := pool.QueryRow(t.Context(), "SELECT current_user").Scan(&is); err != nil {
			t.Fatal(err)
		}
		if is != role {
			t.Errorf("works as %s, want %s", is, role)
		}
	}
}

// A superuser passes every check of a right, so a test on one would prove nothing.
func TestNoTestIsSuperuser(t *testing.T) {
	t.Parallel()
	if n := count(t, New(t).URL, "SELECT count(*) FROM pg_roles WHERE rolname = current_user AND (rolsuper OR rolbypassrls)"); n != 0 {
		t.Error("the tests' login is a superuser")
	}
}

func TestDatabaseAndFolderGoWithTheirTest(t *testing.T) {
	t.Parallel()
	var db *DB
	var dir string
	t.Run("inner", func(t *testing.T) {
		db, dir = New(t), Dir(t)
	})
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the folder is still there: %v", err)
	}
	eventually(t, "the database is dropped", func() bool {
		conn, err := pgx.Connect(t.Context(), db.URL)
		if err != nil {
			return true
		}
		return conn.Close(t.Context()) != nil
	})
}
