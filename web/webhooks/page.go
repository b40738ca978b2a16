package webhooks

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"handover/notify"
	"handover/oauth/signin"
	"handover/web/shell"
)

// webhook is one as a page shows it.
type webhook struct {
	notify.Webhook
	Path string
}

func shown(w notify.Webhook) webhook { return webhook{w, Path + "/" + w.ID} }

// Host is the name in its address: what an administrator knows it by.
func (w webhook) Host() string {
	if u, err := url.Parse(w.URL); err == nil && u.Host != "" {
		return u.Host
	}
	return w.URL
}

// Active, Paused and Disabled say how it stands.
func (w webhook) Active() bool { return w.State == notify.Active }

// Paused is by an administrator.
func (w webhook) Paused() bool { return w.State == notify.Paused }

// Disabled is by the hub.
func (w webhook) Disabled() bool { return w.State == notify.Disabled }

// Fails reports whether it took nothing since its newest failure.
func (w webhook) Fails() bool { return !w.Failing.IsZero() }

// Told is what it is told about, in words.
func (w webhook) Told() (all []string) {
	for _, e := range w.Events {
		all = append(all, e.Label())
	}
	return all
}

// Old is the secret that still counts beside the newest, if there is one.
func (w webhook) Old() time.Time {
	for _, s := range w.Secrets {
		if !s.Until.IsZero() {
			return s.Until
		}
	}
	return time.Time{}
}

func (h *Handler) list(w http.ResponseWriter, r *http.Request, session signin.Session) error {
	all, err := h.Store.Webhooks(r.Context(), session.Caller)
	if err != nil {
		return err
	}
	var v struct {
		Webhooks []webhook
		Add      string
		Full     bool
	}
	for _, one := range all {
		v.Webhooks = append(v.Webhooks, shown(one))
	}
	v.Add, v.Full = Path+"/add", len(all) >= notify.MostWebhooks
	return h.pages.Show(w, r, http.StatusOK, "list", shell.Page{Title: "Webhooks", Back: "/agency", Done: h.done(r), Body: v})
}

// delivery is one message as the page shows it.
type delivery struct {
	notify.Delivery
	Again string // where it is sent again; "" while it waits
}

// What is the event in words.
func (d delivery) What() string { return d.Event.Label() }

// Delivered and Failed say where it stands; else it waits.
func (d delivery) Delivered() bool { return d.Status == "delivered" }

// Failed reports whether it was given up.
func (d delivery) Failed() bool { return d.Status == "failed" }

// Came is what came of the last attempt, in words.
func (d delivery) Came() string {
	switch d.Outcome {
	case "":
		return ""
	case "timeout":
		return "There was no answer within ten seconds."
	case "name-unknown":
		return "The name in the address was not found."
	case "address-refused":
		return "The name leads into a private network. The hub connects to public addresses only."
	case "certificate":
		return "The certificate is not valid for the name."
	case "connection":
		return "There was no connection, or it broke."
	case "not-tried":
		return "It waited too long while the webhook was stopped."
	}
	if strings.HasPrefix(d.Outcome, "3") {
		return "It answered " + d.Outcome + ", which leads elsewhere. The hub follows no redirect."
	}
	return "It answered " + d.Outcome + "."
}

// newest is how many messages the page shows.
const newest = 20

func (h *Handler) one(w http.ResponseWriter, r *http.Request, session signin.Session) error {
	found, err := h.found(r.Context(), r, session)
	if err != nil {
		return err
	}
	return h.show(w, r, session, found, http.StatusOK, shell.Page{Done: h.done(r)})
}

// show shows one webhook with its newest messages.
func (h *Handler) show(w http.ResponseWriter, r *http.Request, session signin.Session, found notify.Webhook, status int, page shell.Page) error {
	all, err := h.Store.Deliveries(r.Context(), session.Caller, found.ID)
	if err != nil {
		return hidden(err)
	}
	v := struct {
		webhook
		Deliveries []delivery
		More       bool
	}{webhook: shown(found), More: len(all) > newest}
	for _, d := range all[:min(newest, len(all))] {
		one := delivery{Delivery: d}
		if d.Status != "waiting" {
			one.Again = v.Path + "/deliveries/" + d.ID + "/replay"
		}
		v.Deliveries = append(v.Deliveries, one)
	}
	page.Title, page.Back, page.Body = "Webhook", Path, v
	return h.pages.Show(w, r, status, "webhook", page)
}

// done is the sentence of what was done just now, of which the address has the code alone.
func (h *Handler) done(r *http.Request) string {
	for _, a := range h.acts() {
		if a.name == r.URL.Query().Get("done") {
			return a.done
		}
	}
	return ""
}
