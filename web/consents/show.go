package consents

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"handover/consent"
	"handover/consent/record"
	"handover/internal/codes"
	"handover/oauth/signin"
	"handover/partners"
	"handover/referral"
	"handover/referral/managed"
	"handover/web/ask"
	"handover/web/shell"
)

// showView is one record.
type showView struct {
	ID        string
	Lines     []line
	State     string
	Tag       string
	Newer     string // the id of the record that took its place
	Mine      bool   // her agency recorded it
	Managed   bool   // the hub holds her agency's keys
	Stops     bool   // there is something that can be taken back
	Asked     bool   // somebody was asked, or it was decided for her
	Withdrawn *time.Time
	Read      []line // how she was asked and her words, if they were just opened
	Command   string // what her agency does in its own system
}

// read reads a record that her agency made, or is named in.
func (h *Handler) read(ctx context.Context, c partners.Caller, id string) (consent.Stored, record.Claims, error) {
	stored, err := h.Consents.Read(ctx, c, id)
	if err != nil {
		return stored, record.Claims{}, notThere(err)
	}
	stated, err := record.ParseConsent(stored.Record)
	return stored, stated.Unverified(), err
}

// notThere says of a record that she may not see what is said of everything that is not there.
func notThere(err error) error {
	if errors.Is(err, consent.ErrNotThere) || errors.Is(err, consent.ErrNeverNotThere) || errors.Is(err, consent.ErrOverrideNotThere) {
		return partners.ErrNotThere
	}
	return err
}

func (h *Handler) show(w http.ResponseWriter, r *http.Request, in signin.Session) error {
	stored, claims, err := h.read(r.Context(), in.Caller, mux.Vars(r)["consent"])
	if err != nil {
		return err
	}
	return h.shown(w, r, in, stored, claims, nil)
}

// herWords opens how she was asked and her words, which is logged as hers who opens it.
func (h *Handler) herWords(w http.ResponseWriter, r *http.Request, in signin.Session) error {
	opened, err := h.Desk.OpenConsent(r.Context(), in.Caller, mux.Vars(r)["consent"])
	if err != nil {
		return notThere(err)
	}
	lines := []line{}
	if opened.How.Alone != "" {
		lines = append(lines, line{Label: "How she was asked", Texts: HowInWords(opened.How)})
	}
	for _, part := range record.SealedParts() {
		if text := opened.Texts[part.Code]; text != "" {
			lines = append(lines, line{Label: ask.Upper(part.Label), Texts: []string{text}})
		}
	}
	return h.shown(w, r, in, opened.Stored, opened.Claims, lines)
}

func (h *Handler) shown(w http.ResponseWriter, r *http.Request, in signin.Session, stored consent.Stored, c record.Claims, opened []line) error {
	named, err := h.named(r.Context())
	if err != nil {
		return err
	}
	own := string(in.Caller.Partner())
	v := showView{ID: stored.ID, Lines: h.linesOf(c, named), Newer: stored.SupersededBy, Mine: c.Issuer == own, Managed: named[own].Custody == partners.HeldByHub,
		Asked: c.Circumstances != "", Withdrawn: stored.WithdrawnAt, Read: opened, Command: "handover consent show " + stored.ID}
	d := h.cardOf(referral.Recorded{Agreement: c.Agreement, Withdrawn: stored.WithdrawnAt != nil, Review: stored.Review, Ended: stored.State == "expired",
		Expires: time.Unix(c.Expires, 0)}, named, own)
	v.State, v.Tag = d.State, d.Tag
	if stored.State == "superseded" {
		v.State, v.Tag = "A later record stands in its place", "grey"
	}
	v.Stops = c.Grants() && stored.WithdrawnAt == nil && stored.State != "superseded"
	return h.pages.Show(w, r, http.StatusOK, "show", shell.Page{Title: "What she agreed to", Back: "/consents", Done: done(r), Body: v})
}

