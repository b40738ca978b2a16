package managed

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"handover/audit"
	"handover/consent"
	"handover/internal/ids"
	"handover/internal/pg"
	"handover/keys"
	"handover/partners"
	"handover/referral"
)

// Desk acts for people whose agencies' keys the hub holds. All exported fields are set
// before the first act; it may be used by many goroutines.
type Desk struct {
	Pool      *pgxpool.Pool
	Keys      keys.Store
	Partners  *partners.Store
	Consents  *consent.Store
	Referrals *referral.Store
	Log       *audit.Log
	Hub       string        // the issuer URL that statements name
	Wait      time.Duration // the longest somebody waits for her receipt

	held atomic.Pointer[[]byte] // the secret of digests, once it was read
}

// look is what an act rests on, read in one round trip in a session of the caller's
// partner. Each part is there if it was asked for.
type look struct {
	now       time.Time
	held      *partners.Held
	ring      *partners.Ring
	filed     *referral.Filed
	parties   *referral.Parties
	basis     *consent.Basis
	never     *consent.NeverSaid
	override  *consent.OverrideSaid
	recall    *referral.Recall
	agreement *partners.TermsSaid
}

// asked says what to look for besides the keys that the hub holds.
type asked struct {
	packet    string      // an id of a packet
	referral  string      // whose parties are wanted
	consent   string      // a record's id
	recall    string      // id of what the agency is asked
	never     string      // id of what is never to be shared
	override  string      // an override's id
	agreement string      // id of an agreement that both sign
	to        partners.ID // whose encryption keys are wanted
}

func (d *Desk) look(ctx context.Context, c partners.Caller, a asked) (look, error) {
	l := look{ring: &partners.Ring{}, filed: &referral.Filed{}, parties: &referral.Parties{}, basis: &consent.Basis{}, never: &consent.NeverSaid{}, override: &consent.OverrideSaid{}, recall: &referral.Recall{}, agreement: &partners.TermsSaid{}}
	var b pgx.Batch
	pg.Bind(&b, string(c.Partner()))
	b.Queue(`SELECT clock_timestamp()`).QueryRow(func(row pgx.Row) error { return row.Scan(&l.now) })
	l.held = d.Partners.QueueHeld(&b, c)
	if a.packet != "" {
		l.filed = referral.QueueFiled(&b, c.Partner(), a.packet)
	}
	if a.referral != "" {
		l.parties = referral.QueueParties(&b, a.referral)
	}
	if a.consent != "" {
		l.basis = consent.QueueBasis(&b, a.consent)
	}
	if a.never != "" {
		l.never = consent.QueueNeverSaid(&b, a.never)
	}
	if a.override != "" {
		l.override = consent.QueueOverrideSaid(&b, a.override)
	}
	if a.agreement != "" {
		l.agreement = d.Partners.QueueTermsSaid(&b, a.agreement)
	}
	if ids.IsUUID(a.recall) {
		l.recall = referral.QueueRecall(&b, a.recall)
	}
	if a.to.Valid() {
		l.ring = d.Partners.QueueKeys(&b, a.to, nil, []partners.ID{a.to})
	}
	if err := d.Pool.SendBatch(ctx, &b).Close(); err != nil {
		return look{}, fmt.Errorf("reading what an act rests on: %w", err)
	}
	return l, nil
}

// openers reads the wrapped keys with those kids, and the key that the issuer has signed
// the packet with.
func (d *Desk) openers(ctx context.Context, c partners.Caller, issuer partners.ID, signed string, kids []string) (*partners.Wrapped, *partners.Ring, error) {
	var b pgx.Batch
	pg.Bind(&b, string(c.Partner()))
	wrapped := d.Partners.QueueWrapped(&b, c, kids)
	ring := d.Partners.QueueKeys(&b, issuer, []string{signed}, nil)
	if err := d.Pool.SendBatch(ctx, &b).Close(); err != nil {
		return nil, nil, fmt.Errorf("reading managed keys: %w", err)
	}
	return wrapped, ring, nil
}

// digestSecret names the secret of digests, in the database and as what it was wrapped for.
const digestSecret = "managed-request-digest"

// secret is the one key of digests of all hubs on this database; whoever comes first makes
// it. It opens nothing and signs nothing, so it is kept once it has been read.
func (d *Desk) secret(ctx context.Context) ([]byte, error) {
	if held := d.held.Load(); held != nil {
		return *held, nil
	}
	wrapped, err := d.wrappedSecret(ctx)
	if err != nil {
		return nil, err
	}
	secret, err := d.Keys.Unwrap(ctx, wrapped, []byte(digestSecret))
	if err != nil {
		return nil, fmt.Errorf("unwrapping the key of digests: %w", err)
	}
	d.held.Store(&secret)
	return secret, nil
}

func (d *Desk) wrappedSecret(ctx context.Context) (wrapped string, err error) {
	const read = `SELECT wrapped FROM managed_secret WHERE name = $1`
	err = d.Pool.QueryRow(ctx, read, digestSecret).Scan(&wrapped)
	if err == nil || !errors.Is(err, pgx.ErrNoRows) {
		return wrapped, err
	}
	fresh := make([]byte, sha256.Size)
	_, _ = rand.Read(fresh) // never fails
	if wrapped, err = d.Keys.Wrap(ctx, fresh, []byte(digestSecret)); err != nil {
		return "", fmt.Errorf("wrapping the key of digests: %w", err)
	}
	_, err = d.Pool.Exec(ctx, `INSERT INTO managed_secret (name, wrapped) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`, digestSecret, wrapped)
	if err == nil {
		err = d.Pool.QueryRow(ctx, read, digestSecret).Scan(&wrapped)
	}
	if err != nil {
		return "", fmt.Errorf("keeping the key of digests: %w", err)
	}
	return wrapped, nil
}

// Rewrap wraps the key of digests anew, with the newest key that wraps, and returns how many
// there are. It is for the operator.
func (d *Desk) Rewrap(ctx context.Context, k keys.Store) (int, error) {
	var wrapped string
	err := d.Pool.QueryRow(ctx, `SELECT wrapped FROM managed_secret WHERE name = $1`, digestSecret).Scan(&wrapped)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading the key of digests: %w", err)
	}
	fresh, err := keys.Rewrap(ctx, k, wrapped, []byte(digestSecret))
	if err != nil {
		return 0, fmt.Errorf("wrapping the key of digests anew: %w", err)
	}
	if _, err := d.Pool.Exec(ctx, `UPDATE managed_secret SET wrapped = $3 WHERE name = $1 AND wrapped = $2`, digestSecret, wrapped, fresh); err != nil {
		return 0, fmt.Errorf("writing the key of digests: %w", err)
	}
	return 1, nil
}
