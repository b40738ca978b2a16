package inbox

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"handover/internal/codes"
	"handover/internal/ids"
	"handover/oauth/signin"
	"handover/partners"
	"handover/referral"
	"handover/web/shell"
)

// view is what a list is shown with.
type view struct {
	board    board
	tab      tab
	query    referral.InboxQuery
	caller   partners.Caller
	agencies map[partners.ID]string
	services map[string]string
	people   []partners.User

	OwnKeys bool // the hub holds none of her agency's
}

// page is a list as its template shows it.
type page struct {
	Title, Path string
	Find        shell.Field
	Tabs        []link
	Label       string // of the list
	Filters     []shell.Field
	Tab         string
	Narrowed    bool
	Cards       []card
	Empty, Then string
	More        string // the address of the next page
	Stopped     bool
	First       string // the address of the first page, if this is another
	Refresh     string // its own address
	Live, Shown string // what it listens to, and when it was shown
	Reference   string // that it was looked for by
	OwnKeys     bool
}

// link is a tab as one is led to it.
type link struct {
	Label, Address, Count string
	Here                  bool
}

// list shows a page of one of the lists.
func (h *Handler) list(b board) func(http.ResponseWriter, *http.Request, signin.Session) error {
	return func(w http.ResponseWriter, r *http.Request, session signin.Session) error {
		return h.show(w, r, session, b, http.StatusOK, nil)
	}
}

// show shows the list that the address asks for, with what is wrong with a form, if anything.
func (h *Handler) show(w http.ResponseWriter, r *http.Request, session signin.Session, b board, status int, mistakes []shell.Mistake) error {
	asked := r.URL.Query()
	v, err := h.look(r.Context(), session.Caller, b, asked)
	if err != nil {
		return err
	}
	found, err := h.Referrals.Summaries(r.Context(), session.Caller, v.query)
	if errors.Is(err, referral.ErrQuery) { // an address that no page of ours has made
		shell.See(w, b.path)
		return nil
	}
	if err != nil {
		return err
	}
	h.Log.Kick()
	if _, chosen := asked["tab"]; b.side == referral.SenderSide && !chosen && v.query.Reference == "" && len(found.Rows) == 0 && !v.narrowed() {
		v.tab, v.query.Tab = b.tab(string(referral.TabSent)), referral.TabSent // nobody waits for her: what she has sent comes first
		if found, err = h.Referrals.Summaries(r.Context(), session.Caller, v.query); err != nil {
			return err
		}
	}
	p := h.page(v, found)
	p.Find = findField(mistakes)
	title := b.title + ": " + v.tab.Label
	if p.Reference != "" {
		title = b.title + ": " + p.Reference
	}
	return h.pages.Show(w, r, status, "list", shell.Page{Title: title, Wide: true, Mistakes: mistakes, Done: done(asked.Get("done")), Body: p})
}

// look reads what a list is shown with, and what is asked of it.
func (h *Handler) look(ctx context.Context, c partners.Caller, b board, asked url.Values) (view, error) {
	v := view{board: b, caller: c, tab: b.tab(asked.Get("tab")), agencies: map[partners.ID]string{}, services: map[string]string{}}
	v.query = referral.InboxQuery{Tab: v.tab.Tab, Urgency: asked.Get("urgency"), Holder: asked.Get("holder"), Other: asked.Get("agency"), After: asked.Get("after")}
	v.query.Reference, _ = ids.ParseReference(asked.Get("reference"))
	all, err := h.Partners.Directory(ctx)
	if err != nil {
		return view{}, err
	}
	for _, p := range all {
		v.agencies[p.ID] = p.Name
		if p.ID == c.Partner() {
			v.OwnKeys = p.Custody == partners.HeldByPartner
		}
	}
	offered, err := h.Partners.OwnServices(ctx, c)
	if err != nil {
		return view{}, err
	}
	for _, s := range offered {
		v.services[s.ID] = s.Name
	}
	v.people, err = h.Partners.People(ctx, c)
	return v, err
}

func (v view) narrowed() bool { return v.query.Urgency+v.query.Holder+v.query.Other != "" }

// address is that of the list as it is, with what is changed in it.
func (v view) address(change url.Values) string {
	q := url.Values{}
	for name, value := range map[string]string{"tab": string(v.query.Tab), "urgency": v.query.Urgency, "holder": v.query.Holder, "agency": v.query.Other} {
		if value != "" {
			q.Set(name, value)
		}
	}
	for name, values := range change {
		q[name] = values
	}
	return v.board.path + "?" + q.Encode()
}

