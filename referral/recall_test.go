package referral_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"handover/audit/proof"
	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/internal/ids"
	"handover/partners"
	"handover/referral"
	"handover/referral/packet"
)

// asked lists what an agency is asked.
func asked(t *testing.T, a *hubtest.Agency, state string) []referral.Recall {
	t.Helper()
	var page struct {
		Recalls []referral.Recall `json:"recalls"`
		More    bool              `json:"more"`
	}
	a.Get(t, "/v1/recalls?state="+state).Into(t, http.StatusOK, &page)
	return page.Recalls
}

// holders asks who holds what of a consent.
func holders(t *testing.T, a *hubtest.Agency, consent string) (h referral.Holders) {
	t.Helper()
	a.Get(t, "/v1/consents/"+consent+"/holders").Into(t, http.StatusOK, &h)
	return h
}

// reply is a good answer to a question, for a test to spoil.
func reply(h *hubtest.Hub, a *hubtest.Agency, q referral.Recall, answer string) record.RecallClaims {
	c := record.RecallClaims{Hub: hubtest.Issuer, Issuer: string(a.ID), ID: uuid.Must(uuid.NewV7()).String(), IssuedAt: h.Now().Unix(),
		Consent: q.Consent, Digest: q.Digest, Answer: answer}
	switch answer {
	case record.Kept:
		c.Article6, c.Provision, c.Because = "c", "Care Act 2014 s42", "legal-obligation"
	case record.GoesOn, record.Ends:
		c.Referral = q.Referrals[0]
	}
	return c
}

// answer posts an answer as the agency.
func answer(t *testing.T, a *hubtest.Agency, id string, c record.RecallClaims) hubtest.Answer {
	t.Helper()
	return answerWith(t, a, id, hubtest.SignAs(t, record.RecallType, c, a.Signing.Signer()))
}

func answerWith(t *testing.T, a *hubtest.Agency, id, token string) hubtest.Answer {
	t.Helper()
	return a.Do(t, hubtest.Call{Method: http.MethodPost, Path: "/v1/recalls/" + id + "/answer", Type: "application/jose", Body: []byte(token)})
}

// TestAHolderIsAskedAndTheRecorderSeesTheAnswer is the whole way of a recall: who opened
// something is asked, keeps it on a basis, deletes it later, and the recorder is told.
func TestAHolderIsAskedAndTheRecorderSeesTheAnswer(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	third := h.Agency(t, "the-third", partners.BoroughOutreach)
	s := tell(t, p, referral.Accepted, "need", "safe-contact")
	live := holders(t, p.From, s.Consent.ID)
	if len(live.Recalls) != 1 || live.Complete || live.Recalls[0].ID != "" || !slices.Equal(live.Recalls[0].Sections, []string{"need", "safe-contact"}) {
		t.Errorf("before the withdrawal: %+v", live)
	}
	s.takeBack(t, h)
	q := asked(t, p.To, "open")
	if len(q) != 1 || q[0].Question != referral.StillHeld || q[0].Since.IsZero() || !slices.Equal(q[0].Referrals, []string{s.sent.Digest}) {
		t.Fatalf("the holder is asked %+v", q)
	}
	if a := answer(t, p.To, q[0].ID, reply(h, p.To, q[0], record.Kept)); a.Status != http.StatusCreated {
		t.Fatalf("answering: %d %s", a.Status, a.Body)
	} else if r := receiptIn(t, a); r.Consent != s.Consent.ID || r.State != "kept" || r.Proof == "" {
		t.Errorf("the receipt: %+v", r)
	}
	list := holders(t, p.From, s.Consent.ID)
	if len(list.Recalls) != 2 || !list.Complete || list.Withdrawn.IsZero() {
		t.Fatalf("the recorder is told %+v", list)
	}
	held := list.Recalls[slices.IndexFunc(list.Recalls, func(q referral.Recall) bool { return q.Question == referral.StillHeld })]
	if held.Answer != "kept" || held.Statement == "" || held.Answered.IsZero() || held.Partner != string(p.To.ID) {
		t.Errorf("the answer as told: %+v", held)
	}
	logged := h.Logged(t)
	if a := answer(t, p.To, q[0].ID, reply(h, p.To, q[0], record.Deleted)); a.Status != http.StatusCreated {
		t.Errorf("deleting what was kept: %d %s", a.Status, a.Body)
	}
	if e := h.Entries(t, logged); len(e) != 1 || e[0].Act != "recall.answered" || e[0].State != "deleted" || e[0].Consent != s.Consent.ID || e[0].Target != q[0].ID {
		t.Errorf("logged %+v", e)
	}
	if open, done := asked(t, p.To, "open"), asked(t, p.To, "answered"); len(open) != 0 || len(done) != 1 || done[0].Answer != "deleted" {
		t.Errorf("asked still: %+v, answered: %+v", open, done)
	}
	for _, by := range []*hubtest.Agency{third, p.To} {
		refusedWith(t, "holders, to "+string(by.ID), by.Get(t, "/v1/consents/"+s.Consent.ID+"/holders"), http.StatusNotFound, "consent-not-found")
	}
	if q := asked(t, third, "answered"); len(q) != 0 {
		t.Errorf("a third agency sees %+v", q)
	}
	refusedWith(t, "an answer by a third", answer(t, third, q[0].ID, reply(h, third, q[0], record.Deleted)), http.StatusNotFound, "recall-not-found")
	refusedWith(t, "an answer by the recorder", answer(t, p.From, q[0].ID, reply(h, p.From, q[0], record.Deleted)), http.StatusNotFound, "recall-not-found")
}

