package casework

import (
	"net/http"
	"slices"
	"strings"

	"handover/internal/codes"
	"handover/internal/fault"
	"handover/oauth/signin"
	"handover/partners"
	"handover/referral"
	"handover/referral/packet"
	"handover/web/inbox"
	"handover/web/shell"
)

// shown is what the page of a referral shows besides the referral.
type shown struct {
	content *content     // what was opened just now; nil: nothing
	opening opening      // how
	refusal *fault.Fault // it was not opened
}

// page is the referral as its page shows it, in reading order: how to reach her safely, by when
// to respond, what she agreed to, what she needs, what could hurt her, the rest.
type page struct {
	*seen
	Service, Urgency, Purpose, Area, Stands string

	Due     string // by when something is due
	Late    bool
	There   []referral.Presence // colleagues who look at it too
	Ticket  ticket
	Safe    *section // nil: the sender has sent none
	Rest    []section
	Content *content
	Reason  string      // why it is opened, in words
	Why     shell.Field // the question for another reason
	Need    shell.Field // the question why a hidden number is needed
	Open    string      // what is open, and stays so with what is opened next
	Warned  bool
	About   []row
	Offered []act
	Accept  bool // it can be accepted: the one button that most come for
	Notes   int  // sealed notes in the thread
	Recall  bool // her agency may be asked whether it still holds something
}

// referral shows one referral.
func (h *Handler) referral(w http.ResponseWriter, r *http.Request, session signin.Session) error {
	s, err := h.reads(r, session)
	if err != nil {
		return err
	}
	return h.show(w, r, session, s, shown{opening: opening{reason: reasonFor(s)}})
}

func (h *Handler) show(w http.ResponseWriter, r *http.Request, session signin.Session, s *seen, what shown) error {
	ctx := r.Context()
	v := page{seen: s, Urgency: sentence(codes.Urgencies().Label(s.Urgency)), Purpose: sentence(codes.Purposes().Label(s.Purpose)),
		Area: codes.LondonAuthorities().Label(s.Area), Stands: inbox.Stands(s.Summary), Content: what.content, Offered: offered(s)}
	var err error
	if v.Service, err = h.service(ctx, s); err != nil {
		return err
	}
	if v.Ticket, _, err = h.basisOf(ctx, session.Caller, s); err != nil {
		return err
	}
	if v.There, err = h.Referrals.Look(ctx, session.Caller, s.ID); err != nil {
		return err
	}
	v.Late = s.DueAt != nil && s.DueAt.Before(h.Now())
	v.Due = inbox.Due(h.Shell, s.Summary, s.Side, v.Late)
	v.Recall = !v.Ticket.Stands
	v.Accept = may(s, packet.Accept)
	v.Reason = codes.OpenReasons().Label(what.opening.reason)
	v.Why = shell.Field{Kind: "radios", Name: "reason", Label: "Why do you open it?", Choices: reasonChoices(what.opening.reason)}
	v.Need = shell.Field{Kind: "radios", Name: "number-reason", Label: "Why do you need the number now?", Choices: reasonChoices("")}
	v.About = about(v)
	for _, l := range s.Chain {
		if l.Note() {
			v.Notes++
		}
	}
	v.arrange(what)
	status, told := http.StatusOK, shell.Page{Title: "Referral " + s.Reference, Back: home(s), Done: done(r, s), Body: v}
	if what.refusal != nil {
		var text string
		status, text = explained(r, what.refusal)
		told.Mistakes = []shell.Mistake{{Text: text}}
	}
	return h.pages.Show(w, r, status, "referral", told)
}

// arrange puts what was opened where it belongs.
func (p *page) arrange(what shown) {
	if what.content != nil {
		p.Open, p.Warned = strings.Join(what.opening.names, " "), what.opening.warned
	}
	for _, name := range p.opens(p.Request()) {
		one := titled(name)
		if what.content != nil {
			if i := slices.IndexFunc(what.content.Sections, func(o section) bool { return o.Name == name }); i >= 0 {
				one = what.content.Sections[i]
			}
		}
		if codes.IsAttachment(name) {
			one = fileOf(p.seen, p.Request(), name)
		}
		if name == "safe-contact" {
			p.Safe = &one
			continue
		}
		p.Rest = append(p.Rest, one)
	}
	for i := range p.Rest {
		p.Rest[i].With = strings.ToLower(p.Rest[i].Title[:1]) + p.Rest[i].Title[1:]
	}
	if p.Own {
		p.seal("Sealed to your agency’s own key.")
		return
	}
	if p.Recipient() && !p.Ticket.Stands {
		p.seal("It cannot be opened now: read about her consent.")
		return
	}
	if p.Safe == nil {
		return
	}
	p.Safe.With = "safe contact"
	if len(p.Rest) > 0 && p.Rest[0].Name == "need" && !p.Rest[0].Open && !p.Safe.Open {
		p.Safe.With, p.Safe.Opens = "need and safe contact", "need" // one act opens both: they are read together
		p.Rest[0].With, p.Rest[0].Closed = "", "It opens with how to reach her safely, above."
	}
}

// seal takes the buttons away from what cannot be opened here, and says why.
func (p *page) seal(why string) {
	for i := range p.Rest {
		p.Rest[i].With, p.Rest[i].File, p.Rest[i].Closed = "", "", why
	}
	if p.Safe != nil {
		p.Safe.With, p.Safe.Closed = "", why
	}
}

// about are the routing facts of a referral. None of them says who she is.
func about(v page) []row {
	return []row{{"Service", texts(v.Service)}, {"For", texts(v.Purpose)}, {"Area", texts(v.Area)}, {"Urgency", texts(v.Urgency)},
		{"From", texts(v.names[partners.ID(v.Sender)])}, {"To", texts(v.names[partners.ID(v.Summary.Recipient)])}}
}

// home is the list that a referral is in.
func home(s *seen) string {
	if s.Recipient() {
		return "/inbox"
	}
	return "/sent"
}

// done is the sentence of what was done just now, of which the address has the code alone; ""
// unless it is the newest step of her agency, for an address can be made up.
func done(r *http.Request, s *seen) string {
	for _, l := range slices.Backward(s.Chain) {
		if l.Claims.Issuer != s.me() {
			continue
		}
		if a, known := actOf(l.Claims.Event); known && string(a.Event) == r.URL.Query().Get("done") {
			return a.Done
		}
		return ""
	}
	return ""
}
