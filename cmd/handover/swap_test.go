package main

import (
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"handover/internal/hubtest"
)

// TestAHubOnASwappedDatabaseIsRefused starts a hub on a database whose keys somebody has
// swapped, for each way to do it. Who knew the partner sends nothing, and is told what happened
// and what to do.
func TestAHubOnASwappedDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	told := map[string]struct {
		says  string
		fresh bool // who has never seen the partner is told as well
	}{
		"the key in the row is swapped":             {"there is no entry in the log for the encryption key", true},
		"and keeps the old one's fingerprint":       {"it shows another encryption key, whose fingerprint is", true},
		"a key beside it, without an entry":         {"there is no entry in the log for the encryption key", true},
		"with the entry of another":                 {"is another entry of the log", true},
		"logged by the hub, and nobody's signature": {"introduced without the signature of a key of theirs", true},
		"logged by the hub, with the thief's own":   {"vouches for itself alone", false},
		"a change of the history is deleted":        {"the history of its keys was rewritten", true},
		"the history is replaced":                   {"the history of its keys was rewritten", false},
	}
	for name, do := range hubtest.Swaps() {
		swap := told[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			victim := d.hub.Agency(t, "larkfield-housing", "housing")
			d.hub.Agree(t, &hubtest.Agency{ID: "rosewood"}, victim)
			send := "send - --to larkfield-housing --area " + hubtest.Area + " --urgency urgent --service " + d.hub.Offer(t, victim) + " --consent " + consented(t, d)
			if code, _, talk := d.run(t, `{"need": {"summary": "a bed tonight"}}`, send); code != exitOK {
				t.Fatalf("before: %d, %s", code, talk)
			}
			do(t, victim)
			d.hub = d.hub.Another(t)

			code, _, talk := d.run(t, `{"need": {"summary": "a bed tonight"}}`, send)
			said := strings.Join(strings.Fields(talk), " ")
			for _, want := range []string{"the hub may have swapped a key of larkfield-housing: ", cmp.Or(swap.says, "a row of the test"), "Nothing was sent",
				"next: telephone larkfield-housing, on a number that you did not get from the hub", "handover keys accept larkfield-housing "} {
				if !strings.Contains(said, want) {
					t.Errorf("it does not say %q:\n%s", want, said)
				}
			}
			if sent := hubtest.Value[int](t, d.hub, `SELECT count(*) FROM packet`); code != exitFalse || sent != 1 {
				t.Errorf("exit code %d, %d packets are stored", code, sent)
			}
			code, out, talk := d.run(t, "", "keys check larkfield-housing")
			if code != exitFalse || !strings.Contains(talk, "the hub may have swapped a key") || !json.Valid([]byte(out)) {
				t.Errorf("keys check: %d, %s%s", code, out, talk)
			}
			if err := os.RemoveAll(filepath.Join(d.env["HANDOVER_HOME"], "known")); err != nil {
				t.Fatal(err)
			}
			if code, _, talk := d.run(t, "", "keys check larkfield-housing"); (code == exitFalse) != swap.fresh {
				t.Errorf("who has never seen the partner: exit code %d, %s", code, talk)
			}
		})
	}
}

// TestAPersonAcceptsAKeyByItsFingerprint: a partner that has lost its keys brings new ones, and
// is telephoned.
func TestAPersonAcceptsAKeyByItsFingerprint(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	other := d.hub.Agency(t, "larkfield-housing", "housing")
	first := d.must(t, "keys accept larkfield-housing "+other.Signing.KeyID())
	if first["kid"] != other.Signing.KeyID() || first["confirmed"] == nil {
		t.Errorf("at first contact: %v", first)
	}
	other.Renew(t)
	if code, _, talk := d.run(t, "", "keys check larkfield-housing"); code != exitFalse || !strings.Contains(talk, "handover keys accept larkfield-housing "+other.Signing.KeyID()) {
		t.Errorf("%d, %s", code, talk)
	}
	if code, _, talk := d.run(t, "", "keys accept larkfield-housing "+d.admin.Desk().Auth.KeyID()); code != exitNotFound || !strings.Contains(talk, "compare again") {
		t.Errorf("another fingerprint: %d, %s", code, talk)
	}
	d.must(t, "keys accept larkfield-housing "+other.Signing.KeyID())
	if h := d.must(t, "keys check larkfield-housing"); h["holds"] != true || len(h["events"].([]any)) != 6 {
		t.Errorf("%v", h)
	}
}

// TestAnAgencySeesAKeyThatIsNotItsOwn: who brings a key in its name, it sees itself.
func TestAnAgencySeesAKeyThatIsNotItsOwn(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.must(t, "keys check")
	code, err := d.hub.Operator.Invite(t.Context(), "rosewood", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	second := &desk{hub: d.hub, env: map[string]string{"HANDOVER_HOME": filepath.Join(t.TempDir(), "second"), "HANDOVER_CODE": code}}
	second.must(t, "keys new")
	second.must(t, "enrol --hub "+hubtest.Issuer)
	for _, line := range []string{"keys check", "doctor"} {
		code, out, talk := d.run(t, "", line)
		if code == exitOK || !strings.Contains(out, "handover keys revoke") && !strings.Contains(talk, "handover keys revoke") && !strings.Contains(talk, "keys accept rosewood") {
			t.Errorf("%s: %d\n%s%s", line, code, out, talk)
		}
	}
}
