package audit

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	batchLimit  = 4096                   // entries sequenced in one transaction
	pollEvery   = 500 * time.Millisecond // for entries and checkpoints that nobody told us of
	retryAfter  = 100 * time.Millisecond // after the first failure; doubled with each further one
	retryAtMost = 5 * time.Second
	hourLength  = time.Hour
)

// Log is the audit log of one hub. Any number of hubs share one log in one
// database; each runs Run.
type Log struct {
	Logger *slog.Logger // where Run tells of failures; set it before Run, or nobody hears
	// Keys finds the private part of a key that has followed ours; without it a log whose key
	// was changed goes on only after a restart. Set it before Run.
	Keys func(ed25519.PublicKey) (crypto.Signer, error)

	witnesses *witnessing // nil without a policy

	store  *store
	held   atomic.Pointer[Signer]
	now    func() time.Time
	kicked chan struct{}
	told   chan struct{}
	pace   pace
	known  atomic.Int64 // size of the newest tree this hub made or heard of

	mu      sync.Mutex // guards the fields below; held for moments, never over I/O
	last    edge       // the tree as this hub last knew it
	waiters map[EntryID]*waiting
	fresh   map[EntryID]placed
	ring    []EntryID // the keys of fresh in order of age, from next on
	next    int
	running bool
	failure error         // of the last attempt; nil after a success
	ended   chan struct{} // closed when Run has ended

	countsMu  sync.Mutex
	counts    map[string]int64
	closedFor time.Time // the hour before which counts were closed; only Run uses it
}

func newLog(s *store, signer Signer, now func() time.Time) *Log {
	l := &Log{
		store: s, now: now,
		kicked: make(chan struct{}, 1), told: make(chan struct{}, 1),
		waiters: map[EntryID]*waiting{}, fresh: map[EntryID]placed{}, counts: map[string]int64{},
		ended: make(chan struct{}),
	}
	l.held.Store(&signer)
	return l
}

// Kick wakes the sequencer. Call it after a commit that appended, unless Receipt follows. It never blocks;
// without it an entry is found by the next poll.
func (l *Log) Kick() {
	l.pace.kick()
	select {
	case l.kicked <- struct{}{}:
	default: // it is awake already, and reads the queue after this
	}
}

// tell notes that another hub has committed a checkpoint of size.
func (l *Log) tell(size int64) {
	for known := l.known.Load(); size > known; known = l.known.Load() {
		if l.known.CompareAndSwap(known, size) {
			select {
			case l.told <- struct{}{}:
			default:
			}
			return
		}
	}
}

// Healthy returns nil while the sequencer runs and its last attempt succeeded. An
// error that wraps ErrTampered stays until somebody has looked at the database, and
// ErrRefused until the witnesses cosign again. Witnesses that do not answer are no reason:
// referrals go on without them.
func (l *Log) Healthy() error {
	if err := l.sequencing(); err != nil {
		return err
	}
	if l.witnesses != nil {
		return l.witnesses.blocked()
	}
	return nil
}

// sequencing returns nil while the sequencer runs and its last attempt succeeded.
func (l *Log) sequencing() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failure != nil {
		return l.failure
	}
	if !l.running {
		return errors.New("the sequencer is not running")
	}
	return nil
}

// stopped is closed once Run has ended.
func (l *Log) stopped() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ended
}

// Run sequences until ctx ends, and then returns nil. It returns an error that
// wraps ErrTampered, at once and without having written anything, when the stored
// log does not fit its last checkpoint, and then nobody gets a receipt any more:
// building on a changed tree would put this log's signature under the change. Any
// other failure, such as a database that restarts, is logged and tried again.
func (l *Log) Run(ctx context.Context) error {
	if err := l.start(); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	var listener sync.WaitGroup
	listener.Go(func() { l.listen(ctx) })
	if l.witnesses != nil {
		listener.Go(func() { l.gather(ctx) })
		listener.Go(func() { l.hearAll(ctx) })
	}
	err := l.run(ctx)
	stop()
	listener.Wait()
	l.finish(err)
	return err
}

