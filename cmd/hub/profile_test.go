package main

import (
	"context"
	"log/slog"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestOtherClientsRunTheWholeProfile drives every part of it with two libraries that we
// did not write.
func TestOtherClientsRunTheWholeProfile(t *testing.T) {
	t.Parallel()
	for _, script := range []string{"profile-oauth4webapi", "profile-openid-client"} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			r := startHub(t, slog.DiscardHandler)
			for _, id := range []string{"node-outreach", "node-housing"} {
				r.operator(t, "partner", "add", id, "--name", "Sample agency", "--category", "housing", "--area", "E09000007")
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			node := exec.CommandContext(ctx, "node", script+".mjs")
			node.Dir = "../../internal/interop"
			node.Env = append(node.Environ(), "HUB="+r.Issuer, "BROWSER="+r.browser(t, "node-outreach"),
				"CODE="+r.operator(t, "invite", "node-outreach"), "CODE_OTHER="+r.operator(t, "invite", "node-housing"))
			out, err := node.CombinedOutput()
			if err != nil {
				t.Fatalf("%v (run npm ci in internal/interop first; make test does)\n%s", err, out)
			}
			if !strings.Contains(string(out), "the whole profile, and what it refuses") {
				t.Errorf("the script did not come to its end:\n%s", out)
			}
		})
	}
}
