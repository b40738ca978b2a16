package packet

import (
	"slices"
	"time"

	"handover/internal/codes"
	"handover/internal/ids"
	"handover/internal/strict"
	"handover/keys/jose"
)

// EnvelopeType is the typ header of an envelope.
const EnvelopeType = "handover-envelope+jwt"

// The limits of the format, in bytes, sections and time.
const (
	EnvelopeLimit = 16 << 10
	SectionLimit  = 256 << 10
	PacketLimit   = 4 << 20
	MaxSections   = 24
	MaxAge        = 24 * time.Hour      // from iat to arrival
	MaxLife       = 90 * 24 * time.Hour // from iat to exp
	Skew          = 60 * time.Second
)

// Claims are what an envelope states. Times are NumericDates (seconds), digests
// base64url SHA-256, ids of partners short names.
type Claims struct {
	Hub        string             `json:"hub"`
	Issuer     string             `json:"iss"`
	Audience   string             `json:"aud"`
	ID         string             `json:"jti"` // UUIDv7, unique per issuer
	IssuedAt   int64              `json:"iat"`
	Expires    int64              `json:"exp"`
	Event      Event              `json:"event"`
	Referral   string             `json:"re,omitempty"`
	Prev       string             `json:"prev,omitempty"`
	Subject    string             `json:"sub,omitempty"`
	Purpose    string             `json:"purpose,omitempty"`
	Urgency    string             `json:"urgency,omitempty"`
	Service    string             `json:"service,omitempty"`
	Area       string             `json:"area,omitempty"`
	Basis      *Basis             `json:"basis,omitempty"`
	Act        string             `json:"act,omitempty"`
	Reason     string             `json:"reason,omitempty"`
	Outcome    string             `json:"outcome,omitempty"`
	Sections   map[string]Sealing `json:"sections,omitempty"`
	OnwardFrom string             `json:"onward_from,omitempty"`
}

// Basis binds the exact statement that a packet relies on: a consent record, or an override
// in its place.
type Basis struct {
	Consent  string `json:"consent,omitempty"`
	Override string `json:"override,omitempty"`
	Digest   string `json:"digest"`
}

// whole reports whether it names exactly one statement, exactly.
func (b Basis) whole() bool {
	return (b.Consent == "") != (b.Override == "") && ids.IsUUID(b.Consent+b.Override) && ids.IsDigest(b.Digest)
}

// Sealing is a section's line in the manifest.
type Sealing struct {
	Ciphertext string `json:"ct"`               // digest of the JWE string
	Plaintext  string `json:"pt"`               // digest of the salted plaintext
	Copy       string `json:"copy,omitempty"`   // digest of the sender's own copy
	Class      string `json:"class,omitempty"`  // data class of an attachment
	Chunks     string `json:"chunks,omitempty"` // digest over the digests of an attachment's sealed chunks
}

// Statement is an envelope taken apart but not yet believed.
type Statement struct {
	token  string
	signed jose.Signed
	claims Claims
	by     jose.PublicKey // the key that the signature has been seen to be of, if any
}

// ParseEnvelope takes an envelope apart: strict header, strict claims, and every
// rule that needs neither key nor clock.
func ParseEnvelope(token string) (Statement, error) {
	if len(token) > EnvelopeLimit {
		return Statement{}, ErrTooLarge
	}
	signed, err := jose.ParseSigned(token, EnvelopeLimit, EnvelopeType)
	if err != nil {
		return Statement{}, ErrEnvelope
	}
	s := Statement{token: token, signed: signed}
	if err := strict.Unmarshal(signed.UnverifiedPayload(), &s.claims); err != nil {
		return Statement{}, ErrEnvelope
	}
	if bad := s.claims.fault(); bad != "" {
		return Statement{}, ErrClaim.With("claim", bad)
	}
	return s, nil
}

// Unverified returns the claims without any proof that their issuer made them.
func (s Statement) Unverified() Claims { return s.claims }

// KeyID is the kid that the envelope names.
func (s Statement) KeyID() string { return s.signed.KeyID() }

// Digest is the envelope's digest: its identity in the chain, and for a request
// the id of the referral.
func (s Statement) Digest() string { return ids.Digest(s.token) }

// Envelope is an envelope whose signature has been verified. Only Statement.Verify
// makes one.
type Envelope struct {
	Claims
	token  string
	digest string
}

// Try does the arithmetic of Verify beforehand, with the key that the signature is
// expected to be of. It decides nothing: Verify with the same key is then cheap, and
// with another it does the arithmetic itself.
func (s *Statement) Try(key jose.PublicKey) {
	if _, err := s.signed.Verify(key); err == nil {
		s.by = key
	}
}

// Verify checks the signature with key, which must be the key of the issuer that
// the envelope names. Whether the key counted at that time is the caller's to know.
func (s Statement) Verify(key jose.PublicKey) (Envelope, error) {
	if s.by.IsZero() || !s.by.Equal(key) {
		if _, err := s.signed.Verify(key); err != nil {
			return Envelope{}, ErrSignature
		}
	}
	return Envelope{Claims: s.claims, token: s.token, digest: s.Digest()}, nil
}

