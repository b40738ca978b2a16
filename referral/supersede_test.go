package referral_test

import (
	"net/http"
	"strings"
	"testing"

	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/partners"
)

// later records, as the agency, a record in the place of an earlier one, which says the same
// but for the change.
func later(t *testing.T, by *hubtest.Agency, earlier hubtest.Consent, change func(*record.Claims)) hubtest.Consent {
	t.Helper()
	return by.Record(t, earlier.Subject, earlier.Recipients, func(c *record.Claims) {
		c.Supersedes, c.Purpose, c.Sections, c.Gate = earlier.ID, earlier.Purpose, earlier.Sections, earlier.Gate
		change(c)
	})
}

// unchanged is no change.
func unchanged(*record.Claims) {}

// sections are a change to what may be shared.
func sections(names ...string) func(*record.Claims) {
	return func(c *record.Claims) { c.Sections = names }
}

// opens checks how an opening is answered: "" is that the section is given.
func opens(t *testing.T, by *hubtest.Agency, referral, section, refusal string) {
	t.Helper()
	a := by.Open(t, referral, "", section)
	if refusal == "" && a.Status != http.StatusOK || refusal != "" && a.Problem().Code != refusal {
		t.Errorf("opening %s: %d %s, want %q", section, a.Status, a.Body, refusal)
	}
}

func TestALaterRecordNarrowsAtOnceAndNeverWidens(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	first := p.From.Record(t, hubtest.Subject(), p.Named())
	r := p.From.Request(p.To, p.Service, first, "need", "risk", "history").Seal(t)
	p.From.Sent(t, r)
	opens(t, p.To, r.Digest, "need", "")

	second := later(t, p.From, first, sections("need", "history"))
	opens(t, p.To, r.Digest, "need", "")
	opens(t, p.To, r.Digest, "risk", "not-covered")

	third := later(t, p.From, second, sections("need", "risk", "safe-contact")) // risk again, and no history
	opens(t, p.To, r.Digest, "need", "")
	opens(t, p.To, r.Digest, "risk", "not-covered") // it was sent before the second, which narrowed
	opens(t, p.To, r.Digest, "history", "not-covered")

	send := func(on hubtest.Consent, section string) string {
		return p.From.Send(t, p.From.Request(p.To, p.Service, on, section).Seal(t)).Problem().Code
	}
	if got := send(first, "risk"); got != "not-covered" {
		t.Errorf("a new packet on the first record: %q", got)
	}
	if got := send(third, "risk"); got != "" {
		t.Errorf("a new packet on the third record: %q", got)
	}
}

func TestARenewalRevivesAndTakingItBackEnds(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	first := p.From.Record(t, hubtest.Subject(), p.Named())
	r := p.From.Request(p.To, p.Service, first, "need", "risk").Seal(t)
	p.From.Sent(t, r)
	h.Exec(t, `UPDATE consent SET expires_at = now() WHERE id = $1`, first.ID)
	opens(t, p.To, r.Digest, "need", "consent-expired")
	if state := hubtest.Value[string](t, h, `SELECT state FROM referral`); state != "requested" {
		t.Errorf("expiry left the referral %s", state)
	}
	second := later(t, p.From, first, unchanged)
	opens(t, p.To, r.Digest, "need", "")
	h.Exec(t, `UPDATE consent SET expires_at = now() WHERE id = $1`, second.ID)
	opens(t, p.To, r.Digest, "risk", "consent-expired") // though the first's end was never what counts now
	third := later(t, p.From, second, unchanged)
	opens(t, p.To, r.Digest, "risk", "")
	p.From.Withdraw(t, third)
	opens(t, p.To, r.Digest, "need", "consent-withdrawn")
}

// A later record that the recipient is not shown, because she is not named any more, covers
// nothing for her: what a session cannot see must not pass for what is not there.
func TestALaterRecordThatNamesHerNoMoreCoversNothing(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p, other := h.Pair(t, partners.BoroughOutreach), h.Agency(t, "somebody-else", partners.Housing)
	first := p.From.Record(t, hubtest.Subject(), p.Named())
	r := p.From.Request(p.To, p.Service, first, "need").Seal(t)
	p.From.Sent(t, r)
	second := later(t, p.From, first, func(c *record.Claims) { c.Recipients = []string{string(other.ID)} })
	if n := p.To.Get(t, "/v1/consents/"+second.ID); n.Status != http.StatusNotFound {
		t.Errorf("she is shown the later record: %d", n.Status)
	}
	opens(t, p.To, r.Digest, "need", "not-covered")
	later(t, p.From, second, func(c *record.Claims) { c.Agreement, c.Recipients = "refused", p.Named() })
	opens(t, p.To, r.Digest, "need", "not-covered")
}

