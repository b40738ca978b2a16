package overrides

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"handover/audit/proof"
	"handover/consent"
	"handover/consent/record"
	"handover/internal/codes"
	"handover/internal/ids"
	"handover/oauth/signin"
	"handover/partners"
	"handover/web/ask"
	"handover/web/shell"
)

// about begins the log entry of a refusal. Nothing that a browser invents reaches the log.
func about(in signin.Session, consent, override string) proof.Entry {
	e := in.Caller.Entry("refused")
	if ids.IsUUID(consent) {
		e.Consent = consent
	}
	if ids.IsUUID(override) {
		e.Override = override
	}
	return e
}

// overrideView is one override.
type overrideView struct {
	ID       string
	Lines    []line
	State    string
	Tag      string
	By       string // who proposed it
	Own      bool   // her agency made it
	Managed  bool
	Texts    []line // its texts, once they were opened
	Decides  bool   // she can decide it
	Reviews  bool   // she can look at it again
	Ends     bool   // she can end it: who proposed it may
	Mine     bool   // she proposed it, so that another has to decide it
	Managers []string
	EndsAt   time.Time // of an emergency that nobody has decided
	ReviewAt time.Time
	Draft    string // the referral that it was proposed for just now
}

// open reads an override that her agency made, or is the recipient of.
func (h *Handler) open(r *http.Request, in signin.Session) (consent.StoredOverride, record.OverrideClaims, error) {
	stored, err := h.Consents.ReadOverride(r.Context(), in.Caller, mux.Vars(r)["override"])
	if err != nil {
		return stored, record.OverrideClaims{}, notThere(err)
	}
	stated, err := record.ParseOverride(stored.Override)
	return stored, stated.Unverified(), err
}

// override shows it; posted to, it opens the texts, which is logged as hers who reads them, or
// ends it for who proposed it.
func (h *Handler) override(w http.ResponseWriter, r *http.Request, in signin.Session) error {
	id := mux.Vars(r)["override"]
	if r.Method == http.MethodGet {
		stored, claims, err := h.open(r, in)
		if err != nil {
			return err
		}
		return h.shown(w, r, in, stored, claims, nil)
	}
	form, err := shell.Form(w, r)
	if err != nil {
		return err
	}
	if form.Get("act") == "end" {
		if _, err := h.Desk.Review(r.Context(), in.Caller, id, form.Get("id"), 0); err != nil {
			return partners.Concerning(notThere(err), about(in, "", id))
		}
		shell.See(w, "/overrides/"+id+"?done=ended")
		return nil
	}
	opened, err := h.Desk.OpenOverride(r.Context(), in.Caller, id)
	if err != nil {
		return notThere(err)
	}
	return h.shown(w, r, in, opened.StoredOverride, opened.Claims, textsOf(opened.Texts))
}

func textsOf(texts map[string]string) []line {
	var lines []line
	for _, part := range record.OverrideParts() {
		if text := texts[part.Code]; text != "" {
			lines = append(lines, line{Label: ask.Upper(part.Label), Texts: []string{text}})
		}
	}
	return lines
}

