package referral

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"handover/audit/proof"
	"handover/internal/pg"
	"handover/keys"
	"handover/referral/packet"
)

// HubStepsKey is the name under which the key store holds the key that signs the hub's own
// steps.
const HubStepsKey = "hub-steps"

// Aftermath does what follows when she withdraws a consent. The withdrawal itself stops
// every release; afterwards, of each packet that rests on it, what its recipient has not
// opened is destroyed; whoever has opened something is asked whether it still holds it; a
// referral that nobody has accepted is cancelled by a step of the hub's own, and of one that
// was accepted its sender is asked whether help goes on.
//
// It begins at the state of the consent, not at a call: so it makes no difference which hub
// took the withdrawal, or whether that one lives. Each of its steps is one transaction that
// finds what is left and holds the consent while it does some of it, so a hub that dies
// between any two statements leaves what another goes on with, and two at once do nothing
// twice.
type Aftermath struct {
	Referrals *Store
	Keys      keys.Store
	Logger    *slog.Logger

	kick chan struct{}
}

// NewAftermath returns the worker over the referrals. k holds the key that signs its steps.
func NewAftermath(referrals *Store, k keys.Store, logger *slog.Logger) *Aftermath {
	return &Aftermath{Referrals: referrals, Keys: k, Logger: logger, kick: make(chan struct{}, 1)}
}

// aftermathPoll is how often withdrawals that another hub took are looked for, aftermathPause
// how long is waited when something failed.
const (
	aftermathPoll  = time.Second
	aftermathPause = 10 * time.Second
)

// Kick has the worker look at once. It never waits.
func (a *Aftermath) Kick() {
	select {
	case a.kick <- struct{}{}:
	default:
	}
}

// Run works until ctx ends. What fails is tried again: a key store that is away, a database
// that restarts, must not leave a withdrawal without what follows from it.
func (a *Aftermath) Run(ctx context.Context) error {
	for {
		pause := aftermathPoll
		if err := a.Round(ctx); err != nil && ctx.Err() == nil {
			a.Logger.ErrorContext(ctx, "following a withdrawal failed", "error", err)
			pause = aftermathPause
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		case <-a.kick:
		}
	}
}

// Round does all that is due now. One withdrawal that cannot be followed does not hold up
// the others.
func (a *Aftermath) Round(ctx context.Context) error {
	var failed []error
	for after := ""; ctx.Err() == nil; {
		due, err := a.Referrals.aftermathDue(ctx, after)
		if err != nil {
			return errors.Join(append(failed, err)...)
		}
		if due == "" {
			break
		}
		if err := a.follow(ctx, due); err != nil {
			failed = append(failed, err)
		}
		a.Referrals.log.Kick()
		after = due
	}
	return errors.Join(failed...)
}

// followMost is how often the last step is tried when a referral moves meanwhile: each of
// its states is left once.
const followMost = 8

// follow does what is left to be done about one withdrawn consent. Destroying comes first
// and needs no key.
func (a *Aftermath) follow(ctx context.Context, consent string) error {
	if err := a.Referrals.destroyFor(ctx, consent); err != nil {
		return fmt.Errorf("destroying what nobody opened: %w", err)
	}
	for range followMost {
		if err := a.cancel(ctx, consent); err != nil {
			return fmt.Errorf("cancelling what nobody accepted: %w", err)
		}
		err := a.Referrals.endAftermath(ctx, consent)
		if !pg.Violates(err, aftermathMoved) {
			return err
		}
	}
	return nil // next time
}

// cancel cancels every referral that waits for its acceptance. The step is signed before
// anything is locked, since the key may live elsewhere and be slow; what has moved by then
// is looked at again.
func (a *Aftermath) cancel(ctx context.Context, consent string) error {
	waiting, now, err := a.Referrals.unaccepted(ctx, consent)
	if err != nil {
		return err
	}
	for _, r := range waiting {
		step, err := a.sign(ctx, r, now)
		if err != nil {
			return err
		}
		err = a.Referrals.cancelFor(ctx, consent, r, step)
		if err != nil && !pg.Violates(err, aftermathMoved) {
			return err
		}
		if err == nil {
			a.Referrals.waiting.wake(r.recipient)
		}
	}
	return nil
}

// sign makes the hub's step that cancels a referral.
func (a *Aftermath) sign(ctx context.Context, r row, now time.Time) (hubStep, error) {
	versions, err := a.Keys.Public(ctx, HubStepsKey)
	if err != nil {
		return hubStep{}, fmt.Errorf("finding the key of the hub's steps: %w", err)
	}
	newest := versions[0]
	if err := a.Referrals.showHubKey(ctx, newest); err != nil {
		return hubStep{}, err
	}
	hub := a.Referrals.hub
	sealed, err := packet.Seal(packet.Claims{Hub: hub, Issuer: hub, Audience: r.recipient, Event: packet.Withdraw, Reason: consentWithdrawn,
		Referral: r.id, Prev: r.head}, nil, packet.To{}, keys.SignerOf(ctx, a.Keys, HubStepsKey, newest), now)
	if err != nil {
		return hubStep{}, fmt.Errorf("signing a step of the hub: %w", err)
	}
	stated, err := packet.ParseEnvelope(sealed.Envelope)
	return hubStep{stated, sealed.Envelope}, err
}

// hubStep is a step that the hub has signed itself.
type hubStep struct {
	packet.Statement
	envelope string
}

// consentWithdrawn is the only reason for which a hub ends a referral.
const consentWithdrawn = "consent-withdrawn"

// entry is what the log says of a step of the hub's own: nobody's but the hub's.
func (step hubStep) entry(consent string, now time.Time) proof.Entry {
	c := step.Unverified()
	return proof.Entry{Act: "referral." + string(c.Event), Time: now, Other: c.Audience, Referral: c.Referral, Event: string(c.Event),
		Envelope: step.Digest(), State: string(Cancelled), Consent: consent, Reason: c.Reason}
}

// asking is one question to be asked.
type asking struct {
	kind     Question
	partner  string
	referral string   // of DoesHelpGoOn
	sections []string // of StillHeld
}
