package client_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"handover/client"
	"handover/internal/hubtest"
	"handover/partners/terms"
)

// rewriting has a hub say something else than it would.
type rewriting struct {
	http.RoundTripper
	change func(body string) string
}

func (h rewriting) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := h.RoundTripper.RoundTrip(r)
	if err != nil || !strings.HasPrefix(r.URL.Path, "/v1/agreements") {
		return answer, err
	}
	body, err := io.ReadAll(answer.Body)
	body = []byte(h.change(string(body)))
	answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	answer.Header.Del("Content-Length")
	return answer, err
}

// TestAnAgreementThroughAClient: proposed by another agency, read, signed and ended by ours, whose
// keys are its own; and changed by a version of ours.
func TestAnAgreementThroughAClient(t *testing.T) {
	t.Parallel()
	s, ctx := newSide(t), t.Context()
	harbour := s.hub.Agency(t, "harbour", "vawg-service")
	theirs := s.hub.Person(t, "harbour", "administrator")
	admin := s.signIn(t, s.admin, "partner:admin")
	way := client.Way{Purposes: []string{"housing"}, Sections: []string{"need"}}
	if _, err := s.system.ProposeAgreement(ctx, client.Proposal{Other: "harbour", Sends: way}); err == nil {
		t.Error("a system proposes")
	}
	of := harbour.Terms(t, theirs.ID, s.agency)
	theirs.Proposes(t, of).Into(t, http.StatusCreated, new(any))
	a, err := admin.Agreement(ctx, of.ID)
	must(err)
	if a.State != "proposed" || a.Claims.Issuer != "harbour" || a.With("rosewood") != "harbour" || a.Proposed.Custody != client.HeldByPartner {
		t.Errorf("proposed, it is %+v", a)
	}
	_, err = admin.SignAgreement(ctx, a)
	must(err)
	next, err := admin.ProposeAgreement(ctx, client.Proposal{Other: "harbour", Sends: way})
	must(err)
	all, unsigned, err := s.system.Agreements(ctx)
	must(err)
	if len(all) != 2 || len(unsigned) != 0 || all[0].ID != next.ID || all[0].Version != 2 || all[0].Supersedes != of.ID || all[1].State != "in-force" {
		t.Errorf("%+v", all)
	}
	_, err = admin.EndAgreement(ctx, all[0]) // taken back
	must(err)
	_, err = admin.EndAgreement(ctx, all[1])
	must(err)
	if a, err := admin.Agreement(ctx, of.ID); err != nil || a.State != "ended" || a.End.Act != s.admin.ID {
		t.Errorf("ended, it is %+v, %v", a, err)
	}
	if _, err := admin.RefuseAgreement(ctx, all[1], "talk-first"); client.Code(err) != "agreement-state" {
		t.Errorf("refused after all: %v", err)
	}
}

// TestAHubThatLiesAboutAnAgreementIsNotBelieved: of other terms, times or parties than were signed,
// of a signature that nobody made, and of who made one.
func TestAHubThatLiesAboutAnAgreementIsNotBelieved(t *testing.T) {
	t.Parallel()
	s, ctx := newSide(t), t.Context()
	harbour := s.hub.Agency(t, "harbour", "vawg-service")
	theirs := s.hub.Person(t, "harbour", "administrator")
	signed := harbour.Terms(t, theirs.ID, s.agency)
	theirs.Proposes(t, signed).Into(t, http.StatusCreated, new(any))
	s.admin.Signs(t, s.agency, signed).Into(t, http.StatusCreated, new(any))
	open := harbour.Terms(t, theirs.ID, s.agency, hubtest.After(signed))
	theirs.Proposes(t, open).Into(t, http.StatusCreated, new(any))
	refused := s.agency.AnswerTerms(t, s.admin.ID, signed, terms.Refused)
	replace := func(old, text string) func(string) string {
		return func(body string) string { return strings.ReplaceAll(body, old, text) }
	}
	for name, row := range map[string]struct {
		id     string
		change func(string) string
	}{
		"wider terms":                {signed.ID, replace(`"sections":["need",`, `"sections":["need","health",`)},
		"another purpose":            {signed.ID, replace(`"purposes":["housing"]`, `"purposes":["housing","advocacy"]`)},
		"for longer":                 {signed.ID, func(b string) string { return strings.Replace(b, `"valid_to":"2`, `"valid_to":"3`, 1) }},
		"another party":              {signed.ID, replace(`"proposer":"harbour"`, `"proposer":"rosewood"`)},
		"another version":            {signed.ID, replace(`"version":1`, `"version":2`)},
		"another agreement":          {signed.ID, replace(signed.ID, open.ID)},
		"another proposal":           {signed.ID, replace(signed.Token, open.Token)},
		"a signature that is not":    {open.ID, replace(`"state":"proposed"`, `"state":"in-force"`)},
		"a refusal for a signature":  {signed.ID, func(b string) string { return answerOf(b, refused) }},
		"somebody else's signature":  {signed.ID, func(b string) string { return answerOf(b, harbour.AnswerTerms(t, theirs.ID, signed, terms.Signed)) }},
		"a proposal for an answer":   {signed.ID, func(b string) string { return answerOf(b, signed.Token) }},
		"a signature of other terms": {signed.ID, func(b string) string { return answerOf(b, s.agency.AnswerTerms(t, s.admin.ID, open, terms.Signed)) }},
	} {
		o := s.options
		o.HTTP = &http.Client{Transport: rewriting{s.hub.HTTP().Transport, row.change}}
		c, err := client.New(o)
		must(err)
		if _, err := c.Agreement(ctx, row.id); !errors.Is(err, client.ErrForged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// answerOf puts another statement in the place of the answer's.
func answerOf(body, token string) string {
	before, rest, _ := strings.Cut(body, `"answer":{`)
	head, tail, _ := strings.Cut(rest, `"statement":"`)
	_, tail, _ = strings.Cut(tail, `"`)
	return before + `"answer":{` + head + `"statement":"` + token + `"` + tail
}
