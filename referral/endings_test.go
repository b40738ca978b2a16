package referral_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/google/uuid"

	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/partners"
	"handover/referral"
	"handover/referral/packet"
)

// sharing is what was shared, and whether that has ended.
type sharing struct {
	ended  bool
	shared string // one line for each
}

// sharings is the specification of what ends sharing: something is shared exactly if it has
// not happened, and is refused as refusal if it has; and who reads the list of what was
// shared sees all of it. So the list that is read after the end is final.
func sharings(start, refusal string) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return sharing{shared: start} },
		Step: func(s, in, out any) (bool, any) {
			now := s.(sharing)
			switch in {
			case "end":
				return out == "ok", sharing{true, now.shared}
			case "list":
				return out == now.shared, now
			}
			if now.ended {
				return out == refusal, now
			}
			lines := append(strings.Fields(now.shared), in.(string))
			slices.Sort(lines)
			return out == "ok", sharing{false, strings.Join(lines, " ")}
		},
	}
}

// desk are two agencies of which one shares with the other while something ends it.
type desk struct {
	hubtest.Pair
	hub              *hubtest.Hub
	sender, receiver partners.Caller
	worker, manager  *hubtest.Person // of the sender
	decides          partners.Caller // the manager
}

func newDesk(t *testing.T) desk {
	t.Helper()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	d := desk{Pair: p, hub: h, sender: p.From.Caller(t), receiver: p.To.Caller(t),
		worker: h.Person(t, p.From.ID, partners.Caseworker), manager: h.Person(t, p.From.ID, partners.Manager)}
	d.decides = d.manager.Caller(t)
	return d
}

// grounds is what a history rests on: how a packet is drafted on it, and what ends it.
type grounds struct {
	id    string // of the record or override
	draft func(sections ...string) hubtest.Draft
	end   func() error
}

// agreed is a consent.
func (d desk) agreed(t *testing.T) (hubtest.Consent, grounds) {
	t.Helper()
	c := d.From.Consent(t, hubtest.Subject(), d.Named())
	_, err := d.hub.Consents.Record(t.Context(), d.sender, c.Body)
	do(t, err)
	return c, grounds{id: c.ID, draft: func(s ...string) hubtest.Draft { return d.From.Request(d.To, d.Service, c, s...) }}
}

// withdrawn is a consent that she takes back, at the recipient's.
func (d desk) withdrawn(t *testing.T) grounds {
	c, g := d.agreed(t)
	w := d.To.Withdrawal(t, c)
	g.end = func() error {
		_, err := d.hub.Consents.Withdraw(t.Context(), d.receiver, c.ID, w)
		return err
	}
	return g
}

// laterWithdrawn is a consent whose later record she takes back.
func (d desk) laterWithdrawn(t *testing.T) grounds {
	c, g := d.agreed(t)
	later := d.From.Consent(t, c.Subject, d.Named(), func(l *record.Claims) { l.Supersedes = c.ID })
	_, err := d.hub.Consents.Record(t.Context(), d.sender, later.Body)
	do(t, err)
	w := d.To.Withdrawal(t, later)
	g.end = func() error {
		_, err := d.hub.Consents.Withdraw(t.Context(), d.receiver, later.ID, w)
		return err
	}
	return g
}

// narrowed is a consent that a later record takes the place of, in which she agrees to less.
func (d desk) narrowed(t *testing.T) grounds {
	c, g := d.agreed(t)
	later := d.From.Consent(t, c.Subject, d.Named(), func(l *record.Claims) { l.Supersedes, l.Sections = c.ID, []string{"housing"} })
	g.end = func() error {
		_, err := d.hub.Consents.Record(t.Context(), d.sender, later.Body)
		return err
	}
	return g
}

// stopped is a consent of a woman who never wants anything shared with the likes of the
// recipient, as somebody else is told.
func (d desk) stopped(t *testing.T) grounds {
	_, g := d.agreed(t)
	return d.never(t, g)
}

// overrideStopped is an override to whom she never wants anything shared with.
func (d desk) overrideStopped(t *testing.T) grounds { return d.never(t, d.overridden(t)) }

// never has the grounds end by a never.
func (d desk) never(t *testing.T, g grounds) grounds {
	never, err := record.NeverClaims{Hub: hubtest.Issuer, Issuer: string(d.To.ID), ID: uuid.Must(uuid.NewV7()).String(), IssuedAt: d.hub.Now().Unix(),
		Subjects: []string{g.draft("need").Subject}, Recipients: []string{"category:borough-outreach"}}.Sign(d.To.Signing.Signer())
	do(t, err)
	g.end = func() error {
		_, err := d.hub.Consents.Never(t.Context(), d.receiver, never)
		return err
	}
	return g
}

// overridden is an override of an emergency that a manager refuses.
func (d desk) overridden(t *testing.T) grounds {
	o := d.From.Override(t, d.worker.ID, d.To, hubtest.Subject(), hubtest.Emergency)
	_, err := d.hub.Consents.Propose(t.Context(), d.worker.Caller(t), o.Body)
	do(t, err)
	refusal := d.From.Decision(t, d.manager.ID, o.ID, o.Digest, record.Refused)
	draft := func(s ...string) hubtest.Draft { return d.From.RequestOn(d.To, d.Service, o, s...) }
	return grounds{id: o.ID, draft: draft, end: func() error {
		_, err := d.hub.Consents.Decide(t.Context(), d.decides, o.ID, refusal)
		return err
	}}
}

