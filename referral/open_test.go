package referral_test

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"handover/audit/proof"
	"handover/internal/httpd"
	"handover/internal/hubtest"
	"handover/internal/ids"
	"handover/keys/jose"
	"handover/partners"
	"handover/referral"
	"handover/referral/packet"
)

// released is the answer to an opening.
type released struct {
	Sections map[string]string `json:"sections"`
	Receipt  proof.Receipt     `json:"receipt"`
}

// opened opens sections, which must be given.
func opened(t *testing.T, a *hubtest.Agency, referral, envelope string, sections ...string) (r released) {
	t.Helper()
	a.Open(t, referral, envelope, sections...).Into(t, http.StatusOK, &r)
	return r
}

func TestTheRecipientIsGivenTheSectionsAndTheSenderHerCopies(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	request := p.Sent(t, "need", "risk", "safe-contact")
	note := p.Step(t, p.To, packet.Message, request.Digest, request.Digest)
	for _, row := range []struct {
		name     string
		by       *hubtest.Agency
		packet   hubtest.Sealed
		signer   *hubtest.Agency
		envelope string
		sections []string
		want     map[string]string
		key      jose.PrivateKey
	}{
		{"the recipient opens two sections", p.To, request, p.From, "", []string{"need", "risk"}, request.Sections, p.To.Sealing},
		{"the recipient opens the third", p.To, request, p.From, request.Digest, []string{"safe-contact"}, request.Sections, p.To.Sealing},
		{"the sender reads again what she sent", p.From, request, p.From, "", []string{"need", "risk", "safe-contact"}, request.Copies, p.From.Sealing},
		{"the sender opens the recipient's note", p.From, note, p.To, note.Digest, []string{"note"}, note.Sections, p.From.Sealing},
		{"the recipient reads again what it noted", p.To, note, p.To, note.Digest, []string{"note"}, note.Copies, p.To.Sealing},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := opened(t, row.by, request.Digest, row.envelope, row.sections...).Sections
			want := map[string]string{}
			for _, name := range row.sections {
				want[name] = row.want[name]
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("(-sealed +released):\n%s", diff)
			}
			envelope := verified(t, row.packet, row.signer)
			for name, jwe := range got {
				content, err := envelope.Unseal(name, jwe, row.key)
				if err != nil || string(content) != `{"text":"`+name+`"}` {
					t.Errorf("%s cannot be read: %v", name, err)
				}
			}
		})
	}
}

