package casework

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"handover/internal/codes"
	"handover/internal/httpd"
	"handover/oauth/signin"
	"handover/partners"
	"handover/referral"
	"handover/referral/clock"
	"handover/referral/packet"
	"handover/web/shell"
)

// section is one class of what a step carries, opened or not.
type section struct {
	Name    string
	Title   string
	With    string // what its button opens, in words; "" if it has none
	Opens   string // and by name
	Closed  string // why it has none
	Open    bool
	Rows    []row
	Misfits []string // what is not as its schema says
	File    string   // of an attachment: where it is got
	Class   string   // and what class of data it is
}

// content is what one act has opened.
type content struct {
	Sections []section
	Stale    bool // safe contact counts no more
	Outside  bool // now is outside the times that she said are safe
	Unsaid   bool // there are numbers, and nothing that says whether they are safe
	Hidden   bool // the numbers are left out because of one of these
	Unfit    bool // something is not as its schema says
	Danger   bool // the risk section says that she is in danger now
	Signed   string
	Doubt    bool // the key that signed it does not count any more
}

// opening is what a form asks to be opened.
type opening struct {
	names   []string // of sections
	reason  string
	warned  bool // she has been warned of what is in the risk section
	numbers bool // she wants the numbers although it is not safe to use them
}

func openingOf(form url.Values) opening {
	o := opening{names: append(strings.Fields(form.Get("already")), form["open"]...), reason: form.Get("reason"), warned: form.Get("warned") == "yes", numbers: form.Get("numbers") == "yes"}
	if o.numbers { // which takes a reason of its own, that nobody chooses for her
		o.reason = form.Get("number-reason")
	}
	return o
}

// whole adds safe contact to whatever is opened of a step that has it: nobody reads what she
// needs, and then calls her, without having read how.
func (o opening) whole(there []string) opening {
	names := slices.Clone(o.names)
	if slices.Contains(there, "safe-contact") {
		names = append(names, "safe-contact")
	}
	slices.Sort(names)
	o.names = slices.Compact(names)
	return o
}

// warns reports whether a card comes before what is opened. It comes before the risk section,
// always, the first time that it is opened from a screen: what is in it can be hard to read,
// and harms her if the wrong person does. With what is opened after it, it does not come
// again, for a card that always comes is pressed away unread.
func (o opening) warns() bool { return slices.Contains(o.names, "risk") && !o.warned }

// reasonFor is why somebody opens a section who says nothing else: before it is accepted to
// decide about it, afterwards to help her.
func reasonFor(s *seen) string {
	switch referral.State(s.State) {
	case referral.Requested, referral.Received:
		if s.Recipient() {
			return "decide"
		}
	}
	return "provide-service"
}

// reasonChoices are the coded reasons, the chosen one checked.
func reasonChoices(chosen string) (all []shell.Choice) {
	for _, r := range codes.OpenReasons() {
		all = append(all, shell.Choice{Value: r.Code, Label: sentence(r.Label), Checked: r.Code == chosen})
	}
	return all
}

// open has sections of the request opened and answers with the referral in which they are
// open. It answers the post itself and sends nobody on: what was opened is then in no address,
// in no history and in nothing that the hub keeps, and a page that is read again after the
// session has ended has to be opened again, which is logged again.
func (h *Handler) open(w http.ResponseWriter, r *http.Request, session signin.Session) error {
	s, o, err := h.asked(w, r, session)
	if err != nil {
		return err
	}
	if o.warns() {
		return h.warn(w, r, s, o, "open")
	}
	opened, err := h.release(r.Context(), session.Caller, s, s.Request(), o)
	if err != nil {
		return h.notOpened(w, r, session, s, o, err)
	}
	if due := clock.Due(s.DueFor); s.Recipient() && (due == clock.Delivered || due == clock.Opened) {
		if s, err = h.reads(r, session); err != nil { // this act has done what was due: what is due next is told
			return err
		}
	}
	return h.show(w, r, session, s, shown{content: opened, opening: o})
}

// asked reads the referral and what is to be opened of its request.
func (h *Handler) asked(w http.ResponseWriter, r *http.Request, session signin.Session) (*seen, opening, error) {
	form, err := shell.Form(w, r)
	if err != nil {
		return nil, opening{}, err
	}
	s, err := h.reads(r, session)
	if err != nil {
		return nil, opening{}, err
	}
	o := openingOf(form)
	if o.reason == "" && !o.numbers {
		o.reason = reasonFor(s)
	}
	return s, o.whole(s.opens(s.Request())), nil
}

