package casework_test

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/partners"
	"handover/referral/packet"
)

// need asks for what most begin with.
func need() url.Values { return url.Values{"open": {"need"}} }

// TestAReferralOpensByActsThatAreLogged: the page itself shows nothing that is sealed; need and
// safe contact come together, in one act with its coded reason; what could hurt her comes after
// a card; and what is open stays open, as part of the next act.
func TestAReferralOpensByActsThatAreLogged(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	id := s.sent(t)
	at := "/referrals/" + id
	p := s.takes.get(t, at).must(t, http.StatusOK, "Open need and safe contact: recorded as yours", "Open what could hurt her: recorded as yours",
		"From Agency willow-outreach", "She agreed to this", "Signed by the hub for Agency willow-outreach").mustNot(t, canary, "+447700900123")
	if n := s.acts(t, "section.read", id); n != 0 {
		t.Fatalf("%d sections were opened by looking", n)
	}
	p = s.takes.press(t, p, at+"/open", need()).must(t, http.StatusOK, canary+" needs a room", "+447700900123", "Somewhere safe tonight No").
		mustNot(t, canary+" is followed")
	if !strings.HasPrefix(p.Header.Get("Cache-Control"), "no-store") {
		t.Error("what was opened may be kept")
	}
	card := s.takes.press(t, p, at+"/open", url.Values{"open": {"risk"}}).must(t, http.StatusOK, "You are about to read what could hurt her").mustNot(t, canary)
	if n := s.acts(t, "section.read", id); n != 1 {
		t.Fatalf("%d acts before the card was confirmed, want 1", n)
	}
	p = s.takes.press(t, card, at+"/open", nil).must(t, http.StatusOK, canary+" is followed", canary+" needs a room", "Her home taken over by others")
	entries := s.hub.Entries(t, 0)
	var released []string
	for _, e := range entries {
		if e.Act == "section.read" {
			released = append(released, strings.Join(e.Sections, " ")+": "+e.Reason+" "+e.User)
		}
	}
	want := []string{"need safe-contact: decide " + s.takes.User.ID, "need risk safe-contact: decide " + s.takes.User.ID}
	if strings.Join(released, "; ") != strings.Join(want, "; ") {
		t.Errorf("the log says %q, want %q", released, want)
	}
	again := p.form(t, at+"/open", url.Values{"reason": {"provide-service"}})
	read(s.takes.Form(t, at+"/print", again)).must(t, http.StatusOK, "Destroy after use", "Ayo Example", canary+" is followed")
	s.sends.get(t, at).must(t, http.StatusOK, "To Agency rosewood").mustNot(t, canary)
	own := s.sends.press(t, s.sends.get(t, at), at+"/open", need()).must(t, http.StatusOK, canary+" needs a room")
	own.mustNot(t, `/decide/accept`)
	if n := s.acts(t, "copy.read", id); n != 1 {
		t.Errorf("her own copy was opened by %d acts, want 1", n)
	}
	for _, act := range []string{"/open", "/print"} { // where a reload would lead
		s.takes.get(t, at+act).leads(t, at)
	}
}

// TestANumberIsHiddenWhenItIsNotSafeToCall, until somebody says why she needs it, which is an
// act of its own.
func TestANumberIsHiddenWhenItIsNotSafeToCall(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	today := s.hub.Now().UTC()
	for _, row := range []struct {
		name string
		safe map[string]any
		says string
	}{
		{"outside", map[string]any{"channel": "call", "number": "+447700900123", "last_confirmed": today.Format(time.DateOnly),
			"safe_days": []string{strings.ToLower(today.AddDate(0, 0, 3).Weekday().String())}}, "Do not call now: outside the times that she said are safe."},
		{"stale", map[string]any{"channel": "call", "number": "+447700900123", "last_confirmed": today.AddDate(0, 0, -20).Format(time.DateOnly)},
			"Do not call: she said this too long ago"},
	} {
		t.Run(row.name, func(t *testing.T) {
			id := s.refer(t, s.agreed(t), s.sections(map[string]map[string]any{"safe-contact": row.safe}))
			at := "/referrals/" + id
			p := s.takes.press(t, s.takes.get(t, at), at+"/open", need()).must(t, http.StatusOK, row.says, "Number Hidden").mustNot(t, "+447700900123")
			form := p.form(t, at+"/open", nil)
			form.Set("numbers", "yes")
			read(s.takes.Form(t, at+"/open", form)).must(t, http.StatusUnprocessableEntity).mustNot(t, "+447700900123")
			form.Set("number-reason", "safeguard")
			read(s.takes.Form(t, at+"/open", form)).must(t, http.StatusOK, "+447700900123", row.says)
			if n := s.acts(t, "section.read", id); n != 2 {
				t.Errorf("%d acts, want 2", n)
			}
		})
	}
}

