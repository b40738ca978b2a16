package record_test

import (
	"encoding/json"
	"errors"
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

// overridden are the claims of an honest override: a child is at risk, and she said no.
func overridden() record.OverrideClaims {
	return record.OverrideClaims{
		Hub: hub, Issuer: "charity", ID: jti, IssuedAt: now.Unix(), Act: "user-7", Subject: subject, Purpose: "protect-from-harm",
		Recipient: "borough", Sections: []string{"need", "risk"}, Agreement: "refused", Reason: "child-at-risk", AtRisk: []string{"herself", "child"},
		Told: "no", NotTold: "unsafe", Gate: record.Gate{Pathway: "care-act-s42"}, Emergency: true,
		Bases: record.Bases{{Controller: "charity", Article6: "ea", Condition: "safeguarding", Article9: "g", Schedule1: "18",
			Safeguarding: "would-prejudice", Policy: "APD-1"}},
		ValidFrom: now.Unix(), Expires: now.Unix() + 28*day, ReviewAt: now.Unix() + 7*day,
		Sealed: map[string]string{"necessity": digestOf("why"), "minimum": digestOf("what"), "at-risk": digestOf("who")},
	}
}

func overrideOf(t testing.TB, m members) error {
	t.Helper()
	_, err := record.ParseOverride(sign(t, record.OverrideType, must(json.Marshal(m)), signingEd25519()))
	return err
}

// badOverrides are, for each claim of an override, values that it must not have. nil is the
// claim left out.
func badOverrides() map[string][]any {
	bad := badValues()
	list := func(values ...any) any { return append([]any{}, values...) }
	digests := func(change func(map[string]string)) any {
		d := overridden().Sealed
		change(d)
		return d
	}
	rows := map[string][]any{
		"act":             {nil, "", strings.Repeat("u", 65), "Ada Sample", "ada@agency.example"},
		"purpose":         {nil, "", "*", "Housing"},
		"recipient":       {nil, "", "*", "category:housing", "Borough", "charity", strings.Repeat("a", 41)},
		"sections":        {nil, list(), list("*"), list("need", "need"), list("Need"), list("attachment-1")},
		"agreement":       {nil, "", "agreed", "withdrawn", "Refused"},
		"reason":          {nil, "", "she is difficult", "cannot-consent"},
		"at_risk":         {nil, list(), list("herself"), list("child", "child"), list("child", "everyone")},
		"told":            {nil, "", "later", true},
		"not_told_reason": {nil, "", "no time", "Unsafe"},
		"basis":           {nil, list()},
		"gate":            {nil},
		"valid_from":      {nil, 0, now.Unix() - 61, now.Unix() + 61},
		"expires_at":      {nil, 0, now.Unix(), now.Unix() + 28*day + 1, int64(math.MaxInt64)},
		"review_at":       {nil, 0, now.Unix(), now.Unix() + 28*day + 1},
		"sealed": {nil, members{}, digests(func(d map[string]string) { delete(d, "necessity") }), digests(func(d map[string]string) { delete(d, "minimum") }),
			digests(func(d map[string]string) { delete(d, "at-risk") }), digests(func(d map[string]string) { d["her-words"] = d["minimum"] }),
			digests(func(d map[string]string) { d["minimum"] = "what" })},
	}
	for _, claim := range []string{"hub", "iss", "jti", "iat", "sub"} {
		rows[claim] = bad[claim]
	}
	return rows
}

// whyOverride takes from the refusal of a claim what it says to do, which must be there.
func overrideRefused(t *testing.T, err error, claim string) {
	t.Helper()
	f, ok := errors.AsType[*fault.Fault](err)
	if !ok || !errors.Is(err, record.ErrOverrideClaim) || f.Members()["claim"] != claim {
		t.Errorf("got %v, want override-claim about %s", err, claim)
		return
	}
	if why := record.WhyOverride(claim); why == "" || f.Members()["why"] != why {
		t.Errorf("claim %s: it is said %v, want %q", claim, f.Members()["why"], why)
	}
}

func TestOverrideClaimOfTheWrongFormIsRefusedByName(t *testing.T) {
	good := membersOf(t, overridden())
	if err := overrideOf(t, good); err != nil {
		t.Fatalf("the override that the rows change is refused itself: %v", err)
	}
	bad := badOverrides()
	for claim := range good {
		if len(bad[claim]) == 0 && claim != "emergency" {
			t.Errorf("no row for %s", claim)
		}
	}
	for claim, values := range bad {
		for _, value := range values {
			t.Run(claim, func(t *testing.T) {
				if value == true {
					refused(t, overrideOf(t, good.with(claim, value)), record.ErrMalformed)
					return
				}
				name := claim
				if claim == "gate" {
					name = "gate.pathway"
				}
				overrideRefused(t, overrideOf(t, good.with(claim, value)), name)
				if t.Failed() {
					t.Logf("value %#v", value)
				}
			})
		}
	}
}

// The rows are from the design and the statutes it names, not from the code.
func TestTheLawOfAnOverride(t *testing.T) {
	gate := func(purpose, pathway string) func(*record.OverrideClaims) {
		return func(o *record.OverrideClaims) { o.Purpose, o.Gate = purpose, record.Gate{Pathway: pathway} }
	}
	basis := func(b record.Basis) func(*record.OverrideClaims) {
		return func(o *record.OverrideClaims) {
			b.Controller = "charity"
			o.Bases = record.Bases{b}
		}
	}
	for _, row := range []struct {
		name, claim string
		change      func(*record.OverrideClaims)
	}{
		{"as it is", "", func(*record.OverrideClaims) {}},
		{"not asked, unsafe", "", func(o *record.OverrideClaims) { o.Agreement = "not-asked-unsafe" }},
		{"not asked, could not be", "", func(o *record.OverrideClaims) { o.Agreement, o.Reason = "not-asked-impracticable", "cannot-consent" }},
		{"she was told", "", func(o *record.OverrideClaims) { o.Told, o.NotTold = "yes", "" }},
		{"told, and why not", "not_told_reason", func(o *record.OverrideClaims) { o.Told = "yes" }},
		{"others at risk, and it is herself", "at_risk", func(o *record.OverrideClaims) { o.Reason, o.AtRisk = "others-at-risk", []string{"herself"} }},
		{"others at risk", "", func(o *record.OverrideClaims) { o.Reason, o.AtRisk = "others-at-risk", []string{"public"} }},
		{"an emergency that begins tomorrow", "valid_from", func(o *record.OverrideClaims) { o.ValidFrom, o.ReviewAt = now.Unix()+day, now.Unix()+2*day }},
		{"no emergency, from tomorrow", "", func(o *record.OverrideClaims) { o.Emergency, o.ValidFrom = false, now.Unix()+day }},
		{"consent as its basis", "basis.art6", basis(record.Basis{Article6: "a", Article9: "c"})},
		{"explicit consent as its condition", "basis.art9", basis(record.Basis{Article6: "f", Article9: "a"})},
		{"consent for data about offences", "basis.schedule1", func(o *record.OverrideClaims) {
			o.Sections = []string{"justice"}
			basis(record.Basis{Article6: "f", Article10: "schedule-1", Schedule1: "29"})(o)
		}},
		{"no condition for what is about risk", "basis.art9", basis(record.Basis{Article6: "f"})},
		{"no basis of its own", "basis", func(o *record.OverrideClaims) { o.Bases[0].Controller = "borough" }},
		{"a MARAC", "", gate("marac", "marac")},
		{"a gate of something else", "gate.pathway", gate("housing", "marac")},
		{"a child's gate", "gate.pathway", gate("protect-from-harm", "nrm-child")},
		{"duty to refer", "gate-not-passable", gate("duty-to-refer", "duty-to-refer")},
		{"duty to refer without its gate", "gate-not-passable", gate("duty-to-refer", "none")},
		{"its gate for another purpose", "gate-not-passable", gate("housing", "duty-to-refer")},
		{"NRM", "gate-not-passable", gate("nrm", "nrm-adult")},
		{"NRM without its gate", "gate-not-passable", gate("nrm", "none")},
		{"NRM by another purpose", "gate-not-passable", gate("protect-from-harm", "nrm-adult")},
		{"NRM of somebody who cannot decide", "gate-not-passable", func(o *record.OverrideClaims) {
			gate("nrm", "nrm-adult")(o)
			o.Agreement, o.Reason = record.BestInterests, "cannot-consent"
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			o := overridden()
			row.change(&o)
			_, err := o.Sign(signingEd25519().Signer())
			switch row.claim {
			case "":
				if err != nil {
					t.Error(err)
				}
			case "gate-not-passable":
				refused(t, err, record.ErrGate)
			default:
				overrideRefused(t, err, row.claim)
			}
			if read := overrideOf(t, membersOf(t, o)); (read == nil) != (err == nil) {
				t.Errorf("signing says %v, reading %v", err, read)
			}
		})
	}
}

func TestWhatAnOverrideCovers(t *testing.T) {
	pass := func(change func(*record.Passage)) record.Passage {
		p := record.Passage{Subject: subject, Purpose: "protect-from-harm", Sender: "charity", Recipient: "borough", Category: "social-care",
			Classes: []string{"need", "risk"}, Now: now, Opens: true, Area: "E09000007"}
		change(&p)
		return p
	}
	from, until := overridden().ValidFrom, overridden().Expires
	for _, row := range []struct {
		name, section string
		change        func(*record.Passage)
		want          *fault.Fault
	}{
		{"what it names", "", func(*record.Passage) {}, nil},
		{"less", "", func(p *record.Passage) { p.Classes = []string{"need"} }, nil},
		{"another woman", "", func(p *record.Passage) { p.Subject = b64([]byte("another 16 bytes")) }, record.ErrOverrideNotCovered},
		{"another purpose", "", func(p *record.Passage) { p.Purpose = "housing" }, record.ErrOverrideNotCovered},
		{"another recipient", "", func(p *record.Passage) { p.Recipient = "shelter" }, record.ErrOverrideNotCovered},
		{"sent on by the recipient", "", func(p *record.Passage) { p.Sender, p.Recipient = "borough", "shelter" }, record.ErrOverrideNotCovered},
		{"the recipient's answer", "", func(p *record.Passage) { p.Sender, p.Recipient = "borough", "charity" }, record.ErrOverrideNotCovered},
		{"by somebody else", "", func(p *record.Passage) { p.Sender = "shelter" }, record.ErrOverrideNotCovered},
		{"a section more", "health", func(p *record.Passage) { p.Classes = []string{"health", "need"} }, record.ErrOverrideNotCovered},
		{"a second before", "", func(p *record.Passage) { p.Now = time.Unix(from-1, 0) }, record.ErrOverrideExpired},
		{"the last second", "", func(p *record.Passage) { p.Now = time.Unix(until-1, 0) }, nil},
		{"its end", "", func(p *record.Passage) { p.Now = time.Unix(until, 0) }, record.ErrOverrideExpired},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := overridden().Covers(pass(row.change))
			switch {
			case row.want == nil && err != nil:
				t.Error(err)
			case row.want != nil && row.section != "":
				refused(t, err, row.want, "section", row.section)
			case row.want != nil:
				refused(t, err, row.want)
			}
		})
	}
}

