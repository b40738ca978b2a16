package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"handover/client"
	"handover/client/profile"
	"handover/internal/hubtest"
	"handover/internal/ids"
	"handover/keys"
	"handover/keys/jose"
)

// hubsName is content that the hub opens and seals for an agency whose keys it holds.
const hubsName = "Ottoline-Featherquill-5820"

// heldByHub is an agency whose keys the hub holds, in the name of one of its people.
type heldByHub struct {
	id    string
	http  *http.Client
	key   jose.PrivateKey // of her session's proofs
	token string          // as it was last sent
	nonce string          // as it was last given
}

// RoundTrip passes a request on and keeps the token and the nonce that go by.
func (p *heldByHub) RoundTrip(r *http.Request) (*http.Response, error) {
	a, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	var scheme, token string
	if n, _ := fmt.Sscan(r.Header.Get("Authorization"), &scheme, &token); n == 2 {
		p.token = token
	}
	if nonce := a.Header.Get("DPoP-Nonce"); nonce != "" {
		p.nonce = nonce
	}
	return a, nil
}

// takeIn enrols an agency with a system of its own, and then has the hub hold its keys:
// behind the hub's back, since an agency without keys has no system yet through which a
// person of it could act. She signs in and lets that system act for her.
func (h *victim) takeIn(t *testing.T, r running, id string) *heldByHub {
	t.Helper()
	ctx := t.Context()
	p := &heldByHub{id: id}
	p.http = &http.Client{Transport: p, Timeout: time.Minute}
	r.operator(t, "partner", "add", id, "--name", "Sample agency", "--category", "housing", "--area", "E09000007")
	own, err := profile.Create(ctx, t.TempDir(), profile.Options{HTTP: p.http})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := own.Enrol(ctx, r.Issuer, r.operator(t, "invite", id)); err != nil {
		t.Fatal(err)
	}
	h.change(t, `UPDATE partner SET status = 'invited' WHERE id = $1`, id)
	r.operator(t, "partner", "manage", id)

	session := signedIn(t, r, own, id, "caseworker", "referrals:send", "referrals:receive", "consents:write", "consents:override")
	acting, err := own.PersonClient(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := acting.Services(ctx, "housing", "E09000007"); err != nil { // and so sends her token
		t.Fatal(err)
	}
	p.key = session.Key
	return p
}

// signedIn adds somebody to the agency who signs in and lets its system act for her.
func signedIn(t *testing.T, r running, own *profile.Profile, id, role string, scopes ...string) client.Session {
	t.Helper()
	ctx := t.Context()
	link := codeOf(r.operator(t, "user", "add", id, "--name", "Ada Example", "--role", role))
	her := hubtest.NewBrowser(r.Issuer, overHTTP(t, http.DefaultTransport))
	if joined, in := her.Join(t, link), her.SignIn(t); joined.Status != http.StatusOK || in.Status != http.StatusOK {
		t.Fatalf("she cannot sign in: %s, %s", joined.Body, in.Body)
	}
	system, err := own.Client()
	if err != nil {
		t.Fatal(err)
	}
	begun, err := system.BeginSignIn(ctx, "http://127.0.0.1:4711/callback", scopes...)
	if err != nil {
		t.Fatal(err)
	}
	asked, err := url.Parse(begun.Address())
	if err != nil {
		t.Fatal(err)
	}
	if page := her.Get(t, asked.RequestURI()); page.Status != http.StatusOK {
		t.Fatalf("the permission page: %d %s", page.Status, page.Body)
	}
	said := her.Form(t, "/oauth/authorize", url.Values{"client_id": asked.Query()["client_id"], "request_uri": asked.Query()["request_uri"], "answer": {"allow"}})
	back, err := url.Parse(said.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	session, err := begun.Finish(ctx, back.Query())
	if err == nil {
		err = own.KeepSession(ctx, session)
	}
	if err != nil {
		t.Fatal(err)
	}
	return session
}

// change changes the database as its owner.
func (h *victim) change(t *testing.T, sql string, args ...any) {
	t.Helper()
	conn := h.connect(t)
	defer conn.Close(context.WithoutCancel(t.Context()))
	if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

func (h *victim) connect(t *testing.T) *pgx.Conn {
	t.Helper()
	address, err := os.ReadFile(filepath.Join(h.dir, "database.url"))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), string(address))
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// post posts v in her name, which must be answered with status, and returns the answer.
func (p *heldByHub) post(t *testing.T, address string, v any, status int) []byte {
	t.Helper()
	body, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(p.token))
	claims, err := json.Marshal(map[string]any{"jti": rand.Text(), "htm": "POST", "htu": address, "iat": time.Now().Unix(),
		"ath": base64.RawURLEncoding.EncodeToString(sum[:]), "nonce": p.nonce})
	if err != nil {
		t.Fatal(err)
	}
	proof, err := jose.SignProof(claims, p.key)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "DPoP "+p.token)
	r.Header.Set("DPoP", proof)
	a, err := p.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	answer, err := io.ReadAll(a.Body)
	if err != nil || a.StatusCode != status {
		t.Fatalf("POST %s: %d %s, %v", address, a.StatusCode, answer, err)
	}
	return answer
}

