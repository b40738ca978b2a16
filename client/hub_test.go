package client_test

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"handover/audit/proof"
	"handover/client"
	"handover/consent/record"
	"handover/internal/ids"
	"handover/keys/jose"
	"handover/referral/packet"
)

// fakeHub answers as a hub does, decides nothing, and can be told to lie. What it
// keeps is in memory; its log is a real one.
type fakeHub struct {
	t      testing.TB
	issuer string
	mu     sync.Mutex
	log    *fakeLog

	keys      map[string][]client.Key  // by partner
	changes   map[string][]fakeChange  // of their keys
	consents  map[string]fakeConsent   // by id
	referrals map[string]*fakeReferral // by id
	order     []string                 // referral ids, oldest first
	tokens    int                      // issued so far
	private   map[string]client.Keys   // of the members, for making their clients anew

	// before may answer a request in the hub's place.
	before func(w http.ResponseWriter, r *http.Request) bool
	// twist may change the body of an answer.
	twist func(r *http.Request, body []byte) []byte
}

type fakeConsent struct {
	token, issuer, withdrawal string
	receipt                   proof.Receipt
}

type fakeReferral struct {
	sender, recipient string
	steps             []map[string]any
	packets           map[string]packet.Packet // by envelope digest
	claims            []packet.Claims
	state             string
}

const fakeIssuer = "https://hub.example"

func newHub(t testing.TB) *fakeHub {
	return &fakeHub{t: t, issuer: fakeIssuer, log: newLog(t, "hub.example/v1/log"), keys: map[string][]client.Key{}, changes: map[string][]fakeChange{},
		consents: map[string]fakeConsent{}, private: map[string]client.Keys{}, referrals: map[string]*fakeReferral{}}
}

// HTTP is a client whose every connection ends in the fake.
func (h *fakeHub) HTTP() *http.Client { return &http.Client{Transport: h} }

// RoundTrip is http.RoundTripper's.
func (h *fakeHub) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	if h.before == nil || !h.before(w, r) {
		h.serve(w, r)
	}
	answer := w.Result()
	if h.twist != nil {
		body, _ := io.ReadAll(answer.Body)
		answer.Body = io.NopCloser(strings.NewReader(string(h.twist(r, body))))
	}
	answer.Request = r
	return answer, nil
}

func (h *fakeHub) serve(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/oauth-authorization-server", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, 200, map[string]any{"issuer": h.issuer, "token_endpoint": h.issuer + "/oauth/token"})
	})
	mux.HandleFunc("GET /v1/log/key", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, h.log.key.String()+"\n") })
	mux.HandleFunc("GET /v1/log/checkpoint", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(h.log.checkpoint(h.log.size)) })
	mux.HandleFunc("GET /v1/consents/{id}/holders", func(w http.ResponseWriter, _ *http.Request) { refuse(w, 404, "consent-not-found") })
	mux.HandleFunc("GET /v1/log/entries", h.entries)
	mux.HandleFunc("GET /v1/log/proof", h.proof)
	mux.HandleFunc("POST /oauth/token", h.token)
	mux.HandleFunc("POST /v1/enrol", h.enrol)
	mux.HandleFunc("GET /v1/partners", h.directory)
	mux.HandleFunc("GET /v1/partners/{id}", h.partner)
	mux.HandleFunc("GET /v1/partners/{id}/keys", h.keyHistory)
	mux.HandleFunc("POST /v1/consents", h.consent)
	mux.HandleFunc("GET /v1/consents/{id}", h.readConsent)
	mux.HandleFunc("POST /v1/consents/{id}/withdraw", h.withdraw)
	mux.HandleFunc("POST /v1/referrals", h.packet)
	mux.HandleFunc("POST /v1/referrals/{id}/events", h.packet)
	mux.HandleFunc("GET /v1/referrals/{id}/events", h.history)
	mux.HandleFunc("GET /v1/referrals/{id}", h.read)
	mux.HandleFunc("GET /v1/referrals", h.list)
	mux.HandleFunc("GET /v1/inbox", h.list)
	mux.HandleFunc("POST /v1/referrals/{id}/open", h.open)
	mux.ServeHTTP(w, r)
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// refuse answers with a problem.
func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"type": fakeIssuer + "/problems/" + code, "title": "Refused.",
		"status": status, "code": code, "party": "sender", "retry": status >= 500, "section": "health"})
}

