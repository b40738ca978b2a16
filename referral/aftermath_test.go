package referral_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/internal/ids"
	"handover/internal/pg"
	"handover/partners"
	"handover/referral"
	"handover/referral/packet"
)

// paths are the steps that lead to each state, and who takes them.
var paths = map[referral.State][]packet.Event{
	referral.Requested: nil, referral.Received: {packet.Receive}, referral.Accepted: {packet.Accept},
	referral.InProgress: {packet.Accept, packet.Start}, referral.Rejected: {packet.Decline},
	referral.Completed: {packet.Accept, packet.Complete}, referral.Failed: {packet.Accept, packet.Fail},
	referral.Cancelled: {packet.Withdraw},
}

// story is one referral on a consent of its own, with two sections and an attachment.
type story struct {
	hubtest.Pair
	sent hubtest.Sealed
}

// tell sends a referral, has some of it opened, and takes it to the state.
func tell(t *testing.T, p hubtest.Pair, state referral.State, open ...string) story {
	t.Helper()
	p.Consent = p.From.Record(t, hubtest.Subject(), p.Named())
	d, attached := p.Request().Attach(t, "attachment-1", "need", []byte("a letter"))
	p.From.PutAll(t, attached)
	s := story{p, d.Seal(t)}
	p.From.Sent(t, s.sent)
	if len(open) > 0 {
		opened(t, p.To, s.sent.Digest, "", open...)
	}
	head := s.sent.Digest
	for _, e := range paths[state] {
		by := p.To
		if e == packet.Withdraw {
			by = p.From
		}
		head = p.Step(t, by, e, s.sent.Digest, head).Digest
	}
	return s
}

// takeBack withdraws the story's consent and has the hub do what follows.
func (s story) takeBack(t *testing.T, h *hubtest.Hub) {
	t.Helper()
	s.withdrawn(t)
	do(t, h.Aftermath.Round(t.Context()))
}

func (s story) withdrawn(t *testing.T) {
	t.Helper()
	if a := s.From.Withdraw(t, s.Consent); a.Status != http.StatusCreated {
		t.Fatalf("withdrawing: %d %s", a.Status, a.Body)
	}
}

// left is all that the database holds of the story, in one line a kind.
func (s story) left(t *testing.T, h *hubtest.Hub) map[string]string {
	t.Helper()
	list := func(sql string, args ...any) string {
		return strings.Join(hubtest.Column[string](t, h, sql, args...), " ")
	}
	return map[string]string{
		"state":       list(`SELECT state FROM referral WHERE id = $1`, s.sent.Digest),
		"steps":       list(`SELECT event || '/' || p.issuer FROM packet p JOIN referral r ON r.seq = p.referral WHERE r.id = $1 AND strpos(p.issuer, ':') > 0`, s.sent.Digest),
		"sections":    list(`SELECT name FROM section x JOIN packet p ON p.seq = x.packet WHERE p.digest = $1 ORDER BY name`, s.sent.Digest),
		"attachments": list(`SELECT name || '/' || n FROM attachment_chunk c JOIN packet p USING (issuer, jti) WHERE p.digest = $1 ORDER BY 1`, s.sent.Digest),
		"recalls":     list(`SELECT kind || '/' || partner || '/' || array_to_string(sections, '+') FROM recall WHERE consent = $1::uuid ORDER BY kind`, s.Consent.ID),
		"done":        list(`SELECT (done_at IS NOT NULL)::text FROM consent_aftermath WHERE consent = $1::uuid`, s.Consent.ID),
	}
}

