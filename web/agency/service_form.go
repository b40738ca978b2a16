package agency

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"

	"handover/internal/codes"
	"handover/oauth/signin"
	"handover/partners"
	"handover/web/shell"
)

// serviceForm asks what a service is. There is no field for an address.
type serviceForm struct {
	Heading string
	Says    string
	Name    shell.Field
	For     shell.Field
	In      shell.Field // the agency's own areas, and those chosen before
	More    shell.Field // the others that have a name here
	Other   shell.Field // any other, by its code
	Facts   shell.Field
	Status  shell.Field // of one that is changed
	Now     shell.Field // of a new one: how many it can take
	ID      string      // of a new one: sent twice, it is added once
	Button  string
}

// fields are all of them, in their order.
func (f serviceForm) fields() []shell.Field {
	return []shell.Field{f.Name, f.For, f.In, f.More, f.Other, f.Facts, f.Status, f.Now}
}

// formOf is the form with what is said of the service. own are the agency's areas.
func formOf(o partners.Service, own []string) serviceForm {
	f := serviceForm{ID: o.ID,
		Name: shell.Field{Kind: "text", Name: "name", Label: "Name", Max: 80, Value: o.Name,
			Hint: "Every agency reads it. Do not write an address, a postcode or a telephone number: where a refuge is must not be known."},
		For:   choices("purposes", "What is it for?", "Choose all that it is for.", codes.Purposes(), o.Purposes),
		Other: shell.Field{Kind: "text", Name: "other", Label: "Other areas", Hint: "GSS codes of other English authorities, such as E08000025, with spaces between them."},
		Facts: shell.Field{Kind: "checkboxes", Name: "facts", Label: "What else should others know?", Choices: []shell.Choice{
			{Value: "women-only", Label: "It is for women only", Checked: o.WomenOnly},
			{Value: "no-recourse", Label: "It takes women with no recourse to public funds", Checked: o.AcceptsNoRecourse},
			{Value: "self-referral", Label: "She may come by herself", Checked: o.SelfReferral}}},
	}
	near, far := codes.List{}, codes.List{}
	for _, a := range codes.Areas() {
		if slices.Contains(own, a.Code) || slices.Contains(o.Areas, a.Code) {
			near = append(near, a)
		} else {
			far = append(far, a)
		}
	}
	for _, code := range slices.Concat(own, o.Areas) {
		if !codes.Areas().Has(code) && !near.Has(code) && codes.IsArea(code) {
			near = append(near, codes.Code{Code: code, Label: code})
		}
	}
	f.In = choices("areas", "Where?", "Choose all that it serves. It is about where she is, not where the service is.", near, o.Areas)
	f.More = choices("more", "Other London boroughs", "", far, o.Areas)
	return f
}

func choices(name, label, hint string, list codes.List, chosen []string) shell.Field {
	f := shell.Field{Kind: "checkboxes", Name: name, Label: label, Hint: hint}
	for _, c := range list {
		f.Choices = append(f.Choices, shell.Choice{Value: c.Code, Label: sentence(c.Label), Checked: slices.Contains(chosen, c.Code)})
	}
	return f
}

func (f serviceForm) new(now string) serviceForm {
	f.Heading, f.Button = "Add a service", "Continue"
	f.Now = shell.Field{Kind: "radios", Name: "now", Label: "How many can it take now?"}
	for _, a := range answers("", "") {
		f.Now.Choices = append(f.Now.Choices, shell.Choice{Value: a.Value, Label: a.Words, Checked: a.Value == now})
	}
	return f
}

func (f serviceForm) changed(status string) serviceForm {
	f.Heading, f.Button = "Change a service", "Continue"
	f.Status = shell.Field{Kind: "radios", Name: "status", Label: "Is it running?", Choices: []shell.Choice{
		{Value: "active", Label: "Running", Checked: status == "active"},
		{Value: "temporarily closed", Label: "Closed for a time", Hint: "Nobody can send it a referral until it runs again.", Checked: status == "temporarily closed"},
		{Value: "defunct", Label: "Ended for good", Hint: "It cannot be opened again.", Checked: status == "defunct"}}}
	return f
}

// said reads what the form has sent.
func said(form url.Values) partners.Service {
	areas := slices.Concat(form["areas"], form["more"], strings.Fields(strings.ToUpper(form.Get("other"))))
	slices.Sort(areas)
	facts := form["facts"]
	o := partners.Service{ID: form.Get("id"), Name: trimmed(form.Get("name")), Purposes: form["purposes"], Areas: slices.Compact(areas), Status: form.Get("status"),
		WomenOnly: slices.Contains(facts, "women-only"), AcceptsNoRecourse: slices.Contains(facts, "no-recourse"), SelfReferral: slices.Contains(facts, "self-referral")}
	o.Capacity, o.Wait, _ = strings.Cut(form.Get("now"), " ")
	return o
}

