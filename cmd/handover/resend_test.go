package main

import (
	"encoding/json"
	"strings"
	"testing"

	"handover/internal/hubtest"
)

// held sends a packet into the outbox, to an agency that then replaces its encryption key.
func held(t *testing.T, flags string) *desk {
	t.Helper()
	d := newDesk(t)
	to := d.hub.Agency(t, "larkfield-housing", "housing")
	d.hub.Agree(t, &hubtest.Agency{ID: "rosewood"}, to)
	service := d.hub.Offer(t, to)
	code, _, talk := d.run(t, `{"need": {"summary": "a bed tonight"}}`, "send - --to larkfield-housing --area "+hubtest.Area+
		" --urgency urgent --hold --service "+service+" --consent "+consented(t, d)+flags)
	if code != exitOK {
		t.Fatalf("send: %d\n%s", code, talk)
	}
	to.Rotate(t, d.hub.Person(t, "larkfield-housing", "administrator"), "encryption", 0)
	return d
}

// What waited in the outbox while the recipient replaced her key arrives all the same, and
// once: it is sealed anew from the sender's own copies.
func TestAHeldPacketIsSealedAnew(t *testing.T) {
	t.Parallel()
	d := held(t, "")
	code, out, talk := d.run(t, "", "resend")
	var sent struct{ Receipts []struct{ State string } }
	if err := json.Unmarshal([]byte(out), &sent); err != nil || code != exitOK || len(sent.Receipts) != 1 || sent.Receipts[0].State != "requested" {
		t.Fatalf("resend: %d\n%s%s", code, out, talk)
	}
	if !strings.Contains(talk, "larkfield-housing has replaced its key since this was sealed") {
		t.Errorf("it said %q", talk)
	}
	if code, out, _ = d.run(t, "", "resend"); code != exitOK || strings.Contains(out, "requested") {
		t.Errorf("again: %d, %s", code, out)
	}
}

// Without copies its content cannot be had from it: the person is told to send it anew.
func TestAHeldPacketWithoutCopiesHasToBeSentAnew(t *testing.T) {
	t.Parallel()
	d := held(t, " --no-copies")
	code, _, talk := d.run(t, "", "resend")
	if code == exitOK || !strings.Contains(talk, "recipient-key-retired") || !strings.Contains(talk, "send it anew from where its content is") {
		t.Errorf("resend: %d, %s", code, talk)
	}
}

// consented records her consent to larkfield-housing reading what she needs, and returns its id.
func consented(t *testing.T, d *desk) string {
	t.Helper()
	code, out, talk := d.run(t, `{"purpose": "housing", "recipients": ["larkfield-housing"], "sections": ["need"], "method": "written", "basis": [{"art6": "a"}],
		"circumstances": {"seen_alone": "yes", "coercion": "none", "interpreter": "none", "language": "en", "capacity": "presumed"},
		"notice": {"version": "1", "digest": "`+strings.Repeat("A", 43)+`", "language": "en"}}`, "consent new -")
	var consent struct{ ID string }
	if err := json.Unmarshal([]byte(out), &consent); code != exitOK || err != nil {
		t.Fatalf("consent: %d\n%s%s", code, out, talk)
	}
	return consent.ID
}
