package send

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"handover/consent"
	"handover/consent/record"
	"handover/internal/codes"
	"handover/internal/fault"
	"handover/internal/ids"
	"handover/oauth/signin"
	"handover/partners"
	"handover/referral/managed"
	"handover/referral/packet"
	"handover/referral/packet/schema"
	"handover/web/shell"
)

// basis is what a referral is to rest on, as far as it is known before it is sent.
type basis struct {
	Sections []string // that it covers
	Override bool
	Problem  string // why it covers nothing now, in a sentence; "" if it may
}

// basis reads the record of what she agreed to, or the override.
func (h *Handler) basis(ctx context.Context, c partners.Caller, d work) (basis, error) {
	if id := d.a.one(overrideKey); id != "" {
		return h.overridden(ctx, c, id)
	}
	st, err := h.Consents.Read(ctx, c, d.a.one(consentKey))
	if errors.Is(err, consent.ErrNotThere) {
		return basis{Problem: "There is no record of what she agreed to."}, nil
	}
	if err != nil {
		return basis{}, err
	}
	stated, err := record.ParseConsent(st.Record)
	if err != nil {
		return basis{}, err
	}
	claims := stated.Unverified()
	b := basis{Problem: map[string]string{
		"refused": "She said no. Nothing can be sent on this.", "withdrawn": "She has taken her agreement back.", "expired": "What she agreed to has run out.",
		"superseded": "She has said something else since.", "not-asked-unsafe": "She was not asked.", "not-asked-impracticable": "She was not asked.",
	}[st.State]}
	if b.Problem == "" && st.Review == "awaited" {
		b.Problem = "Your manager has to look at this record first, because of how she was asked."
	}
	b.Sections = slices.DeleteFunc(slices.Clone(claims.Sections), func(s string) bool { return slices.Contains(claims.Withheld, s) })
	return b, nil
}

func (h *Handler) overridden(ctx context.Context, c partners.Caller, id string) (basis, error) {
	st, err := h.Consents.ReadOverride(ctx, c, id)
	if errors.Is(err, consent.ErrOverrideNotThere) {
		return basis{Override: true, Problem: "There is no such decision of your agency."}, nil
	}
	if err != nil {
		return basis{}, err
	}
	stated, err := record.ParseOverride(st.Override)
	if err != nil {
		return basis{}, err
	}
	b := basis{Override: true, Sections: stated.Unverified().Sections, Problem: map[string]string{
		"proposed": "A manager of your agency has to approve it first.", "refused": "Your manager said no.", "lapsed": "Nobody approved it in time.",
		"ended": "It has been ended.", "expired": "It has run out."}[st.State]}
	return b, nil
}

// part is one section on the page that is checked before it goes.
type part struct {
	Title   string
	Rows    []row
	Left    string // why it does not go, "" if it goes
	Readers string // who can read it there
	Mistake string // what has to be put right first
	Path    string
}

// checkView is all that will be sent, and who reads what.
type checkView struct {
	Path, Tasks, Ask string
	Seen             string // what this page shows, by its digest: sent with it, so that nothing else is
	Rows             []row  // to whom, how soon
	Parts            []part
	Goes             int // of the parts
	Basis            basis
	To, Own          string // names of the two agencies
	Held             bool   // the hub holds the recipient's keys
	Police           bool   // it goes to the police
	Advice           []string
	Never            []neverRow
	Card             bool // a warning comes before it is sent
	Stop             bool
}

func (h *Handler) checkPage(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	d, err := h.open(r, s.Caller)
	if err != nil {
		return err
	}
	if next := h.next(d); next != d.path("check") {
		shell.See(w, next)
		return nil
	}
	v, mistakes, err := h.checked(r.Context(), s.Caller, d)
	if err != nil {
		return err
	}
	page := shell.Page{Title: "Check who reads what, then send", Back: d.path(""), Mistakes: mistakes, Body: v}
	switch r.URL.Query().Get("done") {
	case "consent":
		page.Done = "What she said about sharing is recorded."
	case changed:
		page.Mistakes = append(page.Mistakes, shell.Mistake{Text: "Nothing was sent: something of this has changed since you looked at it. Read it again, and send it if it is right."})
	}
	return h.pages.Show(w, r, http.StatusOK, "check", page)
}

// checked is what the page says of a draft, and what has to be put right first.
func (h *Handler) checked(ctx context.Context, c partners.Caller, d work) (checkView, []shell.Mistake, error) {
	b, err := h.basis(ctx, c, d)
	if err != nil {
		return checkView{}, nil, err
	}
	own, err := h.Partners.Find(ctx, c.Partner())
	if err != nil {
		return checkView{}, nil, err
	}
	u := urgencyOf(d.a.one(urgencyKey))
	v := checkView{Path: d.path("send"), Tasks: d.path(""), Ask: d.asks(), Basis: b, To: d.to.Name, Own: own.Name, Held: d.to.Custody == partners.HeldByHub,
		Police: d.police, Never: d.never(), Rows: []row{
			{Label: "Goes to", Texts: []string{d.to.Name}, Change: d.path("find"), What: "who it goes to"},
			{Label: "For", Texts: []string{capital(codes.Purposes().Label(d.a.one(purposeKey)))}, Change: d.path("find"), What: "what it is for"},
			{Label: "Where", Texts: []string{codes.LondonAuthorities().Label(d.a.one(areaKey))}, Change: d.path("find"), What: "where"},
			{Label: "How soon", Texts: []string{u.Label}, Change: d.path("urgency"), What: "how soon"},
		}}
	v.Parts = h.parts(d, b)
	content := h.content(d, b)
	mistakes := h.amiss(d, b, content)
	v.Seen = d.shows(b, content)
	v.Goes, v.Stop, v.Advice = len(content), len(mistakes) > 0, schema.Advise(d.a.one(purposeKey), content)
	if v.Card = b.Override || d.endangered(); v.Card {
		v.Path = d.path("warning") + "?seen=" + v.Seen
	}
	return v, mistakes, nil
}

