package client

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"net/url"
	"strconv"
	"time"

	"github.com/google/uuid"

	"handover/audit/proof"
	"handover/consent/record"
)

// Recall is what an agency is asked because a consent was withdrawn, verified: that it was
// asked is in the log, and an answer is signed by the agency that gave it.
type Recall struct {
	ID        string    `json:"id,omitempty"` // "" of a holder, as long as nothing was withdrawn
	Consent   string    `json:"consent"`
	Digest    string    `json:"digest"`   // of the consent record, which the answer names
	Question  string    `json:"question"` // still-held, does-help-go-on
	Partner   string    `json:"partner"`  // who is asked
	Referrals []string  `json:"referrals"`
	Sections  []string  `json:"sections"` // that it was given
	Since     time.Time `json:"since,omitzero"`
	Asked     time.Time `json:"asked,omitzero"`
	Answer    string    `json:"answer,omitempty"` // deleted, kept, goes-on, ends
	Answered  time.Time `json:"answered,omitzero"`
	Statement string    `json:"statement,omitempty"` // the signed answer
	Receipt   *Receipt  `json:"receipt,omitempty"`   // of the newest step
	Basis     KeptBasis `json:"basis,omitzero"`      // of kept, as the statement says it
}

// KeptBasis is why something is kept although she took her consent back.
type KeptBasis struct {
	Article6  string `json:"art6,omitempty"`
	Provision string `json:"provision,omitempty"`
	Because   string `json:"because,omitempty"`
}

// RecallAnswer is an answer to be given.
type RecallAnswer struct {
	Answer string // deleted or kept of still-held; goes-on or ends of does-help-go-on
	KeptBasis
	Act string // the worker, by opaque id
	ID  string // UUIDv7; default a new one
}

// Holders is who was given what on a consent, and what became of it.
type Holders struct {
	Consent   string    `json:"consent"`
	Withdrawn time.Time `json:"withdrawn,omitzero"`
	Complete  bool      `json:"complete"` // everybody who holds something is on the list, for good
	Recalls   []Recall  `json:"recalls"`
}

// EndingConsent is a record of yours that ends soon, or has ended, while referrals that rest
// on it are open.
type EndingConsent struct {
	ID        string    `json:"id"`
	Subject   string    `json:"subject"`
	Purpose   string    `json:"purpose"`
	Expires   time.Time `json:"expires"`
	Ended     bool      `json:"ended"`
	Referrals []string  `json:"referrals"`
}

// Recalls lists what your agency is asked because consents were withdrawn, oldest first:
// what is not answered yet, or what is.
func (c *Client) Recalls(ctx context.Context, answered bool) iter.Seq2[Recall, error] {
	type page struct {
		Recalls []Recall `json:"recalls"`
	}
	state := "open"
	if answered {
		state = "answered"
	}
	all := pagesOf(ctx, c, "/v1/recalls", url.Values{"state": {state}}, func(p page) []Recall { return p.Recalls })
	return checked(all, func(r *Recall) error {
		if r.Partner != c.partner {
			return fmt.Errorf("%w: another agency is asked this", ErrForged)
		}
		return c.openRecall(ctx, r)
	})
}

// EndingConsents lists your records that end within so many days, or have ended, and on which
// open referrals rest, soonest first. Ask her whether she still agrees, and record it with
// Supersedes: then what waits can be opened again.
func (c *Client) EndingConsents(ctx context.Context, days int) iter.Seq2[EndingConsent, error] {
	type page struct {
		Consents []EndingConsent `json:"consents"`
	}
	return pagesOf(ctx, c, "/v1/consents", url.Values{"ending": {strconv.Itoa(days)}}, func(p page) []EndingConsent { return p.Consents })
}

// checked is a list each of whose rows is verified before it is given out.
func checked[T any](all iter.Seq2[T, error], verify func(*T) error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for one, err := range all {
			if err == nil {
				err = verify(&one)
			}
			if !yield(one, err) || err != nil {
				return
			}
		}
	}
}

