package partners_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"handover/audit/proof"
	"handover/internal/hubtest"
	"handover/internal/ids"
	"handover/keys/jose"
	"handover/partners"
)

// page is an answer about the history of keys.
type page struct {
	Partner, Digest string
	More            bool
	Keys            []map[string]any
	Changes         []struct {
		Position  int64
		Statement string
		Receipt   proof.Receipt
	}
}

// changesAfter reads the history of an agency's keys as another does.
func changesAfter(t *testing.T, reader *hubtest.Agency, of partners.ID, after string) (p page) {
	t.Helper()
	reader.Get(t, "/v1/partners/"+string(of)+"/keys?after="+after).Into(t, http.StatusOK, &p)
	return p
}

// TestEveryChangeOfAKeyIsProvedToEverybodyAndNamesNobody goes through all of them.
func TestEveryChangeOfAKeyIsProvedToEverybodyAndNamesNobody(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	reader, a := h.Agency(t, "harbour", partners.Housing), h.Agency(t, "rosewood", partners.Housing)
	first := a.Signing
	admin := h.Person(t, "rosewood", partners.Administrator)
	a.Rotate(t, admin, partners.Signing, 0)
	a.Rotate(t, admin, partners.Encryption, time.Hour)
	admin.Post(t, "/v1/keys/"+a.Signing.KeyID()+"/revoke", map[string]string{"reason": "lost"})
	alone := hubtest.Key(t, partners.Signing)
	if answer := rotate(t, admin, rotation(h, a, partners.Signing, alone.Public(), a.Signing.KeyID()), alone); answer.Status != http.StatusCreated {
		t.Fatalf("%d %s", answer.Status, answer.Body)
	}
	p := changesAfter(t, reader, "rosewood", "0")
	key, err := proof.ParseLogKey(strings.TrimSpace(string(h.Do(request(t, "/v1/log/key")).Body)))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	var entries strings.Builder
	for i, c := range p.Changes {
		e, err := c.Receipt.Verify(key)
		if err != nil || e.Key == nil || e.Partner != "rosewood" || e.User != "" || e.Client != "" || e.Key.Position != int64(i+1) || c.Position != int64(i+1) {
			t.Fatalf("change %d: %+v, %v", i+1, e, err)
		}
		if (c.Statement != "") != (e.Key.Statement != "") || c.Statement != "" && ids.Digest(c.Statement) != e.Key.Statement {
			t.Errorf("change %d does not bind its statement", i+1)
		}
		entries.WriteString(e.ID + "\n")
		got = append(got, strings.TrimSpace(e.Act+" "+e.Key.Use+" "+e.Key.Introduced+" "+name(map[string]jose.PublicKey{
			"first": first.Public(), "second": a.Signing.Public(), "third": alone.Public()}, e.Key.By)+" "+e.Reason))
	}
	want := []string{"key.added signing self-signed first", "key.added encryption countersigned first", "key.added authentication registered",
		"key.added authentication registered", // the desk that she sits at
		"key.added signing countersigned first", "key.ended signing", "key.added encryption countersigned second", "key.ended encryption",
		"key.revoked signing   lost", "key.added signing self-signed third"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	var set struct{ Keys []map[string]any }
	reader.Get(t, "/v1/partners/rosewood/jwks.json").Into(t, http.StatusOK, &set)
	if diff := cmp.Diff(set.Keys, p.Keys); diff != "" || len(set.Keys) != 7 {
		t.Errorf("jwks.json and the history differ:\n%s", diff)
	}
	if rest := changesAfter(t, reader, "rosewood", "10"); len(rest.Changes) != 0 || rest.More || rest.Digest != ids.Digest(entries.String()) {
		t.Errorf("after the last: %+v", rest)
	}
}

// name is under which name a kid is known.
func name(keys map[string]jose.PublicKey, kid string) string {
	for n, k := range keys {
		if k.KeyID() == kid {
			return n
		}
	}
	return ""
}

func request(t *testing.T, path string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, hubtest.Issuer+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestAHistoryOfKeysComesInPages is what a client does that has been away.
func TestAHistoryOfKeysComesInPages(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	reader, a := h.Agency(t, "harbour", partners.Housing), h.Agency(t, "rosewood", partners.Housing)
	admin := h.Person(t, "rosewood", partners.Administrator)
	for range 30 {
		a.Rotate(t, admin, partners.Encryption, 0)
	}
	p := changesAfter(t, reader, "rosewood", "0")
	if rest := changesAfter(t, reader, "rosewood", "50"); len(p.Changes) != 50 || !p.More || len(rest.Changes) != 14 || rest.More || rest.Changes[0].Position != 51 {
		t.Errorf("%d and %d changes", len(p.Changes), len(rest.Changes))
	}
	for _, query := range []string{"after=-1", "after=x", "after=1&after=2", "after=1&before=2", "before=1", "after=99999999999999999999"} {
		if got := reader.Get(t, "/v1/partners/rosewood/keys?"+query); got.Problem().Code != "keys-query-invalid" {
			t.Errorf("%s: %d %s", query, got.Status, got.Body)
		}
	}
	if got := reader.Get(t, "/v1/partners/nobody/keys"); got.Status != http.StatusNotFound {
		t.Errorf("of nobody: %d %s", got.Status, got.Body)
	}
	if beyond := changesAfter(t, reader, "rosewood", "1000"); len(beyond.Changes) != 0 {
		t.Errorf("beyond the last: %+v", beyond)
	}
}

// TestAHistoryOfKeysOnlyGrows: not even the owner of the tables changes it by mistake.
func TestAHistoryOfKeysOnlyGrows(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	h.Agency(t, "rosewood", partners.Housing)
	for _, statement := range []string{`UPDATE partner_key_change SET kid = kid`, `DELETE FROM partner_key_change`, `TRUNCATE partner_key_change`} {
		if _, err := h.DB.Owner.Exec(t.Context(), statement); err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: %v", statement, err)
		}
	}
}
