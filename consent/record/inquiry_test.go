package record_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"handover/consent/record"
	"handover/internal/fault"
	"handover/keys/jose"
)

// inquired and answered are the claims of an honest police request for counselling records,
// and of a yes.
func inquired() record.InquiryClaims {
	return record.InquiryClaims{Hub: hub, Issuer: "force", ID: jti, IssuedAt: now.Unix(), Act: "officer-1", Audience: "charity", Reference: subject,
		Enquiry: "what-happened", Necessity: []string{"not-elsewhere", "probative"}, Sections: []string{"need", "risk"}, Counselling: "yes",
		Senior: record.Senior{Act: "officer-2", Rank: "inspector"}, Notice: "withheld", Withheld: "serious-harm",
		RespondBy: now.Unix() + 7*day, Sealed: digestOf("the text")}
}

func answered() record.InquiryDecisionClaims {
	return record.InquiryDecisionClaims{Hub: hub, Issuer: "charity", ID: subject, Act: "user-9", Of: jti, Digest: digestOf("the request"),
		Decision: "approved", Sections: []string{"need"}, Counselling: "no", Told: "no", NotTold: "unsafe", Sealed: digestOf("why")}
}

// declined is a no: it has no member more.
func declined() record.InquiryDecisionClaims {
	d := answered()
	d.Decision, d.Sections, d.Counselling, d.Told, d.NotTold = "refused", nil, "", "", ""
	return d
}

func inquiryOf(t testing.TB, m members) error {
	t.Helper()
	_, err := record.ParseInquiry(sign(t, record.InquiryType, must(json.Marshal(m)), signingEd25519()))
	return err
}

func answerOf(t testing.TB, m members) error {
	t.Helper()
	_, err := record.ParseInquiryDecision(sign(t, record.InquiryDecisionType, must(json.Marshal(m)), signingEd25519()))
	return err
}

// refusedInquiry checks that a claim is refused by its name, with what to do.
func refusedInquiry(t *testing.T, err error, claim string) {
	t.Helper()
	f, ok := errors.AsType[*fault.Fault](err)
	if !ok || !errors.Is(err, record.ErrInquiryClaim) {
		t.Errorf("got %v, want the refusal of %s", err, claim)
		return
	}
	if f.Members()["claim"] != claim || f.Members()["why"] == "" || f.Members()["why"] != record.WhyInquiry(claim) {
		t.Errorf("it says %v, want the claim %s", f.Members(), claim)
	}
}

func TestAClaimOfAPoliceRequestOrItsDecisionIsRefusedByName(t *testing.T) {
	user := []any{nil, "", strings.Repeat("u", 65), "Ada Sample"}
	rows := map[string]struct {
		good  members
		parse func(testing.TB, members) error
		bad   map[string][]any
	}{
		"request": {membersOf(t, inquired()), inquiryOf, map[string][]any{
			"hub": {nil, ""}, "iss": {nil, "The Force"}, "jti": {nil, "x", "0199a000-0000-4000-8000-0000000000cc"}, "iat": {nil, 0, -1}, "act": user,
			"aud": {nil, "", "category:vawg-service ", "Charity", "force"}, "reference": {nil, "CR/1234/26", "Sample Woman"},
			"line_of_enquiry": {nil, "fishing"}, "necessity": {nil, []string{}, []string{"probative", "probative"}, []string{"because"}, []string{"not-elsewhere"}},
			"sections": {nil, []string{}, []string{"need", "need"}, []string{"all"}}, "counselling": {nil, "", "maybe"},
			"senior": {nil, map[string]any{"act": "officer-1", "rank": "inspector"}, map[string]any{"act": "officer-2", "rank": "sergeant"}, map[string]any{"act": "", "rank": "inspector"}},
			"notice": {nil, "no"}, "withheld_reason": {nil, "busy"}, "respond_by": {nil, now.Unix() + day - 1, now.Unix() + 91*day}, "sealed": {nil, "x"}}},
		"yes": {membersOf(t, answered()), answerOf, map[string][]any{
			"hub": {nil, ""}, "iss": {nil, "The Charity"}, "jti": {nil, jti, "x"}, "act": user, "of": {nil, "x"}, "digest": {nil, "x"},
			"decision": {nil, "perhaps"}, "sections": {nil, []string{"need", "need"}, []string{"all"}}, "counselling": {nil, "some"},
			"told": {nil, "soon"}, "not_told_reason": {nil, "busy", record.NobodyToTell}, "sealed": {nil, "x"}}},
		// Whatever a no would say besides no, it does not.
		"no": {membersOf(t, declined()), answerOf, map[string][]any{
			"hub": {nil}, "iss": {nil}, "jti": {nil}, "act": {nil}, "of": {nil}, "digest": {nil}, "decision": {nil}, "sealed": {nil},
			"sections": {[]string{"need"}}, "counselling": {"no"}, "told": {"no"}, "not_told_reason": {"unsafe"}}},
	}
	for name, row := range rows {
		if err := row.parse(t, row.good); err != nil {
			t.Fatalf("the %s that the rows change is refused itself: %v", name, err)
		}
		for claim := range row.good {
			if len(row.bad[claim]) == 0 {
				t.Errorf("%s: no row for %s", name, claim)
			}
		}
		for claim, values := range row.bad {
			for _, value := range values {
				t.Run(name+" "+claim, func(t *testing.T) { refusedInquiry(t, row.parse(t, row.good.with(claim, value)), claim) })
			}
		}
	}
	refusedInquiry(t, inquiryOf(t, membersOf(t, inquired()).with("counselling", "no")), "senior")
	refusedInquiry(t, inquiryOf(t, membersOf(t, inquired()).with("notice", "given")), "withheld_reason")
	// A time, or a reason in clear, is no claim of a decision at all.
	for _, member := range []string{"iat", "reason"} {
		if err := answerOf(t, membersOf(t, declined()).with(member, 1)); !errors.Is(err, record.ErrMalformed) {
			t.Errorf("a no with %s: %v", member, err)
		}
	}
}