func verified(t *testing.T, s hubtest.Sealed, by *hubtest.Agency) packet.Envelope {
	t.Helper()
	statement, err := packet.ParseEnvelope(s.Envelope)
	if err != nil {
		t.Fatal(err)
	}
	e, err := statement.Verify(by.Signing.Public())
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestASenderWhoKeptNoCopyIsGivenNothing(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	s := p.Request("need").Seal(t, func(d *hubtest.Draft) { d.To.Copy = nil })
	p.From.Sent(t, s)
	a := p.From.Open(t, s.Digest, "", "need")
	if a.Status != http.StatusNotFound || a.Problem().Code != "section-not-found" || bytes.Contains(a.Body, []byte(s.Sections["need"])) {
		t.Errorf("answered %d %s, want 404 section-not-found", a.Status, a.Body)
	}
}

// TestOnlyOpeningGivesSections reads every other address about a referral, as both
// sides, and looks for what was sealed.
func TestOnlyOpeningGivesSections(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	s := p.Sent(t)
	note := p.Step(t, p.To, packet.Message, s.Digest, s.Digest)
	var sealed []string
	for _, m := range []map[string]string{s.Sections, s.Copies, note.Sections, note.Copies} {
		sealed = slices.AppendSeq(sealed, maps.Values(m))
	}
	if len(sealed) != 6 {
		t.Fatalf("%d sealed sections and copies, want 6", len(sealed))
	}
	for _, by := range []*hubtest.Agency{p.From, p.To} {
		for _, path := range []string{"/v1/referrals/" + s.Digest, "/v1/referrals/" + s.Digest + "/events", "/v1/inbox",
			"/v1/referrals?role=sent&state=all", "/v1/referrals?role=received&state=all", "/v1/consents/" + p.Consent.ID} {
			a := by.Get(t, path)
			if a.Status != http.StatusOK {
				t.Errorf("%s: %d %s", path, a.Status, a.Body)
			}
			for _, jwe := range sealed {
				if bytes.Contains(a.Body, []byte(jwe)) {
					t.Errorf("%s shows %s a sealed section", path, by.ID)
				}
			}
		}
	}
}

func TestASectionIsReleasedOnlyWhileItMayBe(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	final := func(state string, days int) func(*testing.T, hubtest.Pair, string) {
		return func(t *testing.T, _ hubtest.Pair, id string) {
			h.Exec(t, `UPDATE referral SET state = $2, due_at = NULL, due_for = NULL, changed_at = now() - make_interval(days => $3, mins => 1) WHERE id = $1`, id, state, days)
		}
	}
	exec := func(statement string, of func(p hubtest.Pair, id string) string) func(*testing.T, hubtest.Pair, string) {
		return func(t *testing.T, p hubtest.Pair, id string) { h.Exec(t, statement, of(p, id)) }
	}
	consent := func(p hubtest.Pair, _ string) string { return p.Consent.ID }
	agreement := func(p hubtest.Pair, _ string) string { return p.Agreement }
	referralID := func(_ hubtest.Pair, id string) string { return id }
	for _, row := range []struct {
		name   string
		code   string // "" when sections are still given
		change func(t *testing.T, p hubtest.Pair, id string)
	}{
		{"nothing changed", "", func(*testing.T, hubtest.Pair, string) {}},
		{"she withdrew, at the sender's", "consent-withdrawn", func(t *testing.T, p hubtest.Pair, _ string) { p.From.Withdraw(t, p.Consent) }},
		{"she withdrew, at the recipient's", "consent-withdrawn", func(t *testing.T, p hubtest.Pair, _ string) { p.To.Withdraw(t, p.Consent) }},
		{"her consent expired", "consent-expired", exec(`UPDATE consent SET expires_at = now() WHERE id = $1`, consent)},
		{"the agreement ended", "no-agreement", func(t *testing.T, p hubtest.Pair, _ string) { do(t, h.Operator.EndAgreement(t.Context(), p.Agreement)) }},
		{"the agreement expired", "no-agreement", exec(`UPDATE agreement SET valid_to = now() WHERE id = $1`, agreement)},
		{"the agreement narrowed to other sections", "no-agreement", exec(`UPDATE agreement SET sections = '{risk}' WHERE id = $1`, agreement)},
		{"the packet expired", "packet-expired", exec(`UPDATE packet SET expires_at = now() WHERE digest = $1`, referralID)},
		{"rejected 31 days ago", "referral-closed", final("rejected", 30)},
		{"completed 31 days ago", "referral-closed", final("completed", 30)},
		{"failed 31 days ago", "referral-closed", final("failed", 30)},
		{"completed within the grace time", "", final("completed", 29)},
		{"rejected within the grace time", "", final("rejected", 29)},
		{"accepted a year ago", "", final("accepted", 365)},
		{"cancelled a minute ago, by whatever way", "referral-closed", final("cancelled", 0)},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := h.Pair(t, partners.BoroughOutreach)
			s := p.Sent(t)
			opened(t, p.To, s.Digest, "", "need")
			row.change(t, p, s.Digest)
			content, logged := h.Content(t), h.Logged(t)
			a := p.To.Open(t, s.Digest, "", "need", "safe-contact")
			if row.code == "" {
				if a.Status != http.StatusOK {
					t.Errorf("answered %d %s, want the sections", a.Status, a.Body)
				}
				return
			}
			if a.Status != http.StatusForbidden || a.Problem().Code != row.code || bytes.Contains(a.Body, []byte("eyJ")) {
				t.Errorf("answered %d %s, want 403 %s and no section", a.Status, a.Body, row.code)
			}
			same(t, content, h.Content(t))
			entries := h.Entries(t, logged)
			if len(entries) != 1 || entries[0].Act != "refused" || entries[0].Outcome != row.code || entries[0].Referral != s.Digest ||
				!slices.Equal(entries[0].Sections, []string{"need", "safe-contact"}) || entries[0].Reason != "triage" {
				t.Errorf("the log says %+v, want one refusal of both sections as %s", entries, row.code)
			}
			if own := opened(t, p.From, s.Digest, "", "need").Sections["need"]; own != s.Copies["need"] {
				t.Error("the sender cannot read again what she sent")
			}
		})
	}
}

