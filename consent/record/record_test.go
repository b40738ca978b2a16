package record_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"handover/consent/record"
	"handover/internal/codes"
	"handover/internal/fault"
	"handover/keys/jose"
)

// badValues are, for each claim of a consent record, values that it must not have.
// nil is the claim left out.
func badValues() map[string][]any {
	digest := digestOf("x")
	notUUIDv7 := []any{nil, "", "7", strings.ToUpper("0199a000-0000-7000-8000-0000000000ab"), "urn:uuid:" + jti, "{" + jti + "}",
		"'" + jti + "'", strings.ReplaceAll(jti, "-", ""), "0199a000-0000-4000-8000-0000000000cc", "0199a000-0000-7000-0000-0000000000cc",
		"00000000-0000-0000-0000-000000000000"}
	list := func(values ...any) any { return append([]any{}, values...) }
	many := make([]any, 33)
	for i := range many {
		many[i] = fmt.Sprintf("partner-%d", i)
	}
	return map[string][]any{
		"hub":          {nil, ""},
		"iss":          {nil, "", "Charity", "a b", "*", strings.Repeat("a", 41), "category:housing"},
		"jti":          notUUIDv7,
		"iat":          {nil, 0, -1},
		"act":          {strings.Repeat("u", 65), "Ada Sample", "ada@agency.example"},
		"sub":          {nil, "", "Jane Roe", "999 000 0018", subject + "==", subject + "\n", subject[:21] + "R", subject[:20], strings.Repeat("A", 20) + "\r\n", subject + "AA"},
		"jurisdiction": {nil, "", "GB", "GB-SCT", "gb-eng", "GB-WLS"},
		"agreement":    {nil, "", "yes", "Agreed", "withdrawn", "expired", "not-asked"},
		"method":       {nil, "", "told me", "Written", "text"},
		"purpose":      {nil, "", "*", "Housing", "anything"},
		"recipients": {nil, list(), list(""), list("*"), list("all agencies"), list("Borough"), list("borough", "borough"), list("category:"),
			list("category:*"), list("category:category:police"), list("borough", "category:Housing"), list("https://borough.example"),
			list(strings.Repeat("a", 41)), list("category:" + strings.Repeat("a", 41)), many},
		"sections": {list(""), list("*"), list("everything"), list("Need"), list("need", "need"), list("need", "risk", "need"),
			slices.Repeat([]any{"need"}, len(codes.Sections())+1)},
		"withheld":      {list(""), list("*"), list("police"), list("Health"), list("health", "health")},
		"onward":        {nil, "", "yes", "all", "None"},
		"supersedes":    {"7", jti, strings.ToUpper(consent), "0199a000-0000-4000-8000-0000000000bb"},
		"review_at":     {-1, now.Unix() - 60, now.Unix() + 28*day + 1},
		"circumstances": {nil, "", "none", digest[1:], digest + "\n"},
		"sealed":        {members{"her-words": "x"}, members{"her-words": ""}, members{"her words": digest}, members{"note": digest}},
		"given_at":      {nil, 0, -1, now.Unix() + 61, int64(math.MaxInt64)},
		"valid_from":    {nil, 0, now.Unix() - 61},
		"expires_at":    {nil, 0, now.Unix() - 60, now.Unix() - 61, now.Unix() - 60 + 366*day + 1, int64(math.MaxInt64)},
		"notice": {nil, members{},
			members{"digest": digest, "language": "en"},
			members{"version": "", "digest": digest, "language": "en"},
			members{"version": strings.Repeat("v", 41), "digest": digest, "language": "en"},
			members{"version": "1", "language": "en"},
			members{"version": "1", "digest": digest + "\n", "language": "en"},
			members{"version": "1", "digest": strings.Repeat("A", 42) + "\n", "language": "en"},
			members{"version": "1", "digest": digest[1:], "language": "en"},
			members{"version": "1", "digest": digest},
			members{"version": "1", "digest": digest, "language": ""},
			members{"version": "1", "digest": digest, "language": "e"},
			members{"version": "1", "digest": digest, "language": "english!"},
			members{"version": "1", "digest": digest, "language": "-en"},
			members{"version": "1", "digest": digest, "language": "en--GB"},
			members{"version": "1", "digest": digest, "language": "en-"},
			members{"version": "1", "digest": digest, "language": "12"},
			members{"version": "1", "digest": digest, "language": "unintelligible"},
			members{"version": "1", "digest": digest, "language": "\u212an"}, // the Kelvin sign, whose small letter is k
			members{"version": "1", "digest": digest, "language": "en\n"},
			members{"version": "1", "digest": digest, "language": "en-" + strings.Repeat("abcdefgh-", 4)},
			members{"version": "1", "digest": digest, "language": "en" + strings.Repeat("-abcdefgh", 4)}, // 38 characters
		},
	}
}

