package auditing

import (
	"net/http"
	"time"

	"handover/audit"
	"handover/consent"
	"handover/oauth/signin"
	"handover/web/shell"
)

// attention is what wants to be looked at of one kind.
type attention struct {
	Kind, Title, Count string
	Since              time.Time
	count              int64
}

// overviewed is the body of the first page.
type overviewed struct {
	Health      audit.Health
	Entries     string
	Differences string
	Stale       bool // the last comparison is older than it may be
	Cosigned    string
	Attention   []attention
	Lists       []kind
	Overseer    bool
}

// stale is how old the last comparison of log and rows may be: it is made every night.
const stale = 48 * time.Hour

// overview says how the log stands, and what wants to be looked at, the oldest first.
func (h *Handler) overview(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	by := s.Caller.Reader()
	health, err := h.log.Health(r.Context())
	if err != nil {
		return err
	}
	items, err := h.log.Review(r.Context(), by, []audit.Source{consent.QueueDoubts})
	if err != nil {
		return err
	}
	body := overviewed{Health: health, Entries: number(health.Under.Size), Differences: number(health.Differences),
		Stale: !health.Reconciled.IsZero() && h.now().Sub(health.Reconciled) > stale, Cosigned: number(health.Witnessing.Cosigned),
		Attention: attentions(items), Lists: kinds(), Overseer: by.Oversees}
	return h.pages.Show(w, r, http.StatusOK, "overview", shell.Page{Title: "Audit", Body: body})
}

// attentions counts items by kind; those are the oldest first, and so are these.
func attentions(items []audit.Item) (all []attention) {
	at := map[string]int{}
	for _, i := range items {
		place, is := at[i.Kind]
		if !is {
			title := i.Kind
			if m, known := matters()[i.Kind]; known {
				title = m.Title
			}
			place = len(all)
			at[i.Kind] = place
			all = append(all, attention{Kind: i.Kind, Title: title, Since: i.Since})
		}
		one := i.Count
		if i.Kind == "refusals" || i.Kind == "openings" {
			one = 1 // a person, however often
		}
		all[place].count += one
		all[place].Count = number(all[place].count)
	}
	return all
}
