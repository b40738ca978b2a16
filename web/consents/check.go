package consents

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"handover/consent"
	"handover/consent/record"
	"handover/internal/codes"
	"handover/internal/fault"
	"handover/oauth/signin"
	"handover/partners"
	"handover/referral/managed"
	"handover/web/ask"
	"handover/web/shell"
)

// line is one line of what is checked, with the page on which it is changed.
type line struct {
	Label  string
	Texts  []string
	Change string
	What   string // is changed there, for who hears the link alone
}

// checkView is what is recorded, before it is.
type checkView struct {
	Lines  []line
	Sealed bool // something is sealed to her agency
	Review bool // a manager has to look at it first
	No     bool // nothing is shared on it
	Button string
	Seen   string // when what this page shows was saved: nothing else is recorded by it
}

func (h *Handler) checkPage(w http.ResponseWriter, r *http.Request, in signin.Session) error {
	s, by, err := h.open(r, in)
	if err != nil {
		return err
	}
	if r.Method == http.MethodPost && s.One(recordedKey) != "" {
		return h.recorded(w, in, s) // the second of two taps
	}
	if !inOrder(w, s, "check") {
		return nil
	}
	named, err := h.named(r.Context())
	if err != nil {
		return err
	}
	var mistakes []shell.Mistake
	status := http.StatusOK
	saved := s.Changed.UTC().Format(time.RFC3339Nano)
	if r.Method == http.MethodPost {
		form, err := shell.Form(w, r)
		if err != nil {
			return err
		}
		if seen := form.Get("seen"); seen != "" && seen != saved {
			mistakes = []shell.Mistake{{Text: "Nothing was recorded: this has changed since you looked at it. Read it to her again, and record it if it is right."}}
		} else if mistakes, err = h.record(r, in, s, by); err != nil {
			return err
		}
		if len(mistakes) == 0 {
			return h.recorded(w, in, s)
		}
		status = http.StatusUnprocessableEntity
	}
	v := checkView{Lines: s.lines(by, named), Sealed: len(s.words()) > 0, Review: s.doubtful() && s.grants(), No: !s.grants(), Button: "Record what she said", Seen: saved}
	if !s.wasAsked() {
		v.Button = "Record this"
	}
	return h.pages.Show(w, r, status, "check", shell.Page{Title: "Check before you record it", Back: s.before("check"), Mistakes: mistakes, Body: v})
}

// record records what she said: first with whom nothing is ever to be shared, so that at no
// moment something could pass that she forbids. A refusal that she who asked can mend is a
// mistake on the page.
func (h *Handler) record(r *http.Request, in signin.Session, s said, by asker) ([]shell.Mistake, error) {
	if _, why := s.grounds(by.category).Lacks(); why != "" && s.grants() {
		return []shell.Mistake{{Text: "Change what your agency relies on. " + why}}, nil
	}
	ctx := r.Context()
	if never := s.All(neverKey); len(never) > 0 {
		_, err := h.Desk.Never(ctx, in.Caller, managed.Never{ID: s.One(neverIDKey), Subjects: []string{s.One(subjectKey)}, Recipients: never})
		if err != nil {
			return nil, err
		}
	}
	_, err := h.Desk.Record(ctx, in.Caller, s.saying(by))
	if errors.Is(err, record.ErrClaim) {
		return []shell.Mistake{{Text: whyOf(err)}}, nil
	}
	if err != nil {
		return nil, err
	}
	s.Set(recordedKey, s.One(idKey))
	if err := h.Desk.KeepDraft(ctx, in.Caller, s.Draft); err != nil && !errors.Is(err, managed.ErrDraftChanged) { // by the other of two taps
		return nil, err
	}
	return nil, nil
}

// whyOf is what a refusal of a claim says about it.
func whyOf(err error) string {
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		if why, ok := f.Members()["why"].(string); ok && why != "" {
			return why
		}
		return f.Text
	}
	return ""
}

// recorded leads on: to the referral, to the record where it was asked about alone, or to what
// has to be done first.
func (h *Handler) recorded(w http.ResponseWriter, _ signin.Session, s said) error {
	switch {
	case !s.grants() || s.doubtful():
		shell.See(w, path(s, "recorded"))
	case s.Kind == managed.ConsentDraft:
		shell.See(w, "/consents/"+s.One(idKey)+"?done=recorded")
	default:
		shell.See(w, "/send/"+s.ID+"?done=consent")
	}
	return nil
}

