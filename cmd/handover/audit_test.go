package main

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"handover/client"
	"handover/client/profile"
	"handover/internal/hubtest"
)

// exported is what an agency of a hub takes out of its log, and the key of that log.
func exported(t *testing.T) (file []byte, key client.LogKey) {
	t.Helper()
	h := hubtest.New(t)
	p := h.Pair(t, "housing")
	sent := p.Sent(t, "need")
	if a := p.To.Open(t, sent.Digest, "", "need"); a.Status != http.StatusOK {
		t.Fatalf("opening: %d %s", a.Status, a.Body)
	}
	q := url.Values{"from": {time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)}, "to": {time.Now().Add(time.Hour).UTC().Format(time.RFC3339)}}
	answer := p.From.Get(t, "/v1/log/export?"+q.Encode())
	if answer.Status != http.StatusOK {
		t.Fatalf("exporting: %d %s", answer.Status, answer.Body)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, hubtest.Issuer+"/v1/log/key", nil)
	if err != nil {
		t.Fatal(err)
	}
	shown, err := h.HTTP().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = shown.Body.Close() }()
	text, err := io.ReadAll(shown.Body)
	if err != nil {
		t.Fatal(err)
	}
	if key, err = client.ParseLogKey(strings.TrimSpace(string(text))); err != nil {
		t.Fatal(err)
	}
	return answer.Body, key
}

func saved(t *testing.T, path string, data []byte) string {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestAnAuditorVerifiesAnExportOnAMachineThatNeverSawTheHub, keeps its checkpoint, and finds out
// that the next file does not continue it.
func TestAnAuditorVerifiesAnExportOnAMachineThatNeverSawTheHub(t *testing.T) {
	t.Parallel()
	file, key := exported(t)
	dir := t.TempDir()
	env := map[string]string{"HOME": dir}
	path := saved(t, filepath.Join(dir, "quarter.audit"), file)
	kept := filepath.Join(dir, "kept.checkpoint")
	audit := func(want int, says string, args ...string) {
		t.Helper()
		code, out, talk := try(t, env, "", true, append([]string{"audit", "verify"}, args...)...)
		if code != want || !strings.Contains(out+talk, says) {
			t.Errorf("%v: exit code %d, want %d; nothing says %q\n%s%s", args, code, want, says, out, talk)
		}
	}
	audit(exitOK, "The audit export holds.", path, "--log-key", key.String())
	audit(exitOK, "The log's key came with the document itself", path)
	audit(exitOK, ", of one referral", path)
	audit(exitUsage, "--log-key is no log key", path, "--log-key", "x")
	audit(exitUsage, "is no policy of witnesses", path, "--policy", path)
	audit(exitUsage, "is no file", dir)
	audit(exitError, "no such file", filepath.Join(dir, "none"))
	audit(exitOK, "The audit export holds.", path, "--keep", kept)
	audit(exitUsage, "is there already", path, "--keep", kept)
	audit(exitOK, "the log begins with all that it covers", path, "--kept", kept)

	spoiled := saved(t, filepath.Join(dir, "spoiled.audit"), []byte(strings.Replace(string(file), `"data":"`, `"data":"A`, 1)))
	audit(exitFalse, "FAILS", spoiled, "--keep", filepath.Join(dir, "never.checkpoint"))
	if _, err := os.Stat(filepath.Join(dir, "never.checkpoint")); err == nil {
		t.Error("the checkpoint of what does not hold is kept")
	}
	another, _ := exported(t) // of the same name and with another key
	audit(exitFalse, "was made with another log key", saved(t, filepath.Join(dir, "another.audit"), another), "--log-key", key.String())
	audit(exitFalse, "it is none that the log's key has signed", filepath.Join(dir, "another.audit"), "--kept", kept)
	audit(exitError, "", saved(t, filepath.Join(dir, "nothing"), []byte("{}\n")))
}

// TestWhatTheProfileHasKeptIsHeldAgainstEveryExport, without being named.
func TestWhatTheProfileHasKeptIsHeldAgainstEveryExport(t *testing.T) {
	t.Parallel()
	file, key := exported(t)
	dir := t.TempDir()
	path := saved(t, filepath.Join(dir, "quarter.audit"), file)
	found, err := client.VerifyAudit(strings.NewReader(string(file)), int64(len(file)), client.AuditTrust{LogKey: key})
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.OpenCheckpoint([]byte(found.Checkpoint), key)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // once more changes nothing
		if _, err := profile.KeepCheckpoint(dir, c); err != nil {
			t.Fatal(err)
		}
	}
	code, out, talk := try(t, map[string]string{"HANDOVER_HOME": dir}, "", true, "audit", "verify", path, "--log-key", key.String())
	if code != exitOK || !strings.Contains(out, "kept checkpoint  1 checked") {
		t.Errorf("%d\n%s%s", code, out, talk)
	}
}

// TestAHubThatIsCaughtLeavesEvidence: both checkpoints, as they were signed, in files that are
// not written over.
func TestAHubThatIsCaughtLeavesEvidence(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	caught := &client.Rewritten{Kept: client.Checkpoint{Size: 5, Root: "kept+root", Note: "kept"}, Shown: client.Checkpoint{Size: 5, Root: "sho/wn", Note: "shown"},
		What: "it has signed two logs of the same length that are not the same", Certain: true}
	var talk strings.Builder
	a := &app{surroundings: surroundings{talk: &talk}}
	for range 2 {
		if err := a.accuse(dir, caught); codeOf(err) != exitFalse {
			t.Errorf("exit code %d: %v", codeOf(err), err)
		}
		caught.Shown.Note = "another"
	}
	for name, want := range map[string]string{"kept.checkpoint": "kept", "shown.checkpoint": "shown"} {
		got, err := os.ReadFile(filepath.Join(dir, "evidence", "5-5-sho_wn", name))
		if err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if said := talk.String(); !strings.Contains(said, "DOES NOT CONTINUE") || !strings.Contains(said, "the two files alone prove it") || !strings.Contains(said, dir) {
		t.Error(said)
	}
}
