package main

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"handover/client"
	"handover/client/profile"
)

// desk enrols an agency, and returns the client that acts for somebody of it.
func (r running) desk(t *testing.T, id, category, role string, scopes ...string) *client.Client {
	t.Helper()
	ctx := t.Context()
	r.operator(t, "partner", "add", id, "--name", "Sample agency", "--category", category, "--area", "E09000007")
	own, err := profile.Create(ctx, t.TempDir(), profile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := own.Enrol(ctx, r.Issuer, r.operator(t, "invite", id)); err != nil {
		t.Fatal(err)
	}
	signedIn(t, r, own, id, role, scopes...)
	c, err := own.PersonClient(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestNothingOfWhatThePoliceAskLeaves plants her name in all that an officer and a manager
// write about her, and looks for it in every way out: the log, the metrics and every row.
func TestNothingOfWhatThePoliceAskLeaves(t *testing.T) {
	t.Parallel()
	log, ctx := &lockedBuffer{}, t.Context()
	r := startHub(t, slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	officer := r.desk(t, "canary-police", "police", "caseworker", "referrals:send")
	manager := r.desk(t, "canary-women", "vawg-service", "manager", "referrals:receive", "consents:override")
	ask := client.PoliceRequest{Holder: "canary-women", Enquiry: "what-happened", Necessity: []string{"not-elsewhere"}, Sections: []string{"need"},
		Notice: "given", RespondBy: time.Now().Add(48 * time.Hour), Text: client.PoliceText{Names: []string{herName}, Details: "lived with " + herName,
			Requester: client.Requester{Name: herName, Rank: herName, Force: "Sample Police"}, Enquiry: "who saw " + herName, Necessity: herName + " alone knows", Asked: herName}}
	for _, no := range []bool{true, false} {
		asked, err := officer.AskAsPolice(ctx, ask)
		if err != nil {
			t.Fatal(err)
		}
		if _, text, err := manager.OpenPoliceRequest(ctx, asked.ID); err != nil || text.Names[0] != herName {
			t.Fatalf("nothing was opened: %v", err)
		}
		if no {
			_, err = manager.RefusePoliceRequest(ctx, asked.ID, client.PoliceReason{Reason: "safety", Told: "yes", Words: herName + " fears him"})
		} else {
			_, err = manager.ApprovePoliceRequest(ctx, asked.ID, []string{"need"}, false, client.PoliceReason{Reason: "tests-met", Told: "yes", Words: herName})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	ask.Enquiry = herName
	_, refused := officer.AskAsPolice(ctx, ask)
	_, unknown := manager.PoliceRequest(ctx, herName)
	ways := r.waysOut(t, log, "/v1/police-requests/{request}/open")
	ways["what is refused"] = errors.Join(refused, unknown).Error()
	for way, text := range ways {
		for _, form := range sightings() {
			if strings.Contains(strings.ToLower(text), strings.ToLower(form)) {
				t.Errorf("her name is in %s, as %q", way, form)
			}
		}
	}
}