func receiptIn(t *testing.T, a hubtest.Answer) (r proof.Receipt) {
	t.Helper()
	a.Into(t, http.StatusCreated, &r)
	return r
}

// TestWhoRecordedTheWithdrawalSeesWhoHolds: a recipient whom she told sees what came of it,
// also where it did not record the consent.
func TestWhoRecordedTheWithdrawalSeesWhoHolds(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	s := tell(t, p, referral.Received, "need")
	if a := p.To.Withdraw(t, s.Consent); a.Status != http.StatusCreated {
		t.Fatalf("withdrawing: %d %s", a.Status, a.Body)
	}
	do(t, h.Aftermath.Round(t.Context()))
	for _, by := range []*hubtest.Agency{p.From, p.To} {
		if list := holders(t, by, s.Consent.ID); len(list.Recalls) != 1 || list.Recalls[0].Partner != string(p.To.ID) || !list.Complete {
			t.Errorf("%s is told %+v", by.ID, list)
		}
	}
}

// TestAnAnswerThatIsNotToTheQuestionIsRefused and leaves nothing behind.
func TestAnAnswerThatIsNotToTheQuestionIsRefused(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	s, other := tell(t, p, referral.Accepted, "need"), tell(t, p, referral.Accepted, "need")
	s.takeBack(t, h)
	other.takeBack(t, h)
	held, help := asked(t, p.To, "open")[0], asked(t, p.From, "open")[0]
	same := held
	for name, row := range map[string]struct {
		by     *hubtest.Agency
		q      referral.Recall
		answer string
		spoil  func(*record.RecallClaims)
		status int
		code   string
	}{
		"another consent":          {p.To, held, "deleted", func(c *record.RecallClaims) { c.Consent = other.Consent.ID }, 422, "recall-mismatch"},
		"another record":           {p.To, held, "deleted", func(c *record.RecallClaims) { c.Digest = ids.Digest("x") }, 422, "recall-mismatch"},
		"help, of what is held":    {p.To, held, "goes-on", nil, 422, "recall-mismatch"},
		"held, of help":            {p.From, help, "deleted", nil, 422, "recall-mismatch"},
		"another referral":         {p.From, help, "ends", func(c *record.RecallClaims) { c.Referral = other.sent.Digest }, 422, "recall-mismatch"},
		"kept on her consent":      {p.To, held, "kept", func(c *record.RecallClaims) { c.Article6 = "a" }, 422, "consent-claim"},
		"kept without the law":     {p.To, held, "kept", func(c *record.RecallClaims) { c.Provision = "" }, 422, "consent-claim"},
		"kept for no reason":       {p.To, held, "kept", func(c *record.RecallClaims) { c.Because = "" }, 422, "consent-claim"},
		"kept as the police may":   {p.To, held, "kept", func(c *record.RecallClaims) { c.Article6, c.Provision = "le-part3", "" }, 422, "consent-claim"},
		"deleted, with a basis":    {p.To, held, "deleted", func(c *record.RecallClaims) { c.Article6 = "f" }, 422, "consent-claim"},
		"no answer":                {p.To, held, "perhaps", nil, 422, "consent-claim"},
		"for another hub":          {p.To, held, "deleted", func(c *record.RecallClaims) { c.Hub = "https://staging.example" }, 422, "consent-stale"},
		"signed long ago":          {p.To, held, "deleted", func(c *record.RecallClaims) { c.IssuedAt -= 90 }, 422, "signing-key-unknown"},
		"in another agency's name": {p.To, held, "deleted", func(c *record.RecallClaims) { c.Issuer = string(p.From.ID) }, 403, "issuer-not-caller"},
	} {
		t.Run(name, func(t *testing.T) {
			c := reply(h, row.by, row.q, row.answer)
			if row.spoil != nil {
				row.spoil(&c)
			}
			before, logged := h.Content(t), h.Logged(t)
			refusedWith(t, name, answer(t, row.by, row.q.ID, c), row.status, row.code)
			if diff := cmp.Diff(before, h.Content(t)); diff != "" {
				t.Errorf("left behind:\n%s", diff)
			}
			if e := h.Entries(t, logged); len(e) != 1 || e[0].Outcome != row.code {
				t.Errorf("logged %+v", e)
			}
		})
	}
	key := hubtest.Key(t, partners.Signing)
	token := hubtest.SignAs(t, record.RecallType, reply(h, p.To, held, "deleted"), key.Signer())
	refusedWith(t, "a key that nobody enrolled", answerWith(t, p.To, held.ID, token), 422, "signing-key-unknown")
	token = hubtest.SignAs(t, record.WithdrawalType, reply(h, p.To, held, "deleted"), p.To.Signing.Signer())
	refusedWith(t, "another type of statement", answerWith(t, p.To, held.ID, token), 422, "consent-malformed")
	refusedWith(t, "no id", answer(t, p.To, "x", reply(h, p.To, held, "deleted")), 404, "recall-not-found")

	// The good one is taken, again gives its receipt, and then stands.
	token = hubtest.SignAs(t, record.RecallType, reply(h, p.To, same, "deleted"), p.To.Signing.Signer())
	first, again := receiptIn(t, answerWith(t, p.To, held.ID, token)), receiptIn(t, answerWith(t, p.To, held.ID, token))
	if first.Entry != again.Entry {
		t.Error("the same answer again has another receipt")
	}
	refusedWith(t, "a second answer", answer(t, p.To, held.ID, reply(h, p.To, held, "kept")), 409, "recall-answered")
	receiptIn(t, answer(t, p.From, help.ID, reply(h, p.From, help, "goes-on")))
	refusedWith(t, "a change of mind", answer(t, p.From, help.ID, reply(h, p.From, help, "ends")), 409, "recall-answered")
}

