package signin

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"time"

	"handover/internal/ids"
	"handover/partners"
)

// kind is what a ceremony is for. An answer to one is none to another.
type kind string

const (
	toSignIn   kind = "sign-in"
	toJoin     kind = "join"
	toAdd      kind = "add"
	toStepUp   kind = "step-up"
	atProvider kind = "provider"
)

// ceremony is a challenge that is on its way to a browser and back.
type ceremony struct {
	kind    kind
	state   []byte // the challenge and what was asked, in the form of whoever asked
	subject string // the person, by id; "" if that is what the answer will tell
	partner partners.ID
	bound   []byte // digest of what the answer must come with; nil if of nothing
}

// ceremonyLife is how long an answer is awaited: as long as a browser shows its own
// dialogue for.
const ceremonyLife = 5 * time.Minute

// The cookies. The prefix __Host- has the browser refuse them unless they are Secure, for
// this very host and for all of it (RFC 6265bis §4.1.3.2): no sibling host and no page in
// clear can plant one, which would be session fixation.
const (
	sessionCookie  = "__Host-session"
	ceremonyCookie = "__Host-ceremony"
)

// secretSize is how many random bytes a cookie carries: too many to guess, and to search
// for by its digest.
const secretSize = 32

// secret is a new random cookie value with the digest it is stored under.
func secret() (value string, digest []byte) {
	b := make([]byte, secretSize)
	_, _ = rand.Read(b) // it never fails: it ends the program first
	value = base64.RawURLEncoding.EncodeToString(b)
	return value, digestOf(value)
}

func digestOf(value string) []byte {
	sum := sha256.Sum256([]byte(value))
	return sum[:]
}

// presented is the digest of a cookie's value, or nil if there is not exactly one cookie of
// that name in the form that we give out.
func presented(r *http.Request, name string) []byte {
	sent := r.CookiesNamed(name)
	if len(sent) != 1 || !ids.IsBytes(sent[0].Value, secretSize) {
		return nil
	}
	return digestOf(sent[0].Value)
}

// setCookie sets one of the cookies. HttpOnly: no script reads it. SameSite is Lax and not
// Strict, because one comes to the hub from elsewhere: from the system that asks to act for
// her (GET /oauth/authorize), and back from her agency's provider. With Strict she would
// arrive without her session, or without her ceremony. What changes anything is a POST, to
// which Lax sends no cookie from another site, and which sameOrigin refuses besides.
func setCookie(w http.ResponseWriter, name, value string, life time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: int(life.Seconds()),
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

func dropCookie(w http.ResponseWriter, name string) {
	http.SetCookie(w, &http.Cookie{Name: name, Path: "/", MaxAge: -1, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// begin remembers a ceremony for this browser, which forgets one that it began before.
func (h *Handler) begin(w http.ResponseWriter, r *http.Request, c ceremony) error {
	value, digest := secret()
	if err := h.store.begin(r.Context(), digest, c); err != nil {
		return err
	}
	setCookie(w, ceremonyCookie, value, ceremonyLife)
	return nil
}

// take returns the ceremony that this browser began, for the one answer that there can be:
// it is gone afterwards, whatever becomes of the answer. That stops the replay of a signed
// answer (WebAuthn §13.4.3), and an answer that was made in another browser.
func (h *Handler) take(w http.ResponseWriter, r *http.Request, k kind) (ceremony, error) {
	digest := presented(r, ceremonyCookie)
	dropCookie(w, ceremonyCookie)
	if digest == nil {
		return ceremony{}, because(ErrStale, "ceremony-none")
	}
	c, err := h.store.take(r.Context(), digest)
	if err != nil {
		return ceremony{}, err
	}
	if c.kind != k {
		return ceremony{}, because(ErrStale, "ceremony-kind")
	}
	return c, nil
}
