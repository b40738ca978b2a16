package agency

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"handover/oauth/signin"
	"handover/partners"
	"handover/web/shell"
)

// trimmed is what somebody typed, without the spaces that a telephone's keyboard adds.
func trimmed(s string) string { return strings.TrimSpace(s) }

// isAlready reports that the same page was sent before.
func isAlready(err error) bool { return errors.Is(err, partners.ErrAlready) }

// number is so many of something.
func number(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// found returns the person whom the address names, or partners.ErrNotThere: of another agency's
// people it says what it says of none.
func (h *Handler) found(r *http.Request, s signin.Session) (colleague, error) {
	all, err := h.colleagues(r, s)
	if err != nil {
		return colleague{}, err
	}
	i := slices.IndexFunc(all, func(c colleague) bool { return c.ID == mux.Vars(r)["user"] })
	if i < 0 {
		return colleague{}, partners.ErrNotThere
	}
	return all[i], nil
}

// personDone says what was done.
func personDone() map[string]string {
	return map[string]string{
		"already":  "They were added before. Their link was shown once. If nobody noted it, make a new one.",
		"link":     "A link was made before. It was shown once. If nobody noted it, make another.",
		"role":     "Their role was changed. It counts from now on.",
		"suspend":  "They were suspended, and signed out everywhere.",
		"resume":   "They can sign in again.",
		"remove":   "They were removed from your agency.",
		"sign-out": "They were signed out everywhere.",
	}
}

// personView is one person, and what can be done.
type personView struct {
	Who colleague
	Can []place
}

// can is what an administrator may do about a person who stands so. About herself she may do
// nothing here: a colleague does.
func (c colleague) can() (all []place) {
	if c.Own {
		return nil
	}
	base := peoplePath + "/" + c.ID + "/"
	add := func(act, words string) { all = append(all, place{Path: base + act, Name: words}) }
	switch c.Status {
	case partners.UserInvited:
		add("link", "Make a new link")
		add("role", "Change role")
		add("remove", "Remove")
	case partners.UserActive:
		add("role", "Change role")
		add("link", "Make a new link after a lost phone")
		add("sign-out", "Sign out everywhere")
		add("suspend", "Suspend")
		add("remove", "Remove")
	case partners.UserSuspended:
		add("resume", "Let in again")
		add("role", "Change role")
		add("remove", "Remove")
	case partners.UserRemoved:
	}
	return all
}

func (h *Handler) person(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	c, err := h.found(r, s)
	if err != nil {
		return err
	}
	return h.pages.Show(w, r, http.StatusOK, "person", shell.Page{Title: "A person", Back: peoplePath, Done: done(r, personDone()),
		Body: personView{Who: c, Can: c.can()}})
}

// sole is why the last administrator must stay one, or "".
func (c colleague) sole() string {
	if !c.Sole {
		return ""
	}
	return partners.ErrLastAdministrator.Text
}

func (c colleague) path() string { return peoplePath + "/" + c.ID }

func roleConfirm(c colleague, role string) confirm {
	v := confirm{Heading: "Change what " + c.Name + " does", Fields: []shell.Field{roleField(role)}, Button: "Change role",
		Says:    []string{"It counts at once: what they have open and may not see any more is closed at their next step."},
		Blocked: c.sole()}
	if c.Own {
		v.Blocked = partners.ErrOwnRole.Text
	}
	return v
}

const roleTitle = "Change a role"

func (h *Handler) askRole(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	c, err := h.found(r, s)
	if err != nil {
		return err
	}
	return h.ask(w, r, roleTitle, c.path(), roleConfirm(c, string(c.Role)))
}

func (h *Handler) setRole(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	form, err := shell.Form(w, r)
	if err != nil {
		return err
	}
	c, err := h.found(r, s)
	if err != nil {
		return err
	}
	role := partners.Role(form.Get("role"))
	if !role.Valid() {
		v := roleConfirm(c, "")
		v.Fields[0].Error = "Choose what they do"
		return h.again(w, r, roleTitle, c.path(), v)
	}
	if _, err := h.Partners.SetRole(r.Context(), s.Caller, c.ID, role); err != nil {
		return s.RefusedAbout(err, c.ID)
	}
	shell.See(w, c.path()+"?done=role")
	return nil
}

func (h *Handler) askLink(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	c, err := h.found(r, s)
	if err != nil {
		return err
	}
	v := confirm{Heading: "Make a new link for " + c.Name, Button: "Make the link and show it",
		Hidden: map[string][]string{"last": {micros(c.Link.Expires)}},
		Says:   []string{"Make sure that it is them: see them, or call a number that you know. Whoever gets this link gets in as them.", "An earlier link that was not used stops working."}}
	if c.Status == partners.UserActive {
		v.Warning = "When the link is used, the passkeys from before stop working, and they are signed out everywhere. Until then, the lost phone still works: sign them out everywhere now."
	}
	if c.Own {
		v.Blocked = partners.ErrOwnRecovery.Text
	} else if c.Status != partners.UserActive && c.Status != partners.UserInvited {
		v.Blocked = "They are suspended, or have been removed. Let them in again first."
	}
	return h.ask(w, r, "Make a new link", c.path(), v)
}

func (h *Handler) makeLink(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	form, err := shell.Form(w, r)
	if err != nil {
		return err
	}
	c, err := h.found(r, s)
	if err != nil {
		return err
	}
	link, err := h.Partners.RecoverAfter(r.Context(), s.Caller, c.ID, fromMicros(form.Get("last")))
	if isAlready(err) {
		shell.See(w, c.path()+"?done=link")
		return nil
	}
	if err != nil {
		return s.RefusedAbout(err, c.ID)
	}
	return h.showLink(w, r, link, "The link was made")
}

// micros is a time as a form brings it back; "" is none.
func micros(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strconv.FormatInt(t.UnixMicro(), 10)
}

// fromMicros is what micros has written, or else a time that nothing was made at.
func fromMicros(s string) time.Time {
	if s == "" {
		return time.Time{}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		n = 0
	}
	return time.UnixMicro(n)
}
