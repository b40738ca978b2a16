package agency

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"handover/internal/codes"
	"handover/partners"
	"handover/web/shell"
)

// place is where a link leads, and what for.
type place struct{ Path, Name, For string }

// rooms are what an administrator looks after.
func rooms() []place {
	return []place{
		{peoplePath, "People", "Who works here, in which role. Let somebody in, or out."},
		{servicesPath, "Services", "What you offer, and how many you can take now."},
		{root + "/agreements", "Agreements", "What you and other agencies may send each other."},
		{keysPath, "Keys", "What signs and opens for your agency."},
		{systemsPath, "Systems", "Programs that act for your agency."},
		{root + "/webhooks", "Webhooks", "Which of your programs are told when something happens."},
	}
}

// backOf is where the page of a list leads back to: who has services alone to look after has no
// page above it.
func backOf(c partners.Caller) string {
	if c.Has(partners.PartnerAdmin) {
		return root
	}
	return ""
}

// confirm is the page before an act: what will happen, and to whom.
type confirm struct {
	Heading string
	Rows    []row
	Says    []string
	Held    *heldView // what a person holds
	Warning string
	Blocked string // why it cannot be done now, and what to do first; there is no button then
	Fields  []shell.Field
	Hidden  url.Values // what is sent along
	Button  string
	Danger  bool
}

// row is a line of a summary.
type row struct{ Key, Value string }

// secret is what is shown once.
type secret struct {
	Heading, Label, Text string
	Until                time.Time
	Says                 []string
	Command              string // to run with it, or ""
	Next, NextName       string // where to go on
}

// ask shows the page before an act.
func (h *Handler) ask(w http.ResponseWriter, r *http.Request, title, back string, c confirm) error {
	return h.pages.Show(w, r, http.StatusOK, "confirm", shell.Page{Title: title, Back: back, Body: c})
}

// again shows it once more with what is wrong.
func (h *Handler) again(w http.ResponseWriter, r *http.Request, title, back string, c confirm) error {
	return h.pages.Show(w, r, http.StatusUnprocessableEntity, "confirm", shell.Page{Title: title, Back: back, Mistakes: mistakes(c.Fields), Body: c})
}

// once shows a secret. The page is the answer to a POST that is kept nowhere: whoever goes back,
// or asks for it again, is not shown it.
func (h *Handler) once(w http.ResponseWriter, r *http.Request, title string, s secret) error {
	return h.pages.Show(w, r, http.StatusOK, "secret", shell.Page{Title: title, Body: s})
}

// mistakes are those of the fields, in their order.
func mistakes(fields []shell.Field) (found []shell.Mistake) {
	for _, f := range fields {
		if f.Error != "" {
			found = append(found, shell.Mistake{Field: f.Name, Text: f.Error})
		}
	}
	return found
}

// done is the sentence for the code in the address, or "": the address says what was done, never
// to whom.
func done(r *http.Request, sentences map[string]string) string {
	return sentences[r.URL.Query().Get("done")]
}

// areasInWords are areas by their names, where they have one here.
func areasInWords(areas []string) []string {
	words := make([]string, len(areas))
	for i, a := range areas {
		words[i] = codes.Areas().Label(a)
	}
	return words
}

// sentence begins with a capital.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