// TestWhatFollowsAWithdrawal goes through every state in which a referral can be, with
// nothing of it opened, with a section, and with the attachment opened.
func TestWhatFollowsAWithdrawal(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	h.ReconcilesAtEnd(t)
	p := h.Pair(t, partners.BoroughOutreach)
	for _, state := range referral.States() {
		for _, open := range [][]string{nil, {"need"}, {"attachment-1", "safe-contact"}} {
			t.Run(fmt.Sprintf("%s, opened %v", state, open), func(t *testing.T) {
				s := tell(t, p, state, open...)
				logged := h.Logged(t)
				s.takeBack(t, h)
				want := map[string]string{"state": string(state), "steps": "", "sections": strings.Join(open, " "), "attachments": "", "recalls": "", "done": "true"}
				if slices.Contains(open, "attachment-1") {
					want["attachments"] = "attachment-1/0"
				}
				var recalls []string
				switch state {
				case referral.Requested, referral.Received:
					want["state"], want["steps"] = "cancelled", "withdraw/"+hubtest.Issuer
				case referral.Accepted, referral.InProgress:
					recalls = append(recalls, "does-help-go-on/"+string(p.From.ID)+"/")
				}
				if open != nil {
					recalls = append(recalls, "still-held/"+string(p.To.ID)+"/"+strings.Join(open, "+"))
				}
				want["recalls"] = strings.Join(recalls, " ")
				if diff := cmp.Diff(want, s.left(t, h)); diff != "" {
					t.Errorf("(-want +left)\n%s", diff)
				}
				s.saidOnce(t, h, logged, want["steps"] != "", len(recalls), len(open) < 3 && state != referral.Cancelled)
				for _, name := range []string{"need", "safe-contact", "attachment-1"} {
					if a := p.To.Open(t, s.sent.Digest, "", name); a.Status/100 != 4 {
						t.Errorf("%s is given out after the withdrawal: %d", name, a.Status)
					}
				}
				before, logged := h.Content(t), h.Logged(t)
				do(t, h.Aftermath.Round(t.Context()))
				same(t, before, h.Content(t))
				if n := h.Logged(t); n != logged {
					t.Errorf("a second round has written %d entries", n-logged)
				}
			})
		}
	}
}

// saidOnce checks what the log says: each thing once, of nobody but the hub.
func (s story) saidOnce(t *testing.T, h *hubtest.Hub, since int, cancelled bool, asked int, destroyed bool) {
	t.Helper()
	got := map[string]int{}
	for _, e := range h.Entries(t, since) {
		if e.Partner == "" {
			got[e.Act]++
			if e.Consent != s.Consent.ID && e.Act != "hub.key" {
				t.Errorf("%s is of the consent %s", e.Act, e.Consent)
			}
		}
	}
	delete(got, "hub.key")
	want := map[string]int{"consent.followed": 1}
	if cancelled {
		want["referral.withdraw"] = 1
	}
	if asked > 0 {
		want["recall.asked"] = asked
	}
	if destroyed {
		want["section.destroy"] = 1
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the log (-want +says)\n%s", diff)
	}
}

// TestAHubThatDiesAtAnyStatementLeavesWhatAnotherGoesOnWith makes each statement of the
// worker fail in turn, and has another hub go on. What fails takes its transaction with it,
// as a kill does.
func TestAHubThatDiesAtAnyStatementLeavesWhatAnotherGoesOnWith(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	h.ReconcilesAtEnd(t)
	p := h.Pair(t, partners.BoroughOutreach)
	other := h.Another(t)
	h.Exec(t, `CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'killed'; END $$`)
	tell(t, p, referral.Requested).takeBack(t, h) // so that the hub's key is known
	for _, at := range []string{"DELETE ON section", "DELETE ON attachment", "INSERT ON recall", "UPDATE ON referral", "INSERT ON packet",
		"INSERT ON delivery", "INSERT ON audit_entry", "INSERT ON audit_pending", "UPDATE ON consent_aftermath"} {
		t.Run(at, func(t *testing.T) {
			waiting, taken := tell(t, p, referral.Received, "need"), tell(t, p, referral.Accepted, "safe-contact")
			waiting.withdrawn(t)
			taken.withdrawn(t)
			h.Exec(t, `CREATE TRIGGER die AFTER `+at+` FOR EACH ROW EXECUTE FUNCTION die()`)
			err := h.Aftermath.Round(t.Context())
			h.Exec(t, `DROP TRIGGER die ON `+at[strings.LastIndex(at, " "):])
			if err == nil {
				t.Error("nothing has failed")
			}
			do(t, other.Aftermath.Round(t.Context()))
			for s, want := range map[*story]map[string]string{
				&waiting: {"state": "cancelled", "steps": "withdraw/" + hubtest.Issuer, "sections": "need", "attachments": "",
					"recalls": "still-held/" + string(p.To.ID) + "/need", "done": "true"},
				&taken: {"state": "accepted", "steps": "", "sections": "safe-contact", "attachments": "",
					"recalls": "does-help-go-on/" + string(p.From.ID) + "/ still-held/" + string(p.To.ID) + "/safe-contact", "done": "true"},
			} {
				if diff := cmp.Diff(want, s.left(t, h)); diff != "" {
					t.Errorf("(-want +left)\n%s", diff)
				}
			}
		})
	}
}

