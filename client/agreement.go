package client

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/google/uuid"

	"handover/audit/proof"
	"handover/internal/ids"
	"handover/partners/terms"
)

// Way is what one agency may send another: any of the sections, for any of the purposes.
type Way = terms.Way

// RefusalReasons are why a proposal is refused.
var RefusalReasons = terms.Reasons

// Proposal is what your agency proposes to another. Zero values are filled in where a default
// is given.
type Proposal struct {
	ID       string    // UUIDv7; default a new one
	Other    string    // the other agency, by its id
	Sends    Way       // what you may send
	Receives Way       // what you may receive
	From     time.Time // default now
	To       time.Time // default one year after From; two at most
	Review   time.Time // default To
}

// RecordedAgreement is a signed statement about an agreement with its proof.
type RecordedAgreement struct {
	ID        string  `json:"id"` // of the agreement
	Digest    string  `json:"digest"`
	Statement string  `json:"statement"`
	Receipt   Receipt `json:"receipt"`
}

// Agreement is one that your agency proposed or was asked to sign, with its signatures verified.
type Agreement struct {
	ID         string         `json:"id"`
	State      string         `json:"state"`
	Proposer   string         `json:"proposer"`
	Other      string         `json:"other"`
	Version    int            `json:"version"`
	Supersedes string         `json:"supersedes,omitempty"`
	ReplacedBy string         `json:"replaced_by,omitempty"`
	Ways       []AgreementWay `json:"ways"`
	From       time.Time      `json:"valid_from"`
	To         time.Time      `json:"valid_to"`
	ReviewAt   time.Time      `json:"review_at"`
	Proposed   AgreementStep  `json:"proposed"`
	Answer     *AgreementStep `json:"answer,omitempty"`
	End        *AgreementStep `json:"end,omitempty"`
	Claims     terms.Claims   `json:"claims"` // what was proposed, as it was signed
}

// With is the other party of it than the agency me.
func (a Agreement) With(me string) string {
	if a.Proposer == me {
		return a.Other
	}
	return a.Proposer
}

// AgreementWay is what may go one way under it.
type AgreementWay struct {
	Sender    string    `json:"sender"`
	Recipient string    `json:"recipient"`
	Purposes  []string  `json:"purposes"`
	Sections  []string  `json:"sections"`
	EndedAt   time.Time `json:"ended_at,omitzero"`
}

// AgreementStep is one signature. Custody says whether the hub holds the key and signed for the
// agency's administrator; it is what the directory says of the key, not what the hub adds here.
type AgreementStep struct {
	Step      string    `json:"step"`
	Partner   string    `json:"partner"`
	Act       string    `json:"act,omitempty"`
	At        time.Time `json:"at"`
	Reason    string    `json:"reason,omitempty"`
	Custody   string    `json:"custody,omitempty"`
	Digest    string    `json:"digest,omitempty"`
	Statement string    `json:"statement,omitempty"`
}

// UnsignedAgreement is a direction that the hub's operator put in force. Nobody signed it.
type UnsignedAgreement struct {
	ID        string    `json:"id"`
	Sender    string    `json:"sender"`
	Recipient string    `json:"recipient"`
	Purposes  []string  `json:"purposes"`
	Sections  []string  `json:"sections"`
	From      time.Time `json:"valid_from"`
	To        time.Time `json:"valid_to"`
}

// Agreements returns what your agency and others agreed or propose, newest first, each verified,
// and besides what the hub's operator put in force.
func (c *Client) Agreements(ctx context.Context) (all []Agreement, unsigned []UnsignedAgreement, err error) {
	type page struct {
		Agreements []Agreement         `json:"agreements"`
		Unsigned   []UnsignedAgreement `json:"unsigned"`
		More       bool                `json:"more"`
	}
	for after := ""; ; {
		query := url.Values{}
		if after != "" {
			query.Set("after", after)
		}
		p, err := get[page](ctx, c, "/v1/agreements", query)
		if err != nil {
			return nil, nil, err
		}
		if after == "" {
			unsigned = p.Unsigned
		}
		for _, a := range p.Agreements {
			if err := c.verifyAgreement(ctx, &a); err != nil {
				return nil, nil, err
			}
			all = append(all, a)
		}
		if !p.More {
			return all, unsigned, nil
		}
		if len(p.Agreements) == 0 || p.Agreements[len(p.Agreements)-1].ID == after {
			return nil, nil, fmt.Errorf("%w: the list does not end", ErrAnswer)
		}
		after = p.Agreements[len(p.Agreements)-1].ID
	}
}

// Agreement returns one agreement of your agency, verified. Code of refusal:
// agreement-not-found.
func (c *Client) Agreement(ctx context.Context, id string) (Agreement, error) {
	a, err := get[Agreement](ctx, c, "/v1/agreements/"+url.PathEscape(id), nil)
	if err != nil {
		return Agreement{}, err
	}
	if a.ID != id {
		return Agreement{}, fmt.Errorf("%w: another agreement than was asked for", ErrForged)
	}
	return a, c.verifyAgreement(ctx, &a)
}