func (h *Handler) page(v view, found referral.InboxPage) page {
	p := page{Title: v.board.title, Path: v.board.path, Label: v.tab.Label, Tab: string(v.tab.Tab), Narrowed: v.narrowed(), OwnKeys: v.OwnKeys,
		Reference: v.query.Reference, Empty: v.tab.Empty, Then: v.tab.Next, Stopped: found.Stopped, Refresh: v.address(nil)}
	for _, m := range found.Rows {
		p.Cards = append(p.Cards, h.card(v, m))
	}
	if v.board.side == referral.RecipientSide {
		p.Live, p.Shown = v.board.path+"/live?after="+strconv.FormatInt(found.Newest, 10), h.Shell.Clock(h.Now())
	}
	if p.Reference != "" {
		p.Refresh = v.board.path
		p.Empty, p.Then = "Your agency has no referral with this reference.", "Check it with who gave it to you: they may have sent it to another agency."
		return p
	}
	for _, t := range v.board.tabs {
		p.Tabs = append(p.Tabs, link{Label: t.Label, Address: v.board.path + "?tab=" + string(t.Tab), Count: count(found.Counts, t.Tab), Here: t.Tab == v.tab.Tab})
	}
	p.Filters = v.filters()
	if p.Narrowed {
		p.Empty, p.Then = "Nothing on this list matches what you chose.", ""
		if p.Stopped {
			p.Empty = "Nothing matches so far."
		}
	}
	if found.Next != "" {
		p.More = v.address(url.Values{"after": {found.Next}})
	}
	if v.query.After != "" {
		p.First = v.address(nil)
	}
	return p
}

// count is a count in words: no further than it was counted; "" of what is not counted.
func count(counts map[referral.Tab]int, t referral.Tab) string {
	n, counted := counts[t]
	switch {
	case !counted:
		return ""
	case n > referral.CountMost:
		return strconv.Itoa(referral.CountMost) + "+"
	}
	return strconv.Itoa(n)
}

// filters are the questions that narrow a list.
func (v view) filters() []shell.Field {
	any := shell.Choice{Label: "Any"}
	urgency := shell.Field{Kind: "select", Name: "urgency", Label: "Urgency", Choices: []shell.Choice{any}}
	for _, code := range codes.Urgencies().Codes() {
		urgency.Choices = append(urgency.Choices, shell.Choice{Value: code, Label: upper(codes.Urgencies().Label(code)), Checked: code == v.query.Urgency})
	}
	holder := shell.Field{Kind: "select", Name: "holder", Label: "Who has it", Choices: []shell.Choice{{Label: "Anybody or nobody"},
		{Value: referral.Nobody, Label: "Nobody", Checked: v.query.Holder == referral.Nobody}}}
	for _, u := range v.people {
		if holds(u) || u.ID == v.query.Holder {
			holder.Choices = append(holder.Choices, shell.Choice{Value: u.ID, Label: u.Name, Checked: u.ID == v.query.Holder})
		}
	}
	agency := shell.Field{Kind: "select", Name: "agency", Label: "Agency", Choices: []shell.Choice{any}}
	for _, id := range sortedByName(v.agencies) {
		if id != v.caller.Partner() {
			agency.Choices = append(agency.Choices, shell.Choice{Value: string(id), Label: v.agencies[id], Checked: string(id) == v.query.Other})
		}
	}
	return []shell.Field{urgency, holder, agency}
}

// holds reports whether somebody can have a referral.
func holds(u partners.User) bool {
	return u.Status == partners.UserActive && (u.Role == partners.Caseworker || u.Role == partners.Manager)
}

// done is the sentence of what was done just now, of which the address has the code alone.
func done(code string) string {
	return map[string]string{
		"claim": "You have this referral now. Your colleagues see that.", "assign": "Your colleague has this referral now.", "release": "Nobody has this referral now.",
	}[code]
}

func upper(s string) string {
	if s == "" {
		return ""
	}
	return string(s[0]-'a'+'A') + s[1:] // of a code's label, which begins with a small letter
}

// sortedByName are the agencies as people look for them.
func sortedByName(agencies map[partners.ID]string) []partners.ID {
	return slices.SortedFunc(maps.Keys(agencies), func(a, b partners.ID) int {
		return cmp.Or(cmp.Compare(agencies[a], agencies[b]), cmp.Compare(a, b))
	})
}
