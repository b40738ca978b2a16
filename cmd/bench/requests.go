package main

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"handover/consent/record"
	"handover/internal/ids"
	"handover/internal/strict"
	"handover/keys/jose"
	"handover/referral/packet"
)

// signIn gets the sender's access token, bound to a key for proofs.
func (x *bed) signIn() (err error) {
	if x.dpop, err = jose.Generate(jose.EdDSA, jose.Ed25519); err != nil {
		return err
	}
	nonce, err := x.currentNonce()
	if err != nil {
		return err
	}
	form, proof, err := x.tokenForm(nonce)
	if err != nil {
		return err
	}
	var granted struct {
		Token string `json:"access_token"`
	}
	err = post(x.issuer+tokenPath, formType, map[string]string{"DPoP": proof}, form, &granted)
	x.token = granted.Token
	return err
}

const (
	tokenPath = "/oauth/token"
	formType  = "application/x-www-form-urlencoded"
)

// tokenForm makes a token request: its form and its proof.
func (x *bed) tokenForm(nonce string) (form []byte, proof string, err error) {
	now := time.Now().Unix()
	claims, err := strict.Marshal(map[string]any{"iss": x.sender.client, "sub": x.sender.client, "aud": x.issuer,
		"iat": now, "exp": now + 60, "jti": uuid.NewString()})
	if err != nil {
		return nil, "", err
	}
	assertion, err := jose.Sign("client-authentication+jwt", claims, x.sender.auth.Signer())
	if err != nil {
		return nil, "", err
	}
	if proof, err = x.proof("POST", tokenPath, "", nonce); err != nil {
		return nil, "", err
	}
	values := url.Values{"grant_type": {"client_credentials"}, "client_assertion": {assertion},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}}
	return []byte(values.Encode()), proof, nil
}

// tokenRequest makes a token request as bytes.
func (x *bed) tokenRequest() ([]byte, error) {
	nonce, err := x.currentNonce()
	if err != nil {
		return nil, err
	}
	form, proof, err := x.tokenForm(nonce)
	if err != nil {
		return nil, err
	}
	return request(tokenPath, strings.TrimPrefix(x.issuer, "http://"), formType, map[string]string{"DPoP": proof}, form), nil
}

// nonce is what the hub wants every proof to carry. It changes every few minutes.
type nonce struct {
	mu    sync.Mutex
	value string
	at    time.Time
}

// currentNonce returns a nonce that is good for a while yet. The hub gives it to whoever
// asks for a token without one.
func (x *bed) currentNonce() (string, error) {
	x.nonce.mu.Lock()
	defer x.nonce.mu.Unlock()
	if time.Since(x.nonce.at) < time.Minute {
		return x.nonce.value, nil
	}
	form, proof, err := x.tokenForm("")
	if err != nil {
		return "", err
	}
	r, err := http.NewRequest(http.MethodPost, x.issuer+tokenPath, bytes.NewReader(form))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", formType)
	r.Header.Set("DPoP", proof)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	x.nonce.value, x.nonce.at = answer.Header.Get("DPoP-Nonce"), time.Now()
	return x.nonce.value, answer.Body.Close()
}

// proof makes a DPoP proof (RFC 9449 §4.2).
func (x *bed) proof(method, path, token, nonce string) (string, error) {
	claims := map[string]any{"htm": method, "htu": x.issuer + path, "iat": time.Now().Unix(), "jti": uuid.NewString(), "nonce": nonce}
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	body, err := strict.Marshal(claims)
	if err != nil {
		return "", err
	}
	return jose.SignProof(body, x.dpop)
}

func (x *bed) consent() error {
	sub := make([]byte, 16)
	rand.Read(sub)
	x.subject = base64.RawURLEncoding.EncodeToString(sub)
	now := time.Now().Unix()
	circumstances, digest, err := record.Circumstances{Alone: "yes", Coercion: "none", Interpreter: "none", Language: "en", Capacity: "presumed"}.Text()
	if err != nil {
		return err
	}
	claims := record.Claims{Hub: x.issuer, Issuer: x.sender.id, ID: uuid.Must(uuid.NewV7()).String(), IssuedAt: now,
		Subject: x.subject, Jurisdiction: "GB-ENG", Agreement: "agreed", Method: "verbal-in-person", Purpose: "housing",
		Recipients: []string{x.recipient.id}, Sections: []string{"need", "safe-contact"}, Onward: "none",
		Notice: record.Notice{Version: "1", Digest: ids.Digest("notice"), Language: "en"},
		Bases:  record.Bases{{Controller: x.sender.id, Article6: "a"}}, Gate: record.Gate{Pathway: "none"}, Circumstances: digest,
		GivenAt: now, ValidFrom: now, Expires: now + 86400}
	token, err := claims.Sign(x.sender.signing.Signer())
	if err != nil {
		return err
	}
	x.basis = packet.Basis{Consent: claims.ID, Digest: ids.Digest(token)}
	headers, err := x.authorize("POST", "/v1/consents")
	if err != nil {
		return err
	}
	body, err := strict.Marshal(record.Posted{Record: token, Circumstances: circumstances})
	if err != nil {
		return err
	}
	return post(x.issuer+"/v1/consents", record.MediaType, headers, body, &struct{}{})
}

func (x *bed) authorize(method, path string) (map[string]string, error) {
	nonce, err := x.currentNonce()
	if err != nil {
		return nil, err
	}
	proof, err := x.proof(method, path, x.token, nonce)
	return map[string]string{"Authorization": "DPoP " + x.token, "DPoP": proof}, err
}

// packetRequest makes a referral of 4 KiB in two sections, sealed and signed, with a
// DPoP proof of its own.
func (x *bed) packetRequest() ([]byte, error) {
	half, err := json.Marshal(map[string]string{"text": strings.Repeat("x", 2030)})
	if err != nil {
		return nil, err
	}
	p, err := packet.Seal(packet.Claims{Hub: x.issuer, Issuer: x.sender.id, Audience: x.recipient.id, Event: packet.Request,
		Subject: x.subject, Purpose: "housing", Urgency: "urgent", Service: x.service, Area: "E09000007", Basis: &x.basis},
		map[string]packet.Content{"need": half, "safe-contact": half},
		packet.To{Recipient: x.recipient.encryption.Public()}, x.sender.signing.Signer(), time.Now())
	if err != nil {
		return nil, err
	}
	body, err := p.Bytes()
	if err != nil {
		return nil, err
	}
	headers, err := x.authorize("POST", "/v1/referrals")
	if err != nil {
		return nil, err
	}
	return request("/v1/referrals", strings.TrimPrefix(x.issuer, "http://"), packet.MediaType, headers, body), nil
}

// request is a whole HTTP/1.1 request.
func request(path, host, mediaType string, headers map[string]string, body []byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nContent-Length: %s\r\n", path, host, mediaType, strconv.Itoa(len(body)))
	for name, value := range headers {
		fmt.Fprintf(&b, "%s: %s\r\n", name, value)
	}
	b.WriteString("\r\n")
	b.Write(body)
	return b.Bytes()
}

func post(address, mediaType string, headers map[string]string, body []byte, into any) error {
	r, err := http.NewRequest(http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", mediaType)
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return err
	}
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("%s answered %s: %s", address, answer.Status, text)
	}
	return json.Unmarshal(text, into)
}