func TestConsentClaimOfTheWrongFormIsRefusedByName(t *testing.T) {
	good := membersOf(t, agreed())
	if err := consentOf(t, good); err != nil {
		t.Fatalf("the record that the rows change is refused itself: %v", err)
	}
	bad := badValues()
	for claim := range good {
		if len(bad[claim]) == 0 && claim != "basis" && claim != "gate" { // law_test.go
			t.Errorf("no row for %s", claim)
		}
	}
	// It ends by when she said it, not by when it begins.
	later := good.with("valid_from", now.Unix()+day).with("expires_at", now.Unix()-60+366*day+1)
	refused(t, consentOf(t, later), record.ErrClaim, "claim", "expires_at")
	for claim, values := range bad {
		for _, value := range values {
			t.Run(claim, func(t *testing.T) {
				refused(t, consentOf(t, good.with(claim, value)), record.ErrClaim, "claim", claim)
				if t.Failed() {
					t.Logf("value %#v", value)
				}
			})
		}
	}
}

func TestConsentClaimAtItsLimitIsAccepted(t *testing.T) {
	good := membersOf(t, agreed())
	digest := digestOf("x")
	plain := slices.DeleteFunc(codes.Sections().Codes(), func(s string) bool {
		return slices.Contains(record.SpecialSections(), s) || slices.Contains(record.OffenceSections(), s)
	})
	var partners []any
	for i := range 32 {
		partners = append(partners, fmt.Sprintf("partner-%d", i))
	}
	rows := map[string][]any{
		"act":        {nil, strings.Repeat("u", 64)},
		"agreement":  {"agreed", "refused"}, // the others are in law_test.go: they go with other claims
		"supersedes": {nil},
		"sealed":     {nil, members{}, members{"her-words": digest, "circumstances": digest, "capacity": digest}},
		"review_at":  {nil, now.Unix() - 59, now.Unix() + 28*day},
		"recipients": {partners, []any{"category:" + strings.Repeat("a", 40)}, []any{"police", "category:police"}, []any{"housing", "category:housing"}},
		"sections":   {[]any{}, plain},                                        // empty means nothing; with special classes: law_test.go
		"withheld":   {nil, []any{}, codes.Sections().Codes(), []any{"need"}}, // also what was allowed: it wins
		"onward":     {"none", "ask-each-time", "named"},
		"method":     {"verbal-in-person", "verbal-phone", "written", "digital", "signed-form"},
		"given_at":   {now.Unix() - 60},
		"valid_from": {now.Unix() + day},
		"expires_at": {now.Unix() + 14*day, now.Unix() - 60 + 366*day},
	}
	for _, language := range []string{"en", "cy", "ro", "pt-BR", "zh-Hant-TW", "sr-Latn-RS", "de-CH-1996", "en-a-bbb-x-a-ccc"} {
		rows["notice"] = append(rows["notice"], members{"version": strings.Repeat("v", 40), "digest": digest, "language": language})
	}
	for _, purpose := range codes.Purposes().Codes() {
		if slices.Contains(record.PathwaysFor(purpose), "none") {
			rows["purpose"] = append(rows["purpose"], purpose)
		}
	}
	for claim, values := range rows {
		for _, value := range values {
			if err := consentOf(t, good.with(claim, value)); err != nil {
				t.Errorf("%s %v: %v", claim, value, err)
			}
		}
	}
	// She said it within the minute that clocks may differ.
	ahead := good.with("given_at", now.Unix()+60).with("valid_from", now.Unix()+60)
	if err := consentOf(t, ahead); err != nil {
		t.Errorf("given a minute ahead: %v", err)
	}
	for _, state := range []string{"verbal-in-person", "verbal-phone", "written", "digital", "signed-form"} {
		if !record.Methods().Has(state) {
			t.Errorf("no method %s", state)
		}
	}
}

