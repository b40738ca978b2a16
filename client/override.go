package client

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"time"

	"handover/audit/proof"
	"handover/consent/record"
	"handover/internal/ids"
	"handover/internal/strict"
)

// Override is what a person proposes: to share something about a woman with one other agency
// without her agreement. Zero values are filled in where a default is given.
type Override struct {
	ID        string // UUIDv7; default a new one
	Subject   string // her random reference; default a new one
	Purpose   string // one of the codes of purposes
	Recipient string // exactly one partner id
	Sections  []string
	Agreement string   // what she said: refused, or why she was not asked
	Reason    string   // one of Reasons
	AtRisk    []string // of AtRisks
	Told      bool     // whether she has been told
	NotTold   string   // why not: one of NotToldReasons
	Bases     []Basis  // lawful bases, your own at least; a controller that is left out is your agency
	Gate      Gate     // default the one that the purpose needs, or none
	Emergency bool     // it cannot wait for the second person; it stands for 24 hours until she has approved it

	// Texts that only your agency can read again: why it is necessary, what is shared and why
	// that is the least, who is at risk and of what. All three are needed.
	Necessity, Minimum, Risk string

	From    time.Time // default now
	Expires time.Time // default 28 days after From, which is the most
	Review  time.Time // when to look at it again; default 7 days after From
	Act     string    // who proposes it, by opaque id: the person signed in
}

// OverrideLife is how long an override stands at most, and when nothing else is said.
const OverrideLife = record.OverrideLife

// ProposedOverride is an override with its proof.
type ProposedOverride struct {
	ID       string            `json:"id"`
	Subject  string            `json:"subject"`
	Digest   string            `json:"digest"`   // by which packets and decisions bind it
	Override string            `json:"override"` // the signed statement
	Sealed   map[string]string `json:"sealed"`
	Receipt  Receipt           `json:"receipt"`
}

// StoredOverride is an override as the hub keeps it, verified: signed by its agency, decided
// by somebody else there, its newest step in the log.
type StoredOverride struct {
	ID         string            `json:"id"`
	Override   string            `json:"override"`
	Digest     string            `json:"digest"`
	State      string            `json:"state"` // proposed, emergency, approved, refused, lapsed, ended, expired
	RecordedAt time.Time         `json:"recorded_at"`
	DecidedAt  time.Time         `json:"decided_at,omitzero"`
	EndedAt    time.Time         `json:"ended_at,omitzero"`
	ReviewAt   time.Time         `json:"review_at"`
	Steps      []string          `json:"steps"` // the signed decision and reviews
	Sealed     map[string]string `json:"sealed,omitempty"`
	Receipt    Receipt           `json:"receipt"` // of the newest step

	Claims record.OverrideClaims `json:"claims"` // what it states
}

// OverrideLine is what auditors see of an override. Nothing in it says whom it is about.
type OverrideLine struct {
	ID         string    `json:"id"`
	Partner    string    `json:"partner"`
	Recipient  string    `json:"recipient"`
	Reason     string    `json:"reason"`
	Agreement  string    `json:"agreement"`
	Emergency  bool      `json:"emergency"`
	State      string    `json:"state"`
	RecordedAt time.Time `json:"recorded_at"`
	ExpiresAt  time.Time `json:"expires_at"`
	DecidedAt  time.Time `json:"decided_at,omitzero"`
	ReviewAt   time.Time `json:"review_at"`
}

// OverrideCount is how many overrides a partner has made, and how many of them are late.
type OverrideCount struct {
	Partner      string `json:"partner"`
	Overrides    int    `json:"overrides"`
	Emergencies  int    `json:"emergencies"`
	Refused      int    `json:"refused"`
	LateApproval int    `json:"late_approval"`
	LateReview   int    `json:"late_review"`
}

