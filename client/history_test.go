package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"handover/audit/proof"
	"handover/client"
	"handover/internal/ids"
	"handover/keys/jose"
)

func newKey(use string) jose.PrivateKey {
	alg := jose.ES256
	if use == client.Encryption {
		alg = jose.ECDHESA256KW
	}
	k, err := jose.Generate(alg, jose.P256)
	must(err)
	return k
}

// sign signs a statement about keys.
func sign(typ string, statement any, by jose.SigningKey) string {
	token, err := jose.Sign(typ, mustJSON(statement), by)
	must(err)
	return token
}

// statement is a rotation of a partner's key, before it is signed.
type statement struct {
	Hub        string         `json:"hub"`
	Partner    string         `json:"partner"`
	Use        string         `json:"use"`
	Key        jose.PublicKey `json:"jwk"`
	IssuedAt   int64          `json:"iat"`
	Retire     string         `json:"retire"`
	Possession string         `json:"possession,omitempty"`
}

func (h *fakeHub) rotation(partner, use string, key jose.PrivateKey) statement {
	s := statement{Hub: h.issuer, Partner: partner, Use: use, Key: key.Public(), IssuedAt: time.Now().Unix()}
	if use == client.Signing {
		s.Possession = sign("handover-possession+jwt", map[string]string{"hub": h.issuer, "partner": partner, "kid": key.KeyID()}, key.Signer())
	}
	return s
}

// brought adds a key to a partner's history, with a statement signed by a key.
func (h *fakeHub) brought(partner, use, introduced string, key jose.PrivateKey, by jose.SigningKey, change ...func(*statement)) {
	s := h.rotation(partner, use, key)
	for _, f := range change {
		f(&s)
	}
	h.addKey(partner, key.Public(), use, introduced, by.ID, sign("handover-key+jwt", s, by))
}

// broughtAt is brought of an encryption key, as of another time.
func (h *fakeHub) broughtAt(partner string, key jose.PrivateKey, by jose.SigningKey, at time.Time) {
	k := proof.KeyChange{Key: key.KeyID(), Use: client.Encryption, From: at, Until: at.Add(time.Hour), Introduced: proof.Countersigned, By: by.ID}
	h.changeAt(partner, proof.KeyAdded, sign("handover-key+jwt", h.rotation(partner, client.Encryption, key), by), k, at)
	h.keys[partner] = append(h.keys[partner], client.Key{PublicKey: key.Public(), Use: k.Use, NotBefore: k.From, NotAfter: k.Until})
}

