package referral_test

import (
	"slices"
	"time"

	"pgregory.net/rapid"

	"handover/internal/hubtest"
	"handover/partners"
)

// game is one random case on a stage: the model's world, and what stands for it in the hub.
type game struct {
	*stage
	*world
	rt            *rapid.T
	began         time.Time
	theme         string
	purpose       string
	subject, like string // her reference, and another's
	words         []*word
	warrants      []*warrant
	sent          []*parcel // requests of the sender that were stored
	earlier       []*parcel // requests of the third
	written       []*parcel // notes, either way
	refused       []*parcel

	agreements map[*deal]string
	records    map[*word]hubtest.Consent
	overrides  map[*warrant]hubtest.Override
	nevers     map[*stop]told
	secrets    map[string]string // what only its recorder may read: by text
}

// told is a never as it was recorded.
type told struct{ by, id, digest string }

// pick draws one of the values.
func pick[T any](t *rapid.T, label string, values ...T) T {
	return rapid.SampledFrom(values).Draw(t, label)
}

// mostly draws the first of the values four times in five.
func mostly[T any](t *rapid.T, label string, values ...T) T {
	return pick(t, label, slices.Concat(slices.Repeat(values[:1], 4*(len(values)-1)), values[1:])...)
}

// some draws up to n of the values.
func some(t *rapid.T, label string, n int, values []string) []string {
	return rapid.SliceOfNDistinct(rapid.SampledFrom(values), 1, n, rapid.ID).Draw(t, label)
}

// themes are what can go wrong in a case: one thing at a time, so that every rule is often
// the only one that stops something, or anything.
func themes() []string {
	return []string{"said", "said", "later", "later", "later", "later", "override", "override", "override", "agreement", "never", "packet", "relay", "relay", "anything"}
}

// odd draws good, or where the case is about the theme, mostly one of the bad.
func odd[T any](g *game, theme, label string, good T, bad ...T) T {
	switch g.theme {
	case theme:
		return pick(g.rt, label, append([]T{good}, bad...)...)
	case "anything":
		return mostly(g.rt, label, append([]T{good}, bad...)...)
	}
	return good
}

func (s *stage) begin(rt *rapid.T) *game {
	g := &game{stage: s, world: &world{}, rt: rt, began: s.hub.Now().Truncate(time.Second), subject: hubtest.Subject(), like: hubtest.Subject(),
		agreements: map[*deal]string{}, records: map[*word]hubtest.Consent{}, overrides: map[*warrant]hubtest.Override{},
		nevers: map[*stop]told{}, secrets: map[string]string{}}
	s.hub.Exec(s.t, `DELETE FROM agreement`)
	g.theme = pick(rt, "theme", themes()...)
	// Purposes that firewall and gates tell apart.
	g.purpose = pick(rt, "purpose", "protect-from-harm", "protect-from-harm", "protect-from-harm", "protect-from-harm", "housing", "health-care",
		"handover", "duty-to-refer", "duty-to-refer", "nrm", "marac", "gp-registration")
	if g.theme == "relay" { // the third sends her on to the sender, whom she tells something too
		g.sendEarlier()
	}
	if odd(g, "override", "an override", false, true, true, true) {
		g.propose()
	}
	told := theSender
	if g.theme != "relay" {
		told = pick(rt, "told", theSender, theSender, theThird)
	}
	g.record(g.drawWord(told, "said"), nil)
	return g
}

// drawWord draws a record that covers everything to everybody, but for some twists if the
// case is about the theme.
func (g *game) drawWord(recorder, theme string) *word {
	given := g.began.Add(-time.Minute)
	if recorder == theThird {
		given = g.began.Add(-30 * time.Minute)
	}
	s := &word{recorder: recorder, subject: g.subject, purpose: g.purpose, agreement: "agreed", coercion: "none", capacity: "presumed",
		names: g.everybody(), allowed: allSections(), onward: "named", given: given, starts: given, ends: g.began.Add(time.Hour)}
	if recorder == theThird {
		s.onward = odd(g, "relay", "may travel on", odd(g, theme, "may travel on", "named", "none", "ask-each-time"), "none", "ask-each-time", "ask-each-time")
	} else if odd(g, "relay", "told before the third", false, true) {
		s.given = g.began.Add(-2 * time.Hour)
	}
	if g.purpose == "duty-to-refer" {
		s.authority = odd(g, theme, "authority", hubtest.Area, elsewhere)
	}
	for range odd(g, theme, "twists of what she said", 0, 1, 1, 2) {
		g.twist(s)
	}
	return s
}

