package auditing

import (
	"context"
	"net/url"
	"strings"
	"time"

	"handover/audit"
	"handover/audit/proof"
	"handover/internal/ids"
	"handover/oauth/signin"
)

// fact is one thing that an entry says. Link is where more of the same is; Code marks what is
// compared letter by letter, and not read.
type fact struct {
	Name, Text, Link string
	Code             bool
}

// row is an entry in words.
type row struct {
	ID, Anchor string
	Place      string // in the log: "entry 4,211"
	Did        string
	Who        string
	When       time.Time
	Facts      []fact
	Proved     bool
	Late       bool   // it has waited for its place for longer than it may
	Alarm      string // what is wrong with it; "" for nothing
}

// names are those that the reader may be told: of agencies, and of people of her own.
type names struct{ agencies, people map[string]string }

// names reads them. Of a person of another agency there is an opaque id and nothing else.
func (h *Handler) names(ctx context.Context, s signin.Session) (names, error) {
	n := names{agencies: map[string]string{}, people: map[string]string{}}
	agencies, err := h.partners.List(ctx)
	if err != nil {
		return n, err
	}
	for _, a := range agencies {
		n.agencies[string(a.ID)] = a.Name
	}
	people, err := h.partners.People(ctx, s.Caller)
	if err != nil {
		return n, err
	}
	for _, p := range people {
		n.people[p.ID] = p.Name
	}
	return n, nil
}

// agency is an agency by its name, or by its id when it has none that is known.
func (n names) agency(id string) string {
	if name := n.agencies[id]; name != "" {
		return name
	}
	return id
}

// person is somebody by her name, or by her id.
func (n names) person(id string) string {
	if name := n.people[id]; name != "" {
		return name
	}
	return "person " + id
}

// who is who acted.
func (n names) who(e proof.Entry) string {
	switch {
	case e.Partner == "" && e.Count > 0:
		return "Strangers, " + number(e.Count) + " times"
	case e.Partner == "":
		return "The hub"
	case e.User != "":
		return capital(n.person(e.User)) + ", " + n.agency(e.Partner)
	case e.Client != "":
		return n.agency(e.Partner) + ", its system " + e.Client
	}
	return n.agency(e.Partner)
}

// settled is how long an entry may wait for its place before the nightly comparison calls it a
// difference (docs/log.md).
const settled = time.Minute

// row says an entry in words. Of one that cannot be read it says so, and when it was made, which
// its id tells.
func (h *Handler) row(n names, l audit.Looked) row {
	r := row{ID: l.ID.String(), Anchor: "entry-" + l.ID.String(), Place: "Entry " + number(l.Index), When: l.ID.Time(), Did: "An entry that cannot be read",
		Proved: l.Stands == audit.Proved, Alarm: alarmOf(l.Stands)}
	if l.Index < 0 {
		r.Place = "No place yet"
		r.Late = h.now().Sub(r.When) > settled
	}
	e := l.Said
	if e.Act == "" {
		return r
	}
	r.Did, r.Who, r.When = capital(proof.LabelOf(e.Act)), n.who(e), e.Time
	add := func(name, text, link string, code bool) {
		if text != "" {
			r.Facts = append(r.Facts, fact{name, text, link, code})
		}
	}
	add("The rule", e.Outcome, rule(e), false)
	add("Why", capital(reasonOf(e)), "", false)
	if e.Other != "" {
		add("Concerns", n.agency(e.Other), "", false)
	}
	if name := n.people[e.Target]; name != "" {
		add("Whom", name, "", false)
	}
	if e.Act == "log.read" && ids.IsUUID(e.Target) {
		add("Which", "The entry that was read", "/audit/entry/"+e.Target, false)
	}
	add("Sections", strings.Join(e.Sections, ", "), "", false)
	add("Referral", ids.Reference(e.Referral), "/audit/entries?referral="+url.QueryEscape(e.Referral), false)
	add("Afterwards", capital(e.State), "", false)
	add("Consent record", e.Consent, "/audit/entries?consent="+url.QueryEscape(e.Consent), true)
	add("Override", e.Override, "/audit/entries?consent="+url.QueryEscape(e.Override), true)
	add("Her reference", e.Subject, "", true)
	return r
}

// rule is where the rule is explained that refused something.
func rule(e proof.Entry) string {
	if e.Act != proof.Refused || strings.Trim(e.Outcome, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return ""
	}
	return "/problems/" + e.Outcome
}

// under is the checkpoint against which a page's rows were held.
type under struct {
	Holds   bool
	Entries string
	Newest  time.Time
	Alarms  []row // what of the page the log does not prove
	Checked int
}

// held says how the rows of a page stand.
func held(u audit.Under, rows []row) under {
	v := under{Holds: u.Holds, Entries: number(u.Size), Newest: u.Newest}
	for _, r := range rows {
		switch {
		case r.Alarm != "":
			v.Alarms = append(v.Alarms, r)
		case r.Proved:
			v.Checked++
		}
	}
	return v
}