func TestWithdrawalClaimOfTheWrongFormIsRefusedByName(t *testing.T) {
	good := membersOf(t, withdrawn())
	if err := withdrawalOf(t, good); err != nil {
		t.Fatalf("the withdrawal that the rows change is refused itself: %v", err)
	}
	bad := map[string][]any{"digest": {nil, "", "x", digestOf("x")[1:], digestOf("x") + "\n", digestOf("x")[:42] + "_", digestOf("x") + "="}}
	for _, claim := range []string{"hub", "iss", "jti", "iat", "act"} {
		bad[claim] = badValues()[claim]
	}
	for _, value := range badValues()["jti"] {
		// A withdrawal names a record by its id in its one spelling; of which version
		// that id is, the record itself had to show.
		if s, ok := value.(string); !ok || len(s) != 36 || s != strings.ToLower(s) {
			bad["consent"] = append(bad["consent"], value)
		}
	}
	for claim := range good {
		if len(bad[claim]) == 0 {
			t.Errorf("no row for %s", claim)
		}
	}
	for claim, values := range bad {
		for _, value := range values {
			t.Run(claim, func(t *testing.T) {
				refused(t, withdrawalOf(t, good.with(claim, value)), record.ErrClaim, "claim", claim)
				if t.Failed() {
					t.Logf("value %#v", value)
				}
			})
		}
	}
	for _, act := range []any{nil, strings.Repeat("u", 64)} {
		if err := withdrawalOf(t, good.with("act", act)); err != nil {
			t.Errorf("act %v: %v", act, err)
		}
	}
}

