package casework

import (
	"context"
	"errors"
	"net/http"

	"github.com/go-json-experiment/json"

	"handover/audit"
	"handover/internal/fault"
	"handover/oauth/signin"
	"handover/partners"
	"handover/referral"
	"handover/referral/managed"
	"handover/referral/packet"
	"handover/web/inbox"
	"handover/web/shell"
)

// asking is what a page of a decision shows besides its questions.
type asking struct {
	wrong   map[string]string // by field
	moved   []link            // what has happened since she read the referral
	refused string            // what the hub refused, and what to do
	status  int               // of that; 0: none was refused
	noNote  bool              // it was the note that was refused
}

func (a asking) code() int {
	switch {
	case a.status != 0:
		return a.status
	case len(a.wrong) > 0:
		return http.StatusUnprocessableEntity
	}
	return http.StatusOK
}

func (a asking) mistakes(fields ...shell.Field) []shell.Mistake {
	all := mistakes(fields...)
	if a.refused != "" {
		all = append(all, shell.Mistake{Text: a.refused})
	}
	return all
}

// deciding is what the pages of a decision show.
type deciding struct {
	*seen
	Draft   draft
	Fields  []shell.Field
	Footing footing
	Moved   []link
	Rows    []row
	NoNote  bool
	Can     bool // a note can be sent, or none is needed
}

// questions asks what has to be asked.
func (h *Handler) questions(w http.ResponseWriter, r *http.Request, session signin.Session, s *seen, d draft, a asking) error {
	ctx := r.Context()
	v := deciding{seen: s, Draft: d, Moved: a.moved, NoNote: a.noNote, Can: true}
	var err error
	if len(d.Note) > 0 {
		if v.Footing, err = h.standsOn(ctx, session.Caller, s); err != nil {
			return err
		}
		v.Can = v.Footing.Not == "" || !d.Event.Asks().Note
	}
	if v.Fields, err = h.fields(ctx, s, d, v.Footing, a.wrong); err != nil {
		return err
	}
	return h.pages.Show(w, r, a.code(), "questions", shell.Page{Title: d.Title, Back: s.Address, Mistakes: a.mistakes(v.Fields...), Body: v})
}

// confirm shows what will be done, and what happens then, before it is.
func (h *Handler) confirm(w http.ResponseWriter, r *http.Request, session signin.Session, s *seen, d draft, a asking) error {
	v := deciding{seen: s, Draft: d, Moved: a.moved, NoNote: a.noNote, Can: true}
	v.Rows = append(v.Rows, row{"Referral", texts(s.Reference)}, row{"To", texts(s.Other)})
	asks := d.Event.Asks()
	switch {
	case d.Reason != "":
		v.Rows = append(v.Rows, row{"Reason", texts(sentence(asks.Reasons.Label(d.Reason)))})
	case d.Outcome != "":
		v.Rows = append(v.Rows, row{"What came of it", texts(sentence(asks.Outcomes.Label(d.Outcome)))})
	case asks.Service:
		better, err := h.better(r.Context(), s)
		if err != nil {
			return err
		}
		for _, o := range better {
			if o.ID == d.Service {
				v.Rows = append(v.Rows, row{"Better service", texts(o.Name)})
			}
		}
	}
	if text := d.Text(); text != "" {
		v.Rows = append(v.Rows, row{"Note", texts(text)})
	} else if len(d.Note) > 0 {
		v.Rows = append(v.Rows, row{"Note", texts("None")})
	}
	return h.pages.Show(w, r, a.code(), "confirm", shell.Page{Title: d.Title, Back: s.Address, Mistakes: a.mistakes(), Body: v})
}

// cannot says that the step is not possible, and what has happened.
func (h *Handler) cannot(w http.ResponseWriter, r *http.Request, s *seen, status int) error {
	return h.pages.Show(w, r, status, "cannot", shell.Page{Title: "You cannot do this now", Back: s.Address, Body: struct {
		*seen
		Stands string
		Last   link
	}{s, inbox.Stands(s.Summary), s.Chain[len(s.Chain)-1]}})
}

