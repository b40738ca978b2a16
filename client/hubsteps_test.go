package client_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"handover/audit/proof"
	"handover/client"
	"handover/internal/ids"
	"handover/internal/strict"
	"handover/keys/jose"
	"handover/referral/packet"
)

// cancelling is a step of the hub's own as it is to be, for a test to spoil.
type cancelling struct {
	claims packet.Claims
	entry  proof.Entry
	signer jose.SigningKey
	shown  []client.HubKey
}

// shownKey makes a key and has the log say that it is the hub's.
func (h *fakeHub) shownKey(change func(*proof.Entry)) (jose.PrivateKey, client.HubKey) {
	key, err := jose.Generate(jose.EdDSA, jose.Ed25519)
	must(err)
	e := proof.Entry{Act: proof.HubKey, Digest: key.Public().Thumbprint()}
	if change != nil {
		change(&e)
	}
	return key, client.HubKey{PublicKey: key.Public(), Receipt: h.log.add(e)}
}

// cancel has the hub end the pair's referral because the consent was withdrawn, after spoil.
func (p *pair) cancel(t *testing.T, spoil func(*cancelling)) {
	t.Helper()
	f := p.hub.referrals[p.referral]
	key, shown := p.hub.shownKey(nil)
	head := f.steps[len(f.steps)-1]["digest"].(string)
	s := cancelling{
		claims: packet.Claims{Hub: fakeIssuer, Issuer: fakeIssuer, Audience: f.recipient, ID: uuid.Must(uuid.NewV7()).String(), IssuedAt: now().Unix(),
			Expires: now().Add(time.Hour).Unix(), Event: packet.Withdraw, Reason: "consent-withdrawn", Referral: p.referral, Prev: head},
		signer: key.Signer(), shown: []client.HubKey{shown}}
	s.entry = proof.Entry{Act: "referral.withdraw", Other: f.recipient, Referral: p.referral, Event: "withdraw", State: "cancelled",
		Reason: "consent-withdrawn", Consent: p.consent.ID}
	if spoil != nil {
		spoil(&s)
	}
	body, err := strict.Marshal(s.claims)
	must(err)
	envelope, err := jose.Sign(packet.EnvelopeType, body, s.signer)
	must(err)
	if s.entry.Envelope == "" {
		s.entry.Envelope = ids.Digest(envelope)
	}
	f.state = "cancelled"
	f.steps = append(f.steps, map[string]any{"event": s.claims.Event, "envelope": envelope, "digest": ids.Digest(envelope),
		"state": f.state, "stored": time.Now(), "transport": "stored", "receipt": p.hub.log.add(s.entry)})
	p.hub.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/v1/hub/jwks.json" {
			return false
		}
		answer(w, 200, map[string]any{"keys": s.shown})
		return true
	}
	p.hub.twist = func(r *http.Request, body []byte) []byte {
		var m map[string]any
		if !strings.HasPrefix(r.URL.Path, "/v1/referrals/") || json.Unmarshal(body, &m) != nil || m["state"] != "cancelled" {
			return body
		}
		m["withdrawn"] = true
		return must1(json.Marshal(m))
	}
}

func must1[T any](v T, err error) T {
	must(err)
	return v
}

func TestAStepOfTheHubsOwnIsTakenOnItsSignatureAndTheLog(t *testing.T) {
	p := newPair(t)
	p.step(t, p.to, client.Step{Event: "receive"})
	_, err := p.from.WithdrawConsent(t.Context(), p.consent.ID)
	must(err)
	p.cancel(t, nil)
	for _, c := range []*client.Client{p.from, p.to} {
		r, err := c.Referral(t.Context(), p.referral)
		if err != nil {
			t.Fatal(err)
		}
		last := r.Chain[len(r.Chain)-1]
		if r.State != "cancelled" || !r.Withdrawn || last.ByHub == "" || last.Receipt == nil || last.SignedFor != "" {
			t.Errorf("read as %+v", last)
		}
		if _, err := c.History(t.Context(), p.referral); err != nil {
			t.Error(err)
		}
	}
	b, err := p.from.Bundle(t.Context(), p.referral)
	must(err)
	read := must1(client.ParseBundle(must1(b.Bytes())))
	f, err := read.Verify(p.from.LogKey())
	if err != nil || !strings.Contains(words(f), "because she withdrew her consent") || !strings.Contains(words(f), "withdrawn before the hub cancelled") {
		t.Errorf("%v\n%s", err, words(f))
	}
}

// words are all findings.
func words(f client.Findings) string {
	var all []string
	for _, c := range f.Checks {
		all = append(all, c.About+": "+c.Text)
	}
	return strings.Join(all, "\n")
}

