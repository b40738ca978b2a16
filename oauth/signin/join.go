package signin

import (
	"net/http"
	"strings"

	"handover/internal/httpd"
	"handover/partners"
)

// joining is what the page of a one-time link shows before she makes her passkey.
type joining struct {
	Name     string `json:"name"`
	Agency   string `json:"agency"`
	Recovers bool   `json:"recovers"`
}

// joinOptions begins to make the passkey of who has a one-time link. The code comes in the
// body: in the address it would be in every log on the way.
func (h *Handler) joinOptions(w http.ResponseWriter, r *http.Request) error {
	body, err := httpd.Decode[struct {
		Code string `json:"code"`
	}](w, r, bodyLimit)
	if err != nil {
		return err
	}
	code := strings.TrimSpace(body.Code)
	link, err := h.partners.Link(r.Context(), code)
	if err != nil {
		return err
	}
	agency, err := h.partners.Find(r.Context(), link.User.Partner)
	if err != nil {
		return err
	}
	p, err := h.store.holder(r.Context(), personOf(link.User))
	if err != nil {
		return err
	}
	// The passkeys that a recovering link ends may be on this very device: it may make
	// another in their place.
	a, err := h.rp.create(p, !link.Recovers)
	if err != nil {
		return err
	}
	return h.offer(w, r, a, ceremony{kind: toJoin, subject: link.User.ID, partner: link.User.Partner, bound: digestOf(code)},
		&joining{Name: link.User.Name, Agency: agency.Name, Recovers: link.Recovers})
}

// join redeems the link for the passkey that the browser made, and signs her in.
func (h *Handler) join(w http.ResponseWriter, r *http.Request) error {
	body, err := httpd.Decode[struct {
		Code       string  `json:"code"`
		Credential created `json:"credential"`
	}](w, r, bodyLimit)
	if err != nil {
		return err
	}
	c, err := h.take(w, r, toJoin)
	if err != nil {
		return err
	}
	if err := body.Credential.check(); err != nil {
		return err
	}
	code := strings.TrimSpace(body.Code)
	if string(digestOf(code)) != string(c.bound) { // a challenge for one link must not serve another
		return because(partners.ErrLink, "link-other")
	}
	who := person{id: c.subject, partner: c.partner}
	p, err := h.store.holder(r.Context(), who)
	if err != nil {
		return err
	}
	k, err := h.rp.register(p, c.state, body.Credential)
	if err != nil {
		return err
	}
	value, digest := secret()
	if err := h.store.join(r.Context(), h.partners, code, k, h.entrance(r, who, ""), digest); err != nil {
		return who.inactive(err)
	}
	h.landing(w, r, who, value, "")
	return nil
}