func TestStatementThatIsNoSuchJWSIsRefused(t *testing.T) {
	kid := signingEd25519().KeyID()
	for _, kind := range []struct {
		typ, other string
		claims     any
		parse      func(token string) error
	}{
		{record.ConsentType, record.WithdrawalType, agreed(), func(s string) error { _, err := record.ParseConsent(s); return err }},
		{record.WithdrawalType, record.ConsentType, withdrawn(), func(s string) error { _, err := record.ParseWithdrawal(s); return err }},
	} {
		payload := string(must(json.Marshal(kind.claims)))
		header := func(typ, more string) string {
			return signHeader(t, fmt.Sprintf(`{"alg":"EdDSA","typ":%q,"kid":%q%s}`, typ, kid, more), payload)
		}
		body := func(payload string) string { return sign(t, kind.typ, []byte(payload), signingEd25519()) }
		tail := func(members string) string { return body(strings.TrimSuffix(payload, "}") + "," + members + "}") }
		good := header(kind.typ, "")
		if err := kind.parse(good); err != nil {
			t.Fatal(err)
		}
		for _, row := range []struct{ name, token string }{
			{"nothing", ""},
			{"the other statement's typ", header(kind.other, "")},
			{"an envelope's typ", header("handover-envelope+jwt", "")},
			{"typ JWT", header("JWT", "")},
			{"typ in capitals", header(strings.ToUpper(kind.typ), "")},
			{"crit", header(kind.typ, `,"crit":["exp"],"exp":1`)},
			{"its own key", header(kind.typ, `,"jwk":`+string(must(signingEd25519().Public().MarshalJSON())))},
			{"alg none", signHeader(t, `{"alg":"none","typ":"`+kind.typ+`","kid":"k"}`, payload)},
			{"PS256, rightly signed", signPS256(t, kind.typ, payload)},
			{"no kid", signHeader(t, `{"alg":"EdDSA","typ":"`+kind.typ+`"}`, payload)},
			{"padded", good + "="},
			{"a line break within", good[:9] + "\n" + good[9:]},
			{"over 16 KiB", body(`{"hub":"` + strings.Repeat("h", record.Limit) + `"}`)},
			{"no JSON", body("she agreed")},
			{"an array", body("[" + payload + "]")},
			{"a name twice", tail(`"hub":"x"`)},
			{"a name twice, once escaped", tail(`"\u0068ub":"x"`)},
			{"an unknown claim", tail(`"aud":"borough"`)},
			{"a claim in capitals", body(strings.Replace(payload, `"hub"`, `"Hub"`, 1))},
			{"a second document", body(payload + payload)},
			{"invalid UTF-8", body(strings.Replace(payload, "user-", "user\xff", 1))},
			{"iat as text", body(strings.Replace(payload, fmt.Sprint(now.Unix()), `"1"`, 1))},
			{"iat as a fraction", body(strings.Replace(payload, fmt.Sprint(now.Unix()), `1.5`, 1))},
		} {
			t.Run(kind.typ+" "+row.name, func(t *testing.T) { refused(t, kind.parse(row.token), record.ErrMalformed) })
		}
	}
}

func TestStatementAtItsLimitIsAccepted(t *testing.T) {
	padded := func(n int) string {
		return sign(t, record.ConsentType, must(json.Marshal(membersOf(t, agreed()).with("hub", strings.Repeat("h", n)))), signingEd25519())
	}
	n := (record.Limit - len(padded(1))) / 4 * 3
	for ; len(padded(n+1)) <= record.Limit; n++ {
	}
	if _, err := record.ParseConsent(padded(n)); err != nil || len(padded(n)) < record.Limit-2 {
		t.Errorf("%d bytes: %v", len(padded(n)), err)
	}
	_, err := record.ParseConsent(padded(n + 1))
	refused(t, err, record.ErrMalformed)
}

func TestSignatureOfAnotherIsRefused(t *testing.T) {
	ed, ec := signingEd25519(), signingP256()
	other := testKey("stranger-ed25519", jose.EdDSA, jose.Ed25519)
	c, w := must(agreed().Sign(ed.Signer())), must(withdrawn().Sign(ed.Signer()))
	cs, ws := must(record.ParseConsent(c)), must(record.ParseWithdrawal(w))
	for name, key := range map[string]jose.PublicKey{
		"another key under the same kid": renamed(t, other, ed.KeyID()), "another key": other.Public(),
		"the same key under another kid": renamed(t, ed, "old"), "a P-256 key": renamed(t, ec, ed.KeyID()), "no key": {},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := record.VerifyConsent(cs, key)
			refused(t, err, record.ErrSignature)
			if got.Token() != "" || got.Digest() != "" || got.Issuer != "" {
				t.Error("a refused record is returned")
			}
			w, err := record.VerifyWithdrawal(ws, key)
			refused(t, err, record.ErrSignature)
			if w.Token() != "" || w.Issuer != "" {
				t.Error("a refused withdrawal is returned")
			}
		})
	}
	changed := agreed()
	changed.Sections = append(changed.Sections, "health")
	parts, forged := strings.Split(c, "."), strings.Split(must(changed.Sign(ed.Signer())), ".")
	_, err := record.VerifyConsent(must(record.ParseConsent(parts[0]+"."+forged[1]+"."+parts[2])), ed.Public())
	refused(t, err, record.ErrSignature)
}