func (l *Log) start() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running {
		return errors.New("the sequencer runs already")
	}
	if l.witnesses != nil && l.store.log.Config().MaxConns < minWitnessPool { // commands that run no sequencer need fewer
		return fmt.Errorf("the log's pool must allow %d connections to gather cosignatures", minWitnessPool)
	}
	select {
	case <-l.ended: // a run before this one
		l.ended = make(chan struct{})
	default:
	}
	l.running, l.failure = true, nil
	if l.Logger == nil {
		l.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

func (l *Log) finish(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running = false
	if err != nil {
		l.failure = err
	}
	close(l.ended)
}

// listen keeps listening for other hubs' checkpoints. While it cannot, the poll
// does its work.
func (l *Log) listen(ctx context.Context) {
	for wait := retryAfter; ctx.Err() == nil; wait = min(2*wait, retryAtMost) {
		err := l.store.listen(ctx, l.witnesses != nil, func(from string, size int64) {
			wait = retryAfter
			if from == cosignedChannel {
				nudge(l.witnesses.told)
				return
			}
			l.tell(size)
		})
		if ctx.Err() == nil {
			l.Logger.LogAttrs(ctx, slog.LevelWarn, "listening for checkpoints", slog.Any("err", err))
			pause(ctx, wait)
		}
	}
}

// run is the loop: sequence what waits, then sleep until something happens.
func (l *Log) run(ctx context.Context) error {
	var c *session
	defer func() {
		if c != nil {
			c.close(context.WithoutCancel(ctx))
		}
		l.lastWords(ctx)
	}()
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	wake, wait := l.sequence, retryAfter // the first round makes the first checkpoint
	for {
		err := l.round(ctx, &c, wake)
		if ctx.Err() != nil {
			return nil
		}
		l.note(ctx, err)
		if errors.Is(err, ErrTampered) {
			return err
		}
		if err != nil {
			pause(ctx, wait)
			wait = min(2*wait, retryAtMost)
			continue
		}
		wait = retryAfter
		select {
		case <-ctx.Done():
			return nil
		case <-l.kicked:
			l.pace.gather(ctx, l.now(), l.kicked)
			wake = l.sequence
		case <-l.told:
			wake = l.catchUp
		case <-poll.C:
			wake = l.poll
		}
	}
}

// round does one piece of work on a session, opening one if there is none and
// giving it up after a failure, whatever state its transaction was in.
func (l *Log) round(ctx context.Context, c **session, work func(context.Context, *session) error) error {
	if *c == nil {
		opened, err := l.store.session(ctx)
		if err != nil {
			return err
		}
		*c = opened
	}
	err := work(ctx, *c)
	if err != nil {
		(*c).close(context.WithoutCancel(ctx))
		*c = nil
	}
	return err
}

// note keeps the outcome of an attempt for Healthy and logs a failure.
func (l *Log) note(ctx context.Context, err error) {
	l.mu.Lock()
	l.failure = err
	l.mu.Unlock()
	if err != nil {
		l.Logger.LogAttrs(ctx, slog.LevelError, "sequencing", slog.Any("err", err))
	}
}

// lastWords writes the counts that are still in memory when Run ends.
func (l *Log) lastWords(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := l.writeCounts(ctx); err != nil {
		l.Logger.LogAttrs(ctx, slog.LevelWarn, "writing the last counts", slog.Any("err", err))
	}
}

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// catchUp tells those who wait for what another hub has sequenced.
func (l *Log) catchUp(ctx context.Context, _ *session) error {
	return l.settle(ctx, l.awaited())
}

// poll finds what no kick and no notification told of: entries of commands that run
// outside a hub, and news lost with a connection.
func (l *Log) poll(ctx context.Context, c *session) error {
	if err := l.count(ctx); err != nil {
		return err
	}
	if err := l.catchUp(ctx, c); err != nil {
		return err
	}
	waiting, err := l.store.waiting(ctx)
	if err != nil {
		return fmt.Errorf("looking for log entries: %w", err)
	}
	if !waiting {
		return nil
	}
	return l.sequence(ctx, c)
}

// sequence sequences until fewer entries wait than fit into one batch; those
// committed meanwhile come with a kick of their own.
func (l *Log) sequence(ctx context.Context, c *session) error {
	for {
		l.pace.begin(l.now())
		n, err := l.batch(ctx, c)
		l.pace.end(l.now(), n)
		if err != nil || n < batchLimit {
			return err
		}
	}
}

// batch gives places to the entries that wait, at most batchLimit of them, in one
// transaction: either all of it is committed, or nothing happened.
func (l *Log) batch(ctx context.Context, c *session) (int, error) {
	h, waiting, err := c.begin(ctx, batchLimit)
	if err != nil {
		return 0, err
	}
	from, err := l.authenticate(ctx, c, h)
	if err != nil {
		return 0, err
	}
	if len(waiting) == 0 && from.note != nil {
		l.learn(from)
		return 0, c.rollback(ctx)
	}
	x, err := l.signer().extend(from, waiting)
	if err != nil {
		return 0, err
	}
	// Our own announcement may come back before the commit's answer does.
	l.known.Store(x.to.tree.N)
	if err := c.commit(ctx, *x); err != nil {
		l.known.Store(from.tree.N)
		return 0, err
	}
	l.committed(*x)
	return len(waiting), nil
}