// linesOf is what a record says, to whoever may read it.
func (h *Handler) linesOf(c record.Claims, named map[string]partners.Partner) []line {
	var to, shares, withheld []string
	back := "No"
	for _, id := range c.Recipients {
		if id == c.Issuer {
			back = "Yes"
			continue
		}
		to = append(to, nameOf(named, id))
	}
	for _, label := range ask.Labels(codes.Sections(), c.Sections) {
		shares = append(shares, ask.Upper(label))
	}
	for _, label := range ask.Labels(codes.Sections(), c.Withheld) {
		withheld = append(withheld, ask.Upper(label))
	}
	said := ask.Upper(record.Agreements().Label(c.Agreement))
	if c.Method != "" {
		said += ", " + record.Methods().Label(c.Method)
	}
	lines := []line{{Label: "What she said", Texts: []string{said}}, {Label: "When", Texts: []string{h.shell.When(time.Unix(c.GivenAt, 0))}},
		{Label: "Asked by", Texts: []string{nameOf(named, c.Issuer)}}, {Label: "What for", Texts: []string{ask.Upper(codes.Purposes().Label(c.Purpose))}},
		{Label: "Who may know it", Texts: to}, {Label: "What they may know", Texts: shares}, {Label: "What they must not know", Texts: withheld},
		{Label: "May they write back about her?", Texts: []string{back}}, {Label: "May it travel on?", Texts: []string{ask.Upper(record.Onwards().Label(c.Onward))}}, {Label: "Until", Texts: []string{ask.Upper(h.until(time.Unix(c.Expires, 0)))}}}
	if !c.Grants() {
		lines[4].Label, lines[5].Label = "Who would have known it", "What they would have known"
		lines = lines[:6]
	}
	if c.Gate.Pathway != "none" {
		lines = append(lines, line{Label: "The law", Texts: []string{ask.Upper(record.Pathways().Label(c.Gate.Pathway))}})
	}
	for _, b := range c.Bases {
		lines = append(lines, line{Label: "What " + nameOf(named, b.Controller) + " relies on", Texts: ask.BasisInWords(b)})
	}
	if c.Notice.Version != "" {
		lines = append(lines, line{Label: "What she was told", Texts: []string{"Notice " + c.Notice.Version + ", in " + codes.Languages().Label(c.Notice.Language)}})
	}
	return withTexts(lines)
}

// withTexts leaves out the lines that say nothing.
func withTexts(lines []line) (some []line) {
	for _, l := range lines {
		if len(l.Texts) > 0 {
			some = append(some, l)
		}
	}
	return some
}

// renew begins to ask her again about the same: a record of its own, which takes the place of
// this one.
func (h *Handler) renew(w http.ResponseWriter, r *http.Request, in signin.Session) error {
	stored, c, err := h.read(r.Context(), in.Caller, mux.Vars(r)["consent"])
	switch {
	case err != nil:
		return err
	case c.Issuer != string(in.Caller.Partner()):
		return partners.ErrNotThere // only who asked her asks her again
	}
	d, err := h.Desk.BeginDraft(r.Context(), in.Caller, managed.ConsentDraft)
	if err != nil {
		return err
	}
	s := said{ask.Sheet{Draft: d}}
	for _, id := range c.Recipients {
		if id != c.Issuer {
			s.Set(toKey, append(s.All(toKey), id)...)
		}
	}
	s.Set(purposeKey, c.Purpose)
	s.Set(sectionsKey, c.Sections...)
	s.Set(subjectKey, c.Subject)
	if c.Gate.Authority != "" {
		s.Set(areaKey, c.Gate.Authority)
	}
	if err := h.supersede(r, in.Caller, s, stored.ID); err != nil {
		return err
	}
	return h.keep(w, r, in, s, "")
}

// newID is the id of what a form will record, made when the form is: sent twice, it is one.
func newID() (string, error) {
	id, err := uuid.NewV7()
	return id.String(), err
}
