package referral_test

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"handover/internal/codes"
	"handover/internal/fault"
	"handover/internal/hubtest"
	"handover/partners"
	"handover/referral"
)

// The agencies of every case: one that sends, one that she told something too, and one of
// each category that receives.
const (
	theSender = "the-sender"
	theThird  = "the-third"
)

// elsewhere is an area that every agency serves besides hubtest.Area.
const elsewhere = "E09000012"

// stage is the hub and the agencies that every case is played with.
type stage struct {
	t         *testing.T
	hub       *hubtest.Hub
	agencies  map[string]*hubtest.Agency
	callers   map[string]partners.Caller // of their systems
	services  map[string]string
	workers   map[string]*hubtest.Person
	managers  map[string]*hubtest.Person
	aftermath *referral.Aftermath
	seen      tally
}

func newStage(t *testing.T) *stage {
	h := hubtest.New(t)
	s := &stage{t: t, hub: h, agencies: map[string]*hubtest.Agency{}, callers: map[string]partners.Caller{}, services: map[string]string{},
		workers: map[string]*hubtest.Person{}, managers: map[string]*hubtest.Person{}, seen: tally{},
		aftermath: referral.NewAftermath(h.Referrals, h.Keys(), slog.New(slog.DiscardHandler))}
	add := func(id string, c partners.Category) {
		a := h.Agency(t, partners.ID(id), c)
		s.agencies[id], s.callers[id] = a, a.Caller(t)
		s.services[id] = h.Offer(t, a, func(o *partners.Service) { o.Areas = []string{hubtest.Area, elsewhere} })
	}
	add(theSender, partners.VAWGService)
	add(theThird, partners.LegalAdvice)
	for _, id := range []string{theSender, theThird} {
		s.workers[id], s.managers[id] = h.Person(t, partners.ID(id), partners.Caseworker), h.Person(t, partners.ID(id), partners.Manager)
	}
	for _, c := range partners.Categories() {
		add("a-"+string(c), c)
	}
	return s
}

// of is the agency as the model has it.
func (s *stage) of(id string) agency { return agency{id, string(s.agencies[id].Category)} }

// tally counts what the cases have tried, so that they cannot all pass for want of trying.
type tally map[string]int

// one counts one thing that was to pass: how it went, and which rule alone stopped it.
func (n tally) one(what string, p passage, rules []string) {
	outcome := "passed"
	if len(rules) > 0 {
		outcome = "stopped"
	}
	n[what+" "+outcome+" "+p.to.category]++
	if len(rules) == 1 {
		n[what+" only "+rules[0]]++
	}
	if p.over != nil {
		n[what+" "+outcome+" on an override"]++
	}
	if p.said != nil && p.said.later != nil {
		n[what+" "+outcome+" on a superseded record"]++
	}
	if p.continues != nil && p.from.id == p.continues.to.id {
		n[what+" "+outcome+" that travels on"]++
	}
}

// refusalsOf are the codes that a broken rule may be refused with. One that the session is not
// shown is no-consent to it. What was cancelled and destroyed after a withdrawal is not there.
func refusalsOf(rule string) []string {
	later, _ := strings.CutPrefix(rule, "later: ")
	one, ok := map[string][]string{
		"firewall": {"firewall"}, "agreement": {"no-agreement"}, "never": {"not-covered"}, "digest": {"no-consent", "no-override"},
		"review": {"consent-review-awaited", "not-covered"}, "withdrawn": {"consent-withdrawn", "section-not-found", "referral-closed"},
		"sender": {"not-covered", "no-consent"}, "recipient": {"not-covered", "no-consent"}, "onward": {"onward-not-allowed"},
		"authority": {"authority-not-chosen"}, "not in force": {"consent-expired"},
		"override: sender": {"override-not-covered", "no-override"}, "override: recipient": {"override-not-covered", "no-override"}, "override: not in force": {"override-expired"},
		"override: not approved": {"override-not-approved"}, "override: refused": {"override-refused"}, "override: lapsed": {"override-lapsed"},
		"override: ended":      {"override-ended"},
		"continues: another's": {"referral-not-found"}, "continues: none": {"onward-not-allowed"}, "continues: ask": {"onward-not-allowed"},
		"continues: unseen": {"onward-not-allowed"},
	}[later]
	switch {
	case ok:
		return one
	case strings.HasPrefix(rule, "override: "):
		return []string{"override-not-covered"}
	}
	return []string{"not-covered"}
}

// judged holds what the hub did against what the model says: it lets through exactly what
// breaks no rule, and refuses with the code of a rule that is broken.
func (g *game) judged(what string, p passage, err error) bool {
	rules := g.broken(p, g.hub.Now())
	g.seen.one(what, p, rules)
	if (err == nil) != (len(rules) == 0) {
		g.rt.Fatalf("%s from %s to %s: the hub says %v, the documents that it breaks %q\n%s", what, p.from.id, p.to.id, err, rules, g.told())
	}
	var refusal *fault.Fault
	if err != nil && !(errors.As(err, &refusal) && slices.ContainsFunc(rules, func(r string) bool { return slices.Contains(refusalsOf(r), refusal.Code) })) {
		g.rt.Fatalf("%s from %s to %s: refused for another reason than %q: %v\n%s", what, p.from.id, p.to.id, rules, err, g.told())
	}
	if caller := map[bool]string{true: p.to.id, false: p.from.id}[what == "open"]; code(err) == "consent-review-awaited" && caller != p.said.recorder {
		g.rt.Fatalf("%s is told that somebody has a doubt", caller)
	}
	return err == nil
}