// lines are what will be recorded, in the order in which it was asked.
func (s said) lines(by asker, named map[string]partners.Partner) []line {
	lines := []line{{Label: "What she said", Texts: []string{ask.Upper(record.Agreements().Label(s.agreement()))}, Change: path(s, ""), What: "what she said"}}
	add := func(label, change, what string, texts ...string) {
		if len(texts) > 0 {
			lines = append(lines, line{Label: label, Texts: texts, Change: change, What: what})
		}
	}
	add("What for", "", "", ask.Upper(codes.Purposes().Label(s.One(purposeKey))))
	who, what := "Who may know it", "What they may know"
	if !s.grants() {
		who, what = "Who would have known it", "What they would have known"
	}
	var to []string
	for _, id := range s.recipients(by.id, by.police) {
		if id != by.id {
			to = append(to, nameOf(named, id))
		}
	}
	add(who, path(s, ""), "who may know it", to...)
	var shares []string
	for _, label := range ask.Labels(codes.Sections(), s.shares()) {
		shares = append(shares, ask.Upper(label))
	}
	add(what, path(s, ""), "what they may know", shares...)
	if s.grants() {
		back := "No: only whether they take her on"
		if s.One(backKey) == "yes" {
			back = "Yes, about the same things"
		}
		add("They may write back about her", path(s, ""), "whether they may write back", back)
		add("Until", path(s, "words"), "until when", "The end of "+s.until(by.zone).AddDate(0, 0, -1).Format("2 January 2006"))
	}
	if how := s.how(); how != nil {
		add("How she was asked", path(s, "how"), "how she was asked", s.howInWords(*how)...)
		for _, sealed := range []struct{ label, key, page string }{{"Her own words", wordsKey, "words"}, {"What you saw", seenKey, "words"}, {"Whether she could decide", decisionKey, "capacity"}} {
			if text := s.One(sealed.key); text != "" {
				add(sealed.label, path(s, sealed.page), strings.ToLower(sealed.label), text)
			}
		}
	}
	var never []string
	for _, id := range s.All(neverKey) {
		never = append(never, nameOf(named, id))
	}
	add("Never told", path(s, "words"), "who is never told", never...)
	if s.grants() {
		add("What your agency relies on", path(s, "basis"), "what your agency relies on", ask.BasisInWords(s.grounds(by.category).Basis())...)
	}
	return lines
}

// howInWords says how she was asked.
func (s said) howInWords(how record.Circumstances) []string {
	var words []string
	if s.wasAsked() {
		words = append(words, ask.Upper(record.Methods().Label(s.One(methodKey))))
	}
	return append(words, HowInWords(how)...)
}

// HowInWords says in words what the codes of the circumstances say.
func HowInWords(how record.Circumstances) []string {
	alone := "She was alone with the worker"
	if how.Alone != "yes" {
		alone = "She was not alone with the worker"
	}
	return []string{alone, ask.Upper(record.Coercions().Label(how.Coercion)), "Interpreter: " + record.Interpreters().Label(how.Interpreter),
		"Language: " + codes.Languages().Label(how.Language), ask.Upper(record.Capacities().Label(how.Capacity))}
}

// recordedView is what happens now that she did not say a plain yes.
type recordedView struct {
	Draft    string
	Consent  string
	Review   bool
	Managers []string // who can look at it
	No       bool     // she said no
	Law      bool     // nothing else can stand in the place of her yes
	Override string   // where to propose sharing without it, or ""
}

// recordedPage says what was recorded and what can be done now.
func (h *Handler) recordedPage(w http.ResponseWriter, r *http.Request, in signin.Session) error {
	s, _, err := h.open(r, in)
	if err != nil {
		return err
	}
	if s.One(recordedKey) == "" {
		shell.See(w, path(s, ""))
		return nil
	}
	v := recordedView{Draft: back(s), Consent: s.One(recordedKey), Review: s.grants() && s.doubtful(), No: s.agreement() == "refused", Law: s.needsHerYes()}
	if v.Review {
		if v.Managers, err = h.managers(r, in.Caller); err != nil {
			return err
		}
	}
	if !s.grants() && !v.Law && s.Kind == managed.ReferralDraft && in.Caller.Has(partners.ConsentsOverride) {
		v.Override = "/overrides/new/" + s.ID
	}
	title := "What she said is recorded"
	if !s.wasAsked() && !s.decidedForHer() {
		title = "It is recorded that she was not asked"
	}
	return h.pages.Show(w, r, http.StatusOK, "recorded", shell.Page{Title: title, Back: back(s), Body: struct {
		recordedView
		Heading string
		Again   string
		Yes     bool
	}{v, title, path(s, "again"), s.grants() && !v.Review}})
}

// managers are who else of the agency can decide.
func (h *Handler) managers(r *http.Request, c partners.Caller) ([]string, error) {
	people, err := h.Partners.People(r.Context(), c)
	var names []string
	for _, p := range people {
		if p.Role == partners.Manager && p.Status == partners.UserActive && p.ID != c.User() {
			names = append(names, p.Name)
		}
	}
	return names, err
}

// again has her asked once more about the same draft: the next record takes the place of this
// one, which stays as it was said.
func (h *Handler) again(w http.ResponseWriter, r *http.Request, in signin.Session) error {
	s, _, err := h.open(r, in)
	if err != nil {
		return err
	}
	before, subject := s.One(recordedKey), s.One(subjectKey)
	if before == "" {
		shell.See(w, path(s, ""))
		return nil
	}
	s.Forget("consent-")
	s.Forget("override") // what was decided without her answer is not what goes, now that she is asked
	delete(s.Answers, recordedKey)
	s.Set(subjectKey, subject)
	if err := h.supersede(r, in.Caller, s, before); err != nil {
		return err
	}
	return h.keep(w, r, in, s, "")
}

// supersede has the next record take the place of the newest of a chain. What she took back
// stays taken back: the next one stands by itself.
func (h *Handler) supersede(r *http.Request, c partners.Caller, s said, id string) error {
	stored, err := h.newest(r, c, id)
	if err == nil && stored.WithdrawnAt == nil {
		s.Set(supersedesKey, stored.ID)
	}
	return err
}

// newest reads the newest record of a chain that the caller is shown.
func (h *Handler) newest(r *http.Request, c partners.Caller, id string) (consent.Stored, error) {
	stored, err := h.Consents.Read(r.Context(), c, id)
	for err == nil && stored.SupersededBy != "" {
		stored, err = h.Consents.Read(r.Context(), c, stored.SupersededBy)
	}
	return stored, notThere(err)
}