// AnswerRecall signs and sends the answer to what your agency is asked. What is answered with
// ends is withdrawn as well, first: so that no answer says what is not so. Codes of refusal:
// recall-answered, recall-mismatch, consent-claim (the member claim names it, why says why).
func (c *Client) AnswerRecall(ctx context.Context, q Recall, a RecallAnswer) (Receipt, error) {
	if err := c.signs(); err != nil {
		return Receipt{}, err
	}
	id, err := newID(a.ID)
	if err != nil {
		return Receipt{}, err
	}
	claims := record.RecallClaims{Hub: c.hub, Issuer: c.partner, ID: id, IssuedAt: c.now().Unix(), Act: a.Act, Consent: q.Consent, Digest: q.Digest,
		Answer: a.Answer, Article6: a.Article6, Provision: a.Provision, Because: a.Because}
	if q.Question == "does-help-go-on" && len(q.Referrals) == 1 {
		claims.Referral = q.Referrals[0]
	}
	token, err := claims.Sign(c.keys.Signing)
	if err != nil {
		return Receipt{}, local(err)
	}
	stated, err := record.ParseRecall(token)
	if err != nil {
		return Receipt{}, local(err)
	}
	if a.Answer == record.Ends {
		_, err := c.Step(ctx, Step{Referral: claims.Referral, Event: "withdraw", Reason: "consent-withdrawn", Act: a.Act})
		if err != nil && Code(err) != "step-not-possible" { // it has ended already
			return Receipt{}, err
		}
	}
	receipt, err := c.postSigned(ctx, "/v1/recalls/"+url.PathEscape(q.ID)+"/answer", token)
	if err != nil {
		return Receipt{}, err
	}
	return receipt, c.prove(ctx, receipt, proof.Entry{Act: "recall.answered", Partner: c.partner, Consent: q.Consent,
		Digest: stated.Digest(), State: a.Answer, Target: q.ID})
}

// Holders says who was given what on a consent that you recorded, or whose withdrawal you
// did, and what they have answered. Before a withdrawal it is as far as you can see; after
// it, once Complete, it is everybody, for good. The code of its refusal is consent-not-found.
func (c *Client) Holders(ctx context.Context, consent string) (Holders, error) {
	if _, err := uuid.Parse(consent); err != nil {
		return Holders{}, &Problem{Type: "about:blank", Status: 404, Code: "consent-not-found", Party: "sender",
			Title: "There is no such consent record that you may see. Check the id."}
	}
	h, err := get[Holders](ctx, c, "/v1/consents/"+consent+"/holders", nil)
	if err != nil {
		return Holders{}, err
	}
	for i := range h.Recalls {
		r := &h.Recalls[i]
		if r.Consent != consent || r.ID == "" && !h.Withdrawn.IsZero() {
			return Holders{}, fmt.Errorf("%w: the list is of another consent", ErrForged)
		}
		if r.ID == "" {
			continue // the hub's word, as long as nobody is asked
		}
		if err := c.openRecall(ctx, r); err != nil {
			return Holders{}, err
		}
	}
	return h, nil
}

// openRecall verifies what is asked, or the answer if there is one.
func (c *Client) openRecall(ctx context.Context, r *Recall) error {
	if r.Receipt == nil {
		return fmt.Errorf("%w: there is no receipt", ErrProof)
	}
	if r.Statement == "" {
		if r.Answer != "" {
			return fmt.Errorf("%w: an answer that nobody signed", ErrForged)
		}
		return c.proveRecall(ctx, *r, proof.Entry{Act: "recall.asked", Other: r.Partner, Consent: r.Consent, Digest: r.Digest, Reason: r.Question})
	}
	stated, err := record.ParseRecall(r.Statement)
	if err != nil {
		return fmt.Errorf("%w: an answer", ErrForged)
	}
	claims := stated.Unverified()
	if claims.Hub != c.hub || claims.Issuer != r.Partner || claims.Consent != r.Consent || claims.Digest != r.Digest || claims.Answer != r.Answer {
		return fmt.Errorf("%w: the answer is to something else", ErrForged)
	}
	key, err := c.signingKey(ctx, claims.Issuer, stated.KeyID())
	if err != nil {
		return err
	}
	if _, err := record.VerifyRecall(stated, key.PublicKey); err != nil {
		return fmt.Errorf("%w: the signature of an answer", ErrForged)
	}
	r.Basis = KeptBasis{claims.Article6, claims.Provision, claims.Because}
	return c.proveRecall(ctx, *r, proof.Entry{Act: "recall.answered", Partner: r.Partner, Consent: r.Consent, Digest: stated.Digest(), State: r.Answer})
}

// proveRecall verifies that the log has it, of this very question.
func (c *Client) proveRecall(ctx context.Context, r Recall, expected proof.Entry) error {
	entry, err := c.verified(ctx, *r.Receipt)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProof, err)
	}
	differs := difference(entry, expected)
	if expected.Partner == "" && entry.Partner != "" {
		differs = "partner"
	}
	if differs != "" || entry.Target != r.ID {
		return fmt.Errorf("%w: the receipt is of something else, by its %s", ErrProof, cmp.Or(differs, "target"))
	}
	return nil
}
