package partners_test

import (
	"net/http"
	"testing"
	"time"

	"handover/internal/hubtest"
	"handover/partners"
	agreements "handover/partners/terms"
	"handover/referral/packet"
)

// parties are two agencies between which nobody has put anything in force, with an
// administrator each.
type parties struct {
	hubtest.Pair
	hub             *hubtest.Hub
	proposer, asked *hubtest.Person
}

func newParties(t *testing.T, h *hubtest.Hub) *parties {
	t.Helper()
	p := &parties{Pair: h.Pair(t, partners.Housing), hub: h}
	for _, id := range []string{p.Agreement, p.Back} {
		if err := h.Operator.EndAgreement(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	p.proposer, p.asked = h.Person(t, p.From.ID, partners.Administrator), h.Person(t, p.To.ID, partners.Administrator)
	return p
}

// propose proposes, and must succeed.
func (p *parties) propose(t *testing.T, change ...func(*agreements.Claims)) hubtest.Proposal {
	t.Helper()
	of := p.From.Terms(t, p.proposer.ID, p.To, change...)
	done(t, p.proposer.Proposes(t, of))
	return of
}

func done(t *testing.T, answers ...hubtest.Answer) {
	t.Helper()
	for _, a := range answers {
		if a.Status != http.StatusCreated {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
	}
}

// read is the agreement as the person reads it.
func read(t *testing.T, who interface {
	Get(testing.TB, string) hubtest.Answer
}, id string) (a partners.SignedAgreement) {
	t.Helper()
	who.Get(t, "/v1/agreements/"+id).Into(t, http.StatusOK, &a)
	return a
}

// TestAnAgreementIsInForceWhenBothHaveSigned: a packet passes from then on, with what was agreed
// and nothing else, each way; until one of the two ends it.
func TestAnAgreementIsInForceWhenBothHaveSigned(t *testing.T) {
	t.Parallel()
	p := newParties(t, hubtest.New(t))
	send := func(sections ...string) string {
		t.Helper()
		return p.From.Send(t, p.Request(sections...).Seal(t)).Problem().Code
	}
	if code := send("need"); code != "no-agreement" {
		t.Errorf("with no agreement: %q", code)
	}
	of := p.propose(t, func(c *agreements.Claims) { c.Receives.Sections = []string{"note"} })
	if code := send("need"); code != "no-agreement" {
		t.Errorf("proposed: %q", code)
	}
	done(t, p.asked.Signs(t, p.To, of))
	s := p.Sent(t, "need", "safe-contact")
	if code := send("need", "risk"); code != "no-agreement" {
		t.Errorf("with a section that was not agreed: %q", code)
	}
	p.Step(t, p.To, packet.Message, s.Digest, s.Digest) // a note, which may come back
	if a := p.To.Open(t, s.Digest, "", "need"); a.Status != http.StatusOK {
		t.Errorf("opening: %d %s", a.Status, a.Body)
	}
	for _, who := range []*hubtest.Person{p.proposer, p.asked} {
		if a := read(t, who, of.ID); a.State != agreements.InForce || a.Answer == nil || a.Answer.Act != p.asked.ID || a.Proposed.Act != p.proposer.ID {
			t.Errorf("%s reads %+v", who.Partner, a)
		}
	}
	done(t, p.asked.Ends(t, p.To, of))
	if code := send("need"); code != "no-agreement" {
		t.Errorf("ended: %q", code)
	}
	for _, section := range []string{"safe-contact", "need"} { // opened before, or not
		if a := p.To.Open(t, s.Digest, "", section); a.Problem().Code != "no-agreement" {
			t.Errorf("opening what was sent under it: %d %s", a.Status, a.Body)
		}
	}
	if a := read(t, p.proposer, of.ID); a.State != agreements.Ended || a.End == nil || a.End.Partner != p.To.ID {
		t.Errorf("ended, it is %+v", a)
	}
	p.hub.Reconciles(t)
}

// TestALaterVersionTakesThePlaceOfTheEarlierOne when it is signed, and not before.
func TestALaterVersionTakesThePlaceOfTheEarlierOne(t *testing.T) {
	t.Parallel()
	p := newParties(t, hubtest.New(t))
	first := p.propose(t)
	done(t, p.asked.Signs(t, p.To, first))
	next := p.To.Terms(t, p.asked.ID, p.From, hubtest.After(first), func(c *agreements.Claims) { c.Receives.Sections = []string{"safe-contact"} })
	done(t, p.asked.Proposes(t, next)) // by the other of the two
	p.Sent(t, "need")
	done(t, p.proposer.Signs(t, p.From, next))
	if a := p.From.Send(t, p.Request("need").Seal(t)); a.Problem().Code != "no-agreement" {
		t.Errorf("narrowed: %d %s", a.Status, a.Body)
	}
	p.Sent(t, "safe-contact")
	if a := read(t, p.proposer, first.ID); a.State != agreements.Superseded || a.ReplacedBy != next.ID || a.End.Partner != p.From.ID {
		t.Errorf("the first is %+v", a)
	}
	p.hub.Reconciles(t)
}

// TestWhoMayDoWhatWithAnAgreementWhen goes through every state, act and person there is.
func TestWhoMayDoWhatWithAnAgreementWhen(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	type scene struct {
		*parties
		of hubtest.Proposal
	}
	states := map[agreements.State]func(*testing.T, *scene){
		agreements.Proposed:  func(*testing.T, *scene) {},
		agreements.Lapsed:    func(t *testing.T, s *scene) { s.again(t, &s.of, false) },
		agreements.Declined:  func(t *testing.T, s *scene) { done(t, s.asked.Refuses(t, s.To, s.of)) },
		agreements.TakenBack: func(t *testing.T, s *scene) { done(t, s.proposer.Ends(t, s.From, s.of)) },
		agreements.InForce:   func(t *testing.T, s *scene) { done(t, s.asked.Signs(t, s.To, s.of)) },
		agreements.Agreed: func(t *testing.T, s *scene) {
			done(t, s.proposer.Ends(t, s.From, s.of))
			s.of = s.propose(t, hubtest.YearFrom(h.Now().Add(24*time.Hour)))
			done(t, s.asked.Signs(t, s.To, s.of))
		},
		agreements.Expired: func(t *testing.T, s *scene) { s.again(t, &s.of, true) },
		agreements.Superseded: func(t *testing.T, s *scene) {
			done(t, s.asked.Signs(t, s.To, s.of))
			next := s.propose(t, hubtest.After(s.of))
			done(t, s.asked.Signs(t, s.To, next))
		},
		agreements.Ended: func(t *testing.T, s *scene) {
			done(t, s.asked.Signs(t, s.To, s.of), s.proposer.Ends(t, s.From, s.of))
		},
	}
	place := func(t *testing.T, state agreements.State) *scene {
		s := &scene{parties: newParties(t, h)}
		s.of = s.propose(t)
		states[state](t, s)
		if got := read(t, s.asked, s.of.ID).State; got != state {
			t.Fatalf("it is %s, want %s", got, state)
		}
		return s
	}
	acts := map[string]func(*testing.T, *hubtest.Person, *hubtest.Agency, hubtest.Proposal) hubtest.Answer{
		"sign": func(t *testing.T, p *hubtest.Person, a *hubtest.Agency, of hubtest.Proposal) hubtest.Answer {
			return p.Signs(t, a, of)
		},
		"refuse": func(t *testing.T, p *hubtest.Person, a *hubtest.Agency, of hubtest.Proposal) hubtest.Answer {
			return p.Refuses(t, a, of)
		},
		"end": func(t *testing.T, p *hubtest.Person, a *hubtest.Agency, of hubtest.Proposal) hubtest.Answer {
			return p.Ends(t, a, of)
		},
	}
	if len(states) != len(agreements.States()) {
		t.Fatalf("%d states, want %d", len(states), len(agreements.States()))
	}
	for state := range states {
		t.Run(string(state), func(t *testing.T) {
			s := place(t, state)
			for act, do := range acts {
				counts := state == agreements.InForce || state == agreements.Agreed
				open := state == agreements.Proposed
				for who, want := range map[string]string{
					"proposer": map[bool]string{true: "", false: "agreement-state"}[act == "end" && (counts || open)],
					"asked":    map[bool]string{true: "", false: "agreement-state"}[act == "end" && counts || act != "end" && open],
				} {
					if who == "proposer" && act != "end" {
						want = "agreement-own-proposal"
					}
					at := s
					if want == "" {
						at = place(t, state) // it changes something
					}
					p, a := at.proposer, at.From
					if who == "asked" {
						p, a = at.asked, at.To
					}
					if got := do(t, p, a, at.of); got.Problem().Code != want || (want == "") != (got.Status == http.StatusCreated) {
						t.Errorf("%s: %s by %s: %d %s, want %q", state, act, who, got.Status, got.Body, want)
					}
				}
			}
		})
	}
	t.Run("nobody else", func(t *testing.T) {
		s := place(t, agreements.Proposed)
		third := newParties(t, h)
		for act, do := range acts {
			for _, role := range []partners.Role{partners.Caseworker, partners.Manager, partners.Auditor} {
				for _, a := range []*hubtest.Agency{s.From, s.To} {
					if got := do(t, h.Person(t, a.ID, role), a, s.of); got.Problem().Code != "insufficient-scope" {
						t.Errorf("%s by a %s of %s: %d %s", act, role, a.ID, got.Status, got.Body)
					}
				}
			}
			if got := do(t, third.proposer, third.From, s.of); got.Problem().Code != "agreement-not-found" {
				t.Errorf("%s by a third agency: %d %s", act, got.Status, got.Body)
			}
			stale := h.Person(t, s.To.ID, partners.Administrator)
			stale.Proved = h.Now().Add(-partners.Recent - time.Minute)
			if got := do(t, stale, s.To, s.of); got.Problem().Code != "step-up-required" {
				t.Errorf("%s by who has proved nothing for a while: %d %s", act, got.Status, got.Body)
			}
		}
		for _, a := range []*hubtest.Agency{s.From, s.To} { // a system alone
			got := a.Do(t, hubtest.Call{Method: http.MethodPost, Path: "/v1/agreements/" + s.of.ID + "/sign", Type: "application/jose", Body: []byte(a.AnswerTerms(t, s.asked.ID, s.of, agreements.Signed))})
			if got.Problem().Code != "insufficient-scope" {
				t.Errorf("a system of %s: %d %s", a.ID, got.Status, got.Body)
			}
		}
		if got := read(t, s.asked, s.of.ID).State; got != agreements.Proposed {
			t.Errorf("afterwards it is %s", got)
		}
	})
	h.Reconciles(t)
}

// again takes the proposal back and makes another, whose time is over when it returns; signed or
// not.
func (p *parties) again(t *testing.T, of *hubtest.Proposal, signed bool) {
	t.Helper()
	done(t, p.proposer.Ends(t, p.From, *of))
	*of = p.propose(t, func(c *agreements.Claims) {
		c.ValidFrom, c.ValidTo, c.ReviewAt = c.IssuedAt-60, c.IssuedAt+2, c.IssuedAt+2
	})
	if signed {
		done(t, p.asked.Signs(t, p.To, *of))
	}
	for end := time.Unix(of.ValidTo, 0); time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
	}
}
