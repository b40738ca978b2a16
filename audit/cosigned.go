package audit

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"handover/audit/proof"
)

// ErrRefused means that so many witnesses say the log's history was changed that no
// quorum can be had without them. Either they are at fault, or the database is not the
// one whose checkpoints they have cosigned.
var ErrRefused = errors.New("witnesses have cosigned another history of this log than the stored one")

const (
	recentCosigned = 16  // cosigned checkpoints kept in memory, each with the tiles that receipts under it needed
	tilesCosigned  = 128 // of one of them; a tile has at most 8 KiB
	minWitnessPool = minLogPool + 1
)

// cosigned is a checkpoint that the policy's quorum of witnesses has cosigned.
type cosigned struct {
	tree tlog.Tree
	note []byte

	mu    sync.Mutex
	tiles map[tlog.Tile][]byte // as read; whoever uses them checks them against the tree
}

// fetch reads tiles of c, each from the database once: the receipts under one checkpoint
// share the tree's edge, and mostly the tile of their leaves.
func (c *cosigned) fetch(read tileFetch) tileFetch {
	return func(tiles []tlog.Tile) ([][]byte, error) {
		data := make([][]byte, len(tiles))
		var missing []tlog.Tile
		c.mu.Lock()
		for i, t := range tiles {
			if data[i] = c.tiles[t]; data[i] == nil {
				missing = append(missing, t)
			}
		}
		c.mu.Unlock()
		if len(missing) == 0 {
			return data, nil
		}
		found, err := read(missing)
		if err != nil {
			return nil, err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for i, t := range missing {
			data[slices.Index(tiles, t)] = found[i]
			if found[i] != nil && len(c.tiles) < tilesCosigned {
				c.tiles[t] = found[i]
			}
		}
		return data, nil
	}
}

// witnessing is what a hub with a policy of witnesses knows of its cosigned checkpoints.
type witnessing struct {
	policy proof.Policy
	digest string        // of the policy
	wait   time.Duration // how long a receipt waits for the quorum, and the gatherer for one witness
	grown  chan struct{} // the tree has grown
	told   chan struct{} // there is a new cosigned checkpoint

	hearing sync.Mutex // held while recent is brought up to date
	heard   bool       // base is set; guarded by hearing

	mu      sync.Mutex // guards the fields below
	recent  []*cosigned
	base    int64         // recent has every cosigned checkpoint above it, as far as this hub has heard
	news    chan struct{} // closed and made anew when recent grows or the quorum falls short
	short   bool          // the last attempt found no quorum: nobody waits until there is one again
	refused map[string]string
	broken  error // the stored log does not continue what was cosigned
}

// WitnessedBy makes l gather cosignatures under its checkpoints from the witnesses of p
// while it runs, and lead each receipt to the first checkpoint that covers its entry and
// that p's quorum has cosigned. A receipt waits for that for at most wait; when too few
// witnesses answer, it leads to the checkpoint that the log alone has signed, and the same
// receipt asked for later is the cosigned one. Call it before Run.
func (l *Log) WitnessedBy(p proof.Policy, wait time.Duration) error {
	if !CanBeMet(p) {
		return errors.New("the policy asks for no witness, or for more than have a URL")
	}
	if !p.Concerns(l.signer().current) {
		texts, err := l.Successions(context.Background())
		if err != nil {
			return err
		}
		if key, err := l.signer().current.Followed(texts); err != nil || !p.Concerns(key) {
			return errors.New("the policy is another log's")
		}
	}
	l.witnesses = &witnessing{
		policy: p, digest: p.Digest(), wait: wait,
		grown: make(chan struct{}, 1), told: make(chan struct{}, 1), news: make(chan struct{}), refused: map[string]string{},
	}
	return nil
}

// CanBeMet reports whether p asks for witnesses, and not for more than have a URL.
func CanBeMet(p proof.Policy) bool { return p.Demands() && p.Met(reachable(p)) }

// reachable are the witnesses that can be asked.
func reachable(p proof.Policy) map[string]bool {
	names := map[string]bool{}
	for _, w := range p.Witnesses() {
		names[w.Name] = w.URL != ""
	}
	return names
}

// nudge wakes whoever receives from c.
func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Witnessing says how the log stands with its witnesses; the zero value without any.
type Witnessing struct {
	Size     int64    // of the tree that this hub knows
	Cosigned int64    // size of the newest cosigned checkpoint that this hub has heard of
	Short    bool     // too few have answered since
	Refused  []string // the witnesses that say the log's history was changed
}

// Witnessing returns how the log stands with its witnesses, for metrics.
func (l *Log) Witnessing() Witnessing {
	w := l.witnesses
	if w == nil {
		return Witnessing{}
	}
	size := l.lastKnown().tree.N
	w.mu.Lock()
	defer w.mu.Unlock()
	return Witnessing{Size: size, Cosigned: w.newest(), Short: w.short, Refused: slices.Sorted(maps.Keys(w.refused))}
}

// newest is the size of the newest cosigned checkpoint. The lock is held.
func (w *witnessing) newest() int64 {
	if len(w.recent) == 0 {
		return w.base
	}
	return w.recent[len(w.recent)-1].tree.N
}

// learn adds cosigned checkpoints after the newest. Whoever waits looks again.
func (w *witnessing) learn(more []*cosigned) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.recent = append(w.recent, more...)
	if n := len(w.recent) - recentCosigned; n > 0 {
		w.base = w.recent[n-1].tree.N
		w.recent = slices.Delete(w.recent, 0, n)
	}
	w.short = false
	w.tellAll()
}