// TestThePersonWhoAnswersIsNamed: what is sent with a person's token names her.
func TestThePersonWhoAnswersIsNamed(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	s := tell(t, p, referral.Accepted, "need")
	s.takeBack(t, h)
	q := asked(t, p.To, "open")[0]
	worker, colleague := h.Person(t, p.To.ID, partners.Caseworker), h.Person(t, p.To.ID, partners.Manager)
	post := func(act string) hubtest.Answer {
		c := reply(h, p.To, q, "deleted")
		c.Act = act
		return worker.Do(t, hubtest.Call{Method: http.MethodPost, Path: "/v1/recalls/" + q.ID + "/answer", Type: "application/jose",
			Body: []byte(hubtest.SignAs(t, record.RecallType, c, p.To.Signing.Signer()))})
	}
	for _, act := range []string{"", colleague.ID} {
		refusedWith(t, fmt.Sprintf("as %q", act), post(act), 403, "act-mismatch")
	}
	receiptIn(t, post(worker.ID))
}

// TestTheListOfHoldersIsFinal: a release that was under way when she withdrew is on it, and
// one that comes after is refused.
func TestTheListOfHoldersIsFinal(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	for range 8 {
		s := tell(t, p, referral.Received)
		p.To.Token(t)
		p.From.Token(t)
		answers := hubtest.Together(4, func(i int) hubtest.Answer {
			switch i {
			case 0:
				return p.From.Withdraw(t, s.Consent)
			case 1:
				_ = h.Aftermath.Round(t.Context())
				return hubtest.Answer{}
			}
			return p.To.Open(t, s.sent.Digest, "", []string{"need", "safe-contact"}[i-2])
		})
		do(t, h.Aftermath.Round(t.Context()))
		var given []string
		for i, name := range []string{"need", "safe-contact"} {
			if answers[i+2].Status == http.StatusOK {
				given = append(given, name)
			}
		}
		list := holders(t, p.From, s.Consent.ID)
		var told []string
		for _, q := range list.Recalls {
			told = append(told, q.Sections...)
		}
		if !list.Complete || !slices.Equal(given, told) {
			t.Errorf("given out: %v, on the list: %v", given, told)
		}
	}
}

