package referral_test

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"handover/consent/record"
	"handover/internal/codes"
	"handover/internal/fault"
	"handover/internal/hubtest"
	"handover/partners"
	"handover/referral"
	"handover/referral/packet"
)

// world is what stands between a sender and a recipient in one random case, and the
// packet that is sent through it.
type world struct {
	to         partners.Category
	purpose    string
	sections   []string // of the packet
	agreements []terms
	consent    grant
}

// terms is an agreement; state is current, expired, coming or ended.
type terms struct {
	purposes, sections []string
	state              string
}

// grant is a consent, seen from the packet that relies on it.
type grant struct {
	recorder           string // sender, third (who names the sender), or stranger (who does not)
	said               string // agreed or refused
	sameWoman          bool
	purpose            string
	onward             string   // whether it may travel on: none, ask-each-time, named
	names              []string // id, category, other (another partner and another category)
	sections, withheld []string
	state              string // current, expired, coming or withdrawn
}

// allows is the specification: whether the sections may pass in the world.
func (w world) allows(sections []string) bool {
	for _, s := range sections {
		if !hubtest.MayReceive(w.to, s, w.purpose) {
			return false
		}
	}
	agreed := slices.ContainsFunc(w.agreements, func(a terms) bool {
		return a.state == "current" && slices.Contains(a.purposes, w.purpose) && within(sections, a.sections)
	})
	c := w.consent
	named := slices.Contains(c.names, "category") || slices.Contains(c.names, "id") && w.to != partners.Police
	may := c.recorder == "sender" || c.recorder == "third" && c.onward == "named"
	return agreed && named && may && c.said == "agreed" && c.sameWoman && c.purpose == w.purpose &&
		c.state == "current" && within(sections, c.sections) &&
		!slices.ContainsFunc(sections, func(s string) bool { return slices.Contains(c.withheld, s) })
}

// within reports whether every one of part is in whole.
func within(part, whole []string) bool {
	return !slices.ContainsFunc(part, func(s string) bool { return !slices.Contains(whole, s) })
}

// mostly draws the first of the values nine times in ten, so that enough of what is
// drawn passes all the walls.
func mostly[T any](t *rapid.T, label string, values ...T) T {
	return rapid.SampledFrom(slices.Concat(slices.Repeat(values[:1], 9*(len(values)-1)), values[1:])).Draw(t, label)
}

// some draws a list that mostly holds the wanted.
func some(t *rapid.T, label string, wanted, all []string) []string {
	drawn := rapid.SliceOfNDistinct(rapid.SampledFrom(all), 0, len(all)/2, rapid.ID).Draw(t, label)
	if mostly(t, label+" as wanted", true, false) {
		drawn = append(drawn, wanted...)
	}
	slices.Sort(drawn)
	return slices.Compact(drawn)
}

func drawWorld(t *rapid.T) world {
	sections := codes.Sections().Codes()
	w := world{to: rapid.SampledFrom(partners.Categories()).Draw(t, "to")}
	// Purposes that the firewall tells apart, and one that stands for the others.
	w.purpose = rapid.SampledFrom([]string{"protect-from-harm", "housing", "health-care", "handover"}).Draw(t, "purpose")
	w.sections = rapid.SliceOfNDistinct(rapid.SampledFrom(sections), 1, 4, rapid.ID).Draw(t, "sections")
	if mostly(t, "only what the firewall lets pass", true, false) {
		w.sections = slices.DeleteFunc(w.sections, func(s string) bool { return !hubtest.MayReceive(w.to, s, w.purpose) })
		if len(w.sections) == 0 {
			w.sections = []string{"need"}
		}
	}
	for range mostly(t, "agreements", 2, 1, 0) {
		a := terms{some(t, "agreed purposes", []string{w.purpose}, codes.Purposes().Codes()),
			some(t, "agreed sections", w.sections, sections), mostly(t, "agreement", "current", "expired", "coming", "ended")}
		if len(a.purposes) == 0 {
			a.purposes = []string{"outreach"}
		}
		if len(a.sections) == 0 {
			a.sections = []string{"note"}
		}
		w.agreements = append(w.agreements, a)
	}
	w.consent = grant{
		recorder: mostly(t, "recorder", "sender", "third", "stranger"), said: mostly(t, "said", "agreed", "refused"),
		onward:    mostly(t, "onward", "named", "none", "ask-each-time"),
		sameWoman: mostly(t, "same woman", true, false), purpose: mostly(t, "consent's purpose", w.purpose, "outreach"),
		names:    mostly(t, "names", []string{"category"}, []string{"id"}, []string{"id", "category"}, []string{"id", "other"}, []string{"other"}),
		sections: some(t, "allowed", w.sections, sections), withheld: mostly(t, "withheld", nil, []string{"risk"}, []string{"need", "note"}, sections),
		state: mostly(t, "consent", "current", "expired", "coming", "withdrawn"),
	}
	return w
}