// TestASectionPassesExactlyWhereTheDocumentsSay plays random cases of one woman: what she
// said to whom, what was decided without her, what changed afterwards; packets that rest on
// it, and what was asked for of them. Each is accepted, and given out, exactly if the model
// says so, and no answer to anybody has anything else.
func TestASectionPassesExactlyWhereTheDocumentsSay(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for range 10 { // until everything has been tried: mostly twice or three times
		rapid.Check(t, s.play)
		if testing.Short() || len(s.untried()) == 0 {
			break
		}
	}
	for _, line := range slices.Sorted(maps.Keys(s.seen)) {
		t.Logf("%5d %s", s.seen[line], line)
	}
	if missing := s.untried(); !testing.Short() && len(missing) > 0 {
		t.Errorf("never seen: %q", missing)
	}
	if n := s.seen["send passed oversight"]; n > 0 {
		t.Errorf("oversight was sent %d packets", n)
	}
}

func (s *stage) play(rt *rapid.T) {
	g := s.begin(rt)
	for round := range 4 {
		for range pick(rt, "changes", 0, 1, 1, 2) {
			g.change()
		}
		for _, p := range slices.Concat(g.sent, g.written) {
			g.open(p)
		}
		if about := slices.Concat(g.sent, g.earlier); len(about) > 0 && pick(rt, "a note", true, false, false) {
			g.write(pick(rt, "about", about...))
		}
		if round < 3 {
			g.send(g.drawRequest())
		}
	}
	g.look()
}

// untried lists what has to be seen at least once and was not: both answers for every
// category, and every rule as the only one that stops something, on its way in or out.
func (s *stage) untried() (missing []string) {
	for _, c := range partners.Categories() {
		lines := []string{"send stopped ", "send passed ", "open passed ", "open stopped "}
		if c == partners.Oversight {
			lines = lines[:1]
		}
		for _, line := range lines {
			if s.seen[line+string(c)] == 0 {
				missing = append(missing, line+string(c))
			}
		}
	}
	alone := map[string]int{}
	for _, rule := range rules() {
		family, _, several := strings.Cut(rule, ": ")
		if s.seen["send only "+rule]+s.seen["open only "+rule] > 0 {
			alone[family]++
		} else if !several {
			missing = append(missing, "only "+rule)
		}
	}
	for family, least := range map[string]int{"later": 4, "override": 5, "continues": 3} { // rare ones are tried by name elsewhere
		if alone[family] < least {
			missing = append(missing, "more only "+family)
		}
	}
	for _, line := range []string{"send passed on an override", "open passed on an override", "open passed on a superseded record", "send passed that travels on",
		"write passed vawg-service", "write stopped vawg-service"} {
		if s.seen[line] == 0 {
			missing = append(missing, line)
		}
	}
	return missing
}

// rules are those of the model that a case can break alone.
func rules() []string {
	return []string{"firewall", "agreement", "never", "digest", "no yes", "review", "withdrawn", "subject", "purpose", "sender", "recipient", "onward",
		"authority", "withheld", "section", "not in force", "later: no yes", "later: review", "later: withdrawn", "later: recipient", "later: section",
		"later: not in force", "override: recipient", "override: subject", "override: purpose", "override: section", "override: not in force",
		"override: not approved", "override: refused", "override: lapsed", "override: ended",
		"continues: another's", "continues: none", "continues: ask", "continues: unseen"}
}

// told is the case in words, for whoever reads that it failed.
func (g *game) told() string {
	var b strings.Builder
	for _, d := range g.deals {
		fmt.Fprintf(&b, "deal %+v\n", *d)
	}
	for i, s := range g.words {
		fmt.Fprintf(&b, "statement %d at %p %+v\n", i, s, *s)
	}
	for _, o := range g.warrants {
		fmt.Fprintf(&b, "warrant %+v\n", *o)
	}
	for _, n := range g.stops {
		fmt.Fprintf(&b, "stop %+v\n", *n)
	}
	return b.String()
}

// everybody are all who may be named: by id, and by category.
func (s *stage) everybody() (names []string) {
	for _, id := range slices.Sorted(maps.Keys(s.agencies)) {
		names = append(names, id)
		if strings.HasPrefix(id, "a-") {
			names = append(names, "category:"+string(s.agencies[id].Category))
		}
	}
	return names
}

// allSections and allPurposes are the lists, cloned.
func allSections() []string { return codes.Sections().Codes() }
func allPurposes() []string { return codes.Purposes().Codes() }