// TestAnAddressDoesNotSayWhatWasDone that was not: who sends somebody a link must not make her
// think that a referral is accepted.
func TestAnAddressDoesNotSayWhatWasDone(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	id := s.sent(t)
	s.takes.get(t, "/referrals/"+id+"?done=accept").must(t, http.StatusOK).mustNot(t, "You have accepted", "notification-banner")
	s.takes.step(t, id, "accept", nil)
	s.takes.get(t, "/referrals/"+id+"?done=accept").must(t, http.StatusOK, "You have accepted this referral.")
	s.sends.get(t, "/referrals/"+id+"?done=accept").must(t, http.StatusOK).mustNot(t, "You have accepted")
	s.takes.step(t, id, "start", nil)
	s.takes.get(t, "/referrals/"+id+"?done=accept").must(t, http.StatusOK).mustNot(t, "You have accepted")
}

// TestDangerIsToldFirst: what says that she is in danger now comes before all else.
func TestDangerIsToldFirst(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	id := s.refer(t, s.agreed(t), s.sections(map[string]map[string]any{"risk": {"immediate_danger": "yes"}}))
	at := "/referrals/" + id
	p := s.takes.press(t, s.takes.get(t, at), at+"/open", url.Values{"open": {"risk"}})
	p = s.takes.press(t, p, at+"/open", nil).must(t, http.StatusOK, "She may be in danger now. Call 999 first.")
	if strings.Index(p.text, "Call 999 first") > strings.Index(p.text, "How to reach her safely") {
		t.Error("it is not told first")
	}
}

// TestWhatSheTakesBackOpensNoMore: between the page and the act she withdraws; nothing is
// released, the refusal is in the log, and the page says what to do.
func TestWhatSheTakesBackOpensNoMore(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	consent := s.agreed(t)
	id := s.refer(t, consent, s.sections(nil))
	at := "/referrals/" + id
	p := s.takes.get(t, at).must(t, http.StatusOK, "She agreed to this")
	s.take(t, consent)
	s.takes.press(t, p, at+"/open", need()).must(t, http.StatusForbidden, "She has withdrawn this consent", "She has taken her consent back").mustNot(t, canary)
	s.takes.get(t, at+"/decide/accept").must(t, http.StatusOK)
	refused := 0
	for _, e := range s.hub.Entries(t, 0) {
		if e.Act == "refused" && e.Referral == id && e.Outcome == "consent-withdrawn" && strings.Join(e.Sections, " ") == "need safe-contact" {
			refused++
		}
	}
	if refused != 1 {
		t.Errorf("the refusal is in the log %d times", refused)
	}
}

// take has the woman take a consent back.
func (s scene) take(t *testing.T, consent string) {
	t.Helper()
	if _, err := s.hub.Desk.Withdraw(t.Context(), s.sends.Caller, consent, newID()); err != nil {
		t.Fatal(err)
	}
}

// outside drafts a referral of an agency that seals what it likes with a program of its own.
func (s scene) outside(t *testing.T) (*hubtest.Agency, hubtest.Draft) {
	t.Helper()
	from := s.hub.Agency(t, "harbour", partners.VAWGService)
	s.hub.Agree(t, from, s.to)
	d := from.Request(s.to, s.service, from.Record(t, hubtest.Subject(), []string{string(s.to.ID)}))
	keys, err := s.hub.Registry.Keys(t.Context(), s.to.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if k.Use == partners.Encryption {
			d.To.Recipient = k.PublicKey
		}
	}
	return from, d
}

// TestWhatIsNotAsItsSchemaSaysIsShownAllTheSame, with a warning before it; what nobody can read
// of safe contact is safe at no time; and nothing that somebody wrote becomes markup.
func TestWhatIsNotAsItsSchemaSaysIsShownAllTheSame(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	from, d := s.outside(t)
	d.Data["need"] = packet.Content(`{"shoe_size":5,"summary":"<script>alert(1)</script> a room"}`)
	d.Data["safe-contact"] = packet.Content(`{"phone":"call her"}`)
	sealed := d.Seal(t)
	from.Sent(t, sealed)
	at := "/referrals/" + sealed.Digest
	p := s.takes.press(t, s.takes.get(t, at).must(t, http.StatusOK, "Signed by Agency harbour"), at+"/open", need()).must(t, http.StatusOK,
		"Something here is not written as it should be", "Do not call: she said this too long ago", "Read this with care. need", "Shoe size 5", "Phone call her", "<script>alert(1)</script> a room")
	p.mustNot(t, "<script>alert")
	if strings.Index(p.text, "not written as it should be") > strings.Index(p.text, "Shoe size") {
		t.Error("it is not told first")
	}
}

