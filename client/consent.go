package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"

	"handover/audit/proof"
	"handover/consent/record"
	"handover/internal/strict"
)

// What a consent is made of: what she was told, the lawful basis of one agency, the
// statutory gate, and how she was asked.
type (
	Notice        = record.Notice
	Basis         = record.Basis
	Gate          = record.Gate
	Circumstances = record.Circumstances
)

// Consent is what she agreed to, to be recorded. Zero values are filled in where a
// default is given.
type Consent struct {
	ID         string   // UUIDv7; default a new one
	Subject    string   // her random reference (NewSubject); default a new one
	Supersedes string   // id of the earlier record that this one takes the place of, if any; its subject too
	Purpose    string   // one of the codes of purposes
	Recipients []string // partner ids, or category:NAME; police only as category:police
	Sections   []string // what she agrees to share
	Withheld   []string // what she does not, which wins
	Agreement  string   // default agreed
	Method     string   // how she said it: one of Methods; only where she was asked
	Onward     string   // default ask-each-time
	Notice     Notice   // only where she was asked
	Bases      []Basis  // lawful bases, your own at least; a controller that is left out is your agency
	Gate       Gate     // default the one that the purpose needs, or none

	How   Circumstances     // how she was asked; zero only where she was not
	Words map[string]string // texts that only your agency can read again: her-words, capacity, circumstances

	Given   time.Time // default now
	From    time.Time // default Given
	Expires time.Time // default 28 days after From
	Review  time.Time // when to look at it again; default never
	Act     string    // the worker, by opaque id
}

// Methods are the codes of how she can have said it.
func Methods() []string { return record.Methods().Codes() }

// ConsentLife is how long a consent stands when nothing else is said.
const ConsentLife = 28 * 24 * time.Hour

// RecordedConsent is a consent record with its proof.
type RecordedConsent struct {
	ID      string  `json:"id"`
	Subject string  `json:"subject"`
	Digest  string  `json:"digest"` // by which packets bind it
	Record  string  `json:"record"` // the signed record
	Receipt Receipt `json:"receipt"`

	Circumstances string            `json:"circumstances,omitempty"` // as they are posted beside it
	Sealed        map[string]string `json:"sealed,omitempty"`
}

// StoredConsent is a consent record as the hub keeps it, verified: signed by its
// recorder, and its newest step in the log.
type StoredConsent struct {
	ID          string        `json:"id"`
	Record      string        `json:"record"` // the signed record
	Digest      string        `json:"digest"`
	State       string        `json:"state"` // what she said, or withdrawn, expired, superseded
	RecordedAt  time.Time     `json:"recorded_at"`
	WithdrawnAt time.Time     `json:"withdrawn_at,omitzero"`
	Withdrawal  string        `json:"withdrawal,omitempty"` // the signed withdrawal
	Receipt     Receipt       `json:"receipt"`              // of the newest step
	Claims      record.Claims `json:"claims"`               // what the record states

	SupersededBy  string            `json:"superseded_by,omitempty"` // the record that took its place, if you are shown it
	Review        string            `json:"review,omitempty"`        // whether a manager has to look at it (not-needed, awaited, stands, does-not-stand): shown to its recorder alone
	Circumstances string            `json:"circumstances,omitempty"` // shown to its recorder alone
	Sealed        map[string]string `json:"sealed,omitempty"`
}

// NewSubject returns a fresh random reference for a subject: 128 bits in base64url.
// Take a new one for each recipient unless you mean to link them.
func NewSubject() string {
	return record.NewSubject()
}

// RecordConsent signs and records what she agreed to. Codes of refusal:
// consent-claim (the member claim names it), consent-conflict, consent-stale.
func (c *Client) RecordConsent(ctx context.Context, o Consent) (RecordedConsent, error) {
	signed, err := c.SignConsent(o)
	if err != nil {
		return RecordedConsent{}, err
	}
	return c.PostConsent(ctx, signed)
}

// PostConsent sends a signed record, once more if need be: the same record finds
// the receipt it had before.
func (c *Client) PostConsent(ctx context.Context, signed RecordedConsent) (RecordedConsent, error) {
	stated, err := record.ParseConsent(signed.Record)
	if err != nil {
		return RecordedConsent{}, local(err)
	}
	body, err := strict.Marshal(record.Posted{Record: signed.Record, Circumstances: signed.Circumstances, Sealed: signed.Sealed})
	if err != nil {
		return RecordedConsent{}, local(err)
	}
	r, err := c.do(ctx, call{method: http.MethodPost, path: "/v1/consents", body: body, mediaType: record.MediaType})
	if err != nil {
		return RecordedConsent{}, err
	}
	receipt, err := read[Receipt](r)
	if err != nil {
		return RecordedConsent{}, err
	}
	claims := stated.Unverified()
	signed.ID, signed.Subject, signed.Digest, signed.Receipt = claims.ID, claims.Subject, stated.Digest(), receipt
	return signed, c.prove(ctx, receipt, proof.Entry{Act: "consent.record", Partner: c.partner, Subject: claims.Subject,
		Consent: claims.ID, Digest: stated.Digest(), State: claims.Agreement, Target: claims.Supersedes})
}

