package pg

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Decide runs one transaction, bound to partner like As, in as few round trips as its
// decisions allow: first everything in read (which locks what the decision rests on),
// then, for each step, everything in the batch that the step returns. Go decides in
// between, under the locks, so a refusal is an ordinary error: it rolls back and nothing
// is stored. A step that returns no batch commits what was done before it.
//
// A statement at a time costs a round trip each, which was the larger part of
// accepting a packet. As with As, a caller who leaves is let go between the
// trips and not inside one: a connection cut in mid-statement is thrown away, and
// whoever hangs up a thousand times would have the server start a thousand processes.
func Decide(ctx context.Context, pool *pgxpool.Pool, partner string, read *pgx.Batch, steps ...func() (*pgx.Batch, error)) error {
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

	next := &pgx.Batch{}
	next.Queue(`BEGIN`)
	Bind(next, partner)
	next.QueuedQueries = append(next.QueuedQueries, read.QueuedQueries...)
	for _, step := range steps {
		if err := conn.SendBatch(work, next).Close(); err != nil {
			return undo(err)
		}
		next, err = step()
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return undo(err)
		}
		if next == nil {
			next = &pgx.Batch{}
			break
		}
	}
	next.Queue(`COMMIT`)
	if err := conn.SendBatch(work, next).Close(); err != nil {
		return undo(err)
	}
	return nil
}
