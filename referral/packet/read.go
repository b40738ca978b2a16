package packet

import (
	"maps"
	"slices"
	"time"

	"handover/internal/codes"
	"handover/internal/ids"
	"handover/internal/strict"
	"handover/keys/jose"
)

// MediaType is that of a packet.
const MediaType = "application/vnd.handover.packet+json"

// Packet is the wire form.
type Packet struct {
	Envelope string            `json:"envelope"`
	Sections map[string]string `json:"sections,omitempty"`
	Copies   map[string]string `json:"copies,omitempty"`
}

// Bytes returns the packet as JSON, the same bytes for the same packet.
func (p Packet) Bytes() ([]byte, error) { return strict.Marshal(p) }

// Unverified is a packet taken apart but not believed: nobody has shown yet that
// its issuer signed it.
type Unverified struct {
	Statement
	packet   Packet
	sealed   map[string]jose.Encrypted // the sections
	manifest error                     // what Open answers if body and envelope do not fit
}

// Read takes a packet apart: size, strict JSON, the JOSE gate over the envelope and
// over every section, and the digests of the manifest. It costs no public-key
// operation, so garbage is cheap.
func Read(body []byte) (Unverified, error) {
	if len(body) > PacketLimit {
		return Unverified{}, ErrTooLarge
	}
	var p Packet
	if err := strict.Unmarshal(body, &p); err != nil {
		return Unverified{}, ErrMalformed
	}
	s, err := ParseEnvelope(p.Envelope)
	if err != nil {
		return Unverified{}, err
	}
	u := Unverified{Statement: s, packet: p, sealed: map[string]jose.Encrypted{}}
	if len(p.Sections) > MaxSections || len(p.Copies) > MaxSections {
		return Unverified{}, ErrTooLarge
	}
	for name, jwe := range p.Sections {
		if u.sealed[name], err = parseSealed(name, jwe); err != nil {
			return Unverified{}, err
		}
	}
	for name, jwe := range p.Copies {
		if _, err := parseSealed(name, jwe); err != nil {
			return Unverified{}, err
		}
	}
	u.manifest = p.holds(s.claims.Sections)
	return u, nil
}

func parseSealed(name, jwe string) (jose.Encrypted, error) {
	if len(jwe) > SectionLimit {
		return jose.Encrypted{}, ErrTooLarge
	}
	e, err := jose.ParseEncrypted(jwe, SectionLimit)
	if err != nil {
		return jose.Encrypted{}, ErrSection.With("section", printable(name))
	}
	return e, nil
}

// Copy returns the sender's own copy of a section, or "". It is what was posted, believed
// no more than the rest.
func (u Unverified) Copy(name string) string { return u.packet.Copies[name] }

// Opened is a packet that has been verified as a whole: signed by its issuer, meant
// for this hub, in time, and carrying exactly the sections that were signed. Only
// Unverified.Open makes one.
type Opened struct {
	Envelope
	packet Packet
	sealed map[string]jose.Encrypted
}

// Open verifies the packet with the issuer's key, for the hub that reads it, at the
// time it does.
func (u Unverified) Open(key jose.PublicKey, hub string, now time.Time) (Opened, error) {
	e, err := u.Verify(key)
	if err != nil {
		return Opened{}, err
	}
	if err := e.fresh(hub, now); err != nil {
		return Opened{}, err
	}
	if u.manifest != nil {
		return Opened{}, u.manifest
	}
	return Opened{Envelope: e, packet: u.packet, sealed: u.sealed}, nil
}

// holds checks that the envelope's manifest and the body name the same sections with
// the same digests. One signature thus covers them all: none can be added, dropped, swapped
// or taken from another packet.
func (p Packet) holds(manifest map[string]Sealing) error {
	if len(p.Sections) != len(manifest) {
		return ErrManifest
	}
	copies := 0
	for name, seal := range manifest {
		if jwe, ok := p.Sections[name]; !ok || ids.Digest(jwe) != seal.Ciphertext {
			return ErrManifest
		}
		if seal.Copy == "" {
			continue
		}
		copies++
		if jwe, ok := p.Copies[name]; !ok || ids.Digest(jwe) != seal.Copy {
			return ErrManifest
		}
	}
	if copies != len(p.Copies) {
		return ErrManifest
	}
	return nil
}

// Names lists the packet's sections in alphabetical order.
func (o Opened) Names() []string { return slices.Sorted(maps.Keys(o.Sections)) }

// Sealed returns a section as it travelled, with the sender's own copy or "".
func (o Opened) Sealed(name string) (jwe, copy string) {
	return o.packet.Sections[name], o.packet.Copies[name]
}

// FitsOne reports whether every section names one of keys and was sealed on its curve.
// One that does not could never be opened by the recipient, who would be told of a
// referral that she cannot read.
func (o Opened) FitsOne(keys []jose.PublicKey) bool {
	for _, e := range o.sealed {
		if !slices.ContainsFunc(keys, func(k jose.PublicKey) bool { return e.Fits(k) == nil }) {
			return false
		}
	}
	return true
}

// printable keeps a section's name out of a message unless it is one of the codes: a
// sender may by mistake have named a section after her.
func printable(name string) string {
	if !codes.Sections().Has(name) && !codes.IsAttachment(name) {
		return "?"
	}
	return name
}
