package managed_test

import (
	"net/http"
	"strings"
	"testing"

	"handover/audit/proof"
	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/partners"
)

// proposed is what the managed agency's worker proposes.
func (s scene) proposed() members {
	now := s.hub.Now().Unix()
	return members{"jti": newID(), "purpose": "protect-from-harm", "recipient": string(s.own.ID), "sections": []string{"need", "safe-contact"},
		"agreement": "refused", "reason": "child-at-risk", "at_risk": []string{"child"}, "told": "no", "not_told_reason": "unsafe",
		"basis": []members{{"art6": "d"}}, "gate": members{"pathway": "none"}, "valid_from": now, "expires_at": now + 3600, "review_at": now + 1800,
		"texts": members{"necessity": canary + " why", "minimum": canary + " what", "at-risk": canary + " who"}}
}

// TestTwoPeopleOfAManagedAgencyShareWithoutHerAgreement: the hub signs for each of them, and
// opens for the manager what she decides.
func TestTwoPeopleOfAManagedAgencyShareWithoutHerAgreement(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	manager := s.hub.Person(t, s.managed.ID, partners.Manager)
	p := s.proposed()
	id := p["jti"].(string)
	var first, again proof.Receipt
	s.worker.Post(t, "/v1/managed/overrides", p).Into(t, http.StatusCreated, &first)
	s.worker.Post(t, "/v1/managed/overrides", p).Into(t, http.StatusCreated, &again)
	if first.Entry != again.Entry || first.Override != id {
		t.Errorf("the same proposal: %+v, then %+v", first, again)
	}
	for _, change := range []members{{"reason": "coercion"}, {"texts": members{"necessity": "other", "minimum": canary + " what", "at-risk": canary + " who"}}} {
		if a := s.worker.Post(t, "/v1/managed/overrides", p.with(change)); a.Problem().Code != "override-conflict" {
			t.Errorf("another proposal under its id: %d %s", a.Status, a.Body)
		}
	}
	request := s.request("").with(members{"override": id, "purpose": "protect-from-harm"})
	delete(request, "consent")
	if a := s.worker.Post(t, "/v1/managed/referrals", request); a.Problem().Code != "override-not-approved" {
		t.Errorf("before anybody approved it: %d %s", a.Status, a.Body)
	}
	var shown struct {
		State  string
		Claims record.OverrideClaims
		Texts  map[string]string
	}
	manager.Post(t, "/v1/managed/overrides/"+id+"/open", members{}).Into(t, http.StatusOK, &shown)
	if shown.State != "proposed" || shown.Texts["minimum"] != canary+" what" || shown.Claims.Act != s.worker.ID {
		t.Errorf("she is shown %+v", shown)
	}
	decision := members{"jti": newID(), "decision": "approved"}
	at := "/v1/managed/overrides/" + id + "/decision"
	for name, a := range map[string]hubtest.Answer{
		"manager-needed": s.worker.Post(t, at, decision),
		"consent-claim":  manager.Post(t, at, decision.with(members{"decision": "perhaps"})),
	} {
		if a.Problem().Code != name {
			t.Errorf("%d %s, want %s", a.Status, a.Body, name)
		}
	}
	manager.Post(t, at, decision).Into(t, http.StatusCreated, &first)
	manager.Post(t, at, decision).Into(t, http.StatusCreated, &again)
	if first.Entry != again.Entry || first.State != "approved" {
		t.Errorf("the same decision: %+v, then %+v", first, again)
	}
	receipt := s.refer(t, request.with(members{"jti": newID()}))
	if receipt.Override != id {
		t.Errorf("it rests on %+v", receipt)
	}
	if a := s.own.Open(t, receipt.Referral, "", "need"); a.Status != http.StatusOK {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	var stored struct {
		Override string
		Steps    []string
	}
	answer := s.own.Get(t, "/v1/overrides/"+id)
	answer.Into(t, http.StatusOK, &stored)
	if stated, err := record.ParseOverride(stored.Override); err != nil || stated.Unverified().Act != s.worker.ID || len(stored.Steps) != 1 || strings.Contains(string(answer.Body), canary) {
		t.Errorf("its recipient reads %s, %v", answer.Body, err)
	}
	review := "/v1/managed/overrides/" + id + "/review"
	manager.Post(t, review, members{"jti": newID(), "review_at": s.hub.Now().Unix() + 3000}).Into(t, http.StatusCreated, &first)
	manager.Post(t, review, members{"jti": newID()}).Into(t, http.StatusCreated, &again)
	if first.State != "approved" || again.State != "ended" {
		t.Errorf("looked at again: %s, then %s", first.State, again.State)
	}
	if a := s.own.Open(t, receipt.Referral, "", "need"); a.Problem().Code != "override-ended" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// Texts are opened for the agency's own people, after the log has it, and are nowhere in clear.
func TestTextsOfAnOverrideAreOpenedForItsAgencyAlone(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	p := s.proposed().with(members{"emergency": true})
	id := p["jti"].(string)
	s.worker.Post(t, "/v1/managed/overrides", p).Into(t, http.StatusCreated, new(proof.Receipt))
	foreign := s.hub.Person(t, s.own.ID, partners.Manager)
	if a := foreign.Post(t, "/v1/managed/overrides/"+id+"/open", members{}); a.Problem().Code != "not-managed" {
		t.Errorf("the recipient's manager: %d %s", a.Status, a.Body)
	}
	other := s.hub.Managed(t, "elsewhere", partners.Housing)
	if a := s.hub.Person(t, other.ID, partners.Manager).Post(t, "/v1/managed/overrides/"+id+"/open", members{}); a.Problem().Code != "override-not-found" {
		t.Errorf("another agency whose keys the hub holds: %d %s", a.Status, a.Body)
	}
	logged := s.hub.Logged(t)
	s.worker.Post(t, "/v1/managed/overrides/"+id+"/open", members{}).Into(t, http.StatusOK, new(struct{}))
	if e := s.hub.Entries(t, logged); len(e) != 1 || e[0].Act != "override.read" || e[0].Override != id || e[0].User != s.worker.ID {
		t.Errorf("logged %+v", e)
	}
	tables := hubtest.Column[string](t, s.hub, `SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace`)
	for _, table := range tables {
		if n := hubtest.Value[int](t, s.hub, `SELECT count(*) FROM `+table+` x WHERE x::text LIKE '%' || $1 || '%'`, canary); n != 0 {
			t.Errorf("%s holds a text in clear", table)
		}
	}
}

func TestAManagerOfAManagedAgencyReviewsADoubtfulConsent(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	manager := s.hub.Person(t, s.managed.ID, partners.Manager)
	said := s.spoken()
	said["circumstances"] = members{"seen_alone": "no", "coercion": "suspected", "interpreter": "none", "language": "en", "capacity": "presumed"}
	s.worker.Post(t, "/v1/managed/consents", said).Into(t, http.StatusCreated, new(proof.Receipt))
	id := said["jti"].(string)
	if a := s.worker.Post(t, "/v1/managed/referrals", s.request(id)); a.Problem().Code != "consent-review-awaited" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	at := "/v1/managed/consents/" + id + "/review"
	if a := s.worker.Post(t, at, members{"jti": newID(), "decision": "approved"}); a.Problem().Code != "manager-needed" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	var receipt, again proof.Receipt
	decision := members{"jti": newID(), "decision": "approved"}
	manager.Post(t, at, decision).Into(t, http.StatusCreated, &receipt)
	manager.Post(t, at, decision).Into(t, http.StatusCreated, &again)
	if receipt.State != "stands" || receipt.Entry != again.Entry {
		t.Errorf("%+v, then %+v", receipt, again)
	}
	if a := manager.Post(t, at, decision.with(members{"decision": "refused"})); a.Problem().Code != "consent-review-not-awaited" {
		t.Errorf("another decision: %d %s", a.Status, a.Body)
	}
	s.refer(t, s.request(id))
}
