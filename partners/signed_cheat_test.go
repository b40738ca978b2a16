package partners_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"handover/internal/hubtest"
	"handover/internal/ids"
	"handover/internal/pg"
	"handover/partners"
	agreements "handover/partners/terms"
)

// TestACheatOrAMistakeProposesNothing spoils one thing of a proposal that is otherwise right.
func TestACheatOrAMistakeProposesNothing(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p, third := newParties(t, h), newParties(t, h)
	force := h.Agency(t, "the-force", partners.Police)
	gone := h.Agency(t, "gone", partners.Housing)
	if err := h.Operator.Suspend(t.Context(), gone.ID); err != nil {
		t.Fatal(err)
	}
	old := third.propose(t)
	done(t, third.asked.Signs(t, third.To, old))
	taken := third.propose(t, hubtest.After(old))
	stolen := hubtest.Key(t, partners.Signing)
	for name, row := range map[string]struct {
		change func(*agreements.Claims)
		want   string
	}{
		"as another agency":        {func(c *agreements.Claims) { c.Issuer = string(third.From.ID) }, "agreement-issuer"},
		"in a colleague's name":    {func(c *agreements.Claims) { c.Act = uuid.NewString() }, "act-mismatch"},
		"in nobody's name":         {func(c *agreements.Claims) { c.Act = "" }, "agreement-claim"},
		"for another hub":          {func(c *agreements.Claims) { c.Hub = "https://staging.example" }, "agreement-stale"},
		"from the future":          {func(c *agreements.Claims) { c.IssuedAt += 300; c.ValidFrom = c.IssuedAt }, "agreement-stale"},
		"before the key was there": {func(c *agreements.Claims) { c.IssuedAt -= 20 * 3600 }, "agreement-key"},
		"to nobody":                {func(c *agreements.Claims) { c.Other = "nobody" }, "recipient-inactive"},
		"to who is suspended":      {func(c *agreements.Claims) { c.Other = "gone" }, "recipient-inactive"},
		"a version of none":        {func(c *agreements.Claims) { c.Version, c.Supersedes = 2, uuid.Must(uuid.NewV7()).String() }, "agreement-not-current"},
		"a version of others'":     {hubtest.After(old), "agreement-not-current"},
		"under others' id":         {func(c *agreements.Claims) { c.ID = taken.ID }, "agreement-conflict"},
		"what the police never get": {func(c *agreements.Claims) {
			c.Other, c.Sends.Sections = string(force.ID), []string{"need", "immigration"}
		}, "agreement-firewall"},
	} {
		content := h.Content(t)
		if a := p.proposer.Proposes(t, p.From.Terms(t, p.proposer.ID, p.To, row.change)); a.Problem().Code != row.want {
			t.Errorf("%s: %d %s, want %s", name, a.Status, a.Body, row.want)
		}
		if diff := cmp.Diff(content, h.Content(t)); diff != "" {
			t.Errorf("%s left something behind:\n%s", name, diff)
		}
	}
	back := p.To.Terms(t, p.asked.ID, p.From, func(c *agreements.Claims) { c.Receives = barred(t, p.To.Category) })
	if a := p.asked.Proposes(t, back); a.Problem().Code != "agreement-firewall" {
		t.Errorf("what its own agency never gets: %d %s", a.Status, a.Body)
	}
	honest := p.From.Terms(t, p.proposer.ID, p.To)
	forged := honest
	forged.Token = hubtest.SignAs(t, agreements.ProposalType, honest.Claims, stolen.Signer())
	if a := p.proposer.Proposes(t, forged); a.Problem().Code != "agreement-key" {
		t.Errorf("with a key that is nobody's: %d %s", a.Status, a.Body)
	}
	done(t, p.proposer.Proposes(t, honest))
	if a := p.proposer.Proposes(t, p.From.Terms(t, p.proposer.ID, p.To)); a.Problem().Code != "agreement-open" {
		t.Errorf("one more before that is answered: %d %s", a.Status, a.Body)
	}
}

