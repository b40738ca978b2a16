package pgtest

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"handover/internal/pg/cluster"
)

// Rewrite runs a statement as the server's superuser with triggers and foreign keys off: what
// somebody can do who has the machine. Whatever is to be shown against him must show without
// the database's help. A statement that finds nothing to change fails t.
func (db *DB) Rewrite(t testing.TB, sql string, args ...any) {
	t.Helper()
	m, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	conn, err := pgx.Connect(ctx, m.server.url(cluster.Superuser, db.Owner.Config().ConnConfig.Database))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, `SET session_replication_role = replica`); err != nil {
		t.Fatal(err)
	}
	tag, err := conn.Exec(ctx, sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	if (tag.Insert() || tag.Update() || tag.Delete()) && tag.RowsAffected() == 0 {
		t.Fatalf("nothing was changed by %s", sql)
	}
}
