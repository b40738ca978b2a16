package send

import (
	"net/http"

	"handover/internal/ids"
	"handover/oauth/signin"
	"handover/web/shell"
)

// overrideView is the page on which a decision to share without her agreement is put under a
// referral.
type overrideView struct {
	Path, Ask, Tasks string
	Has              bool
	Field            shell.Field
}

func (h *Handler) overridePage(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	d, err := h.open(r, s.Caller)
	if err != nil {
		return err
	}
	return h.showOverride(w, r, d, http.StatusOK, "")
}

func (h *Handler) showOverride(w http.ResponseWriter, r *http.Request, d work, status int, mistake string) error {
	v := overrideView{Path: d.path("override"), Ask: d.path("consent"), Tasks: d.path(""), Has: d.a.one(overrideKey) != "",
		Field: shell.Field{Kind: "text", Name: overrideKey, Label: "The decision’s number", Value: d.a.one(overrideKey), Error: mistake, Max: 36,
			Hint: "It stands on the page of the decision. Do not write anything else here."}}
	page := shell.Page{Title: "Share without her agreement", Back: d.path(""), Body: v}
	if mistake != "" {
		page.Mistakes = []shell.Mistake{{Field: overrideKey, Text: mistake}}
	}
	return h.pages.Show(w, r, status, "override", page)
}

// override puts a decision of her agency under the referral in the place of what she agreed to,
// or takes it away. Whether it covers this is decided when it is sent.
func (h *Handler) override(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	d, err := h.open(r, s.Caller)
	if err != nil {
		return err
	}
	form, err := shell.Form(w, r)
	if err != nil {
		return err
	}
	id := form.Get(overrideKey)
	switch {
	case form.Get("remove") != "":
		d.a.say(overrideKey)
		return h.keepAnd(w, r, s.Caller, d, form, d.path(""))
	case !ids.IsUUIDv7(id):
		return h.showOverride(w, r, d, http.StatusUnprocessableEntity, "Enter the number as it stands on the decision’s page")
	}
	d.a.say(overrideKey, id)
	return h.keepAnd(w, r, s.Caller, d, form, h.next(d))
}