func TestASignedPoliceRequestOrDecisionIsRead(t *testing.T) {
	key, stranger := signingEd25519(), testKey("stranger-ed25519", jose.EdDSA, jose.Ed25519)
	q, d := must(inquired().Sign(key.Signer())), must(answered().Sign(key.Signer()))
	qs, ds := must(record.ParseInquiry(q)), must(record.ParseInquiryDecision(d))
	inquiry, err := record.VerifyInquiry(qs, key.Public())
	if err != nil || inquiry.Token() != q || inquiry.Digest() != digestOf(q) {
		t.Errorf("%v, token or digest is another", err)
	}
	decision, err := record.VerifyInquiryDecision(ds, key.Public())
	if err != nil || decision.Token() != d || decision.Fingerprint() != digestOf(d) {
		t.Errorf("%v, token or fingerprint is another", err)
	}
	if diff := cmp.Diff(inquired(), inquiry.InquiryClaims) + cmp.Diff(answered(), decision.InquiryDecisionClaims); diff != "" {
		t.Error(diff)
	}
	_, err = record.VerifyInquiry(qs, renamed(t, stranger, key.KeyID()))
	refused(t, err, record.ErrSignature)
	_, err = record.VerifyInquiryDecision(ds, renamed(t, stranger, key.KeyID()))
	refused(t, err, record.ErrSignature)
	for _, token := range []string{q, d} {
		_, err := record.ParseDecision(token)
		refused(t, err, record.ErrMalformed)
	}
}

func TestADecisionApprovesNoMoreThanWasAsked(t *testing.T) {
	for name, row := range map[string]struct {
		ask    func(*record.InquiryClaims)
		decide func(*record.InquiryDecisionClaims)
		want   error
	}{
		"less":                      {nil, nil, nil},
		"all":                       {nil, func(d *record.InquiryDecisionClaims) { d.Sections = []string{"risk", "need"} }, nil},
		"counselling":               {nil, func(d *record.InquiryDecisionClaims) { d.Counselling = "yes" }, nil},
		"counselling alone":         {nil, func(d *record.InquiryDecisionClaims) { d.Counselling, d.Sections = "yes", nil }, nil},
		"something else":            {nil, func(d *record.InquiryDecisionClaims) { d.Sections = []string{"need", "health"} }, record.ErrNotAsked},
		"another request":           {nil, func(d *record.InquiryDecisionClaims) { d.Of = consent }, record.ErrInquiryClaim},
		"other words of it":         {nil, func(d *record.InquiryDecisionClaims) { d.Digest = digestOf("other words") }, record.ErrInquiryClaim},
		"for another hub":           {nil, func(d *record.InquiryDecisionClaims) { d.Hub = "https://elsewhere.example" }, record.ErrStale},
		"counselling, not asked":    {func(q *record.InquiryClaims) { q.Counselling = "no" }, func(d *record.InquiryDecisionClaims) { d.Counselling = "yes" }, record.ErrCounselling},
		"counselling, by nobody":    {func(q *record.InquiryClaims) { q.Senior = record.Senior{} }, func(d *record.InquiryDecisionClaims) { d.Counselling = "yes" }, record.ErrCounselling},
		"counselling, by one alone": {func(q *record.InquiryClaims) { q.Senior.Act = q.Act }, func(d *record.InquiryDecisionClaims) { d.Counselling = "yes" }, record.ErrCounselling},
	} {
		q, d := inquired(), answered()
		if row.ask != nil {
			row.ask(&q)
		}
		if row.decide != nil {
			row.decide(&d)
		}
		if err := d.Answers(q, digestOf("the request")); !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", name, err, row.want)
		}
	}
}