// judge says what is wrong, field by field.
func (f serviceForm) judge(o partners.Service) serviceForm {
	f.Other.Value = ""
	switch {
	case o.Name == "" || partners.CleanName(o.Name) != o.Name:
		f.Name.Error = "Enter a name of 1 to 80 letters, on one line"
	case partners.HasPostcode(o.Name):
		f.Name.Error = "Take the postcode out of the name"
	}
	if len(o.Purposes) == 0 || slices.ContainsFunc(o.Purposes, func(p string) bool { return !codes.Purposes().Has(p) }) {
		f.For.Error = "Choose what it is for"
	}
	if slices.ContainsFunc(o.Areas, func(a string) bool { return !codes.IsArea(a) }) {
		f.Other.Error = "Enter codes of English authorities, such as E08000025, with spaces between them"
	} else if len(o.Areas) == 0 {
		f.In.Error = "Choose where"
	}
	if f.Status.Kind != "" && !codes.ServiceStatuses().Has(o.Status) {
		f.Status.Error = "Choose whether it is running"
	}
	if f.Now.Kind != "" && !slices.ContainsFunc(answers("", ""), func(a answer) bool { return a.Value == strings.TrimSpace(o.Capacity+" "+o.Wait) }) {
		f.Now.Error = "Choose how many it can take"
	}
	return f
}

// rows are what the page before the act says again.
func (v serviceView) rows(withCapacity bool) []row {
	facts := "Nothing"
	if len(v.Facts) > 0 {
		facts = strings.Join(v.Facts, ". ")
	}
	rows := []row{{"Name", v.Name}, {"For", sentence(v.Uses())}, {"Where", strings.Join(v.In, ", ")}, {"What else", facts}}
	if withCapacity {
		return append(rows, row{"Now", v.Capacity})
	}
	return append(rows, row{"Is it running?", v.Standing})
}

func (h *Handler) ownAreas(r *http.Request, s signin.Session) ([]string, error) {
	agency, err := h.Partners.Find(r.Context(), s.Caller.Partner())
	return agency.Areas, err
}

func (h *Handler) showForm(w http.ResponseWriter, r *http.Request, status int, title string, f serviceForm) error {
	return h.pages.Show(w, r, status, "service-form", shell.Page{Title: title, Back: servicesPath, Mistakes: mistakes(f.fields()), Body: f})
}

func (h *Handler) askService(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	own, err := h.ownAreas(r, s)
	if err != nil {
		return err
	}
	return h.showForm(w, r, http.StatusOK, "Add a service", formOf(partners.Service{ID: uuid.NewString()}, own).new(""))
}

// addService checks the form, then asks, then adds it.
func (h *Handler) addService(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	form, err := shell.Form(w, r)
	if err != nil {
		return err
	}
	own, err := h.ownAreas(r, s)
	if err != nil {
		return err
	}
	o := said(form)
	o.Status = "active"
	if f := formOf(o, own).new(form.Get("now")).judge(o); len(mistakes(f.fields())) > 0 {
		return h.showForm(w, r, http.StatusUnprocessableEntity, "Add a service", f)
	}
	if form.Get("sure") == "" {
		return h.ask(w, r, "Check the service", servicesPath+"/add", confirm{Heading: "Check the service", Rows: h.inWords(o).rows(true),
			Says: []string{"Every agency sees this as soon as you add it, and can send you referrals."}, Hidden: sure(o, form.Get("now")), Button: "Add the service"})
	}
	if _, err := h.Partners.AddService(r.Context(), s.Caller, o); err != nil && !isAlready(err) {
		return err
	}
	shell.See(w, servicesPath+"?done=add")
	return nil
}

// sure is what the form said, to be sent once more.
func sure(o partners.Service, now string) url.Values {
	hidden := url.Values{"id": {o.ID}, "name": {o.Name}, "purposes": o.Purposes, "areas": o.Areas, "sure": {"yes"}}
	for name, is := range map[string]bool{"women-only": o.WomenOnly, "no-recourse": o.AcceptsNoRecourse, "self-referral": o.SelfReferral} {
		if is {
			hidden.Add("facts", name)
		}
	}
	if now != "" {
		hidden.Set("now", now)
	} else {
		hidden.Set("status", o.Status)
	}
	return hidden
}

func (h *Handler) askChange(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	v, err := h.foundService(r, s)
	if err != nil {
		return err
	}
	if v.Over {
		return s.RefusedAbout(partners.ErrServiceEnded, v.ID)
	}
	own, err := h.ownAreas(r, s)
	if err != nil {
		return err
	}
	return h.showForm(w, r, http.StatusOK, "Change a service", formOf(v.Service, own).changed(v.Status))
}

// changeService checks the form, then asks, then changes it.
func (h *Handler) changeService(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	form, err := shell.Form(w, r)
	if err != nil {
		return err
	}
	v, err := h.foundService(r, s)
	if err != nil {
		return err
	}
	own, err := h.ownAreas(r, s)
	if err != nil {
		return err
	}
	o := said(form)
	o.ID = v.ID
	if f := formOf(o, own).changed(o.Status).judge(o); len(mistakes(f.fields())) > 0 {
		return h.showForm(w, r, http.StatusUnprocessableEntity, "Change a service", f)
	}
	if form.Get("sure") == "" {
		c := confirm{Heading: "Check what you changed", Rows: h.inWords(o).rows(false), Hidden: sure(o, ""), Button: "Change the service",
			Says: []string{"Every agency sees this as soon as you change it. Referrals that you have already are not touched."}}
		if o.Status == "defunct" {
			c.Warning, c.Danger, c.Button = "It ends for good, and cannot be opened again.", true, "End the service"
		}
		return h.ask(w, r, "Check the service", servicesPath+"/"+v.ID+"/change", c)
	}
	if _, err := h.Partners.ChangeService(r.Context(), s.Caller, o); err != nil {
		return s.RefusedAbout(err, v.ID)
	}
	shell.See(w, servicesPath+"?done=change")
	return nil
}