// ProposeAgreement signs and proposes an agreement for the administrator who is signed in. Where
// a signed one is in force between the two, it takes that one's place once the other agency has
// signed. Codes of refusal: agreement-claim, agreement-firewall, agreement-open,
// agreement-not-current, recipient-inactive, step-up-required.
func (c *Client) ProposeAgreement(ctx context.Context, p Proposal) (RecordedAgreement, error) {
	if err := c.signs(); err != nil {
		return RecordedAgreement{}, err
	}
	id, err := newID(p.ID)
	if err != nil {
		return RecordedAgreement{}, err
	}
	act, err := c.acting(ctx, "")
	if err != nil {
		return RecordedAgreement{}, err
	}
	all, _, err := c.Agreements(ctx)
	if err != nil {
		return RecordedAgreement{}, err
	}
	now := c.now()
	from := cmp.Or(p.From, now)
	to := cmp.Or(p.To, from.AddDate(1, 0, 0))
	claims := terms.Claims{Hub: c.hub, Issuer: c.partner, ID: id, IssuedAt: now.Unix(), Act: act, Other: p.Other, Version: 1,
		Sends: p.Sends, Receives: p.Receives, ValidFrom: from.Unix(), ValidTo: to.Unix(), ReviewAt: cmp.Or(p.Review, to).Unix()}
	for _, a := range all {
		if terms.State(a.State).Replaceable() && (a.Proposer == p.Other || a.Other == p.Other) {
			claims.Version, claims.Supersedes = a.Version+1, a.ID
		}
	}
	token, err := claims.Sign(c.keys.Signing)
	if err != nil {
		return RecordedAgreement{}, local(err)
	}
	return c.postTerms(ctx, "/v1/agreements", "agreement.propose", id, p.Other, token)
}

// SignAgreement signs exactly what you have read, for the administrator who is signed in. When it
// returns without error, it is in force. Codes of refusal: agreement-state,
// agreement-proposal-key, agreement-not-current, step-up-required.
func (c *Client) SignAgreement(ctx context.Context, a Agreement) (RecordedAgreement, error) {
	return c.answerAgreement(ctx, a, terms.Signed, "")
}

// RefuseAgreement refuses it for one of RefusalReasons.
func (c *Client) RefuseAgreement(ctx context.Context, a Agreement, reason string) (RecordedAgreement, error) {
	return c.answerAgreement(ctx, a, terms.Refused, reason)
}

func (c *Client) answerAgreement(ctx context.Context, a Agreement, answer, reason string) (RecordedAgreement, error) {
	jti, act, err := c.saying(ctx)
	if err != nil {
		return RecordedAgreement{}, err
	}
	token, err := terms.AnswerClaims{Hub: c.hub, Issuer: c.partner, ID: jti, IssuedAt: c.now().Unix(), Act: act, Other: a.With(c.partner),
		Of: a.ID, Digest: a.Proposed.Digest, Answer: answer, Reason: reason}.Sign(c.keys.Signing)
	if err != nil {
		return RecordedAgreement{}, local(err)
	}
	how := map[string]string{terms.Signed: "sign", terms.Refused: "refuse"}[answer]
	return c.postTerms(ctx, "/v1/agreements/"+url.PathEscape(a.ID)+"/"+how, "agreement."+how, a.ID, a.With(c.partner), token)
}

// EndAgreement ends an agreement at once, or takes back what your agency proposed. When it returns
// without error, nothing more passes under it. Codes of refusal: agreement-state,
// step-up-required.
func (c *Client) EndAgreement(ctx context.Context, a Agreement) (RecordedAgreement, error) {
	jti, act, err := c.saying(ctx)
	if err != nil {
		return RecordedAgreement{}, err
	}
	token, err := terms.EndClaims{Hub: c.hub, Issuer: c.partner, ID: jti, IssuedAt: c.now().Unix(), Act: act, Other: a.With(c.partner),
		Of: a.ID, Digest: a.Proposed.Digest}.Sign(c.keys.Signing)
	if err != nil {
		return RecordedAgreement{}, local(err)
	}
	return c.postTerms(ctx, "/v1/agreements/"+url.PathEscape(a.ID)+"/end", "agreement.close", a.ID, a.With(c.partner), token)
}

// saying is what begins a statement: an id of its own, and who is signed in.
func (c *Client) saying(ctx context.Context) (jti, act string, err error) {
	if err := c.signs(); err != nil {
		return "", "", err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return "", "", fmt.Errorf("choosing an id: %w", err)
	}
	act, err = c.acting(ctx, "")
	return id.String(), act, err
}

// postTerms posts a statement and holds the receipt against it.
func (c *Client) postTerms(ctx context.Context, path, act, id, other, token string) (RecordedAgreement, error) {
	recorded := RecordedAgreement{ID: id, Digest: ids.Digest(token), Statement: token}
	var err error
	if recorded.Receipt, err = c.postSigned(ctx, path, token); err != nil {
		return RecordedAgreement{}, err
	}
	return recorded, c.prove(ctx, recorded.Receipt, proof.Entry{Act: act, Partner: c.partner, Other: other, Target: id, Digest: recorded.Digest})
}
