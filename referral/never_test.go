package referral_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/partners"
)

// TestWhatIsNeverToBeSharedIsNot: whatever she agreed to, nothing about her goes to whom she
// never wants it shared with, from anybody; and it goes on to others, and again once lifted.
func TestWhatIsNeverToBeSharedIsNot(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.Housing)
	other := h.Pair(t, partners.Housing)
	send := func(c hubtest.Consent) string {
		return p.From.Send(t, p.From.Request(p.To, p.Service, c, "need").Seal(t)).Problem().Code
	}
	for _, row := range []struct {
		name, with string
		by         *hubtest.Agency
		stops      bool
	}{
		{"by its name", string(p.To.ID), p.From, true},
		{"by its category", "category:housing", p.From, true},
		{"told to somebody else", string(p.To.ID), other.From, true},
		{"another partner", string(other.To.ID), p.From, false},
		{"another category", "category:police", p.From, false},
	} {
		c := p.From.Record(t, hubtest.Subject(), p.Named())
		r := p.From.Request(p.To, p.Service, c, "need", "safe-contact").Seal(t)
		p.From.Sent(t, r)
		opens(t, p.To, r.Digest, "need", "")
		id, digest := row.by.Never(t, []string{hubtest.Subject(), c.Subject}, row.with)
		want := map[bool]string{true: "not-covered"}[row.stops]
		if got := send(c); got != want {
			t.Errorf("%s: a new packet: %q, want %q", row.name, got, want)
		}
		opens(t, p.To, r.Digest, "safe-contact", want)
		p.From.Open(t, r.Digest, "", "need").Into(t, http.StatusOK, new(any)) // her own agency reads its copy
		if a := row.by.Lift(t, id, digest); a.Status != http.StatusCreated {
			t.Fatalf("%s: lifting: %d %s", row.name, a.Status, a.Body)
		}
		if got := send(c); got != "" {
			t.Errorf("%s: after it was lifted: %q", row.name, got)
		}
		opens(t, p.To, r.Digest, "safe-contact", "")
	}
}

// The refusal is that of any packet that is not covered, and so is what the log says: nobody
// learns from it that there is something of the kind. What would be refused without it is
// refused as it would be.
func TestNobodyElseLearnsWhatIsNeverToBeShared(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.Housing)
	recorder := h.Agency(t, "whom-she-told", partners.VAWGService)
	c := p.From.Record(t, hubtest.Subject(), p.Named())
	unnamed := p.From.Record(t, hubtest.Subject(), []string{string(recorder.ID)})
	id, digest := recorder.Never(t, []string{c.Subject}, string(p.To.ID))
	send := func(c hubtest.Consent, section string) (hubtest.Answer, string) {
		logged := h.Logged(t)
		a := p.From.Send(t, p.From.Request(p.To, p.Service, c, section).Seal(t))
		e := h.Entries(t, logged)
		if len(e) != 1 {
			t.Fatalf("logged %+v", e)
		}
		return a, e[0].Act + " " + e[0].Outcome + " " + e[0].Target
	}
	stopped, log := send(c, "need")
	plain, want := send(unnamed, "need")
	tell := func(a hubtest.Answer) string {
		body, _, _ := strings.Cut(string(a.Body), `"instance"`)
		_, rest, _ := strings.Cut(string(a.Body), `"party"`)
		return body + rest
	}
	if tell(stopped) != tell(plain) || stopped.Status != plain.Status || log != want {
		t.Errorf("it is told apart:\n%s %s\n%s %s", stopped.Body, log, plain.Body, want)
	}
	if a, _ := send(c, "health"); a.Problem().Code != "firewall" {
		t.Errorf("what the firewall stops: %s", a.Body)
	}
	for _, by := range []*hubtest.Agency{p.From, p.To} {
		if a := by.Get(t, "/v1/nevers"); a.Status != http.StatusOK || strings.Contains(string(a.Body), id) {
			t.Errorf("%s is shown %d %s", by.ID, a.Status, a.Body)
		}
		if a := by.Lift(t, id, digest); a.Problem().Code != "never-not-found" {
			t.Errorf("%s lifts: %d %s", by.ID, a.Status, a.Body)
		}
	}
	if a := recorder.Get(t, "/v1/nevers"); !strings.Contains(string(a.Body), id) {
		t.Errorf("who recorded it is shown %s", a.Body)
	}
}