// inquiryWords is what a police request says. All of it is made up.
func inquiryWords() record.InquiryText {
	return record.InquiryText{Names: []string{"Sample Woman", "S W"}, Details: "about 30", Enquiry: "who was there", Necessity: "nobody else saw it",
		Requester: record.Requester{Name: "D Example", Rank: "detective constable", Force: "Sample Police"}}
}

func TestWhatThePoliceSealIsReadByItsReaderForItsRequestAlone(t *testing.T) {
	reader, other := must(jose.Generate(jose.ECDHESA256KW, jose.X25519)), must(jose.Generate(jose.ECDHESA256KW, jose.X25519))
	q := inquired()
	jwe := must(record.SealInquiry(q.Issuer, q.Audience, q.ID, inquiryWords(), reader.Public()))
	q.Sealed = digestOf(jwe)
	got, err := record.OpenInquiry(q, jwe, reader)
	if err != nil || cmp.Diff(inquiryWords(), got) != "" {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = record.OpenInquiry(q, jwe, other)
	refusedInquiry(t, err, "sealed")
	for name, change := range map[string]func(*record.InquiryClaims){
		"from another":     func(q *record.InquiryClaims) { q.Issuer = "other-force" },
		"for another":      func(q *record.InquiryClaims) { q.Audience = "borough" },
		"another request":  func(q *record.InquiryClaims) { q.ID = consent },
		"not what it bind": func(q *record.InquiryClaims) { q.Sealed = digestOf("other") },
	} {
		moved := q
		change(&moved)
		if _, err := record.OpenInquiry(moved, jwe, reader); !errors.Is(err, record.ErrInquiryClaim) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, change := range map[string]func(*record.InquiryText){
		"nobody":        func(w *record.InquiryText) { w.Names = nil },
		"an empty name": func(w *record.InquiryText) { w.Names = []string{" "} },
		"no rank":       func(w *record.InquiryText) { w.Requester.Rank = "" },
		"no enquiry":    func(w *record.InquiryText) { w.Enquiry = "" },
		"no necessity":  func(w *record.InquiryText) { w.Necessity = "\n" },
	} {
		w := inquiryWords()
		change(&w)
		if _, err := record.SealInquiry(q.Issuer, q.Audience, q.ID, w, reader.Public()); !errors.Is(err, record.ErrInquiryClaim) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if record.FitsReader(must(jose.ParseEncrypted(jwe, 1<<15)), []jose.PublicKey{other.Public(), reader.Public()}) != nil {
		t.Error("it fits none of its reader's keys")
	}
	refusedInquiry(t, record.FitsReader(must(jose.ParseEncrypted(jwe, 1<<15)), []jose.PublicKey{other.Public()}), "sealed")
}

func TestASealedReasonTellsNothingByItsLength(t *testing.T) {
	own := must(jose.Generate(jose.ECDHESA256KW, jose.X25519))
	var lengths []int
	for _, r := range record.NoReasons().Codes() {
		d := declined()
		reason := record.InquiryReason{Reason: r, Told: "no", NotTold: record.NobodyToTell, Words: strings.Repeat("w", len(lengths))}
		jwe := must(record.SealInquiryReason(d.Issuer, d.ID, d.Decision, reason, own.Public()))
		d.Sealed = digestOf(jwe)
		lengths = append(lengths, len(jwe))
		if got, err := record.OpenInquiryReason(d, jwe, own); err != nil || got != reason {
			t.Errorf("%s: %+v, %v", r, got, err)
		}
		d.ID = "b3RoZXJvdGhlcm90aGVyMQ"
		_, err := record.OpenInquiryReason(d, jwe, own)
		refusedInquiry(t, err, "sealed")
	}
	if slices.Sort(lengths); lengths[0] != lengths[len(lengths)-1] {
		t.Errorf("the lengths are %v", lengths)
	}
	for claim, r := range map[string]record.InquiryReason{
		"reason": {Reason: "tests-met", Told: "yes"}, "told": {Reason: "safety"}, "not_told_reason": {Reason: "safety", Told: "no"},
	} {
		_, err := record.SealInquiryReason("charity", subject, record.Refused, r, own.Public())
		refusedInquiry(t, err, claim)
	}
	_, err := record.SealInquiryReason("charity", subject, record.Approved, record.InquiryReason{Reason: "tests-met", Told: "no", NotTold: record.NobodyToTell}, own.Public())
	refusedInquiry(t, err, "not_told_reason")
}
