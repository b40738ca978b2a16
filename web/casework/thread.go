package casework

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"handover/internal/codes"
	"handover/internal/fault"
	"handover/oauth/signin"
	"handover/referral/packet"
	"handover/web/shell"
)

// threadMost is how many notes one act opens: each is a release of its own, with a proof that
// is waited for.
const threadMost = 20

// message is one sealed note.
type message struct {
	link
	Mine bool
	Text string // once it is open
	Open bool
}

// Lines are the lines of an open note.
func (m message) Lines() []string { return strings.Split(strings.TrimSpace(m.Text), "\n") }

// thread is the page of the sealed notes, oldest first.
type thread struct {
	*seen
	Messages []message
	Opened   bool // those of this page are
	From     int  // the first that is open or would be
	Earlier  int  // how many come before it
	Reason   string
	Offer    bool // she can send one
	Ask      bool // and can ask
	Footing  footing
	Reply    draft
	Fields   []shell.Field
}

// Before is the first of the notes that come before these.
func (t *thread) Before() int { return max(t.From-threadMost, 0) }

// messages shows that there are notes, of whom and when, and nothing that they say.
func (h *Handler) messages(w http.ResponseWriter, r *http.Request, session signin.Session) error {
	s, err := h.reads(r, session)
	if err != nil {
		return err
	}
	return h.showThread(w, r, session, s, threadOf(s, ""), nil)
}

// threadOf is the thread of a referral, from the note of that number, or the last of them.
func threadOf(s *seen, from string) thread {
	t := thread{seen: s, Reason: codes.OpenReasons().Label(reasonFor(s))}
	for _, l := range s.Chain {
		if l.Note() {
			t.Messages = append(t.Messages, message{link: l, Mine: l.Claims.Issuer == s.me()})
		}
	}
	last := max(len(t.Messages)-threadMost, 0)
	n, err := strconv.Atoi(from)
	if err != nil || n < 0 || n > last {
		n = last
	}
	t.From, t.Earlier = n, n
	t.Messages = t.Messages[n:min(n+threadMost, len(t.Messages))]
	return t
}

// openMessages has the notes of the thread opened, one act for each packet. What was opened is
// in this answer alone, as with open.
func (h *Handler) openMessages(w http.ResponseWriter, r *http.Request, session signin.Session) error {
	form, err := shell.Form(w, r)
	if err != nil {
		return err
	}
	s, err := h.reads(r, session)
	if err != nil {
		return err
	}
	t := threadOf(s, form.Get("from"))
	for i := range t.Messages {
		m := &t.Messages[i]
		if m.Mine && m.Claims.Sections["note"].Copy == "" {
			continue // her agency kept no copy that could be opened
		}
		opened, err := h.release(r.Context(), session.Caller, s, m.link, opening{names: []string{"note"}, reason: reasonFor(s), numbers: true})
		if err != nil {
			e := s.about(session.Caller)
			e.Sections, e.Reason, e.Envelope = []string{"note"}, reasonFor(s), m.Digest
			f, err := h.refused(r.Context(), e, err)
			if err != nil {
				return err
			}
			return h.showThread(w, r, session, s, threadOf(s, form.Get("from")), f)
		}
		m.Open, m.Text = true, noteText(opened)
	}
	t.Opened = true
	return h.showThread(w, r, session, s, t, nil)
}

// noteText is what a note says.
func noteText(c *content) string {
	var text string
	for _, one := range c.Sections {
		for _, r := range one.Rows {
			for _, v := range r.Values {
				if r.Label != codes.Member("note", "text") {
					text += r.Label + ": "
				}
				text += v.Text + "\n"
			}
		}
	}
	return text
}

func (h *Handler) showThread(w http.ResponseWriter, r *http.Request, session signin.Session, s *seen, t thread, refused *fault.Fault) error {
	ctx := r.Context()
	e := packet.Message
	if may(s, packet.Answer) { // what was asked is answered first
		e = packet.Answer
	}
	if t.Offer = may(s, e); t.Offer {
		var err error
		if t.Footing, err = h.standsOn(ctx, session.Caller, s); err != nil {
			return err
		}
		a, _ := actOf(e)
		t.Reply = draftOf(a, url.Values{"seen": {s.Head}})
		if t.Fields, err = h.fields(ctx, s, t.Reply, t.Footing, nil); err != nil {
			return err
		}
	}
	t.Ask = may(s, packet.Ask)
	status, told := http.StatusOK, shell.Page{Title: "Notes about a referral", Back: s.Address, Body: &t}
	if refused != nil {
		var text string
		status, text = explained(r, refused)
		told.Mistakes = []shell.Mistake{{Text: text}}
	}
	return h.pages.Show(w, r, status, "messages", told)
}
