package referral_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"time"

	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/internal/ids"
	"handover/partners"
)

// change lets one thing happen, of those that the case is about.
func (g *game) change() {
	happens := map[string]func(){
		"later": g.supersede, "told": g.tell, "withdrawn": g.withdraw, "runs out": g.runOut, "review": g.review, "agreement": g.breakDeal,
		"never": g.stopSharing, "lift": g.lift, "proposed": g.propose, "decided": g.decide, "ended": g.end, "a day": g.passDay, "earlier": g.sendEarlier,
		"aftermath": func() { g.must(g.aftermath.Round(g.t.Context())) },
	}
	about := map[string][]string{
		"said":      {"review", "review", "withdrawn", "runs out", "aftermath", "told"},
		"later":     {"later", "later", "later", "later", "withdrawn", "runs out", "review"},
		"override":  {"decided", "decided", "decided", "ended", "a day", "a day", "proposed"},
		"agreement": {"agreement", "agreement", "told"},
		"never":     {"never", "never", "lift"},
		"packet":    {"earlier", "told"},
		"relay":     {"earlier", "later", "later", "told"},
		"anything":  slices.Sorted(maps.Keys(happens)),
	}[g.theme]
	happens[pick(g.rt, "what happens", about...)]()
}

// tell has her tell somebody something that stands beside what she said before.
func (g *game) tell() { g.record(g.drawWord(pick(g.rt, "whom", theSender, theThird), "said"), nil) }

// must ends the case at an error of what has to be possible.
func (g *game) must(err error) {
	if err != nil {
		g.rt.Fatalf("%v\n%s", err, g.told())
	}
}

// record has the recorder post what she said, in the place of an earlier record if there is one.
func (g *game) record(s, before *word) {
	by := g.agencies[s.recorder]
	how := hubtest.Asked()
	how.Coercion, how.Capacity = s.coercion, s.capacity
	sealed := map[string]string{}
	c := by.ConsentAsked(g.t, how, s.subject, s.names, func(c *record.Claims) {
		c.Agreement, c.Purpose, c.Sections, c.Withheld, c.Onward = s.agreement, s.purpose, s.allowed, s.withheld, s.onward
		c.GivenAt, c.ValidFrom, c.Expires = s.given.Unix(), s.starts.Unix(), s.ends.Unix()
		if s.agreement != "agreed" && s.agreement != "refused" {
			c.Method, c.Notice = "", record.Notice{}
		}
		if s.authority != "" {
			c.Gate = record.Gate{Pathway: "duty-to-refer", Agreements: record.DutyAgreements().Codes(), Authority: s.authority}
		}
		if s.agreement == record.BestInterests {
			jwe, err := record.SealText(c.Issuer, c.ID, "capacity", "assessed", by.Sealing.Public())
			g.must(err)
			sealed["capacity"], c.Sealed = jwe, map[string]string{"capacity": ids.Digest(jwe)}
		}
		if before != nil {
			c.Supersedes = g.records[before].ID
		}
	})
	var posted record.Posted
	g.must(json.Unmarshal(c.Body, &posted))
	posted.Sealed = sealed
	body, err := json.Marshal(posted)
	g.must(err)
	_, err = g.hub.Consents.Record(g.t.Context(), g.callers[s.recorder], body)
	g.must(err)
	g.words, g.records[s] = append(g.words, s), c
	for _, secret := range append(slices.Collect(maps.Values(sealed)), posted.Circumstances) {
		g.secrets[secret] = s.recorder
	}
	if before != nil {
		before.later, s.inherited = s, before.unsettled()
	}
}

// supersede records another in the place of one that has no later one yet: mostly the newest.
func (g *game) supersede() {
	open := slices.DeleteFunc(slices.Clone(g.words), func(s *word) bool { return s.withdrawn || s.later != nil })
	if len(open) == 0 {
		return
	}
	before := pick(g.rt, "in the place of", open[len(open)-1], pick(g.rt, "or of", open...))
	if g.theme == "relay" {
		before = open[0] // the third's
	}
	s := g.drawWord(before.recorder, "later")
	if g.theme == "relay" && pick(g.rt, "the sender is named no more", true, false) {
		s.onward = "named"
		s.names = slices.DeleteFunc(s.names, func(n string) bool { return n == theSender || n == "category:vawg-service" })
	}
	g.record(s, before)
}

