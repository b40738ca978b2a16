package referral_test

import (
	"net/http"
	"slices"
	"testing"

	"handover/consent"
	"handover/internal/hubtest"
	"handover/partners"
	"handover/referral"
	"handover/referral/packet"
)

// touched asks what a key touched, as an administrator of the agency.
func touched(t *testing.T, admin *hubtest.Person, kid string) (packets []referral.Touched, consents []consent.Signed) {
	t.Helper()
	var p struct{ Packets []referral.Touched }
	admin.Get(t, "/v1/keys/"+kid+"/packets").Into(t, http.StatusOK, &p)
	var c struct{ Consents []consent.Signed }
	admin.Get(t, "/v1/keys/"+kid+"/consents").Into(t, http.StatusOK, &c)
	return p.Packets, c.Consents
}

// When somebody else may have a key, its agency learns at once what it signed and what it
// opens, on either side, and nothing of what other keys did.
func TestWhatAKeyTouchedIsFound(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.Housing)
	sender, receiver := h.Person(t, p.From.ID, partners.Administrator), h.Person(t, p.To.ID, partners.Administrator)
	sent := p.Sent(t, "need", "risk")
	p.To.Sent(t, p.Step(t, p.To, packet.Receive, sent.Digest, sent.Digest))

	packets, consents := touched(t, sender, p.From.Signing.KeyID())
	if len(packets) != 1 || !packets[0].Signed || len(packets[0].Sealed) != 0 || packets[0].ID != sent.Digest ||
		packets[0].Other != string(p.To.ID) || packets[0].State != "received" || packets[0].Event != "request" {
		t.Errorf("the sender's signing key touched %+v", packets)
	}
	if len(consents) != 1 || consents[0].ID != p.Consent.ID || !slices.Equal(consents[0].Of, []string{"record"}) || consents[0].Withdrawn {
		t.Errorf("and signed %+v", consents)
	}
	packets, consents = touched(t, receiver, p.To.Sealing.KeyID())
	if len(packets) != 1 || packets[0].Signed || !slices.Equal(packets[0].Sealed, []string{"need", "risk"}) ||
		packets[0].Other != string(p.From.ID) || len(consents) != 0 {
		t.Errorf("the receiver's encryption key touched %+v and %+v", packets, consents)
	}
	if packets, _ = touched(t, receiver, p.To.Signing.KeyID()); len(packets) != 1 || packets[0].Event != "receive" {
		t.Errorf("the receiver's signing key touched %+v", packets)
	}

	// What is destroyed is touched no more; what was signed was signed.
	p.From.Sent(t, p.Step(t, p.From, packet.Withdraw, sent.Digest, hubtest.Value[string](t, h, `SELECT head FROM referral`)))
	if packets, _ = touched(t, receiver, p.To.Sealing.KeyID()); len(packets) != 0 {
		t.Errorf("after the withdrawal the encryption key touches %+v", packets)
	}
	if a := p.From.Withdraw(t, p.Consent); a.Status != http.StatusCreated {
		t.Fatalf("withdrawing: %d", a.Status)
	}
	if _, consents = touched(t, sender, p.From.Signing.KeyID()); len(consents) != 1 || !consents[0].Withdrawn ||
		!slices.Equal(consents[0].Of, []string{"record", "withdrawal"}) {
		t.Errorf("after the withdrawal the key signed %+v", consents)
	}

	// Another agency's key is nobody's.
	for _, what := range []string{"/packets", "/consents"} {
		if got := receiver.Get(t, "/v1/keys/"+p.From.Signing.KeyID()+what).Problem(); got.Status != http.StatusNotFound || got.Code != "key-not-found" {
			t.Errorf("%s of the other agency's key: %+v", what, got)
		}
		if got := receiver.Get(t, "/v1/keys/"+p.To.Signing.KeyID()+what+"?after=yesterday").Problem(); got.Status != http.StatusBadRequest {
			t.Errorf("%s after yesterday: %+v", what, got)
		}
	}
}

// A row that is no token hides none of the others.
func TestTheKidOfWhatIsNoTokenIsNone(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	for token, want := range map[string]string{"": "", ".": "", "e30.e30.x": "", "!!!.x.y": "", "bm8ganNvbg.x.y": "", "_w.x.y": "", "AAAA.x": "",
		"eyJraWQiOiJhYmMifQ.x.y": "abc", "eyJraWQiOiI_Pz8-In0.a": "???>", "eyJraWQiOjd9.x": "7"} {
		if got := hubtest.Value[string](t, h, `SELECT coalesce(jose_kid($1), '')`, token); got != want {
			t.Errorf("%q names %q, want %q", token, got, want)
		}
	}
}
