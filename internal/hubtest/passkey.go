package hubtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"slices"
)

// Authenticator is a device with passkeys, written from WebAuthn (W3C, level 3) alone: what
// it makes is verified by a library that is not its own. A test sets its fields to cheat.
type Authenticator struct {
	RPID, Origin string
	Unverified   bool // it does not ask for the finger or the screen lock (flag UV)
	Synced       bool // flags BE and BS
	NoCounter    bool // it counts nothing, as synced passkeys do
	Type         string

	Keys []*SoftKey
}

// SoftKey is one passkey.
type SoftKey struct {
	ID      []byte
	User    []byte // the user handle
	Counter uint32
	key     *ecdsa.PrivateKey
}

// NewAuthenticator is a device that is used at the hub with that issuer.
func NewAuthenticator(rpID, origin string) *Authenticator {
	return &Authenticator{RPID: rpID, Origin: origin}
}

var b64 = base64.RawURLEncoding.EncodeToString

// creation and request are what is read of the options.
type creation struct {
	Challenge string `json:"challenge"`
	User      struct {
		ID string `json:"id"`
	} `json:"user"`
	Exclude []struct {
		ID string `json:"id"`
	} `json:"excludeCredentials"`
}

type request struct {
	Challenge string `json:"challenge"`
	Allow     []struct {
		ID string `json:"id"`
	} `json:"allowCredentials"`
}

// Create makes a passkey and returns the browser's answer, or nil if the device has one of
// those that it is told to exclude.
func (a *Authenticator) Create(options []byte) map[string]any {
	var o creation
	must(0, json.Unmarshal(options, &o))
	for _, x := range o.Exclude {
		if slices.ContainsFunc(a.Keys, func(k *SoftKey) bool { return b64(k.ID) == x.ID }) {
			return nil
		}
	}
	k := &SoftKey{ID: random(32), User: must(base64.RawURLEncoding.DecodeString(o.User.ID)), key: must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))}
	a.Keys = append(a.Keys, k)
	data := a.data(k, true)
	attestation := slices.Concat([]byte{0xa3}, text("fmt"), text("none"), text("attStmt"), []byte{0xa0}, text("authData"), byteString(data))
	return map[string]any{"id": b64(k.ID), "type": "public-key", "response": map[string]any{
		"clientDataJSON": b64(a.clientData("webauthn.create", o.Challenge)), "attestationObject": b64(attestation), "transports": []string{"internal"}}}
}

// Get signs a challenge with the passkey k, or with the newest that is allowed, and returns
// the browser's answer.
func (a *Authenticator) Get(options []byte, k *SoftKey) map[string]any {
	var o request
	must(0, json.Unmarshal(options, &o))
	for _, held := range slices.Backward(a.Keys) {
		allowed := len(o.Allow) == 0
		for _, x := range o.Allow {
			allowed = allowed || x.ID == b64(held.ID)
		}
		if k == nil && allowed {
			k = held
		}
	}
	if k == nil {
		return nil
	}
	data, client := a.data(k, false), a.clientData("webauthn.get", o.Challenge)
	hash := sha256.Sum256(client)
	digest := sha256.Sum256(slices.Concat(data, hash[:]))
	return map[string]any{"id": b64(k.ID), "type": "public-key", "response": map[string]any{
		"clientDataJSON": b64(client), "authenticatorData": b64(data), "userHandle": b64(k.User),
		"signature": b64(must(ecdsa.SignASN1(rand.Reader, k.key, digest[:])))}}
}

func (a *Authenticator) clientData(kind, challenge string) []byte {
	if a.Type != "" {
		kind = a.Type
	}
	return must(json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": a.Origin, "crossOrigin": false}))
}

// data is the authenticator data (WebAuthn §6.1), with the new key if attested.
func (a *Authenticator) data(k *SoftKey, attested bool) []byte {
	flags := byte(0x01) // UP
	if !a.Unverified {
		flags |= 0x04
	}
	if a.Synced {
		flags |= 0x18
	}
	if !a.NoCounter {
		k.Counter++
	}
	rp := sha256.Sum256([]byte(a.RPID))
	data := slices.Clone(rp[:])
	if attested {
		flags |= 0x40
	}
	data = append(data, flags)
	data = binary.BigEndian.AppendUint32(data, k.Counter)
	if !attested {
		return data
	}
	data = append(data, make([]byte, 16)...) // AAGUID
	data = binary.BigEndian.AppendUint16(data, uint16(len(k.ID)))
	data = append(data, k.ID...)
	return append(data, k.cose()...)
}

// cose is the public key (RFC 9053 §7.1.1): {1: 2, 3: -7, -1: 1, -2: x, -3: y}.
func (k *SoftKey) cose() []byte {
	point := must(k.key.PublicKey.Bytes()) // 0x04, x, y
	return slices.Concat([]byte{0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21}, byteString(point[1:33]), []byte{0x22}, byteString(point[33:]))
}

// text and byteString are CBOR strings (RFC 8949 §3.1).
func text(s string) []byte { return append(head(0x60, len(s)), s...) }

func byteString(b []byte) []byte { return append(head(0x40, len(b)), b...) }

func head(major byte, n int) []byte {
	switch {
	case n < 24:
		return []byte{major | byte(n)}
	case n < 256:
		return []byte{major | 24, byte(n)}
	}
	return binary.BigEndian.AppendUint16([]byte{major | 25}, uint16(n))
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}