// fallShort notes that no quorum could be had: whoever waits for one waits no longer.
func (w *witnessing) fallShort() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.short = true
	w.tellAll()
}

// tellAll wakes all who wait. The lock is held.
func (w *witnessing) tellAll() {
	close(w.news)
	w.news = make(chan struct{})
}

// blocked returns ErrRefused if no quorum is left without the witnesses that refuse, and
// ErrTampered if the stored log does not continue what was cosigned.
func (w *witnessing) blocked() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken != nil {
		return w.broken
	}
	left := reachable(w.policy)
	for name := range w.refused {
		left[name] = false
	}
	if w.policy.Met(left) {
		return nil
	}
	return ErrRefused
}

// hear brings w up to date with the database. What was cosigned before this hub began is
// looked up when it is asked for.
func (l *Log) hear(ctx context.Context) error {
	w := l.witnesses
	w.hearing.Lock()
	defer w.hearing.Unlock()
	if !w.heard {
		last, err := l.store.lastCosigned(ctx, w.digest)
		if err != nil && !errors.Is(err, errNone) {
			return err
		}
		w.mu.Lock()
		w.base = last.Size
		w.tellAll()
		w.mu.Unlock()
		w.heard = true
	}
	for {
		w.mu.Lock()
		after := w.newest()
		w.mu.Unlock()
		stored, err := l.store.cosignedAfter(ctx, w.digest, after, recentCosigned)
		if err != nil || len(stored) == 0 {
			return err
		}
		more := make([]*cosigned, len(stored))
		for i, s := range stored {
			if more[i], err = l.openCosigned(ctx, s); err != nil {
				return err
			}
		}
		w.learn(more)
	}
}

// openCosigned checks a stored cosigned checkpoint. One that the policy does not accept
// was put there by somebody else.
func (l *Log) openCosigned(ctx context.Context, s signedTree) (*cosigned, error) {
	tree, err := l.openCheckpoint(ctx, s.Note, s.Size)
	if err != nil {
		return nil, err
	}
	if err := l.quorate(ctx, s.Note); err != nil {
		return nil, fmt.Errorf("%w: a cosigned checkpoint: %w", ErrTampered, err)
	}
	return &cosigned{tree: tree, note: s.Note, tiles: map[tlog.Tile][]byte{}}, nil
}

// quorate returns nil if the log and the policy's quorum have signed a checkpoint.
func (l *Log) quorate(ctx context.Context, signed []byte) error {
	texts, err := l.store.successions(ctx)
	if err != nil {
		return err
	}
	key, err := l.signer().current.Followed(texts)
	if err != nil {
		return err
	}
	_, err = proof.OpenCheckpoint(signed, key.Witnessed(l.witnesses.policy))
	return err
}
