package pg_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"handover/internal/pg"
	"handover/internal/pgtest"
)

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	return conn
}

const applied = "SELECT count(*) FROM goose_db_version"

func TestSeveralHubsMayMigrateAtOnce(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	var hubs errgroup.Group
	for range 4 {
		hubs.Go(func() error { return pg.Migrate(t.Context(), url) })
	}
	if err := hubs.Wait(); err != nil {
		t.Fatal(err)
	}
	conn := connect(t, url)
	before := one[int](t, conn, applied)
	if err := pg.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	if after := one[int](t, conn, applied); after != before {
		t.Errorf("migrating again applied %d more", after-before)
	}
	if twice := one[int](t, conn, "SELECT count(*) - count(DISTINCT version_id) FROM goose_db_version"); twice != 0 {
		t.Errorf("%d migrations were applied twice", twice)
	}
}

func TestAHubWaitsWhileAnotherMigrates(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	other := connect(t, url)
	run(t, other, fmt.Sprintf("SELECT pg_advisory_lock(%d)", pg.MigrationLock))
	var hub errgroup.Group
	hub.Go(func() error { return pg.Migrate(t.Context(), url) })
	asked := map[string]bool{}
	eventually(t, "it asks again for its turn", func() bool {
		rows, err := other.Query(t.Context(), `SELECT query_start::text FROM pg_stat_activity
			WHERE datname = current_database() AND application_name = 'handover-migrate' AND query LIKE '%pg_try_advisory_lock%'`)
		if err != nil {
			t.Fatal(err)
		}
		times, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range times {
			asked[at] = true
		}
		return len(asked) > 2
	})
	if n := one[int](t, other, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"); n != 0 {
		t.Errorf("it made %d tables out of turn", n)
	}
	run(t, other, fmt.Sprintf("SELECT pg_advisory_unlock(%d)", pg.MigrationLock))
	if err := hub.Wait(); err != nil {
		t.Error(err)
	}
	if n := one[int](t, other, applied); n == 0 {
		t.Error("it never migrated")
	}
}

func TestSchemaOfANewerHubIsRefused(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	run(t, db.Owner, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)")
	if err := pg.Migrate(t.Context(), db.URL); !errors.Is(err, pg.ErrNewerSchema) {
		t.Errorf("error %v", err)
	}
}

func TestMigrateRefusesAnAddressThatIsNone(t *testing.T) {
	t.Parallel()
	if err := pg.Migrate(t.Context(), "postgres://%zz"); err == nil {
		t.Error("migrated")
	}
}

// The hub is upgraded forwards only: a Down section would be code that is never run.
func TestMigrationsGoForwardOnly(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("migrations/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d migrations, %v", len(files), err)
	}
	form := regexp.MustCompile(`^[0-9]{5}_[a-z_]+\.sql$`)
	seen := map[string]string{}
	for _, file := range files {
		name := filepath.Base(file)
		if !form.MatchString(name) {
			t.Errorf("%s: not of the form 00001_name.sql", name)
			continue
		}
		if other := seen[name[:5]]; other != "" {
			t.Errorf("%s and %s have one number", other, name)
		}
		seen[name[:5]] = name
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "-- +goose Up\n") || strings.Contains(string(text), "-- +goose Down") {
			t.Errorf("%s: wants an Up section and no Down", name)
		}
	}
}

func TestFingerprintIsThatOfTheseMigrations(t *testing.T) {
	t.Parallel()
	first, err := pg.Fingerprint()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := pg.Fingerprint(); err != nil || again != first || len(first) != 12 {
		t.Errorf("%q and %q, %v", first, again, err)
	}
}