// passOnByTheHub has an agency refer somebody to the one whose keys the hub holds; the hub
// opens what was sealed, and seals and signs the answer, for its person, who is returned.
func (h *victim) passOnByTheHub(t *testing.T, r running) *heldByHub {
	t.Helper()
	ctx := t.Context()
	p := h.takeIn(t, r, "memory-managed")
	outreach := r.join(t, "memory-sender", "borough-outreach")
	r.operator(t, "agreement", "add", "memory-sender", p.id, "--purpose", "housing", "--section", "need,note", "--both-ways")
	service := r.operator(t, "service", "add", p.id, "Homes", "--purpose", "housing", "--area", "E09000007")
	consent, err := outreach.RecordConsent(ctx, client.Consent{How: client.Circumstances{Alone: "yes", Coercion: "none", Interpreter: "none", Language: "en", Capacity: "presumed"},
		Bases: []client.Basis{{Article6: "a", Article9: "a"}}, Purpose: "housing", Method: "verbal-in-person",
		Recipients: []string{p.id, "memory-sender"}, Sections: []string{"need", "note"},
		Notice: client.Notice{Version: "1", Digest: ids.Digest("notice"), Language: "en"}})
	if err != nil {
		t.Fatal(err)
	}
	sent, err := outreach.Send(ctx, client.Request{To: p.id, Consent: consent.ID, Service: service, Area: "E09000007",
		Purpose: "housing", Urgency: "urgent", Sections: map[string]client.Content{"need": client.Content(fmt.Sprintf(`{"summary":%q}`, hubsName))}})
	if err != nil {
		t.Fatal(err)
	}
	at := h.issuer + "/v1/managed/referrals/" + sent.Referral
	opened := p.post(t, at+"/open", map[string]any{"sections": []string{"need"}, "reason": "triage"}, http.StatusOK)
	if !bytes.Contains(opened, []byte(hubsName)) {
		t.Fatalf("nothing was opened: %s", opened)
	}
	p.post(t, at+"/events", map[string]any{"jti": uuid.Must(uuid.NewV7()).String(), "event": "accept", "prev": sent.Referral,
		"consent": consent.ID, "sections": map[string]any{"note": map[string]any{"text": hubsName}}}, http.StatusCreated)
	return p
}

// heldKeys are the private encryption keys that the hub holds for agencies. They and what
// they open are overwritten where they can be reached, and told of where they cannot.
func (h *victim) heldKeys(t *testing.T) (all []needle) {
	t.Helper()
	store, err := keys.OpenLocal(filepath.Join(h.dir, "keys"), keys.RootFile(filepath.Join(h.dir, "root.key")))
	if err != nil {
		t.Fatal(err)
	}
	conn := h.connect(t)
	defer conn.Close(context.WithoutCancel(t.Context()))
	rows, err := conn.Query(t.Context(), `SELECT partner, kid, use, version, wrapped FROM managed_key`)
	if err != nil {
		t.Fatal(err)
	}
	var partner, kid, use, wrapped string
	var version int
	_, err = pgx.ForEachRow(rows, []any{&partner, &kid, &use, &version, &wrapped}, func() error {
		jwk, err := store.Unwrap(t.Context(), wrapped, fmt.Appendf(nil, "handover managed key v1\n%s\n%s\n%s\n%d", partner, kid, use, version))
		if err != nil {
			return err
		}
		var key struct{ D string }
		if err := json.Unmarshal(jwk, &key); err != nil {
			return err
		}
		d, err := base64.RawURLEncoding.DecodeString(key.D)
		all = append(all, spellings(told+"the encryption key held for "+partner, d)...)
		return err
	})
	if err != nil || len(all) == 0 {
		t.Fatalf("%d keys: %v", len(all), err)
	}
	return all
}
