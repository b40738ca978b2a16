package hubtest

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"

	"handover/internal/ids"
	"handover/partners/terms"
)

// Proposal is a signed proposal of an agreement.
type Proposal struct {
	terms.Claims
	Token  string
	Digest string
}

// Terms signs what an administrator of the agency proposes to another: one purpose and two
// sections each way, for a year. It is not posted yet.
func (a *Agency) Terms(t testing.TB, act string, other *Agency, change ...func(*terms.Claims)) Proposal {
	t.Helper()
	now := a.hub.Now()
	way := terms.Way{Purposes: []string{"housing"}, Sections: []string{"need", "safe-contact"}}
	c := terms.Claims{Hub: a.hub.issuer, Issuer: string(a.ID), ID: uuid.Must(uuid.NewV7()).String(), IssuedAt: now.Unix(), Act: act,
		Other: string(other.ID), Version: 1, Sends: way, Receives: way, ValidFrom: now.Unix(),
		ValidTo: now.AddDate(1, 0, 0).Unix(), ReviewAt: now.AddDate(0, 11, 0).Unix()}
	for _, f := range change {
		f(&c)
	}
	token := SignAs(t, terms.ProposalType, c, a.Signing.Signer())
	return Proposal{Claims: c, Token: token, Digest: ids.Digest(token)}
}

// After makes a proposal the next version of another.
func After(p Proposal) func(*terms.Claims) {
	return func(c *terms.Claims) { c.Version, c.Supersedes = p.Version+1, p.ID }
}

// AnswerTerms signs an answer to a proposal as the agency.
func (a *Agency) AnswerTerms(t testing.TB, act string, p Proposal, answer string, change ...func(*terms.AnswerClaims)) string {
	t.Helper()
	c := terms.AnswerClaims{Hub: a.hub.issuer, Issuer: string(a.ID), ID: uuid.Must(uuid.NewV7()).String(), IssuedAt: a.hub.Now().Unix(), Act: act,
		Other: p.than(a), Of: p.ID, Digest: p.Digest, Answer: answer}
	if answer == terms.Refused {
		c.Reason = "talk-first"
	}
	for _, f := range change {
		f(&c)
	}
	return SignAs(t, terms.AnswerType, c, a.Signing.Signer())
}

// than is the other party of the proposal than the agency.
func (p Proposal) than(a *Agency) string {
	if p.Other == string(a.ID) {
		return p.Issuer
	}
	return p.Other
}

// EndTerms signs the end of an agreement as the agency.
func (a *Agency) EndTerms(t testing.TB, act string, p Proposal, change ...func(*terms.EndClaims)) string {
	t.Helper()
	c := terms.EndClaims{Hub: a.hub.issuer, Issuer: string(a.ID), ID: uuid.Must(uuid.NewV7()).String(), IssuedAt: a.hub.Now().Unix(), Act: act,
		Other: p.than(a), Of: p.ID, Digest: p.Digest}
	for _, f := range change {
		f(&c)
	}
	return SignAs(t, terms.EndType, c, a.Signing.Signer())
}

// States posts a signed statement as the person.
func (p *Person) States(t testing.TB, path, token string) Answer {
	t.Helper()
	return p.Do(t, Call{Method: http.MethodPost, Path: path, Type: "application/jose", Body: []byte(token)})
}

// Proposes posts a proposal, Signs, Refuses and Ends what follows it, as the person, an
// administrator of the agency that signs.
func (p *Person) Proposes(t testing.TB, of Proposal) Answer {
	t.Helper()
	return p.States(t, "/v1/agreements", of.Token)
}

// Signs signs a proposal as the administrator of the agency.
func (p *Person) Signs(t testing.TB, a *Agency, of Proposal) Answer {
	t.Helper()
	return p.States(t, "/v1/agreements/"+of.ID+"/sign", a.AnswerTerms(t, p.ID, of, terms.Signed))
}

// Refuses refuses a proposal as the administrator of the agency.
func (p *Person) Refuses(t testing.TB, a *Agency, of Proposal) Answer {
	t.Helper()
	return p.States(t, "/v1/agreements/"+of.ID+"/refuse", a.AnswerTerms(t, p.ID, of, terms.Refused))
}

// Ends ends an agreement as the administrator of the agency.
func (p *Person) Ends(t testing.TB, a *Agency, of Proposal) Answer {
	t.Helper()
	return p.States(t, "/v1/agreements/"+of.ID+"/end", a.EndTerms(t, p.ID, of))
}

// YearFrom is a year that begins at that time.
func YearFrom(at time.Time) func(*terms.Claims) {
	return func(c *terms.Claims) {
		c.ValidFrom, c.ValidTo, c.ReviewAt = at.Unix(), at.AddDate(1, 0, 0).Unix(), at.AddDate(0, 6, 0).Unix()
	}
}
