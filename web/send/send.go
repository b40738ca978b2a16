// Package send is the pages on which somebody sends a referral: for an agency with no IT, on a
// phone, one question a page.
//
// start.go begins a draft and lists those that are begun. services.go finds who can help, also
// for those who only look. tasks.go is what there is to do and in which order; questions.go says
// which pages there are about the sections, question.go and field.go show them, shape.go and
// value.go turn what is typed into what the schemas of the sections want. check.go shows what
// will be sent and who reads it, send.go has the desk send it, refused.go leads from each
// refusal to the page that mends it.
//
// What is typed is in forms and in the sealed draft, and nowhere else: no address and no title
// says anything about her.
package send

import (
	"context"
	"embed"
	"errors"
	"net/http"
	"slices"
	"time"

	_ "time/tzdata" // London's clock, also where the machine has none

	"github.com/gorilla/mux"

	"handover/audit"
	"handover/consent"
	"handover/oauth/signin"
	"handover/partners"
	"handover/referral"
	"handover/referral/managed"
	"handover/web/shell"
)

//go:embed all:templates
var templates embed.FS

// Config is what the pages are made of.
type Config struct {
	Partners  *partners.Store
	Referrals *referral.Store
	Consents  *consent.Store
	Desk      *managed.Desk
	Log       *audit.Log
	Now       func() time.Time // default: time.Now
}

// Handler serves the pages.
type Handler struct {
	Config
	shell  *shell.Shell
	pages  *shell.Pages
	shapes map[string]*shape
	zone   *time.Location
	now    func() time.Time
}

// New returns the pages.
func New(s *shell.Shell, c Config) (*Handler, error) {
	h := &Handler{Config: c, shell: s, now: c.Now}
	if h.now == nil {
		h.now = time.Now
	}
	var err error
	if h.zone, err = time.LoadLocation("Europe/London"); err != nil {
		return nil, err
	}
	if h.shapes, err = shapes(); err != nil {
		return nil, err
	}
	h.pages, err = s.Pages(templates)
	return h, err
}

// Mount adds the routes. The pages about her agreement, below /send/{draft}/consent, are those of
// another room.
func (h *Handler) Mount(r *mux.Router) {
	const get, post = http.MethodGet, http.MethodPost
	may := func(path string, do func(http.ResponseWriter, *http.Request, signin.Session) error, method string) {
		r.Handle(path, h.shell.Allow(do, partners.ReferralsSend)).Methods(method)
	}
	r.Handle("/services", h.shell.SignedIn(h.directory)).Methods(get)
	r.Handle("/services", h.shell.SignedIn(h.directory)).Methods(post)
	may("/send", h.start, get)
	may("/send", h.begin, post)
	may("/send/under-18", h.underEighteen, get)
	may("/send/sent/{referral}", h.sent, get)
	may("/send/{draft}", h.tasks, get)
	may("/send/{draft}/delete", h.deletePage, get)
	may("/send/{draft}/delete", h.delete, post)
	may("/send/{draft}/find", h.findPage, get)
	may("/send/{draft}/find", h.find, post)
	may("/send/{draft}/choose", h.choosePage, get)
	may("/send/{draft}/choose", h.choose, post)
	may("/send/{draft}/urgency", h.urgencyPage, get)
	may("/send/{draft}/urgency", h.urgency, post)
	may("/send/{draft}/check", h.checkPage, get)
	may("/send/{draft}/warning", h.warning, get)
	may("/send/{draft}/send", h.send, post)
	section := "/send/{draft}/about/{section}"
	may(section, h.sectionPage, get)
	may(section, h.removeSection, post)
	may(section+"/{question}", h.questionPage, get)
	may(section+"/{question}", h.question, post)
}

// work is a draft that a page is about, with what bounds it.
type work struct {
	managed.Draft
	a      answers
	to     partners.Partner // zero before a service is chosen
	police bool
	may    []string        // sections that can go to them at all
	rules  []partners.Rule // what the firewall says of their kind
}

// asks is where what she agreed to is looked at again: her answer, or the decision to share
// without it.
func (w work) asks() string {
	if id := w.a.one(overrideKey); id != "" {
		return "/overrides/" + id
	}
	if w.a.one(consentKey) != "" {
		return w.path("consent/recorded")
	}
	return w.path("consent")
}

// path is that of a page about the draft; "" is its task list.
func (w work) path(page string) string {
	if page == "" {
		return "/send/" + w.ID
	}
	return "/send/" + w.ID + "/" + page
}

// about is the path of a section, or of a question about one.
func (w work) about(key string) string { return w.path("about/" + key) }

// open opens the caller's draft of a referral that the request is about.
func (h *Handler) open(r *http.Request, c partners.Caller) (work, error) {
	d, err := h.Desk.Draft(r.Context(), c, mux.Vars(r)["draft"])
	if err != nil {
		return work{}, err
	}
	if d.Kind != managed.ReferralDraft {
		return work{}, managed.ErrDraftGone
	}
	w := work{Draft: d, a: d.Answers}
	return w, h.bound(r.Context(), c, &w)
}

// bound reads to whom it goes, and what may go there. Where that agency takes part no more,
// somebody else has to be found.
func (h *Handler) bound(ctx context.Context, c partners.Caller, w *work) error {
	w.to, w.police, w.may, w.rules = partners.Partner{}, false, nil, nil
	to := partners.ID(w.a.one(toKey))
	if to == "" {
		return nil
	}
	found, err := h.Partners.Find(ctx, to)
	if errors.Is(err, partners.ErrNotThere) {
		w.a.say(serviceKey)
		w.a.say(toKey)
		return nil
	}
	if err != nil {
		return err
	}
	reach, err := h.Partners.Reach(ctx, c, to)
	if err != nil {
		return err
	}
	w.to, w.police = found, found.Category == partners.Police
	w.may, w.rules = reach.Sections(to, w.a.one(purposeKey)), reach.Rules(to)
	return nil
}

// keep keeps the draft. She is asked about what has something in it and may go.
func (h *Handler) keep(ctx context.Context, c partners.Caller, w work) error {
	w.a.say(sectionsKey, w.sections()...)
	return h.Desk.KeepDraft(ctx, c, w.Draft)
}

// sections are those with something in them that may go.
func (w work) sections() []string {
	return slices.DeleteFunc(w.a.filled(), func(name string) bool { return !slices.Contains(w.may, name) })
}

// own reports whether the caller's agency holds its own keys, so that it sends from its own
// system.
func (h *Handler) own(ctx context.Context, c partners.Caller) (bool, error) {
	p, err := h.Partners.Find(ctx, c.Partner())
	return p.Custody == partners.HeldByPartner, err
}

// later is where "Save and come back later" leads.
const later = "/send?done=kept"
