package oauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"handover/keys/jose"
)

// algorithms are those of assertions and proofs, as challenges and metadata name
// them.
const algorithms = "ES256 EdDSA PS256"

// maxProof bounds a DPoP proof. One with a P-256 key and a nonce has about 700
// bytes, one with an RSA key of 4096 bits about 2,300.
const maxProof = 4 << 10

// maxName bounds a jti, which somebody else chose.
const maxName = 256

// dpopProof is a DPoP proof that fits one request: signed, for its method and address,
// and fresh. It does not yet count: whether it is used for the first time is for
// the store to decide, and whether its key is the right one for whoever knows to
// which key the token is bound.
type dpopProof struct {
	thumbprint string // of its key, RFC 7638: the jkt of RFC 9449 §6.1
	issued     time.Time
	ahead      bool // issued lies ahead of the hub's clock
	use        use
	header     jose.ProofHeader
	outdated   bool // its nonce is to be replaced
}

// The ways in which a proof is refused. Only its sender reads them.
var (
	errProofCount = badProof("proof-count", "Send exactly one DPoP header with one proof.")
	errProofForm  = badProof("proof-form", "The proof must be a compact JWS of typ dpop+jwt, ES256, EdDSA or PS256, with typ, alg and a public jwk in its header and jti, htm, htu and iat in its payload.")
	errProofSign  = badProof("proof-signature", "The signature of the proof is not that of its jwk.")
	errProofHTM   = badProof("proof-method", "htm of the proof is not the method of the request.")
	errProofHTU   = badProof("proof-uri", "htu of the proof is not the address of the request below the issuer.")
	errProofNonce = &refusal{code: useNonce, reason: "proof-nonce", status: http.StatusBadRequest,
		hint: "The proof needs the nonce of the DPoP-Nonce header. Make a new proof with it and ask again."}
	errProofTime  = badProof("proof-time", "iat of the proof is more than 60 seconds old or more than 10 seconds ahead of the hub's clock, which is in the Date header.")
	errProofToken = badProof("proof-token", "ath of the proof is not the SHA-256 of the access token.")
	errProofAgain = badProof("proof-used", "A proof with this jti and key was used before. Make a fresh proof for each request.")
)

// proofClaims are the claims of RFC 9449 §4.2 that this hub judges.
type proofClaims struct {
	ID     string      `json:"jti"`
	Method string      `json:"htm"`
	URI    string      `json:"htu"`
	Issued numericDate `json:"iat"`
	Nonce  string      `json:"nonce"`
	Token  string      `json:"ath"`
}

// expected is what a proof has to fit.
type expected struct {
	method string
	origin string // scheme and host of the issuer: what a proxy passed on as Host does not count
	path   string // as it was sent, still escaped
	token  string // the access token that ath digests; "" at the token endpoint
	now    time.Time
	nonces *nonceSet
	header jose.ProofHeader // of an earlier proof for the same token, if any is known
}

// openProof checks the DPoP proof of a request in the order of RFC 9449 §4.3.
func openProof(h http.Header, want expected) (dpopProof, error) {
	sent := h.Values("DPoP")
	if len(sent) != 1 {
		return dpopProof{}, errProofCount // item 1
	}
	payload, header, err := want.header.Verify(sent[0], maxProof) // items 2 to 7
	if errors.Is(err, jose.ErrSignature) {
		return dpopProof{}, errProofSign
	}
	var c proofClaims
	if err != nil || readClaims(payload, &c) != nil || c.ID == "" || len(c.ID) > maxName || c.Issued.IsZero() {
		return dpopProof{}, errProofForm
	}
	if err := c.fit(want); err != nil {
		return dpopProof{}, err
	}
	key := header.Key()
	_, outdated := want.nonces.takes(c.Nonce)
	return dpopProof{
		outdated:   outdated,
		thumbprint: key.KeyID(),
		issued:     c.Issued.Time,
		ahead:      c.Issued.After(want.now),
		use:        useOf("proof", key.KeyID(), c.ID),
		header:     header,
	}, nil
}

// fit compares the claims with the request: items 8 to 11 and 12a of RFC 9449 §4.3.
func (c proofClaims) fit(want expected) error {
	if c.Method != want.method {
		return errProofHTM
	}
	if !sameURI(c.URI, want.origin, want.path) {
		return errProofHTU
	}
	if ok, _ := want.nonces.takes(c.Nonce); !ok {
		return errProofNonce
	}
	if c.Issued.Before(want.now.Add(-behind)) || c.Issued.After(want.now.Add(ahead)) {
		return errProofTime
	}
	if want.token != "" {
		sum := sha256.Sum256([]byte(want.token))
		ath := base64.RawURLEncoding.EncodeToString(sum[:])
		if subtle.ConstantTimeCompare([]byte(c.Token), []byte(ath)) != 1 {
			return errProofToken
		}
	}
	return nil
}

// sameURI reports whether htu names origin and path, query and fragment aside,
// after the normalisation of RFC 3986 §6.2.2 and §6.2.3 (RFC 9449 §4.3 item 9).
func sameURI(htu, origin, path string) bool {
	if htu == origin+path {
		return true // as nearly all send it
	}
	got, ok := normalURI(htu)
	if !ok {
		return false
	}
	want, ok := normalURI(origin + path)
	return ok && got == want
}

// normalURI returns scheme, host and path of an absolute http or https URI in
// normal form.
func normalURI(s string) (string, bool) {
	u, err := url.Parse(s)
	if err != nil || u.User != nil || u.Opaque != "" || u.Host == "" {
		return "", false
	}
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	switch scheme {
	case "http":
		host = strings.TrimSuffix(host, ":80")
	case "https":
		host = strings.TrimSuffix(host, ":443")
	default:
		return "", false
	}
	path := normalEscapes((&url.URL{}).ResolveReference(u).EscapedPath())
	if path == "" {
		path = "/"
	}
	return scheme + "://" + strings.TrimSuffix(host, ":") + path, true
}

// normalEscapes writes percent-encodings in upper case, and undoes those of
// unreserved characters (RFC 3986 §6.2.2.1, §6.2.2.2). Others keep their meaning:
// %2F is not a slash.
func normalEscapes(path string) string {
	if !strings.Contains(path, "%") {
		return path
	}
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] != '%' || i+2 >= len(path) {
			b.WriteByte(path[i])
			continue
		}
		escape := path[i : i+3]
		if c, err := url.PathUnescape(escape); err == nil && unreserved(c[0]) {
			b.WriteString(c)
		} else {
			b.WriteString(strings.ToUpper(escape))
		}
		i += 2
	}
	return b.String()
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
}