// Propose signs an override and has it recorded, as the person who is signed in
// (Options.Session), with her right consents:override. It covers nothing before a manager has
// approved it, but in an emergency, for 24 hours. Codes of refusal: gate-not-passable where
// the law asks for her own agreement, override-claim (the member claim names it, why says
// what to do), override-conflict, recipient-inactive, consent-stale.
func (c *Client) Propose(ctx context.Context, o Override) (ProposedOverride, error) {
	signed, err := c.SignOverride(ctx, o)
	if err != nil {
		return ProposedOverride{}, err
	}
	return c.PostOverride(ctx, signed)
}

// PostOverride sends a signed override, once more if need be: the same one finds the receipt
// it had before.
func (c *Client) PostOverride(ctx context.Context, signed ProposedOverride) (ProposedOverride, error) {
	stated, err := record.ParseOverride(signed.Override)
	if err != nil {
		return ProposedOverride{}, local(err)
	}
	body, err := strict.Marshal(record.PostedOverride{Override: signed.Override, Sealed: signed.Sealed})
	if err != nil {
		return ProposedOverride{}, local(err)
	}
	r, err := c.do(ctx, call{method: http.MethodPost, path: "/v1/overrides", body: body, mediaType: record.OverrideMedia})
	if err != nil {
		return ProposedOverride{}, err
	}
	receipt, err := read[Receipt](r)
	if err != nil {
		return ProposedOverride{}, err
	}
	claims := stated.Unverified()
	signed.ID, signed.Subject, signed.Digest, signed.Receipt = claims.ID, claims.Subject, stated.Digest(), receipt
	return signed, c.prove(ctx, receipt, proof.Entry{Act: "override.propose", Partner: c.partner, Subject: claims.Subject, Override: claims.ID,
		Digest: stated.Digest(), Reason: claims.Reason, Sections: claims.Sections})
}

// Approve states as a manager that an override of a colleague may be used, Refuse that it may
// not. Either is final, and needs a sign-in of the last 15 minutes. An approval that comes
// after the 24 hours of an emergency changes nothing any more: State is then lapsed. Codes of
// refusal: manager-needed, second-person-needed, override-decided, step-up-required.
func (c *Client) Approve(ctx context.Context, id string) (Receipt, error) {
	return c.decideOverride(ctx, id, record.Approved)
}

// Refuse is the other decision: see Approve.
func (c *Client) Refuse(ctx context.Context, id string) (Receipt, error) {
	return c.decideOverride(ctx, id, record.Refused)
}

func (c *Client) decideOverride(ctx context.Context, id, decision string) (Receipt, error) {
	stored, err := c.Override(ctx, id)
	if err != nil {
		return Receipt{}, err
	}
	token, err := c.signDecision(ctx, stored.ID, stored.Digest, decision)
	if err != nil {
		return Receipt{}, err
	}
	receipt, err := c.postSigned(ctx, "/v1/overrides/"+url.PathEscape(id)+"/decision", token)
	if err != nil {
		return Receipt{}, err
	}
	return receipt, c.prove(ctx, receipt, proof.Entry{Act: "override.decision", Partner: c.partner, Override: id, Digest: ids.Digest(token)})
}

// LookAgain states as a manager that an override goes on, to be looked at again at next; or,
// with the zero time, that it is over and covers nothing more. It needs a sign-in of the last
// 15 minutes. Codes of refusal, besides those of Approve: override-review-date.
func (c *Client) LookAgain(ctx context.Context, id string, next time.Time) (Receipt, error) {
	stored, err := c.Override(ctx, id)
	if err != nil {
		return Receipt{}, err
	}
	token, err := c.signReview(ctx, stored, next)
	if err != nil {
		return Receipt{}, err
	}
	receipt, err := c.postSigned(ctx, "/v1/overrides/"+url.PathEscape(id)+"/review", token)
	if err != nil {
		return Receipt{}, err
	}
	return receipt, c.prove(ctx, receipt, proof.Entry{Act: "override.review", Partner: c.partner, Override: id, Digest: ids.Digest(token)})
}

