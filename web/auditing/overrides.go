package auditing

import (
	"net/http"
	"net/url"
	"time"

	"handover/audit"
	"handover/audit/proof"
	"handover/consent"
	"handover/consent/record"
	"handover/oauth/signin"
	"handover/web/shell"
)

// overridden is one override in words, with the entry of its newest step.
type overridden struct {
	ID, Why, From, To, Agreement, State string
	Emergency                           bool
	Recorded, Expires, Review           time.Time
	Decided                             *time.Time
	Entry                               row
}

// rate is how many overrides an agency has made.
type rate struct {
	Agency string
	consent.OverrideCount
}

// overrideList is the body of the page of overrides.
type overrideList struct {
	Tabs  []tab
	Late  string
	Rows  []overridden
	Rates []rate
	Under under
	Older string
	Start bool
}

// overrides is the page of what is shared without her agreement. The entry of each one's newest
// step is held against the log.
func (h *Handler) overrides(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	ctx, late, after := r.Context(), r.URL.Query().Get("late"), r.URL.Query().Get("after")
	found, counts, more, err := h.consents.Overrides(ctx, s.Caller, late, after)
	if err != nil {
		return err
	}
	h.log.Kick()
	if len(found) > pageOf {
		found, more = found[:pageOf], true
	}
	steps := make([]audit.EntryID, len(found))
	for i, o := range found {
		steps[i] = o.Entry
	}
	looked, u, err := h.log.LookAt(ctx, s.Caller.Reader(), steps)
	if err != nil {
		return err
	}
	n, err := h.names(ctx, s)
	if err != nil {
		return err
	}
	body := overrideList{Tabs: tabs("/audit/overrides"), Late: late, Start: after == ""}
	var rows []row
	for _, o := range found {
		step := h.step(n, looked, o.Entry, func(e proof.Entry) bool { return e.Override == o.ID })
		rows = append(rows, step)
		body.Rows = append(body.Rows, overridden{ID: o.ID, Why: capital(record.Reasons().Label(o.Reason)), From: n.agency(o.Partner), To: n.agency(o.Recipient),
			Agreement: capital(record.Agreements().Label(o.Agreement)), State: capital(stateOf(o.State)), Emergency: o.Emergency && o.State != "emergency",
			Recorded: o.RecordedAt, Expires: o.ExpiresAt, Review: o.ReviewAt, Decided: o.DecidedAt, Entry: step})
	}
	for _, c := range counts {
		body.Rates = append(body.Rates, rate{n.agency(c.Partner), c})
	}
	body.Under = held(u, rows)
	if more {
		q := url.Values{"after": {found[len(found)-1].ID}}
		if late != "" {
			q.Set("late", late)
		}
		body.Older = "/audit/overrides?" + q.Encode()
	}
	return h.pages.Show(w, r, http.StatusOK, "overrides", shell.Page{Title: "Overrides", Back: "/audit", Body: body})
}

// step is the row of an entry that a list names, which must be about what the list says. That there
// is none, none that the list's reader may see, or a true one about something else is an alarm:
// it is the list that was changed then.
func (h *Handler) step(n names, looked map[audit.EntryID]audit.Looked, id audit.EntryID, about func(proof.Entry) bool) row {
	found, ok := looked[id]
	if !ok {
		return row{ID: id.String(), Anchor: "entry-" + id.String(), Place: "No entry", Did: "An entry that is not there",
			Alarm: "The log has no such entry. What the list says was changed, or its entry was deleted."}
	}
	r := h.row(n, found)
	if r.Alarm == "" && !about(found.Said) {
		r.Alarm, r.Proved = "The log has this entry, but it is about something else. What the list says was changed.", false
	}
	return r
}
