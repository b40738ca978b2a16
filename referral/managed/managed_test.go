package managed_test

import (
	"bytes"
	"net/http"
	"slices"
	"testing"

	"handover/audit/proof"
	"handover/internal/hubtest"
	"handover/keys/jose"
	"handover/partners"
	"handover/referral/packet"
)

// sealing is the key that the directory says content for the managed agency is sealed to.
func (s scene) sealing(t *testing.T) jose.PublicKey {
	t.Helper()
	return s.current(t, s.managed.ID, partners.Encryption).PublicKey
}

// current is the newest key of a partner in the directory, of a use.
func (s scene) current(t *testing.T, id partners.ID, use partners.Use) partners.Key {
	t.Helper()
	found, err := s.hub.Registry.Keys(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(found, func(k partners.Key) bool { return k.Use == use })
	return found[i]
}

// TestTheHubSignsForAPersonAndSaysSo: what the other agency gets is signed by a key that the
// directory says the hub holds, and names who did it.
func TestTheHubSignsForAPersonAndSaysSo(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	receipt := s.refer(t, s.request(s.consent(t)))

	var got struct {
		Sections map[string]string `json:"sections"`
	}
	s.own.Open(t, receipt.Referral, "", "need").Into(t, http.StatusOK, &got)
	var chain struct {
		Chain []struct {
			Envelope string `json:"envelope"`
		} `json:"chain"`
	}
	s.own.Get(t, "/v1/referrals/"+receipt.Referral).Into(t, http.StatusOK, &chain)
	stated, err := packet.ParseEnvelope(chain.Chain[0].Envelope)
	if err != nil {
		t.Fatal(err)
	}
	key := s.current(t, s.managed.ID, partners.Signing)
	envelope, err := stated.Verify(key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	if envelope.Act != s.worker.ID || envelope.Issuer != string(s.managed.ID) || key.Custody != partners.HeldByHub {
		t.Errorf("signed for %q of %s by a key held by %s", envelope.Act, envelope.Issuer, key.Custody)
	}
	content, err := envelope.Unseal("need", got.Sections["need"], s.own.Sealing)
	if err != nil || !bytes.Contains(content, []byte(canary)) {
		t.Errorf("opened %v, %v", content, err)
	}
	jwks := s.own.Get(t, "/v1/partners/"+string(s.managed.ID)+"/jwks.json").Body
	if n := bytes.Count(jwks, []byte(`"custody":"hub"`)); n != 2 {
		t.Errorf("the directory says %s", jwks)
	}
	var shown partners.Partner
	if s.own.Get(t, "/v1/partners/"+string(s.managed.ID)).Into(t, http.StatusOK, &shown); shown.Custody != partners.HeldByHub {
		t.Errorf("the directory says %+v", shown)
	}
	if s.own.Get(t, "/v1/partners/"+string(s.own.ID)).Into(t, http.StatusOK, &shown); shown.Custody != partners.HeldByPartner {
		t.Errorf("the directory says %+v", shown)
	}

	var copied opened
	s.open(t, s.worker, receipt.Referral, opening("need")).Into(t, http.StatusOK, &copied)
	if copied.Sections["need"].Summary != canary+" need" || copied.Signed.Custody != "hub" || copied.Signed.Act != s.worker.ID || !copied.Signed.Counts {
		t.Errorf("her own copy opens as %+v", copied)
	}
}

// TestWhatWasSealedToHerAgencyOpensForOnePersonAndIsLoggedFirst: the entry says that the hub
// opened it, for whom and why.
func TestWhatWasSealedToHerAgencyOpensForOnePersonAndIsLoggedFirst(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	id, _ := s.sent(t)
	var got opened
	s.open(t, s.worker, id, opening("need", "safe-contact")).Into(t, http.StatusOK, &got)
	if got.Sections["need"].Text != canary || got.Sections["safe-contact"].Text != "safe-contact" {
		t.Errorf("opened %+v", got)
	}
	if got.Signed.Custody != "partner" || got.Signed.Partner != string(s.own.ID) || !got.Signed.Counts {
		t.Errorf("signed by %+v", got.Signed)
	}
	r := s.entry(t, got.Receipt)
	if r.Act != "section.read" || r.User != s.worker.ID || r.Partner != string(s.managed.ID) || r.Reason != "triage" {
		t.Errorf("the receipt is of %+v", r)
	}
	actor := hubtest.Value[string](t, s.hub, `SELECT actor::text FROM release LIMIT 1`)
	state := hubtest.Value[string](t, s.hub, `SELECT state FROM delivery LIMIT 1`)
	if actor != s.worker.ID || state != "opened" {
		t.Errorf("released to %s, delivery %s", actor, state)
	}
}

// TestEveryStepIsSignedForWhoTookIt walks a referral from both sides.
func TestEveryStepIsSignedForWhoTookIt(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	id, c := s.sent(t)
	head := id
	for _, step := range []members{
		{"event": "receive"}, {"event": "ask", "consent": c.ID, "sections": members{"note": members{"text": canary}}},
		{"event": "accept"}, {"event": "start"}, {"event": "complete", "outcome": "housed"},
	} {
		var receipt proof.Receipt
		s.worker.Post(t, "/v1/managed/referrals/"+id+"/events", step.with(members{"jti": newID(), "prev": head})).Into(t, http.StatusCreated, &receipt)
		if receipt.Event != step["event"] || receipt.Referral != id {
			t.Errorf("%v: the receipt is of %+v", step["event"], receipt)
		}
		if head = receipt.Envelope; step["event"] != "ask" {
			continue
		}
		var got struct {
			Sections map[string]string `json:"sections"`
		}
		s.own.Open(t, id, head, "note").Into(t, http.StatusOK, &got)
		answer := s.own.Event(s.managed, packet.Answer, id, head).With(c, "note")
		answer.To.Recipient = s.sealing(t)
		sealed := answer.Seal(t)
		s.own.Sent(t, sealed)
		head = sealed.Digest
		var note opened
		s.open(t, s.worker, id, opening("note").with(members{"envelope": head})).Into(t, http.StatusOK, &note)
		if note.Sections["note"].Text != "note" {
			t.Errorf("the answer opens as %+v", note)
		}
	}
	if n := hubtest.Value[int](t, s.hub, `SELECT count(*) FROM packet WHERE issuer = $1 AND actor = $2`, string(s.managed.ID), s.worker.ID); n != 5 {
		t.Errorf("%d packets name her, want 5", n)
	}
}

func TestAWithdrawalIsSignedForWhoWasTold(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	consent := s.consent(t)
	request := s.request(consent)
	s.refer(t, request)
	withdrawal := members{"jti": newID()}
	var first, again proof.Receipt
	s.worker.Post(t, "/v1/managed/consents/"+consent+"/withdraw", withdrawal).Into(t, http.StatusCreated, &first)
	s.worker.Post(t, "/v1/managed/consents/"+consent+"/withdraw", withdrawal).Into(t, http.StatusCreated, &again)
	if e := s.entry(t, first); e.Act != "consent.withdraw" || e.User != s.worker.ID || e.ID != s.entry(t, again).ID {
		t.Errorf("withdrawn as %+v, again as %+v", e, again)
	}
	if a := s.worker.Post(t, "/v1/managed/consents/"+consent+"/withdraw", members{"jti": newID()}); a.Problem().Code != "consent-already-withdrawn" {
		t.Errorf("another withdrawal: %d %s", a.Status, a.Body)
	}
	if a := s.worker.Post(t, "/v1/managed/referrals", s.request(consent)); a.Problem().Code != "consent-withdrawn" {
		t.Errorf("on a withdrawn consent: %d %s", a.Status, a.Body)
	}
	s.refer(t, request) // what was done stays done: the same request finds its receipt
}

// TestWhatIsNeverToBeSharedIsRecordedForHer: an agency with no IT can stop somebody too.
func TestWhatIsNeverToBeSharedIsRecordedForHer(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	consent := s.consent(t)
	s.refer(t, s.request(consent))
	said := members{"jti": newID(), "subjects": []string{hubtest.Value[string](t, s.hub, `SELECT subject FROM consent WHERE id = $1`, consent)},
		"recipients": []string{string(s.own.ID)}}
	never := func(int) hubtest.Answer { return s.worker.Post(t, "/v1/managed/nevers", said) }
	s.sameReceipt(t, []hubtest.Answer{never(0), never(1)}, "never.record")
	if a := s.worker.Post(t, "/v1/managed/nevers", said.with(members{"recipients": []string{"category:police"}})); a.Problem().Code != "never-conflict" {
		t.Errorf("another under the id: %d %s", a.Status, a.Body)
	}
	if a := s.worker.Post(t, "/v1/managed/referrals", s.request(consent)); a.Problem().Code != "not-covered" {
		t.Errorf("what is never to be shared: %d %s", a.Status, a.Body)
	}
	if a := s.worker.Post(t, "/v1/managed/nevers/"+newID()+"/lift", members{"jti": newID()}); a.Problem().Code != "never-not-found" {
		t.Errorf("a lift of nothing: %d %s", a.Status, a.Body)
	}
	change := members{"jti": newID()}
	lift := func(int) hubtest.Answer {
		return s.worker.Post(t, "/v1/managed/nevers/"+said["jti"].(string)+"/lift", change)
	}
	s.sameReceipt(t, []hubtest.Answer{lift(0), lift(1)}, "never.lift")
	s.refer(t, s.request(consent))
}

// TestTheSameRequestFindsItsReceipt: no two seals and no two signatures are the same bytes,
// yet who asks again because the answer was lost must not refer somebody twice.
func TestTheSameRequestFindsItsReceipt(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	said := s.spoken()
	record := func(int) hubtest.Answer { return s.worker.Post(t, "/v1/managed/consents", said) }
	s.sameReceipt(t, hubtest.Together(6, record), "consent.record")
	consent := said["jti"].(string)
	if a := s.worker.Post(t, "/v1/managed/consents", said.with(members{"purpose": "advocacy"})); a.Problem().Code != "consent-conflict" {
		t.Errorf("another record under the id: %d %s", a.Status, a.Body)
	}

	request := s.request(consent)
	refer := func(int) hubtest.Answer { return s.worker.Post(t, "/v1/managed/referrals", request) }
	receipt := s.sameReceipt(t, hubtest.Together(6, refer), "referral.request")
	if n := hubtest.Value[int](t, s.hub, `SELECT count(*) FROM packet`); n != 1 {
		t.Errorf("%d packets are stored", n)
	}
	colleague := s.hub.Person(t, s.managed.ID, partners.Caseworker)
	for name, a := range map[string]hubtest.Answer{
		"other content":   s.worker.Post(t, "/v1/managed/referrals", request.with(members{"sections": content("other")})),
		"another urgency": s.worker.Post(t, "/v1/managed/referrals", request.with(members{"urgency": "routine"})),
		"by a colleague":  colleague.Post(t, "/v1/managed/referrals", request),
		"another event": s.worker.Post(t, "/v1/managed/referrals/"+receipt.Referral+"/events",
			members{"jti": request["jti"], "event": "withdraw", "reason": "no-longer-needed", "prev": receipt.Envelope}),
	} {
		if a.Status != http.StatusConflict || a.Problem().Code != "packet-conflict" {
			t.Errorf("%s: %d %s, want 409 packet-conflict", name, a.Status, a.Body)
		}
	}
	step := members{"jti": newID(), "event": "withdraw", "reason": "no-longer-needed", "prev": receipt.Envelope}
	move := func(int) hubtest.Answer {
		return s.worker.Post(t, "/v1/managed/referrals/"+receipt.Referral+"/events", step)
	}
	s.sameReceipt(t, hubtest.Together(4, move), "referral.withdraw")
}

// sameReceipt checks that all answers are one receipt, of the act.
func (s scene) sameReceipt(t *testing.T, answers []hubtest.Answer, act string) (receipt proof.Receipt) {
	t.Helper()
	for i, a := range answers {
		var r proof.Receipt
		a.Into(t, http.StatusCreated, &r)
		if i == 0 {
			receipt = r
		}
		if e := s.entry(t, r); e.Act != act || e.User != s.worker.ID || r.Entry != receipt.Entry {
			t.Errorf("answer %d is of %+v, the first of %+v", i, e, s.entry(t, receipt))
		}
	}
	return receipt
}