// What comes beside an override is what it binds: all three texts, and nothing else.
func TestTheTextsOfAnOverrideAreThoseThatItBinds(t *testing.T) {
	own := must(jose.Generate("ECDH-ES+A256KW", jose.X25519))
	make := func() record.PostedOverride {
		o, p := overridden(), record.PostedOverride{Sealed: map[string]string{}}
		for _, part := range record.OverrideParts().Codes() {
			p.Sealed[part] = must(record.SealText(o.Issuer, o.ID, part, "the "+part, own.Public()))
			o.Sealed[part] = digestOf(p.Sealed[part])
		}
		p.Override = must(o.Sign(signingEd25519().Signer()))
		return p
	}
	read := func(p record.PostedOverride) error {
		_, _, err := record.ReadOverride(must(json.Marshal(p)))
		return err
	}
	good, other := make(), make()
	if err := read(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(map[string]string){
		"one is missing":   func(s map[string]string) { delete(s, "minimum") },
		"one too many":     func(s map[string]string) { s["her-words"] = s["minimum"] },
		"another's":        func(s map[string]string) { s["minimum"] = other.Sealed["minimum"] },
		"two change place": func(s map[string]string) { s["minimum"], s["necessity"] = s["necessity"], s["minimum"] },
		"in clear":         func(s map[string]string) { s["minimum"] = "her address" },
	} {
		t.Run(name, func(t *testing.T) {
			p := make()
			change(p.Sealed)
			overrideRefused(t, read(p), "sealed")
		})
	}
	refused(t, func() error { _, _, err := record.ReadOverride([]byte(good.Override)); return err }(), record.ErrMalformed)
	if text, err := record.OpenText("charity", jti, "minimum", good.Sealed["minimum"], own); err != nil || text != "the minimum" {
		t.Errorf("opened %q, %v", text, err)
	}
}

// Each code says where it comes from, and what it means.
func TestCodesOfAnOverride(t *testing.T) {
	for name, row := range map[string]struct {
		list codes.List
		want []string
	}{
		"reason": {record.Reasons(), []string{"cannot-consent", "others-at-risk", "child-at-risk", "serious-crime", "coercion", "marac-high-risk",
			"court-or-statute", "emergency"}},
		"at_risk":         {record.AtRisks(), []string{"herself", "child", "unborn-child", "another-adult", "staff", "public"}},
		"not_told_reason": {record.NotToldReasons(), []string{"unsafe", "would-prejudice", "could-not-reach", "could-not-understand", "forbidden"}},
		"parts":           {record.OverrideParts(), []string{"necessity", "minimum", "at-risk"}},
		"decision":        {record.Decisions(), []string{"approved", "refused"}},
		"outcome":         {record.Reviews(), []string{"continues", "ended"}},
	} {
		if !slices.Equal(row.list.Codes(), row.want) {
			t.Errorf("%s: %v, want %v", name, row.list.Codes(), row.want)
		}
		for _, c := range row.list {
			if c.Label == "" || c.Source == "" {
				t.Errorf("%s %s has no label or no source", name, c.Code)
			}
		}
	}
}

func TestASignedOverrideIsRead(t *testing.T) {
	for _, key := range []jose.PrivateKey{signingEd25519(), signingP256()} {
		token := must(overridden().Sign(key.Signer()))
		s := must(record.ParseOverride(token))
		o, err := record.VerifyOverride(s, key.Public())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(overridden(), o.OverrideClaims) + cmp.Diff(overridden(), s.Unverified()); diff != "" {
			t.Error(diff)
		}
		if o.Token() != token || o.Digest() != digestOf(token) || s.Digest() != digestOf(token) {
			t.Error("token or digest is another")
		}
		stranger := testKey("stranger-ed25519", jose.EdDSA, jose.Ed25519)
		o, err = record.VerifyOverride(s, renamed(t, stranger, key.KeyID()))
		refused(t, err, record.ErrSignature)
		if o.Token() != "" || o.Issuer != "" {
			t.Error("a refused override is returned")
		}
	}
}