// barred is a way with a section that never goes to the category for that purpose.
func barred(t *testing.T, to partners.Category) agreements.Way {
	t.Helper()
	f, err := partners.LoadFirewall()
	if err != nil {
		t.Fatal(err)
	}
	for _, purpose := range []string{"housing", "gp-registration", "advocacy", "nrm"} {
		if sections := f.Barred(to, []string{purpose}); len(sections) > 0 {
			return agreements.Way{Purposes: []string{purpose}, Sections: sections[:1]}
		}
	}
	t.Fatalf("everything may go to %s", to)
	return agreements.Way{}
}

// TestACheatOrAMistakeAnswersNothing: above all, nobody signs other terms than she has read.
func TestACheatOrAMistakeAnswersNothing(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := newParties(t, h)
	of := p.propose(t)
	wider := p.From.Terms(t, p.proposer.ID, p.To, func(c *agreements.Claims) { c.ID = of.ID; c.Sends.Sections = []string{"need", "health"} })
	for name, row := range map[string]struct {
		change func(*agreements.AnswerClaims)
		want   string
	}{
		"to other terms":        {func(a *agreements.AnswerClaims) { a.Digest = wider.Digest }, "agreement-claim"},
		"of another":            {func(a *agreements.AnswerClaims) { a.Of = uuid.Must(uuid.NewV7()).String() }, "agreement-claim"},
		"with a third agency":   {func(a *agreements.AnswerClaims) { a.Other = "rosewood" }, "agreement-claim"},
		"in a colleague's name": {func(a *agreements.AnswerClaims) { a.Act = uuid.NewString() }, "act-mismatch"},
		"as who proposed it":    {func(a *agreements.AnswerClaims) { a.Issuer, a.Other = a.Other, a.Issuer }, "agreement-issuer"},
		"for another hub":       {func(a *agreements.AnswerClaims) { a.Hub = "https://staging.example" }, "agreement-stale"},
		"from long ago":         {func(a *agreements.AnswerClaims) { a.IssuedAt -= 25 * 3600 }, "agreement-key"},
	} {
		content := h.Content(t)
		token := p.To.AnswerTerms(t, p.asked.ID, of, agreements.Signed, row.change)
		if a := p.asked.States(t, "/v1/agreements/"+of.ID+"/sign", token); a.Problem().Code != row.want {
			t.Errorf("%s: %d %s, want %s", name, a.Status, a.Body, row.want)
		}
		if diff := cmp.Diff(content, h.Content(t)); diff != "" {
			t.Errorf("%s left something behind:\n%s", name, diff)
		}
	}
	if a := p.asked.States(t, "/v1/agreements/"+of.ID+"/refuse", p.To.AnswerTerms(t, p.asked.ID, of, agreements.Signed)); a.Problem().Code != "agreement-claim" {
		t.Errorf("a signature where it is refused: %d %s", a.Status, a.Body)
	}
	if err := h.Operator.Suspend(t.Context(), p.From.ID); err != nil {
		t.Fatal(err)
	}
	if a := p.asked.Signs(t, p.To, of); a.Problem().Code != "recipient-inactive" {
		t.Errorf("while who proposed it is suspended: %d %s", a.Status, a.Body)
	}
	if err := h.Operator.Resume(t.Context(), p.From.ID); err != nil {
		t.Fatal(err)
	}
	// A thief proposed it, whose key was found out: it is refused, and never signed.
	if err := h.Operator.RevokeKeyOf(t.Context(), p.From.ID, p.From.Signing.KeyID(), partners.Compromised); err != nil {
		t.Fatal(err)
	}
	if a := p.asked.Signs(t, p.To, of); a.Problem().Code != "agreement-proposal-key" {
		t.Errorf("proposed with a key that is revoked: %d %s", a.Status, a.Body)
	}
	done(t, p.asked.Refuses(t, p.To, of))
}

