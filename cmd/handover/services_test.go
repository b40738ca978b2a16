package main

import (
	"strings"
	"testing"

	"handover/internal/hubtest"
)

// TestAnAgencysSystemSaysHowManyAServiceCanTake, of its own services and no other's.
func TestAnAgencysSystemSaysHowManyAServiceCanTake(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	own, other := d.hub.Offer(t, &hubtest.Agency{ID: "rosewood"}), d.hub.Offer(t, d.hub.Agency(t, "larkfield-housing", "housing"))
	if said := d.must(t, "services capacity "+own+" waiting-list --wait over-three-months"); said["capacity"] != "waiting-list" || said["wait"] != "over-three-months" {
		t.Errorf("said %v", said)
	}
	for line, code := range map[string]string{own + " waiting-list": "capacity-invalid", own + " full": "capacity-invalid", other + " paused": "service-not-found"} {
		if exit, _, talk := d.run(t, "", "services capacity "+line); exit == exitOK || !strings.Contains(talk, code) {
			t.Errorf("%s: %d, %s", line, exit, talk)
		}
	}
}
