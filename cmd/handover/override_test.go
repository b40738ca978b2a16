package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"handover/internal/hubtest"
)

// office is a desk whose agency shares without a woman's agreement: its people, another
// agency that takes referrals, and a referral to send.
type office struct {
	*desk
	to              *hubtest.Agency
	service, letter string
	worker, manager *hubtest.Person
}

func newOffice(t *testing.T) office {
	t.Helper()
	d := newDesk(t)
	to := d.hub.Agency(t, "larkfield", "social-care")
	d.hub.Agree(t, &hubtest.Agency{ID: "rosewood"}, to)
	o := office{d, to, d.hub.Offer(t, to), filepath.Join(t.TempDir(), "referral.json"),
		d.hub.Person(t, "rosewood", "caseworker"), d.hub.Person(t, "rosewood", "manager")}
	if err := os.WriteFile(o.letter, []byte(`{"need": {"summary": "somewhere safe tonight"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	return o
}

// as signs somebody in.
func (o office) as(t *testing.T, p *hubtest.Person, scope string) {
	t.Helper()
	if code, out, talk := o.signIn(t, p, "--scope", scope); code != exitOK {
		t.Fatalf("signing in: %d\n%s%s", code, out, talk)
	}
}

// proposal is a document that may be proposed, with changes.
func (o office) proposal(t *testing.T, change map[string]any) string {
	t.Helper()
	doc := map[string]any{"purpose": "protect-from-harm", "recipient": "larkfield", "sections": []string{"need"}, "agreement": "refused",
		"reason": "child-at-risk", "at_risk": []string{"child"}, "told": "no", "not_told_reason": "unsafe", "basis": []map[string]any{{"art6": "d"}},
		"necessity": "nobody else can act tonight", "minimum": "her need alone", "risk": "a child of three"}
	for name, value := range change {
		doc[name] = value
	}
	data, err := json.Marshal(doc)
	path := filepath.Join(t.TempDir(), "proposal.json")
	if err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// fails runs a command that must end with the exit code and say the words.
func (o office) fails(t *testing.T, code int, words, line string) {
	t.Helper()
	if got, out, talk := o.run(t, "", line); got != code || !strings.Contains(talk, words) {
		t.Errorf("%s: exit code %d, want %d and %q\n%s%s", line, got, code, words, out, talk)
	}
}

func (o office) send(id string) string {
	return "send " + o.letter + " --to larkfield --override " + id + " --area " + hubtest.Area + " --urgency urgent --service " + o.service
}

// One person alone is refused; a second, who is a manager, lets the packet go.
func TestTwoPeopleShareWithoutHerAgreement(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.fails(t, exitAuth, "handover sign-in", "override new "+o.proposal(t, nil))
	o.as(t, o.worker, "consents:override")
	id := o.must(t, "override new "+o.proposal(t, nil))["id"].(string)
	o.fails(t, exitRefused, "override approve", o.send(id))
	o.fails(t, exitRefused, "ask a manager", "override approve --yes "+id)
	o.as(t, o.manager, "consents:override")
	o.fails(t, exitUsage, "--yes", "override approve "+id)
	own := o.must(t, "override new "+o.proposal(t, nil))["id"].(string)
	o.fails(t, exitRefused, "another manager", "override approve --yes "+own)
	if shown := o.must(t, "override show "+id); shown["state"] != "proposed" || shown["texts"].(map[string]any)["minimum"] != "her need alone" {
		t.Errorf("she is shown %v", shown)
	}
	if r := o.must(t, "override approve --yes "+id); r["state"] != "approved" || r["override"] != id {
		t.Errorf("approved: %v", r)
	}
	sent := o.must(t, o.send(id))
	if sent["override"] != id {
		t.Errorf("sent: %v", sent)
	}
	if a := o.to.Open(t, sent["referral"].(string), "", "need"); a.Status != 200 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if r := o.must(t, "override review "+id+" --days 5"); r["state"] != "approved" {
		t.Errorf("looked at again: %v", r)
	}
	o.must(t, "override review "+id+" --end")
	if a := o.to.Open(t, sent["referral"].(string), "", "need"); a.Problem().Code != "override-ended" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	o.fails(t, exitRefused, "override-ended", o.send(id))
}

// Nobody overrides what the law asks her own agreement for, and no question is asked first.
func TestNoOverridePassesADutyToRefer(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	for _, change := range []map[string]any{{"purpose": "duty-to-refer"}, {"purpose": "nrm"}, {"gate": map[string]any{"pathway": "nrm-adult"}}} {
		o.fails(t, exitUsage, "gate-not-passable", "override new "+o.proposal(t, change))
	}
	o.asks = true
	if code, _, talk := o.run(t, "duty-to-refer\n", "override new"); code != exitUsage || !strings.Contains(talk, "gate-not-passable") || strings.Contains(talk, "Which one agency") {
		t.Errorf("%d %s", code, talk)
	}
}

// An emergency goes at once; approved too late, it stops.
func TestAnEmergencyApprovedTooLateStops(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.as(t, o.worker, "consents:override")
	id := o.must(t, "override new --emergency "+o.proposal(t, nil))["id"].(string)
	sent := o.must(t, o.send(id))
	if a := o.to.Open(t, sent["referral"].(string), "", "need"); a.Status != 200 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	o.hub.Exec(t, `UPDATE consent_override_state SET recorded_at = recorded_at - $2::interval WHERE id = $1`, id, 24*time.Hour)
	o.as(t, o.manager, "consents:override")
	code, out, talk := o.run(t, "", "override approve --yes "+id)
	if code != exitOK || !strings.Contains(talk, "too late") || !strings.Contains(out, "lapsed") {
		t.Errorf("approved: %d\n%s%s", code, out, talk)
	}
	if a := o.to.Open(t, sent["referral"].(string), "", "need"); a.Problem().Code != "override-lapsed" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	o.fails(t, exitRefused, "override-lapsed", o.send(id))
	o.as(t, o.hub.Person(t, "rosewood", "auditor"), "audit:read")
	late := o.must(t, "override late")
	if list := late["approval"].([]any); len(list) != 1 || list[0].(map[string]any)["id"] != id {
		t.Errorf("the auditor sees %v", late)
	}
}

// At a terminal she is asked, in words, and a manager is shown what she decides.
func TestAnOverrideIsAskedForAtATerminal(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.as(t, o.worker, "consents:override")
	o.asks = true
	answers := "protect-from-harm\nlarkfield\nneed\nrefused\nchild-at-risk\nchild\nnobody else can act\nher need alone\na child of three\nno\nunsafe\nd\n"
	code, out, talk := o.run(t, answers, "override new")
	if code != exitOK || !strings.Contains(talk, "Why must it be shared all the same?") || !strings.Contains(talk, "a child is at risk") {
		t.Fatalf("%d\n%s%s", code, out, talk)
	}
	var proposed struct{ ID string }
	if err := json.Unmarshal([]byte(out), &proposed); err != nil {
		t.Fatal(err)
	}
	o.as(t, o.manager, "consents:override")
	if code, _, talk := o.run(t, "no\n", "override refuse "+proposed.ID); code != exitUsage || !strings.Contains(talk, "a child of three") {
		t.Errorf("%d %s", code, talk)
	}
	if code, out, talk := o.run(t, "yes\n", "override refuse "+proposed.ID); code != exitOK || !strings.Contains(out, "refused") {
		t.Errorf("%d %s%s", code, out, talk)
	}
	o.fails(t, exitConflict, "override-decided", "override refuse --yes "+proposed.ID)
}

// A consent that is in doubt waits for a manager.
func TestADoubtfulConsentIsReviewedFromTheCommandLine(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	doc := `{"purpose": "housing", "act": "w-17", "recipients": ["larkfield"], "sections": ["need"], "method": "verbal-in-person", "basis": [{"art6": "d"}],
		"circumstances": {"seen_alone": "no", "coercion": "suspected", "interpreter": "none", "capacity": "presumed"},
		"notice": {"version": "1", "digest": "` + strings.Repeat("A", 43) + `", "language": "en"}}`
	code, out, talk := o.run(t, doc, "consent new -")
	var recorded struct{ ID string }
	if err := json.Unmarshal([]byte(out), &recorded); code != exitOK || err != nil {
		t.Fatalf("%d %s%s", code, out, talk)
	}
	send := strings.Replace(o.send(recorded.ID), "--override", "--consent", 1)
	o.fails(t, exitRefused, "handover consent review", send)
	o.as(t, o.manager, "consents:override")
	o.fails(t, exitUsage, "--stands", "consent review "+recorded.ID)
	if r := o.must(t, "consent review --stands --yes "+recorded.ID); r["state"] != "stands" {
		t.Errorf("reviewed: %v", r)
	}
	o.must(t, send)
}
