package agency

import (
	"errors"
	"net/http"
	"strings"

	"handover/internal/codes"
	"handover/oauth/signin"
	"handover/partners"
	"handover/web/shell"
)

// notThere is err as the pages say it: of what is another's, and of what is not, the same.
func notThere(err error, is error) error {
	if errors.Is(err, is) {
		return partners.ErrNotThere
	}
	return err
}

// answer is one thing that can be said of capacity, as a form brings it: open, paused, or
// waiting-list with its wait after a space.
type answer struct {
	Value, Words string
	Now          bool // it is what was said last
}

func answers(capacity, wait string) (all []answer) {
	add := func(c, w string) {
		all = append(all, answer{strings.TrimSpace(c + " " + w), capacityInWords(c, w), c == capacity && w == wait})
	}
	add("open", "")
	for _, w := range codes.Waits().Codes() {
		add("waiting-list", w)
	}
	add("paused", "")
	return all
}

// capacityView is the page of one tap.
type capacityView struct {
	Service serviceView
	Answers []answer
}

// askCapacity has a button for each answer. It wants no proof of a moment ago and no second page:
// the word of a manager between two calls is worth more than none, it is logged as hers, and the next
// word takes its place.
func (h *Handler) askCapacity(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	o, err := h.foundService(r, s)
	if err != nil {
		return err
	}
	return h.pages.Show(w, r, http.StatusOK, "capacity", shell.Page{Title: "Capacity", Back: servicesPath,
		Body: capacityView{o, answers(o.Service.Capacity, o.Wait)}})
}

func (h *Handler) setCapacity(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	form, err := shell.Form(w, r)
	if err != nil {
		return err
	}
	o, err := h.foundService(r, s)
	if err != nil {
		return err
	}
	capacity, wait, _ := strings.Cut(form.Get("now"), " ")
	if _, err := h.Partners.SetCapacity(r.Context(), s.Caller, o.ID, capacity, wait); err != nil {
		return s.RefusedAbout(err, o.ID)
	}
	shell.See(w, servicesPath+"?done=capacity")
	return nil
}
