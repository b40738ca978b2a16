package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"handover/audit"
)

// Worker tells webhooks what awaits their agencies. Each hub runs one.
//
// It begins at the log and at rows, not at calls: so it makes no difference which hub an act came
// to, or whether that one lives. The log is read by one hub at a time, and each entry makes
// its deliveries in the transaction that moves the place read on: none is lost, and none is
// made twice. A hub has its turn at one webhook at a time, so two do not tell the same; one that
// dies in its turn leaves what it had not noted to the next, which tells it again under the
// same id.
type Worker struct {
	Store  *Store
	Hub    string // its address, which messages name as their source
	Log    *audit.Log
	Logger *slog.Logger
	Now    func() time.Time
	Told   func(outcome string) // is called after each attempt with one of Outcomes; nil: nobody

	turns chan struct{} // one for each turn under way; made by NewWorker
}

// NewWorker returns the worker over the store of a hub.
func NewWorker(s *Store, hub string, log *audit.Log, logger *slog.Logger, now func() time.Time) *Worker {
	return &Worker{Store: s, Hub: hub, Log: log, Logger: logger, Now: now, turns: make(chan struct{}, turnsAtOnce)}
}

const (
	feedMost    = 500              // entries read in one transaction
	workPoll    = time.Second      // how often a hub looks for what is due
	workPause   = 10 * time.Second // after a failure of ours
	prunePause  = time.Minute
	turnsAtOnce = 4 // webhooks that one hub tells at the same time: a slow one holds up no more than its own turn
	turnHeld    = 90 * time.Second
	turnWorked  = turnHeld - 3*attemptTime // when a hub leaves the rest of its turn to the next
	turnMost    = 50                       // deliveries in one turn
)

// Run works until ctx ends, and for as long as the attempts that are under way take.
func (w *Worker) Run(ctx context.Context) error {
	var parts sync.WaitGroup
	defer w.Store.Egress.close()
	defer parts.Wait()
	parts.Go(func() { w.repeat(ctx, "reading the log for webhooks failed", workPoll, w.feed) })
	parts.Go(func() { w.repeat(ctx, "pruning webhooks failed", prunePause, w.Tidy) })
	w.repeat(ctx, "telling webhooks failed", workPoll, func(ctx context.Context) error { return w.tell(ctx, &parts) })
	return nil
}

// repeat does a part of the work again and again. What fails is tried again: a key store that is
// away, a database that restarts, must not leave anybody untold.
func (w *Worker) repeat(ctx context.Context, failed string, every time.Duration, do func(context.Context) error) {
	for {
		pause := every
		if err := do(ctx); err != nil && ctx.Err() == nil {
			w.Logger.ErrorContext(ctx, failed, "error", err)
			pause = workPause
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// Round does all that is due now, and returns when it is done.
func (w *Worker) Round(ctx context.Context) error {
	if err := w.feed(ctx); err != nil {
		return err
	}
	var turns sync.WaitGroup
	defer turns.Wait()
	return w.tell(ctx, &turns)
}

// feed reads the log on to its end.
func (w *Worker) feed(ctx context.Context) error {
	for ctx.Err() == nil {
		read, err := w.Store.feed(ctx, feedMost)
		if err != nil || read < feedMost {
			return err
		}
	}
	return nil
}

// Tidy stops webhooks that nobody answers, and forgets what is old.
func (w *Worker) Tidy(ctx context.Context) error {
	if err := w.Store.disableHopeless(ctx); err != nil {
		return err
	}
	w.Log.Kick()
	return w.Store.prune(ctx)
}

// tell takes turns while anything is due, some at once.
func (w *Worker) tell(ctx context.Context, turns *sync.WaitGroup) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case w.turns <- struct{}{}:
		}
		t, found, err := w.Store.turn(ctx, turnHeld, turnMost)
		if err != nil || !found {
			<-w.turns
			return err
		}
		turns.Go(func() {
			defer func() { <-w.turns }()
			// An attempt that is under way when the hub stops is finished and noted.
			if err := w.serve(context.WithoutCancel(ctx), t, ctx.Done()); err != nil {
				w.Logger.ErrorContext(ctx, "a turn at a webhook failed", "webhook", t.webhook, "error", err)
			}
		})
	}
}

// serve tells one webhook what is due, in order, until something fails, the time of the turn is
// over, or the hub stops.
func (w *Worker) serve(ctx context.Context, t turn, stop <-chan struct{}) error {
	begun, pause := w.Now(), time.Duration(0)
	secrets, err := w.open(ctx, t)
	defer destroy(secrets)
	if err != nil {
		return errors.Join(err, w.Store.end(ctx, t, workPause))
	}
	for _, d := range t.due {
		if stopped(stop) || w.Now().Sub(begun) > turnWorked {
			break
		}
		outcome, err := w.attempt(ctx, t, d, secrets)
		if err != nil {
			return errors.Join(err, w.Store.end(ctx, t, workPause))
		}
		w.told(outcome)
		goesOn, err := w.Store.tried(ctx, t, d, outcome)
		if err != nil {
			return err
		}
		if outcome == statusGone && goesOn {
			goesOn = false
			err = w.Store.disable(ctx, t.webhook, t.partner, t.url, becauseGone)
			w.Log.Kick()
		}
		if !taken(outcome) {
			pause = rest
		}
		if err != nil || !goesOn || !taken(outcome) {
			return errors.Join(err, w.Store.end(ctx, t, pause))
		}
	}
	return w.Store.end(ctx, t, pause)
}

// open unwraps the secrets of a turn's webhook.
func (w *Worker) open(ctx context.Context, t turn) ([][]byte, error) {
	var all [][]byte
	for _, s := range t.secrets {
		secret, err := w.Store.Keys.Unwrap(ctx, s.wrapped, secretAAD(t.partner, t.webhook, s.id))
		if err != nil {
			return all, fmt.Errorf("opening a secret: %w", err)
		}
		all = append(all, secret)
	}
	return all, nil
}

func destroy(secrets [][]byte) {
	for _, s := range secrets {
		clear(s)
	}
}

// attempt sends one message once. An error is ours: then nothing was sent.
func (w *Worker) attempt(ctx context.Context, t turn, d due, secrets [][]byte) (outcome string, err error) {
	body, err := d.body(w.Hub)
	if err != nil {
		return "", err
	}
	timestamp := w.Now().Unix()
	signed, err := signatures(ctx, w.Store.Keys, content(d.entry, timestamp, body), secrets)
	if err != nil {
		return "", err
	}
	header := http.Header{}
	header.Set("Content-Type", MediaType)
	header.Set("User-Agent", "handover-hub")
	header.Set("Webhook-Id", d.entry)
	header.Set("Webhook-Timestamp", strconv.FormatInt(timestamp, 10))
	header.Set("Webhook-Signature", signed)
	return w.Store.Egress.post(ctx, t.url, header, body), nil
}

// Outcomes are the words that Told is called with.
func Outcomes() []string { return []string{"delivered", "refused", "unreachable", "forbidden"} }

func (w *Worker) told(outcome string) {
	if w.Told == nil {
		return
	}
	word := "unreachable"
	switch {
	case taken(outcome):
		word = "delivered"
	case outcome == outcomeForbidden:
		word = "forbidden"
	case len(outcome) == 3: // a status
		word = "refused"
	}
	w.Told(word)
}

func stopped(stop <-chan struct{}) bool {
	select {
	case <-stop:
		return true
	default:
		return false
	}
}