// What is signed is what is read, and its digest is that of the token.
func TestSignedStatementsAreRead(t *testing.T) {
	for _, key := range []jose.PrivateKey{signingEd25519(), signingP256()} {
		token := must(agreed().Sign(key.Signer()))
		s := must(record.ParseConsent(token))
		c, err := record.VerifyConsent(s, key.Public())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(agreed(), c.Claims) + cmp.Diff(agreed(), s.Unverified()); diff != "" {
			t.Error(diff)
		}
		if c.Token() != token || c.Digest() != digestOf(token) || s.Digest() != digestOf(token) || s.KeyID() != key.KeyID() {
			t.Error("token, digest or kid is another")
		}
		token = must(withdrawn().Sign(key.Signer()))
		ws := must(record.ParseWithdrawal(token))
		w, err := record.VerifyWithdrawal(ws, key.Public())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(withdrawn(), w.WithdrawalClaims) + cmp.Diff(withdrawn(), ws.Unverified()); diff != "" {
			t.Error(diff)
		}
		if w.Token() != token || w.Fingerprint() != digestOf(token) || ws.KeyID() != key.KeyID() || w.Digest != digestOf("the record") {
			t.Error("token, fingerprint or kid is another")
		}
	}
}

// Nobody signs by mistake what would be refused.
func TestSignRefusesWhatWouldBeRefused(t *testing.T) {
	c, w := agreed(), withdrawn()
	c.Recipients, w.Consent = nil, "all of them"
	_, err := c.Sign(signingEd25519().Signer())
	refused(t, err, record.ErrClaim, "claim", "recipients")
	_, err = w.Sign(signingEd25519().Signer())
	refused(t, err, record.ErrClaim, "claim", "consent")
	if _, err := agreed().Sign(jose.SigningKey{}); err == nil {
		t.Error("signed without a key")
	}
	c = agreed()
	c.Act = "\xff"
	if _, err := c.Sign(signingEd25519().Signer()); err == nil {
		t.Error("signed invalid UTF-8")
	}
}

// A refused statement is not handed on.
func TestRefusedStatementIsNotReturned(t *testing.T) {
	s, _ := record.ParseConsent(sign(t, record.ConsentType, must(json.Marshal(membersOf(t, agreed()).with("sub", "Jane Roe"))), signingEd25519()))
	w, _ := record.ParseWithdrawal(sign(t, record.WithdrawalType, must(json.Marshal(membersOf(t, withdrawn()).with("act", strings.Repeat("u", 65)))), signingEd25519()))
	if s.Unverified().Subject != "" || s.KeyID() != "" || w.Unverified().Act != "" || w.KeyID() != "" {
		t.Error("claims of a refused statement are returned")
	}
}

func TestStatementCountsAtItsHubAndInItsTime(t *testing.T) {
	at := now.Unix()
	for _, row := range []struct {
		name string
		hub  string
		iat  int64
		at   time.Time
		want *fault.Fault
	}{
		{"now", hub, at, now, nil},
		{"staging", "https://staging.hub.example", at, now, record.ErrStale},
		{"a slash more", hub + "/", at, now, record.ErrStale},
		{"60 s ahead", hub, at + 60, now, nil},
		{"61 s ahead", hub, at + 61, now, record.ErrStale},
		{"24 h old", hub, at - day, now, nil},
		{"24 h and 1 s old", hub, at - day - 1, now, record.ErrStale},
		{"24 h and half a second old", hub, at - day, now.Add(time.Second / 2), record.ErrStale},
		{"at the end of time", hub, math.MaxInt64, now, record.ErrStale},
		{"before all time", hub, math.MinInt64, now, record.ErrStale},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := record.Fresh(row.hub, row.iat, hub, row.at)
			if row.want == nil && err != nil {
				t.Error(err)
			} else if row.want != nil {
				refused(t, err, row.want)
			}
		})
	}
}
