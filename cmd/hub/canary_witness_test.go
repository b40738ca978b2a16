package main

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"handover/audit/witness"
)

// eavesdroppedWitness is a witness that keeps all that it is told and answers nothing, with
// the settings of a hub that has it.
func eavesdroppedWitness(t *testing.T) (told *lockedBuffer, settings []string) {
	t.Helper()
	told = &lockedBuffer{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(told, r.Method+" "+r.URL.Path+"\n")
		_ = r.Header.Write(told)
		_, _ = io.Copy(told, r.Body)
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(server.Close)
	_, vkey, err := witness.NewKey("charity.example/witness", filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	policy := file(t, "witness charity "+vkey+" "+server.URL+"\nquorum charity\n")
	return told, []string{"HUB_WITNESS_POLICY=" + policy, "HUB_WITNESS_WAIT=100ms"}
}

// TestWhatAHubSaysOfItsWitnesses: the figures that an operator is woken by, and no address.
func TestWhatAHubSaysOfItsWitnesses(t *testing.T) {
	t.Parallel()
	log := &lockedBuffer{}
	told, settings := eavesdroppedWitness(t)
	r := startHub(t, slog.NewJSONHandler(log, nil), settings...)
	r.operator(t, "partner", "add", "example-agency", "--name", "Example agency", "--category", "housing", "--area", "E09000007")
	for { // the hub makes an entry of it, and asks
		if metrics := fetch(t, r.Private+"/metrics"); strings.Contains(metrics, "\nhandover_log_witnesses_short 1\n") {
			for _, want := range []string{"\nhandover_log_size ", "\nhandover_log_cosigned_size 0\n", "\nhandover_log_witnesses_refusing 0\n"} {
				if !strings.Contains(metrics, want) {
					t.Errorf("no %s", want)
				}
			}
			break
		}
	}
	if !strings.Contains(told.String(), "POST /add-checkpoint") || !strings.Contains(told.String(), "old 0") {
		t.Errorf("the witness was told: %s", told)
	}
	answer, err := http.Get(r.Issuer + "/v1/log/witnesses")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	shown, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(string(shown), "quorum charity") {
		t.Errorf("%d %s %v", answer.StatusCode, shown, err)
	}
	if strings.Contains(string(shown), "127.0.0.1") {
		t.Errorf("the witness's address is shown to everybody: %s", shown)
	}
}
