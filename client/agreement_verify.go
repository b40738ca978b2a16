package client

import (
	"context"
	"fmt"
	"slices"
	"time"

	"handover/keys/jose"
	"handover/partners/terms"
)

// verifyAgreement holds what the hub says of an agreement against the signed statements, with the
// keys of the two agencies: one that a hub shows as signed and is not, or with other terms than
// were signed, is ErrForged. That it is not shown as ended in time, no signature can prove.
func (c *Client) verifyAgreement(ctx context.Context, a *Agreement) error {
	proposal, err := terms.ParseProposal(a.Proposed.Statement)
	if err != nil {
		return forgedAgreement("the proposal is malformed")
	}
	claims := proposal.Unverified()
	if err := c.signedTerms(ctx, claims.Issuer, proposal.KeyID(), &a.Proposed, func(k jose.PublicKey) error {
		_, err := terms.VerifyProposal(proposal, k)
		return err
	}); err != nil {
		return err
	}
	a.Claims, a.Proposed.Act = claims, claims.Act
	if what := otherTerms(*a, claims, proposal.Digest(), c.hub, c.partner); what != "" {
		return forgedAgreement(what)
	}
	if err := c.verifyTermsAnswer(ctx, a, claims); err != nil {
		return err
	}
	return c.verifyTermsEnd(ctx, a, claims)
}

func (c *Client) verifyTermsAnswer(ctx context.Context, a *Agreement, of terms.Claims) error {
	if a.Answer == nil {
		return needsNoSignature(a, "proposed", "lapsed", "withdrawn")
	}
	answer, err := terms.ParseAnswer(a.Answer.Statement)
	if err != nil || answer.Unverified().To(of, a.Proposed.Digest) != nil {
		return forgedAgreement("the answer is to something else")
	}
	said := answer.Unverified()
	if a.Answer.Step != said.Answer || a.Answer.Reason != said.Reason || (said.Answer == terms.Refused) != (a.State == string(terms.Declined)) {
		return forgedAgreement("the answer says otherwise")
	}
	a.Answer.Act = said.Act
	return c.signedTerms(ctx, said.Issuer, answer.KeyID(), a.Answer, func(k jose.PublicKey) error {
		_, err := terms.VerifyAnswer(answer, k)
		return err
	})
}

func (c *Client) verifyTermsEnd(ctx context.Context, a *Agreement, of terms.Claims) error {
	if a.End == nil || a.End.Step == "superseded" {
		return nil // the operator may have ended it; or the version in its place did, which has its own signatures
	}
	end, err := terms.ParseEnd(a.End.Statement)
	if err != nil || end.Unverified().To(of, a.Proposed.Digest) != nil {
		return forgedAgreement("the end is of something else")
	}
	said := end.Unverified()
	a.End.Act = said.Act
	return c.signedTerms(ctx, said.Issuer, end.KeyID(), a.End, func(k jose.PublicKey) error {
		_, err := terms.VerifyEnd(end, k)
		return err
	})
}

// signedTerms verifies one signature, and says of the key what the directory says.
func (c *Client) signedTerms(ctx context.Context, issuer, kid string, step *AgreementStep, verify func(jose.PublicKey) error) error {
	key, err := c.signingKey(ctx, issuer, kid)
	if err != nil {
		return err
	}
	if step.Partner != issuer || verify(key.PublicKey) != nil {
		return forgedAgreement("the signature of " + issuer)
	}
	step.Custody = key.Custody
	return nil
}

// needsNoSignature refuses a state that only a signature of the other agency can bring about.
func needsNoSignature(a *Agreement, states ...string) error {
	if !slices.Contains(states, a.State) {
		return forgedAgreement("it is shown as " + a.State + ", and nobody has answered it")
	}
	return nil
}

// otherTerms says in which point the hub shows other terms than were signed, or "".
func otherTerms(a Agreement, of terms.Claims, digest, hub, me string) string {
	way := func(sender string) Way {
		i := slices.IndexFunc(a.Ways, func(w AgreementWay) bool { return w.Sender == sender })
		if i < 0 {
			return Way{}
		}
		return Way{Purposes: a.Ways[i].Purposes, Sections: a.Ways[i].Sections}
	}
	at := func(shown time.Time, signed int64) bool { return shown.Equal(time.Unix(signed, 0)) }
	switch {
	case of.Hub != hub:
		return "it was signed for another hub"
	case me != of.Issuer && me != of.Other:
		return "it is between others"
	case a.ID != of.ID || a.Proposer != of.Issuer || a.Other != of.Other || a.Proposed.Digest != digest:
		return "it is another proposal"
	case !way(of.Issuer).Equal(of.Sends) || !way(of.Other).Equal(of.Receives) || len(a.Ways) > 2:
		return "other terms were signed"
	case !at(a.From, of.ValidFrom) || !at(a.To, of.ValidTo) || !at(a.ReviewAt, of.ReviewAt) || a.Version != of.Version || a.Supersedes != of.Supersedes:
		return "other times, or another version, were signed"
	}
	return ""
}

func forgedAgreement(what string) error { return fmt.Errorf("%w: an agreement: %s", ErrForged, what) }
