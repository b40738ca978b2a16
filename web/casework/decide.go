package casework

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"handover/consent/record"
	"handover/internal/codes"
	"handover/internal/ids"
	"handover/oauth/signin"
	"handover/partners"
	"handover/referral/packet"
	"handover/web/shell"
)

// draft is a decision on its way: what the forms carry from one to the next. Nothing of it is
// kept on the server or in an address until she confirms it.
type draft struct {
	act
	ID      string // of the act: made with its first page, so that pressing twice is one act
	Seen    string // the newest step as she saw it: prev of hers
	Reason  string
	Outcome string
	Service string
	Notes   map[string]string // what she wrote, by box
	Without bool              // she decides without a note
}

// draftOf reads it from a form; what is not there is new.
func draftOf(a act, form url.Values) draft {
	d := draft{act: a, ID: form.Get("act"), Seen: form.Get("seen"), Reason: form.Get("reason"), Outcome: form.Get("outcome"),
		Service: form.Get("service"), Without: form.Get("without") == "yes", Notes: map[string]string{}}
	if !ids.IsUUIDv7(d.ID) {
		d.ID = uuid.Must(uuid.NewV7()).String()
	}
	for _, b := range a.Note {
		d.Notes[b.Name] = strings.TrimSpace(strings.ReplaceAll(form.Get(b.Name), "\r\n", "\n"))
	}
	return d
}

// Carried are the fields that a form hides.
func (d draft) Carried() []shell.Field {
	carried := []shell.Field{{Kind: "hidden", Name: "act", Value: d.ID}, {Kind: "hidden", Name: "seen", Value: d.Seen}}
	if d.Without {
		carried = append(carried, shell.Field{Kind: "hidden", Name: "without", Value: "yes"})
	}
	return carried
}

// All are all fields of it, hidden, for the page that only confirms.
func (d draft) All() []shell.Field {
	all := d.Carried()
	for name, value := range map[string]string{"reason": d.Reason, "outcome": d.Outcome, "service": d.Service} {
		if value != "" {
			all = append(all, shell.Field{Kind: "hidden", Name: name, Value: value})
		}
	}
	for _, b := range d.Note {
		if d.Notes[b.Name] != "" {
			all = append(all, shell.Field{Kind: "hidden", Name: b.Name, Value: d.Notes[b.Name]})
		}
	}
	return all
}

// Changes reports whether there is anything to change, or a note to add.
func (d draft) Changes() bool { return d.Asks() || len(d.Note) > 0 }

// Text is the note as it is sealed: what she wrote, each under its question if there is more
// than one.
func (d draft) Text() string {
	if d.Without {
		return ""
	}
	var lines []string
	for _, b := range d.Note {
		said := d.Notes[b.Name]
		if said != "" && len(d.Note) > 1 {
			said = b.Label + ": " + said
		}
		if said != "" {
			lines = append(lines, said)
		}
	}
	return strings.Join(lines, "\n")
}

// footing is what a note of hers would rest on.
type footing struct {
	Consent, Override string
	Not               string // why there is none, and what to do; "" if there is one
}

// standsOn finds what a note from her side may rest on. It is for telling her beforehand: what
// is sent is decided again, under locks, when it is.
func (h *Handler) standsOn(ctx context.Context, c partners.Caller, s *seen) (footing, error) {
	basis := s.Request().Claims.Basis
	if basis != nil && basis.Override != "" {
		if s.Recipient() {
			return footing{Not: "This was shared without her agreement, so your agency has nothing that a note could rest on. Ring the other agency."}, nil
		}
		return footing{Override: basis.Override}, nil
	}
	t, claims, err := h.basisOf(ctx, c, s)
	if err != nil {
		return footing{}, err
	}
	if !t.Stands {
		return footing{Not: t.Says}, nil
	}
	err = claims.Covers(record.Passage{Subject: claims.Subject, Purpose: s.Purpose, Sender: string(c.Partner()), Recipient: string(s.other.ID),
		Category: string(s.other.Category), Area: s.Area, Classes: []string{"note"}, Now: h.Now()})
	if err != nil {
		return footing{Not: "She did not agree that a note goes to " + s.Other + ". Ring them, or ask her whether she agrees."}, nil
	}
	return footing{Consent: t.Consent}, nil
}

