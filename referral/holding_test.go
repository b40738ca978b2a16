package referral_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"handover/internal/fault"
	"handover/internal/hubtest"
	"handover/internal/pg"
	"handover/partners"
	"handover/referral"
	"handover/referral/packet"
)

// codeOf is the code with which something was refused, "" if it was not.
func codeOf(err error) string {
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		return f.Code
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func TestOfTwoWhoClaimOneHasIt(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	s := p.Sent(t, "need")
	const people = 8
	callers := make([]partners.Caller, people)
	for i := range callers {
		callers[i] = h.Person(t, p.To.ID, []partners.Role{partners.Caseworker, partners.Manager}[i%2]).Caller(t)
	}
	logged := h.Logged(t)
	refused := hubtest.Together(people, func(i int) error { return h.Referrals.Claim(t.Context(), callers[i], s.Digest) })
	holder := hubtest.Value[string](t, h, `SELECT holder::text FROM referral_holding`)
	won := 0
	for i, err := range refused {
		if err == nil && callers[i].User() == holder {
			won++
			continue
		}
		f, ok := errors.AsType[*fault.Fault](err)
		if !ok || f.Code != "holder-changed" || f.Members()["holder"] != holder {
			t.Errorf("%d: %v, want to be told that %s has it", i, err, holder)
		}
	}
	if won != 1 {
		t.Errorf("%d have claimed it, want one", won)
	}
	h.Log.Kick()
	var claims int
	for _, e := range h.Entries(t, logged) {
		if e.Act == "referral.claim" {
			claims++
			if e.User != holder || e.Target != holder || e.Referral != s.Digest || e.Other != "" {
				t.Errorf("the log says %+v", e)
			}
		}
	}
	if claims != 1 {
		t.Errorf("the log has %d claims, want one", claims)
	}
}

func TestWhoMayHaveAReferralAndSayWhoHas(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p, third := h.Pair(t, partners.BoroughOutreach), h.Agency(t, "the-third", partners.BoroughOutreach)
	s, over := p.Sent(t, "need"), p.Sent(t, "need")
	p.Step(t, p.To, packet.Decline, over.Digest, over.Digest)
	worker, colleague, manager := h.Person(t, p.To.ID, partners.Caseworker), h.Person(t, p.To.ID, partners.Caseworker), h.Person(t, p.To.ID, partners.Manager)
	administrator, auditor := h.Person(t, p.To.ID, partners.Administrator), h.Person(t, p.To.ID, partners.Auditor)
	theirs, stranger := h.Person(t, p.From.ID, partners.Caseworker), h.Person(t, third.ID, partners.Caseworker)
	gone := h.Person(t, p.To.ID, partners.Caseworker)
	h.Exec(t, `UPDATE partner_user SET status = 'suspended' WHERE id = $1`, gone.ID)
	give := func(c partners.Caller, id, from, to string) func() error {
		return func() error { return h.Referrals.Assign(t.Context(), c, id, from, to) }
	}
	claim := func(c partners.Caller, id string) func() error {
		return func() error { return h.Referrals.Claim(t.Context(), c, id) }
	}
	release := func(c partners.Caller, from string) func() error {
		return func() error { return h.Referrals.Release(t.Context(), c, s.Digest, from) }
	}
	w, m := worker.Caller(t), manager.Caller(t)
	for _, row := range []struct {
		name string
		do   func() error
		want string // the code of the refusal
		has  string // who has it then
	}{
		{"an administrator claims", claim(administrator.Caller(t), s.Digest), "holder-role", ""},
		{"an auditor claims", claim(auditor.Caller(t), s.Digest), "holder-role", ""},
		{"a system claims", claim(p.To.Caller(t), s.Digest), "holder-role", ""},
		{"somebody of another agency claims", claim(stranger.Caller(t), s.Digest), "referral-not-found", ""},
		{"what is no referral is claimed", claim(w, "x"), "referral-not-found", ""},
		{"what has ended is claimed", claim(w, over.Digest), "step-not-possible", ""},
		{"she gives it to an administrator", give(w, s.Digest, "", administrator.ID), "holder-role", ""},
		{"she gives it to somebody suspended", give(w, s.Digest, "", gone.ID), "holder-role", ""},
		{"she gives it to somebody of the other agency", give(w, s.Digest, "", theirs.ID), "holder-role", ""},
		{"she gives it to what is nobody", give(w, s.Digest, "", "x"), "user-not-found", ""},
		{"she claims", claim(w, s.Digest), "", worker.ID},
		{"she claims again", claim(w, s.Digest), "", worker.ID},
		{"a colleague claims what she has", claim(colleague.Caller(t), s.Digest), "holder-changed", worker.ID},
		{"a manager gives it on from somebody who has it no more", give(m, s.Digest, colleague.ID, manager.ID), "holder-changed", worker.ID},
		{"a manager gives it to a colleague", give(m, s.Digest, worker.ID, colleague.ID), "", colleague.ID},
		{"she gives up what she has no more", release(w, worker.ID), "holder-changed", colleague.ID},
		{"she takes it from her colleague", release(w, colleague.ID), "", ""},
		{"she takes it again", release(w, colleague.ID), "", ""},
		{"somebody has it at the last", claim(w, s.Digest), "", worker.ID},
	} {
		if got := codeOf(row.do()); got != row.want {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
		if has := hubtest.Value[string](t, h, `SELECT coalesce(string_agg(holder::text, ' '), '') FROM referral_holding`); has != row.has {
			t.Errorf("%s: %q has it, want %q", row.name, has, row.has)
		}
	}
}

// TestEachAgencyKnowsOnlyWhoOfItsOwnHasIt: a holding of the one side is nothing to the other,
// in a list, in the log, or in the database; and ends with the referral on both.
func TestEachAgencyKnowsOnlyWhoOfItsOwnHasIt(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	s := p.Sent(t, "need")
	sender, receiver := h.Person(t, p.From.ID, partners.Caseworker).Caller(t), h.Person(t, p.To.ID, partners.Caseworker).Caller(t)
	do(t, h.Referrals.Claim(t.Context(), receiver, s.Digest))
	if m := standing(t, h, p.From, s.Digest); m.Holder != nil {
		t.Errorf("the sender is shown that %s has it", m.Holder.User)
	}
	do(t, h.Referrals.Claim(t.Context(), sender, s.Digest))
	for by, want := range map[*hubtest.Agency]string{p.From: sender.User(), p.To: receiver.User()} {
		if m := standing(t, h, by, s.Digest); m.Holder == nil || m.Holder.User != want || m.Holder.Name != "A worker" {
			t.Errorf("%s is shown that %+v has it, want %s", by.ID, m.Holder, want)
		}
	}
	for _, by := range []*hubtest.Agency{p.From, p.To} {
		n, err := claimsShown(t, h, by.ID)
		do(t, err)
		if n != 1 {
			t.Errorf("%s is shown %d claims in the log, want its own", by.ID, n)
		}
	}
	held, _, err := h.Referrals.HeldBy(t.Context(), p.To.Caller(t), receiver.User(), 0)
	do(t, err)
	if len(held) != 1 || held[0].ID != s.Digest {
		t.Errorf("she holds %+v, want what she claimed", held)
	}
	p.Step(t, p.To, packet.Decline, s.Digest, s.Digest)
	if n := hubtest.Value[int](t, h, `SELECT count(*) FROM referral_holding`); n != 0 {
		t.Errorf("%d still have what has ended", n)
	}
}

// claimsShown is how many claims of the log a session of the partner is shown.
func claimsShown(t *testing.T, h *hubtest.Hub, by partners.ID) (n int, err error) {
	t.Helper()
	err = pg.As(t.Context(), h.DB.Hub, string(by), func(tx pgx.Tx) error {
		return tx.QueryRow(t.Context(), `SELECT count(*) FROM audit_entry WHERE act = 'referral.claim'`).Scan(&n)
	})
	return n, err
}

// TestWhatIsHeldIsWhatHerAgencySaysSheHolds: a colleague who has it counts before whoever
// signed or opened last.
func TestWhatIsHeldIsWhatHerAgencySaysSheHolds(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	s := p.Sent(t, "need")
	opener, keeper := h.Person(t, p.To.ID, partners.Caseworker), h.Person(t, p.To.ID, partners.Caseworker)
	_, _, err := h.Referrals.Open(t.Context(), opener.Caller(t), s.Digest, referral.Opening{Sections: []string{"need"}, Reason: "triage"})
	do(t, err)
	holds := func(who *hubtest.Person, want int) {
		t.Helper()
		held, _, err := h.Referrals.HeldBy(t.Context(), p.To.Caller(t), who.ID, 0)
		do(t, err)
		if len(held) != want {
			t.Errorf("she holds %d, want %d", len(held), want)
		}
	}
	holds(opener, 1)
	do(t, h.Referrals.Assign(t.Context(), opener.Caller(t), s.Digest, "", keeper.ID))
	holds(opener, 0)
	holds(keeper, 1)
}

func TestColleaguesSeeThatTheyLookAtTheSame(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	s, other := p.Sent(t, "need"), p.Sent(t, "need")
	one, two := h.Person(t, p.To.ID, partners.Caseworker).Caller(t), h.Person(t, p.To.ID, partners.Manager).Caller(t)
	theirs := h.Person(t, p.From.ID, partners.Caseworker).Caller(t)
	look := func(c partners.Caller, id string, want ...string) {
		t.Helper()
		there, err := h.Referrals.Look(t.Context(), c, id)
		do(t, err)
		var users []string
		for _, p := range there {
			users = append(users, p.User)
		}
		if diff := cmp.Diff(want, users); diff != "" {
			t.Errorf("who looks too (-want +got):\n%s", diff)
		}
	}
	logged := h.Logged(t)
	look(one, s.Digest)
	look(two, other.Digest)
	look(two, s.Digest, one.User())
	look(one, s.Digest, two.User())
	look(theirs, s.Digest) // of the other side
	look(p.To.Caller(t), s.Digest, one.User(), two.User())
	if n := h.Logged(t); n != logged {
		t.Errorf("looking left %d entries in the log", n-logged)
	}
	h.Exec(t, `UPDATE referral_presence SET seen_at = now() - interval '121 seconds' WHERE user_id = $1`, one.User())
	look(two, s.Digest)
	do(t, h.Referrals.ForgetPresence(t.Context()))
	if n := hubtest.Value[int](t, h, `SELECT count(*) FROM referral_presence WHERE user_id = $1`, one.User()); n != 0 {
		t.Error("who looked minutes ago is still kept")
	}
	third := h.Person(t, h.Agency(t, "the-third", partners.BoroughOutreach).ID, partners.Caseworker).Caller(t)
	for _, id := range []string{s.Digest, "x", ""} {
		if _, err := h.Referrals.Look(t.Context(), third, id); codeOf(err) != "referral-not-found" {
			t.Errorf("a third agency looks at %q: %v", id, err)
		}
	}
}
