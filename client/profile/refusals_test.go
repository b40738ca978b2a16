package profile_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"handover/client"
	"handover/client/profile"
)

func TestARefusalIsKeptForItsOwnerAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "own")
	p, err := profile.Create(t.Context(), dir, profile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if all, err := p.Refusals(); err != nil || len(all) != 0 {
		t.Errorf("at first there are %v, %v", all, err)
	}
	kept, err := p.KeepRefusal(profile.Refusal{Practice: "A1B2C", RefusedOn: "2026-12-20", Reason: "no-address"})
	if err != nil || kept.WrittenDue != "2027-01-03" {
		t.Fatalf("kept %+v, %v", kept, err)
	}
	path := filepath.Join(dir, "gp-refusals", kept.ID+".json")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the record is %v, %v", info, err)
	}
	for day, late := range map[string]bool{"2027-01-03": false, "2027-01-04": true} {
		when, err := time.Parse(time.DateOnly, day)
		if err != nil || kept.Overdue(when) != late {
			t.Errorf("on %s it is late: %v, %v", day, !late, err)
		}
	}
	for name, wrong := range map[string]profile.Refusal{
		"no practice":         {RefusedOn: "2026-12-20", Reason: "no-address"},
		"an unknown reason":   {Practice: "A1B2C", RefusedOn: "2026-12-20", Reason: "did not like her"},
		"a day that is none":  {Practice: "A1B2C", RefusedOn: "2026-02-30", Reason: "no-address"},
		"an id that is none":  {ID: "../profile", Practice: "A1B2C", RefusedOn: "2026-12-20", Reason: "no-address"},
		"received too early":  {Practice: "A1B2C", RefusedOn: "2026-12-20", Reason: "no-address", WrittenReceived: "2026-12-19"},
		"escalated on no day": {Practice: "A1B2C", RefusedOn: "2026-12-20", Reason: "no-address", EscalatedTo: "QMJ"},
	} {
		if _, err := p.KeepRefusal(wrong); client.Code(err) != "section-unfit" {
			t.Errorf("%s is kept: %v", name, err)
		}
	}
	for _, id := range []string{"", "../profile", "6f1c0000-0000-4000-8000-000000000000"} {
		if _, err := p.Refusal(id); !errors.Is(err, profile.ErrNoRefusal) {
			t.Errorf("%q is read: %v", id, err)
		}
	}
	if err := os.WriteFile(path, []byte(`{"schema":"gp-refusal/1"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Refusals(); err == nil {
		t.Error("a damaged record is listed")
	}
}