func TestASuspendedRecipientOpensNothing(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	s := p.Sent(t)
	opened(t, p.To, s.Digest, "", "need")
	do(t, h.Operator.Suspend(t.Context(), p.To.ID))
	if a := p.To.Open(t, s.Digest, "", "need"); a.Status != http.StatusUnauthorized {
		t.Errorf("answered %d %s, want 401", a.Status, a.Body)
	}
}

func TestOpeningNeedsTheScopeOfTheSide(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	s := p.Sent(t)
	open := hubtest.Call{Method: "POST", Path: "/v1/referrals/" + s.Digest + "/open", Type: "application/json",
		Body: []byte(`{"sections":["need"],"reason":"triage"}`)}
	for _, row := range []struct {
		by    *hubtest.Agency
		scope partners.Scope
		want  int
	}{
		{p.To, partners.ReferralsReceive, 200}, {p.To, partners.ReferralsSend, 403}, {p.To, partners.ConsentsWrite, 403},
		{p.From, partners.ReferralsSend, 200}, {p.From, partners.ReferralsReceive, 403}, {p.From, partners.AuditRead, 403},
	} {
		open.Scopes = []partners.Scope{row.scope}
		if a := row.by.Do(t, open); a.Status != row.want {
			t.Errorf("%s with %s: %d, want %d", row.by.ID, row.scope, a.Status, row.want)
		}
	}
}

func TestAnOpeningThatIsNotWellFormedIsRefused(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	s := p.Sent(t)
	bare := p.Step(t, p.To, packet.Accept, s.Digest, s.Digest) // a packet without sections
	for body, code := range map[string]string{
		`{"sections":[],"reason":"triage"}`:                           "open-malformed",
		`{"reason":"triage"}`:                                         "open-malformed",
		`{"sections":["need","need"],"reason":"triage"}`:              "open-malformed",
		`{"sections":["need","diary"],"reason":"triage"}`:             "open-malformed",
		`{"sections":["need"]}`:                                       "open-malformed",
		`{"sections":["need"],"reason":"curiosity"}`:                  "open-malformed",
		`{"sections":["need"],"reason":"triage","x":1}`:               "malformed-json",
		`{"sections":["need"],"reason":"triage"}{}`:                   "malformed-json",
		`{"sections":["need"],"sections":["risk"],"reason":"triage"}`: "malformed-json",
		`null`: "malformed-json",
		`{"sections":["risk"],"reason":"triage"}`:                                                       "section-not-found",
		`{"sections":["need","risk"],"reason":"triage"}`:                                                "section-not-found",
		fmt.Sprintf(`{"envelope":%q,"sections":["note"],"reason":"triage"}`, bare.Digest):               "section-not-found",
		fmt.Sprintf(`{"envelope":%q,"sections":["need"],"reason":"triage"}`, ids.Digest("another")):     "referral-not-found",
		`{"envelope":"\u0000","sections":["need"],"reason":"triage"}`:                                   "referral-not-found",
		fmt.Sprintf(`{"envelope":%q,"sections":["need"],"reason":"triage"}`, strings.Repeat("A", 1000)): "referral-not-found",
	} {
		content := h.Content(t)
		a := p.To.Do(t, hubtest.Call{Method: "POST", Path: "/v1/referrals/" + s.Digest + "/open", Type: "application/json", Body: []byte(body)})
		if a.Problem().Code != code {
			t.Errorf("%s answered %d %s, want %s", body, a.Status, a.Body, code)
		}
		same(t, content, h.Content(t))
	}
}