// TestAForgedStepOfTheHubsOwnIsRefused: what the hub may sign of itself is one step, and
// only as far as the log has it.
func TestAForgedStepOfTheHubsOwnIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, p *pair, s *cancelling)
		want  error
	}{
		"a key that the hub does not show": {func(t *testing.T, _ *pair, s *cancelling) { s.shown = nil }, client.ErrForged},
		"another key under the name of a shown one": {func(t *testing.T, p *pair, s *cancelling) {
			key, _ := p.hub.shownKey(nil)
			id := s.signer.ID
			s.signer = key.Signer()
			s.signer.ID = id
		}, client.ErrForged},
		"a key that the log does not have as the hub's": {func(t *testing.T, p *pair, s *cancelling) {
			key, shown := p.hub.shownKey(func(e *proof.Entry) { e.Act = "key.added" })
			s.signer, s.shown = key.Signer(), []client.HubKey{shown}
		}, client.ErrProof},
		"a key that a partner has called the hub's": {func(t *testing.T, p *pair, s *cancelling) {
			key, shown := p.hub.shownKey(func(e *proof.Entry) { e.Partner = "westside-aid" })
			s.signer, s.shown = key.Signer(), []client.HubKey{shown}
		}, client.ErrProof},
		"a key with the receipt of another": {func(t *testing.T, p *pair, s *cancelling) {
			_, other := p.hub.shownKey(nil)
			s.shown[0].Receipt = other.Receipt
		}, client.ErrProof},
		"a key with the receipt of another log": {func(t *testing.T, p *pair, s *cancelling) {
			s.shown[0].Receipt = newLog(t, "hub.example/v1/log").add(proof.Entry{Act: proof.HubKey, Digest: s.shown[0].Thumbprint()})
		}, client.ErrProof},
		"a partner's key": {func(t *testing.T, p *pair, s *cancelling) { s.signer = p.hub.private["westside-aid"].Signing }, client.ErrForged},
		"another event":   {func(t *testing.T, _ *pair, s *cancelling) { s.claims.Event, s.claims.Reason = packet.Accept, "" }, client.ErrForged},
		"a decline":       {func(t *testing.T, _ *pair, s *cancelling) { s.claims.Event, s.claims.Reason = packet.Decline, "other" }, client.ErrForged},
		"another reason":  {func(t *testing.T, _ *pair, s *cancelling) { s.claims.Reason = "no-longer-needed" }, client.ErrForged},
		"a worker's act":  {func(t *testing.T, _ *pair, s *cancelling) { s.claims.Act = "nurse-7" }, client.ErrForged},
		"to the sender":   {func(t *testing.T, _ *pair, s *cancelling) { s.claims.Audience = "camden-outreach" }, client.ErrForged},
		"to a third":      {func(t *testing.T, _ *pair, s *cancelling) { s.claims.Audience = "northgate-homes" }, client.ErrForged},
		"another hub's": {func(t *testing.T, _ *pair, s *cancelling) {
			s.claims.Hub, s.claims.Issuer = "https://other.example", "https://other.example"
		}, nil},
		"after an acceptance": {func(t *testing.T, p *pair, s *cancelling) {
			p.step(t, p.to, client.Step{Event: "accept"})
			f := p.hub.referrals[p.referral]
			s.claims.Prev = f.steps[len(f.steps)-1]["digest"].(string)
		}, client.ErrForged},
		"an older head":                 {func(t *testing.T, p *pair, s *cancelling) { s.claims.Prev = p.referral }, client.ErrForged},
		"logged as a partner's":         {func(t *testing.T, _ *pair, s *cancelling) { s.entry.Partner = "camden-outreach" }, client.ErrProof},
		"logged as another envelope":    {func(t *testing.T, _ *pair, s *cancelling) { s.entry.Envelope = ids.Digest("another") }, client.ErrProof},
		"logged with another state":     {func(t *testing.T, _ *pair, s *cancelling) { s.entry.State = "received" }, client.ErrProof},
		"logged as another act":         {func(t *testing.T, _ *pair, s *cancelling) { s.entry.Act = "consent.followed" }, client.ErrProof},
		"logged with another recipient": {func(t *testing.T, _ *pair, s *cancelling) { s.entry.Other = "camden-outreach" }, client.ErrProof},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t)
			p.step(t, p.to, client.Step{Event: "receive"})
			_, err := p.from.WithdrawConsent(t.Context(), p.consent.ID)
			must(err)
			p.cancel(t, func(s *cancelling) { c.spoil(t, p, s) })
			_, read := p.to.Referral(t.Context(), p.referral)
			_, history := p.from.History(t.Context(), p.referral)
			for of, err := range map[string]error{"Referral": read, "History": history} {
				if err == nil || c.want != nil && !errors.Is(err, c.want) {
					t.Errorf("%s: %v, want %v", of, err, c.want)
				}
			}
		})
	}
}

// TestABundleShowsAHubThatCancelsOfItsOwnAccord: the step is signed and logged, and she
// never withdrew.
func TestABundleShowsAHubThatCancelsOfItsOwnAccord(t *testing.T) {
	for name, c := range map[string]struct {
		before, after bool // she withdraws
		spoil         func(*client.Bundle)
		want          string
	}{
		"never withdrawn":   {want: "the hub says in step 3 that she had withdrawn it"},
		"withdrawn later":   {after: true, want: "the hub says in step 3 that she had withdrawn it"},
		"no key of the hub": {before: true, spoil: func(b *client.Bundle) { b.HubKeys = nil }, want: "no signing key"},
		"another key of the hub": {before: true, spoil: func(b *client.Bundle) {
			key, err := jose.Generate(jose.EdDSA, jose.Ed25519)
			must(err)
			b.HubKeys[0].PublicKey = key.Public()
		}, want: "the log does not say"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t)
			p.step(t, p.to, client.Step{Event: "receive"})
			if c.before {
				must1(p.from.WithdrawConsent(t.Context(), p.consent.ID))
			}
			p.cancel(t, nil)
			if c.after {
				must1(p.from.WithdrawConsent(t.Context(), p.consent.ID))
			}
			b, err := p.from.Bundle(t.Context(), p.referral)
			must(err)
			if c.spoil != nil {
				c.spoil(&b)
			}
			f, err := b.Verify(p.from.LogKey())
			if !errors.Is(err, client.ErrVerification) || !strings.Contains(failures(f), c.want) {
				t.Errorf("%v, failing:\n%s\nwant %s", err, failures(f), c.want)
			}
		})
	}
}
