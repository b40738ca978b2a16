package send

import (
	"net/http"
	"slices"
	"strings"

	"handover/internal/codes"
	"handover/oauth/signin"
	"handover/web/shell"
)

// chooseView is the page on which a service is chosen.
type chooseView struct {
	Path, Find string
	Service    shell.Field
	Others     []offer // that cannot be chosen, each with the reason in Why
	What       string
	Where      string
}

// Why is the reason for which a service cannot be chosen, or "".
func (o offer) Why() string {
	switch {
	case o.Own:
		return "It is your own agency’s."
	case !o.Open:
		return "Look again later, or ring them."
	case !o.Agreed:
		return "Your agency has no agreement with them for this. Ask your administrator to make one."
	}
	return ""
}

func (h *Handler) choosePage(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	d, err := h.open(r, s.Caller)
	if err != nil {
		return err
	}
	return h.showChoose(w, r, s, d, http.StatusOK, "")
}

func (h *Handler) showChoose(w http.ResponseWriter, r *http.Request, s signin.Session, d work, status int, mistake string) error {
	purpose, area := d.a.one(purposeKey), d.a.one(areaKey)
	if purpose == "" || area == "" {
		shell.See(w, d.path("find"))
		return nil
	}
	offers, err := h.offers(r.Context(), s.Caller, purpose, area)
	if err != nil {
		return err
	}
	v := chooseView{Path: d.path("choose"), Find: d.path("find"), What: codes.Purposes().Label(purpose), Where: codes.LondonAuthorities().Label(area),
		Service: shell.Field{Kind: "radios", Name: serviceKey, Label: "Which service?", Error: mistake}}
	for _, o := range offers {
		if o.Why() != "" {
			v.Others = append(v.Others, o)
			continue
		}
		hint := append([]string{o.Agency + ", " + o.Kind, o.Capacity}, o.Told...)
		v.Service.Choices = append(v.Service.Choices, shell.Choice{Value: o.ID, Label: o.Name, Hint: strings.Join(hint, ". ") + ".",
			Checked: o.ID == d.a.one(serviceKey)})
	}
	page := shell.Page{Title: "Choose a service", Back: d.path("find"), Body: v}
	if mistake != "" {
		page.Mistakes = []shell.Mistake{{Field: serviceKey, Text: mistake}}
	}
	return h.pages.Show(w, r, status, "choose", page)
}

// choose keeps to whom it goes. To another agency she has agreed to nothing.
func (h *Handler) choose(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	d, err := h.open(r, s.Caller)
	if err != nil {
		return err
	}
	form, err := shell.Form(w, r)
	if err != nil {
		return err
	}
	purpose, area := d.a.one(purposeKey), d.a.one(areaKey)
	offers, err := h.offers(r.Context(), s.Caller, purpose, area)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(offers, func(o offer) bool { return o.ID == form.Get(serviceKey) && o.Why() == "" })
	if i < 0 {
		if form.Get("later") != "" {
			shell.See(w, later)
			return nil
		}
		return h.showChoose(w, r, s, d, http.StatusUnprocessableEntity, "Choose a service")
	}
	to := string(offers[i].Partner)
	if to != d.a.one(toKey) {
		d.a.asksAnew()
	}
	d.a.say(serviceKey, offers[i].ID)
	d.a.say(toKey, to)
	if !d.a.under("need.needs") {
		d.a.say("need.needs.0.need", purpose) // what she needs is what was looked for, until somebody says more
	}
	if err := h.bound(r.Context(), s.Caller, &d); err != nil {
		return err
	}
	return h.keepAnd(w, r, s.Caller, d, form, h.next(d))
}

func urgencyField(chosen, mistake string) shell.Field {
	f := shell.Field{Kind: "radios", Name: urgencyKey, Label: "How soon must she be answered?", Heading: true, Error: mistake}
	for _, u := range urgencies() {
		f.Choices = append(f.Choices, shell.Choice{Value: u.Code, Label: u.Label, Hint: u.Hint, Checked: u.Code == chosen})
	}
	return f
}

// formView is a page of a few questions.
type formView struct {
	Path   string
	Tasks  string // the task list
	Title  string // "" where the one question is the heading
	Intro  string
	Limit  string // what may not be written here, or goes nowhere
	Fields []shell.Field

	List  []item // items of the list that are there already
	Again bool   // another item can be added after this one
	Item  bool   // the page is about an item that is there already
}

func (h *Handler) urgencyPage(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	d, err := h.open(r, s.Caller)
	if err != nil {
		return err
	}
	return h.showUrgency(w, r, d, http.StatusOK, "")
}

func (h *Handler) showUrgency(w http.ResponseWriter, r *http.Request, d work, status int, mistake string) error {
	v := formView{Path: d.path("urgency"), Tasks: d.path(""), Fields: []shell.Field{urgencyField(d.a.one(urgencyKey), mistake)}}
	page := shell.Page{Title: "How soon must she be answered?", Back: d.path("choose"), Body: v}
	if mistake != "" {
		page.Mistakes = []shell.Mistake{{Field: urgencyKey, Text: mistake}}
	}
	return h.pages.Show(w, r, status, "question", page)
}

func (h *Handler) urgency(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	d, err := h.open(r, s.Caller)
	if err != nil {
		return err
	}
	form, err := shell.Form(w, r)
	if err != nil {
		return err
	}
	if said := form.Get(urgencyKey); codes.Urgencies().Has(said) {
		d.a.say(urgencyKey, said)
	} else if form.Get("later") == "" {
		return h.showUrgency(w, r, d, http.StatusUnprocessableEntity, "Choose how soon")
	}
	return h.keepAnd(w, r, s.Caller, d, form, h.next(d))
}