// TestTheSameStatementAgainIsNothingNew: its entry is the one that it had; another under its id
// is refused.
func TestTheSameStatementAgainIsNothingNew(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := newParties(t, h)
	of := p.From.Terms(t, p.proposer.ID, p.To)
	signed, end := p.To.AnswerTerms(t, p.asked.ID, of, agreements.Signed), p.From.EndTerms(t, p.proposer.ID, of)
	for _, again := range []func() hubtest.Answer{
		func() hubtest.Answer { return p.proposer.Proposes(t, of) },
		func() hubtest.Answer { return p.asked.States(t, "/v1/agreements/"+of.ID+"/sign", signed) },
		func() hubtest.Answer { return p.proposer.States(t, "/v1/agreements/"+of.ID+"/end", end) },
	} {
		first := again()
		done(t, first)
		entries := hubtest.Value[int](t, h, `SELECT count(*) FROM audit_entry`)
		second := again()
		done(t, second)
		var a, b struct{ Entry string }
		first.Into(t, http.StatusCreated, &a)
		second.Into(t, http.StatusCreated, &b)
		if a != b || hubtest.Value[int](t, h, `SELECT count(*) FROM audit_entry`) != entries {
			t.Errorf("again it is %v, at first %v", b, a)
		}
	}
	changed := p.From.Terms(t, p.proposer.ID, p.To, func(c *agreements.Claims) { c.ID = of.ID; c.Sends.Sections = []string{"need"} })
	if a := p.proposer.Proposes(t, changed); a.Problem().Code != "agreement-conflict" {
		t.Errorf("other terms under its id: %d %s", a.Status, a.Body)
	}
	if a := read(t, p.asked, of.ID); a.Proposed.Digest != of.Digest || a.Answer.Digest != ids.Digest(signed) || a.End.Digest != ids.Digest(end) {
		t.Errorf("it is %+v", a)
	}
	h.Reconciles(t)
}

// TestOfTwoAtOnceOneIsFirst: of two who sign, who sign and take back, and who sign two proposals
// that cross, exactly one succeeds, and one agreement is in force at most.
func TestOfTwoAtOnceOneIsFirst(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	for range 4 {
		p := newParties(t, h)
		colleague := h.Person(t, p.To.ID, partners.Administrator)
		of := p.propose(t)
		once(t, []string{"agreement-state"}, func() hubtest.Answer { return p.asked.Signs(t, p.To, of) }, func() hubtest.Answer { return colleague.Signs(t, p.To, of) })
		if n := hubtest.Value[int](t, h, `SELECT count(*) FROM agreement WHERE terms = $1`, of.ID); n != 2 {
			t.Errorf("%d directions are in force, want 2", n)
		}

		p = newParties(t, h)
		of = p.propose(t)
		once(t, []string{"agreement-state", ""}, func() hubtest.Answer { return p.asked.Signs(t, p.To, of) }, func() hubtest.Answer { return p.proposer.Ends(t, p.From, of) })
		if n := hubtest.Value[int](t, h, `SELECT count(*) FROM agreement WHERE terms = $1 AND ended_at IS NULL`, of.ID); n != 0 {
			t.Errorf("%d directions are in force of what is over", n)
		}

		p = newParties(t, h)
		there, back := p.propose(t), p.To.Terms(t, p.asked.ID, p.From)
		done(t, p.asked.Proposes(t, back))
		once(t, []string{"agreement-not-current"}, func() hubtest.Answer { return p.asked.Signs(t, p.To, there) }, func() hubtest.Answer { return p.proposer.Signs(t, p.From, back) })
	}
	h.Reconciles(t)
}