// stage is the hub and the agencies that every case is played with.
type stage struct {
	t          *testing.T
	hub        *hubtest.Hub
	sender     *hubtest.Agency
	third      *hubtest.Agency
	recipients map[partners.Category]*hubtest.Agency
	services   map[partners.Category]string
	callers    map[*hubtest.Agency]partners.Caller
}

func newStage(t *testing.T) *stage {
	s := &stage{t: t, hub: hubtest.New(t), recipients: map[partners.Category]*hubtest.Agency{},
		services: map[partners.Category]string{}, callers: map[*hubtest.Agency]partners.Caller{}}
	s.sender, s.third = s.hub.Agency(t, "the-sender", partners.VAWGService), s.hub.Agency(t, "the-third", partners.LegalAdvice)
	s.callers[s.sender], s.callers[s.third] = s.sender.Caller(t), s.third.Caller(t)
	for _, c := range partners.Categories() {
		a := s.hub.Agency(t, partners.ID("a-"+c), c)
		s.recipients[c], s.services[c], s.callers[a] = a, s.hub.Offer(t, a), a.Caller(t)
	}
	return s
}

// set makes the world and returns the consent and the agreements' ids.
func (s *stage) set(w world) (hubtest.Consent, []string) {
	to := s.recipients[w.to]
	s.hub.Exec(s.t, `DELETE FROM agreement`)
	var ids []string
	for _, a := range w.agreements {
		id := s.hub.Agree(s.t, s.sender, to, func(g *partners.Agreement) {
			g.Purposes, g.Sections = a.purposes, a.sections
			switch a.state {
			case "expired":
				g.To = s.hub.Now().Add(-time.Second)
			case "coming":
				g.From = s.hub.Now().Add(30 * time.Minute)
			}
		})
		if a.state == "ended" {
			do(s.t, s.hub.Operator.EndAgreement(s.t.Context(), id))
		}
		ids = append(ids, id)
	}
	return s.record(w, to), ids
}

func (s *stage) record(w world, to *hubtest.Agency) hubtest.Consent {
	by := s.sender
	var names []string
	if w.consent.recorder != "sender" {
		by = s.third
	}
	if w.consent.recorder == "third" {
		names = append(names, string(s.sender.ID))
	}
	for _, n := range w.consent.names {
		switch n {
		case "id":
			names = append(names, string(to.ID))
		case "category":
			names = append(names, record.CategoryPrefix+string(w.to))
		default:
			names = append(names, "a-stranger", "category:nobody")
		}
	}
	c := by.Consent(s.t, hubtest.Subject(), names, func(c *record.Claims) {
		c.Onward = w.consent.onward
		c.Agreement, c.Purpose, c.Sections, c.Withheld = w.consent.said, w.consent.purpose, w.consent.sections, w.consent.withheld
		switch w.consent.state {
		case "expired":
			c.GivenAt, c.ValidFrom, c.Expires = c.IssuedAt-3600, c.IssuedAt-3600, c.IssuedAt-1
		case "coming":
			c.ValidFrom = c.IssuedAt + 600
		}
	})
	_, err := s.hub.Consents.Record(s.t.Context(), s.callers[by], c.Body)
	do(s.t, err)
	if w.consent.state == "withdrawn" {
		s.withdraw(by, c)
	}
	return c
}

func (s *stage) withdraw(by *hubtest.Agency, c hubtest.Consent) {
	_, err := s.hub.Consents.Withdraw(s.t.Context(), s.callers[by], c.ID, by.Withdrawal(s.t, c))
	do(s.t, err)
}

