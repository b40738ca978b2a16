package managed_test

import (
	"net/http"
	"testing"

	"handover/internal/hubtest"
	"handover/partners"
)

// TestTheDeskSealsNothingThatDoesNotFit: it is the one place where the hub could look, and
// what is refused is repeated neither in the answer nor in the log.
func TestTheDeskSealsNothingThatDoesNotFit(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	consent := s.consent(t)
	s.refer(t, s.request(consent)) // makes the secret of digests
	for name, sections := range map[string]members{
		"a misspelt member":     {"safe-contact": members{"channel": "none", "voicmail": canary, "last_confirmed": "2026-11-20"}},
		"a member called so":    {"need": members{canary: "x"}},
		"a section of nothing":  {"need": members{}},
		"a code that is none":   {"need": members{"needs": []members{{"need": canary}}}},
		"a date that is none":   {"need": members{"since": members{"precision": "day", "value": canary}}},
		"another's schema":      {"need": members{"schema": "risk/1", "summary": canary}},
		"something else beside": {"need": members{"summary": canary}, "safe-contact": members{"channel": "pigeon"}},
	} {
		s.refused(t, name, http.StatusUnprocessableEntity, "section-unfit", func() hubtest.Answer {
			return s.worker.Post(t, "/v1/managed/referrals", s.request(consent).with(members{"sections": sections}))
		})
	}
	id, c := s.sent(t)
	s.refused(t, "a note", http.StatusUnprocessableEntity, "section-unfit", func() hubtest.Answer {
		return s.worker.Post(t, "/v1/managed/referrals/"+id+"/events", members{"jti": newID(), "event": "ask", "prev": id, "consent": c.ID,
			"sections": members{"note": members{"txt": canary}}})
	})
	s.refused(t, "a Duty to Refer", http.StatusUnprocessableEntity, "pathway-incomplete", func() hubtest.Answer {
		return s.worker.Post(t, "/v1/managed/referrals", s.request(consent).with(members{"purpose": "duty-to-refer"}))
	})
	a := s.worker.Post(t, "/v1/managed/referrals", s.request(consent).with(members{"sections": members{"need": members{"summary": 7}}}))
	if p := a.Problem(); p.Section != "need" || p.Member != "/summary" || p.Detail != "need, summary: write text, in quotation marks" {
		t.Errorf("refused with %s", a.Body)
	}
}

// TestTheDeskGivesPoliceHerWorkersContactAndNeverHers, whatever the agreement says.
func TestTheDeskGivesPoliceHerWorkersContactAndNeverHers(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	police := s.hub.Agency(t, "northgate", partners.Police)
	s.hub.Agree(t, s.managed, police)
	service := s.hub.Offer(t, police)
	consent := s.consent(t)
	s.refer(t, s.request(consent))
	to := func(safe members) members {
		return s.request(consent).with(members{"to": string(police.ID), "purpose": "protect-from-harm",
			"sections": members{"need": members{"summary": canary}, "safe-contact": safe}})
	}
	s.refused(t, "her number", http.StatusUnprocessableEntity, "safe-contact-for-police", func() hubtest.Answer {
		return s.worker.Post(t, "/v1/managed/referrals", to(members{"channel": "call", "number": "+447700900123", "last_confirmed": "2026-11-20"}))
	})
	// Her worker's passes this rule; the next refuses, since she named no police.
	s.refused(t, "her worker's", http.StatusForbidden, "not-covered", func() hubtest.Answer {
		request := to(members{"channel": "via-worker", "worker": members{"called": canary}, "last_confirmed": "2026-11-20"})
		request["service"] = service
		return s.worker.Post(t, "/v1/managed/referrals", request)
	})
}

// TestWhatDoesNotFitIsShownToWhomItWasSent: another agency's program sealed it.
func TestWhatDoesNotFitIsShownToWhomItWasSent(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	id, _ := s.sent(t)
	var got opened
	s.open(t, s.worker, id, opening("need", "safe-contact")).Into(t, http.StatusOK, &got)
	if got.Sections["need"].Text != canary || len(got.Unfit) == 0 || !got.Stale {
		t.Errorf("opened %+v", got)
	}
	fits := s.refer(t, s.request(s.consent(t)))
	got = opened{}
	if s.open(t, s.worker, fits.Referral, opening("need")).Into(t, http.StatusOK, &got); len(got.Unfit) != 0 || got.Stale {
		t.Errorf("her own copy does not fit: %+v", got.Unfit)
	}
}
