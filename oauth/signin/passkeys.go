package signin

import (
	"context"
	"net/http"
	"time"

	"handover/internal/httpd"
	"handover/partners"
)

// Passkeys lists hers, the oldest first.
func (h *Handler) Passkeys(ctx context.Context, s Session) ([]Passkey, error) {
	return h.store.passkeys(ctx, s.person)
}

// Way is how a colleague signs in: what her administrator needs to know before she is locked out,
// or is still let in.
type Way struct {
	Passkeys int       // that count
	Last     time.Time // when she last proved who she is; zero if nothing shows it
}

// Ways returns how each person of the caller's agency signs in, by her id. Who does so through her
// agency alone has no passkey.
func (h *Handler) Ways(ctx context.Context, s Session) (map[string]Way, error) {
	return h.store.ways(ctx, s.person)
}

// RemovePasskey ends one of hers, but never the last. It wants a recent proof: whoever
// finds her signed-in screen must not lock her out. Errors: partners.ErrStepUp,
// ErrPasskeyNotThere, ErrPasskeyLast.
func (h *Handler) RemovePasskey(ctx context.Context, s Session, id string) error {
	if !h.Recent(s) {
		return partners.ErrStepUp
	}
	defer h.log.Kick()
	return h.store.remove(ctx, s, id)
}

// addOptions begins to add a passkey, within a session and with a fresh proof: the other
// passkey would be a lasting way in for whoever finds her signed-in screen. Nobody who came through her agency's
// provider may: with a passkey of her own she would come in when her agency no longer lets
// her, and in a role that it has taken from her.
func (h *Handler) addOptions(w http.ResponseWriter, r *http.Request, s Session) error {
	if _, err := httpd.Decode[struct{}](w, r, bodyLimit); err != nil {
		return err
	}
	if !s.Passkey {
		return s.person.refused(ErrPasskeyNone, "passkey-none")
	}
	if !h.Fresh(s) {
		return partners.ErrStepUp
	}
	p, err := h.store.holder(r.Context(), s.person)
	if err != nil {
		return err
	}
	a, err := h.rp.create(p, true)
	if err != nil {
		return err
	}
	return h.offer(w, r, a, ceremony{kind: toAdd, subject: s.person.id, partner: s.person.partner, bound: s.digest}, nil)
}

// add stores the passkey that the browser made.
func (h *Handler) add(w http.ResponseWriter, r *http.Request, s Session) error {
	body, err := httpd.Decode[struct {
		Credential created `json:"credential"`
	}](w, r, bodyLimit)
	if err != nil {
		return err
	}
	c, err := h.takeOwn(w, r, toAdd, s)
	if err != nil {
		return err
	}
	if err := body.Credential.check(); err != nil {
		return err
	}
	if !s.Passkey || !h.Recent(s) { // her proof was fresh when the browser's dialogue began, at most ceremonyLife ago
		return partners.ErrStepUp
	}
	p, err := h.store.holder(r.Context(), s.person)
	if err != nil {
		return err
	}
	k, err := h.rp.register(p, c.state, body.Credential)
	if err != nil {
		return err
	}
	if err := h.store.add(r.Context(), s, k, device(r.UserAgent())); err != nil {
		return err
	}
	h.log.Kick()
	httpd.JSON(w, http.StatusOK, landed{"/account"})
	return nil
}

// takeOwn takes a ceremony that was begun in this very session.
func (h *Handler) takeOwn(w http.ResponseWriter, r *http.Request, k kind, s Session) (ceremony, error) {
	c, err := h.take(w, r, k)
	if err != nil {
		return ceremony{}, err
	}
	if c.subject != s.person.id || string(c.bound) != string(s.digest) {
		return ceremony{}, s.person.refused(ErrStale, "ceremony-session")
	}
	return c, nil
}