// passes reports whether err is nil, and fails the case unless it is that or one of
// the refusals that a wall gives.
func passes(t *rapid.T, err error) bool {
	var refusal *fault.Fault
	walls := []string{"firewall", "no-agreement", "no-consent", "consent-withdrawn", "consent-expired", "not-covered", "onward-not-allowed"}
	if err != nil && !(errors.As(err, &refusal) && slices.Contains(walls, refusal.Code)) {
		t.Fatalf("refused by no wall: %v", err)
	}
	return err == nil
}

// TestASectionPassesExactlyWhereFirewallAgreementAndConsentMeet plays random cases: a
// packet is accepted, and a section of it released, exactly if the specification
// above says so, also after something has changed in between.
func TestASectionPassesExactlyWhereFirewallAgreementAndConsentMeet(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	seen := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(rt)
		to := s.recipients[w.to]
		c, agreements := s.set(w)
		d := s.sender.Request(to, s.services[w.to], c, w.sections...)
		if d.Purpose = w.purpose; !w.consent.sameWoman {
			d.Subject = hubtest.Subject()
		}
		sealed := d.Seal(t)
		u, err := packet.Read(sealed.Body)
		do(t, err)
		_, err = s.hub.Referrals.Receive(t.Context(), s.callers[s.sender], u, "")
		accepted := passes(rt, err)
		if want := w.allows(w.sections); accepted != want {
			rt.Fatalf("accepted %v (%v), the specification says %v", accepted, err, want)
		}
		if !accepted {
			seen["refused"]++
			return
		}
		seen["accepted"]++
		s.release(rt, w, sealed, c, agreements, seen)
	})
	t.Logf("seen: %v", seen)
	if testing.Short() {
		return // a fifth of the cases
	}
	if seen["accepted"] == 0 || seen["refused"] == 0 || seen["released"] == 0 || seen["kept"] == 0 {
		t.Errorf("the cases are one-sided: %v", seen)
	}
}

// release changes something, or nothing, and opens some of the sections.
func (s *stage) release(rt *rapid.T, w world, sealed hubtest.Sealed, c hubtest.Consent, agreements []string, seen map[string]int) {
	change := rapid.SampledFrom([]string{"nothing", "withdrawn", "consent expired", "agreements ended", "agreements narrowed"}).Draw(rt, "change")
	switch change {
	case "withdrawn":
		by := s.sender
		if c.Issuer == string(s.third.ID) {
			by = s.third
		}
		s.withdraw(by, c)
		w.consent.state = "withdrawn"
	case "consent expired":
		s.hub.Exec(s.t, `UPDATE consent SET expires_at = now() WHERE id = $1`, c.ID)
		w.consent.state = "expired"
	case "agreements ended":
		for i, id := range agreements {
			if w.agreements[i].state != "ended" {
				do(s.t, s.hub.Operator.EndAgreement(s.t.Context(), id))
				w.agreements[i].state = "ended"
			}
		}
	case "agreements narrowed":
		s.hub.Exec(s.t, `UPDATE agreement SET sections = $1`, w.sections[:1])
		for i := range w.agreements {
			w.agreements[i].sections = w.sections[:1]
		}
	}
	asked := rapid.SliceOfNDistinct(rapid.SampledFrom(w.sections), 1, len(w.sections), rapid.ID).Draw(rt, "asked for")
	got, _, err := s.hub.Referrals.Open(s.t.Context(), s.callers[s.recipients[w.to]], sealed.Digest, referral.Opening{Sections: asked, Reason: "triage"})
	given := passes(rt, err)
	if want := w.allows(asked); given != want {
		rt.Fatalf("after %q %v was released %v (%v), the specification says %v", change, asked, given, err, want)
	}
	want := map[string]string{}
	if seen["kept"]++; given {
		seen["kept"]--
		seen["released"]++
		for _, name := range asked {
			want[name] = sealed.Sections[name]
		}
	}
	if !maps.Equal(got, want) {
		rt.Fatalf("released %d sections, want exactly the %d asked for", len(got), len(want))
	}
}