// twist changes one thing of a record.
func (g *game) twist(s *word) {
	gated := g.purpose == "duty-to-refer" || g.purpose == "nrm"
	one := g.someone()
	if len(g.sent) > 0 && pick(g.rt, "one who has received", true, true, true, false) {
		one = g.sent[len(g.sent)-1].to.id
	}
	switch pick(g.rt, "twist", "no yes", "pressed", "doubt", "best interests", "narrow", "narrow", "withheld", "withheld", "by id", "by category",
		"not one", "not one", "only one", "no sender", "no sender", "over", "coming", "purpose") {
	case "no yes":
		s.agreement, s.capacity = "refused", "presumed"
		if !gated {
			s.agreement = pick(g.rt, "said", "refused", "not-asked-unsafe", "not-asked-impracticable")
		}
	case "pressed":
		s.coercion = pick(g.rt, "coercion", "suspected", "present")
	case "doubt":
		if s.capacity != "lacks" {
			s.capacity = "doubt"
		}
	case "best interests":
		if g.purpose != "duty-to-refer" && s.agreement == "agreed" {
			s.agreement, s.capacity = "lacks-capacity-best-interests", "lacks"
		}
	case "narrow":
		s.allowed = some(g.rt, "allowed", 9, allSections())
	case "withheld":
		s.withheld = some(g.rt, "withheld", 9, allSections())
	case "by id":
		s.names = slices.DeleteFunc(s.names, isCategory)
	case "by category":
		s.names = slices.DeleteFunc(s.names, func(n string) bool { return !isCategory(n) && n != theSender })
	case "not one":
		s.names = slices.DeleteFunc(s.names, func(n string) bool { return n == one || n == "category:"+g.of(one).category })
	case "only one":
		s.names = []string{theSender, one, "category:" + g.of(one).category}
	case "no sender":
		s.names = slices.DeleteFunc(s.names, func(n string) bool { return n == theSender })
	case "over":
		s.given, s.starts, s.ends = g.began.Add(-time.Hour), g.began.Add(-time.Hour), g.began.Add(-time.Second)
	case "coming":
		s.starts, s.ends = g.began.Add(30*time.Minute), g.began.Add(time.Hour)
	case "purpose":
		if s.authority == "" {
			s.purpose = pick(g.rt, "her purpose", "outreach", "benefits")
		}
	}
}

// isCategory reports whether a name is that of a category.
func isCategory(name string) bool { return len(name) > 9 && name[:9] == "category:" }

// someone draws a recipient: police as often as all others where they may be sent anything.
func (g *game) someone() string {
	if g.purpose == "protect-from-harm" && pick(g.rt, "police", true, false, false) {
		return "a-police"
	}
	return "a-" + string(pick(g.rt, "to", partners.Categories()...))
}

// drawWarrant draws an override that covers everything to one, but for a twist.
func (g *game) drawWarrant() *warrant {
	now := g.hub.Now().Truncate(time.Second)
	o := &warrant{recorder: theSender, recipient: g.someone(), subject: g.subject, purpose: g.purpose, sections: allSections(),
		starts: now, ends: now.Add(time.Hour), emergency: pick(g.rt, "emergency", true, false), proposed: now}
	if g.purpose == "duty-to-refer" || g.purpose == "nrm" {
		o.purpose = "protect-from-harm" // nobody overrides those, nor may this be used for them
	}
	switch odd(g, "override", "twist of the override", "", "", "narrow", "narrow", "subject", "purpose", "purpose", "coming") {
	case "narrow":
		o.sections = some(g.rt, "overridden", 6, allSections())
	case "subject":
		o.subject = g.like
	case "purpose":
		o.purpose = "outreach"
	case "coming":
		o.starts, o.ends, o.emergency = now.Add(10*time.Minute), now.Add(time.Hour), false
	}
	return o
}

// drawRequest draws a request of the sender, which rests on something that there is.
func (g *game) drawRequest() passage {
	p := passage{from: g.of(theSender), to: g.of(g.someone()), subject: g.subject, purpose: g.purpose, area: hubtest.Area}
	if over := g.warrants; len(over) > 0 && pick(g.rt, "on the override", true, true, false) {
		p.over = pick(g.rt, "override", over[len(over)-1], pick(g.rt, "or", over...))
		if p.purpose = p.over.purpose; odd(g, "override", "for what it is not for", false, false, true) {
			p.purpose = g.purpose
		}
		if odd(g, "override", "to whom it is for", true, true, true, false) {
			p.to = g.of(p.over.recipient)
		}
	} else {
		newest := g.words[len(g.words)-1]
		p.said = pick(g.rt, "on", newest, pick(g.rt, "or on", g.words...))
	}
	switch odd(g, "packet", "twist of the packet", "", "subject", "purpose", "area", "digest") {
	case "subject":
		p.subject = g.like
	case "purpose":
		p.purpose = pick(g.rt, "another purpose", "outreach", "protect-from-harm", "nrm")
	case "area":
		p.area = elsewhere
	case "digest":
		p.misbound = true
	}
	if before := slices.Concat(g.earlier, g.earlier, g.earlier, g.sent); len(before) > 0 && pick(g.rt, "goes on from another", true, true, true, false) {
		p.continues = &pick(g.rt, "which", before...).passage
	}
	p.classes = g.drawClasses(p)
	return p
}

// drawClasses draws what is in a packet: mostly what the firewall lets pass.
func (g *game) drawClasses(p passage) []string {
	classes := some(g.rt, "classes", 3, allSections())
	if odd(g, "packet", "what may", true, false) {
		classes = slices.DeleteFunc(classes, func(c string) bool { return !hubtest.MayReceive(partners.Category(p.to.category), c, p.purpose) })
	}
	if len(classes) == 0 {
		classes = []string{"need"}
	}
	return classes
}
