package record_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"handover/consent/record"
	"handover/keys/jose"
)

// asked is how she was asked: alone, by nobody's pressure, in English.
func asked() record.Circumstances {
	return record.Circumstances{Alone: "yes", Coercion: "none", Interpreter: "none", Language: "en", Capacity: "presumed"}
}

// posted makes what a recorder posts of the claims and circumstances, with her words sealed.
func posted(t *testing.T, c record.Claims, how record.Circumstances) (record.Posted, jose.PrivateKey) {
	t.Helper()
	own := must(jose.Generate("ECDH-ES+A256KW", jose.X25519))
	p := record.Posted{}
	p.Circumstances, c.Circumstances = must2(how.Text())
	p.Sealed = map[string]string{"her-words": must(record.SealText(c.Issuer, c.ID, "her-words", "only the council", own.Public()))}
	c.Sealed = map[string]string{"her-words": digestOf(p.Sealed["her-words"])}
	if c.Agreement == record.BestInterests {
		p.Sealed["capacity"] = must(record.SealText(c.Issuer, c.ID, "capacity", "assessed by a nurse", own.Public()))
		c.Sealed["capacity"] = digestOf(p.Sealed["capacity"])
		c.Method, c.Notice = "", record.Notice{}
	}
	p.Record = must(c.Sign(signingEd25519().Signer()))
	return p, own
}

func must2(a, b string, err error) (string, string) {
	if err != nil {
		panic(err)
	}
	return a, b
}

func readPosted(p record.Posted) error {
	_, _, err := record.ReadPosted(must(json.Marshal(p)))
	return err
}

// What comes beside a record is what the record binds, and nothing else comes.
func TestWhatComesBesideARecordIsWhatItBinds(t *testing.T) {
	good, own := posted(t, agreed(), asked())
	if err := readPosted(good); err != nil {
		t.Fatal(err)
	}
	other, _ := posted(t, agreed(), asked())
	for _, row := range []struct {
		name, claim string
		change      func(*record.Posted)
	}{
		{"no circumstances", "circumstances", func(p *record.Posted) { p.Circumstances = "" }},
		{"those of another record", "circumstances", func(p *record.Posted) { p.Circumstances = other.Circumstances }},
		{"no sealed words", "sealed", func(p *record.Posted) { p.Sealed = nil }},
		{"other sealed words", "sealed", func(p *record.Posted) { p.Sealed = other.Sealed }},
		{"a part too many", "sealed", func(p *record.Posted) {
			p.Sealed = map[string]string{"her-words": p.Sealed["her-words"], "capacity": p.Sealed["her-words"]}
		}},
		{"words in clear", "sealed", func(p *record.Posted) { p.Sealed = map[string]string{"her-words": "only the council"} }},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := good
			row.change(&p)
			refused(t, readPosted(p), record.ErrClaim, "claim", row.claim)
		})
	}
	_, _, err := record.ReadPosted([]byte(good.Record))
	refused(t, err, record.ErrMalformed)

	words, err := record.OpenText("charity", jti, "her-words", good.Sealed["her-words"], own)
	if err != nil || words != "only the council" {
		t.Errorf("opened %q, %v", words, err)
	}
	for _, of := range [][3]string{{"borough", jti, "her-words"}, {"charity", consent, "her-words"}, {"charity", jti, "capacity"}} {
		_, err := record.OpenText(of[0], of[1], of[2], good.Sealed["her-words"], own)
		refused(t, err, record.ErrClaim, "claim", "sealed")
	}
}

// Which parts are sealed says nothing: they are there whether or not somebody wrote anything.
func TestWhatIsSealedTellsNobodyWhetherThereIsAnything(t *testing.T) {
	plain := record.EveryPart("agreed", nil)
	pressed := record.EveryPart("agreed", map[string]string{"circumstances": "he waited outside"})
	if got := slices.Sorted(maps.Keys(plain)); !slices.Equal(got, slices.Sorted(maps.Keys(pressed))) || len(got) != len(record.SealedParts()) {
		t.Errorf("the parts are %v with nothing to say, and %v with something", got, slices.Sorted(maps.Keys(pressed)))
	}
	if pressed["circumstances"] != "he waited outside" {
		t.Errorf("what was written became %q", pressed["circumstances"])
	}
	for text, want := range map[string]bool{"": false, "assessed by a nurse": true} {
		if _, there := record.EveryPart(record.BestInterests, map[string]string{"capacity": text})["capacity"]; there != want {
			t.Errorf("a decision made for her with the text %q: there is a part, %v", text, there)
		}
	}
}