// choose lists what can be done.
func (h *Handler) choose(w http.ResponseWriter, r *http.Request, session signin.Session) error {
	s, err := h.reads(r, session)
	if err != nil {
		return err
	}
	return h.choices(w, r, s, http.StatusOK, "")
}

func (h *Handler) choices(w http.ResponseWriter, r *http.Request, s *seen, status int, mistake string) error {
	f := shell.Field{Kind: "radios", Name: "event", Label: "What do you want to do?", Heading: true, Error: mistake}
	for _, a := range offered(s) {
		f.Choices = append(f.Choices, shell.Choice{Value: string(a.Event), Label: a.Choice, Hint: a.Hint})
	}
	return h.pages.Show(w, r, status, "choose", shell.Page{Title: "What do you want to do?", Back: s.Address, Mistakes: mistakes(f), Body: struct {
		*seen
		Field shell.Field
	}{s, f}})
}

// chosen leads to the page of what she chose.
func (h *Handler) chosen(w http.ResponseWriter, r *http.Request, session signin.Session) error {
	form, err := shell.Form(w, r)
	if err != nil {
		return err
	}
	s, err := h.reads(r, session)
	if err != nil {
		return err
	}
	e := packet.Event(form.Get("event"))
	if !may(s, e) {
		return h.choices(w, r, s, http.StatusUnprocessableEntity, "Choose what you want to do")
	}
	shell.See(w, s.Address+"/decide/"+string(e)+"?seen="+s.Head)
	return nil
}

// ask is the first page of a decision: what has to be asked for it, or, where nothing has to
// be, what she confirms. It is told apart from what is in the address whether the referral has
// moved since she read it.
func (h *Handler) ask(w http.ResponseWriter, r *http.Request, session signin.Session) error {
	a, known := actOf(packet.Event(mux.Vars(r)["event"]))
	s, err := h.reads(r, session)
	if err != nil {
		return err
	}
	if !known || !may(s, a.Event) {
		return h.cannot(w, r, s, http.StatusOK)
	}
	d := draftOf(a, url.Values{"seen": {s.Head}})
	var moved []link
	if was := r.URL.Query().Get("seen"); was != s.Head {
		moved = s.Since(was)
	}
	if a.Asks() {
		return h.questions(w, r, session, s, d, asking{moved: moved})
	}
	return h.confirm(w, r, session, s, d, asking{moved: moved})
}

// decide goes on with a decision: it asks, it has it confirmed, or it does it.
func (h *Handler) decide(w http.ResponseWriter, r *http.Request, session signin.Session) error {
	a, known := actOf(packet.Event(mux.Vars(r)["event"]))
	form, err := shell.Form(w, r)
	if err != nil {
		return err
	}
	s, err := h.reads(r, session)
	if err != nil {
		return err
	}
	if !known || s.Own {
		return h.cannot(w, r, s, http.StatusOK)
	}
	if form.Get("to") != "confirm" && !may(s, a.Event) { // what is confirmed, the desk decides: it may be done already
		return h.cannot(w, r, s, http.StatusConflict)
	}
	d := draftOf(a, form)
	if form.Get("to") == "change" {
		d.Without = false
		return h.questions(w, r, session, s, d, asking{})
	}
	wrong, err := h.wrong(r.Context(), s, d)
	if err != nil {
		return err
	}
	if len(wrong) > 0 {
		return h.questions(w, r, session, s, d, asking{wrong: wrong})
	}
	if form.Get("to") != "confirm" {
		return h.confirm(w, r, session, s, d, asking{})
	}
	return h.do(w, r, session, s, d)
}

