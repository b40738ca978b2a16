package webhooks

import (
	"context"
	"net/http"

	"github.com/gorilla/mux"

	"handover/notify"
	"handover/oauth/signin"
	"handover/partners"
	"handover/web/shell"
)

// act is what an administrator can do to a webhook.
type act struct {
	name    string // as in the address of the page
	title   string
	says    []string // what it does
	button  string
	danger  bool
	done    string // the sentence afterwards
	do      func(context.Context, partners.Caller, string) error
	replays bool // it is done to one message
	away    bool // nothing is left to come back to
	secret  bool // it shows a secret
}

// path is below the webhook's own.
func (a act) path() string {
	if a.replays {
		return "/deliveries/{delivery}/replay"
	}
	return "/" + a.name
}

func (h *Handler) acts() []act {
	return []act{
		{name: "test", title: "Send a test", button: "Send a test", done: "A test was sent. What came of it is below in a moment.",
			says: []string{"Your system is sent a message that says it is a test. Nothing else happens."},
			do: func(ctx context.Context, c partners.Caller, id string) error {
				_, err := h.Store.Try(ctx, c, id)
				return err
			}},
		{name: "new-secret", title: "Make a new secret", button: "Make a new secret", secret: true,
			says: []string{"You see the new secret once. Put it into your system today: the one before counts for another day, and then no more.",
				"If somebody else may have the secret, do this twice: the one they have then ends at once."}},
		{name: "pause", title: "Pause this webhook", button: "Pause it", done: "The webhook is paused.", do: h.Store.Pause,
			says: []string{"Your system is told nothing until you let the webhook go on. Messages wait for three and a half days. Referrals still reach your agency’s inbox."}},
		{name: "resume", title: "Let this webhook go on", button: "Let it go on", done: "The webhook goes on. What waited is being sent.", do: h.Store.Resume,
			says: []string{"Everything that has waited for less than three and a half days is sent at once."}},
		{name: "remove", title: "Remove this webhook", button: "Remove it", danger: true, away: true, done: "The webhook was removed.", do: h.Store.Remove,
			says: []string{"Your system is told nothing more, and its secrets count no more. This cannot be undone. Referrals still reach your agency’s inbox."}},
		{name: "replay", title: "Send this message again", button: "Send it again", replays: true, done: "The message is being sent again.",
			says: []string{"Your system gets the message once more, with the id that it had. If it has it already, it knows it again by that."}},
	}
}

// confirms asks once more before the act.
func (h *Handler) confirms(a act) func(http.ResponseWriter, *http.Request, signin.Session) error {
	return func(w http.ResponseWriter, r *http.Request, session signin.Session) error {
		found, err := h.found(r.Context(), r, session)
		if err != nil {
			return err
		}
		return h.pages.Show(w, r, http.StatusOK, "confirm", shell.Page{Title: a.title, Back: shown(found).Path, Body: struct {
			webhook
			Title, Button string
			Says          []string
			Danger        bool
		}{shown(found), a.title, a.button, a.says, a.danger}})
	}
}

// does has it done.
func (h *Handler) does(a act) func(http.ResponseWriter, *http.Request, signin.Session) error {
	return func(w http.ResponseWriter, r *http.Request, session signin.Session) error {
		found, err := h.found(r.Context(), r, session)
		if err != nil {
			return err
		}
		if a.secret {
			return h.newSecret(w, r, session, found)
		}
		do := a.do
		if a.replays {
			do = func(ctx context.Context, c partners.Caller, id string) error {
				return h.Store.Replay(ctx, c, id, mux.Vars(r)["delivery"])
			}
		}
		if err := do(r.Context(), session.Caller, found.ID); err != nil {
			return h.cannot(w, r, session, found, err)
		}
		h.Log.Kick()
		if a.away {
			shell.See(w, Path+"?done="+a.name)
			return nil
		}
		shell.See(w, shown(found).Path+"?done="+a.name)
		return nil
	}
}

// cannot shows the webhook as it is, with what was refused.
func (h *Handler) cannot(w http.ResponseWriter, r *http.Request, session signin.Session, found notify.Webhook, err error) error {
	status, text, failed := h.refused(r, session, err)
	if failed != nil {
		return failed
	}
	return h.show(w, r, session, found, status, shell.Page{Mistakes: []shell.Mistake{{Text: text}}})
}

func (h *Handler) newSecret(w http.ResponseWriter, r *http.Request, session signin.Session, found notify.Webhook) error {
	text, until, err := h.Store.Rotate(r.Context(), session.Caller, found.ID)
	if err != nil {
		return h.cannot(w, r, session, found, err)
	}
	h.Log.Kick()
	return h.pages.Show(w, r, http.StatusOK, "secret", shell.Page{Title: "New secret",
		Body: secret{Heading: "New secret", Text: text, Until: until, Next: shown(found).Path}})
}
