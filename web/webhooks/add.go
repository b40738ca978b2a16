package webhooks

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"handover/notify"
	"handover/oauth/signin"
	"handover/web/shell"
)

// form is what is asked of a new webhook.
type form struct {
	Address, Events shell.Field
}

// asked are the questions, with what was answered and what is wrong with it.
func asked(answered url.Values, wrong map[string]string) form {
	address := shell.Field{Name: "address", Label: "Address of your system", Type: "url", Inputmode: "url", Autocomplete: "off", Max: 500,
		Hint:  "It begins with https:// and has a name, such as https://hooks.agency.example. Whoever looks after your system knows it. Do not put a password or anybody’s name in it.",
		Value: strings.TrimSpace(answered.Get("address")), Error: wrong["address"], Width: "govuk-input--width-20"}
	events := shell.Field{Name: "events", Kind: "checkboxes", Label: "What is it to be told about?", Hint: "Choose everything unless your system asks for less.", Error: wrong["events"]}
	for _, e := range notify.Events() {
		events.Choices = append(events.Choices, shell.Choice{Value: string(e), Label: e.Label(), Checked: answered == nil || slices.Contains(answered["events"], string(e))})
	}
	return form{address, events}
}

func (h *Handler) asks(w http.ResponseWriter, r *http.Request, _ signin.Session) error {
	return h.ask(w, r, http.StatusOK, asked(nil, nil), nil)
}

func (h *Handler) ask(w http.ResponseWriter, r *http.Request, status int, f form, mistakes []shell.Mistake) error {
	return h.pages.Show(w, r, status, "add", shell.Page{Title: "Add a webhook", Back: Path, Mistakes: mistakes, Body: f})
}

// secret is what is shown once.
type secret struct {
	Heading, Text string
	Until         time.Time // until when the one before counts; zero for a first
	Next          string
}

func (h *Handler) add(w http.ResponseWriter, r *http.Request, session signin.Session) error {
	answered, err := shell.Form(w, r)
	if err != nil {
		return err
	}
	var events []notify.Event
	for _, e := range answered["events"] {
		events = append(events, notify.Event(e))
	}
	if len(events) == 0 {
		const choose = "Choose at least one thing to be told about"
		return h.ask(w, r, http.StatusUnprocessableEntity, asked(answered, map[string]string{"events": choose}), []shell.Mistake{{Field: "events", Text: choose}})
	}
	made, shownOnce, err := h.Store.Add(r.Context(), session.Caller, strings.TrimSpace(answered.Get("address")), events)
	if err != nil {
		status, text, failed := h.refused(r, session, err)
		if failed != nil {
			return failed
		}
		return h.ask(w, r, status, asked(answered, map[string]string{fieldOf(err): text}), []shell.Mistake{{Field: fieldOf(err), Text: text}})
	}
	h.Log.Kick()
	return h.pages.Show(w, r, http.StatusOK, "secret", shell.Page{Title: "Webhook added",
		Body: secret{Heading: "Webhook added", Text: shownOnce, Next: Path + "/" + made.ID}})
}

// fieldOf is the question whose answer was refused; "" if it was none.
func fieldOf(err error) string {
	switch {
	case errors.Is(err, notify.ErrAddress):
		return "address"
	case errors.Is(err, notify.ErrEvents):
		return "events"
	}
	return ""
}