// TestTheEndOfAConsentCancelsNothingAndARenewalLetsItGoOn.
func TestTheEndOfAConsentCancelsNothingAndARenewalLetsItGoOn(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	s := tell(t, p, referral.Received, "need")
	ending := func(a *hubtest.Agency, query string) (found []referral.Ending) {
		var page struct {
			Consents []referral.Ending `json:"consents"`
		}
		a.Get(t, "/v1/consents"+query).Into(t, http.StatusOK, &page)
		return page.Consents
	}
	if found := ending(p.From, "?ending=0"); len(found) != 0 {
		t.Errorf("ending today: %+v", found)
	}
	if found := ending(p.From, ""); len(found) != 1 || found[0].ID != s.Consent.ID || found[0].Ended || !slices.Equal(found[0].Referrals, []string{s.sent.Digest}) {
		t.Errorf("ending soon: %+v", found)
	}
	if found := ending(p.To, ""); len(found) != 0 {
		t.Errorf("the recipient is shown %+v", found)
	}
	h.Exec(t, `UPDATE consent SET valid_from = now() - interval '2 hours', expires_at = now() - interval '1 second' WHERE id = $1::uuid`, s.Consent.ID)
	before := h.Content(t)
	do(t, h.Aftermath.Round(t.Context()))
	if diff := cmp.Diff(before, h.Content(t)); diff != "" {
		t.Errorf("the end of a consent changed something:\n%s", diff)
	}
	refusedWith(t, "opening after its end", p.To.Open(t, s.sent.Digest, "", "safe-contact"), http.StatusForbidden, "consent-expired")
	if found := ending(p.From, "?ending=0"); len(found) != 1 || !found[0].Ended {
		t.Errorf("ended: %+v", found)
	}
	renewed := p.From.Record(t, s.Consent.Subject, p.Named(), superseding(s.Consent), func(c *record.Claims) {
		c.Expires = c.GivenAt + int64(30*24*time.Hour/time.Second)
	})
	opened(t, p.To, s.sent.Digest, "", "safe-contact")
	if found := ending(p.From, "?ending=7"); len(found) != 0 {
		t.Errorf("after the renewal: %+v", found)
	}
	if found := ending(p.From, "?ending=60"); len(found) != 1 || found[0].ID != renewed.ID || !slices.Equal(found[0].Referrals, []string{s.sent.Digest}) {
		t.Errorf("of the renewed: %+v", found)
	}
	p.Step(t, p.To, packet.Decline, s.sent.Digest, hubtest.Value[string](t, h, `SELECT head FROM referral WHERE id = $1`, s.sent.Digest))
	if found := ending(p.From, "?ending=60"); len(found) != 0 {
		t.Errorf("after the referral's end: %+v", found)
	}
	for _, query := range []string{"?ending=-1", "?ending=soon", "?ending=367", "?after=x"} {
		refusedWith(t, query, p.From.Get(t, "/v1/consents"+query), http.StatusBadRequest, "recall-query-invalid")
	}
	refusedWith(t, "a state that is none", p.From.Get(t, "/v1/recalls?state=all"), http.StatusBadRequest, "recall-query-invalid")
}

// TestWhoReadsHerOwnCopiesIsNotAskedAndWhoReadsTheOthersWordsIs: what a sender sealed to
// itself is its own; what the recipient wrote to it about her it holds like anybody.
func TestWhoReadsHerOwnCopiesIsNotAskedAndWhoReadsTheOthersWordsIs(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	copies, words := tell(t, p, referral.Accepted), tell(t, p, referral.Requested)
	opened(t, p.From, copies.sent.Digest, "", "need")
	note := words.Step(t, p.To, packet.Message, words.sent.Digest, words.sent.Digest)
	opened(t, p.From, words.sent.Digest, note.Digest, "note")
	copies.takeBack(t, h)
	words.takeBack(t, h)
	if left := copies.left(t, h); left["recalls"] != "does-help-go-on/"+string(p.From.ID)+"/" {
		t.Errorf("of her own copies: %s", left["recalls"])
	}
	if left := words.left(t, h); left["recalls"] != "still-held/"+string(p.From.ID)+"/note" {
		t.Errorf("of what the recipient wrote: %s", left["recalls"])
	}
}