func (c *Client) postSigned(ctx context.Context, path, token string) (Receipt, error) {
	r, err := c.do(ctx, call{method: http.MethodPost, path: path, body: []byte(token), mediaType: "application/jose"})
	if err != nil {
		return Receipt{}, err
	}
	return read[Receipt](r)
}

// Consent returns a record that you made or are named in; the code of its refusal
// is consent-not-found. The hub logs that you read it.
func (c *Client) Consent(ctx context.Context, id string) (StoredConsent, error) {
	stored, err := get[StoredConsent](ctx, c, "/v1/consents/"+url.PathEscape(id), nil)
	if err != nil {
		return StoredConsent{}, err
	}
	stated, err := record.ParseConsent(stored.Record)
	if err != nil {
		return StoredConsent{}, fmt.Errorf("%w: the consent record", ErrForged)
	}
	stored.Claims = stated.Unverified()
	if stored.Claims.ID != id || stored.Claims.Hub != c.hub || stated.Digest() != stored.Digest {
		return StoredConsent{}, fmt.Errorf("%w: it is another consent record", ErrForged)
	}
	key, err := c.signingKey(ctx, stored.Claims.Issuer, stated.KeyID())
	if err != nil {
		return StoredConsent{}, err
	}
	if _, err := record.VerifyConsent(stated, key.PublicKey); err != nil {
		return StoredConsent{}, fmt.Errorf("%w: the consent record", ErrForged)
	}
	return stored, c.proveConsent(ctx, stored)
}

// proveConsent verifies the newest step of a consent: the withdrawal, if there is
// one, or the recording.
func (c *Client) proveConsent(ctx context.Context, stored StoredConsent) error {
	if stored.Withdrawal == "" {
		return c.prove(ctx, stored.Receipt, proof.Entry{Act: "consent.record", Partner: stored.Claims.Issuer,
			Subject: stored.Claims.Subject, Consent: stored.ID, Digest: stored.Digest, Target: stored.Claims.Supersedes})
	}
	stated, err := record.ParseWithdrawal(stored.Withdrawal)
	if err != nil || stated.Unverified().Consent != stored.ID || stated.Unverified().Digest != stored.Digest {
		return fmt.Errorf("%w: the withdrawal", ErrForged)
	}
	key, err := c.signingKey(ctx, stated.Unverified().Issuer, stated.KeyID())
	if err != nil {
		return err
	}
	if _, err := record.VerifyWithdrawal(stated, key.PublicKey); err != nil {
		return fmt.Errorf("%w: the withdrawal", ErrForged)
	}
	return c.prove(ctx, stored.Receipt, proof.Entry{Act: "consent.withdraw", Partner: stated.Unverified().Issuer,
		Consent: stored.ID, Digest: stated.Digest(), State: "withdrawn"})
}

// WithdrawConsent signs and records that she takes a consent back. When it returns
// without error, nothing more can be shared on that consent. The code
// consent-already-withdrawn means that this was so before.
func (c *Client) WithdrawConsent(ctx context.Context, id string) (Receipt, error) {
	if err := c.signs(); err != nil {
		return Receipt{}, err
	}
	stored, err := c.Consent(ctx, id)
	if err != nil {
		return Receipt{}, err
	}
	jti, err := uuid.NewV7()
	if err != nil {
		return Receipt{}, fmt.Errorf("choosing a withdrawal id: %w", err)
	}
	token, err := record.WithdrawalClaims{Hub: c.hub, Issuer: c.partner, ID: jti.String(),
		IssuedAt: c.now().Unix(), Consent: id, Digest: stored.Digest}.Sign(c.keys.Signing)
	if err != nil {
		return Receipt{}, local(err)
	}
	stated, err := record.ParseWithdrawal(token)
	if err != nil {
		return Receipt{}, local(err)
	}
	receipt, err := c.postSigned(ctx, "/v1/consents/"+url.PathEscape(id)+"/withdraw", token)
	if p, ok := errors.AsType[*Problem](err); ok && p.Code == "consent-superseded" && p.Members["newest"] != "" && p.Members["newest"] != id {
		return c.WithdrawConsent(ctx, p.Members["newest"]) // whoever takes back what she said means what she said last
	}
	if err != nil {
		return Receipt{}, err
	}
	return receipt, c.prove(ctx, receipt, proof.Entry{Act: "consent.withdraw", Partner: c.partner,
		Consent: id, Digest: stated.Digest(), State: "withdrawn"})
}