func (h *Handler) shown(w http.ResponseWriter, r *http.Request, in signin.Session, stored consent.StoredOverride, c record.OverrideClaims, texts []line) error {
	named, err := h.named(r.Context())
	if err != nil {
		return err
	}
	own := string(in.Caller.Partner())
	v := overrideView{ID: stored.ID, Own: c.Issuer == own, Managed: named[own].Custody == partners.HeldByHub, Texts: texts, ReviewAt: stored.ReviewAt,
		Mine: c.Act == in.Caller.User(), Lines: append(h.linesOf(c, named), line{Label: "Its number", Texts: []string{stored.ID}})}
	if draft := r.URL.Query().Get("draft"); ids.IsUUIDv7(draft) {
		v.Draft = "/send/" + draft
	}
	v.State, v.Tag = stateInWords(stored.State)
	if v.Own {
		var names map[string]string
		if names, v.Managers, err = h.colleagues(r.Context(), in.Caller); err != nil {
			return err
		}
		v.By = names[c.Act]
	}
	if stored.State == "emergency" {
		v.EndsAt = stored.RecordedAt.Add(record.EmergencyLife)
	}
	manager := v.Own && v.Managed && !v.Mine && in.Caller.Role() == partners.Manager
	undecided := stored.DecidedAt == nil
	v.Decides = manager && undecided && stored.EndedAt == nil
	v.Reviews = manager && stored.State == "approved"
	v.Ends = v.Own && v.Managed && v.Mine && slices.Contains([]string{"proposed", "emergency", "approved"}, stored.State)
	view := struct {
		overrideView
		EndID string
	}{overrideView: v}
	if view.EndID, err = newID(); err != nil {
		return err
	}
	backTo := "/"
	if in.Caller.Role() == partners.Manager {
		backTo = "/reviews"
	}
	return h.pages.Show(w, r, http.StatusOK, "override", shell.Page{Title: "Sharing without agreement", Back: backTo, Done: done(r), Body: view})
}

// linesOf is what an override says, without its texts.
func (h *Handler) linesOf(c record.OverrideClaims, named map[string]partners.Partner) []line {
	upper := func(list codes.List, chosen []string) (words []string) {
		for _, label := range ask.Labels(list, chosen) {
			words = append(words, ask.Upper(label))
		}
		return words
	}
	told := "Yes"
	if c.Told != "yes" {
		told = "No: " + record.NotToldReasons().Label(c.NotTold)
	}
	urgent := "No"
	if c.Emergency {
		urgent = "Yes: it counts for 24 hours before a manager has decided it"
	}
	lines := []line{
		{Label: "What she said", Texts: upper(record.Agreements(), []string{c.Agreement})},
		{Label: "Shared with", Texts: []string{nameOf(named, c.Recipient)}},
		{Label: "What for", Texts: upper(codes.Purposes(), []string{c.Purpose})},
		{Label: "What is shared", Texts: upper(codes.Sections(), c.Sections)},
		{Label: "Why", Texts: upper(record.Reasons(), []string{c.Reason})},
		{Label: "Who is at risk", Texts: upper(record.AtRisks(), c.AtRisk)},
		{Label: "Has she been told?", Texts: []string{told}},
		{Label: "Emergency", Texts: []string{urgent}},
		{Label: "Until", Texts: []string{h.shell.Day(time.Unix(c.Expires, 0))}},
		{Label: "Looked at again on", Texts: []string{h.shell.Day(time.Unix(c.ReviewAt, 0))}},
	}
	for _, b := range c.Bases {
		lines = append(lines, line{Label: "What " + nameOf(named, b.Controller) + " relies on", Texts: ask.BasisInWords(b)})
	}
	return lines
}

// decideView is a decision to be taken, by who has read what it is about.
type decideView struct {
	ID       string
	Lines    []line
	Texts    []line
	Question ask.Questions
	Form     string // the id of what will be recorded
	Open     bool   // she has it open, and can answer
}

// decidePage has a manager open an override, which is logged, and decide it. Reading and
// deciding are one page: who decides has read.
func (h *Handler) decidePage(w http.ResponseWriter, r *http.Request, in signin.Session) error {
	return h.decides(w, r, in, "decide", decisions(), func(id, jti, answer string) (string, error) {
		_, err := h.Desk.Decide(r.Context(), in.Caller, id, jti, answer)
		return answer, err
	})
}

func decisions() ask.Questions {
	q := ask.Radios("answer", "Do you approve it?", codes.List{
		{Code: record.Approved, Label: "yes: it is necessary, and it is the least that does"},
		{Code: record.Refused, Label: "no: nothing is shared on it"}}, "")
	q.Hint = "You answer for this with your name. Ask who proposed it if anything is not clear."
	return ask.Questions{q}
}

