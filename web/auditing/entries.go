package auditing

import (
	"net/http"
	"net/url"
	"strings"

	"handover/audit"
	"handover/audit/proof"
	"handover/oauth/signin"
	"handover/web/shell"
)

// kind is a list of entries of some acts; of all when it names none.
type kind struct {
	Path, Name, Title string
	Intro, None       string
	Acts              []string
}

// kinds are the lists, with their acts as audit/proof has them: a new act of a room is in its list
// without being named here.
func kinds() []kind {
	var consents, openings []string
	for _, a := range proof.Acts() {
		room, _, _ := strings.Cut(a.Name, ".")
		if room == "consent" || room == "never" || room == "recall" {
			consents = append(consents, a.Name)
		}
		if a.Opens {
			openings = append(openings, a.Name)
		}
	}
	return []kind{
		{"/audit/consents", "Consents", "Consents", "What was recorded of what she agreed to, took back or never wants, and who read it.",
			"Nobody has recorded or read a consent here", consents},
		{"/audit/openings", "Openings", "Who opened what", "Each time somebody opened what is written about her: who, when, which sections, and why.",
			"Nobody has opened anything here", openings},
		{"/audit/refusals", "Refusals", "Refusals", "Each time the hub refused something, and by which rule. Refusals are the lock working. Look for the same person or agency again and again, and for hours at which nobody works.",
			"Nothing was refused here", []string{proof.Refused}},
		{"/audit/entries", "All entries", "All entries", "Everything in the log that you may see. Your own questions are in it too.", "There is no entry here", nil},
	}
}

// listed is the body of a list of entries.
type listed struct {
	Tabs      []tab
	Kind      kind
	Rows      []row
	Under     under
	Fields    []shell.Field
	Narrowed  bool
	Older     string // where older entries are; "" after the last
	Overseer  bool
	Mistaken  bool
	FromStart bool // the page begins with the newest
	Consent   string
}

// list is a page of entries, each held against the log. What was mistyped finds nothing: an empty
// page would be taken for an answer.
func (h *Handler) list(k kind) func(http.ResponseWriter, *http.Request, signin.Session) error {
	return func(w http.ResponseWriter, r *http.Request, s signin.Session) error {
		return h.entriesOf(w, r, s, k, h.asked(r.URL.Query(), k))
	}
}

// narrow takes the form by which a list is narrowed. It is posted, since what somebody types by
// mistake, such as a name, must not stand in an address: only what can be an id, a code or a day
// goes on to one.
func (h *Handler) narrow(k kind) func(http.ResponseWriter, *http.Request, signin.Session) error {
	return func(w http.ResponseWriter, r *http.Request, s signin.Session) error {
		form, err := shell.Form(w, r)
		if err != nil {
			return err
		}
		a := h.asked(form, k)
		if err := h.resolve(r.Context(), s.Caller.Reader(), &a); err != nil {
			return err
		}
		if len(a.mistakes) > 0 {
			return h.entriesOf(w, r, s, k, a)
		}
		if a.filter.Referral != "" { // found: many a name of eight letters has the form of a reference
			a.kept.Set("referral", a.filter.Referral)
		}
		shell.See(w, k.Path+"?"+a.kept.Encode())
		return nil
	}
}

func (h *Handler) entriesOf(w http.ResponseWriter, r *http.Request, s signin.Session, k kind, a asked) error {
	by := s.Caller.Reader()
	if err := h.resolve(r.Context(), by, &a); err != nil {
		return err
	}
	n, err := h.names(r.Context(), s)
	if err != nil {
		return err
	}
	body := listed{Tabs: tabs(k.Path), Kind: k, Narrowed: len(a.kept) > 0, Overseer: by.Oversees, Mistaken: len(a.mistakes) > 0,
		FromStart: a.filter.After == audit.EntryID{}, Consent: a.filter.Consent}
	body.Fields = a.fields(n, k, by.Oversees)
	status := http.StatusUnprocessableEntity
	if !body.Mistaken {
		page, err := h.log.Read(r.Context(), by, a.filter)
		if err != nil {
			return err
		}
		status = http.StatusOK
		for _, e := range page.Entries {
			body.Rows = append(body.Rows, h.row(n, e))
		}
		body.Under = held(page.Under, body.Rows)
		if page.Next != (audit.EntryID{}) {
			body.Older = older(k.Path, a.kept, page.Next)
		}
	}
	return h.pages.Show(w, r, status, "list", shell.Page{Title: k.Title, Back: "/audit", Mistakes: a.mistakes, Body: body})
}

// older is the address of the page that follows.
func older(path string, kept url.Values, after audit.EntryID) string {
	q := url.Values{}
	for name, values := range kept {
		q[name] = values
	}
	q.Set("after", after.String())
	return path + "?" + q.Encode()
}
