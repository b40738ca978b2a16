package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Few and many are how many referrals the two hubs of the inbox's measurement have stored.
const few, many = 100, 100_000

// office is a hub whose recipient's inbox is measured by somebody who is signed in there.
type office struct {
	*bed
	cookie string
	took   map[string][]time.Duration // by the list
}

// lists are the pages that are measured.
func lists() []string {
	return []string{"/inbox", "/inbox?tab=mine", "/inbox?tab=waiting", "/inbox?tab=overdue", "/inbox?tab=ending", "/inbox?tab=open", "/inbox?tab=open&urgency=emergency"}
}

// inboxes measures the pages of the inbox, from request to the last byte, at a hub with few
// referrals stored and at one with many: page after page in turns, so that what else the
// machine does hits both. Its ratio is the time at many divided by that at few, of the medians;
// `ratio inbox-1e5` is the worst of them. A list that is narrowed is told beside: at many it looks
// through more than at few there are.
func inboxes(ctx context.Context, o options) error {
	var offices []*office
	for _, size := range []int{few, many} {
		x, err := openOffice(ctx, o, size)
		if x != nil {
			defer x.stop()
		}
		if err != nil {
			return fmt.Errorf("furnishing an inbox of %d: %w", size, err)
		}
		offices = append(offices, x)
	}
	for range o.rounds {
		for begin := time.Now(); time.Since(begin) < o.span; {
			for _, list := range lists() {
				for _, x := range offices {
					if err := x.look(ctx, list); err != nil {
						return err
					}
				}
			}
		}
	}
	worst := 0.0
	for _, list := range lists() {
		name := "inbox" + strings.NewReplacer("/inbox", "", "?tab=", "-", "&urgency=", "-").Replace(list)
		small, large := middle(offices[0].took[list]), middle(offices[1].took[list])
		times := large.Seconds() / small.Seconds()
		if !strings.Contains(list, "&") {
			worst = max(worst, times)
		}
		fmt.Printf("ratio %s-1e5-time %.2f\n", name, times)
		fmt.Printf("figure %s-1e2-p50 %.2f ms\n", name, small.Seconds()*1000)
		fmt.Printf("figure %s-1e5-p50 %.2f ms\n", name, large.Seconds()*1000)
	}
	fmt.Printf("ratio inbox-1e5 %.2f\n", worst)
	return nil
}

func middle(took []time.Duration) time.Duration {
	slices.Sort(took)
	return took[len(took)/2]
}

// openOffice starts a hub in a folder of its own, and puts the referrals and somebody's session
// into its database.
func openOffice(ctx context.Context, o options, size int) (*office, error) {
	x := &office{bed: &bed{temporary: true}, took: map[string][]time.Duration{}}
	var err error
	if x.dir, err = os.MkdirTemp("", "handover-bench-inbox-"); err != nil {
		return nil, err
	}
	if err := x.startHub(ctx, o.hub); err != nil {
		return x, err
	}
	if err := x.furnish(ctx, o.hub); err != nil {
		return x, err
	}
	database, err := os.ReadFile(filepath.Join(x.dir, "database.url"))
	if err != nil {
		return x, err
	}
	owner, err := pgx.Connect(ctx, string(database))
	if err != nil {
		return x, err
	}
	defer owner.Close(ctx)
	secret := make([]byte, 32)
	rand.Read(secret)
	x.cookie = base64.RawURLEncoding.EncodeToString(secret)
	digest := sha256.Sum256([]byte(x.cookie))
	var worker string
	err = owner.QueryRow(ctx, `
		WITH e AS (SELECT id FROM audit_entry LIMIT 1), u AS (
			INSERT INTO partner_user (id, partner, name, role, status, since, log_entry)
			SELECT gen_random_uuid(), $1, 'A worker', 'caseworker', 'active', now(), e.id FROM e RETURNING id, partner)
		INSERT INTO oauth_session (digest, user_id, partner, device, made_at, seen_at, proved_at, expires_at, log_entry)
		SELECT $2, u.id, u.partner, 'Bench', now(), now(), now(), now() + interval '12 hours', e.id FROM u, e RETURNING user_id::text`,
		x.recipient.id, digest[:]).Scan(&worker)
	if err != nil {
		return x, err
	}
	if _, err := owner.Exec(ctx, storeReferrals, x.sender.id, x.recipient.id, size, worker); err != nil {
		return x, err
	}
	_, err = owner.Exec(ctx, `VACUUM (ANALYZE)`)
	return x, err
}

// storeReferrals makes referrals as a busy agency has them: of ten, six are open, two of which
// wait for the sender; half of what is open somebody has, a fifth of what is due is late, and
// of two fifths the consent ends.
const storeReferrals = `
	WITH e AS (SELECT id FROM audit_entry LIMIT 1), n AS (
		SELECT n, lpad(n::text, 43, 'A') AS id, n % 10 < 6 AND n / 10 % 2 = 0 AS taken,
		       (ARRAY['requested', 'received', 'accepted', 'in-progress', 'requested', 'received', 'rejected', 'completed', 'failed', 'cancelled'])[1 + n % 10] AS state
		FROM generate_series(1, $3::int) n), r AS (
		INSERT INTO referral (id, sender, recipient, subject, purpose, urgency, service, area, state, head, created_at, changed_at,
		                      asked, due_for, due_at, consent_ends, taken)
		SELECT id, $1, $2, 'x', 'housing', CASE WHEN n % 700 = 0 THEN 'emergency' WHEN n % 3 = 0 THEN 'urgent' ELSE 'routine' END,
		       'x', 'E09000007', state, id, now(), now(), state = 'received',
		       CASE state WHEN 'requested' THEN 'opened' WHEN 'accepted' THEN 'first-contact' END,
		       CASE WHEN state IN ('requested', 'accepted') THEN now() + (n / 10 % 5 - 1) * interval '1 day' END,
		       now() + (n % 5) * interval '6 days' + n * interval '1 second', taken
		FROM n ORDER BY n RETURNING seq, id, taken), p AS (
		INSERT INTO packet (referral, issuer, audience, jti, event, digest, envelope, state, expires_at, stored_at, log_entry)
		SELECT r.seq, $1, $2, gen_random_uuid(), 'request', r.id, repeat('x', 1500), 'requested', now() + interval '1 day', now(), e.id FROM r, e ORDER BY r.seq
		RETURNING seq, referral), d AS (
		INSERT INTO delivery (packet, referral, issuer, audience, state, delivered_at, log_entry)
		SELECT p.seq, p.referral, $1, $2, 'delivered', now(), e.id FROM p, e)
	INSERT INTO referral_holding (referral, partner, side, holder, given_by, since, log_entry)
	SELECT r.seq, $2, 'recipient', $4::uuid, $4::uuid, now(), e.id FROM r, e WHERE r.taken`

// look opens a list and notes how long that took.
func (x *office) look(ctx context.Context, list string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, x.issuer+list, nil)
	if err != nil {
		return err
	}
	r.AddCookie(&http.Cookie{Name: "__Host-session", Value: x.cookie})
	begin := time.Now()
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	size, err := io.Copy(io.Discard, answer.Body)
	x.took[list] = append(x.took[list], time.Since(begin))
	if err == nil && (answer.StatusCode != http.StatusOK || size < 2000) {
		return fmt.Errorf("%s answered %d in %d bytes", list, answer.StatusCode, size)
	}
	return err
}
