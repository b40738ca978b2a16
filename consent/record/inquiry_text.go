package record

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"strings"

	"handover/internal/codes"
	"handover/internal/ids"
	"handover/internal/strict"
	"handover/keys/jose"
)

// InquiryText is what a police request says in words, for the holder alone: whom it is about,
// who asks, and why. Its JSON is what is sealed.
type InquiryText struct {
	Names     []string  `json:"names"`             // she goes by, as far as they are known
	Details   string    `json:"details,omitempty"` // what else tells her from others, such as a year of birth
	Requester Requester `json:"requester"`
	Enquiry   string    `json:"line_of_enquiry"` // what is followed, and why what is asked matters to it
	Necessity string    `json:"necessity"`       // why it is needed, and why it cannot be had otherwise
	Asked     string    `json:"asked,omitempty"` // exactly what is asked for, from when to when
}

// Requester is the officer who asks.
type Requester struct {
	Name  string `json:"name"`
	Rank  string `json:"rank"`
	Force string `json:"force"`
}

// whole reports whether the text says what the law wants it to.
func (t InquiryText) whole() bool {
	if len(t.Names) == 0 {
		return false
	}
	for _, s := range append([]string{t.Requester.Name, t.Requester.Rank, t.Requester.Force, t.Enquiry, t.Necessity}, t.Names...) {
		if strings.TrimSpace(s) == "" {
			return false
		}
	}
	return true
}

// InquiryReason is why the holder decided as it did, in code and words, and whether she has
// been told. It is the holder's own, sealed to its own key.
type InquiryReason struct {
	Reason  string `json:"reason"` // one of InquiryReasons for a yes, of NoReasons for a no
	Told    string `json:"told"`   // yes or no
	NotTold string `json:"not_told_reason,omitempty"`
	Words   string `json:"words,omitempty"`
	Padding string `json:"padding,omitempty"` // spaces, so that its length does not tell the reason
}

// NobodyToTell is why nobody was told where nobody is known.
const NobodyToTell = "nobody-to-tell"

// InquiryNotToldReasons are why she has not been told of a no.
func InquiryNotToldReasons() codes.List {
	return append(NotToldReasons(), codes.Code{Code: NobodyToTell, Label: "there is nobody to tell: she is not known here", Source: "Handover"})
}

func (r InquiryReason) fault(decision string) string {
	list := NoReasons()
	if decision == Approved {
		list = InquiryReasons()
	}
	if !list.Has(r.Reason) {
		return "reason"
	}
	if decision == Refused && r.Told == no && r.NotTold == NobodyToTell {
		return ""
	}
	return tellingFault(r.Told, r.NotTold)
}

// addressed is the plaintext of a text that is sealed to somebody. It names its sender, whom
// it is for and the statement that it belongs to, so that it can be moved to no other.
type addressed[T any] struct {
	Issuer   string `json:"iss"`
	Audience string `json:"aud"`
	ID       string `json:"jti"`
	Salt     string `json:"salt"`
	Data     T      `json:"data"`
}

// SealInquiry seals the text of a police request to a current key of the holder, and returns
// the JWE, whose digest the request binds. The hub cannot read it, nor can who sealed it.
func SealInquiry(issuer, audience, id string, t InquiryText, to jose.PublicKey) (string, error) {
	if !t.whole() {
		return "", badInquiry("text")
	}
	return seal(addressed[InquiryText]{Issuer: issuer, Audience: audience, ID: id, Data: t}.salted(), to)
}

// OpenInquiry decrypts what SealInquiry sealed, and checks that it belongs to this request.
func OpenInquiry(q InquiryClaims, jwe string, key jose.PrivateKey) (InquiryText, error) {
	a, err := unseal[InquiryText](jwe, q.Sealed, key)
	if err != nil || a.Issuer != q.Issuer || a.Audience != q.Audience || a.ID != q.ID || !a.Data.whole() {
		return InquiryText{}, badInquiry("sealed")
	}
	return a.Data, nil
}

// SealInquiryReason seals why the holder decides as it does to its own key. Its length is a
// multiple of paddedTo, since a reason with few letters is no less a secret.
func SealInquiryReason(issuer, id, decision string, r InquiryReason, to jose.PublicKey) (string, error) {
	if name := r.fault(decision); name != "" {
		return "", badInquiry(name)
	}
	r.Padding = ""
	a := addressed[InquiryReason]{Issuer: issuer, Audience: issuer, ID: id, Data: r}.salted()
	bare, err := strict.Marshal(a)
	if err != nil {
		return "", badInquiry("sealed")
	}
	const member = len(`,"padding":""`)
	a.Data.Padding = string(bytes.Repeat([]byte(" "), paddedTo-(len(bare)+member)%paddedTo))
	return seal(a, to)
}

// paddedTo is what the length of a sealed reason is a multiple of, in bytes before sealing.
const paddedTo = 1024

// OpenInquiryReason decrypts what SealInquiryReason sealed, and checks that it belongs to this
// decision.
func OpenInquiryReason(d InquiryDecisionClaims, jwe string, key jose.PrivateKey) (InquiryReason, error) {
	a, err := unseal[InquiryReason](jwe, d.Sealed, key)
	if err != nil || a.Issuer != d.Issuer || a.Audience != d.Issuer || a.ID != d.ID || a.Data.fault(d.Decision) != "" {
		return InquiryReason{}, badInquiry("sealed")
	}
	a.Data.Padding = ""
	return a.Data, nil
}

func (a addressed[T]) salted() addressed[T] {
	var salt [16]byte
	_, _ = rand.Read(salt[:]) // never fails
	a.Salt = base64.RawURLEncoding.EncodeToString(salt[:])
	return a
}

func seal[T any](a addressed[T], to jose.PublicKey) (string, error) {
	plain, err := strict.Marshal(a)
	if err != nil {
		return "", badInquiry("text")
	}
	defer clear(plain)
	jwe, err := jose.Encrypt(plain, to, "json")
	if err != nil || len(jwe) > sealedLimit {
		return "", badInquiry("sealed")
	}
	return jwe, nil
}

func unseal[T any](jwe, digest string, key jose.PrivateKey) (a addressed[T], err error) {
	encrypted, err := jose.ParseEncrypted(jwe, sealedLimit)
	if err != nil || ids.Digest(jwe) != digest {
		return a, badInquiry("sealed")
	}
	plain, err := encrypted.Decrypt(key)
	defer clear(plain)
	if err != nil || strict.Unmarshal(plain, &a) != nil || !ids.IsBytes(a.Salt, 16) {
		return addressed[T]{}, badInquiry("sealed")
	}
	return a, nil
}
