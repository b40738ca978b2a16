package auditing

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"handover/audit"
	"handover/audit/proof"
	"handover/consent"
	"handover/internal/ids"
	"handover/oauth/signin"
	"handover/web/shell"
)

const (
	itemsMost    = 50 // items that one page shows, the oldest
	evidenceMost = 10 // entries of one item that are named and held against the log
)

// matter is what one kind of item is: in words, where to look, and how it is settled.
type matter struct{ Title, What, Look, Settle string }

// matters are the kinds of items that the log and consent tell of.
func matters() map[string]matter {
	return map[string]matter{
		"overrides-past-review": {"Overrides past their review", "The day on which a manager was to look at them again has passed.",
			"Read each override and what its entries say. Is sharing without her agreement still needed?",
			"A manager of the agency reviews each one: she ends it, or names the next day."},
		"emergencies-unapproved": {"Emergencies that wait for approval", "Something is shared in an emergency, and no second person has approved it yet.",
			"See since when. A manager has 24 hours.", "A manager of the agency approves or refuses it. After 24 hours sharing on it stops."},
		"emergencies-lapsed": {"Emergencies that nobody decided", "Nobody decided in 24 hours. What was shared on them was shared.",
			"Ask the manager why nobody decided, and whether she has been told.", "A manager of the agency decides about each one, even now."},
		"consents-doubtful": {"Consents in doubt", "How she was asked raises a doubt. Nothing is shared on them until a manager has looked.",
			"Ask the manager who looks at it, and when.", "A manager of the agency says whether each record stands."},
		"refusals": {"Refused again and again", "At least 5 refusals within an hour.",
			"Read the rules and the hours. A program that is set up wrongly repeats itself. So does somebody who tries what she may not.",
			"Ask her, or the agency’s administrator. It leaves this list 7 days after it was last seen."},
		"openings": {"Many openings in one day", "More than 10 referrals in one day, and more than three times what is usual at the agency.",
			"Ask her manager first, not her: what was she working on? A busy day is an answer.",
			"Write down who gave you the reason. It leaves this list after 7 days."},
	}
}

// item is one thing to look at.
type item struct {
	Kind string
	matter
	Agency, Who string
	Since       time.Time
	Count       string
	Rules       []string
	More        string // where all that it is about is listed
	Evidence    []row
	Rest        int64 // how many more there are than Evidence shows
}

// reviewed is the body of the page of what is to be looked at.
type reviewed struct {
	Tabs  []tab
	Items []item
	Rest  int
	Under under
}

// review is the page of what deserves a second look, the oldest first.
func (h *Handler) review(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	ctx, by := r.Context(), s.Caller.Reader()
	found, err := h.log.Review(ctx, by, []audit.Source{consent.QueueDoubts})
	if err != nil {
		return err
	}
	body := reviewed{Tabs: tabs("/audit/review"), Rest: max(len(found)-itemsMost, 0)}
	found = found[:len(found)-body.Rest]
	var behind []audit.EntryID
	for _, i := range found {
		behind = append(behind, i.Entries[:min(len(i.Entries), evidenceMost)]...)
	}
	looked, u, err := h.log.LookAt(ctx, by, behind)
	if err != nil {
		return err
	}
	n, err := h.names(ctx, s)
	if err != nil {
		return err
	}
	var rows []row
	for at, i := range found {
		v := h.item(n, i, looked)
		for e := range v.Evidence { // one entry may stand behind two items
			v.Evidence[e].Anchor = fmt.Sprintf("item-%d-%s", at+1, v.Evidence[e].Anchor)
		}
		rows = append(rows, v.Evidence...)
		body.Items = append(body.Items, v)
	}
	body.Under = held(u, rows)
	return h.pages.Show(w, r, http.StatusOK, "review", shell.Page{Title: "To look at", Back: "/audit", Body: body})
}

// item says an item in words. One of a kind that is not known here keeps its own.
func (h *Handler) item(n names, i audit.Item, looked map[audit.EntryID]audit.Looked) item {
	m, known := matters()[i.Kind]
	if !known {
		m = matter{Title: capital(i.Kind), What: i.Words}
	}
	v := item{Kind: i.Kind, matter: m, Agency: n.agency(i.Partner), Since: i.Since, Count: number(i.Count), Rules: i.Rules}
	slices.Sort(v.Rules)
	if i.User != "" {
		v.Who = i.User
		if ids.IsUUID(i.User) {
			v.Who = n.person(i.User)
		}
	}
	v.More = where(i, h.zone)
	for _, id := range i.Entries[:min(len(i.Entries), evidenceMost)] {
		v.Evidence = append(v.Evidence, h.step(n, looked, id, func(e proof.Entry) bool { return behind(i, e) }))
	}
	v.Rest = max(i.Count-int64(len(v.Evidence)), 0)
	if i.Kind == "openings" { // it counts referrals, and several entries may be of one
		v.Rest = int64(max(len(i.Entries)-evidenceMost, 0))
	}
	return v
}

// behind reports whether an entry is one of those that an item counts.
func behind(i audit.Item, e proof.Entry) bool {
	act, _ := proof.ActOf(e.Act)
	switch i.Kind {
	case "refusals":
		return e.Act == proof.Refused && e.Partner == i.Partner
	case "openings":
		return act.Opens && e.Partner == i.Partner
	}
	return slices.Contains(i.IDs, e.Override) || slices.Contains(i.IDs, e.Consent)
}

// where is the list in which all of an item is.
func where(i audit.Item, zone *time.Location) string {
	q := url.Values{"partner": {i.Partner}}
	path := "/audit/overrides"
	switch i.Kind {
	case "refusals", "openings":
		path = "/audit/" + i.Kind
		q.Set("from", i.Since.In(zone).Format(time.DateOnly))
		if ids.IsUUID(i.User) {
			q.Set("person", i.User)
		}
		return path + "?" + q.Encode()
	case "consents-doubtful":
		return "/audit/consents?act=consent.record&partner=" + url.QueryEscape(i.Partner)
	case "overrides-past-review":
		return path + "?late=review"
	case "emergencies-lapsed":
		return path + "?late=approval"
	}
	return path
}