// ReviewConsent states as a manager whether a consent record stands that awaits a review,
// because she may have been pressed, or somebody decided for her. It is final, needs a
// sign-in of the last 15 minutes, and is not for who recorded it. Codes of refusal:
// manager-needed, second-person-needed, consent-review-not-awaited, step-up-required.
func (c *Client) ReviewConsent(ctx context.Context, id string, stands bool) (Receipt, error) {
	stored, err := c.Consent(ctx, id)
	if err != nil {
		return Receipt{}, err
	}
	decision := record.Refused
	if stands {
		decision = record.Approved
	}
	token, err := c.signDecision(ctx, stored.ID, stored.Digest, decision)
	if err != nil {
		return Receipt{}, err
	}
	receipt, err := c.postSigned(ctx, "/v1/consents/"+url.PathEscape(id)+"/review", token)
	if err != nil {
		return Receipt{}, err
	}
	return receipt, c.prove(ctx, receipt, proof.Entry{Act: "consent.review", Partner: c.partner, Consent: id, Digest: ids.Digest(token)})
}

// Override returns an override that your agency made, or is the recipient of; the code of its
// refusal is override-not-found. The hub logs that you read it.
func (c *Client) Override(ctx context.Context, id string) (StoredOverride, error) {
	stored, err := get[StoredOverride](ctx, c, "/v1/overrides/"+url.PathEscape(id), nil)
	if err != nil {
		return StoredOverride{}, err
	}
	stated, err := record.ParseOverride(stored.Override)
	if err != nil {
		return StoredOverride{}, fmt.Errorf("%w: the override", ErrForged)
	}
	stored.Claims = stated.Unverified()
	if stored.Claims.ID != id || stored.Claims.Hub != c.hub || stated.Digest() != stored.Digest {
		return StoredOverride{}, fmt.Errorf("%w: it is another override", ErrForged)
	}
	key, err := c.signingKey(ctx, stored.Claims.Issuer, stated.KeyID())
	if err != nil {
		return StoredOverride{}, err
	}
	if _, err := record.VerifyOverride(stated, key.PublicKey); err != nil {
		return StoredOverride{}, fmt.Errorf("%w: the override", ErrForged)
	}
	if err := c.verifySteps(ctx, stored); err != nil {
		return StoredOverride{}, err
	}
	return stored, c.prove(ctx, stored.Receipt, proof.Entry{Override: id})
}

// Overrides lists overrides for an auditor, the newest id first: of your agency, or of all if
// it is an oversight partner. late is approval, review or "" for all. It needs audit:read.
func (c *Client) Overrides(ctx context.Context, late string) iter.Seq2[OverrideLine, error] {
	return func(yield func(OverrideLine, error) bool) {
		for after := ""; ; {
			page, err := c.overridePage(ctx, late, after)
			if err != nil {
				yield(OverrideLine{}, err)
				return
			}
			for _, line := range page.Overrides {
				if !yield(line, nil) {
					return
				}
				after = line.ID
			}
			if !page.More || len(page.Overrides) == 0 {
				return
			}
		}
	}
}

// OverrideCounts returns how many overrides each partner that you may audit has made.
func (c *Client) OverrideCounts(ctx context.Context) ([]OverrideCount, error) {
	page, err := c.overridePage(ctx, "", "")
	return page.Counts, err
}

type overridePage struct {
	Overrides []OverrideLine  `json:"overrides"`
	Counts    []OverrideCount `json:"counts"`
	More      bool            `json:"more"`
}

func (c *Client) overridePage(ctx context.Context, late, after string) (overridePage, error) {
	query := url.Values{}
	for name, value := range map[string]string{"late": late, "after": after} {
		if value != "" {
			query.Set(name, value)
		}
	}
	return get[overridePage](ctx, c, "/v1/overrides", query)
}