// TestAChangeOfWhatAHubShowsOfKeysIsRefusedOrMeansTheSame changes one byte of an answer, or one
// field, of what a client asks for whom it knows and for whom it does not.
func TestAChangeOfWhatAHubShowsOfKeysIsRefusedOrMeansTheSame(t *testing.T) {
	p := newPair(t)
	old := p.hub.private["camden-outreach"]
	p.hub.brought("camden-outreach", client.Signing, proof.Countersigned, newKey(client.Signing), old.Signing)
	p.hub.brought("camden-outreach", client.Encryption, proof.Countersigned, newKey(client.Encryption), old.Signing)
	fresh := func() *client.Client {
		p.forget(t)
		return p.to
	}
	want, err := fresh().Keys(t.Context(), "camden-outreach")
	must(err)
	var pages [][]byte
	p.hub.twist = func(r *http.Request, body []byte) []byte {
		if strings.HasSuffix(r.URL.Path, "/keys") {
			pages = append(pages, bytes.Clone(body))
		}
		return body
	}
	_, err = fresh().Keys(t.Context(), "camden-outreach")
	must(err)
	if len(pages) != 3 {
		t.Fatalf("%d pages", len(pages))
	}
	refused := 0
	judge := func(t interface {
		Fatalf(string, ...any)
		Context() context.Context
	}, page int, changed []byte) {
		p.hub.twist = func(r *http.Request, body []byte) []byte {
			if strings.HasSuffix(r.URL.Path, "/keys") && bytes.Equal(bytes.TrimSpace(body), bytes.TrimSpace(pages[page])) {
				return changed
			}
			return body
		}
		got, err := fresh().Keys(t.Context(), "camden-outreach")
		if err != nil {
			refused++
		} else if !reflect.DeepEqual(got, want) {
			t.Fatalf("page %d is taken with another meaning:\n%s", page, changed)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		page := rapid.IntRange(0, len(pages)-1).Draw(t, "page")
		changed := bytes.Clone(pages[page])
		changed[rapid.IntRange(0, len(changed)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
		judge(t, page, changed)
	})
	for page := range pages {
		var m map[string]any
		must(json.Unmarshal(pages[page], &m))
		eachField(m, func() { judge(t, page, mustJSON(m)) })
	}
	if refused < 60 {
		t.Errorf("only %d changes were refused", refused)
	}
}

// eachField takes out and changes each member and element below v in turn.
func eachField(v any, changed func()) {
	switch held := v.(type) {
	case map[string]any:
		for name, was := range held {
			delete(held, name)
			changed()
			for _, other := range []any{"x", float64(1), nil, []any{}} {
				held[name] = other
				changed()
			}
			held[name] = was
			eachField(was, changed)
		}
	case []any:
		for i, was := range held {
			held[i] = held[(i+1)%len(held)]
			changed()
			held[i] = was
			eachField(was, changed)
		}
	}
}

// forgery is a way in which a hub, or whoever writes to its database, brings a key.
type forgery struct {
	bring func(p *pair, by jose.SigningKey)
	says  string
	fresh bool // whether also a client finds it that has never seen the partner
	ask   bool // whether a person can settle it
}

func forgeries() map[string]forgery {
	evil, seal := newKey(client.Signing), newKey(client.Encryption)
	const camden = "camden-outreach"
	shown := func(p *pair, k jose.PublicKey, use string) {
		p.hub.keys[camden] = append(p.hub.keys[camden], client.Key{PublicKey: k, Use: use, NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour)})
	}
	unsigned := "was introduced without the signature of a key of theirs that counted"
	earlier := "at an earlier time than the change before it"
	return map[string]forgery{
		"a key without an entry":           {func(p *pair, _ jose.SigningKey) { shown(p, seal.Public(), client.Encryption) }, "there is no entry in the log for the encryption key " + seal.KeyID(), true, false},
		"a key that is missing":            {func(p *pair, _ jose.SigningKey) { p.hub.keys[camden] = p.hub.keys[camden][:2] }, "does not show", true, false},
		"a key with a longer life":         {func(p *pair, _ jose.SigningKey) { p.hub.keys[camden][1].NotAfter = time.Now().Add(99 * time.Hour) }, "the log says otherwise of the encryption key", true, false},
		"a key that is put to another use": {func(p *pair, _ jose.SigningKey) { p.hub.keys[camden][0].Use = client.Authentication }, "", true, false},
		"a revocation that no log has":     {func(p *pair, _ jose.SigningKey) { p.hub.keys[camden][1].Revoked = time.Now() }, "the log says otherwise", true, false},
		"another key under the fingerprint of one": {func(p *pair, _ jose.SigningKey) {
			was := p.hub.keys[camden][1]
			jwk := strings.Replace(string(mustJSON(seal.Public())), seal.KeyID(), was.KeyID(), 1)
			var err error
			was.PublicKey, err = jose.ParsePublicKey([]byte(jwk))
			must(err)
			p.hub.keys[camden][1] = was
		}, "it shows another encryption key, whose fingerprint is " + seal.KeyID(), true, false},
		"a key that counts from before the log had it": {func(p *pair, by jose.SigningKey) {
			k := proof.KeyChange{Key: seal.KeyID(), Use: client.Encryption, From: now().Add(-time.Hour), Until: now().Add(time.Hour), Introduced: proof.Countersigned, By: by.ID}
			p.hub.changeAt(camden, proof.KeyAdded, sign("handover-key+jwt", p.hub.rotation(camden, client.Encryption, seal), by), k, now())
			p.hub.keys[camden] = append(p.hub.keys[camden], client.Key{PublicKey: seal.Public(), Use: client.Encryption, NotBefore: k.From, NotAfter: k.Until})
		}, "would count from before the log had it", true, false},
		"a key that an ended one signed for, as of before its end": {func(p *pair, by jose.SigningKey) {
			for i, k := range p.hub.keys[camden] {
				if k.KeyID() == by.ID {
					k.NotAfter = now()
					p.hub.change(camden, proof.KeyEnded, "", proof.KeyChange{Key: by.ID, Use: k.Use, From: k.NotBefore, Until: k.NotAfter})
					p.hub.keys[camden][i] = k
				}
			}
			p.hub.broughtAt(camden, seal, by, now().Add(-30*time.Second))
		}, earlier, true, false},
		"a key from before the last change that was seen": {func(p *pair, by jose.SigningKey) {
			p.hub.broughtAt(camden, seal, by, now().Add(-30*time.Second))
		}, earlier, true, false},
		"a key that an authentication key signed for": {func(p *pair, _ jose.SigningKey) {
			p.hub.brought(camden, client.Encryption, proof.Countersigned, seal, p.hub.private[camden].Authentication.Signer())
		}, unsigned, true, true},
		"an entry of another partner": {func(p *pair, _ jose.SigningKey) {
			shown(p, seal.Public(), client.Encryption)
			p.hub.changes[camden] = append(p.hub.changes[camden], p.hub.changes["westside-aid"][1])
		}, "is another entry of the log", true, false},
		"a history whose first change is gone": {func(p *pair, _ jose.SigningKey) { p.hub.changes[camden] = p.hub.changes[camden][1:] }, "", true, false},
		"an encryption key that no signing key signed for": {func(p *pair, by jose.SigningKey) {
			p.hub.addKey(camden, seal.Public(), client.Encryption, proof.Countersigned, by.ID, "")
		}, unsigned, true, true},
		"an encryption key that another signed for": {func(p *pair, by jose.SigningKey) {
			p.hub.addKey(camden, seal.Public(), client.Encryption, proof.Countersigned, by.ID,
				sign("handover-key+jwt", p.hub.rotation(camden, client.Encryption, seal), evil.Signer()))
		}, unsigned, true, true},
		"a statement for another partner": {func(p *pair, by jose.SigningKey) {
			p.hub.brought(camden, client.Encryption, proof.Countersigned, seal, by, func(s *statement) { s.Partner = "westside-aid" })
		}, unsigned, true, true},
		"a statement for another hub": {func(p *pair, by jose.SigningKey) {
			p.hub.brought(camden, client.Encryption, proof.Countersigned, seal, by, func(s *statement) { s.Hub = "https://other.example" })
		}, unsigned, true, true},
		"a statement of another key": {func(p *pair, by jose.SigningKey) {
			p.hub.brought(camden, client.Encryption, proof.Countersigned, seal, by, func(s *statement) { s.Key = newKey(client.Encryption).Public() })
		}, unsigned, true, true},
		"a statement of the day before yesterday": {func(p *pair, by jose.SigningKey) {
			p.hub.brought(camden, client.Encryption, proof.Countersigned, seal, by, func(s *statement) { s.IssuedAt -= 48 * 3600 })
		}, unsigned, true, true},
		"a statement that replaces another key": {func(p *pair, by jose.SigningKey) {
			p.hub.brought(camden, client.Encryption, proof.Countersigned, seal, by, func(s *statement) { s.Retire = ids.Digest("x") })
		}, unsigned, true, true},
		"a signing key that nobody has shown to hold": {func(p *pair, by jose.SigningKey) {
			p.hub.brought(camden, client.Signing, proof.Countersigned, evil, by, func(s *statement) { s.Possession = "" })
			p.hub.brought(camden, client.Encryption, proof.Countersigned, seal, evil.Signer())
		}, unsigned, true, true},
		"a key that a revoked one signed for": {func(p *pair, by jose.SigningKey) {
			p.hub.revoke(camden)
			p.hub.brought(camden, client.Encryption, proof.Countersigned, seal, by)
		}, unsigned, true, true},
		"keys that vouch for themselves": {func(p *pair, _ jose.SigningKey) {
			p.hub.brought(camden, client.Signing, proof.SelfSigned, evil, evil.Signer())
			p.hub.brought(camden, client.Encryption, proof.Countersigned, seal, evil.Signer())
		}, "vouches for itself alone", false, true},
		"another history": {func(p *pair, _ jose.SigningKey) {
			delete(p.hub.keys, camden)
			delete(p.hub.changes, camden)
			member(p.hub.t, p.hub, camden)
		}, "the history of its keys was rewritten", false, true},
	}
}

// TestASwappedKeyIsRefused has a row for each way to bring a key that is not the partner's.
// Whoever knows the partner seals nothing to it, and is told.
func TestASwappedKeyIsRefused(t *testing.T) {
	for name, f := range forgeries() {
		t.Run(name, func(t *testing.T) {
			p := newPair(t)
			p.step(t, p.to, client.Step{Event: "receive"}) // and so has seen camden-outreach
			stranger := member(t, p.hub, "northgate")
			f.bring(p, p.hub.private["camden-outreach"].Signing)
			posted := 0
			p.hub.before = func(_ http.ResponseWriter, r *http.Request) bool {
				if r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, "/v1/referrals") {
					posted++
				}
				return false
			}
			_, err := p.to.Step(t.Context(), client.Step{Referral: p.referral, Event: "ask", Sections: saying("?"), Consent: p.consent.ID})
			swapped, ok := errors.AsType[*client.SwappedKey](err)
			switch {
			case f.says == "" && err != nil:
			case !ok || !errors.Is(err, client.ErrKeySwapped) || !strings.Contains(err.Error(), f.says) || swapped.Partner != "camden-outreach" || swapped.Acceptable != f.ask:
				t.Errorf("%v (%+v)", err, swapped)
			}
			if posted != 0 {
				t.Errorf("%d packets were sent", posted)
			}
			h, err := stranger.KeyHistory(t.Context(), "camden-outreach")
			if err == nil {
				err = h.Unconfirmed()
			}
			if (err != nil) != f.fresh {
				t.Errorf("who has never seen the partner: %v", err)
			}
			if f.ask && f.fresh { // what stays in the history as a key to ask about can be settled
				_, err = stranger.AcceptKey(t.Context(), "camden-outreach", unconfirmed(h))
				if err != nil {
					t.Errorf("accepting: %v", err)
				}
			}
		})
	}
}

