// Package consents is the pages on which a worker asks a woman what may be shared, and looks
// after what she said.
//
// Asking her is at most four pages for a plain yes, on the draft of the referral (or on one of
// its own, when a record is renewed): told.go (what she is told, and what she says), how.go (how
// she was asked), words.go (her own words, whom never to tell, until when) and check.go, which
// records it. said.go is what the draft says as a record; basis.go what the agency relies on;
// notice.go what every woman is told. list.go and show.go are the agency's own records,
// renew.go and withdraw.go what follows when she says it again or takes it back, nevers.go with
// whom nothing is ever to be shared.
package consents

import (
	"context"
	"embed"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"handover/consent"
	"handover/consent/record"
	"handover/oauth/signin"
	"handover/partners"
	"handover/referral"
	"handover/referral/managed"
	"handover/web/ask"
	"handover/web/shell"
)

//go:embed all:templates
var templates embed.FS

// Config is what the pages are made of.
type Config struct {
	Desk      *managed.Desk
	Consents  *consent.Store
	Referrals *referral.Store
	Partners  *partners.Store
	Withdrawn func() // told that she took something back; nil: nobody has to hurry
	Now       func() time.Time
}

// Handler serves the pages.
type Handler struct {
	Config
	shell *shell.Shell
	pages *shell.Pages
	zone  *time.Location
}

// New returns the pages.
func New(s *shell.Shell, c Config) (*Handler, error) {
	pages, err := s.Pages(templates)
	if err != nil {
		return nil, err
	}
	zone, err := time.LoadLocation("Europe/London")
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Handler{Config: c, shell: s, pages: pages, zone: zone}, err
}

// Mount adds the routes.
func (h *Handler) Mount(r *mux.Router) {
	page := func(path string, do func(http.ResponseWriter, *http.Request, signin.Session) error, methods ...string) {
		r.Handle(path, h.shell.Allow(do, partners.ConsentsWrite)).Methods(methods...)
	}
	const get, post = http.MethodGet, http.MethodPost
	page("/send/{draft}/consent", h.toldPage, get, post)
	page("/send/{draft}/consent/not-asked", h.notAskedPage, get, post)
	page("/send/{draft}/consent/how", h.howPage, get, post)
	page("/send/{draft}/consent/capacity", h.capacityPage, get, post)
	page("/send/{draft}/consent/words", h.wordsPage, get, post)
	page("/send/{draft}/consent/basis", h.basisPage, get, post)
	page("/send/{draft}/consent/check", h.checkPage, get, post)
	page("/send/{draft}/consent/recorded", h.recordedPage, get)
	page("/send/{draft}/consent/again", h.again, post)
	page("/consents", h.list, get)
	page("/consents/{consent}", h.show, get)
	page("/consents/{consent}/words", h.herWords, post)
	page("/consents/{consent}/renew", h.renew, post)
	page("/consents/{consent}/withdraw", h.withdrawPage, get, post)
	page("/consents/{consent}/holders", h.holders, get)
	page("/nevers", h.nevers, get)
	page("/nevers/new/{consent}", h.newNever, get, post)
	page("/nevers/{never}/lift", h.liftPage, get, post)
}

// path is that of a page about her agreement on the draft.
func path(s said, page string) string {
	p := "/send/" + s.ID + "/consent"
	if page != "" {
		p += "/" + page
	}
	return p
}

// back is where the pages of a draft begin.
func back(s said) string {
	if s.Kind == managed.ConsentDraft {
		return "/consents"
	}
	return "/send/" + s.ID
}

