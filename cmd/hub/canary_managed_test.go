package main

import (
	"bytes"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// overridesByTheHub has the hub seal the reasons of somebody who shares without a woman's
// agreement, and open them for her again; and refuse what she writes where it may not stand.
func overridesByTheHub(t *testing.T, r running, p *heldByHub) {
	t.Helper()
	now, id := time.Now().Unix(), uuid.Must(uuid.NewV7()).String()
	at := r.Issuer + "/v1/managed/overrides"
	override := map[string]any{"jti": id, "purpose": "protect-from-harm", "recipient": "memory-sender", "sections": []string{"need"},
		"agreement": "refused", "reason": "child-at-risk", "at_risk": []string{"child"}, "told": "no", "not_told_reason": "unsafe",
		"basis": []map[string]any{{"art6": "e", "provision": "Children Act 1989 s47"}}, "gate": map[string]any{"pathway": "none"},
		"valid_from": now, "expires_at": now + 3600, "review_at": now + 1800,
		"texts": map[string]string{"necessity": hubsName + " is in danger", "minimum": hubsName + " alone", "at-risk": "the child of " + hubsName}}
	p.post(t, at, override, http.StatusCreated)
	if opened := p.post(t, at+"/"+id+"/open", map[string]any{}, http.StatusOK); !bytes.Contains(opened, []byte(hubsName)) {
		t.Fatalf("nothing was opened: %s", opened)
	}
	for _, member := range []string{"sub", "purpose", "recipient", "agreement", "reason", "told", "not_told_reason"} {
		bad := maps.Clone(override)
		bad["jti"], bad[member] = uuid.Must(uuid.NewV7()).String(), hubsName
		if answer := p.post(t, at, bad, http.StatusUnprocessableEntity); bytes.Contains(answer, []byte(hubsName)) {
			t.Errorf("what is refused of %s is repeated: %s", member, answer)
		}
	}
}

// TestNothingOfWhatTheHubOpensLeaves has the hub open, seal and sign for an agency whose keys
// it holds, and then looks for the content and for its private keys in every way out: the
// log, the metrics and every row of the database.
func TestNothingOfWhatTheHubOpensLeaves(t *testing.T) {
	t.Parallel()
	log := &lockedBuffer{}
	r := startHub(t, slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r.env = append(r.env, "HUB_ISSUER="+r.Issuer)
	v := &victim{dir: r.Dir, issuer: r.Issuer}
	if err := os.WriteFile(filepath.Join(r.Dir, "database.url"), []byte(r.address), 0o600); err != nil {
		t.Fatal(err)
	}
	overridesByTheHub(t, r, v.passOnByTheHub(t, r))

	held := v.heldKeys(t)
	for way, text := range r.waysOut(t, log, "/v1/managed/referrals/{referral}/open") {
		for _, form := range sightingsOf(hubsName) {
			if strings.Contains(strings.ToLower(text), strings.ToLower(form)) {
				t.Errorf("what the hub opened is in %s, as %q", way, form)
			}
		}
		for _, key := range held {
			if bytes.Contains([]byte(text), key.bytes) {
				t.Errorf("%s is in %s", key.name, way)
			}
		}
	}
}