// changed is the code of the page on which she is told that what she looked at is not what is there.
const changed = "changed"

// shows names what there is to see of a draft before it is sent: the draft as it was last saved,
// to whom it goes, on what it rests and which parts go. An agreement that ends, a consent that is
// narrowed, a page in another window each make it another: a part of it is not left out in silence.
func (w work) shows(b basis, content map[string]packet.Content) string {
	of := []string{w.ID, w.Changed.UTC().Format(time.RFC3339Nano), string(w.to.ID), w.asks(), strconv.FormatBool(b.Override)}
	return ids.Digest(strings.Join(append(of, slices.Sorted(maps.Keys(content))...), "\n"))
}

// endangered reports whether somebody has said that it is an emergency, or that she is in danger
// now: 999 is said before it can be sent.
func (w work) endangered() bool {
	return w.a.one(urgencyKey) == "emergency" || w.a.one("risk.immediate_danger") == "yes"
}

// parts are the sections that have something in them: those that go, and those that do not.
func (h *Handler) parts(d work, b basis) (parts []part) {
	for _, section := range d.a.filled() {
		p := part{Title: title(section), Path: d.about(section)}
		switch {
		case !slices.Contains(d.may, section):
			p.Left, p.Path = "It may not go to "+d.to.Name+".", ""
		case !slices.Contains(b.Sections, section) && b.Override:
			p.Left = "The decision to share without her agreement does not cover it."
		case !slices.Contains(b.Sections, section):
			p.Left = "She has not agreed to this part."
		default:
			p.Rows = slices.DeleteFunc(h.rows(d, section), func(r row) bool { return len(r.Texts) == 0 })
		}
		parts = append(parts, p)
	}
	return parts
}

// content is what goes: what is written, may go there, and is covered by what it rests on.
func (h *Handler) content(d work, b basis) map[string]packet.Content {
	all := map[string]packet.Content{}
	for _, section := range d.sections() {
		if content := h.section(d.a, section, d.police); content != nil && slices.Contains(b.Sections, section) {
			all[section] = content
		}
	}
	return all
}

// amiss is what has to be put right before it can be sent, each with where.
func (h *Handler) amiss(d work, b basis, content map[string]packet.Content) (all []shell.Mistake) {
	add := func(text string) { all = append(all, shell.Mistake{Text: text}) }
	if b.Problem != "" {
		add(b.Problem)
	} else if len(content) == 0 {
		add("Nothing is left to send: she has agreed to none of the parts that you wrote. Ask her again, or write another part.")
	}
	for _, section := range codes.Sections().Codes() {
		if data, goes := content[section]; goes && len(schema.Misfits(section, data)) > 0 {
			add(title(section) + ": an answer is missing or cannot be read. Open it and put it right.")
		}
	}
	if safe, goes := content[safeContact]; goes && schema.Stale(safe, h.inLondon()) {
		add("What she said about safe contact is more than 14 days old. Ask her again, and change it.")
	}
	for _, err := range []error{schema.Require(d.a.one(purposeKey), content), schema.Adult(content, h.now())} {
		if f, refused := errors.AsType[*fault.Fault](err); refused {
			add(saidOf(f))
		}
	}
	return all
}

// saidOf is what a refusal says: what it is about, if it says so.
func saidOf(f *fault.Fault) string {
	if detail, ok := f.Members()["detail"].(string); ok && detail != "" {
		return capital(detail) + "."
	}
	return f.Text
}

// warning is shown before what is more than usual: sharing without her agreement, an emergency.
func (h *Handler) warning(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	d, err := h.open(r, s.Caller)
	if err != nil {
		return err
	}
	if next := h.next(d); next != d.path("check") {
		shell.See(w, next)
		return nil
	}
	seen := r.URL.Query().Get("seen")
	if !ids.IsDigest(seen) { // an address that no page of ours has made
		now, _, err := h.checked(r.Context(), s.Caller, d)
		if err != nil {
			return err
		}
		seen = now.Seen
	}
	v := struct {
		Path, Check, Seen   string
		Override, Emergency bool
		To, Soon            string
	}{d.path("send"), d.path("check"), seen, d.a.one(overrideKey) != "", d.endangered(), d.to.Name, urgencyOf(d.a.one(urgencyKey)).Soon}
	return h.pages.Show(w, r, http.StatusOK, "warning", shell.Page{Title: "Before you send this", Back: d.path("check"), Body: v})
}

// request is what the desk is asked for.
func request(d work, content map[string]packet.Content) managed.Request {
	return managed.Request{ID: d.ID, To: d.to.ID, Consent: d.a.one(consentKey), Purpose: d.a.one(purposeKey), Urgency: d.a.one(urgencyKey),
		Service: d.a.one(serviceKey), Area: d.a.one(areaKey), OnwardFrom: d.a.one(onwardKey), Content: content}
}