// do has the step signed and filed, and leads to the referral once it is proved. The id was
// made with the first page, so pressing twice is one act; prev is the step that she saw, so
// that nobody decides about what has moved meanwhile.
func (h *Handler) do(w http.ResponseWriter, r *http.Request, session signin.Session, s *seen, d draft) error {
	ctx, c := r.Context(), session.Caller
	step := managed.Step{ID: d.ID, Event: d.Event, Prev: d.Seen, Reason: d.Reason, Outcome: d.Outcome, Service: d.Service}
	if text := d.Text(); text != "" {
		note, err := json.Marshal(map[string]string{"text": text})
		if err != nil {
			return err
		}
		stood, err := h.standsOn(ctx, c, s)
		if err != nil {
			return err
		}
		step.Consent, step.Override = stood.Consent, stood.Override
		step.Content = map[string]packet.Content{"note": note}
		if stood.Not != "" {
			return h.questions(w, r, session, s, d, asking{refused: stood.Not, status: http.StatusForbidden, noNote: !d.Event.Asks().Note})
		}
	}
	entry, err := h.Desk.Step(ctx, c, s.ID, step)
	if err == nil {
		_, err = h.proved(ctx, entry)
	}
	if err == nil && d.Event == packet.Accept {
		err = h.takeOn(ctx, c, s.ID)
	}
	if err == nil {
		shell.See(w, s.Address+"?done="+string(d.Event))
		return nil
	}
	return h.notDone(w, r, session, s, d, err)
}

// takeOn gives what she has accepted to her, unless somebody of her agency has it: nobody else is
// looked for when something about it is asked.
func (h *Handler) takeOn(ctx context.Context, c partners.Caller, id string) error {
	err := h.Referrals.Claim(ctx, c, id)
	if errors.Is(err, referral.ErrHolderChanged) || errors.Is(err, referral.ErrState) {
		return nil // a colleague has it, or it has ended since
	}
	return err
}

// notDone tells what was refused, with nothing lost of what she wrote: what moved meanwhile is
// told and decided anew; a note that cannot be sent is no reason not to decide.
func (h *Handler) notDone(w http.ResponseWriter, r *http.Request, session signin.Session, s *seen, d draft, err error) error {
	if errors.Is(err, audit.ErrReceiptPending) {
		return h.confirm(w, r, session, s, d, asking{status: http.StatusServiceUnavailable,
			refused: "This is stored, but its proof is not signed yet. Press the button again: it counts once."})
	}
	e := s.about(session.Caller)
	e.Event = string(d.Event)
	f, err := h.refused(r.Context(), e, err)
	if err != nil {
		return err
	}
	status, text := explained(r, f)
	switch {
	case errors.Is(f, referral.ErrMoved), errors.Is(f, referral.ErrState):
		now, err := h.reads(r, session)
		if err != nil {
			return err
		}
		if !may(now, d.Event) {
			return h.cannot(w, r, now, http.StatusConflict)
		}
		moved := now.Since(d.Seen)
		d.Seen = now.Head
		return h.confirm(w, r, session, now, d, asking{moved: moved, status: status,
			refused: "This referral has moved since you read it, so nothing was done. Read what happened, and press the button again if you still want to."})
	case d.Text() != "" && aboutNote(f):
		return h.questions(w, r, session, s, d, asking{refused: "The note cannot be sent: " + text, status: status, noNote: !d.Event.Asks().Note})
	}
	return h.confirm(w, r, session, s, d, asking{refused: text, status: status})
}

// aboutNote reports whether it is what a step carries that was refused, and not the step: who
// decides without a note is not refused for that.
func aboutNote(f *fault.Fault) bool {
	return f.Kind == fault.Forbidden && !errors.Is(f, referral.ErrParty) && !errors.Is(f, partners.ErrScope) ||
		errors.Is(f, partners.ErrRecipientInactive)
}