// The digest of the same circumstances is another each time: it cannot be guessed.
func TestCircumstancesCannotBeGuessed(t *testing.T) {
	_, a := must2(asked().Text())
	_, b := must2(asked().Text())
	if a == b {
		t.Error("the same codes have the same digest")
	}
}

func TestCircumstancesOfTheWrongFormAreRefusedByName(t *testing.T) {
	salt := strings.Repeat("A", 22)
	good := `{"salt":"` + salt + `","seen_alone":"yes","coercion":"none","interpreter":"none","language":"en","capacity":"presumed"}`
	text := func(body string) string { return base64.RawURLEncoding.EncodeToString([]byte(body)) }
	if _, err := record.ParseCircumstances(text(good)); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"salt": {salt, salt[1:]}, "seen_alone": {`"yes"`, `"maybe"`}, "coercion": {`"coercion":"none"`, `"coercion":""`},
		"interpreter": {`"interpreter":"none"`, `"interpreter":"her husband"`}, "language": {`"en"`, `"English!"`}, "capacity": {"presumed", "yes"},
	} {
		_, err := record.ParseCircumstances(text(strings.Replace(good, change[0], change[1], 1)))
		refused(t, err, record.ErrClaim, "claim", "circumstances."+name)
	}
	for _, body := range []string{"", "x", strings.Replace(good, "{", `{"name":"x",`, 1), good + good, strings.Replace(good, "en", strings.Repeat("e", 1000), 1)} {
		_, err := record.ParseCircumstances(text(body))
		refused(t, err, record.ErrMalformed)
	}
	_, err := record.ParseCircumstances(text(good) + "=")
	refused(t, err, record.ErrMalformed)
}

// A yes through a partner's mouth is none; a doubtful one waits for a manager; a plain one
// waits for nobody.
func TestHowSheWasAskedDecidesWhatCounts(t *testing.T) {
	for _, row := range []struct {
		agreement string
		change    func(*record.Circumstances)
		claim     string
		review    bool
	}{
		{"agreed", func(*record.Circumstances) {}, "", false},
		{"agreed", func(c *record.Circumstances) { c.Alone = "no" }, "", false},
		{"agreed", func(c *record.Circumstances) { c.Interpreter = "professional" }, "", false},
		{"agreed", func(c *record.Circumstances) { c.Interpreter = "staff" }, "", false},
		{"agreed", func(c *record.Circumstances) { c.Interpreter = "other" }, "circumstances.interpreter", false},
		{"refused", func(c *record.Circumstances) { c.Interpreter = "other" }, "", false},
		{"agreed", func(c *record.Circumstances) { c.Coercion = "suspected" }, "", true},
		{"agreed", func(c *record.Circumstances) { c.Coercion = "present" }, "", true},
		{"refused", func(c *record.Circumstances) { c.Coercion = "present" }, "", false},
		{"agreed", func(c *record.Circumstances) { c.Capacity = "has" }, "", false},
		{"agreed", func(c *record.Circumstances) { c.Capacity = "doubt" }, "", true},
		{"agreed", func(c *record.Circumstances) { c.Capacity = "lacks" }, "circumstances.capacity", false},
		{record.BestInterests, func(c *record.Circumstances) { c.Capacity = "lacks" }, "", true},
		{record.BestInterests, func(*record.Circumstances) {}, "circumstances.capacity", false},
	} {
		c, how := agreed(), asked()
		c.Agreement = row.agreement
		row.change(&how)
		p, _ := posted(t, c, how)
		err := readPosted(p)
		if row.claim != "" {
			refused(t, err, record.ErrClaim, "claim", row.claim)
			continue
		}
		if err != nil {
			t.Errorf("%s %+v: %v", row.agreement, how, err)
		}
		c.Act = ""
		if p, _ := posted(t, c, how); row.review {
			refused(t, readPosted(p), record.ErrClaim, "claim", "act")
		} else if err := readPosted(p); err != nil {
			t.Errorf("%s %+v, by nobody: %v", row.agreement, how, err)
		}
		if got := p.NeedsReview(c); got != row.review {
			t.Errorf("%s %+v: needs a review %v, want %v", row.agreement, how, got, row.review)
		}
	}
}