func TestWhoMaySupersedeWhat(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	first := p.From.Record(t, hubtest.Subject(), p.Named())
	after := func(by *hubtest.Agency, id, subject string) hubtest.Answer {
		return by.PostConsent(t, by.Consent(t, subject, p.Named(), func(c *record.Claims) { c.Supersedes = id }))
	}
	withdrawn, replaced := p.From.Record(t, hubtest.Subject(), p.Named()), p.From.Record(t, hubtest.Subject(), p.Named())
	p.From.Withdraw(t, withdrawn)
	later(t, p.From, replaced, unchanged)
	for name, row := range map[string]struct {
		answer hubtest.Answer
		code   string
	}{
		"one that is not there":             {after(p.From, "0199a000-0000-7000-8000-0000000000bb", first.Subject), "consent-not-found"},
		"another's in which she is named":   {after(p.To, first.ID, first.Subject), "consent-not-found"},
		"one that was withdrawn":            {after(p.From, withdrawn.ID, withdrawn.Subject), "consent-withdrawn"},
		"one that has a successor":          {after(p.From, replaced.ID, replaced.Subject), "consent-superseded"},
		"one about somebody else":           {after(p.From, first.ID, hubtest.Subject()), "consent-of-another"},
		"her own, about her, that stands":   {after(p.From, first.ID, first.Subject), ""},
		"the same once more, by another id": {after(p.From, first.ID, first.Subject), "consent-superseded"},
	} {
		if (row.code == "") != (row.answer.Status == http.StatusCreated) || row.code != "" && row.answer.Problem().Code != row.code {
			t.Errorf("%s: %d %s, want %q", name, row.answer.Status, row.answer.Body, row.code)
		}
	}
}

// Of two successors at the same moment one is stored, while others share on the chain, and
// nobody waits for ever.
func TestOfTwoSuccessorsAtOnceOneIsStored(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	first := p.From.Record(t, hubtest.Subject(), p.Named())
	second := later(t, p.From, first, unchanged)
	r := p.From.Request(p.To, p.Service, first, "need").Seal(t)
	p.From.Sent(t, r)
	p.To.Token(t)
	for range 10 {
		var candidates []hubtest.Consent
		for range 2 {
			candidates = append(candidates, p.From.Consent(t, second.Subject, p.Named(), func(c *record.Claims) { c.Supersedes = second.ID }))
		}
		stored := make([]bool, 2)
		hubtest.Together(4, func(i int) any {
			if i < 2 {
				stored[i] = p.From.PostConsent(t, candidates[i]).Status == http.StatusCreated
			} else if a := p.To.Open(t, r.Digest, "", "need"); a.Status != http.StatusOK {
				t.Errorf("opening meanwhile: %d %s", a.Status, a.Body)
			}
			return nil
		})
		if stored[0] == stored[1] {
			t.Fatalf("stored: %v", stored)
		}
		if second = candidates[0]; stored[1] {
			second = candidates[1]
		}
	}
}

