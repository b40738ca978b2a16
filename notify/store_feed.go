package notify

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"handover/internal/pg"
	"handover/partners"
)

// NewFeed returns the feed over pool, which needs the hub's role and no more. It tells nothing
// until Run runs.
func NewFeed(pool *pgxpool.Pool, logger *slog.Logger) *Feed {
	return &Feed{Pause: time.Second, store: &logReader{pool}, logger: logger,
		listeners: map[partners.ID]map[chan struct{}]bool{}, after: beginning}
}

// logReader reads on in the log, in sessions that are bound to no partner.
type logReader struct{ pool *pgxpool.Pool }

// head is the place of the log's newest entry.
func (s *logReader) head(ctx context.Context) (at int64, err error) {
	b := &pgx.Batch{}
	b.Queue(`SELECT coalesce((SELECT max(idx) FROM audit_leaf), 0)`).QueryRow(func(row pgx.Row) error { return row.Scan(&at) })
	err = pg.Decide(ctx, s.pool, nobody, b, func() (*pgx.Batch, error) { return nil, nil })
	if err != nil {
		return 0, fmt.Errorf("reading the log's newest place: %w", err)
	}
	return at, nil
}

// news are the partners whose referrals some entries have moved, and the place of the last.
type news struct {
	upto      int64
	concerned []partners.ID
}

// news reads on in the log after a place.
func (s *logReader) news(ctx context.Context, after int64) (n news, err error) {
	b := &pgx.Batch{}
	b.Queue(`SELECT upto, concerned FROM referral_news($1)`, after).QueryRow(func(row pgx.Row) error { return row.Scan(&n.upto, &n.concerned) })
	err = pg.Decide(ctx, s.pool, nobody, b, func() (*pgx.Batch, error) { return nil, nil })
	if err != nil {
		return news{}, fmt.Errorf("reading news in the log: %w", err)
	}
	return n, nil
}
