package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"handover/audit/proof"
)

const (
	gatherEvery  = 100 * time.Millisecond // for checkpoints that other hubs have made
	standbyEvery = time.Second            // for the lock, while another hub gathers
	shortAfter   = 10 * time.Second       // before the log has an entry of it
	askAtMost    = 3                      // times a witness is asked about one checkpoint
)

// gatherer asks the witnesses for cosignatures. Of all hubs, one gathers at a time.
type gatherer struct {
	log    *Log
	asker  witnessAsker
	asked  []*asked
	asking sync.WaitGroup

	since time.Time // the first attempt that found no quorum; zero while there is one
	told  bool      // and the log has an entry of it
}

// asked is a witness as the gatherer knows it.
type asked struct {
	proof.Witness
	busy atomic.Bool // it is being asked; whoever set it has size
	size int64       // of the tree that the witness has cosigned last, as far as it said
}

// refusal is a witness's word that a checkpoint does not continue what it has cosigned.
type refusal struct{ says string }

func (r refusal) Error() string { return "the witness refuses: " + r.says }

// gather gathers cosignatures until ctx ends, whenever no other hub does.
func (l *Log) gather(ctx context.Context) {
	g := &gatherer{log: l, asker: newWitnessAsker()}
	for _, w := range l.witnesses.policy.Witnesses() {
		if w.URL != "" {
			g.asked = append(g.asked, &asked{Witness: w})
		}
	}
	defer func() {
		g.asking.Wait()
		g.asker.close()
	}()
	for ctx.Err() == nil {
		wait := standbyEvery
		if err := g.run(ctx); err != nil && ctx.Err() == nil {
			l.Logger.LogAttrs(ctx, slog.LevelError, "gathering cosignatures", slog.Any("err", err))
			if errors.Is(err, ErrTampered) { // until somebody has looked at the database
				wait = time.Minute
			}
		}
		pause(ctx, wait)
	}
}

// hearAll brings this hub up to date whenever there is a new cosigned checkpoint.
func (l *Log) hearAll(ctx context.Context) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for wait := retryAfter; ctx.Err() == nil; {
		if err := l.hear(ctx); err != nil && ctx.Err() == nil {
			l.Logger.LogAttrs(ctx, slog.LevelError, "reading cosigned checkpoints", slog.Any("err", err))
			pause(ctx, wait)
			wait = min(2*wait, retryAtMost)
			continue
		}
		wait = retryAfter
		select {
		case <-ctx.Done():
		case <-tick.C:
		case <-l.witnesses.told:
		}
	}
}

// run gathers while this hub has the lock.
func (g *gatherer) run(ctx context.Context) error {
	c, err := g.log.store.gatherer(ctx)
	if err != nil || c == nil {
		return err
	}
	defer c.close(context.WithoutCancel(ctx))
	size, err := g.resume(ctx, c)
	if err != nil {
		return err
	}
	wait := retryAfter
	for ctx.Err() == nil {
		cp, err := c.newest(ctx)
		if err != nil && !errors.Is(err, errNone) {
			return err
		}
		if cp.Size <= size {
			g.rest(ctx)
			continue
		}
		note, err := g.round(ctx, cp)
		if err != nil {
			g.failed(ctx, err)
			pause(ctx, wait)
			wait = min(2*wait, retryAtMost)
			continue
		}
		if err := c.storeCosigned(ctx, g.log.witnesses.digest, signedTree{cp.Size, note}); err != nil {
			return err
		}
		size, wait = cp.Size, retryAfter
		nudge(g.log.witnesses.told)
		g.succeeded(ctx)
	}
	return nil
}

// resume returns the size of the newest cosigned checkpoint. The stored tree has to begin
// with it: if it does not, history was changed, and that shows without asking a witness.
func (g *gatherer) resume(ctx context.Context, c *session) (int64, error) {
	w := g.log.witnesses
	last, err := g.log.store.lastCosigned(ctx, w.digest)
	if errors.Is(err, errNone) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	err = g.log.continuesCosigned(ctx, c, last)
	if errors.Is(err, ErrTampered) {
		w.mu.Lock()
		w.broken = err
		w.mu.Unlock()
	}
	return last.Size, err
}

func (l *Log) continuesCosigned(ctx context.Context, c *session, last signedTree) error {
	older, err := l.openCosigned(ctx, last)
	if err != nil {
		return err
	}
	cp, err := c.newest(ctx)
	if err != nil && !errors.Is(err, errNone) {
		return err
	}
	if cp.Size < last.Size {
		return tampered("the log is shorter than a cosigned checkpoint of it")
	}
	tree, err := l.openCheckpoint(ctx, cp.Note, cp.Size)
	if err != nil {
		return err
	}
	hashes, err := l.treeProof(ctx, last.Size, tree)
	if err != nil {
		return err
	}
	if proof.CheckConsistency(older.tree, tree, hashes) != nil {
		return tampered("the log does not begin with a cosigned checkpoint of it")
	}
	return nil
}

