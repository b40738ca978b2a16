package hubtest

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"

	"handover/audit/proof"
	"handover/consent/record"
	"handover/internal/codes"
	"handover/internal/ids"
	"handover/keys/jose"
	"handover/partners"
	"handover/referral/packet"
)

// Agree puts an agreement in force from one agency to another, for an hour, and
// returns its id. No purposes or sections means all of them.
func (h *Hub) Agree(t testing.TB, from, to *Agency, change ...func(*partners.Agreement)) string {
	t.Helper()
	a := partners.Agreement{Sender: from.ID, Recipient: to.ID, Purposes: codes.Purposes().Codes(),
		Sections: codes.Sections().Codes(), From: h.Now().Add(-time.Hour), To: h.Now().Add(time.Hour)}
	for _, f := range change {
		f(&a)
	}
	id, err := h.Operator.Agree(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// Offer publishes a service of the agency for every purpose in Area and returns its
// id.
func (h *Hub) Offer(t testing.TB, a *Agency, change ...func(*partners.Service)) string {
	t.Helper()
	s := partners.Service{Partner: a.ID, Name: "A service", Purposes: codes.Purposes().Codes(),
		Areas: []string{Area}, Capacity: "open"}
	for _, f := range change {
		f(&s)
	}
	id, err := h.Operator.Offer(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// Subject returns a fresh reference for one woman.
func Subject() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Consent is a signed consent record.
type Consent struct {
	record.Claims
	Token  string
	Digest string
	Body   []byte // as it is posted
}

// Asked are ordinary circumstances: alone, no pressure, no interpreter, no doubt.
func Asked() record.Circumstances {
	return record.Circumstances{Alone: "yes", Coercion: "none", Interpreter: "none", Language: "en", Capacity: "presumed"}
}

// Consent signs what a woman said to the agency: that the recipients may have every
// section for the purpose "housing", for an hour. It is not recorded yet.
func (a *Agency) Consent(t testing.TB, subject string, recipients []string, change ...func(*record.Claims)) Consent {
	t.Helper()
	return a.ConsentAsked(t, Asked(), subject, recipients, change...)
}

// ConsentAsked is Consent of a woman who was asked in those circumstances. The gate that
// the purpose needs is filled in.
func (a *Agency) ConsentAsked(t testing.TB, how record.Circumstances, subject string, recipients []string, change ...func(*record.Claims)) Consent {
	t.Helper()
	circumstances, digest, err := how.Text()
	if err != nil {
		t.Fatal(err)
	}
	now := a.hub.Now().Unix()
	c := record.Claims{Hub: a.hub.issuer, Issuer: string(a.ID), ID: uuid.Must(uuid.NewV7()).String(), IssuedAt: now,
		Subject: subject, Jurisdiction: "GB-ENG", Agreement: "agreed", Method: "verbal-in-person",
		Purpose: "housing", Recipients: recipients, Sections: codes.Sections().Codes(), Onward: "none",
		Notice:        record.Notice{Version: "1", Digest: ids.Digest("notice"), Language: "en"},
		Bases:         record.Bases{{Controller: string(a.ID), Article6: "a", Article9: "a", Article10: "official-authority"}},
		Circumstances: digest,
		GivenAt:       now - 60, ValidFrom: now - 60, Expires: now + 3600}
	for _, f := range change {
		f(&c)
	}
	if c.Gate.Pathway == "" {
		c.Gate.Pathway = record.PathwaysFor(c.Purpose)[0]
	}
	if c.Gate.Pathway == "duty-to-refer" && c.Gate.Agreements == nil {
		c.Gate.Agreements, c.Gate.Authority = record.DutyAgreements().Codes(), Area
	}
	if c.Act == "" && how.NeedReview(c.Agreement) {
		c.Act = "who-asked"
	}
	token, err := c.Sign(a.Signing.Signer())
	if err != nil {
		t.Fatal(err)
	}
	return Consent{Claims: c, Token: token, Digest: ids.Digest(token), Body: Posted(token, circumstances)}
}

// Posted is what a recorder posts: the record, and the circumstances that it binds.
func Posted(token, circumstances string) []byte {
	return must(json.Marshal(record.Posted{Record: token, Circumstances: circumstances}))
}

// PostConsent posts a consent record as the agency.
func (a *Agency) PostConsent(t testing.TB, c Consent) Answer {
	t.Helper()
	return a.Do(t, Call{Method: http.MethodPost, Path: "/v1/consents", Type: record.MediaType, Body: c.Body})
}

// Record signs a consent and records it.
func (a *Agency) Record(t testing.TB, subject string, recipients []string, change ...func(*record.Claims)) Consent {
	t.Helper()
	c := a.Consent(t, subject, recipients, change...)
	if answer := a.PostConsent(t, c); answer.Status != http.StatusCreated {
		t.Fatalf("recording a consent: %d %s", answer.Status, answer.Body)
	}
	return c
}

// Withdrawal signs, as the agency, that she takes the consent back.
func (a *Agency) Withdrawal(t testing.TB, c Consent) string {
	t.Helper()
	w := record.WithdrawalClaims{Hub: a.hub.issuer, Issuer: string(a.ID), ID: uuid.Must(uuid.NewV7()).String(),
		IssuedAt: a.hub.Now().Unix(), Consent: c.ID, Digest: c.Digest}
	token, err := w.Sign(a.Signing.Signer())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// Withdraw posts a withdrawal as the agency.
func (a *Agency) Withdraw(t testing.TB, c Consent) Answer {
	t.Helper()
	return a.Do(t, Call{Method: http.MethodPost, Path: "/v1/consents/" + c.ID + "/withdraw", Type: "application/jose",
		Body: []byte(a.Withdrawal(t, c))})
}

// Never records, as the agency, with whom nothing may ever be shared about the subjects, and
// returns its id.
func (a *Agency) Never(t testing.TB, subjects []string, recipients ...string) (id, digest string) {
	t.Helper()
	n := record.NeverClaims{Hub: a.hub.issuer, Issuer: string(a.ID), ID: uuid.Must(uuid.NewV7()).String(), IssuedAt: a.hub.Now().Unix(),
		Subjects: subjects, Recipients: recipients}
	token, err := n.Sign(a.Signing.Signer())
	if err != nil {
		t.Fatal(err)
	}
	answer := a.Do(t, Call{Method: http.MethodPost, Path: "/v1/nevers", Type: "application/jose", Body: []byte(token)})
	if answer.Status != http.StatusCreated {
		t.Fatalf("recording a never: %d %s", answer.Status, answer.Body)
	}
	return n.ID, ids.Digest(token)
}

// Lift records, as the agency, that she has changed her mind about a never.
func (a *Agency) Lift(t testing.TB, id, digest string) Answer {
	t.Helper()
	token, err := record.LiftClaims{Hub: a.hub.issuer, Issuer: string(a.ID), ID: uuid.Must(uuid.NewV7()).String(), IssuedAt: a.hub.Now().Unix(),
		Never: id, Digest: digest}.Sign(a.Signing.Signer())
	if err != nil {
		t.Fatal(err)
	}
	return a.Do(t, Call{Method: http.MethodPost, Path: "/v1/nevers/" + id + "/lift", Type: "application/jose", Body: []byte(token)})
}

// Draft is a packet in the making, in which all is right until a test spoils it.
type Draft struct {
	packet.Claims
	Data   map[string]packet.Content
	To     packet.To
	Signer jose.SigningKey
}

// Sealed is a packet as it travels.
type Sealed struct {
	packet.Packet
	Claims packet.Claims
	Body   []byte
	Digest string // of the envelope: for a request, the referral's id
}

// Request drafts the request that opens a referral to the agency's service, with the
// sections need and safe-contact and copies for the sender.
func (a *Agency) Request(to *Agency, service string, c Consent, sections ...string) Draft {
	if len(sections) == 0 {
		sections = []string{"need", "safe-contact"}
	}
	d := a.draft(to, packet.Request)
	d.Subject, d.Purpose, d.Urgency, d.Service, d.Area = c.Subject, c.Purpose, "routine", service, Area
	return d.With(c, sections...)
}

// Event drafts a later step of a referral, without content. Where the event needs a
// reason or an outcome, it gives one.
func (a *Agency) Event(to *Agency, e packet.Event, referral, prev string) Draft {
	d := a.draft(to, e)
	d.Referral, d.Prev = referral, prev
	switch e {
	case packet.Redirect:
		d.Service = uuid.NewString()
	case packet.Decline:
		d.Reason = "no-capacity"
	case packet.Fail:
		d.Reason = "moved-away"
	case packet.Withdraw:
		d.Reason = "no-longer-needed"
	case packet.Complete:
		d.Outcome = "housed"
	}
	return d
}

func (a *Agency) draft(to *Agency, e packet.Event) Draft {
	own := a.Sealing.Public()
	now := a.hub.Now()
	return Draft{
		Claims: packet.Claims{Hub: a.hub.issuer, Issuer: string(a.ID), Audience: string(to.ID), ID: uuid.Must(uuid.NewV7()).String(),
			Event: e, IssuedAt: now.Unix(), Expires: now.Add(time.Hour).Unix()},
		Data:   map[string]packet.Content{},
		To:     packet.To{Recipient: to.Sealing.Public(), Copy: &own},
		Signer: a.Signing.Signer(),
	}
}

// With adds sections, on the basis of the consent.
func (d Draft) With(c Consent, sections ...string) Draft {
	d.Basis = &packet.Basis{Consent: c.ID, Digest: c.Digest}
	for _, s := range sections {
		d.Data[s] = packet.Content(`{"text":"` + s + `"}`)
	}
	return d
}

// Seal makes the packet, after change.
func (d Draft) Seal(t testing.TB, change ...func(*Draft)) Sealed {
	t.Helper()
	for _, f := range change {
		f(&d)
	}
	p, err := packet.Seal(d.Claims, d.Data, d.To, d.Signer, time.Unix(d.IssuedAt, 0))
	if err != nil {
		t.Fatal(err)
	}
	return Wrap(t, p)
}

// Wrap reads back what a packet states, whether or not it is a good one.
func Wrap(t testing.TB, p packet.Packet) Sealed {
	t.Helper()
	s := Sealed{Packet: p, Body: must(p.Bytes()), Digest: ids.Digest(p.Envelope)}
	if e, err := packet.ParseEnvelope(p.Envelope); err == nil {
		s.Claims = e.Unverified()
	}
	return s
}

// Send posts the packet as the agency: a request to /v1/referrals, any other event
// to its referral.
func (a *Agency) Send(t testing.TB, s Sealed, scopes ...partners.Scope) Answer {
	t.Helper()
	path := "/v1/referrals"
	if s.Claims.Referral != "" {
		path += "/" + s.Claims.Referral + "/events"
	}
	return a.Do(t, Call{Method: http.MethodPost, Path: path, Type: packet.MediaType, Body: s.Body, Scopes: scopes})
}

// Sent posts the packet, which must be accepted, and returns its receipt.
func (a *Agency) Sent(t testing.TB, s Sealed) proof.Receipt {
	t.Helper()
	var receipt proof.Receipt
	a.Send(t, s).Into(t, http.StatusCreated, &receipt)
	return receipt
}

// Open asks for sections of the packet with the envelope's digest, "" for the
// request.
func (a *Agency) Open(t testing.TB, referral, envelope string, sections ...string) Answer {
	t.Helper()
	body := map[string]any{"sections": sections, "reason": "triage"}
	if envelope != "" {
		body["envelope"] = envelope
	}
	return a.PostJSON(t, "/v1/referrals/"+referral+"/open", body)
}