// TestAnAttachmentIsSavedWhole: it is opened for her, as a file that no browser shows, by an act
// of its own; one that is not what was signed gives nothing.
func TestAnAttachmentIsSavedWhole(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	from, d := s.outside(t)
	letter := []byte(strings.Repeat("a letter of the council\n", 5000))
	d, whole := d.Attach(t, "attachment-1", "housing", letter)
	d, other := d.Attach(t, "attachment-2", "housing", letter)
	from.PutAll(t, whole)
	from.PutAll(t, other)
	sealed := d.Seal(t)
	from.Sent(t, sealed)
	at := "/referrals/" + sealed.Digest
	p := s.takes.get(t, at).must(t, http.StatusOK, "Save Attachment 1: recorded as yours", "A file: Her housing")
	form := p.form(t, at+"/open", url.Values{"file": {"attachment-1"}})
	got := read(s.takes.Form(t, at+"/chain/"+sealed.Digest+"/file", form))
	if got.Status != http.StatusOK || !bytes.Equal(got.Body, letter) {
		t.Fatalf("%d with %d bytes", got.Status, len(got.Body))
	}
	kept := got.Header.Get("Content-Disposition")
	if !strings.HasPrefix(kept, `attachment; filename="R-`) || !strings.HasSuffix(kept, `-attachment-1.pdf"`) || got.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("it is sent as %s, %v", kept, got.Header)
	}
	if n := s.acts(t, "section.read", sealed.Digest); n != 1 {
		t.Errorf("it was opened by %d acts", n)
	}
	s.hub.Exec(t, `UPDATE attachment_chunk SET sealed = (SELECT sealed FROM attachment_chunk WHERE name = 'attachment-2' AND n = 1) WHERE name = 'attachment-2' AND n = 0`)
	form.Set("file", "attachment-2")
	read(s.takes.Form(t, at+"/chain/"+sealed.Digest+"/file", form)).must(t, http.StatusUnprocessableEntity, "cannot be opened, or is not what its sender signed").mustNot(t, "a letter of")
	for _, name := range []string{"need", "attachment-3", "", "../x"} {
		form.Set("file", name)
		read(s.takes.Form(t, at+"/chain/"+sealed.Digest+"/file", form)).must(t, http.StatusNotFound, "holds no such section")
	}
}

// TestTheTicketSaysWhetherItStands.
func TestTheTicketSaysWhetherItStands(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	soon := s.refer(t, s.agreed(t, func(c *record.Claims) { c.Expires = s.hub.Now().Add(50 * time.Hour).Unix() }), s.sections(nil))
	s.takes.get(t, "/referrals/"+soon).must(t, http.StatusOK, "Ends in 3 days. Ask her again")
	id := s.sent(t)
	s.takes.get(t, "/referrals/"+id).must(t, http.StatusOK, "She agreed to this", "To Agency rosewood Agency willow-outreach", "For A home, or keeping one", "Passed on To nobody else").mustNot(t, "Ends in")
}

// TestTheClockAndTheColleaguesAreShown: by when something is due and whether it is late, to
// either side in its own words; who looks at it too, to her colleagues alone.
func TestTheClockAndTheColleaguesAreShown(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	id := s.sent(t)
	at := "/referrals/" + id
	colleague := join(t, s.hub, s.to, "Kit Sample")
	colleague.get(t, at).must(t, http.StatusOK, "Nobody at your agency has this").mustNot(t, "is looking at this too")
	s.takes.get(t, at).must(t, http.StatusOK, "Respond by", "collect it", "Kit Sample is looking at this too.").mustNot(t, "Ayo Example is looking")
	s.sends.get(t, at).must(t, http.StatusOK, "They have until", "to collect it").mustNot(t, "is looking at this too")
	if err := s.hub.Referrals.Claim(t.Context(), s.takes.Caller, id); err != nil {
		t.Fatal(err)
	}
	colleague.get(t, at).must(t, http.StatusOK, "Ayo Example has this.")
	s.sends.get(t, at).must(t, http.StatusOK, "Nobody at your agency has this").mustNot(t, "Ayo")
	s.takes.press(t, s.takes.get(t, at), at+"/open", need()).must(t, http.StatusOK, canary, "Respond by", ": decide").mustNot(t, "Overdue")
	s.hub.Exec(t, `UPDATE referral SET due_at = now() - interval '1 hour'`)
	s.takes.get(t, at).must(t, http.StatusOK, "Overdue by 1 hour: decide")
	s.takes.step(t, id, "decline", url.Values{"reason": {"no-capacity"}})
	s.takes.get(t, at).must(t, http.StatusOK, "Nothing can follow").mustNot(t, "Respond by", "has this")
}