// open opens the draft that a request is about, and says who asks.
func (h *Handler) open(r *http.Request, in signin.Session) (said, asker, error) {
	d, err := h.Desk.Draft(r.Context(), in.Caller, mux.Vars(r)["draft"])
	if err != nil {
		return said{}, asker{}, err
	}
	s := said{ask.Sheet{Draft: d}}
	if s.One(recordedKey) == "" && s.Has(aboutKey) && s.One(aboutKey) != s.about() {
		s.Forget("consent-") // the referral was changed since: she is asked anew
	}
	by := asker{id: string(in.Caller.Partner()), category: string(in.Caller.Category()), zone: h.zone}
	named, err := h.named(r.Context())
	by.police = func(id string) bool { return named[id].Category == partners.Police }
	return s, by, err
}

// named is every agency by its id.
func (h *Handler) named(ctx context.Context) (map[string]partners.Partner, error) {
	all, err := h.Partners.Directory(ctx)
	named := make(map[string]partners.Partner, len(all))
	for _, p := range all {
		named[string(p.ID)] = p
	}
	return named, err
}

// nameOf is what a recipient of a record is called.
func nameOf(named map[string]partners.Partner, recipient string) string {
	if kind, is := strings.CutPrefix(recipient, record.CategoryPrefix); is {
		if kind == string(partners.Police) {
			return "The police"
		}
		return "Every agency of the kind: " + partners.Category(kind).Title()
	}
	if p, there := named[recipient]; there {
		return p.Name
	}
	return recipient
}

// keep keeps the draft and leads to the next page.
func (h *Handler) keep(w http.ResponseWriter, r *http.Request, in signin.Session, s said, next string) error {
	if err := h.Desk.KeepDraft(r.Context(), in.Caller, s.Draft); err != nil {
		return err
	}
	shell.See(w, path(s, next))
	return nil
}

// begin gives what will be recorded its ids and its time, once: what is sent twice is the same.
func (s said) begin(now time.Time) error {
	for _, key := range []string{idKey, neverIDKey} {
		id, err := uuid.NewV7()
		if err != nil {
			return err
		}
		s.Default(key, id.String())
	}
	s.Default(subjectKey, record.NewSubject())
	s.Set(aboutKey, s.about())
	s.Default(givenKey, strconv.FormatInt(now.Unix(), 10))
	return nil
}

// locked leads to what was recorded, if something was: what she said is not changed by
// changing a form.
func locked(w http.ResponseWriter, s said) bool {
	if s.One(recordedKey) == "" {
		return false
	}
	shell.See(w, path(s, "recorded"))
	return true
}

// inOrder leads to the first page that has to be answered before this one.
func inOrder(w http.ResponseWriter, s said, page string) bool {
	if locked(w, s) {
		return false
	}
	for _, step := range s.steps() {
		if step == page {
			return true
		}
		if !s.answered(step) {
			shell.See(w, path(s, step))
			return false
		}
	}
	shell.See(w, path(s, ""))
	return false
}

// steps are the pages for what she said, in order. A plain yes has four.
func (s said) steps() []string {
	switch {
	case s.agreement() == "not-asked-unsafe", s.agreement() == "not-asked-impracticable", s.agreement() == notAsked:
		return []string{"", "not-asked", "check"}
	case s.decidedForHer(), slices.Contains([]string{"has", "doubt"}, s.One(capacityKey)):
		return []string{"", "how", "capacity", "words", "check"}
	}
	return []string{"", "how", "words", "check"}
}

// answered reports whether a page was answered.
func (s said) answered(step string) bool {
	switch step {
	case "":
		return s.agreement() != ""
	case "not-asked":
		return s.agreement() != notAsked
	case "how":
		return s.One(aloneKey) != ""
	case "capacity":
		return s.Has(decisionKey)
	case "words":
		return s.Has(wordsKey)
	}
	return false
}

// after is the page after one.
func (s said) after(page string) string {
	steps := s.steps()
	at := slices.Index(steps, page)
	return steps[min(at+1, len(steps)-1)]
}

// before is the address of the page before one.
func (s said) before(page string) string {
	at := slices.Index(s.steps(), page)
	if at <= 0 {
		return back(s)
	}
	return path(s, s.steps()[at-1])
}
