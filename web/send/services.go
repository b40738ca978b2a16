package send

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"handover/internal/codes"
	"handover/oauth/signin"
	"handover/partners"
	"handover/web/shell"
)

// search is what somebody looks for: a kind of help, in an area.
type search struct {
	Purpose, Area shell.Field
	Elsewhere     shell.Field // an authority that is not in London
	Rest          string      // what the form posts to
	Later         bool        // the draft can be saved and left
}

// searchOf shows the search as it stands.
func searchOf(purpose, area string, mistakes []shell.Mistake) search {
	s := search{
		Purpose: shell.Field{Kind: "select", Name: purposeKey, Label: "What kind of help?", Error: about(mistakes, purposeKey), Choices: blank(codes.Purposes(), purpose)},
		Area: shell.Field{Kind: "select", Name: areaKey, Label: "In which borough?", Hint: "Where she needs the help. She may choose any.",
			Error: about(mistakes, areaKey), Choices: blank(codes.LondonAuthorities(), area)},
		Elsewhere: shell.Field{Kind: "text", Name: elsewhere(areaKey), Label: "Or outside London: the authority’s code", Hint: "The ONS code of an English local authority, as E08000003 for Manchester.",
			Error: about(mistakes, elsewhere(areaKey)), Max: 9, Width: "govuk-input--width-10"},
	}
	if area != "" && !codes.LondonAuthorities().Has(area) {
		s.Elsewhere.Value = area
	}
	return s
}

// about is what is wrong with a field, or "".
func about(mistakes []shell.Mistake, field string) string {
	for _, m := range mistakes {
		if m.Field == field {
			return m.Text
		}
	}
	return ""
}

// blank are the choices of a list, after one that says nothing yet.
func blank(l codes.List, chosen string) []shell.Choice {
	all := []shell.Choice{{Value: "", Label: "Choose"}}
	for _, c := range l {
		all = append(all, shell.Choice{Value: c.Code, Label: capital(c.Label), Checked: c.Code == chosen})
	}
	return all
}

// searched reads a search from its form.
func searched(form url.Values) (purpose, area string, mistakes []shell.Mistake) {
	purpose, area = form.Get(purposeKey), form.Get(areaKey)
	if !codes.Purposes().Has(purpose) {
		purpose = ""
		mistakes = append(mistakes, shell.Mistake{Field: purposeKey, Text: "Choose what kind of help she needs"})
	}
	other := strings.ToUpper(strings.TrimSpace(form.Get(elsewhere(areaKey))))
	switch {
	case other != "" && !codes.IsArea(other):
		mistakes = append(mistakes, shell.Mistake{Field: elsewhere(areaKey), Text: "Enter the authority’s code, as E08000003"})
	case other != "":
		area = other
	case !codes.IsArea(area):
		area = ""
		mistakes = append(mistakes, shell.Mistake{Field: areaKey, Text: "Choose a borough, or enter a code"})
	}
	return purpose, area, mistakes
}

// offer is a service as it is shown to who looks for one.
type offer struct {
	partners.Service
	Agency   string
	Kind     string
	Capacity string // in words
	Open     bool   // it takes referrals now
	Agreed   bool   // the agency of who looks may send to it, for what is looked for
	Own      bool   // it is her own agency's
	Told     []string
}

// offers are the services for a purpose in an area: those that take referrals first, and of those
// the ones without a waiting list.
func (h *Handler) offers(ctx context.Context, c partners.Caller, purpose, area string) ([]offer, error) {
	found, err := h.Partners.Services(ctx, purpose, area)
	if err != nil {
		return nil, err
	}
	all, err := h.Partners.Directory(ctx)
	if err != nil {
		return nil, err
	}
	agencies := make(map[partners.ID]partners.Partner, len(all))
	var to []partners.ID
	for _, p := range all {
		agencies[p.ID] = p
	}
	for _, s := range found {
		if s.Partner != c.Partner() && !slices.Contains(to, s.Partner) {
			to = append(to, s.Partner)
		}
	}
	reach, err := h.Partners.Reach(ctx, c, to...)
	if err != nil {
		return nil, err
	}
	offered := make([]offer, len(found))
	for i, s := range found {
		p := agencies[s.Partner]
		offered[i] = offer{Service: s, Agency: p.Name, Kind: p.Category.Title(), Capacity: h.capacity(s), Open: s.Capacity != "paused",
			Agreed: len(reach.Sections(s.Partner, purpose)) > 0, Own: s.Partner == c.Partner(), Told: toldOf(s)}
	}
	rank := map[string]int{"open": 0, "waiting-list": 1, "paused": 2}
	slices.SortStableFunc(offered, func(a, b offer) int { return rank[a.Service.Capacity] - rank[b.Service.Capacity] })
	return offered, nil
}

