package agency_test

import (
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"handover/audit/proof"
	"handover/internal/hubtest"
)

// shown opens a page, which must be there, and returns it.
func shown(t *testing.T, b *hubtest.Browser, path string) string {
	t.Helper()
	a := b.Get(t, path)
	if a.Status != http.StatusOK {
		t.Fatalf("%s: %d %s", path, a.Status, a.Body)
	}
	return string(a.Body)
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)

// form is what the page sends along, with what is chosen.
func form(page string, chosen url.Values) url.Values {
	sent := url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(page, -1) {
		sent.Add(m[1], m[2])
	}
	maps.Copy(sent, chosen)
	return sent
}

// led fails unless the answer leads there.
func led(t *testing.T, a hubtest.Answer, where string) {
	t.Helper()
	if a.Status != http.StatusSeeOther || a.Header.Get("Location") != where {
		t.Fatalf("answered %d %q, want the way to %s: %s", a.Status, a.Header.Get("Location"), where, a.Body)
	}
}

// has fails unless the page says all of it.
func has(t *testing.T, page string, all ...string) {
	t.Helper()
	for _, text := range all {
		if !strings.Contains(page, text) {
			t.Errorf("the page does not say %q:\n%s", text, page)
		}
	}
}

// last is the newest entry of the log.
func last(t *testing.T, h *hubtest.Hub) proof.Entry {
	t.Helper()
	all := h.Entries(t, 0)
	return all[len(all)-1]
}

// bodies is all that the log says.
func bodies(t *testing.T, h *hubtest.Hub) string {
	t.Helper()
	return hubtest.Value[string](t, h, `SELECT string_agg(convert_from(body, 'UTF8'), ' ') FROM audit_entry`)
}

// stale has everybody's last proof lie further back than acts want.
func stale(t *testing.T, h *hubtest.Hub) {
	t.Helper()
	h.Exec(t, `UPDATE oauth_session SET proved_at = now() - interval '16 minutes' WHERE proved_at > now() - interval '16 minutes'`)
}