// once does both at once: one succeeds at least, and the other is refused with one of the codes.
func once(t *testing.T, codes []string, both ...func() hubtest.Answer) {
	t.Helper()
	answers := make([]hubtest.Answer, len(both))
	var wait sync.WaitGroup
	for i, do := range both {
		wait.Go(func() { answers[i] = do() })
	}
	wait.Wait()
	succeeded, as := 0, false
	for _, a := range answers {
		if a.Status == http.StatusCreated {
			succeeded++
			continue
		}
		for _, code := range codes {
			as = as || a.Problem().Code == code
		}
	}
	if succeeded == 0 || succeeded == len(both) && codes[len(codes)-1] != "" || succeeded < len(both) && !as {
		t.Errorf("%d %s and %d %s", answers[0].Status, answers[0].Body, answers[1].Status, answers[1].Body)
	}
}

// TestAnEndWaitsForWhatIsBeingAccepted: a packet that was judged under the agreement is stored
// before it ends, and none is afterwards.
func TestAnEndWaitsForWhatIsBeingAccepted(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := newParties(t, h)
	of := p.propose(t)
	done(t, p.asked.Signs(t, p.To, of))
	ended := make(chan hubtest.Answer, 1)
	err := pg.As(t.Context(), h.DB.Hub, string(p.From.ID), func(tx pgx.Tx) error {
		var b pgx.Batch
		h.Registry.LockTerms(&b, p.From.ID, partners.Asked{To: p.To.ID})
		if err := tx.SendBatch(t.Context(), &b).Close(); err != nil {
			return err
		}
		go func() { ended <- p.asked.Ends(t, p.To, of) }()
		select {
		case a := <-ended:
			t.Errorf("it ended while a packet was being accepted: %d %s", a.Status, a.Body)
		case <-time.After(300 * time.Millisecond):
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	done(t, <-ended)
	var wait sync.WaitGroup
	for range 6 {
		wait.Go(func() {
			if a := p.From.Send(t, p.Request("need").Seal(t)); a.Problem().Code != "no-agreement" {
				t.Errorf("afterwards: %d %s", a.Status, a.Body)
			}
		})
	}
	wait.Wait()
}

// TestWhoReadsAgreements: everybody of the two agencies and their systems, also what nobody
// signed, which says so; a third agency nothing.
func TestWhoReadsAgreements(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p, third := newParties(t, h), newParties(t, h)
	of := p.propose(t)
	done(t, p.asked.Signs(t, p.To, of))
	h.Agree(t, p.From, p.To)
	type list struct {
		Agreements []partners.SignedAgreement
		Unsigned   []partners.Agreement
	}
	for _, a := range []*hubtest.Agency{p.From, p.To} {
		for _, role := range partners.Roles() {
			var l list
			h.Person(t, a.ID, role).Get(t, "/v1/agreements").Into(t, http.StatusOK, &l)
			if len(l.Agreements) != 1 || l.Agreements[0].ID != of.ID || len(l.Unsigned) != 1 || l.Unsigned[0].Terms != "" {
				t.Errorf("a %s of %s reads %+v", role, a.ID, l)
			}
		}
		var l list
		a.Get(t, "/v1/agreements").Into(t, http.StatusOK, &l)
		if len(l.Agreements) != 1 || l.Agreements[0].Proposed.Statement != of.Token || l.Agreements[0].Proposed.Custody != partners.HeldByPartner {
			t.Errorf("a system of %s reads %+v", a.ID, l)
		}
		var found struct{ Entries []struct{ Act string } }
		h.Person(t, a.ID, partners.Auditor).Get(t, "/v1/log/entries?act=agreement.sign").Into(t, http.StatusOK, &found)
		if len(found.Entries) != 1 {
			t.Errorf("an auditor of %s finds %d entries of the signature", a.ID, len(found.Entries))
		}
	}
	var l list
	third.asked.Get(t, "/v1/agreements").Into(t, http.StatusOK, &l)
	if len(l.Agreements) != 0 || len(l.Unsigned) != 0 {
		t.Errorf("a third agency reads %+v", l)
	}
	if a := third.asked.Get(t, "/v1/agreements/"+of.ID); a.Problem().Code != "agreement-not-found" {
		t.Errorf("a third agency: %d %s", a.Status, a.Body)
	}
}