// rest waits until the tree may have grown.
func (g *gatherer) rest(ctx context.Context) {
	t := time.NewTimer(gatherEvery)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	case <-g.log.witnesses.grown:
	}
}

// said is what came of asking one witness.
type said struct {
	by  *asked
	sig proof.Cosignature
	err error
}

// round asks all witnesses about cp at once, and returns the cosigned checkpoint as soon
// as the answers meet the policy. A witness that is slower than the others goes on
// answering, and is asked about a later checkpoint when it is done: it holds nobody up.
func (g *gatherer) round(ctx context.Context, cp signedTree) ([]byte, error) {
	l := g.log
	tree, err := l.openCheckpoint(ctx, cp.Note, cp.Size)
	if err != nil {
		return nil, err
	}
	key := l.signer().current
	answers := make(chan said, len(g.asked))
	waiting := 0
	for _, w := range g.asked {
		if !w.busy.CompareAndSwap(false, true) {
			continue
		}
		waiting++
		g.asking.Go(func() {
			asking, cancel := context.WithTimeout(ctx, l.witnesses.wait)
			defer cancel()
			sig, err := g.ask(asking, w, cp.Note, tree, key)
			a := said{w, sig, err}
			g.heed(ctx, a)
			w.busy.Store(false)
			answers <- a
		})
	}
	by := map[string]proof.Cosignature{}
	met := map[string]bool{}
	var failures error
	for ; waiting > 0; waiting-- {
		a := <-answers
		if a.err != nil {
			failures = errors.Join(failures, fmt.Errorf("%s: %w", a.by.Name, a.err))
			continue
		}
		by[a.by.Name], met[a.by.Name] = a.sig, true
		if l.witnesses.policy.Met(met) {
			note := l.witnesses.policy.Cosign(cp.Note, by)
			return note, l.quorate(ctx, note) // as everybody will who is handed it
		}
	}
	return nil, errors.Join(proof.ErrUnwitnessed, failures)
}

// ask asks one witness for its cosignature. It sends a proof from the tree that the
// witness has, which the witness says if it was another than this hub thought.
func (g *gatherer) ask(ctx context.Context, w *asked, note []byte, tree tlog.Tree, key proof.LogKey) (proof.Cosignature, error) {
	for range askAtMost {
		if w.size > tree.N {
			return proof.Cosignature{}, g.ahead(ctx, w, key)
		}
		hashes, err := g.log.treeProof(ctx, w.size, tree)
		if err != nil {
			return proof.Cosignature{}, err
		}
		a, err := g.asker.ask(ctx, w.URL, proof.FormatConsistency(w.size, hashes, note))
		if err != nil {
			return proof.Cosignature{}, err
		}
		switch {
		case a.cosigned != nil:
			sig, err := w.Cosigned(note, a.cosigned, key)
			if err == nil {
				w.size = tree.N
			}
			return sig, err
		case a.has >= 0 && a.has != w.size:
			w.size = a.has
			continue
		case a.forked || a.has >= 0:
			return proof.Cosignature{}, refusal{fmt.Sprintf("it has cosigned another tree of %d entries", w.size)}
		case a.rewritten:
			return proof.Cosignature{}, refusal{fmt.Sprintf("the log does not begin with the %d entries that it has cosigned", w.size)}
		case a.stranger:
			return proof.Cosignature{}, fmt.Errorf("the witness does not know this log or its key (status %d): its operator gives it the key with --log", a.status)
		}
		return proof.Cosignature{}, fmt.Errorf("the witness answered with status %d", a.status)
	}
	return proof.Cosignature{}, errors.New("the witness says another size each time")
}

// ahead says why a witness that has cosigned more than the checkpoint at hand gives nothing. If
// the log has grown that far meanwhile, it is no refusal: whoever is shown a checkpoint may
// bring it to a witness before the log does, and must not make it look as if the log was
// set back. What the witness said is forgotten, so that one that spoke in error is asked again.
func (g *gatherer) ahead(ctx context.Context, w *asked, key proof.LogKey) error {
	size := w.size
	w.size = 0
	note, err := g.log.store.lastCheckpoint(ctx)
	if err != nil {
		return err
	}
	newest, err := proof.OpenCheckpoint(note, key)
	switch {
	case err != nil:
		return err
	case size <= newest.N:
		return fmt.Errorf("the witness has cosigned %d entries already, by somebody else's hand", size)
	}
	return refusal{fmt.Sprintf("it has cosigned %d entries, and the log has %d", size, newest.N)}
}

// treeProof proves that tree begins with its first older entries.
func (l *Log) treeProof(ctx context.Context, older int64, tree tlog.Tree) (hashes tlog.TreeProof, err error) {
	if older == 0 || older == tree.N {
		return nil, nil
	}
	err = l.authenticated(ctx, tree, func(r tlog.HashReader) error {
		hashes, err = tlog.ProveTree(tree.N, older, r)
		return err
	})
	return hashes, err
}