// token answers any client whose assertion and proof have the right shape.
func (h *fakeHub) token(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	signed, err := jose.ParseSigned(r.Form.Get("client_assertion"), 4<<10, "client-authentication+jwt")
	var c struct{ Sub, Aud string }
	if err != nil || json.Unmarshal(signed.UnverifiedPayload(), &c) != nil || c.Aud != h.issuer {
		answer(w, 401, map[string]any{"error": "invalid_client", "error_description": "Check the client."})
		return
	}
	if _, _, err := jose.VerifyProof(r.Header.Get("DPoP"), 4<<10); err != nil {
		answer(w, 400, map[string]any{"error": "invalid_dpop_proof"})
		return
	}
	h.tokens++
	partner, _, _ := strings.Cut(c.Sub, ".")
	answer(w, 200, map[string]any{"access_token": partner + "~" + rand.Text(), "token_type": "DPoP",
		"expires_in": 600, "scope": "referrals:send referrals:receive"})
}

// caller is the partner of a request, by a token that goes with a proof of it.
func caller(r *http.Request) string {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "DPoP ")
	payload, _, err := jose.VerifyProof(r.Header.Get("DPoP"), 4<<10)
	var c struct{ Htm, Htu, Ath string }
	if !ok || err != nil || json.Unmarshal(payload, &c) != nil {
		return ""
	}
	sum := sha256.Sum256([]byte(token))
	address := "https://" + r.URL.Host + r.URL.EscapedPath()
	if c.Htm != r.Method || c.Htu != address || c.Ath != base64.RawURLEncoding.EncodeToString(sum[:]) {
		return ""
	}
	partner, _, _ := strings.Cut(token, "~")
	return partner
}

// enrol takes the code as the partner's id.
func (h *fakeHub) enrol(w http.ResponseWriter, r *http.Request) {
	var body struct{ Code, Enrolment string }
	_ = json.NewDecoder(r.Body).Decode(&body)
	signed, err := jose.ParseSigned(body.Enrolment, 8<<10, "handover-enrolment+jwt")
	var e struct {
		Keys map[string]jose.PublicKey `json:"keys"`
	}
	if err == nil {
		err = json.Unmarshal(signed.UnverifiedPayload(), &e)
	}
	if _, verify := signed.Verify(e.Keys["signing"]); err != nil || verify != nil {
		refuse(w, 422, "enrolment-invalid")
		return
	}
	by := e.Keys["signing"].KeyID()
	h.addKey(body.Code, e.Keys["signing"], client.Signing, proof.SelfSigned, by, body.Enrolment)
	h.addKey(body.Code, e.Keys["encryption"], client.Encryption, proof.Countersigned, by, body.Enrolment)
	h.addKey(body.Code, e.Keys["authentication"], client.Authentication, proof.Registered, "", "")
	answer(w, 201, map[string]any{"partner": body.Code, "client_id": body.Code + ".abcde",
		"scopes": []string{"referrals:send"}, "issuer": h.issuer})
}

func (h *fakeHub) consistency(w http.ResponseWriter, r *http.Request) {
	older, _ := strconv.ParseInt(r.URL.Query().Get("old"), 10, 64)
	size, _ := strconv.ParseInt(r.URL.Query().Get("new"), 10, 64)
	if size > h.log.size || caller(r) == "" {
		refuse(w, 404, "log-entry-not-found")
		return
	}
	hashes, err := tlog.ProveTree(size, older, h.log)
	if err != nil {
		refuse(w, 404, "log-entry-not-found")
		return
	}
	_, _ = w.Write(proof.FormatConsistency(older, hashes, h.log.checkpoint(size)))
}

func (h *fakeHub) directory(w http.ResponseWriter, _ *http.Request) {
	found := []client.Partner{}
	for id := range h.keys {
		found = append(found, client.Partner{ID: id, Category: "vawg-service"})
	}
	slices.SortFunc(found, func(a, b client.Partner) int { return strings.Compare(a.ID, b.ID) })
	answer(w, 200, map[string]any{"partners": found})
}

