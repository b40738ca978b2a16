package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

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
	v.passOnByTheHub(t, r)

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