// notOpened shows the referral with what is wrong, nothing open.
func (h *Handler) notOpened(w http.ResponseWriter, r *http.Request, session signin.Session, s *seen, o opening, err error) error {
	e := s.about(session.Caller)
	if asked := (referral.Opening{Sections: o.names, Reason: o.reason}); asked.Valid() {
		e.Sections, e.Reason = asked.Sections, asked.Reason
	}
	f, err := h.refused(r.Context(), e, err)
	if err != nil {
		return err
	}
	return h.show(w, r, session, s, shown{refusal: f, opening: opening{reason: o.reason}})
}

// warn shows the card that comes before what can be hard to read. act is what she was about
// to do: open, or print.
func (h *Handler) warn(w http.ResponseWriter, r *http.Request, s *seen, o opening, act string) error {
	return h.pages.Show(w, r, http.StatusOK, "warning", shell.Page{Title: "Before you open this", Back: s.Address, Body: struct {
		*seen
		Names   string
		Reason  string
		Numbers bool
		Act     string
	}{s, strings.Join(o.names, " "), o.reason, o.numbers, s.Address + "/" + act}})
}

// release has sections of a step opened for the caller. What it returns is made of copies; the
// content itself is overwritten before it returns.
func (h *Handler) release(ctx context.Context, c partners.Caller, s *seen, l link, o opening) (*content, error) {
	opened, err := h.Desk.Open(ctx, c, s.ID, referral.Opening{Envelope: l.Digest, Sections: o.names, Reason: o.reason})
	if err != nil {
		return nil, err
	}
	defer func() {
		for _, data := range opened.Content {
			clear(data)
		}
	}()
	found := &content{Stale: opened.Stale, Outside: opened.Outside, Signed: l.Signed, Doubt: !opened.Signed.Counts, Unfit: len(opened.Unfit) > 0}
	_, safe := opened.Content["safe-contact"]
	_, reaches := opened.Content["contact"]
	found.Unsaid = reaches && !safe
	found.Hidden = (found.Stale || found.Outside || found.Unsaid) && !o.numbers
	found.Danger = inDanger(opened.Content["risk"])
	for _, name := range s.opens(l) {
		data, open := opened.Content[name]
		if !open {
			continue
		}
		one := titled(name)
		one.Open, one.Rows = true, rows(name, data, found.Hidden)
		for _, m := range opened.Unfit {
			if m.Section == name {
				one.Misfits = append(one.Misfits, m.String())
			}
		}
		found.Sections = append(found.Sections, one)
	}
	return found, nil
}

// titled is a section with its title and nothing in it.
func titled(name string) section {
	if codes.IsAttachment(name) {
		return section{Name: name, Opens: name, Title: "Attachment " + name[len("attachment-"):]}
	}
	return section{Name: name, Opens: name, Title: sentence(codes.Sections().Label(name))}
}

// inDanger reports whether a risk section says that she is in danger now.
func inDanger(risk packet.Content) bool {
	yes := sentence(codes.Answers().Label("yes"))
	for _, r := range rows("risk", risk, false) {
		if r.Label == codes.Member("risk", "immediate_danger") {
			return slices.ContainsFunc(r.Values, func(v value) bool { return v.Text == yes }) // a list too, which may be empty
		}
	}
	return false
}

// print has what is open on the screen opened once more, as the sheet that is printed. That
// somebody printed it the log cannot know; that she had it opened for that, by whom and when,
// the sheet says itself.
func (h *Handler) print(w http.ResponseWriter, r *http.Request, session signin.Session) error {
	s, o, err := h.asked(w, r, session)
	if err != nil {
		return err
	}
	if o.warns() {
		return h.warn(w, r, s, o, "print")
	}
	me, err := h.Partners.Profile(r.Context(), session.Caller)
	if err != nil {
		return err
	}
	opened, err := h.release(r.Context(), session.Caller, s, s.Request(), o)
	if err != nil {
		return h.notOpened(w, r, session, s, o, err)
	}
	t, _, err := h.basisOf(r.Context(), session.Caller, s)
	if err != nil {
		return err
	}
	return h.pages.Show(w, r, http.StatusOK, "print", shell.Page{Title: "Referral to print", Back: s.Address, Body: struct {
		*seen
		Content *content
		Ticket  ticket
		By      string
		Reason  string
		Now     time.Time
	}{s, opened, t, me.Name, codes.OpenReasons().Label(o.reason), h.Now()}})
}

// explained is the status and the sentence of a refusal.
func explained(r *http.Request, err error) (int, string) { return httpd.Explain(r, err) }
