package hubtest

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/google/uuid"

	"handover/consent/record"
	"handover/internal/ids"
	"handover/referral/packet"
)

// Override is a signed override with its sealed texts.
type Override struct {
	record.OverrideClaims
	Token  string
	Digest string
	Body   []byte // as it is posted
}

// Override signs what somebody of the agency proposes: to share need and safe-contact of a
// woman who refused with one other agency, for an hour. It is not posted yet.
func (a *Agency) Override(t testing.TB, act string, to *Agency, subject string, change ...func(*record.OverrideClaims)) Override {
	t.Helper()
	now := a.hub.Now().Unix()
	o := record.OverrideClaims{Hub: a.hub.issuer, Issuer: string(a.ID), ID: uuid.Must(uuid.NewV7()).String(), IssuedAt: now, Act: act,
		Subject: subject, Purpose: "protect-from-harm", Recipient: string(to.ID), Sections: []string{"need", "safe-contact"},
		Agreement: "refused", Reason: "child-at-risk", AtRisk: []string{"child"}, Told: "no", NotTold: "unsafe",
		Bases: record.Bases{{Controller: string(a.ID), Article6: "d", Article9: "c", Article10: "official-authority"}},
		Gate:  record.Gate{Pathway: "none"}, ValidFrom: now, Expires: now + 3600, ReviewAt: now + 1800, Sealed: map[string]string{}}
	p := record.PostedOverride{Sealed: map[string]string{}}
	for _, part := range record.OverrideParts().Codes() {
		jwe, err := record.SealText(o.Issuer, o.ID, part, "because "+part, a.Sealing.Public())
		if err != nil {
			t.Fatal(err)
		}
		p.Sealed[part], o.Sealed[part] = jwe, ids.Digest(jwe)
	}
	for _, f := range change {
		f(&o)
	}
	token, err := o.Sign(a.Signing.Signer())
	if err != nil {
		t.Fatal(err)
	}
	p.Override = token
	return Override{OverrideClaims: o, Token: token, Digest: ids.Digest(token), Body: must(json.Marshal(p))}
}

// Emergency makes an override one of an emergency.
func Emergency(o *record.OverrideClaims) { o.Emergency = true }

// Propose posts an override as the person.
func (p *Person) Propose(t testing.TB, o Override) Answer {
	t.Helper()
	return p.Do(t, Call{Method: http.MethodPost, Path: "/v1/overrides", Type: record.OverrideMedia, Body: o.Body})
}

// Decision signs, as the agency, what one of its managers decides about what has that id and
// digest.
func (a *Agency) Decision(t testing.TB, act, id, digest, decision string, change ...func(*record.DecisionClaims)) string {
	t.Helper()
	d := record.DecisionClaims{Said: a.said(act, id, digest), Decision: decision}
	for _, f := range change {
		f(&d)
	}
	token, err := d.Sign(a.Signing.Signer())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (a *Agency) said(act, id, digest string) record.Said {
	return record.Said{Hub: a.hub.issuer, Issuer: string(a.ID), ID: uuid.Must(uuid.NewV7()).String(), IssuedAt: a.hub.Now().Unix(),
		Act: act, Of: id, Digest: digest}
}

// Review signs, as the agency, that one of its managers has looked at an override again: until
// when it goes on, or 0 to end it.
func (a *Agency) Review(t testing.TB, act string, o Override, next int64) string {
	t.Helper()
	r := record.ReviewClaims{Said: a.said(act, o.ID, o.Digest), Outcome: record.Continues, ReviewAt: next}
	if next == 0 {
		r.Outcome = record.Ended
	}
	token, err := r.Sign(a.Signing.Signer())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// Says posts a signed statement about what the path names as the person.
func (p *Person) Says(t testing.TB, path, token string) Answer {
	t.Helper()
	return p.Do(t, Call{Method: http.MethodPost, Path: path, Type: "application/jose", Body: []byte(token)})
}

// Decide has the person, of the agency, decide about an override.
func (a *Agency) Decide(t testing.TB, p *Person, o Override, decision string) Answer {
	t.Helper()
	return p.Says(t, "/v1/overrides/"+o.ID+"/decision", a.Decision(t, p.ID, o.ID, o.Digest, decision))
}

// RequestOn drafts a request that rests on an override.
func (a *Agency) RequestOn(to *Agency, service string, o Override, sections ...string) Draft {
	d := a.Request(to, service, Consent{Claims: record.Claims{Subject: o.Subject, Purpose: o.Purpose}}, sections...)
	d.Basis = &packet.Basis{Override: o.ID, Digest: o.Digest}
	return d
}