// Digest is the envelope's digest.
func (e Envelope) Digest() string { return e.digest }

// Token is the signed envelope as it travelled.
func (e Envelope) Token() string { return e.token }

// ReferralID is the id of the referral that the envelope belongs to.
func (e Envelope) ReferralID() string {
	if e.Event == Request {
		return e.digest
	}
	return e.Referral
}

// fresh checks the envelope against the hub it reached and the time it did
// (RFC 7519 §4.1): an envelope of a staging hub, an old one found in a backup and
// one dated ahead to outlive its key are all refused.
func (e Envelope) fresh(hub string, now time.Time) error {
	issued, expires := time.Unix(e.IssuedAt, 0), time.Unix(e.Expires, 0)
	switch {
	case e.Hub != hub:
		return ErrHub
	case issued.After(now.Add(Skew)) || issued.Before(now.Add(-MaxAge)):
		return ErrStale
	case !expires.After(now) || expires.After(issued.Add(MaxLife)):
		return ErrExpired
	}
	return nil
}

// fault names the first claim that breaks the rules of its event, or "".
func (c Claims) fault() string {
	r, known := rules()[c.Event]
	switch {
	case c.Hub == "":
		return "hub"
	case !ids.IsName(c.Issuer) && !c.ByHub():
		return "iss"
	case !ids.IsName(c.Audience) || c.Audience == c.Issuer:
		return "aud"
	case !ids.IsUUIDv7(c.ID):
		return "jti"
	case c.IssuedAt <= 0:
		return "iat"
	case c.Expires <= c.IssuedAt:
		return "exp"
	case !known:
		return "event"
	case c.Act != "" && !ids.IsUser(c.Act):
		return "act"
	case r.reasons != nil && !r.reasons.Has(c.Reason), r.reasons == nil && c.Reason != "":
		return "reason"
	case r.outcomes != nil && !r.outcomes.Has(c.Outcome), r.outcomes == nil && c.Outcome != "":
		return "outcome"
	}
	if r.service != ids.IsUUID(c.Service) || !r.service && c.Service != "" {
		return "service"
	}
	if bad := c.routing(); bad != "" {
		return bad
	}
	if c.ByHub() {
		return c.hubStep()
	}
	return c.manifest(r)
}

// routing checks the claims that open a referral, which only a request states, and
// those that place an event in its chain, which every other event states.
func (c Claims) routing() string {
	if c.Event != Request {
		switch {
		case !ids.IsDigest(c.Referral):
			return "re"
		case !ids.IsDigest(c.Prev):
			return "prev"
		case c.Subject != "":
			return "sub"
		case c.Purpose != "":
			return "purpose"
		case c.Urgency != "":
			return "urgency"
		case c.Area != "":
			return "area"
		case c.OnwardFrom != "":
			return "onward_from"
		}
		return ""
	}
	switch {
	case c.Referral != "":
		return "re"
	case c.Prev != "":
		return "prev"
	case !ids.IsSubject(c.Subject):
		return "sub"
	case !codes.Purposes().Has(c.Purpose):
		return "purpose"
	case !codes.Urgencies().Has(c.Urgency):
		return "urgency"
	case !codes.IsArea(c.Area):
		return "area"
	case c.OnwardFrom != "" && !ids.IsDigest(c.OnwardFrom):
		return "onward_from"
	}
	return ""
}

// fits reports whether the line can stand under that name: an attachment declares the
// class that it is judged as and its chunks, and nothing else declares either. So what has
// no class is never sent to anybody.
func (s Sealing) fits(name string) bool {
	if codes.IsAttachment(name) {
		return codes.Sections().Has(s.Class) && ids.IsDigest(s.Chunks)
	}
	return codes.Sections().Has(name) && s.Class == "" && s.Chunks == ""
}

// Classes lists the classes of data that the sections are judged as, each once, in
// alphabetical order: a section's own name, or what an attachment declares.
func (c Claims) Classes(names ...string) []string {
	classes := make([]string, 0, len(names))
	for _, name := range names {
		if codes.IsAttachment(name) {
			name = c.Sections[name].Class
		}
		classes = append(classes, name)
	}
	slices.Sort(classes)
	return slices.Compact(classes)
}

// manifest checks the list of sections and the basis they need.
func (c Claims) manifest(r rule) string {
	if c.Event == Request && len(c.Sections) == 0 {
		return "sections"
	}
	for name, seal := range c.Sections {
		if !seal.fits(name) || (!r.sections && name != "note") {
			return "sections"
		}
		if !ids.IsDigest(seal.Ciphertext) || !ids.IsDigest(seal.Plaintext) || (seal.Copy != "" && !ids.IsDigest(seal.Copy)) {
			return "sections"
		}
	}
	if _, ok := c.Sections["note"]; r.note && !ok {
		return "sections"
	}
	if (c.Basis == nil) != (len(c.Sections) == 0) {
		return "basis"
	}
	if c.Basis != nil && !c.Basis.whole() {
		return "basis"
	}
	return ""
}
