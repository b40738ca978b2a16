package shell

import (
	"net/http"
	"net/url"

	"handover/internal/fault"
	"handover/internal/httpd"
)

// ErrForm is for a form that no page of ours has sent.
var ErrForm = fault.New(fault.Invalid, "form-malformed", fault.Sender,
	"This could not be read as the form of the page. Go back, and send it again from there.")

// formLimit bounds what a form may carry: the longest has a dozen short texts.
const formLimit = 64 << 10

// Form reads what a page's form has sent.
func Form(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	body, err := httpd.Body(w, r, formLimit, "application/x-www-form-urlencoded")
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, ErrForm
	}
	return form, nil
}
