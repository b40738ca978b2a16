package hers

import (
	"net/http"

	"handover/web/shell"
)

// leavePath is where Exit this page leads.
const leavePath = "/leave"

// elsewhere is where she is when she has left: a page that anybody may have open. It is in
// every browser's idea of harmless, loads fast, and says nothing about her.
const elsewhere = "https://www.bbc.co.uk/weather"

// leave ends the session here, has the browser forget everything of this site, and leads to a
// page that says nothing. It does so by a plain link, without a form or script, since it has to
// work on any phone; and whatever fails, she leaves.
//
// A link is followed by a read, so a page of another site could sign somebody out with one
// (CSRF). That costs her a sign-in and shows nothing to anybody; it is refused all the same where
// the browser says who leads here (Sec-Fetch-Site): then it only leads on. A browser too old to
// say it is believed, because not to leave would be worse.
//
// It does not clear the browser's history: no site can. The page before hers says so.
func (h *Handler) leave(w http.ResponseWriter, r *http.Request) error {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none", "":
		if session, err := h.SignIn.Session(r); err == nil {
			_ = h.SignIn.SignOut(w, r, session) // the browser forgets its cookie either way
		}
		w.Header().Set("Clear-Site-Data", `"cache", "cookies", "storage"`)
	}
	shell.See(w, elsewhere)
	return nil
}
