package audit

import (
	"context"

	"golang.org/x/mod/sumdb/tlog"
)

// extension is a batch of entries with their places behind a tree, ready to be written.
type extension struct {
	from    edge
	entries []stored
	grown   *growth
	to      edge // signed
	tiles   map[place][]byte
}

// extend gives entries their places after from, and signs the tree that they make.
func (s Signer) extend(from edge, entries []stored) (*extension, error) {
	leaves := make([][]byte, len(entries))
	for i, e := range entries {
		if !e.commits() {
			return nil, tampered("a waiting entry does not fit its leaf")
		}
		leaves[i] = e.leaf
	}
	grown, to, changed, err := from.extend(leaves)
	if err != nil {
		return nil, err
	}
	if to.note, err = s.sign(to.tree); err != nil {
		return nil, err
	}
	return &extension{from: from, entries: entries, grown: grown, to: to, tiles: changed}, nil
}

// committed takes note of a committed extension and tells those who wait.
func (l *Log) committed(x extension) {
	l.learn(x.to)
	places := make([]placed, len(x.entries))
	for i := range x.entries {
		places[i] = placed{
			Sequenced: Sequenced{
				Entry: x.entries[i].id, Index: x.grown.first + int64(i), Size: x.to.tree.N, Checkpoint: x.to.note,
			},
			entry: &x.entries[i], batch: x.grown,
		}
	}
	l.publish(places)
}

// learn keeps e as the tree this hub knows, unless it knows a later one: whoever has
// committed an extension tells of it after the lock on sequencing is free again.
func (l *Log) learn(e edge) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last.note == nil || e.tree.N >= l.last.tree.N {
		l.last = e
	}
	if l.witnesses != nil {
		nudge(l.witnesses.grown)
	}
}

// lastKnown is the tree this hub knows. While the lock on sequencing is held, the
// stored tree is that one or a later one.
func (l *Log) lastKnown() edge {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// authenticate returns the edge of the stored tree, or ErrTampered unless all of
// this holds: the last checkpoint is signed by this log, the stored tiles of the
// edge hash to its root, there is a leaf for each index, and the tree begins with
// the one this hub knew before. The last one catches a database that was set back
// to an earlier state in which everything else fits.
func (l *Log) authenticate(ctx context.Context, c *session, h head) (edge, error) {
	if h.leaves != h.size {
		return edge{}, tampered("not as many leaves as the checkpoint says")
	}
	last := l.lastKnown()
	if last.is(h) {
		return last, nil // these very bytes were authenticated, or written, by this hub
	}
	if h.note == nil {
		if last.note != nil || len(h.tiles) > 0 {
			return edge{}, tampered("the checkpoints are gone")
		}
		return edge{}, nil
	}
	tree, err := l.openCheckpoint(ctx, h.note, h.size)
	if err != nil {
		return edge{}, err
	}
	e, err := newEdge(tree, h.note, h.tiles)
	if err != nil {
		return edge{}, err
	}
	return e, last.continues(ctx, c, tree)
}

// continues checks that tree begins with the tree of e, which this hub knew before
// (RFC 6962 §2.1.2). It costs a round trip, and only when another hub has sequenced.
func (e edge) continues(ctx context.Context, c *session, tree tlog.Tree) error {
	known := e.tree
	if tree.N < known.N || tree.N == known.N && e.note != nil && tree.Hash != known.Hash {
		return tampered("the tree was set back")
	}
	if known.N == 0 || tree.N == known.N {
		return nil
	}
	fetch := func(tiles []tlog.Tile) ([][]byte, error) { return c.fullTiles(ctx, tiles) }
	return authenticated(tree, fetch, func(hashes tlog.HashReader) error {
		path, err := tlog.ProveTree(tree.N, known.N, hashes)
		if err != nil {
			return err
		}
		return tlog.CheckTree(path, tree.N, tree.Hash, known.N, known.Hash)
	})
}
