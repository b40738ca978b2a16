package managed_test

import (
	"net/http"
	"testing"
	"time"

	"handover/internal/hubtest"
	"handover/partners"
	"handover/partners/terms"
)

// TestTheHubSignsAgreementsForAdministratorsAlone: for one who has proved a moment ago who she is,
// in her name, exactly what she has read; the same request once more is nothing new.
func TestTheHubSignsAgreementsForAdministratorsAlone(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	admin, theirs := s.hub.Person(t, s.managed.ID, partners.Administrator), s.hub.Person(t, s.own.ID, partners.Administrator)
	now := s.hub.Now()
	proposal := members{"jti": newID(), "other": string(s.own.ID), "version": 1, "sends": members{"purposes": []string{"housing"}, "sections": []string{"need"}},
		"valid_from": now.Unix(), "valid_to": now.AddDate(1, 0, 0).Unix(), "review_at": now.AddDate(0, 6, 0).Unix()}
	const path = "/v1/managed/agreements"
	stale := s.hub.Person(t, s.managed.ID, partners.Administrator)
	stale.Proved = now.Add(-partners.Recent - time.Minute)
	for name, row := range map[string]struct {
		by   *hubtest.Person
		want string
	}{"a caseworker": {s.worker, "insufficient-scope"}, "an agency that holds its own keys": {theirs, "not-managed"}, "who has proved nothing for a while": {stale, "step-up-required"}} {
		if a := row.by.Post(t, path, proposal); a.Problem().Code != row.want {
			t.Errorf("%s: %d %s, want %s", name, a.Status, a.Body, row.want)
		}
	}
	first, again := admin.Post(t, path, proposal), admin.Post(t, path, proposal)
	if first.Status != http.StatusCreated || entryOf(t, first) != entryOf(t, again) {
		t.Errorf("proposed twice: %d %s, %d %s", first.Status, first.Body, again.Status, again.Body)
	}
	if a := admin.Post(t, path, proposal.with(members{"version": 1, "valid_to": now.AddDate(2, 0, 0).Unix()})); a.Problem().Code != "agreement-conflict" {
		t.Errorf("other terms under its id: %d %s", a.Status, a.Body)
	}
	var of partners.SignedAgreement
	theirs.Get(t, "/v1/agreements/"+proposal["jti"].(string)).Into(t, http.StatusOK, &of)
	if of.Proposed.Act != admin.ID || of.Proposed.Custody != partners.HeldByHub {
		t.Errorf("who proposed it: %+v", of.Proposed)
	}
	own := path + "/" + of.ID
	if a := admin.Post(t, own+"/sign", members{"jti": newID(), "digest": of.Proposed.Digest}); a.Problem().Code != "agreement-own-proposal" {
		t.Errorf("signed by who proposed it: %d %s", a.Status, a.Body)
	}
	back := members{"jti": newID(), "digest": of.Proposed.Digest}
	ended, twice := admin.Post(t, own+"/end", back), admin.Post(t, own+"/end", back)
	if ended.Status != http.StatusCreated || entryOf(t, ended) != entryOf(t, twice) {
		t.Errorf("taken back twice: %d %s, %d %s", ended.Status, ended.Body, twice.Status, twice.Body)
	}

	asked := s.own.Terms(t, theirs.ID, s.managed)
	theirs.Proposes(t, asked).Into(t, http.StatusCreated, new(any))
	sign, other := members{"jti": newID(), "digest": asked.Digest}, s.own.Terms(t, theirs.ID, s.managed, func(c *terms.Claims) { c.ID = asked.ID })
	at := path + "/" + asked.ID + "/sign"
	if a := admin.Post(t, at, sign.with(members{"digest": other.Digest})); a.Problem().Code != "agreement-claim" {
		t.Errorf("other terms than she has read: %d %s", a.Status, a.Body)
	}
	if a := admin.Post(t, path+"/"+newID()+"/sign", sign); a.Problem().Code != "agreement-not-found" {
		t.Errorf("nothing: %d %s", a.Status, a.Body)
	}
	one, two := admin.Post(t, at, sign), admin.Post(t, at, sign)
	if one.Status != http.StatusCreated || entryOf(t, one) != entryOf(t, two) {
		t.Errorf("signed twice: %d %s, %d %s", one.Status, one.Body, two.Status, two.Body)
	}
	s.hub.Reconciles(t)
}

func entryOf(t *testing.T, a hubtest.Answer) string {
	t.Helper()
	var r struct{ Entry string }
	a.Into(t, http.StatusCreated, &r)
	return r.Entry
}
