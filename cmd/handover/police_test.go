package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"handover/internal/hubtest"
)

// station is an office that the police ask, with the desk of the police beside it.
type station struct {
	office
	police  office
	officer *hubtest.Person
}

func newStation(t *testing.T) station {
	t.Helper()
	o := newOffice(t)
	_, code := o.hub.Invited(t, "the-force", "police")
	d := &desk{hub: o.hub, env: map[string]string{"HANDOVER_HOME": filepath.Join(t.TempDir(), "police"), "HANDOVER_CODE": code}}
	d.must(t, "keys new")
	d.must(t, "enrol --hub "+hubtest.Issuer)
	delete(d.env, "HANDOVER_CODE")
	return station{o, office{desk: d}, o.hub.Person(t, "the-force", "caseworker")}
}

// inquiryFile is a file that says what the officer asks, with changes.
func inquiryFile(t *testing.T, change map[string]any) string {
	t.Helper()
	doc := map[string]any{"holder": "rosewood", "line_of_enquiry": "what-happened", "necessity": []string{"not-elsewhere"}, "sections": []string{"need", "risk"},
		"notice": "given", "days": 7, "text": map[string]any{"names": []string{"Sample Woman"}, "line_of_enquiry": "who was there", "necessity": "nobody else saw it",
			"requester": map[string]any{"name": "D Example", "rank": "detective constable", "force": "Sample Police"}}}
	for name, value := range change {
		doc[name] = value
	}
	data, err := json.Marshal(doc)
	path := filepath.Join(t.TempDir(), "request.json")
	if err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// The police ask; a manager says no, and the police are told nothing before the day.
func TestAManagerSaysNoToThePolice(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	s.police.fails(t, exitAuth, "handover sign-in", "police-request new "+inquiryFile(t, nil))
	s.police.as(t, s.officer, "referrals:send")
	s.police.fails(t, exitUsage, "names its members", "police-request new "+inquiryFile(t, map[string]any{"name": "Sample Woman"}))
	s.police.fails(t, exitUsage, "at least 24 hours", "police-request new "+inquiryFile(t, map[string]any{"days": -1}))
	id := s.police.must(t, "police-request new "+inquiryFile(t, nil))["id"].(string)

	s.as(t, s.manager, "referrals:receive,consents:override")
	s.fails(t, exitUsage, "--reason, --told", "police-request refuse --yes "+id)
	s.fails(t, exitUsage, "--yes", "police-request refuse --reason no-such-person "+id)
	s.must(t, "police-request refuse --yes --reason no-such-person "+id)
	s.fails(t, exitConflict, "decided before", "police-request refuse --yes --reason safety --told yes "+id)
	own := s.must(t, "police-request show "+id)
	if own["state"] != "refused" || own["why"].(map[string]any)["reason"] != "no-such-person" {
		t.Errorf("the agency sees %v", own)
	}
	code, out, talk := s.police.run(t, "", "police-request show "+id)
	if code != exitOK || !strings.Contains(out, `"state": "asked"`) || strings.Contains(out, "no-such-person") || strings.Contains(out, "refused") {
		t.Errorf("the police see %d %s%s", code, out, talk)
	}
	if _, out, _ := s.police.run(t, "", "police-request list --asked"); !strings.Contains(out, id) || strings.Contains(out, "refused") {
		t.Errorf("the police list %s", out)
	}
}

// A yes is to exactly what was asked, after reading it, and asked back at a terminal.
func TestAManagerSaysYesToThePolice(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	s.police.as(t, s.officer, "referrals:send")
	id := s.police.must(t, "police-request new "+inquiryFile(t, nil))["id"].(string)
	s.as(t, s.manager, "referrals:receive,consents:override")
	yes := "police-request approve --reason tests-met --told yes " + id
	s.fails(t, exitUsage, "--section", yes+" --yes")
	s.fails(t, exitConflict, "Open and read it", yes+" --yes --section need")
	opened := s.must(t, "police-request open "+id)
	if names := opened["text"].(map[string]any)["names"].([]any); names[0] != "Sample Woman" {
		t.Errorf("she reads %v", opened)
	}
	s.fails(t, exitUsage, "Approve only what was asked", yes+" --yes --section location")
	s.asks = true
	if code, _, talk := s.run(t, "no\n", yes+" --section need"); code == exitOK || !strings.Contains(talk, "counselling records: not asked for") {
		t.Errorf("she says no in the end: %d %s", code, talk)
	}
	if code, _, talk := s.run(t, "tests-met\nno\nunsafe\nyes\n", "police-request approve --section need "+id); code != exitOK || !strings.Contains(talk, "Your agency alone reads this") {
		t.Errorf("she is asked: %d %s", code, talk)
	}
	got := s.police.must(t, "police-request show "+id)
	if got["state"] != "approved" || got["decided"].(map[string]any)["not_told_reason"] != "unsafe" {
		t.Errorf("the police see %v", got)
	}
}
