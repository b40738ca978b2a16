package client_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"handover/client"
	"handover/internal/ids"
)

// lie changes the JSON of the answers whose path has that ending.
func (h *fakeHub) lie(suffix string, change func(m map[string]any)) {
	h.twist = func(r *http.Request, body []byte) []byte {
		var m map[string]any
		if !strings.HasSuffix(r.URL.Path, suffix) || json.Unmarshal(body, &m) != nil {
			return body
		}
		change(m)
		out, err := json.Marshal(m)
		must(err)
		return out
	}
}

// elsewhere is a receipt of the same step in another log of the same name.
func elsewhere(t *testing.T, p *pair, r client.Receipt) map[string]any {
	t.Helper()
	entry, err := r.Verify(p.from.LogKey())
	must(err)
	return members(newLog(t, "hub.example/v1/log").add(entry))
}

func members(v any) map[string]any {
	b, err := json.Marshal(v)
	must(err)
	var m map[string]any
	must(json.Unmarshal(b, &m))
	return m
}

// become puts the members of another object in the place of m's.
func become(m, other map[string]any) {
	clear(m)
	for k, v := range other {
		m[k] = v
	}
}

func TestHubThatLiesIsFoundOut(t *testing.T) {
	send := func(p *pair) error {
		_, err := p.from.Send(t.Context(), asking(p.consent.ID))
		return err
	}
	read := func(p *pair) error {
		_, err := p.to.Referral(t.Context(), p.referral)
		return err
	}
	history := func(p *pair) error {
		_, err := p.to.History(t.Context(), p.referral)
		return err
	}
	open := func(p *pair) error {
		_, err := p.to.Open(t.Context(), client.Opening{Referral: p.referral, Reason: "triage"})
		return err
	}
	consent := func(p *pair) error {
		_, err := p.to.Consent(t.Context(), p.consent.ID)
		return err
	}
	chain := func(m map[string]any, i int) map[string]any { return m["chain"].([]any)[i].(map[string]any) }
	for name, c := range map[string]struct {
		suffix string
		lie    func(p *pair) func(map[string]any)
		do     func(p *pair) error
		want   error
	}{
		"the receipt of another packet": {"/v1/referrals", func(p *pair) func(map[string]any) {
			return func(m map[string]any) { become(m, members(p.wasReceipt)) }
		}, send, client.ErrProof},
		"a receipt that says something else than its entry": {"/v1/referrals", func(*pair) func(map[string]any) {
			return func(m map[string]any) { m["state"] = "accepted" }
		}, send, client.ErrProof},
		"a receipt of another log with the same name": {"/v1/referrals", func(p *pair) func(map[string]any) {
			return func(m map[string]any) { become(m, elsewhere(t, p, p.wasReceipt)) }
		}, send, client.ErrProof},
		"no receipt": {"/v1/referrals", func(*pair) func(map[string]any) {
			return func(m map[string]any) { clear(m) }
		}, send, client.ErrProof},
		"another state": {"", func(p *pair) func(map[string]any) {
			return func(m map[string]any) { m["state"] = "completed" }
		}, read, client.ErrForged},
		"another recipient": {"", func(*pair) func(map[string]any) {
			return func(m map[string]any) { m["recipient"] = "northgate-homes" }
		}, read, client.ErrForged},
		"another head": {"", func(*pair) func(map[string]any) {
			return func(m map[string]any) { m["head"] = strings.Repeat("A", 43) }
		}, read, client.ErrForged},
		"another id": {"", func(*pair) func(map[string]any) {
			return func(m map[string]any) { m["id"] = strings.Repeat("A", 43) }
		}, read, client.ErrForged},
		"a chain without its newest step": {"", func(*pair) func(map[string]any) {
			return func(m map[string]any) { m["chain"] = m["chain"].([]any)[:1] }
		}, read, client.ErrForged},
		"a chain without its first step": {"", func(*pair) func(map[string]any) {
			return func(m map[string]any) { m["chain"] = m["chain"].([]any)[1:] }
		}, read, client.ErrForged},
		"no chain": {"", func(*pair) func(map[string]any) {
			return func(m map[string]any) { m["chain"] = []any{} }
		}, read, client.ErrForged},
		"a changed envelope": {"", func(*pair) func(map[string]any) {
			return func(m map[string]any) {
				e := chain(m, 1)["envelope"].(string)
				head, rest, _ := strings.Cut(e, ".")
				chain(m, 1)["envelope"] = head + "." + strings.Replace(rest, "e", "f", 1)
			}
		}, read, client.ErrForged},
		"a step described otherwise": {"", func(*pair) func(map[string]any) {
			return func(m map[string]any) { chain(m, 1)["event"] = "accept" }
		}, read, client.ErrForged},
		"a step that leads elsewhere": {"", func(*pair) func(map[string]any) {
			return func(m map[string]any) { chain(m, 0)["state"] = "accepted" }
		}, read, client.ErrForged},
		"a list of steps under another digest": {"", func(*pair) func(map[string]any) {
			return func(m map[string]any) { chain(m, 0)["digest"] = strings.Repeat("A", 43) }
		}, read, client.ErrForged},
		"a history with the receipt of another step": {"/events", func(p *pair) func(map[string]any) {
			return func(m map[string]any) {
				m["events"].([]any)[1].(map[string]any)["receipt"] = members(p.wasReceipt)
			}
		}, history, client.ErrProof},
		"a history without receipts": {"/events", func(*pair) func(map[string]any) {
			return func(m map[string]any) { delete(m["events"].([]any)[0].(map[string]any), "receipt") }
		}, history, client.ErrProof},
		"an opening with an old receipt": {"/open", func(p *pair) func(map[string]any) {
			return func(m map[string]any) { m["receipt"] = members(p.wasReceipt) }
		}, open, client.ErrProof},
		"the keys of nobody": {"/camden-outreach/keys", func(*pair) func(map[string]any) {
			return func(m map[string]any) { m["keys"] = []any{} }
		}, read, client.ErrKeySwapped},
		"keys that cannot be read": {"/camden-outreach/keys", func(*pair) func(map[string]any) {
			return func(m map[string]any) { m["keys"].([]any)[0].(map[string]any)["handover_use"] = "both" }
		}, read, client.ErrAnswer},
		"another consent": {p0, func(p *pair) func(map[string]any) {
			other := agreed(t, p.from)
			return func(m map[string]any) {
				m["record"], m["digest"], m["receipt"] = other.Record, other.Digest, members(other.Receipt)
			}
		}, consent, client.ErrForged},
		"a consent with another digest": {p0, func(*pair) func(map[string]any) {
			return func(m map[string]any) { m["digest"] = strings.Repeat("A", 43) }
		}, consent, client.ErrForged},
		"a consent whose signature is another's": {p0, func(p *pair) func(map[string]any) {
			return func(m map[string]any) {
				forged := p.consent.Record[:len(p.consent.Record)-8] + "AAAAAAAA"
				m["record"], m["digest"] = forged, ids.Digest(forged)
			}
		}, consent, client.ErrForged},
		"a withdrawal whose signature is another's": {p0, func(p *pair) func(map[string]any) {
			if _, err := p.to.WithdrawConsent(t.Context(), p.consent.ID); err != nil {
				t.Fatal(err)
			}
			return func(m map[string]any) {
				w := m["withdrawal"].(string)
				m["withdrawal"] = w[:len(w)-8] + "AAAAAAAA"
			}
		}, consent, client.ErrForged},
		"a withdrawal that nobody signed": {p0, func(*pair) func(map[string]any) {
			return func(m map[string]any) { m["withdrawal"], m["state"] = "x.y.z", "withdrawn" }
		}, consent, client.ErrForged},
		"a consent with the receipt of another": {p0, func(p *pair) func(map[string]any) {
			other := agreed(t, p.from)
			return func(m map[string]any) { m["receipt"] = members(other.Receipt) }
		}, consent, client.ErrProof},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t)
			p.step(t, p.to, client.Step{Event: "receive"})
			suffix := c.suffix
			switch suffix {
			case "":
				suffix = p.referral
			case p0:
				suffix = p.consent.ID
			}
			change := c.lie(p)
			if err := c.do(p); err != nil && c.suffix != "/v1/referrals" {
				t.Fatalf("without the lie: %v", err)
			}
			p.forget(t)
			p.hub.lie(suffix, change)
			if err := c.do(p); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

// p0 stands for the id of the pair's consent.
const p0 = "consent"

// forget makes new clients, which remember no keys.
func (p *pair) forget(t *testing.T) {
	t.Helper()
	for _, c := range []**client.Client{&p.from, &p.to} {
		fresh, err := client.New(client.Options{Hub: (*c).Hub(), Partner: (*c).PartnerID(), ClientID: (*c).PartnerID() + ".abcde",
			LogKey: (*c).LogKey(), HTTP: p.hub.HTTP(), Keys: p.hub.private[(*c).PartnerID()]})
		must(err)
		*c = fresh
	}
}

func TestSectionOfAnotherPacketIsNotOpened(t *testing.T) {
	p := newPair(t)
	second := asking(p.consent.ID)
	second.Sections = map[string]client.Content{"need": client.Content(`{"schema":"need/1","summary":"another"}`)}
	other, err := p.from.Send(t.Context(), second)
	must(err)
	sealed := p.hub.referrals[other.Referral].packets[other.Envelope].Sections["need"]
	p.hub.lie("/open", func(m map[string]any) { m["sections"] = map[string]any{"need": sealed} })
	_, err = p.to.Open(t.Context(), client.Opening{Referral: p.referral, Reason: "triage"})
	if client.Code(err) != "section-unreadable" {
		t.Errorf("%v", err)
	}
}

func TestHubIsTheOneThatWasAsked(t *testing.T) {
	for name, change := range map[string]func(map[string]any){
		"another issuer":       func(m map[string]any) { m["issuer"] = "https://other.example" },
		"a subdomain of it":    func(m map[string]any) { m["token_endpoint"] = "https://hub.example.evil.example/oauth/token" },
		"tokens by plain http": func(m map[string]any) { m["token_endpoint"] = "http://hub.example/oauth/token" },
	} {
		h := newHub(t)
		c := member(t, h, "camden-outreach")
		h.lie("/oauth-authorization-server", change)
		if _, err := c.Directory(t.Context()); !errors.Is(err, client.ErrAnswer) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTokenThatIsNotBoundIsNotUsed(t *testing.T) {
	h := newHub(t)
	c := member(t, h, "camden-outreach")
	h.lie("/oauth/token", func(m map[string]any) { m["token_type"] = "Bearer" })
	if _, err := c.Directory(t.Context()); !errors.Is(err, client.ErrAnswer) {
		t.Error(err)
	}
}

func TestSignatureOfAKeyRevokedSinceIsDoubted(t *testing.T) {
	p := newPair(t)
	p.hub.revoke("camden-outreach")
	r, err := p.to.Referral(t.Context(), p.referral)
	if err != nil || r.Chain[0].Doubt == "" {
		t.Errorf("%q, %v", r.Chain[0].Doubt, err)
	}
	if _, err := p.to.Step(t.Context(), client.Step{Referral: p.referral, Event: "ask", Sections: saying("?"),
		Consent: p.consent.ID}); client.Code(err) != "recipient-inactive" {
		t.Errorf("sealed to a revoked key: %v", err)
	}
}

func TestListThatDoesNotEndIsGivenUp(t *testing.T) {
	for name, link := range map[string]string{
		"the same page again":    `</v1/inbox?after=7>; rel="next"`,
		"an empty page and more": `</v1/inbox?after=9>; rel="next"`,
	} {
		p := newPair(t)
		asked := 0
		p.hub.before = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/v1/inbox" {
				return false
			}
			asked++
			page := []client.Summary{{ID: "x"}}
			if strings.HasPrefix(name, "an empty") {
				page, link = page[:0], fmt.Sprintf(`</v1/inbox?after=%d>; rel="next"`, asked)
			}
			w.Header().Set("Link", link)
			answer(w, 200, map[string]any{"referrals": page})
			return true
		}
		var last error
		for _, err := range p.to.Inbox(t.Context(), client.Filter{}) {
			if last = err; asked > 9 {
				break
			}
		}
		if !errors.Is(last, client.ErrAnswer) || asked > 2 {
			t.Errorf("%s: asked %d times, %v", name, asked, last)
		}
	}
}

// astray records which hosts are asked.
type astray struct {
	*fakeHub
	hosts map[string]bool
}

func (a *astray) RoundTrip(r *http.Request) (*http.Response, error) {
	a.hosts[r.URL.Host] = true
	return a.fakeHub.RoundTrip(r)
}

func TestRedirectIsNotFollowed(t *testing.T) {
	a := &astray{fakeHub: newHub(t), hosts: map[string]bool{}}
	c, err := client.New(client.Options{Hub: a.issuer, Partner: "camden-outreach", ClientID: "camden-outreach.abcde",
		LogKey: a.log.key, Keys: someKeys(), HTTP: &http.Client{Transport: a}})
	must(err)
	a.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/v1/services" {
			return false
		}
		w.Header().Set("Location", "https://evil.example/v1/services")
		w.WriteHeader(http.StatusTemporaryRedirect)
		return true
	}
	if _, err := c.Services(t.Context(), "", ""); err == nil || len(a.hosts) != 1 {
		t.Errorf("asked %v, %v", a.hosts, err)
	}
}