// reviewPage has a manager look at it again, and say until when it goes on, or that it ends.
func (h *Handler) reviewPage(w http.ResponseWriter, r *http.Request, in signin.Session) error {
	q := ask.Radios("answer", "Does it go on?", codes.List{
		{Code: "3", Label: "yes: look at it again in 3 days"}, {Code: "7", Label: "yes: look at it again in 7 days"},
		{Code: "14", Label: "yes: look at it again in 14 days"}, {Code: record.Ended, Label: "no: it ends now"}}, "")
	q.Hint = "It goes on only while it is necessary. Has anything changed? Can she be asked now?"
	return h.decides(w, r, in, "review", ask.Questions{q}, func(id, jti, answer string) (string, error) {
		next := int64(0)
		if days, err := strconv.Atoi(answer); err == nil {
			stored, claims, err := h.open(r, in)
			if err != nil {
				return "", err
			}
			next = h.next(stored, claims, days)
		}
		_, err := h.Desk.Review(r.Context(), in.Caller, id, jti, next)
		if next == 0 {
			return "ended", err
		}
		return "continues", err
	})
}

// next is the day to look at it again: in so many days, or, if it ends before, then. It is
// counted from midnight, so that the same form sent twice names the same moment.
func (h *Handler) next(_ consent.StoredOverride, c record.OverrideClaims, days int) int64 {
	now := h.Now().UTC()
	day := time.Date(now.Year(), now.Month(), now.Day()+days, 0, 0, 0, 0, time.UTC).Unix()
	return min(day, c.Expires)
}

// decides is the page on which a manager who has just proved who she is reads the whole of an
// override and answers a question about it. It opens by an act and never by its address: going
// back, or loading it again, shows it closed.
func (h *Handler) decides(w http.ResponseWriter, r *http.Request, in signin.Session, page string, q ask.Questions, do func(id, jti, answer string) (string, error)) error {
	if err := manages(in); err != nil {
		return err
	}
	id, status := mux.Vars(r)["override"], http.StatusOK
	if r.Method == http.MethodGet {
		stored, claims, err := h.open(r, in)
		if err != nil {
			return err
		}
		return h.showDecide(w, r, in, status, page, q, decideView{ID: stored.ID}, claims)
	}
	form, err := shell.Form(w, r)
	if err != nil {
		return err
	}
	if answer := form.Get("answer"); slices.ContainsFunc(q[0].Choices, func(c shell.Choice) bool { return c.Value == answer }) {
		said, err := do(id, form.Get("id"), answer)
		if err != nil {
			return partners.Concerning(notThere(err), about(in, "", id))
		}
		shell.See(w, "/overrides/"+id+"?done="+said)
		return nil
	}
	if form.Get("act") != "open" {
		q.Wrong("answer", "Answer the question")
		status = http.StatusUnprocessableEntity
	}
	opened, err := h.Desk.OpenOverride(r.Context(), in.Caller, id)
	if err != nil {
		return notThere(err)
	}
	return h.showDecide(w, r, in, status, page, q, decideView{ID: id, Texts: textsOf(opened.Texts), Open: true}, opened.Claims)
}

// showDecide shows an override that a manager is to answer about, open or closed.
func (h *Handler) showDecide(w http.ResponseWriter, r *http.Request, in signin.Session, status int, page string, q ask.Questions, v decideView, c record.OverrideClaims) error {
	switch {
	case c.Issuer != string(in.Caller.Partner()):
		return partners.ErrNotThere // whoever received it reads none of its texts
	case c.Act == in.Caller.User() && page == "decide":
		return consent.ErrSamePerson
	}
	named, err := h.named(r.Context())
	if err != nil {
		return err
	}
	v.Lines, v.Question = h.linesOf(c, named), q
	if v.Form, err = newID(); err != nil {
		return err
	}
	return h.pages.Show(w, r, status, "decide", shell.Page{Title: "Sharing without agreement", Back: "/overrides/" + v.ID, Mistakes: q.Mistakes(), Body: v})
}
