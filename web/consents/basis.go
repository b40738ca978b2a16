package consents

import (
	"net/http"

	"handover/internal/codes"
	"handover/oauth/signin"
	"handover/web/ask"
	"handover/web/shell"
)

// grounds are what her agency relies on for what she said yes to, or what was decided for her.
func (s said) grounds(category string) ask.Grounds {
	return ask.Grounds{Sheet: s.Sheet, Prefix: basisKey, Category: category, Purpose: s.One(purposeKey), Agreement: s.agreement(), Sections: s.shares()}
}

// basisView is the page on which a worker chooses otherwise than is usual.
type basisView struct {
	Questions ask.Questions
	Source    string // of what is usual
}

func (h *Handler) basisPage(w http.ResponseWriter, r *http.Request, in signin.Session) error {
	s, by, err := h.open(r, in)
	if err != nil || !inOrder(w, s, "check") {
		return err
	}
	g, status := s.grounds(by.category), http.StatusOK
	q := g.Questions()
	if r.Method == http.MethodPost {
		form, err := shell.Form(w, r)
		if err != nil {
			return err
		}
		if q = g.Take(form); len(q.Mistakes()) == 0 {
			return h.keep(w, r, in, s, "check")
		}
		status = http.StatusUnprocessableEntity
	}
	return h.pages.Show(w, r, status, "basis", shell.Page{Title: "What your agency relies on", Back: path(s, "check"), Mistakes: q.Mistakes(), Body: basisView{q, g.Source()}})
}

// authority is the name of the housing authority that is asked.
func (s said) authority() string { return codes.LondonAuthorities().Label(s.One(areaKey)) }
