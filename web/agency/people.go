package agency

import (
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"handover/oauth/signin"
	"handover/partners"
	"handover/web/shell"
)

// colleague is a person as her administrator is shown her.
type colleague struct {
	partners.User
	Title string // her role
	Link  partners.LastLink
	Way   signin.Way
	Own   bool // it is the administrator herself
	Sole  bool // she is the only active administrator
}

// Tag is her standing in a word or two; "" of who is active.
func (c colleague) Tag() string {
	return map[partners.Standing]string{partners.UserInvited: "Invited", partners.UserSuspended: "Suspended", partners.UserRemoved: "Removed"}[c.Status]
}

// colleagues lists everybody of the agency, those who have left last.
func (h *Handler) colleagues(r *http.Request, s signin.Session) ([]colleague, error) {
	people, err := h.Partners.People(r.Context(), s.Caller)
	if err != nil {
		return nil, err
	}
	links, err := h.Partners.LastLinks(r.Context(), s.Caller)
	if err != nil {
		return nil, err
	}
	ways, err := h.SignIn.Ways(r.Context(), s)
	if err != nil {
		return nil, err
	}
	administrators := 0
	for _, u := range people {
		if u.Role == partners.Administrator && u.Status == partners.UserActive {
			administrators++
		}
	}
	all := make([]colleague, 0, len(people))
	for _, u := range people {
		sole := administrators == 1 && u.Role == partners.Administrator && u.Status == partners.UserActive
		all = append(all, colleague{User: u, Title: u.Role.Title(), Link: links[u.ID], Way: ways[u.ID], Own: u.ID == s.Caller.User(), Sole: sole})
	}
	slices.SortStableFunc(all, func(a, b colleague) int { return order(a) - order(b) })
	return all, nil
}

func order(c colleague) int {
	if c.Status == partners.UserRemoved {
		return 1
	}
	return 0
}

// peopleView is the list.
type peopleView struct {
	Sole   bool // there is one administrator
	People []colleague
}

func (h *Handler) people(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	all, err := h.colleagues(r, s)
	if err != nil {
		return err
	}
	v := peopleView{People: all, Sole: slices.ContainsFunc(all, func(c colleague) bool { return c.Sole })}
	return h.pages.Show(w, r, http.StatusOK, "people", shell.Page{Title: "People", Back: root, Done: done(r, personDone()), Body: v})
}

// peopleWant is what of people wants attention.
func (h *Handler) peopleWant(r *http.Request, s signin.Session) (found []want, err error) {
	all, err := h.colleagues(r, s)
	if err != nil {
		return nil, err
	}
	open, out := 0, 0
	for _, c := range all {
		switch {
		case c.Sole:
			found = append(found, want{"Your agency has one administrator. If that person loses their phone, or leaves, only the hub’s operator can let anybody in. Make somebody else administrator too.",
				peoplePath, "Go to people"})
		case c.Status == partners.UserInvited && c.Link.Unused:
			open++
		case c.Status == partners.UserInvited:
			out++
		}
	}
	if open > 0 {
		found = append(found, want{number(open, "link has", "links have") + " not been used yet. Whoever has a link can use it: ask whether it arrived.", peoplePath, "See who has not joined"})
	}
	if out > 0 {
		found = append(found, want{number(out, "person", "people") + " did not use their link in time, and cannot sign in.", peoplePath, "Make a new link"})
	}
	return found, nil
}

// personForm asks who somebody is.
func personForm(name, role string, said bool) []shell.Field {
	fields := []shell.Field{
		{Kind: "text", Name: "name", Label: "Name", Hint: "As colleagues know them. No other agency sees it. Do not write a telephone number or anything else about them.",
			Value: name, Max: 80, Width: "govuk-input--width-20"},
		roleField(role),
	}
	if said && (name == "" || partners.CleanName(name) != name) {
		fields[0].Error = "Enter a name of 1 to 80 letters, on one line"
	}
	if said && !partners.Role(role).Valid() {
		fields[1].Error = "Choose what they do"
	}
	return fields
}

func roleField(chosen string) shell.Field {
	f := shell.Field{Kind: "radios", Name: "role", Label: "What do they do?"}
	for _, role := range partners.Roles() {
		f.Choices = append(f.Choices, shell.Choice{Value: string(role), Label: role.Title(), Hint: role.Words(), Checked: string(role) == chosen})
	}
	return f
}

const addTitle = "Add a person"

func (h *Handler) askPerson(w http.ResponseWriter, r *http.Request, _ signin.Session) error {
	return h.ask(w, r, addTitle, peoplePath, newPerson(uuid.NewString(), personForm("", "", false)))
}

// newPerson is the form under an id of its own: sent twice, it adds one person.
func newPerson(id string, fields []shell.Field) confirm {
	return confirm{Heading: "Add a person to your agency", Fields: fields, Hidden: map[string][]string{"id": {id}}, Button: "Continue"}
}

// addPerson checks the form, then asks, then adds her.
func (h *Handler) addPerson(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	form, err := shell.Form(w, r)
	if err != nil {
		return err
	}
	id, name, role := form.Get("id"), trimmed(form.Get("name")), partners.Role(form.Get("role"))
	fields := personForm(name, string(role), true)
	if len(mistakes(fields)) > 0 {
		return h.again(w, r, addTitle, peoplePath, newPerson(id, fields))
	}
	if form.Get("sure") == "" {
		c := confirm{Heading: "Check who you are adding", Rows: []row{{"Name", name}, {"Role", role.Title()}, {"What they can do", role.Words()}},
			Says:   []string{"You are shown a link for them next, once. They use it to set up how they sign in. Have them with you, or on a call to a number that you know."},
			Hidden: map[string][]string{"id": {id}, "name": {name}, "role": {string(role)}, "sure": {"yes"}}, Button: "Add them and show the link"}
		if role == partners.Administrator {
			c.Warning = "An administrator can let anybody into your agency, and take anybody out."
		}
		return h.ask(w, r, "Check who you are adding", peoplePath+"/add", c)
	}
	link, err := h.Partners.AddPersonAs(r.Context(), s.Caller, id, name, role)
	if isAlready(err) {
		shell.See(w, peoplePath+"/"+id+"?done=already")
		return nil
	}
	if err != nil {
		return err
	}
	return h.showLink(w, r, link, "The person was added")
}

// showLink shows a one-time link. Its code stands behind "#", which browsers send to nobody.
func (h *Handler) showLink(w http.ResponseWriter, r *http.Request, link partners.Invitation, heading string) error {
	return h.once(w, r, "A link, shown once", secret{Heading: heading, Label: "Their link", Text: h.Hub + "/join#" + link.Code, Until: link.Expires,
		Says: []string{
			"Give it to them now, in person or on a call to a number that you know. Whoever opens it first gets in as them.",
			"If you send it, send it only to where nobody else reads. Never to a shared mailbox or a family telephone.",
			"They open it on the device that they will sign in with. It works once.",
			"It is not shown again. If it gets lost, make a new one: this one then stops working.",
		}, Next: peoplePath + "/" + link.User, NextName: "Go on"})
}

// soon reports whether a time is near enough to act on.
func (h *Handler) soon(t time.Time) bool { return t.Before(h.Now().Add(60 * 24 * time.Hour)) }