// withdraw takes one record back: mostly the newest.
func (g *game) withdraw() {
	live := slices.DeleteFunc(slices.Clone(g.words), func(s *word) bool { return s.withdrawn })
	if len(live) == 0 {
		return
	}
	s := pick(g.rt, "taken back", live[len(live)-1], pick(g.rt, "or", live...))
	by := s.recorder
	if pick(g.rt, "to somebody else", true, false) {
		by = g.someone()
	}
	c := g.records[s]
	_, err := g.hub.Consents.Withdraw(g.t.Context(), g.callers[by], c.ID, g.agencies[by].Withdrawal(g.t, c))
	switch want := g.refusesWithdrawal(s, by); {
	case want == "ok":
		g.must(err)
		s.withdrawn = true
	case code(err) != want:
		g.rt.Fatalf("%s takes back: %v, by the documents %s\n%s", by, err, want, g.told())
	}
}

// refusesWithdrawal is "ok" if the agency may record that she takes it back: who recorded it,
// whom it names by id, and who is a party of a referral on its chain; but only the newest that
// it is shown.
func (g *game) refusesWithdrawal(s *word, by string) string {
	chain := map[*word]bool{}
	for _, w := range g.words {
		for l := w; l != nil; l = l.later {
			if l == s {
				chain[w] = true
			}
		}
	}
	newer := false
	for l := s.later; l != nil; l = l.later {
		chain[l], newer = true, newer || !l.withdrawn && l.shownTo(g.of(by))
	}
	holds := slices.ContainsFunc(slices.Concat(g.sent, g.earlier, g.written), func(p *parcel) bool {
		return chain[p.said] && (p.from.id == by || p.to.id == by)
	})
	switch {
	case !s.shownTo(g.of(by)), s.recorder != by && !slices.Contains(s.names, by) && !holds:
		return "consent-not-found"
	case newer:
		return "consent-superseded"
	}
	return "ok"
}

func (g *game) runOut() {
	s := pick(g.rt, "which runs out", g.words[len(g.words)-1], pick(g.rt, "or", g.words...))
	if s.starts.Before(g.began) {
		g.hub.Exec(g.t, `UPDATE consent SET expires_at = now() WHERE id = $1`, g.records[s].ID)
		s.ends = g.hub.Now()
	}
}

// review has a manager decide about a record that awaits it.
func (g *game) review() {
	for _, s := range slices.Backward(g.words) {
		if s.doubtful() && s.review == "" && !s.withdrawn {
			s.review = mostly(g.rt, "review", record.Approved, record.Refused)
			c, by := g.records[s], g.managers[s.recorder]
			token := g.agencies[s.recorder].Decision(g.t, by.ID, c.ID, c.Digest, s.review)
			_, err := g.hub.Consents.ReviewConsent(g.t.Context(), by.Caller(g.t), c.ID, token)
			g.must(err)
			return
		}
	}
}

// deal makes the agreement that a passage needs, unless there was one: mostly a good one.
func (g *game) deal(from, to string) {
	if slices.ContainsFunc(g.deals, func(d *deal) bool { return d.from == from && d.to == to }) {
		return
	}
	d := deal{from, to, allPurposes(), allSections(), g.began.Add(-time.Hour), g.began.Add(time.Hour)}
	switch odd(g, "agreement", "agreement", "good", "narrow", "narrow", "purpose", "over", "coming", "none", "two halves") {
	case "narrow":
		d.sections = some(g.rt, "agreed", 8, allSections())
	case "purpose":
		d.purposes = []string{"outreach", "nrm"}
	case "over":
		d.ends = g.began.Add(-time.Second)
	case "coming":
		d.starts = g.began.Add(30 * time.Minute)
	case "none":
		return
	case "two halves":
		half := d
		d.sections, half.sections = d.sections[:7], d.sections[7:]
		g.agree(half)
	}
	g.agree(d)
}

func (g *game) agree(d deal) {
	id := g.hub.Agree(g.t, g.agencies[d.from], g.agencies[d.to], func(a *partners.Agreement) {
		a.Purposes, a.Sections, a.From, a.To = d.purposes, d.sections, d.starts, d.ends
	})
	g.deals, g.agreements[&d] = append(g.deals, &d), id
}

// breakDeal ends or narrows one agreement.
func (g *game) breakDeal() {
	if len(g.deals) == 0 {
		return
	}
	d := pick(g.rt, "which agreement", g.deals...)
	if !d.ends.After(g.hub.Now()) {
		return // what has ended stays as it is
	}
	if pick(g.rt, "narrowed", true, false) {
		d.sections = some(g.rt, "left", 8, d.sections)
		g.hub.Exec(g.t, `UPDATE agreement SET sections = $2 WHERE id = $1`, g.agreements[d], d.sections)
	} else {
		g.must(g.hub.Operator.EndAgreement(g.t.Context(), g.agreements[d]))
		d.ends = g.hub.Now()
	}
}

