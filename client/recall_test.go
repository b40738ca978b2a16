package client_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"handover/audit/proof"
	"handover/client"
	"handover/consent/record"
	"handover/internal/ids"
)

// asks has the fake ask an agency about the pair's consent, and serve what it is asked.
func (p *pair) asks(question, partner string) *map[string]any {
	id := uuid.Must(uuid.NewV7()).String()
	referrals := []string{p.referral}
	q := map[string]any{"id": id, "consent": p.consent.ID, "digest": p.consent.Digest, "question": question, "partner": partner,
		"referrals": referrals, "sections": []string{"need"}, "asked": now(),
		"receipt": p.hub.log.add(proof.Entry{Act: "recall.asked", Other: partner, Consent: p.consent.ID, Digest: p.consent.Digest, Reason: question, Target: id})}
	p.hub.before = func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case r.URL.Path == "/v1/recalls" && caller(r) == q["partner"]:
			found := []any{}
			if (q["answer"] != nil) == (r.URL.Query().Get("state") == "answered") {
				found = append(found, q)
			}
			answer(w, 200, map[string]any{"recalls": found, "more": false})
		case r.URL.Path == "/v1/recalls/"+id+"/answer":
			body, _ := io.ReadAll(r.Body)
			stated, err := record.ParseRecall(string(body))
			must(err)
			c := stated.Unverified()
			q["answer"], q["answered"], q["statement"] = c.Answer, now(), string(body)
			q["receipt"] = p.hub.log.add(proof.Entry{Act: "recall.answered", Partner: caller(r), Consent: c.Consent, Digest: ids.Digest(string(body)), State: c.Answer, Target: id})
			answer(w, 201, q["receipt"])
		case r.URL.Path == "/v1/consents/"+p.consent.ID+"/holders":
			answer(w, 200, map[string]any{"consent": p.consent.ID, "withdrawn": now(), "complete": true, "recalls": []any{q}})
		default:
			return false
		}
		return true
	}
	return &q
}

// only is the one thing that an agency is asked.
func only(t *testing.T, c *client.Client, answered bool) (client.Recall, error) {
	t.Helper()
	for q, err := range c.Recalls(t.Context(), answered) {
		return q, err
	}
	t.Fatal("nothing is asked")
	return client.Recall{}, nil
}

func TestARecallIsAnsweredAndTheRecorderVerifiesTheAnswer(t *testing.T) {
	p := newPair(t)
	p.asks("still-held", "westside-aid")
	q := must1(only(t, p.to, false))
	if _, err := p.to.AnswerRecall(t.Context(), q, client.RecallAnswer{Answer: "kept"}); client.Code(err) != "consent-claim" {
		t.Errorf("kept without a basis: %v", err)
	}
	_, err := p.to.AnswerRecall(t.Context(), q, client.RecallAnswer{Answer: "kept", KeptBasis: client.KeptBasis{Article6: "f", Because: "legal-claims"}})
	must(err)
	h := must1(p.from.Holders(t.Context(), p.consent.ID))
	if len(h.Recalls) != 1 || h.Recalls[0].Answer != "kept" || h.Recalls[0].Basis.Because != "legal-claims" || !h.Complete {
		t.Errorf("the recorder is told %+v", h)
	}
	if q := must1(only(t, p.to, true)); q.Answer != "kept" {
		t.Errorf("answered: %+v", q)
	}
}

// TestEndingHelpWithdrawsTheReferral before the answer says so.
func TestEndingHelpWithdrawsTheReferral(t *testing.T) {
	p := newPair(t)
	p.step(t, p.to, client.Step{Event: "accept"})
	p.asks("does-help-go-on", "camden-outreach")
	q := must1(only(t, p.from, false))
	must1(p.from.AnswerRecall(t.Context(), q, client.RecallAnswer{Answer: "ends"}))
	if r := must1(p.from.Referral(t.Context(), p.referral)); r.State != "cancelled" || r.Chain[2].Claims.Reason != "consent-withdrawn" || r.Withdrawn {
		t.Errorf("the referral is %s", r.State)
	}
}

// TestAHubThatMakesUpAnswersIsFoundOut: neither what is asked nor what was answered is the
// hub's word alone.
func TestAHubThatMakesUpAnswersIsFoundOut(t *testing.T) {
	for name, c := range map[string]struct {
		lie  func(t *testing.T, p *pair, q map[string]any)
		want error
	}{
		"an answer that nobody signed":    {func(_ *testing.T, _ *pair, q map[string]any) { delete(q, "statement") }, client.ErrForged},
		"another answer than was signed":  {func(_ *testing.T, _ *pair, q map[string]any) { q["answer"] = "kept" }, client.ErrForged},
		"the answer of another agency":    {func(_ *testing.T, _ *pair, q map[string]any) { q["partner"] = "camden-outreach" }, client.ErrForged},
		"an answer about another record":  {func(_ *testing.T, _ *pair, q map[string]any) { q["digest"] = ids.Digest("x") }, client.ErrForged},
		"of another consent":              {func(_ *testing.T, _ *pair, q map[string]any) { q["consent"] = uuid.Must(uuid.NewV7()).String() }, client.ErrForged},
		"no receipt":                      {func(_ *testing.T, _ *pair, q map[string]any) { delete(q, "receipt") }, client.ErrProof},
		"an answer with another receipt":  {func(_ *testing.T, p *pair, q map[string]any) { q["receipt"] = p.wasReceipt }, client.ErrProof},
		"the answer to another question":  {func(_ *testing.T, _ *pair, q map[string]any) { q["id"] = uuid.Must(uuid.NewV7()).String() }, client.ErrProof},
		"an answer signed by the hub's":   {resigned("camden-outreach"), client.ErrForged},
		"a question instead of an answer": {func(_ *testing.T, _ *pair, q map[string]any) { delete(q, "answer"); delete(q, "statement") }, client.ErrProof},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t)
			q := *p.asks("still-held", "westside-aid")
			must1(p.to.AnswerRecall(t.Context(), must1(only(t, p.to, false)), client.RecallAnswer{Answer: "deleted"}))
			must1(p.from.Holders(t.Context(), p.consent.ID))
			c.lie(t, p, q)
			if _, err := p.from.Holders(t.Context(), p.consent.ID); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

// resigned signs the answer anew with the key of another agency.
func resigned(with string) func(*testing.T, *pair, map[string]any) {
	return func(_ *testing.T, p *pair, q map[string]any) {
		stated, err := record.ParseRecall(q["statement"].(string))
		must(err)
		q["statement"] = must1(stated.Unverified().Sign(p.hub.private[with].Signing))
	}
}

func TestConsentsThatEndAreListedPageByPage(t *testing.T) {
	p := newPair(t)
	var asked []string
	p.hub.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || r.URL.Path != "/v1/consents" {
			return false
		}
		asked = append(asked, r.URL.RawQuery)
		if r.URL.Query().Get("after") == "" {
			w.Header().Set("Link", `</v1/consents?ending=3&after=`+p.consent.ID+`>; rel="next"`)
		}
		var page map[string]any
		must(json.Unmarshal([]byte(`{"consents": [{"id": "x", "ended": true, "referrals": ["y"]}], "more": true}`), &page))
		answer(w, 200, page)
		return true
	}
	n := 0
	for e, err := range p.from.EndingConsents(t.Context(), 3) {
		must(err)
		if n++; !e.Ended {
			t.Errorf("%+v", e)
		}
	}
	if n != 2 || strings.Join(asked, " ") != "ending=3 after="+p.consent.ID+"&ending=3" {
		t.Errorf("%d records, asked %v", n, asked)
	}
}