func TestWhoMayRecordAndLiftWhat(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	h.ReconcilesAtEnd(t)
	a, b := h.Agency(t, "harbour", partners.VAWGService), h.Agency(t, "rosewood", partners.Housing)
	claims := record.NeverClaims{Hub: hubtest.Issuer, Issuer: string(a.ID), ID: uuid.Must(uuid.NewV7()).String(), IssuedAt: h.Now().Unix(),
		Subjects: []string{hubtest.Subject()}, Recipients: []string{"category:police"}}
	post := func(by *hubtest.Agency, path, typ string, claims any) hubtest.Answer {
		return by.Do(t, hubtest.Call{Method: http.MethodPost, Path: path, Type: "application/jose",
			Body: []byte(hubtest.SignAs(t, typ, claims, a.Signing.Signer()))})
	}
	of := func(change func(*record.NeverClaims)) record.NeverClaims {
		c := claims
		change(&c)
		return c
	}
	token := hubtest.SignAs(t, record.NeverType, claims, a.Signing.Signer())
	first := a.Do(t, hubtest.Call{Method: http.MethodPost, Path: "/v1/nevers", Type: "application/jose", Body: []byte(token)})
	again := a.Do(t, hubtest.Call{Method: http.MethodPost, Path: "/v1/nevers", Type: "application/jose", Body: []byte(token)})
	if first.Status != http.StatusCreated || again.Status != http.StatusCreated {
		t.Fatalf("%d, and again %d: %s", first.Status, again.Status, again.Body)
	}
	for name, row := range map[string]struct {
		answer hubtest.Answer
		code   string
	}{
		"other words under its id": {post(a, "/v1/nevers", record.NeverType, of(func(c *record.NeverClaims) { c.Recipients = []string{"rosewood"} })), "never-conflict"},
		"in another's name":        {post(b, "/v1/nevers", record.NeverType, of(func(c *record.NeverClaims) { c.ID = uuid.Must(uuid.NewV7()).String() })), "issuer-not-caller"},
		"with another's key":       {post(b, "/v1/nevers", record.NeverType, of(func(c *record.NeverClaims) { c.Issuer = "rosewood"; c.ID = uuid.Must(uuid.NewV7()).String() })), "signing-key-unknown"},
		"with a mistyped agency": {post(a, "/v1/nevers", record.NeverType, of(func(c *record.NeverClaims) {
			c.ID, c.Recipients = uuid.Must(uuid.NewV7()).String(), []string{"category:police", "rosewod"}
		})), "never-nobody"},
		"with a mistyped kind": {post(a, "/v1/nevers", record.NeverType, of(func(c *record.NeverClaims) {
			c.ID, c.Recipients = uuid.Must(uuid.NewV7()).String(), []string{"rosewood", "category:polices"}
		})), "never-nobody"},
		"with an agency as a kind": {post(a, "/v1/nevers", record.NeverType, of(func(c *record.NeverClaims) {
			c.ID, c.Recipients = uuid.Must(uuid.NewV7()).String(), []string{"category:rosewood"}
		})), "never-nobody"},
		"for another hub": {post(a, "/v1/nevers", record.NeverType, of(func(c *record.NeverClaims) { c.Hub, c.ID = "https://staging.example", uuid.Must(uuid.NewV7()).String() })), "consent-stale"},
	} {
		if row.answer.Problem().Code != row.code {
			t.Errorf("%s: %d %s, want %s", name, row.answer.Status, row.answer.Body, row.code)
		}
	}
}
