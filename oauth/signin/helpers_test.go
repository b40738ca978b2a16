package signin_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"handover/audit/proof"
	"handover/internal/fault"
	"handover/internal/hubtest"
	"handover/partners"
)

// scene is a hub with one agency that takes part.
func scene(t *testing.T) (*hubtest.Hub, *hubtest.Agency) {
	t.Helper()
	h := hubtest.New(t)
	return h, h.Agency(t, "larkfield-housing", partners.Housing)
}

const (
	signInPath  = "/sign-in/passkey"
	joinPath    = "/sign-in/join"
	stepUpPath  = "/sign-in/step-up"
	addPath     = "/sign-in/passkeys"
	sessionName = "__Host-session"
)

// assertion is a right answer to a new challenge, for a test to spoil.
func assertion(t *testing.T, b *hubtest.Browser) map[string]any {
	t.Helper()
	return b.Device.Get(b.Options(t, signInPath, struct{}{}), nil)
}

func signIn(t *testing.T, b *hubtest.Browser, credential map[string]any) hubtest.Answer {
	t.Helper()
	return b.Post(t, signInPath, map[string]any{"credential": credential})
}

// want fails the test unless the answer is the refusal with that code.
func want(t *testing.T, a hubtest.Answer, status int, code, doing string) {
	t.Helper()
	if a.Status != status || a.Problem().Code != code {
		t.Errorf("%s: %d %s, want %d %s", doing, a.Status, a.Body, status, code)
	}
}

// elsewhere is another browser on the same device.
func elsewhere(h *hubtest.Hub, b *hubtest.Browser) *hubtest.Browser {
	other := h.Browser()
	other.Device = b.Device
	return other
}

// sameCookies is another browser to which the cookies of b were carried.
func sameCookies(h *hubtest.Hub, b *hubtest.Browser) *hubtest.Browser {
	other := elsewhere(h, b)
	for name, c := range b.Cookies {
		other.Cookies[name] = &http.Cookie{Name: c.Name, Value: c.Value}
	}
	return other
}

// lastRefusal is the newest refusal in the log.
func lastRefusal(t *testing.T, h *hubtest.Hub) proof.Entry {
	t.Helper()
	var last proof.Entry
	for _, e := range h.Entries(t, 0) {
		if e.Act == "refused" {
			last = e
		}
	}
	return last
}

// change decodes a member of the answer's response, lets change have it and puts it back.
func change(t *testing.T, credential map[string]any, member string, change func([]byte) []byte) map[string]any {
	t.Helper()
	response := credential["response"].(map[string]any)
	raw, err := base64.RawURLEncoding.DecodeString(response[member].(string))
	if err != nil {
		t.Fatal(err)
	}
	response[member] = base64.RawURLEncoding.EncodeToString(change(raw))
	return credential
}

// recovering makes a link for u that recovers, as an administrator's would, and says that
// by made it.
func recovering(t *testing.T, h *hubtest.Hub, u partners.User, by string) string {
	t.Helper()
	code, err := h.Operator.Reissue(t.Context(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	h.Exec(t, `UPDATE user_link SET recovers = true WHERE user_id = $1 AND used_at IS NULL`, u.ID)
	if by != "" {
		for _, id := range hubtest.Column[string](t, h, `SELECT id::text FROM audit_entry WHERE act = 'user.signin' AND partner = $1`, string(u.Partner)) {
			body := hubtest.Value[[]byte](t, h, `SELECT body FROM audit_entry WHERE id = $1`, id)
			if e, err := proof.ParseEntry(body); err == nil && e.User == by {
				h.Exec(t, `UPDATE user_link SET log_entry = $2 WHERE user_id = $1 AND used_at IS NULL`, u.ID, id)
			}
		}
	}
	return code
}

// counted waits until a refusal of a stranger is counted: that is done now and then.
func counted(t *testing.T, h *hubtest.Hub, reason string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !slices.Contains(hubtest.Column[string](t, h, `SELECT code FROM audit_anonymous`), reason); {
		if time.Sleep(50 * time.Millisecond); time.Now().After(end) {
			t.Fatalf("not counted: %s", reason)
		}
	}
}

func decoded(t *testing.T, a hubtest.Answer) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(a.Body, &v); err != nil {
		t.Fatalf("%d %s: %v", a.Status, a.Body, err)
	}
	return v
}

var c64 = base64.RawURLEncoding.EncodeToString

// assertionID is the id of the newest passkey of a browser's device.
func assertionID(b *hubtest.Browser) string { return c64(b.Device.Keys[len(b.Device.Keys)-1].ID) }

func isFault(err error, f *fault.Fault) bool { return errors.Is(err, f) }

func jsonBody(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
