package record_test

import (
	"encoding/json"
	"errors"
	"testing"

	"handover/consent/record"
	"handover/internal/fault"
)

// Whatever comes, a police request and its decision are read in one way or refused with a
// declared refusal; what is read is written again as it was, and no no says more than no.
func FuzzParseInquiry(f *testing.F) {
	types := []string{record.InquiryType, record.InquiryDecisionType}
	for _, claims := range []any{inquired(), answered(), declined()} {
		m := membersOf(f, claims)
		for claim := range m {
			for _, value := range []any{nil, "", "yes", 1, []string{"need", "need"}} {
				f.Add(string(must(json.Marshal(m.with(claim, value)))))
			}
		}
		for _, typ := range types {
			f.Add(sign(f, typ, must(json.Marshal(m)), signingEd25519()))
		}
	}
	f.Fuzz(func(t *testing.T, input string) {
		policeHasOneMeaning(t, input)
		if input == "" {
			return
		}
		for _, typ := range types {
			policeHasOneMeaning(t, sign(t, typ, []byte(input), signingEd25519()))
		}
	})
}

func policeHasOneMeaning(t *testing.T, token string) {
	t.Helper()
	q, err := record.ParseInquiry(token)
	d, errD := record.ParseInquiryDecision(token)
	if err == nil && errD == nil {
		t.Fatal("one token is two statements")
	}
	for _, err := range []error{err, errD} {
		if _, declared := errors.AsType[*fault.Fault](err); err != nil && !declared {
			t.Fatalf("refused with %v, which is no refusal", err)
		}
	}
	if err == nil {
		rewritten(t, token, record.InquiryType, q.Unverified(), record.ParseInquiry)
	}
	if errD != nil {
		return
	}
	claims := d.Unverified()
	rewritten(t, token, record.InquiryDecisionType, claims, record.ParseInquiryDecision)
	_ = claims.Answers(inquired(), digestOf("the request"))
	if claims.Decision == record.Refused && (len(claims.Sections) > 0 || claims.Counselling+claims.Told+claims.NotTold != "") {
		t.Fatal("a no says more than no")
	}
}