func (h *fakeHub) partner(w http.ResponseWriter, r *http.Request) {
	if h.keys[r.PathValue("id")] == nil {
		refuse(w, 404, "not-found")
		return
	}
	answer(w, 200, client.Partner{ID: r.PathValue("id"), Category: "vawg-service", Status: "active"})
}

func (h *fakeHub) consent(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	stated, posted, err := record.ReadPosted(body)
	if err != nil || caller(r) == "" {
		refuse(w, 422, "consent-malformed")
		return
	}
	c := stated.Unverified()
	receipt := h.log.add(proof.Entry{Act: "consent.record", Partner: caller(r), Consent: c.ID, Digest: stated.Digest(), State: c.Agreement, Target: c.Supersedes})
	h.consents[c.ID] = fakeConsent{token: posted.Record, issuer: c.Issuer, receipt: receipt}
	answer(w, 201, receipt)
}

func (h *fakeHub) readConsent(w http.ResponseWriter, r *http.Request) {
	c, ok := h.consents[r.PathValue("id")]
	if !ok {
		refuse(w, 404, "consent-not-found")
		return
	}
	state := "agreed"
	if c.withdrawal != "" {
		state = "withdrawn"
	}
	answer(w, 200, map[string]any{"id": r.PathValue("id"), "record": c.token, "digest": ids.Digest(c.token),
		"state": state, "recorded_at": time.Now(), "withdrawal": c.withdrawal, "receipt": c.receipt})
}

func (h *fakeHub) withdraw(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c := h.consents[r.PathValue("id")]
	c.withdrawal = string(body)
	c.receipt = h.log.add(proof.Entry{Act: "consent.withdraw", Partner: caller(r), Consent: r.PathValue("id"),
		Digest: ids.Digest(string(body)), State: "withdrawn"})
	h.consents[r.PathValue("id")] = c
	answer(w, 201, c.receipt)
}

// fakeLog is a log in memory.
type fakeLog struct {
	key    proof.LogKey
	signer note.Signer
	hashes []tlog.Hash
	size   int64

	cosigners []note.Signer // the witnesses that are up

	entries []proof.ExportEntry // as an export shows them
	all     []proof.Receipt     // of every entry
}

func newLog(_ testing.TB, origin string) *fakeLog {
	private, public, err := note.GenerateKey(rand.Reader, origin)
	must(err)
	signer, err := note.NewSigner(private)
	must(err)
	key, err := proof.ParseLogKey(public)
	must(err)
	return &fakeLog{key: key, signer: signer}
}

// add appends an entry and returns its receipt.
func (l *fakeLog) add(e proof.Entry) proof.Receipt {
	body, salt := l.append(e)
	path, err := tlog.ProveRecord(l.size, l.size-1, l)
	must(err)
	receipt, _, err := proof.NewReceipt(body, salt, proof.FormatProof(proof.Inclusion{Index: l.size - 1, Hashes: path, Checkpoint: l.checkpoint(l.size)}))
	must(err)
	l.all = append(l.all, receipt)
	return receipt
}

// append appends an entry.
func (l *fakeLog) append(e proof.Entry) (body []byte, salt [32]byte) {
	id, _ := uuid.NewV7()
	e.V, e.ID = proof.Version, id.String()
	if e.Time.IsZero() {
		e.Time = now()
	}
	body, err := e.Bytes()
	must(err)
	_, _ = rand.Read(salt[:])
	added, err := tlog.StoredHashes(l.size, proof.Leaf(salt, body), l)
	must(err)
	l.hashes = append(l.hashes, added...)
	l.entries = append(l.entries, proof.ExportEntry{Index: l.size, Body: body, Salt: salt[:]})
	l.size++
	return body, salt
}

// ReadHashes is tlog.HashReader's.
func (l *fakeLog) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var found []tlog.Hash
	for _, i := range indexes {
		found = append(found, l.hashes[i])
	}
	return found, nil
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
