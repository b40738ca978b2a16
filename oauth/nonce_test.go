package oauth

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestWithoutANonceNobodyIsServed: at the token endpoint and at the API a proof needs the
// nonce that the refusal brings, and a client that keeps asking never meets another one.
func TestWithoutANonceNobodyIsServed(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	a := h.enrol("camden-outreach")
	k := h.ask(a)
	k.proof = k.proof.but("nonce", nil)
	w := h.do(k.request(t))
	if got := answerOf(t, w); w.Code != http.StatusBadRequest || got.Error != "use_dpop_nonce" || w.Header().Get("DPoP-Nonce") == "" {
		t.Fatalf("%d %s, nonce %q", w.Code, w.Body, w.Header().Get("DPoP-Nonce"))
	}
	again := h.ask(a)
	again.assertion = k.assertion // the errand has not used it up
	again.form = k.form
	again.proof = again.proof.but("nonce", w.Header().Get("DPoP-Nonce"))
	w = h.do(again.request(t))
	if w.Code != http.StatusOK || w.Header().Get("DPoP-Nonce") != "" {
		t.Fatalf("%d %s, nonce %q: want a token, and no other nonce yet", w.Code, w.Body, w.Header().Get("DPoP-Nonce"))
	}
	token := answerOf(t, w).Token
	c := h.call(a, token)
	c.proof = c.proof.but("nonce", "x")
	w = h.do(c.request(t))
	nonce := w.Header().Get("DPoP-Nonce")
	if w.Code != http.StatusUnauthorized || !strings.Contains(w.Header().Get("WWW-Authenticate"), `error="use_dpop_nonce"`) || nonce == "" {
		t.Fatalf("%d %q, nonce %q", w.Code, w.Header().Get("WWW-Authenticate"), nonce)
	}
	h.clock.advance(nonceWindow)
	c = h.call(a, token)
	c.proof = c.proof.but("nonce", nonce)
	w = h.do(c.request(t))
	if next := w.Header().Get("DPoP-Nonce"); w.Code != http.StatusOK || next == "" || next == nonce {
		t.Fatalf("with the nonce before: %d, given %q", w.Code, next)
	}
	h.clock.advance(nonceWindow)
	c = h.call(a, token)
	c.proof = c.proof.but("nonce", nonce)
	if w = h.do(c.request(t)); w.Code != http.StatusUnauthorized {
		t.Errorf("with a nonce from long ago: %d", w.Code)
	}
	if len(h.counts) != 0 || len(h.refused) != 0 {
		t.Errorf("asking for a nonce is put down as refused: %v %v", h.counts, h.refused)
	}
}

// TestHubsTakeEachOthersNonces, also those that begin at the same moment.
func TestHubsTakeEachOthersNonces(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	first := h.nonce()
	another := &nonces{store: NewStore(h.db.Hub), keys: h.keys, now: func() time.Time { return h.clock.now().Add(-nonceWindow) }}
	set, err := another.set(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if ok, _ := set.takes(first); !ok {
		t.Error("a hub whose clock is behind refuses what the other gives")
	}
	h.exec(`DELETE FROM oauth_secret`)
	made := make(chan []byte, 8)
	for range cap(made) {
		go func() {
			n := &nonces{store: NewStore(h.db.Hub), keys: h.keys, now: h.clock.now}
			secret, _ := n.secret(t.Context())
			made <- secret
		}()
	}
	one := <-made
	for range cap(made) - 1 {
		if secret := <-made; len(secret) != 32 || !bytes.Equal(secret, one) {
			t.Errorf("two hubs that begin together have %x and %x", one, secret)
		}
	}
	if n := h.number(`SELECT count(*) FROM oauth_secret WHERE wrapped LIKE 'local:v1:%'`); n != 1 {
		t.Error("the secret is not wrapped")
	}
}
