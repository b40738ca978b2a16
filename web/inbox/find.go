package inbox

import (
	"net/http"
	"net/url"

	"handover/internal/ids"
	"handover/oauth/signin"
	"handover/web/shell"
)

// find looks for a referral by its reference. It is posted, and only the reference of a referral that is found gets
// into an address: whoever writes her name here by mistake leaves it nowhere, not on the page
// that says so either.
func (h *Handler) find(b board) func(http.ResponseWriter, *http.Request, signin.Session) error {
	return func(w http.ResponseWriter, r *http.Request, session signin.Session) error {
		form, err := shell.Form(w, r)
		if err != nil {
			return err
		}
		reference, ok := ids.ParseReference(form.Get("reference"))
		if !ok {
			return h.show(w, r, session, b, http.StatusUnprocessableEntity, []shell.Mistake{{Field: "reference", Text: notReference}})
		}
		v, err := h.look(r.Context(), session.Caller, b, url.Values{"reference": {reference}})
		if err != nil {
			return err
		}
		found, err := h.Referrals.Summaries(r.Context(), session.Caller, v.query)
		if err != nil {
			return err
		}
		if len(found.Rows) == 0 { // a name of eight letters has the form of a reference, too
			return h.show(w, r, session, b, http.StatusUnprocessableEntity, []shell.Mistake{{Field: "reference", Text: notFound}})
		}
		shell.See(w, b.path+"?reference="+reference)
		return nil
	}
}

const notFound = "Your agency has no referral with this reference. Check it"

const notReference = "Enter a reference of 8 letters and numbers, like R-7K3F-9Q2M"

func findField(mistakes []shell.Mistake) shell.Field {
	f := shell.Field{Kind: "text", Name: "reference", Label: "Find a referral by its reference", Width: "govuk-input--width-10", Max: 40,
		Hint: "For example, R-7K3F-9Q2M. Do not write her name, a number or an address."}
	for _, m := range mistakes {
		if m.Field == f.Name {
			f.Error = m.Text
		}
	}
	return f
}