// TestTwoHubsFollowAWithdrawalOnce has two workers at the same withdrawals at once.
func TestTwoHubsFollowAWithdrawalOnce(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	workers := []*referral.Aftermath{h.Aftermath, h.Another(t).Aftermath}
	var all []story
	for i := range 6 {
		s := tell(t, p, []referral.State{referral.Requested, referral.Accepted}[i%2], "need")
		s.withdrawn(t)
		all = append(all, s)
	}
	logged := h.Logged(t)
	for _, err := range hubtest.Together(8, func(i int) error { return workers[i%2].Round(t.Context()) }) {
		do(t, err)
	}
	do(t, workers[0].Round(t.Context())) // what one passed over while the other held it
	got := map[string]int{}
	for _, e := range h.Entries(t, logged) {
		got[e.Act]++
	}
	want := map[string]int{"section.destroy": 6, "referral.withdraw": 3, "recall.asked": 9, "consent.followed": 6, "hub.key": 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the log (-want +says)\n%s", diff)
	}
	for _, s := range all {
		if left := s.left(t, h); left["done"] != "true" {
			t.Errorf("left: %v", left)
		}
	}
}

// TestAReferralThatIsAcceptedMeanwhileIsNotCancelled: the recipient accepts between the
// hub's look and its step.
func TestAReferralThatIsAcceptedMeanwhileIsNotCancelled(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	s := tell(t, p, referral.Requested)
	s.withdrawn(t)
	tx, err := h.DB.Owner.Begin(t.Context())
	do(t, err)
	_, err = tx.Exec(t.Context(), `SELECT FROM referral WHERE id = $1 FOR UPDATE`, s.sent.Digest)
	do(t, err)
	followed := make(chan error, 1)
	go func() { followed <- h.Aftermath.Round(t.Context()) }()
	do(t, hubtest.Blocked(t, h, tx, 1))
	_, err = tx.Exec(t.Context(), `UPDATE referral SET state = 'accepted', head = $2 WHERE id = $1`, s.sent.Digest, ids.Digest("the acceptance"))
	do(t, err)
	do(t, tx.Commit(t.Context()))
	do(t, <-followed)
	left := s.left(t, h)
	if left["state"] != "accepted" || left["steps"] != "" || left["recalls"] != "does-help-go-on/"+string(p.From.ID)+"/" || left["done"] != "true" {
		t.Errorf("left: %v", left)
	}
}

// TestAnEarlierRecordOfTheChainGoesWithTheWithdrawnOne: what rests on a record that was
// superseded counts no further than its successor, so the successor's withdrawal ends it.
func TestAnEarlierRecordOfTheChainGoesWithTheWithdrawnOne(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	s := tell(t, p, referral.Received, "need")
	next := p.From.Record(t, s.Consent.Subject, p.Named(), superseding(s.Consent))
	other := tell(t, p, referral.Requested)
	s.Consent = next
	s.takeBack(t, h)
	left := s.left(t, h)
	if left["state"] != "cancelled" || left["sections"] != "need" || left["recalls"] != "still-held/"+string(p.To.ID)+"/need" {
		t.Errorf("left: %v", left)
	}
	if left := other.left(t, h); left["state"] != "requested" || left["sections"] != "attachment-1 need safe-contact" {
		t.Errorf("another woman's: %v", left)
	}
}