// TestNobodyElseLearnsAnything: to another agency's caseworker a referral that is there, its
// steps and its notes are like ones that are not; who may not read referrals finds no page.
func TestNobodyElseLearnsAnything(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	id := s.sent(t)
	const none = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	other := join(t, s.hub, s.hub.Managed(t, "elm-house", partners.VAWGService), "Toni Example")
	gets := []string{"", "/messages", "/decide", "/decide/accept", "/chain/" + id, "/chain/" + id + "/receipt.json", "/chain/" + id + "/proof.txt"}
	posts := map[string]url.Values{"/open": {"open": {"need"}, "reason": {"decide"}}, "/print": {"open": {"need"}, "reason": {"decide"}}, "/messages": {},
		"/decide": {"event": {"accept"}}, "/decide/accept": {"act": {newID()}, "seen": {id}, "to": {"confirm"}}, "/chain/" + id: {"open": {"need"}}}
	ask := func(w worker, id, path string, form url.Values) page {
		path = "/referrals/" + id + strings.ReplaceAll(path, none, id)
		if form == nil {
			return w.get(t, path)
		}
		return read(w.Form(t, path, form))
	}
	for path, form := range posts {
		there, missing := ask(other, id, path, form), ask(other, none, path, form)
		if there.Status != http.StatusNotFound || missing.Status != there.Status || there.text != missing.text {
			t.Errorf("POST %s: %d %q, of one that is not there %d %q", path, there.Status, there.text, missing.Status, missing.text)
		}
	}
	for _, path := range gets {
		there, missing := ask(other, id, path, nil), ask(other, none, path, nil)
		if there.Status != http.StatusNotFound || missing.Status != there.Status || there.text != missing.text {
			t.Errorf("GET %s: %d %q, of one that is not there %d %q", path, there.Status, there.text, missing.Status, missing.text)
		}
	}
	for _, role := range []partners.Role{partners.Auditor, partners.Administrator} {
		_, b := s.hub.Joined(t, s.to.ID, "Someone Example", role)
		w := worker{Browser: b}
		for path, form := range posts {
			ask(w, id, path, form).must(t, http.StatusNotFound).mustNot(t, canary, "rosewood", "willow")
		}
		for _, path := range append(gets, "/../../recalls") {
			ask(w, id, path, nil).must(t, http.StatusNotFound).mustNot(t, canary, "rosewood", "willow")
		}
	}
	for _, act := range []string{"section.read", "copy.read", "packet.receive"} {
		if n := s.acts(t, act, id); n > 0 && act != "packet.receive" {
			t.Errorf("%s: %d", act, n)
		}
	}
}

// TestAnAgencyWithItsOwnKeysIsToldHow: the page shows envelope, ticket and chain, and has no
// button that would need a key that the hub does not hold.
func TestAnAgencyWithItsOwnKeysIsToldHow(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	sent := p.Sent(t)
	w := join(t, h, p.To, "Ayo Example")
	at := "/referrals/" + sent.Digest
	w.get(t, at).must(t, http.StatusOK, "Your agency holds its own keys", "handover open R-", "Sealed to your agency’s own key", "Signed by Agency sender-1").
		mustNot(t, "recorded as yours", "/decide", `action="`+at)
	for _, event := range []string{"", "/accept"} {
		w.get(t, at+"/decide"+event).must(t, http.StatusOK, "Answer in your own system").mustNot(t, "<form method=\"post\" action=\"/referrals")
	}
	read(w.Form(t, at+"/decide/accept", url.Values{"to": {"confirm"}})).must(t, http.StatusOK, "Answer in your own system")
	read(w.Form(t, at+"/open", url.Values{"open": {"need"}, "reason": {"decide"}})).must(t, http.StatusConflict).mustNot(t, "Done")
	w.get(t, at+"/messages").must(t, http.StatusOK, "Read and write notes in your own system")
	w.get(t, at+"/chain/"+sent.Digest).must(t, http.StatusOK, "Signature Signed by Agency sender-1", "c2sp.org/tlog-proof@v1")
	if p := w.get(t, at+"/chain/"+sent.Digest+"/receipt.json"); !strings.Contains(string(p.Body), `"proof": "c2sp.org/tlog-proof@v1`) {
		t.Errorf("the receipt is %s", p.Body)
	}
}