// ended is an override that a manager looks at again and ends.
func (d desk) ended(t *testing.T) grounds {
	o := d.From.Override(t, d.worker.ID, d.To, hubtest.Subject())
	_, err := d.hub.Consents.Propose(t.Context(), d.worker.Caller(t), o.Body)
	do(t, err)
	_, err = d.hub.Consents.Decide(t.Context(), d.decides, o.ID, d.From.Decision(t, d.manager.ID, o.ID, o.Digest, record.Approved))
	do(t, err)
	review := d.From.Review(t, d.manager.ID, o, 0)
	draft := func(s ...string) hubtest.Draft { return d.From.RequestOn(d.To, d.Service, o, s...) }
	return grounds{id: o.ID, draft: draft, end: func() error {
		_, err := d.hub.Consents.Review(t.Context(), d.decides, o.ID, review)
		return err
	}}
}

// lapsed is an override of an emergency whose day is over.
func (d desk) lapsed(t *testing.T) grounds {
	g := d.overridden(t)
	g.end = func() error {
		_, err := d.hub.DB.Owner.Exec(t.Context(), `UPDATE consent_override_state SET recorded_at = recorded_at - interval '25 hours' WHERE id = $1`, g.id)
		return err
	}
	return g
}

// history sends and opens on the grounds while they end, reads the list of what was shared
// before and after, and counts what became of each.
func (d desk) history(t *testing.T, on grounds, refusal string, outcomes map[any]int) {
	t.Helper()
	first := received(t, d.hub, d.sender, on.draft("need", "safe-contact").Seal(t))
	send := func() operation {
		sealed := on.draft("need").Seal(t)
		u, err := packet.Read(sealed.Body)
		do(t, err)
		return operation{sealed.Digest, func() any {
			_, err := d.hub.Referrals.Receive(t.Context(), d.sender, u, "")
			return code(err)
		}}
	}
	open := func(section string) operation {
		return operation{first + "/" + section, func() any {
			released, _, err := d.hub.Referrals.Open(t.Context(), d.receiver, first, referral.Opening{Sections: []string{section}, Reason: "triage"})
			if err == nil && released[section] == "" {
				return "released nothing"
			}
			return code(err)
		}}
	}
	list := operation{"list", func() any { return shared(t, d.hub, on.id) }}
	end := operation{"end", func() any { return code(on.end()) }}
	last := slices.Concat(slices.Repeat([]operation{list}, rand.IntN(4)), []operation{end, list})
	history := run([]operation{send(), send(), list}, []operation{open("need"), send()}, []operation{send(), open("safe-contact")}, last)
	if !porcupine.CheckOperations(sharings(first, refusal), history) {
		t.Fatalf("no order of these explains what each saw:\n%+v", history)
	}
	for _, op := range history {
		if op.Input != "list" && op.Input != "end" {
			outcomes[op.Output]++
		}
	}
}

// TestOnceSharingHasEndedNothingMoreIsStoredOrReleased sends, opens and ends at the same
// time: she takes her consent back, agrees to less, or never wants it shared; a manager
// refuses what was shared in haste, or ends it, or nobody approves it for a day.
func TestOnceSharingHasEndedNothingMoreIsStoredOrReleased(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		on      func(desk, *testing.T) grounds
		refusal string
		times   int
	}{
		"withdrawn":        {desk.withdrawn, "consent-withdrawn", histories()},
		"later withdrawn":  {desk.laterWithdrawn, "consent-withdrawn", histories() / 4},
		"narrowed":         {desk.narrowed, "not-covered", histories() / 4},
		"never":            {desk.stopped, "not-covered", histories() / 4},
		"override refused": {desk.overridden, "override-refused", histories() / 4},
		"override ended":   {desk.ended, "override-ended", histories() / 4},
		"override lapsed":  {desk.lapsed, "override-lapsed", histories() / 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			outcomes := map[any]int{}
			for range row.times {
				d.history(t, row.on(d, t), row.refusal, outcomes)
			}
			t.Logf("sharing ended: %v", outcomes)
			if outcomes["ok"] == 0 || outcomes[row.refusal] == 0 {
				t.Errorf("the end never fell among the others: %v", outcomes)
			}
			late := hubtest.Value[int](t, d.hub, `
				SELECT (SELECT count(*) FROM packet p JOIN consent_state s ON s.id = p.consent WHERE p.stored_at > s.withdrawn_at)
				     + (SELECT count(*) FROM release r JOIN packet p ON p.seq = r.packet JOIN consent_state s ON s.id = p.consent WHERE r.at > s.withdrawn_at)`)
			if late != 0 {
				t.Errorf("by the times that are logged, %d were shared after the withdrawal", late)
			}
		})
	}
}

// shared lists what was stored and released on a consent or an override.
func shared(t *testing.T, h *hubtest.Hub, basis string) string {
	var lines string
	err := h.DB.Owner.QueryRow(t.Context(), `
		WITH p AS (SELECT seq, digest FROM packet WHERE $1 IN (consent, override_id))
		SELECT coalesce(string_agg(line, ' ' ORDER BY line COLLATE "C"), '') FROM (
			SELECT digest AS line FROM p
			UNION ALL SELECT p.digest || '/' || r.name FROM release r JOIN p ON p.seq = r.packet) x`, basis).Scan(&lines)
	if err != nil {
		return "failed: " + err.Error()
	}
	return lines
}