// unconfirmed is the first key of a history that waits for a person.
func unconfirmed(h client.KeyHistory) string {
	for _, k := range h.Keys {
		if k.Unconfirmed {
			return k.ID
		}
	}
	return ""
}

// TestAPersonSettlesWhatNobodySignedFor: a key that vouches for itself is refused until
// somebody has compared its fingerprint, and what it signs for counts with it.
func TestAPersonSettlesWhatNobodySignedFor(t *testing.T) {
	p := newPair(t)
	p.step(t, p.to, client.Step{Event: "receive"})
	lost, sealing := newKey(client.Signing), newKey(client.Encryption)
	p.hub.brought("camden-outreach", client.Signing, proof.SelfSigned, lost, lost.Signer())
	p.hub.brought("camden-outreach", client.Encryption, proof.Countersigned, sealing, lost.Signer())
	ask := client.Step{Referral: p.referral, Event: "ask", Sections: saying("?"), Consent: p.consent.ID}
	_, err := p.to.SealStep(t.Context(), ask)
	swapped, ok := errors.AsType[*client.SwappedKey](err)
	if !ok || swapped.Key != lost.KeyID() {
		t.Fatalf("%v", err)
	}
	if _, err := p.to.AcceptKey(t.Context(), "camden-outreach", ids.Digest("read out wrongly")); !errors.Is(err, client.ErrNoSuchKey) {
		t.Errorf("another fingerprint: %v", err)
	}
	if _, err := p.to.SealStep(t.Context(), ask); !errors.Is(err, client.ErrKeySwapped) {
		t.Errorf("after a wrong one: %v", err)
	}
	k, err := p.to.AcceptKey(t.Context(), "camden-outreach", lost.KeyID())
	if err != nil || k.Confirmed.IsZero() {
		t.Fatalf("%+v, %v", k, err)
	}
	if _, err := p.to.SealStep(t.Context(), ask); err != nil {
		t.Errorf("accepted: %v", err)
	}
	h, err := p.to.KeyHistory(t.Context(), "camden-outreach")
	if err != nil || h.Unconfirmed() != nil || h.Known != 5 || len(h.Events) != 5 {
		t.Errorf("%+v, %v", h, err)
	}
}

// TestOnlyWhatIsNewIsAskedFor: histories grow for ever, and each sealing asks.
func TestOnlyWhatIsNewIsAskedFor(t *testing.T) {
	p := newPair(t)
	p.step(t, p.to, client.Step{Event: "receive"})
	var asked []string
	p.hub.before = func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/camden-outreach/keys") {
			asked = append(asked, r.URL.RawQuery)
		}
		return false
	}
	seal := func() {
		_, err := p.to.SealStep(t.Context(), client.Step{Referral: p.referral, Event: "ask", Sections: saying("?"), Consent: p.consent.ID})
		must(err)
	}
	seal()
	p.hub.brought("camden-outreach", client.Encryption, proof.Countersigned, newKey(client.Encryption), p.hub.private["camden-outreach"].Signing)
	seal()
	seal()
	if strings.Join(asked, " ") != "after=3 after=3 after=4" {
		t.Errorf("asked %v", asked)
	}
}
