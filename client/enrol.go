package client

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"time"

	"handover/audit/proof"
	"handover/internal/ids"
	"handover/internal/strict"
	"handover/keys/jose"
)

// enrolmentType is the typ of an enrolment statement.
const enrolmentType = "handover-enrolment+jwt"

// logPath is where a hub's log lives; with the hub's host it is the log's name.
const logPath = "/v1/log"

// Enrolling is what a new system brings.
type Enrolling struct {
	Hub  string // issuer URL
	Code string // the one-time code from the hub's operator

	// The three public keys, one use each, named by their thumbprints.
	Authentication, Signing, Encryption jose.PublicKey
	Sign                                jose.SigningKey // the private part of Signing

	HTTP *http.Client     // nil is one with timeouts
	Now  func() time.Time // nil is time.Now
}

// Enrolment is what the hub answered: with these and the keys a Client is made.
type Enrolment struct {
	Hub      string   `json:"hub"`
	Partner  string   `json:"partner"`
	ClientID string   `json:"client_id"`
	Scopes   []string `json:"scopes"`
	LogKey   string   `json:"log_key"` // pin it: it is what receipts are verified with
}

// Enrol redeems an enrolment code: the keys are registered and the partner takes
// part from then on. The statement is signed by the new signing key, which shows
// that it is held, and names hub and code, so that it is of use nowhere else. Codes
// of refusal: invitation-invalid, enrolment-invalid, key-taken. A refused code stays
// usable; and if the answer is lost, the same code with the same keys is told the same
// until the code expires.
func Enrol(ctx context.Context, e Enrolling) (Enrolment, error) {
	return e.redeem(ctx, "/v1/enrol", e.request)
}

// redeem brings a code, and what request makes of it, to a hub that it has not met before.
func (e Enrolling) redeem(ctx context.Context, path string, request func(hub string, now time.Time) ([]byte, error)) (Enrolment, error) {
	hub, host, err := parseHub(e.Hub)
	if err != nil {
		return Enrolment{}, err
	}
	c := &Client{hub: hub, host: host, http: sender(e.HTTP), now: e.Now, tokens: &tokens{}}
	if c.now == nil {
		c.now = time.Now
	}
	// Before anything is registered: this is the hub, and it has a log.
	r, err := c.do(ctx, metadata())
	if err != nil {
		return Enrolment{}, err
	}
	if _, err := c.endpoints(r); err != nil {
		return Enrolment{}, err
	}
	logKey, err := c.fetchLogKey(ctx)
	if err != nil {
		return Enrolment{}, err
	}
	body, err := request(hub, c.now())
	if err != nil {
		return Enrolment{}, err
	}
	r, err = c.do(ctx, call{method: http.MethodPost, path: path, body: body,
		mediaType: "application/json", stranger: true})
	if err != nil {
		return Enrolment{}, err
	}
	answer, err := read[struct {
		Partner  string   `json:"partner"`
		ClientID string   `json:"client_id"`
		Scopes   []string `json:"scopes"`
		Issuer   string   `json:"issuer"`
	}](r)
	if err != nil {
		return Enrolment{}, err
	}
	if answer.Issuer != hub || answer.ClientID == "" || !ids.IsName(answer.Partner) {
		return Enrolment{}, fmt.Errorf("%w: it names another hub, or no client", ErrAnswer)
	}
	return Enrolment{Hub: hub, Partner: answer.Partner, ClientID: answer.ClientID,
		Scopes: answer.Scopes, LogKey: logKey.String()}, nil
}

// enrolmentClaims are what an enrolment states.
type enrolmentClaims struct {
	Hub        string `json:"hub"`
	CodeDigest string `json:"code_digest"`
	IssuedAt   int64  `json:"iat"`
	Keys       struct {
		Authentication jose.PublicKey `json:"authentication"`
		Signing        jose.PublicKey `json:"signing"`
		Encryption     jose.PublicKey `json:"encryption"`
	} `json:"keys"`
}

// request is the body of the enrolment.
func (e Enrolling) request(hub string, now time.Time) ([]byte, error) {
	statement, err := e.statement(hub, now)
	if err != nil {
		return nil, err
	}
	return strict.Marshal(struct {
		Code      string `json:"code"`
		Statement string `json:"enrolment"`
	}{strings.TrimSpace(e.Code), statement})
}

// statement is the enrolment, signed by the new signing key.
func (e Enrolling) statement(hub string, now time.Time) (string, error) {
	code := strings.TrimSpace(e.Code)
	digest := sha256.Sum256([]byte(code))
	claims := enrolmentClaims{Hub: hub, CodeDigest: base64.RawURLEncoding.EncodeToString(digest[:]), IssuedAt: now.Unix()}
	claims.Keys.Authentication, claims.Keys.Signing, claims.Keys.Encryption = e.Authentication, e.Signing, e.Encryption
	return signJSON(enrolmentType, claims, e.Sign)
}

// fetchLogKey reads the log's current key. It comes over the same connection as
// everything else; who wants more compares it with another partner's.
func (c *Client) fetchLogKey(ctx context.Context) (LogKey, error) {
	r, err := c.do(ctx, call{method: http.MethodGet, path: logPath + "/key", stranger: true})
	if err != nil {
		return LogKey{}, err
	}
	first, _, _ := strings.Cut(string(r.body), "\n")
	key, err := proof.ParseLogKey(first)
	if err != nil || key.Origin() != c.host+logPath {
		return LogKey{}, fmt.Errorf("%w: it is no key of this hub's log", ErrAnswer)
	}
	return key, nil
}
