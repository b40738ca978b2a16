package referral_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/internal/ids"
	"handover/partners"
	"handover/referral/packet"
	"handover/referral/packet/attachment"
)

// TestAnAttachmentIsJudgedAsItsClass: by firewall, agreement and consent, when it is stored
// and when it is released.
func TestAnAttachmentIsJudgedAsItsClass(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	send := func(p hubtest.Pair, class string) hubtest.Answer {
		d, a := p.Request("need").Attach(t, "attachment-1", class, letter(10))
		p.From.PutAll(t, a)
		return p.From.Send(t, d.Seal(t))
	}
	housing := h.Pair(t, partners.Housing)
	for class, code := range map[string]string{"health": "firewall", "immigration": "firewall", "justice": "firewall"} {
		refusedWith(t, "a housing team's attachment of "+class, send(housing, class), 403, code)
	}
	if got := send(housing, "housing"); got.Status != http.StatusCreated {
		t.Errorf("of the class housing: %d %s", got.Status, got.Body)
	}
	police := h.Pair(t, partners.Police)
	police.Consent = police.From.Record(t, hubtest.Subject(), police.Named(), func(c *record.Claims) { c.Purpose = "protect-from-harm" })
	for _, class := range []string{"immigration", "justice", "health", "history", "location", "contact", "note"} {
		d, a := police.Request("need").Attach(t, "attachment-1", class, letter(10))
		d.Purpose = "protect-from-harm"
		police.From.PutAll(t, a)
		refusedWith(t, "the police's attachment of "+class, police.From.Send(t, d.Seal(t)), 403, "firewall")
	}
	narrow := h.Pair(t, partners.VAWGService)
	narrow.Consent = narrow.From.Record(t, hubtest.Subject(), narrow.Named(), func(c *record.Claims) { c.Sections, c.Withheld = []string{"need", "note"}, []string{"health"} })
	refusedWith(t, "of a class that she withheld", send(narrow, "health"), 403, "not-covered")
	refusedWith(t, "of a class that she did not name", send(narrow, "risk"), 403, "not-covered")
	if got := send(narrow, "note"); got.Status != http.StatusCreated {
		t.Errorf("of a class that she named: %d %s", got.Status, got.Body)
	}
	agreed := h.Agency(t, "few-sections", partners.VAWGService)
	h.Agree(t, narrow.From, agreed, func(a *partners.Agreement) { a.Sections = []string{"need"} })
	few := hubtest.Pair{From: narrow.From, To: agreed, Service: h.Offer(t, agreed)}
	few.Consent = few.From.Record(t, hubtest.Subject(), few.Named())
	refusedWith(t, "of a class that the agreement lacks", send(few, "risk"), 403, "no-agreement")
}

// TestChunksAreGivenOutByReleaseOnly: not before it, not to others, not an hour after, and
// not any more once she has taken her consent back, in mid-reading.
func TestChunksAreGivenOutByReleaseOnly(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.VAWGService)
	s, _ := attached(t, p, "need", letter(2*attachment.ChunkSize+5))
	fetch := func(n int) hubtest.Answer { return p.To.Chunk(t, s.Digest, "attachment-1", n) }
	refusedWith(t, "before the release", fetch(0), 403, "attachment-not-released")
	refusedWith(t, "before hers", p.From.Chunk(t, s.Digest, "attachment-1", 0), 403, "attachment-not-released")
	p.To.Open(t, s.Digest, "", "need")
	refusedWith(t, "after the release of another section", fetch(0), 403, "attachment-not-released")
	r := readerOf(t, p.To, p, s)
	if n, err := r.Read(make([]byte, 10)); n != 10 || err != nil {
		t.Fatal(n, err)
	}
	refusedWith(t, "one that is not there", fetch(3), 404, "section-not-found")
	refusedWith(t, "another attachment", p.To.Chunk(t, s.Digest, "attachment-2", 0), 404, "section-not-found")
	refusedWith(t, "a section", p.To.Chunk(t, s.Digest, "need", 0), 404, "referral-not-found")
	third := h.Agency(t, "the-third", partners.VAWGService)
	refusedWith(t, "by a third", third.Chunk(t, s.Digest, "attachment-1", 0), 404, "referral-not-found")
	refusedWith(t, "of a packet that is none", p.To.Get(t, "/v1/referrals/"+s.Digest+"/attachments/attachment-1/0?envelope="+ids.Digest("x")), 404, "referral-not-found")
	refusedWith(t, "of what is no digest", p.To.Get(t, "/v1/referrals/"+s.Digest+"/attachments/attachment-1/0?envelope=x%00"), 404, "referral-not-found")

	h.Exec(t, `UPDATE release SET at = at - interval '61 minutes' WHERE name = 'attachment-1'`)
	refusedWith(t, "an hour later", fetch(1), 403, "attachment-not-released")
	p.To.Open(t, s.Digest, "", "attachment-1")
	if got := fetch(1); got.Status != http.StatusOK {
		t.Errorf("after another release: %d %s", got.Status, got.Body)
	}
	p.From.Withdraw(t, p.Consent)
	refusedWith(t, "after she has taken it back", fetch(2), 403, "consent-withdrawn")
	if _, err := io.ReadAll(r); err == nil {
		t.Error("reading comes to an end though she has taken it back")
	}
}

func TestAReleaseToOnePersonIsNoRightOfAnother(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.VAWGService)
	s, _ := attached(t, p, "need", letter(10))
	p.To.Open(t, s.Digest, "", "attachment-1") // by the system itself
	h.Exec(t, `UPDATE release SET actor = gen_random_uuid() WHERE name = 'attachment-1'`)
	refusedWith(t, "what was released to a person", p.To.Chunk(t, s.Digest, "attachment-1", 0), 403, "attachment-not-released")
}

func TestAWithdrawnReferralLeavesNoUnopenedAttachment(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.VAWGService)
	d, one := p.Request().Attach(t, "attachment-1", "need", letter(twoChunks))
	d, two := d.Attach(t, "attachment-2", "risk", letter(twoChunks))
	p.From.PutAll(t, one)
	p.From.PutAll(t, two)
	s := d.Seal(t)
	p.From.Sent(t, s)
	p.To.Open(t, s.Digest, "", "attachment-2")
	p.Step(t, p.From, packet.Withdraw, s.Digest, s.Digest)
	left := hubtest.Column[string](t, h, `SELECT DISTINCT name FROM attachment_chunk`)
	if diff := cmp.Diff([]string{"attachment-2"}, left); diff != "" {
		t.Errorf("chunks of (-want +got):\n%s", diff)
	}
	refusedWith(t, "what was destroyed", p.To.Open(t, s.Digest, "", "attachment-1"), 404, "section-not-found")
}
