package client

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"
	"time"

	"handover/audit/proof"
	"handover/internal/codes"
	"handover/internal/ids"
	"handover/referral/packet"
	"handover/referral/packet/schema"
)

// Request is a referral to be sent.
type Request struct {
	To       string // the recipient's partner id
	Consent  string // id of the consent record it rests on; it gives the subject too
	Override string // or of the override, in its place
	Service  string // id of the recipient's service
	Area     string // GSS code of the authority she asks for
	Purpose  string // coded; default that of the consent or override
	Urgency  string // emergency, urgent or routine
	Sections map[string]Content

	// Attachments are those sealed already, attachment-1 the first. Send takes others too.
	Attachments []SealedAttachment

	ID         string    // UUIDv7, the idempotency key; default a new one
	Expires    time.Time // to be opened before; default 28 days, at most 90
	OnwardFrom string    // the referral that this one continues
	Act        string    // the worker, by opaque id
	NoCopies   bool      // leave out the copies sealed to your own key
}

// Seal makes the packet of a referral: it asks the hub for the consent and for the
// recipient's current key, seals each section to that key (and to your own, so that
// you can read again what you sent), and signs. Nothing is sent. Save the packet
// before the first Post; then whatever happens, posting the same bytes again is safe.
//
// The sections are held to their schemas first, and given their schema's name and the
// defaults of what must not be guessed; nobody can look once they are sealed. Codes of
// refusal found here: section-unfit, under-eighteen, pathway-incomplete, safe-contact-for-police.
func (c *Client) Seal(ctx context.Context, q Request) ([]byte, error) {
	whole, err := c.complete(q.Sections)
	if err != nil {
		return nil, err
	}
	on, err := c.restsOn(ctx, q.Consent, q.Override)
	if err != nil {
		return nil, err
	}
	purpose := cmp.Or(q.Purpose, on.purpose)
	if err := schema.Require(purpose, whole); err != nil {
		return nil, local(err)
	}
	if err := c.guardSafeContact(ctx, q.To, purpose, whole); err != nil {
		return nil, err
	}
	claims := packet.Claims{
		Event: packet.Request, ID: q.ID, Subject: on.subject,
		Purpose: purpose, Urgency: q.Urgency,
		Service: q.Service, Area: q.Area, OnwardFrom: q.OnwardFrom, Act: q.Act, Audience: q.To,
		Basis: &on.basis,
	}
	if !q.Expires.IsZero() {
		claims.Expires = q.Expires.Unix()
	}
	sections := attach(&claims, whole, q.Attachments)
	return c.seal(ctx, claims, sections, !q.NoCopies)
}

// seal signs an envelope over sealed sections. A step without sections needs no key
// of the other side.
func (c *Client) seal(ctx context.Context, claims packet.Claims, sections map[string]Content, copies bool) ([]byte, error) {
	if err := c.signs(); err != nil {
		return nil, err
	}
	claims.Hub, claims.Issuer = c.hub, c.partner
	var to packet.To
	if len(sections) > 0 {
		if !ids.IsName(claims.Audience) {
			return nil, local(packet.ErrClaim.With("claim", "aud"))
		}
		key, err := c.sealingKey(ctx, claims.Audience)
		if err != nil {
			return nil, err
		}
		to.Recipient = key
		if copies {
			own := c.keys.Encryption[0].Public()
			to.Copy = &own
		}
	}
	p, err := packet.Seal(claims, sections, to, c.keys.Signing, c.now())
	if err != nil {
		return nil, local(err)
	}
	return p.Bytes()
}