// wrong says what is missing or too long, by the name of its field.
func (h *Handler) wrong(ctx context.Context, s *seen, d draft) (map[string]string, error) {
	wrong := map[string]string{}
	asks := d.Event.Asks()
	if len(asks.Reasons) > 0 && !asks.Reasons.Has(d.Reason) {
		wrong["reason"] = "Choose a reason"
	}
	if len(asks.Outcomes) > 0 && !asks.Outcomes.Has(d.Outcome) {
		wrong["outcome"] = "Choose what came of it"
	}
	if asks.Service {
		better, err := h.better(ctx, s)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(better, func(o partners.Service) bool { return o.ID == d.Service }) {
			wrong["service"] = "Choose a service, or go back and decline"
		}
	}
	for _, b := range d.Note {
		if n := utf8.RuneCountInString(d.Notes[b.Name]); n > boxMost {
			wrong[b.Name] = "Write at most 500 characters: leave out what they do not need"
		}
	}
	if asks.Note && d.Text() == "" {
		wrong[d.Note[0].Name] = "Write the note"
	}
	return wrong, nil
}

// better lists the services to which the referral could be sent instead: of other agencies than
// the two, for the same purpose and area, and open to referrals now.
func (h *Handler) better(ctx context.Context, s *seen) ([]partners.Service, error) {
	offered, err := h.Partners.Services(ctx, s.Purpose, s.Area)
	return slices.DeleteFunc(offered, func(o partners.Service) bool {
		return string(o.Partner) == s.Sender || string(o.Partner) == s.Summary.Recipient || o.Capacity == "paused"
	}), err
}

// capacities are what a service says of its room.
func capacity(code string) string {
	return map[string]string{"open": "takes referrals now", "waiting-list": "has a waiting list"}[code]
}

// fields are the questions of a decision.
func (h *Handler) fields(ctx context.Context, s *seen, d draft, f footing, wrong map[string]string) ([]shell.Field, error) {
	var all []shell.Field
	asks := d.Event.Asks()
	radios := func(name, chosen string, list codes.List) {
		one := shell.Field{Kind: "radios", Name: name, Label: d.Why, Error: wrong[name]}
		for _, code := range list {
			one.Choices = append(one.Choices, shell.Choice{Value: code.Code, Label: sentence(code.Label), Checked: code.Code == chosen})
		}
		all = append(all, one)
	}
	if len(asks.Reasons) > 0 {
		radios("reason", d.Reason, asks.Reasons)
	}
	if len(asks.Outcomes) > 0 {
		radios("outcome", d.Outcome, asks.Outcomes)
	}
	if asks.Service {
		one := shell.Field{Kind: "radios", Name: "service", Label: d.Why, Error: wrong["service"]}
		better, err := h.better(ctx, s)
		if err != nil {
			return nil, err
		}
		for _, o := range better {
			p, err := h.agency(ctx, o.Partner)
			if err != nil {
				return nil, err
			}
			one.Choices = append(one.Choices, shell.Choice{Value: o.ID, Label: o.Name, Hint: p.Name + ", " + capacity(o.Capacity), Checked: o.ID == d.Service})
		}
		all = append(all, one)
	}
	if f.Not == "" {
		for _, b := range d.Note {
			label := b.Label
			if !asks.Note {
				label += " (optional)"
			}
			all = append(all, shell.Field{Kind: "textarea", Name: b.Name, Label: label, Hint: b.Hint, Value: d.Notes[b.Name],
				Error: wrong[b.Name], Rows: 3, Max: boxMost})
		}
	}
	return all, nil
}

// mistakes lists what is wrong with fields, for the top of the page.
func mistakes(fields ...shell.Field) (all []shell.Mistake) {
	for _, f := range fields {
		if f.Error != "" {
			all = append(all, shell.Mistake{Field: f.Name, Text: f.Error})
		}
	}
	return all
}