// TestNothingIsDestroyedByALostStatement: the functions by which the hub acts of itself do
// nothing in a session that is bound to a partner, and nothing about a consent that stands.
func TestNothingIsDestroyedByALostStatement(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	s := tell(t, p, referral.Requested, "need")
	calls := map[string][]any{
		`SELECT aftermath_due('00000000-0000-0000-0000-000000000000')`:                     nil,
		`SELECT aftermath_hold($1)`:                                                        {s.Consent.ID},
		`SELECT aftermath_unopened($1)`:                                                    {s.Consent.ID},
		`SELECT aftermath_destroy($1)`:                                                     {s.Consent.ID},
		`SELECT aftermath_holders($1)`:                                                     {s.Consent.ID},
		`SELECT aftermath_referrals($1)`:                                                   {s.Consent.ID},
		`SELECT aftermath_ask_holder(gen_random_uuid(), $1, $2, now(), gen_random_uuid())`: {s.Consent.ID, string(p.To.ID)},
		`SELECT aftermath_ask_sender(gen_random_uuid(), $1, $2, now(), gen_random_uuid())`: {s.Consent.ID, s.sent.Digest},
		`SELECT aftermath_cancel($1, $2, $2, 'https://hub.example', gen_random_uuid(), $2, 'x', now(), now(), gen_random_uuid())`: {s.Consent.ID, s.sent.Digest},
		`SELECT aftermath_end($1, now(), gen_random_uuid())`:                                                                      {s.Consent.ID},
	}
	named := hubtest.Column[string](t, h, `SELECT proname::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef AND proname LIKE 'aftermath%'
		AND has_function_privilege($1, oid, 'EXECUTE') ORDER BY 1`, pg.RoleHub)
	for _, name := range named {
		tried := slices.ContainsFunc(slices.Collect(maps.Keys(calls)), func(sql string) bool { return strings.Contains(sql, name+"(") })
		if !tried {
			t.Errorf("%s acts with the owner's rights, and is not tried here", name)
		}
	}
	before := h.Content(t)
	for _, by := range []partners.ID{p.From.ID, p.To.ID, "nobody-known"} {
		for sql, args := range calls {
			if err := bound(t, h, by, sql, args...); !refusedBy(err, "42501") {
				t.Errorf("%s, bound to %s: %v", sql, by, err)
			}
		}
	}
	for sql, args := range calls {
		if err := bound(t, h, "", sql, args...); err != nil && !pg.Violates(err, "aftermath_moved") && !refusedBy(err, "23503") {
			t.Errorf("%s, bound to nobody: %v", sql, err)
		}
	}
	same(t, before, h.Content(t))
}

// bound runs one statement in a session of the serving role that is bound to a partner.
func bound(t *testing.T, h *hubtest.Hub, partner partners.ID, sql string, args ...any) error {
	t.Helper()
	return pg.As(t.Context(), h.DB.Hub, string(partner), func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), sql, args...)
		return err
	})
}

// refusedBy reports whether err is the database's refusal with this SQLSTATE.
func refusedBy(err error, state string) bool {
	refused, ok := errors.AsType[*pgconn.PgError](err)
	return ok && refused.Code == state
}

// superseding makes a record take the place of an earlier one.
func superseding(earlier hubtest.Consent) func(*record.Claims) {
	return func(c *record.Claims) { c.Supersedes = earlier.ID }
}

// TestNobodyPostsAStepOfTheHubs: whoever signs it, a partner's token does not carry it.
func TestNobodyPostsAStepOfTheHubs(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	s := tell(t, p, referral.Received)
	var head string
	do(t, h.DB.Owner.QueryRow(t.Context(), `SELECT head FROM referral WHERE id = $1`, s.sent.Digest).Scan(&head))
	for _, by := range []*hubtest.Agency{p.From, p.To} {
		d := by.Event(p.To, packet.Withdraw, s.sent.Digest, head)
		d.Issuer, d.Audience, d.Reason = hubtest.Issuer, string(p.To.ID), "consent-withdrawn"
		before := h.Content(t)
		refusedWith(t, "a step of the hub's by "+string(by.ID), by.Send(t, d.Seal(t)), http.StatusForbidden, "sender-not-caller")
		same(t, before, h.Content(t))
	}
}