func (g *game) propose() {
	o := g.drawWarrant()
	by := g.workers[o.recorder]
	made := g.agencies[o.recorder].Override(g.t, by.ID, g.agencies[o.recipient], o.subject, func(c *record.OverrideClaims) {
		c.Purpose, c.Sections, c.Emergency = o.purpose, o.sections, o.emergency
		c.ValidFrom, c.Expires, c.ReviewAt = o.starts.Unix(), o.ends.Unix(), o.ends.Unix()
		c.Gate = record.Gate{Pathway: record.PathwaysFor(o.purpose)[0]}
	})
	_, err := g.hub.Consents.Propose(g.t.Context(), by.Caller(g.t), made.Body)
	// "No other emergency takes its place until a manager has decided it."
	again := o.emergency && slices.ContainsFunc(g.warrants, func(e *warrant) bool {
		return e.emergency && e.decision == "" && e.recipient == o.recipient && e.subject == o.subject && !g.hub.Now().Before(e.proposed.Add(24*time.Hour))
	})
	if again != (code(err) == "override-lapsed") {
		g.rt.Fatalf("proposing: %v, by the documents an emergency like it has lapsed: %v\n%s", err, again, g.told())
	}
	if again {
		return
	}
	g.must(err)
	g.warrants, g.overrides[o] = append(g.warrants, o), made
	if pick(g.rt, "decided at once", true, false) {
		g.decide()
	}
}

// undecided is the newest override that can still be decided.
func (g *game) undecided() *warrant {
	for _, o := range slices.Backward(g.warrants) {
		if o.decision == "" && !o.ended {
			return o
		}
	}
	return nil
}

func (g *game) decide() {
	o := g.undecided()
	if o == nil {
		return
	}
	o.decision, o.decided = pick(g.rt, "decision", record.Approved, record.Approved, record.Refused), g.hub.Now()
	made, by := g.overrides[o], g.managers[o.recorder]
	_, err := g.hub.Consents.Decide(g.t.Context(), by.Caller(g.t), made.ID,
		g.agencies[o.recorder].Decision(g.t, by.ID, made.ID, made.Digest, o.decision))
	g.must(err)
}

func (g *game) end() {
	for _, o := range slices.Backward(g.warrants) {
		if o.decision != record.Refused && !o.ended {
			o.ended = true
			made, by := g.overrides[o], g.managers[o.recorder]
			_, err := g.hub.Consents.Review(g.t.Context(), by.Caller(g.t), made.ID, g.agencies[o.recorder].Review(g.t, by.ID, made, 0))
			g.must(err)
			return
		}
	}
}

// passDay lets a day pass since the last override was proposed, and has those that lapsed noticed.
func (g *game) passDay() {
	if len(g.warrants) == 0 {
		return
	}
	o := g.warrants[len(g.warrants)-1]
	o.proposed = o.proposed.Add(-24 * time.Hour)
	g.hub.Exec(g.t, `UPDATE consent_override_state SET recorded_at = recorded_at - interval '24 hours' WHERE id = $1`, g.overrides[o].ID)
	g.must(g.hub.Consents.Lapse(g.t.Context()))
}

// sendEarlier has the third send something to the sender, or to another, which she could go on from.
func (g *game) sendEarlier() {
	var said *word
	for _, s := range g.words {
		if s.recorder == theThird {
			said = s
		}
	}
	if said == nil {
		said = g.drawWord(theThird, "said")
		g.record(said, nil)
	}
	p := passage{from: g.of(theThird), to: g.of(mostly(g.rt, "earlier to", theSender, g.someone())), subject: said.subject, purpose: said.purpose,
		area: hubtest.Area, said: said, classes: []string{"need"}}
	g.send(p)
}

// stopSharing has somebody record with whom nothing about her is ever to be shared.
func (g *game) stopSharing() {
	to := g.of(g.someone())
	if len(g.sent) > 0 && pick(g.rt, "one who has received", true, true, false) {
		to = g.sent[len(g.sent)-1].to
	}
	by := pick(g.rt, "recorded by", theSender, theThird, g.someone())
	n := &stop{subjects: odd(g, "never", "about", []string{g.subject}, []string{g.subject, g.like}, []string{g.like}),
		names: []string{pick(g.rt, "never with", to.id, "category:"+to.category)}}
	id, digest := g.agencies[by].Never(g.t, n.subjects, n.names...)
	g.stops, g.nevers[n] = append(g.stops, n), told{by, id, digest}
}

// lift has its recorder lift the newest that still stops something.
func (g *game) lift() {
	for _, n := range slices.Backward(g.stops) {
		if !n.lifted {
			n.lifted = true
			is := g.nevers[n]
			if a := g.agencies[is.by].Lift(g.t, is.id, is.digest); a.Status != http.StatusCreated {
				g.rt.Fatalf("lifting: %d %s", a.Status, a.Body)
			}
			return
		}
	}
}
