package notify_test

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"handover/internal/hubtest"
	"handover/notify"
	"handover/partners"
)

// post is a message as a receiver got it.
type post struct {
	Header http.Header
	Body   string
}

func (p post) id() string { return p.Header.Get("Webhook-Id") }

// data is what the message says.
func (p post) data(t *testing.T) (m map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(p.Body), &m); err != nil {
		t.Fatalf("%v: %s", err, p.Body)
	}
	return m
}

// receiver is an agency's own server. answer may be changed while it serves.
type receiver struct {
	URL string

	mu     sync.Mutex
	posts  []post
	answer http.HandlerFunc
}

// receive starts a server that takes every message.
func receive(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{answer: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		r.mu.Lock()
		r.posts = append(r.posts, post{q.Header.Clone(), string(body)})
		answer := r.answer
		r.mu.Unlock()
		answer(w, q)
	}))
	t.Cleanup(server.Close)
	r.URL = strings.Replace(server.URL, "127.0.0.1", "localhost", 1) + "/hooks?for=handover"
	return r
}

func (r *receiver) answers(how http.HandlerFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = how
}

// status has it answer with a status.
func (r *receiver) status(code int) {
	r.answers(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
}

// got is all that has come, oldest first.
func (r *receiver) got() []post {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.posts)
}

// hub is one whose webhooks reach this machine.
func hub(t *testing.T) *hubtest.Hub {
	t.Helper()
	h := hubtest.Reaching(t, notify.Reach{Local: true, Patience: 2 * time.Second})
	h.ReconcilesAtEnd(t)
	return h
}

// made is a webhook at the time that it was made.
type made struct {
	notify.Webhook
	Secret string `json:"secret"`
}

// add adds a webhook, as an administrator.
func add(t *testing.T, admin *hubtest.Person, url string, events ...notify.Event) (w made) {
	t.Helper()
	body := map[string]any{"url": url}
	if len(events) > 0 {
		body["events"] = events
	}
	admin.Post(t, "/v1/webhooks", body).Into(t, http.StatusCreated, &w)
	return w
}

// round has everything sequenced that was logged, and the hub tell what is due.
func round(t *testing.T, h *hubtest.Hub) {
	t.Helper()
	settle(t, h)
	if err := h.Webhooks.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// settle waits until each entry has its place.
func settle(t *testing.T, h *hubtest.Hub) {
	t.Helper()
	h.Log.Kick()
	for began := time.Now(); hubtest.Value[bool](t, h, `SELECT EXISTS (SELECT FROM audit_pending)`); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			t.Fatal("entries wait for their place")
		}
	}
}

// deliveries lists those of a webhook, newest first.
func deliveries(t *testing.T, admin *hubtest.Person, id string) []notify.Delivery {
	t.Helper()
	var all struct{ Deliveries []notify.Delivery }
	admin.Get(t, "/v1/webhooks/"+id+"/deliveries").Into(t, http.StatusOK, &all)
	return all.Deliveries
}

// shown is one webhook as its administrator reads it.
func shown(t *testing.T, admin *hubtest.Person, id string) (w notify.Webhook) {
	t.Helper()
	admin.Get(t, "/v1/webhooks/"+id).Into(t, http.StatusOK, &w)
	return w
}

// key is the hub's public key of webhooks.
func key(t *testing.T, h *hubtest.Hub) string {
	t.Helper()
	var all struct{ Keys []notify.SigningKey }
	r := httptest.NewRequest(http.MethodGet, hubtest.Issuer+"/v1/hub/webhook-keys", nil)
	h.Do(r).Into(t, http.StatusOK, &all)
	return all.Keys[0].Public
}

// holds reports whether a message is signed under the secret, and by the key.
func (p post) holds(secret, key string) (v1, v1a bool) {
	raw := func(s, prefix string) []byte {
		b, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(s, prefix))
		return b
	}
	content := []byte(p.id() + "." + p.Header.Get("Webhook-Timestamp") + "." + p.Body)
	mac := hmac.New(sha256.New, raw(secret, "whsec_"))
	mac.Write(content)
	for s := range strings.FieldsSeq(p.Header.Get("Webhook-Signature")) {
		v1 = v1 || strings.HasPrefix(s, "v1,") && hmac.Equal(raw(s, "v1,"), mac.Sum(nil))
		v1a = v1a || strings.HasPrefix(s, "v1a,") && ed25519.Verify(raw(key, "whpk_"), content, raw(s, "v1a,"))
	}
	return v1, v1a
}

// administrator of an agency.
func administrator(t *testing.T, h *hubtest.Hub, of partners.ID) *hubtest.Person {
	t.Helper()
	return h.Person(t, of, partners.Administrator)
}