// old is how long what an agency said of its capacity is taken at its word.
const old = 14 * 24 * time.Hour

// capacity says in words whether a service has room.
func (h *Handler) capacity(s partners.Service) string {
	words := map[string]string{"open": "Has room", "waiting-list": "Has a waiting list", "paused": "Takes nobody now"}[s.Capacity]
	if s.Wait != "" {
		words += ": " + codes.Waits().Label(s.Wait)
	}
	if h.now().Sub(s.CapacityAt) > old {
		words += " (said " + h.shell.Day(s.CapacityAt) + ": ring them first if you can)"
	}
	return words
}

// toldOf is what else matters to who looks.
func toldOf(s partners.Service) (told []string) {
	for _, t := range []struct {
		is    bool
		words string
	}{{s.WomenOnly, "For women only"}, {s.AcceptsNoRecourse, "Takes women with no recourse to public funds"}, {s.SelfReferral, "She can go there herself, without a referral"}} {
		if t.is {
			told = append(told, t.words)
		}
	}
	return told
}

// directoryView is the page on which anybody who is signed in looks for a service.
type directoryView struct {
	Search search
	Looked bool
	Offers []offer
	Send   bool // she may send a referral
}

// directory shows who offers what. What is looked for is posted, so that no need of anybody's
// stands in an address.
func (h *Handler) directory(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	v := directoryView{Search: searchOf("", "", nil), Send: s.Caller.Has(partners.ReferralsSend)}
	page, status := shell.Page{Title: "Find a service"}, http.StatusOK
	if r.Method == http.MethodPost {
		form, err := shell.Form(w, r)
		if err != nil {
			return err
		}
		purpose, area, mistakes := searched(form)
		v.Search, page.Mistakes = searchOf(purpose, area, mistakes), mistakes
		if len(mistakes) > 0 {
			status = http.StatusUnprocessableEntity
		} else if v.Offers, err = h.offers(r.Context(), s.Caller, purpose, area); err != nil {
			return err
		}
		v.Looked = len(mistakes) == 0
	}
	page.Body = v
	return h.pages.Show(w, r, status, "services", page)
}

func (h *Handler) findPage(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	d, err := h.open(r, s.Caller)
	if err != nil {
		return err
	}
	return h.showFind(w, r, d, http.StatusOK, nil)
}

func (h *Handler) showFind(w http.ResponseWriter, r *http.Request, d work, status int, mistakes []shell.Mistake) error {
	v := searchOf(d.a.one(purposeKey), d.a.one(areaKey), mistakes)
	v.Rest, v.Later = d.path("find"), true
	return h.pages.Show(w, r, status, "find", shell.Page{Title: "What kind of help, and where?", Back: "/send", Mistakes: mistakes, Body: v})
}

// find keeps what is looked for.
func (h *Handler) find(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	d, err := h.open(r, s.Caller)
	if err != nil {
		return err
	}
	form, err := shell.Form(w, r)
	if err != nil {
		return err
	}
	purpose, area, mistakes := searched(form)
	if len(mistakes) > 0 && form.Get("later") == "" {
		d.a.say(purposeKey, purpose)
		d.a.say(areaKey, area)
		return h.showFind(w, r, d, http.StatusUnprocessableEntity, mistakes)
	}
	if purpose != d.a.one(purposeKey) {
		d.a.asksAnew()
		if d.a.one("need.needs.0.need") == d.a.one(purposeKey) { // what the search said, and she has not changed
			d.a.say("need.needs.0.need", purpose)
		}
	}
	d.a.say(purposeKey, purpose)
	d.a.say(areaKey, area)
	return h.keepAnd(w, r, s.Caller, d, form, d.path("choose"))
}

// asksAnew takes away what she has agreed to: it was to somebody else, or for something else.
func (a answers) asksAnew() {
	a.forget(consentKey)
	a.forget(overrideKey)
}

// keepAnd keeps the draft and leads on, or to the start if she comes back later.
func (h *Handler) keepAnd(w http.ResponseWriter, r *http.Request, c partners.Caller, d work, form url.Values, next string) error {
	if err := h.bound(r.Context(), c, &d); err != nil {
		return err
	}
	if err := h.keep(r.Context(), c, d); err != nil {
		return err
	}
	if form.Get("later") != "" {
		next = later
	}
	shell.See(w, next)
	return nil
}