func TestTheReceiptOfAReleaseSaysWhatWasReleasedAndWhy(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	s := p.Sent(t)
	key, err := proof.ParseLogKey(strings.TrimSpace(string(p.To.Get(t, "/v1/log/key").Body)))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		by, other *hubtest.Agency
		act       string
	}{{p.To, p.From, "section.open"}, {p.From, p.To, "copy.open"}} {
		e, err := opened(t, row.by, s.Digest, "", "safe-contact", "need").Receipt.Verify(key)
		if err != nil {
			t.Fatal(err)
		}
		want := proof.Entry{V: e.V, ID: e.ID, Time: e.Time, Act: row.act, Partner: string(row.by.ID), Client: row.by.Client,
			Other: string(row.other.ID), Referral: s.Digest, Envelope: s.Digest, Consent: p.Consent.ID,
			Sections: []string{"need", "safe-contact"}, Reason: "triage"}
		if diff := cmp.Diff(want, e); diff != "" {
			t.Errorf("(-want +logged):\n%s", diff)
		}
	}
}

// TestNoSectionLeavesBeforeItsReleaseIsUnderACheckpoint stops the log from signing:
// the answer is then receipt-pending, without the section.
func TestNoSectionLeavesBeforeItsReleaseIsUnderACheckpoint(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	s := p.Sent(t)
	router := httpd.Router()
	(&referral.Handler{Gate: &partners.Gate{Log: h.Log}, Store: h.Referrals, Log: h.Log, Wait: 300 * time.Millisecond}).Mount(router)
	caller := p.To.Caller(t)
	open := func() *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", "/v1/referrals/"+s.Digest+"/open", strings.NewReader(`{"sections":["need"],"reason":"triage"}`))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		router.ServeHTTP(w, r.WithContext(partners.WithCaller(t.Context(), caller)))
		return w
	}
	tx, err := h.DB.Owner.Begin(t.Context())
	if err == nil {
		_, err = tx.Exec(t.Context(), `LOCK TABLE audit_checkpoint IN SHARE MODE`) // nothing can be signed
	}
	do(t, err)
	w := open()
	do(t, tx.Rollback(t.Context()))
	if got := (hubtest.Answer{Body: w.Body.Bytes()}).Problem(); w.Code != 503 || got.Code != "receipt-pending" || !got.Retry {
		t.Errorf("answered %d %s, want 503 receipt-pending", w.Code, w.Body)
	}
	if bytes.Contains(w.Body.Bytes(), []byte(s.Sections["need"])) {
		t.Error("the section left before its release was proved")
	}
	if w := open(); w.Code != 200 || !bytes.Contains(w.Body.Bytes(), []byte(s.Sections["need"])) {
		t.Errorf("with the log at work: %d %s", w.Code, w.Body)
	}
}

// TestWithdrawingDestroysWhatTheRecipientHasNotOpened lets the sender read all her
// copies first, which is no opening by the recipient.
func TestWithdrawingDestroysWhatTheRecipientHasNotOpened(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	s, untouched := p.Sent(t, "need", "risk", "safe-contact"), p.Sent(t)
	note := p.Step(t, p.From, packet.Message, s.Digest, s.Digest)
	opened(t, p.To, s.Digest, "", "need")
	opened(t, p.From, s.Digest, "", "need", "risk", "safe-contact")
	p.Step(t, p.From, packet.Withdraw, s.Digest, note.Digest)

	left := hubtest.Column[string](t, h, `SELECT r.id || ' ' || s.name FROM section s JOIN packet p ON p.seq = s.packet
		JOIN referral r ON r.seq = p.referral ORDER BY r.seq, s.name`)
	want := []string{s.Digest + " need", untouched.Digest + " need", untouched.Digest + " safe-contact"}
	if diff := cmp.Diff(want, left); diff != "" {
		t.Errorf("sections left (-want +got):\n%s", diff)
	}
	if a := p.To.Open(t, s.Digest, "", "risk"); a.Problem().Code != "section-not-found" {
		t.Errorf("the destroyed section: %d %s", a.Status, a.Body)
	}
	if a := p.To.Open(t, s.Digest, "", "need"); a.Problem().Code != "referral-closed" {
		t.Errorf("the section that was opened before: %d %s", a.Status, a.Body)
	}
	opened(t, p.From, s.Digest, "", "need", "risk", "safe-contact")
}
