package signin

import (
	"net/http"

	"handover/internal/httpd"
)

// signInOptions begins a sign-in of whoever is there.
func (h *Handler) signInOptions(w http.ResponseWriter, r *http.Request) error {
	if _, err := httpd.Decode[struct{}](w, r, bodyLimit); err != nil {
		return err
	}
	a, err := h.rp.anyone()
	if err != nil {
		return err
	}
	return h.offer(w, r, a, ceremony{kind: toSignIn}, nil)
}

// signIn makes a session for whose passkey signed the challenge. An unknown passkey, a
// wrong signature and a person who may not act get one answer, though not after the same
// work: ids of passkeys are random, and who has one has seen it used.
func (h *Handler) signIn(w http.ResponseWriter, r *http.Request) error {
	body, err := httpd.Decode[struct {
		Credential asserted `json:"credential"`
		Next       string   `json:"next,omitempty"`
	}](w, r, bodyLimit)
	if err != nil {
		return err
	}
	c, err := h.take(w, r, toSignIn)
	if err != nil {
		return err
	}
	if err := body.Credential.check(); err != nil {
		return err
	}
	owner, err := h.store.owner(r.Context(), body.Credential.ID)
	if err != nil {
		return err
	}
	k, err := h.verified(w, r, owner, c, body.Credential)
	if err != nil {
		return err
	}
	value, digest := secret()
	if err := h.store.signIn(r.Context(), h.entrance(r, owner, k.id), k, digest); err != nil {
		return owner.inactive(err)
	}
	h.landing(w, r, owner, value, body.Next)
	return nil
}

// verified verifies an assertion by a passkey of p within her rate from this network: with
// one rate for all networks, whoever knows the id of her passkey could keep her out.
func (h *Handler) verified(w http.ResponseWriter, r *http.Request, p person, c ceremony, a asserted) (passkey, error) {
	if v := h.perPerson.Allow(p.id + " " + h.origin.Network(r)); v.Refused() {
		v.Write(w.Header())
		return passkey{}, because(ErrTooMany, "person-rate")
	}
	who, err := h.store.holder(r.Context(), p)
	if err != nil {
		return passkey{}, err
	}
	return h.rp.verify(who, c.state, a)
}

// stepUpOptions asks who is signed in for one of her own passkeys.
func (h *Handler) stepUpOptions(w http.ResponseWriter, r *http.Request, s Session) error {
	if _, err := httpd.Decode[struct{}](w, r, bodyLimit); err != nil {
		return err
	}
	p, err := h.store.holder(r.Context(), s.person)
	if err != nil {
		return err
	}
	if len(p.passkeys) == 0 {
		return s.person.refused(ErrPasskeyNone, "passkey-none")
	}
	a, err := h.rp.oneOf(p)
	if err != nil {
		return err
	}
	return h.offer(w, r, a, ceremony{kind: toStepUp, subject: s.person.id, partner: s.person.partner, bound: s.digest}, nil)
}

// stepUp renews her session: she has just proved that it is she. The cookie is another one
// afterwards, so that whoever had the old one has nothing of the new proof.
func (h *Handler) stepUp(w http.ResponseWriter, r *http.Request, s Session) error {
	body, err := httpd.Decode[struct {
		Credential asserted `json:"credential"`
		Next       string   `json:"next,omitempty"`
	}](w, r, bodyLimit)
	if err != nil {
		return err
	}
	c, err := h.takeOwn(w, r, toStepUp, s)
	if err != nil {
		return err
	}
	if err := body.Credential.check(); err != nil {
		return err
	}
	k, err := h.verified(w, r, s.person, c, body.Credential)
	if err != nil {
		return err
	}
	value, digest := secret()
	if err := h.store.stepUp(r.Context(), s, k, digest); err != nil {
		return s.person.inactive(err)
	}
	h.landing(w, r, s.person, value, body.Next)
	return nil
}
