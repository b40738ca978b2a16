package audit

import (
	"context"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"handover/audit/proof"
)

// covering returns the first cosigned checkpoint that covers the entry at index, or nil
// if there is none yet.
func (l *Log) covering(ctx context.Context, index int64) (c *cosigned, news <-chan struct{}, short bool, err error) {
	w := l.witnesses
	w.mu.Lock()
	base := w.base
	for _, r := range w.recent {
		if c == nil && r.tree.N > index {
			c = r
		}
	}
	news, short = w.news, w.short
	w.mu.Unlock()
	if index >= base {
		return c, news, short, nil
	}
	stored, err := l.store.cosignedAfter(ctx, w.digest, index, 1)
	if err != nil || len(stored) == 0 {
		return nil, news, short, err
	}
	c, err = l.openCosigned(ctx, stored[0])
	return c, news, short, err
}

// caughtUp returns a cosigned checkpoint that covers all that has its place in the log now,
// after waiting for it as long as a receipt may; nil when there are no witnesses, or too few answer. Unlike a
// receipt it is asked for by commands too, which run no hub and hear of nothing.
func (l *Log) caughtUp(ctx context.Context) (*cosigned, error) {
	w := l.witnesses
	if w == nil {
		return nil, nil
	}
	size, err := l.store.lastSize(ctx)
	if err != nil || size == 0 {
		return nil, err
	}
	patience := time.NewTimer(w.wait)
	defer patience.Stop()
	for {
		w.mu.Lock()
		news, short := w.news, w.short
		w.mu.Unlock()
		stored, err := l.store.cosignedAfter(ctx, w.digest, size-1, 1)
		if err != nil {
			return nil, err
		}
		if len(stored) > 0 {
			return l.openCosigned(ctx, stored[0])
		}
		if short {
			return nil, nil
		}
		again := time.NewTimer(gatherEvery)
		select {
		case <-news:
		case <-again.C:
		case <-patience.C:
			return nil, nil
		case <-ctx.Done():
			return nil, nil
		}
		again.Stop()
	}
}

// newestCheckpoint is a checkpoint of all that has its place in the log now, so that of two
// that somebody is shown the later is never the smaller: cosigned if enough witnesses answer.
func (l *Log) newestCheckpoint(ctx context.Context) ([]byte, error) {
	c, err := l.caughtUp(ctx)
	if err != nil {
		return nil, err
	}
	if c != nil {
		return c.note, nil
	}
	return l.store.lastCheckpoint(ctx)
}

// firstCovering is the size of the checkpoint to which the receipt of a placed entry leads now.
func (l *Log) firstCovering(ctx context.Context, at Sequenced) (int64, error) {
	if l.witnesses == nil {
		return at.Size, nil
	}
	c, _, _, err := l.covering(ctx, at.Index)
	if err != nil || c == nil {
		return at.Size, err
	}
	return c.tree.N, nil
}

// awaitCosigned is covering, after waiting for it as long as a receipt may. It returns nil
// when too few witnesses answer.
func (l *Log) awaitCosigned(ctx context.Context, index int64) (*cosigned, error) {
	w := l.witnesses
	patience := w.wait
	if until, ok := ctx.Deadline(); ok { // what is left is for the plain receipt
		patience = min(patience, until.Sub(l.now())/2)
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		c, news, short, err := l.covering(ctx, index)
		if c != nil || err != nil || short {
			return c, err
		}
		select {
		case <-news:
		case <-timer.C:
			if patience == w.wait {
				w.fallShort()
			}
			return nil, nil
		case <-ctx.Done():
			return nil, nil
		case <-l.stopped():
			return nil, nil
		}
	}
}

// receiptUnder makes the receipt of a placed entry under a cosigned checkpoint.
func (l *Log) receiptUnder(ctx context.Context, p placed, entry *stored, c *cosigned) (r proof.Receipt, err error) {
	at := p.Sequenced
	at.Size, at.Checkpoint = c.tree.N, c.note
	if p.batch != nil && p.batch.tree == c.tree {
		return receipt(entry, at, c.tree, p.batch)
	}
	read := func(tiles []tlog.Tile) ([][]byte, error) { return l.store.tiles(ctx, tiles) }
	err = authenticated(c.tree, c.fetch(read), func(hashes tlog.HashReader) error {
		r, err = receipt(entry, at, c.tree, hashes)
		return err
	})
	return r, err
}
