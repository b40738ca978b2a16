package pg

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Decide runs one transaction, bound to partner like As, in two round trips: first
// everything in read (which locks what the decision rests on), then everything in
// the batch that decide returns. Go decides in between, under the locks, so a
// refusal is an ordinary error: it rolls back and nothing is stored. A nil batch
// commits what read did.
//
// A statement at a time costs a round trip each, which was the larger part of
// accepting a packet. As with As, a caller who leaves is let go between the two
// trips and not inside one: a connection cut in mid-statement is thrown away, and
// whoever hangs up a thousand times would have the server start a thousand processes.
func Decide(ctx context.Context, pool *pgxpool.Pool, partner string, read *pgx.Batch, decide func() (*pgx.Batch, error)) error {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("acquiring a connection: %w", err)
	}
	defer conn.Release()
	work, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*endTimeout)
	defer cancel()
	// Ends the transaction in whatever state a failure left it, so that the connection
	// stays usable; the pool throws away one that even this cannot mend.
	undo := func(err error) error {
		_, _ = conn.Exec(work, `ROLLBACK`)
		return err
	}

	var first pgx.Batch
	first.Queue(`BEGIN`)
	Bind(&first, partner)
	first.QueuedQueries = append(first.QueuedQueries, read.QueuedQueries...)
	if err := conn.SendBatch(work, &first).Close(); err != nil {
		return undo(err)
	}
	write, err := decide()
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return undo(err)
	}
	if write == nil {
		write = &pgx.Batch{}
	}
	write.Queue(`COMMIT`)
	if err := conn.SendBatch(work, write).Close(); err != nil {
		return undo(err)
	}
	return nil
}
