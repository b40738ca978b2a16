package hubtest

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/google/uuid"

	"handover/consent/record"
	"handover/internal/ids"
)

// Inquiry is a signed police request with its sealed text.
type Inquiry struct {
	record.InquiryClaims
	Digest string
	Sealed string
	Body   []byte // as it is posted
}

// InquiryText is what a police request says in words in tests. All of it is made up.
var InquiryText = record.InquiryText{Names: []string{"Sample Woman"}, Requester: record.Requester{Name: "D Example", Rank: "detective constable", Force: "Sample Police"},
	Enquiry: "who was there that night", Necessity: "nobody else saw it"}

// Inquiry signs what an officer of the agency asks of a holder: where she was, within two
// days. It is not posted yet.
func (a *Agency) Inquiry(t testing.TB, act string, holder *Agency, change ...func(*record.InquiryClaims)) Inquiry {
	t.Helper()
	now := a.hub.Now().Unix()
	q := record.InquiryClaims{Hub: a.hub.issuer, Issuer: string(a.ID), ID: uuid.Must(uuid.NewV7()).String(), IssuedAt: now, Act: act,
		Audience: string(holder.ID), Reference: Subject(), Enquiry: "what-happened", Necessity: []string{"not-elsewhere"},
		Sections: []string{"need", "risk"}, Counselling: "no", Notice: "withheld", Withheld: "would-interfere", RespondBy: now + 2*24*3600}
	jwe, err := record.SealInquiry(q.Issuer, q.Audience, q.ID, InquiryText, holder.Sealing.Public())
	if err != nil {
		t.Fatal(err)
	}
	q.Sealed = ids.Digest(jwe)
	for _, f := range change {
		f(&q)
	}
	token, err := q.Sign(a.Signing.Signer())
	if err != nil {
		t.Fatal(err)
	}
	return Inquiry{InquiryClaims: q, Digest: ids.Digest(token), Sealed: jwe,
		Body: must(json.Marshal(record.PostedInquiry{Request: token, Sealed: jwe}))}
}

// Asks posts a police request as the person.
func (p *Person) Asks(t testing.TB, q Inquiry) Answer {
	t.Helper()
	return p.Do(t, Call{Method: http.MethodPost, Path: "/v1/police-requests", Type: record.InquiryMedia, Body: q.Body})
}

// Answer signs, as the agency, what one of its managers decides about a police request, for a
// reason that is sealed to the agency itself, and returns it as it is posted.
func (a *Agency) Answer(t testing.TB, act string, q Inquiry, decision string, change ...func(*record.InquiryDecisionClaims)) []byte {
	t.Helper()
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails
	d := record.InquiryDecisionClaims{Hub: a.hub.issuer, Issuer: string(a.ID), ID: base64.RawURLEncoding.EncodeToString(random[:]), Act: act,
		Of: q.ID, Digest: q.Digest, Decision: decision}
	reason := record.InquiryReason{Reason: "no-such-person", Told: "no", NotTold: record.NobodyToTell}
	if decision == record.Approved {
		d.Sections, d.Counselling, d.Told = q.Sections[:1], "no", "yes"
		reason = record.InquiryReason{Reason: "tests-met", Told: "yes"}
	}
	jwe, err := record.SealInquiryReason(d.Issuer, d.ID, decision, reason, a.Sealing.Public())
	if err != nil {
		t.Fatal(err)
	}
	d.Sealed = ids.Digest(jwe)
	for _, f := range change {
		f(&d)
	}
	token, err := d.Sign(a.Signing.Signer())
	if err != nil {
		t.Fatal(err)
	}
	return must(json.Marshal(record.PostedInquiryDecision{Decision: token, Sealed: jwe}))
}

// Answers posts a decision about a police request as the person.
func (p *Person) Answers(t testing.TB, id string, body []byte) Answer {
	t.Helper()
	return p.Do(t, Call{Method: http.MethodPost, Path: "/v1/police-requests/" + id + "/decision", Type: record.InquiryDecisionMedia, Body: body})
}

// Opens asks, as the person, for the sealed text of a police request.
func (p *Person) Opens(t testing.TB, id string) Answer {
	t.Helper()
	return p.Do(t, Call{Method: http.MethodPost, Path: "/v1/police-requests/" + id + "/open"})
}