// What was pressed out of her counts for nothing until a manager has looked at it, also
// where it takes the place of what she said freely.
func TestADoubtfulRecordCoversNothing(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	good := p.From.Record(t, hubtest.Subject(), p.Named())
	r := p.From.Request(p.To, p.Service, good, "need").Seal(t)
	p.From.Sent(t, r)
	for name, change := range map[string]func(*record.Circumstances){
		"coercion suspected": func(c *record.Circumstances) { c.Coercion = "suspected" },
		"coercion present":   func(c *record.Circumstances) { c.Coercion = "present" },
		"capacity in doubt":  func(c *record.Circumstances) { c.Capacity = "doubt" },
	} {
		how := hubtest.Asked()
		change(&how)
		c := p.From.ConsentAsked(t, how, hubtest.Subject(), p.Named())
		if a := p.From.PostConsent(t, c); a.Status != http.StatusCreated {
			t.Fatalf("%s: %d %s", name, a.Status, a.Body)
		}
		if a := p.From.Send(t, p.From.Request(p.To, p.Service, c, "need").Seal(t)); a.Problem().Code != "consent-review-awaited" {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
		if a := p.From.Get(t, "/v1/consents/"+c.ID); !strings.Contains(string(a.Body), `"review":"awaited"`) {
			t.Errorf("%s: its recorder reads %s", name, a.Body)
		}
	}
	how := hubtest.Asked()
	how.Coercion = "suspected"
	doubtful := p.From.ConsentAsked(t, how, good.Subject, p.Named(), func(c *record.Claims) { c.Supersedes = good.ID })
	if a := p.From.PostConsent(t, doubtful); a.Status != http.StatusCreated {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	// That it awaits a review would tell the recipient that somebody doubts it.
	opens(t, p.To, r.Digest, "need", "not-covered")
	if a := p.From.Get(t, "/v1/consents/"+doubtful.ID); !strings.Contains(string(a.Body), `"review":"awaited"`) {
		t.Errorf("its recorder reads %s", a.Body)
	}
}

// Whoever holds a referral of hers may take back what it rests on, also where she was named
// as one of a kind; recording a doubtful yes once more, without the doubt, makes it none the
// less doubtful.
func TestWhoHoldsAReferralMayTakeItBack(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p, other := h.Pair(t, partners.Housing), h.Agency(t, "another-team", partners.Housing)
	c := p.From.Record(t, hubtest.Subject(), []string{"category:housing"})
	p.From.Sent(t, p.From.Request(p.To, p.Service, c, "need").Seal(t))
	if a := other.Withdraw(t, c); a.Problem().Code != "consent-not-found" {
		t.Errorf("one of the kind that holds nothing: %d %s", a.Status, a.Body)
	}
	if a := p.To.Withdraw(t, c); a.Status != http.StatusCreated {
		t.Errorf("one that holds a referral: %d %s", a.Status, a.Body)
	}
}

func TestADoubtIsNotRecordedAway(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.Housing)
	how := hubtest.Asked()
	how.Coercion = "suspected"
	doubtful := p.From.ConsentAsked(t, how, hubtest.Subject(), p.Named())
	if a := p.From.PostConsent(t, doubtful); a.Status != http.StatusCreated {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	second := later(t, p.From, doubtful, unchanged)
	if a := p.From.Send(t, p.From.Request(p.To, p.Service, second, "need").Seal(t)); a.Problem().Code != "consent-review-awaited" {
		t.Errorf("recorded again without the doubt: %d %s", a.Status, a.Body)
	}
	no := later(t, p.From, second, func(c *record.Claims) { c.Agreement = "refused" })
	if state := hubtest.Value[string](t, h, `SELECT review FROM consent_state WHERE id = $1`, no.ID); state != "not-needed" {
		t.Errorf("a no awaits a manager: %s", state)
	}
}

// How she was asked, and what is sealed to the recorder, nobody else is shown: whom she is
// afraid of is not the recipient's to read.
func TestOnlyTheRecorderReadsHowSheWasAsked(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	c := p.From.Record(t, hubtest.Subject(), p.Named())
	own, others := p.From.Get(t, "/v1/consents/"+c.ID), p.To.Get(t, "/v1/consents/"+c.ID)
	if own.Status != http.StatusOK || !strings.Contains(string(own.Body), `"circumstances":`) {
		t.Errorf("the recorder reads %d %s", own.Status, own.Body)
	}
	if others.Status != http.StatusOK || strings.Contains(string(others.Body), `"circumstances":`) || strings.Contains(string(others.Body), `"sealed":`) {
		t.Errorf("the recipient reads %d %s", others.Status, others.Body)
	}
}

// She chooses the housing authority (Housing Act 1996 s213B): a homelessness referral goes
// there and nowhere else, and what she chooses later counts for what was sent.
func TestAHomelessnessReferralGoesToTheAuthoritySheChose(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.Housing)
	const elsewhere = "E09000012"
	service := h.Offer(t, p.To, func(s *partners.Service) { s.Areas = []string{hubtest.Area, elsewhere} })
	duty := func(authority string) func(*record.Claims) {
		return func(c *record.Claims) {
			c.Purpose, c.Gate = "duty-to-refer", record.Gate{Pathway: "duty-to-refer", Agreements: record.DutyAgreements().Codes(), Authority: authority}
			c.Sections = []string{"need", "contact"}
		}
	}
	chosen := p.From.Record(t, hubtest.Subject(), p.Named(), duty(hubtest.Area))
	to := func(area string) hubtest.Sealed {
		d := p.From.Request(p.To, service, chosen, "need")
		d.Purpose, d.Area = "duty-to-refer", area
		return d.Seal(t)
	}
	if a := p.From.Send(t, to(elsewhere)); a.Problem().Code != "authority-not-chosen" {
		t.Errorf("to another authority: %d %s", a.Status, a.Body)
	}
	r := to(hubtest.Area)
	p.From.Sent(t, r)
	opens(t, p.To, r.Digest, "need", "")
	later(t, p.From, chosen, duty(elsewhere))
	opens(t, p.To, r.Digest, "need", "authority-not-chosen")
}
