package partners_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"handover/internal/hubtest"
	"handover/internal/strict"
	"handover/keys/jose"
	"handover/partners"
)

func newPS256(t *testing.T) jose.PrivateKey {
	t.Helper()
	key, err := jose.Generate(jose.PS256, jose.NoCurve)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// signPS256 signs a statement by hand, and rightly, as jose.Sign refuses to.
func signPS256(t *testing.T, typ string, statement any, key jose.PrivateKey) string {
	t.Helper()
	claims, err := strict.Marshal(statement)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	input := b64([]byte(`{"alg":"PS256","typ":"`+typ+`","kid":"`+key.KeyID()+`"}`)) + "." + b64(claims)
	digest := sha256.Sum256([]byte(input))
	options := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
	sig, err := key.Signer().Key.Sign(rand.Reader, digest[:], options)
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + b64(sig)
}

func TestAPartnerMayAuthenticateWithPS256(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	a, code := h.Invited(t, "rosewood", partners.Housing)
	a.Auth, a.DPoP = newPS256(t), newPS256(t)
	a.Enrol(t, code)
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	a.Get(t, "/v1/partners/rosewood/jwks.json").Into(t, http.StatusOK, &set)
	served := false
	for _, k := range set.Keys {
		served = served || k["kid"] == a.Auth.KeyID() && k["kty"] == "RSA" && k["e"] == "AQAB" && k["handover_use"] == "authentication"
	}
	if !served {
		t.Errorf("the key set is %v", set.Keys)
	}
}

func TestAnRSAKeyNeitherSignsNorSeals(t *testing.T) {
	t.Parallel()
	key, now := newPS256(t), time.Now()
	good := partners.Enrolment{Hub: hubtest.Issuer, CodeDigest: "code", IssuedAt: now.Unix()}
	signing := hubtest.Key(t, partners.Signing)
	good.Keys.Authentication, good.Keys.Signing = hubtest.Key(t, partners.Authentication).Public(), signing.Public()
	good.Keys.Encryption = hubtest.Key(t, partners.Encryption).Public()
	rightly := func(e partners.Enrolment) string {
		return hubtest.SignAs(t, partners.EnrolmentType, e, signing.Signer())
	}
	open := func(statement string) error {
		_, err := partners.OpenEnrolment(statement, hubtest.Issuer, "code", now)
		return err
	}
	with := func(f func(e *partners.Enrolment)) partners.Enrolment {
		e := good
		f(&e)
		return e
	}
	authenticates := with(func(e *partners.Enrolment) { e.Keys.Authentication = key.Public() })
	for name, statement := range map[string]string{"all right": rightly(good), "an RSA key to authenticate": rightly(authenticates)} {
		if err := open(statement); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	signs := with(func(e *partners.Enrolment) { e.Keys.Signing = key.Public() })
	for name, statement := range map[string]string{
		"an RSA key to sign, which signs the statement": signPS256(t, partners.EnrolmentType, signs, key),
		"an RSA key to sign, another signs":             rightly(signs),
		"an RSA key to seal":                            rightly(with(func(e *partners.Enrolment) { e.Keys.Encryption = key.Public() })),
		"signed by the key that authenticates":          signPS256(t, partners.EnrolmentType, authenticates, key),
	} {
		if err := open(statement); !errors.Is(err, partners.ErrEnrolment) {
			t.Errorf("%s: %v, want ErrEnrolment", name, err)
		}
	}
}

// A key statement is signed by the new key, and PS256 signs no statement: such a key comes
// with its system, by enrolment or registration.
func TestNoRotationBringsAnRSAKey(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	a, key := h.Agency(t, "rosewood", partners.Housing), newPS256(t)
	admin := h.Person(t, a.ID, partners.Administrator)
	for use, old := range map[partners.Use]jose.PrivateKey{partners.Authentication: a.Auth, partners.Signing: a.Signing, partners.Encryption: a.Sealing} {
		r := rotation(h, a, use, key.Public(), old.KeyID())
		for by, statement := range map[string]string{
			"itself": signPS256(t, partners.RotationType, r, key), "the key that signs": hubtest.SignAs(t, partners.RotationType, r, a.Signing.Signer()),
		} {
			answer := admin.Do(t, hubtest.Call{Method: http.MethodPost, Path: "/v1/keys", Type: "application/jose", Body: []byte(statement)})
			if answer.Problem().Code != "rotation-invalid" {
				t.Errorf("%s, signed by %s: %d %s", use, by, answer.Status, answer.Body)
			}
		}
	}
}

// Were such a row ever written, nothing would be judged by it.
func TestARowThatPutsAnRSAKeyToSigningIsNotRead(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	a := h.Agency(t, "rosewood", partners.Housing)
	jwk, err := newPS256(t).Public().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	h.Exec(t, `UPDATE partner_key SET jwk = $1 WHERE partner = 'rosewood' AND use = 'signing'`, string(jwk))
	if keys, err := h.Registry.Keys(t.Context(), a.ID); err == nil || !strings.Contains(err.Error(), "PS256") {
		t.Errorf("read %v, %v", keys, err)
	}
}
