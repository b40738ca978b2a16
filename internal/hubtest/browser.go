package hubtest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"handover/partners"
)

// Browser is a person's browser at a hub: its cookies, and the device's passkeys. It sends
// what a browser sends from the hub's own pages.
type Browser struct {
	Cookies map[string]*http.Cookie
	Device  *Authenticator
	Agent   string

	issuer string
	send   func(*http.Request) Answer
}

// Browser opens one, with a device of its own.
func (h *Hub) Browser() *Browser { return NewBrowser(h.issuer, h.Do) }

// NewBrowser opens one at the hub of that address, to which send sends.
func NewBrowser(issuer string, send func(*http.Request) Answer) *Browser {
	u := must(url.Parse(issuer))
	return &Browser{issuer: issuer, send: send, Cookies: map[string]*http.Cookie{}, Device: NewAuthenticator(u.Hostname(), issuer),
		Agent: "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36"}
}

// Employed adds a person to a partner, and returns her with the code of her one-time link.
func (h *Hub) Employed(t testing.TB, at partners.ID, name string, role partners.Role) (partners.User, string) {
	t.Helper()
	u, code, err := h.Operator.Employ(t.Context(), at, name, role)
	if err != nil {
		t.Fatal(err)
	}
	return u, code
}

// Joined is somebody of a partner who has joined, in the browser in which she is signed in.
func (h *Hub) Joined(t testing.TB, at partners.ID, name string, role partners.Role) (partners.User, *Browser) {
	t.Helper()
	u, code := h.Employed(t, at, name, role)
	b := h.Browser()
	if a := b.Join(t, code); a.Status != http.StatusOK {
		t.Fatalf("joining: %d %s", a.Status, a.Body)
	}
	return u, b
}

// Request is one as the browser sends it from a page of the hub.
func (b *Browser) Request(t testing.TB, method, path, mediaType string, body []byte) *http.Request {
	t.Helper()
	r := httptest.NewRequest(method, b.issuer+path, bytes.NewReader(body)).WithContext(t.Context())
	if method != http.MethodGet {
		r.Header.Set("Content-Type", mediaType)
		r.Header.Set("Origin", b.issuer)
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("User-Agent", b.Agent)
	for _, c := range b.Cookies {
		r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	return r
}

// Send sends a request and keeps the cookies that come back.
func (b *Browser) Send(r *http.Request) Answer {
	a := b.send(r)
	for _, c := range (&http.Response{Header: a.Header}).Cookies() {
		b.Cookies[c.Name] = c
		if c.MaxAge < 0 {
			delete(b.Cookies, c.Name)
		}
	}
	return a
}

// Get opens a page.
func (b *Browser) Get(t testing.TB, path string) Answer {
	t.Helper()
	return b.Send(b.Request(t, http.MethodGet, path, "", nil))
}

// Form posts a form of a page.
func (b *Browser) Form(t testing.TB, path string, fields url.Values) Answer {
	t.Helper()
	return b.Send(b.Request(t, http.MethodPost, path, "application/x-www-form-urlencoded", []byte(fields.Encode())))
}

// Post posts JSON as the pages' script does.
func (b *Browser) Post(t testing.TB, path string, v any) Answer {
	t.Helper()
	return b.Send(b.Request(t, http.MethodPost, path, "application/json", must(json.Marshal(v))))
}

// Options asks for the options of a ceremony.
func (b *Browser) Options(t testing.TB, path string, v any) []byte {
	t.Helper()
	a := b.Post(t, path+"/options", v)
	var said struct {
		Options json.RawMessage `json:"options"`
	}
	if a.Status != http.StatusOK || json.Unmarshal(a.Body, &said) != nil {
		t.Fatalf("%s/options: %d %s", path, a.Status, a.Body)
	}
	return said.Options
}

// Join opens a one-time link and makes a passkey.
func (b *Browser) Join(t testing.TB, code string) Answer {
	t.Helper()
	const path = "/sign-in/join"
	options := b.Options(t, path, map[string]any{"code": code})
	return b.Post(t, path, map[string]any{"code": code, "credential": b.Device.Create(options)})
}

// SignIn signs in with the newest passkey of the device.
func (b *Browser) SignIn(t testing.TB) Answer {
	t.Helper()
	const path = "/sign-in/passkey"
	return b.Post(t, path, map[string]any{"credential": b.Device.Get(b.Options(t, path, struct{}{}), nil)})
}

// StepUp proves once more who she is.
func (b *Browser) StepUp(t testing.TB) Answer {
	t.Helper()
	const path = "/sign-in/step-up"
	return b.Post(t, path, map[string]any{"credential": b.Device.Get(b.Options(t, path, struct{}{}), nil)})
}

// SignedIn reports whether the account page opens.
func (b *Browser) SignedIn(t testing.TB) bool {
	t.Helper()
	a := b.Get(t, "/account")
	if a.Status != http.StatusOK && !(a.Status == http.StatusSeeOther && strings.HasPrefix(a.Header.Get("Location"), "/sign-in?")) {
		t.Fatalf("the account page: %d %s", a.Status, a.Body)
	}
	return a.Status == http.StatusOK
}
