package agency

import (
	"context"
	"net/http"
	"strings"

	"handover/oauth/signin"
	"handover/partners"
	"handover/referral"
	"handover/web/shell"
)

// personAct is an act about one person that needs no more than to be sure.
type personAct struct {
	name    string // as in the address
	title   string
	heading string // before her name
	says    []string
	button  string
	danger  bool
	held    bool // show what she holds first
	weakens bool // the last administrator must stay
	do      func(context.Context, partners.Caller, string) error
}

func (h *Handler) personActs() map[string]personAct {
	change := func(f func(context.Context, partners.Caller, string) (partners.User, error)) func(context.Context, partners.Caller, string) error {
		return func(ctx context.Context, c partners.Caller, id string) error {
			_, err := f(ctx, c, id)
			return err
		}
	}
	acts := map[string]personAct{
		"suspend": {title: "Suspend a person", heading: "Suspend ", button: "Suspend", danger: true, held: true, weakens: true, do: change(h.Partners.SuspendPerson),
			says: []string{"They are signed out everywhere at once, and nothing that they let systems do goes on. They cannot sign in until an administrator lets them in again."}},
		"resume": {title: "Let a person in again", heading: "Let in again: ", button: "Let in again", do: change(h.Partners.ResumePerson),
			says: []string{"They can sign in again with their passkey, in the role that they had."}},
		"remove": {title: "Remove a person", heading: "Remove ", button: "Remove for good", danger: true, held: true, weakens: true, do: change(h.Partners.RemovePerson),
			says: []string{"They cannot sign in any more, and do not come back: who returns is added anew. What they did stays in the record under their id."}},
		"sign-out": {title: "Sign a person out everywhere", heading: "Sign out everywhere: ", button: "Sign out everywhere", do: h.Partners.SignOut,
			says: []string{"Every browser and every system in which they are signed in stops at its next step. Their passkeys still work: suspend them, or make a new link, if somebody else may have their phone."}},
	}
	for name, a := range acts {
		a.name = name
		acts[name] = a
	}
	return acts
}

// heldView is what a person holds: by reference, and nothing of the woman.
type heldView struct {
	Referrals []referral.Held
	More      bool
}

// State is a referral's state as it is said.
func (heldView) State(of referral.Held) string { return strings.ReplaceAll(of.State, "-", " ") }

// Urgent is how urgent it is, as a tag says it.
func (heldView) Urgent(of referral.Held) string { return sentence(of.Urgency) }

// askAct shows what an act will do. Who leaves a referral behind leaves a woman waiting: what a
// person holds is shown first.
func (h *Handler) askAct(a personAct) page {
	return func(w http.ResponseWriter, r *http.Request, s signin.Session) error {
		c, err := h.found(r, s)
		if err != nil {
			return err
		}
		v := confirm{Heading: a.heading + c.Name, Says: a.says, Button: a.button, Danger: a.danger}
		if a.weakens {
			v.Blocked = c.sole()
		}
		if a.held {
			v.Held = &heldView{}
			if v.Held.Referrals, v.Held.More, err = h.Referrals.HeldBy(r.Context(), s.Caller, c.ID, 0); err != nil {
				return s.RefusedAbout(err, c.ID)
			}
		}
		return h.ask(w, r, a.title, c.path(), v)
	}
}

func (h *Handler) doAct(a personAct) page {
	return func(w http.ResponseWriter, r *http.Request, s signin.Session) error {
		c, err := h.found(r, s)
		if err != nil {
			return err
		}
		if err := a.do(r.Context(), s.Caller, c.ID); err != nil {
			return s.RefusedAbout(err, c.ID)
		}
		shell.See(w, c.path()+"?done="+a.name)
		return nil
	}
}
