package signin

import (
	"context"
	"net/http"
	"time"

	"handover/internal/httpd"
	"handover/partners"
)

// IdleLife is how long a session lasts without a request, by the database's clock. She works
// on a phone that others may pick up.
const IdleLife = 30 * time.Minute

const (
	absoluteLife = 12 * time.Hour // how long it lasts at most
	seenPause    = time.Minute    // seen_at is written at most so often
)

// Session is a person signed in on one browser.
type Session struct {
	ID      string
	Device  string // in coarse words, as "Chrome on Android"
	Made    time.Time
	Seen    time.Time // to the minute
	Proved  time.Time // when she last proved who she is
	Expires time.Time // at the latest
	Passkey bool      // she came with a passkey, not through her agency's provider

	// Caller is the person, as the database judged her at this request. It is set in the
	// session of a request, not in lists.
	Caller partners.Caller

	digest []byte
	person person
}

// person is somebody whom credentials speak of.
type person struct {
	id      string
	partner partners.ID
}

// Recent reports whether she has proved who she is a moment ago, as acts that need it want.
func (h *Handler) Recent(s Session) bool {
	return s.Caller.ProvedSince(h.now().Add(-partners.Recent))
}

// fresh is how long a proof stands for what a stranger with her unlocked screen would do
// first: add a passkey of his own, and take away the notice that says so.
const fresh = 2 * time.Minute

// Fresh reports whether she has proved who she is just now.
func (h *Handler) Fresh(s Session) bool {
	return s.Caller.ProvedSince(h.now().Add(-fresh))
}

// Session returns the session of a request, or ErrSignedOut: no cookie, one that counts no
// more, or a person who may not act now. Suspension, removal, another role, a partner that
// is suspended and being signed out by her administrator all count at once, because nothing
// of them is kept in the session.
func (h *Handler) Session(r *http.Request) (Session, error) {
	s, stale, err := h.standing(r)
	if err != nil {
		return Session{}, err
	}
	if stale {
		if err := h.store.touch(r.Context(), s.digest); err != nil {
			return Session{}, err
		}
	}
	return s, nil
}

// Still is Session of a request that is no use of it: of a page that listens by itself, which
// would else keep signed in who has left it open and gone.
func (h *Handler) Still(r *http.Request) (Session, error) {
	s, _, err := h.standing(r)
	return s, err
}

// standing returns the session of a request, and whether its use has not been noted for a while.
func (h *Handler) standing(r *http.Request) (s Session, stale bool, err error) {
	digest := presented(r, sessionCookie)
	if digest == nil {
		return Session{}, false, ErrSignedOut
	}
	ctx := r.Context()
	if s, stale, err = h.store.session(ctx, digest); err != nil {
		return Session{}, false, err
	}
	caller, err := h.admit(ctx, s.person, s.Proved)
	if err != nil {
		return Session{}, false, err
	}
	if caller == nil {
		return Session{}, false, ErrSignedOut
	}
	s.Caller = *caller
	httpd.Annotate(ctx, httpd.Partner, string(s.person.partner))
	return s, stale, nil
}

// admit asks the database whether a person may act, as the partner her credentials were
// made for; nil if not.
func (h *Handler) admit(ctx context.Context, p person, proved time.Time) (*partners.Caller, error) {
	callers, err := h.partners.Admit(ctx, []partners.Bearer{{User: p.id, Proved: proved}}, nil)
	if err != nil || callers[0] == nil || callers[0].Partner() != p.partner {
		return nil, err
	}
	return callers[0], nil
}

// Sessions lists where she is signed in, the newest first.
func (h *Handler) Sessions(ctx context.Context, s Session) ([]Session, error) {
	return h.store.sessions(ctx, s.person)
}

// SignOut ends the session and has the browser forget it: also where it could not be ended
// here, since whoever has the browser next must not be signed in.
func (h *Handler) SignOut(w http.ResponseWriter, r *http.Request, s Session) error {
	dropCookie(w, sessionCookie)
	return h.end(r.Context(), s, s.ID)
}

// End ends one of her sessions, or returns ErrSessionNotThere.
func (h *Handler) End(ctx context.Context, s Session, id string) error {
	return h.end(ctx, s, id)
}

func (h *Handler) end(ctx context.Context, s Session, id string) error {
	defer h.log.Kick()
	return h.store.end(ctx, s, id)
}

// SignOutEverywhere ends all that she has proved so far, here and in the systems that she
// let act in her name.
func (h *Handler) SignOutEverywhere(w http.ResponseWriter, r *http.Request, s Session) error {
	defer h.log.Kick()
	if err := h.partners.SignOut(r.Context(), s.Caller, s.person.id); err != nil {
		return err
	}
	dropCookie(w, sessionCookie)
	return nil
}

// entrance is what a session is made of.
type entrance struct {
	person  person
	passkey string // by id; "": through her agency's provider
	device  string
	before  []byte // digest of the session that this browser had; nil if none
}

func (h *Handler) entrance(r *http.Request, p person, passkey string) entrance {
	return entrance{person: p, passkey: passkey, device: device(r.UserAgent()), before: presented(r, sessionCookie)}
}