// Send is Seal and Post, and both again when the recipient's key was replaced in between.
// Files are sealed and put as they are read, in constant memory; whoever must be able to go
// on after an interruption keeps them with SealAttachment instead. Codes of refusal,
// besides those of the packet's form and of attachments:
// no-consent, consent-withdrawn, consent-expired, not-covered, firewall, and of an override
// no-override, override-not-approved, override-lapsed, override-not-covered and the like;
// no-agreement, recipient-inactive, service-unavailable-for-referral.
func (c *Client) Send(ctx context.Context, q Request, files ...Attachment) (_ Receipt, err error) {
	if q.ID, err = newID(q.ID); err != nil {
		return Receipt{}, err
	}
	put, err := c.putAll(ctx, q.ID, files)
	if err != nil {
		return Receipt{}, err
	}
	q.Attachments = slices.Concat(put, q.Attachments)
	return c.sendFresh(ctx, func() ([]byte, error) { return c.Seal(ctx, q) })
}

// Post sends a packet that Seal or SealStep made, perhaps not for the first time:
// the same bytes find the receipt they had before. It repeats while the hub says
// receipt-pending. The code packet-conflict means that another packet with this id
// is stored, recipient-key-retired that the recipient's key was replaced since it was
// sealed: see Reseal.
func (c *Client) Post(ctx context.Context, sealed []byte) (Receipt, error) {
	u, err := packet.Read(sealed)
	if err != nil {
		return Receipt{}, local(err)
	}
	claims := u.Unverified()
	path, referral := "/v1/referrals", u.Digest()
	if claims.Event != packet.Request {
		path, referral = "/v1/referrals/"+claims.Referral+"/events", claims.Referral
	}
	r, err := c.do(ctx, call{method: http.MethodPost, path: path, body: sealed, mediaType: packet.MediaType})
	if err != nil {
		return Receipt{}, err
	}
	receipt, err := read[Receipt](r)
	if err != nil {
		return Receipt{}, err
	}
	return receipt, c.prove(ctx, receipt, entryOf(claims, u.Digest(), referral))
}

// entryOf is what the log must say of a packet.
func entryOf(claims packet.Claims, digest, referral string) proof.Entry {
	e := proof.Entry{Act: "referral." + string(claims.Event), Partner: claims.Issuer, Other: claims.Audience,
		Referral: referral, Event: string(claims.Event), Subject: claims.Subject, Envelope: digest, Reason: claims.Reason + claims.Outcome,
		Sections: []string{}}
	e.Sections = slices.AppendSeq(e.Sections, maps.Keys(claims.Sections))
	slices.Sort(e.Sections)
	if claims.ByHub() {
		e.Partner = "" // nobody's step but the hub's
	}
	if claims.Basis != nil {
		e.Consent, e.Override, e.Digest = claims.Basis.Consent, claims.Basis.Override, claims.Basis.Digest
	}
	return e
}

// Letter is what the outside of a packet says. Nothing of it is verified.
type Letter struct {
	Envelope string    `json:"envelope"` // digest of the envelope; a request's is the referral's id
	Referral string    `json:"referral"`
	ID       string    `json:"id"`
	Event    string    `json:"event"`
	To       string    `json:"to"`
	Signed   time.Time `json:"signed"`
	Expires  time.Time `json:"expires"`

	Attachments []string `json:"attachments,omitempty"` // names of those that it needs to be there
}

// ReadLetter reads the outside of a packet, for whoever keeps packets.
func ReadLetter(sealed []byte) (Letter, error) {
	u, err := packet.Read(sealed)
	if err != nil {
		return Letter{}, local(err)
	}
	claims := u.Unverified()
	l := Letter{Envelope: u.Digest(), Referral: claims.Referral, ID: claims.ID, Event: string(claims.Event),
		To: claims.Audience, Signed: time.Unix(claims.IssuedAt, 0), Expires: time.Unix(claims.Expires, 0)}
	if claims.Event == packet.Request {
		l.Referral = l.Envelope
	}
	for name := range claims.Sections {
		if codes.IsAttachment(name) {
			l.Attachments = append(l.Attachments, name)
		}
	}
	slices.Sort(l.Attachments)
	return l, nil
}
