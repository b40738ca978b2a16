package client_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"handover/audit"
	"handover/audit/proof"
	"handover/client"
	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/internal/ids"
	"handover/keys"
	"handover/keys/jose"
	"handover/partners/terms"
)

// borough is a real hub on which two agencies shared on a consent, on one that was in doubt, on
// a later one and on an override, and the police asked one of them.
type borough struct {
	hubtest.Pair
	hub             *hubtest.Hub
	worker, manager *hubtest.Person
	doubted         hubtest.Consent
	override        hubtest.Override
	file            hubtest.Export
}

func newBorough(t *testing.T) *borough {
	t.Helper()
	h := hubtest.New(t)
	b := &borough{hub: h, Pair: h.Pair(t, "housing"), worker: nil}
	b.worker, b.manager = h.Person(t, b.From.ID, "caseworker"), h.Person(t, b.From.ID, "manager")
	ok := func(a hubtest.Answer) {
		if t.Helper(); a.Status/100 != 2 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
	}
	first := b.Sent(t, "need", "safe-contact")
	b.From.Record(t, b.Consent.Subject, b.Named(), func(c *record.Claims) { c.Supersedes = b.Consent.ID })
	ok(b.To.Open(t, first.Digest, "", "need"))

	how := hubtest.Asked()
	how.Coercion = "suspected"
	b.doubted = b.From.ConsentAsked(t, how, hubtest.Subject(), b.Named())
	ok(b.From.PostConsent(t, b.doubted))
	ok(b.manager.Says(t, "/v1/consents/"+b.doubted.ID+"/review", b.From.Decision(t, b.manager.ID, b.doubted.ID, b.doubted.Digest, record.Approved)))
	second := b.From.Request(b.To, b.Service, b.doubted, "need").Seal(t)
	b.From.Sent(t, second)
	ok(b.To.Open(t, second.Digest, "", "need"))

	b.override = b.From.Override(t, b.worker.ID, b.To, hubtest.Subject())
	ok(b.worker.Propose(t, b.override))
	ok(b.From.Decide(t, b.manager, b.override, record.Approved))
	third := b.From.RequestOn(b.To, b.Service, b.override, "need").Seal(t)
	b.From.Sent(t, third)
	ok(b.To.Open(t, third.Digest, "", "need"))
	b.From.Never(t, []string{b.Consent.Subject}, "category:police")

	b.agree(t, ok)
	police := h.Agency(t, "sample-police", "police")
	officer := h.Person(t, police.ID, "caseworker")
	asked := police.Inquiry(t, officer.ID, b.From)
	ok(officer.Asks(t, asked))
	ok(b.manager.Opens(t, asked.ID))
	ok(b.manager.Answers(t, asked.ID, b.From.Answer(t, b.manager.ID, asked, record.Approved)))
	chief := h.Person(t, police.ID, "administrator")
	lost := police.Rotate(t, chief, "signing", time.Hour)
	ok(chief.Post(t, "/v1/keys/"+lost.KeyID()+"/revoke", map[string]string{"reason": "lost"}))

	var file bytes.Buffer
	q := audit.ExportQuery{From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Hour), Scope: proof.ScopeAll}
	_, err := h.Exporter.Write(t.Context(), audit.Snapshots{Pool: h.DB.Owner}, q, func() (io.Writer, error) { return &file, nil })
	must(err)
	b.file = hubtest.ReadExport(t, file.Bytes())
	return b
}

// agree has the two agencies sign an agreement, and end it.
func (b *borough) agree(t *testing.T, ok func(hubtest.Answer)) {
	t.Helper()
	proposer, signer := b.hub.Person(t, b.From.ID, "administrator"), b.hub.Person(t, b.To.ID, "administrator")
	of := b.From.Terms(t, proposer.ID, b.To)
	ok(proposer.Proposes(t, of))
	ok(signer.Signs(t, b.To, of))
	ok(proposer.Ends(t, b.From, of))
}

// lie begins with the export that the hub made.
func (b *borough) lie(t *testing.T) *liar {
	t.Helper()
	key, err := keys.Signer(t.Context(), b.hub.Keys(), "checkpoint")
	must(err)
	signer, err := audit.NewSigner("hub.example/v1/log", key.Key)
	must(err)
	f := &liar{signer: signer, header: b.file.Header, entries: slices.Clone(b.file.Entries), statements: slices.Clone(b.file.Statements),
		erased: map[int64]bool{}, hidden: map[int64]bool{}, partners: map[string]proof.ExportPartner{}}
	for _, p := range b.file.Partners {
		f.partners[p.ID] = p
	}
	f.header.Checkpoint = "" // of the tree that is made of the lies
	return f
}

// resign has the agency sign another statement in the place of the one that an entry names:
// the agency and the hub lie together.
func (f *liar) resign(b *borough, index int64, kind, typ string, change func(map[string]any)) {
	e := f.said(index)
	digest := e.Digest
	for i, s := range f.statements {
		if s.Digest != digest {
			continue
		}
		signed, err := jose.ParseSigned(s.Text, 16<<10, typ)
		must(err)
		claims := map[string]any{}
		must(json.Unmarshal(signed.UnverifiedPayload(), &claims))
		change(claims)
		text, err := jose.Sign(typ, raw(claims), b.From.Signing.Signer())
		must(err)
		f.statements[i] = proof.ExportStatement{Kind: kind, Digest: ids.Digest(text), Text: text}
		f.says(index, func(e *proof.Entry) { e.Digest = ids.Digest(text) })
		return
	}
	panic("no statement of " + kind)
}

// first moves an entry before another.
func (f *liar) before(i, j int64) {
	e := f.entries[i]
	f.entries = slices.Insert(slices.Delete(f.entries, int(i), int(i)+1), int(j), e)
	f.renumber()
}

// TestWhatAHubAndAnAgencySignTogetherIsNamed: an agency that has decided to help the hub signs
// whatever it takes, and still cannot make it fit.
func TestWhatAHubAndAnAgencySignTogetherIsNamed(t *testing.T) {
	t.Parallel()
	b := newBorough(t)
	key := pinned(t, b.hub)
	for _, row := range []struct {
		name string
		lie  func(f *liar)
		want string
	}{
		{"nothing", func(*liar) {}, ""},
		{"a statement taken after its key was revoked", func(f *liar) {
			f.says(f.find("police.request", 0), func(e *proof.Entry) { e.Time = e.Time.Add(10 * time.Minute) })
		}, "the key was revoked on"},
		{"an override approved by who proposed it", func(f *liar) {
			f.resign(b, f.find("override.decision", 0), proof.StatementDecision, record.DecisionType, func(c map[string]any) { c["act"] = b.worker.ID })
			f.says(f.find("override.decision", 0), func(e *proof.Entry) { e.User = b.worker.ID })
		}, "second person: entry %s: whoever proposed it decided it too"},
		{"a decision signed by another person than decided", func(f *liar) {
			f.says(f.find("override.decision", 0), func(e *proof.Entry) { e.User = b.worker.ID })
		}, "statements: entry %s: it names another person than the entry"},
		{"a record that was signed for another hub", func(f *liar) {
			f.resign(b, f.find("consent.record", 1), proof.StatementConsent, record.ConsentType, func(c map[string]any) { c["hub"] = "https://staging.example" })
		}, "statements: entry %s: it was signed for another hub"},
		{"an override that was refused", func(f *liar) {
			f.resign(b, f.find("override.decision", 0), proof.StatementDecision, record.DecisionType, func(c map[string]any) { c["decision"] = "refused" })
		}, "a manager had refused it"},
		{"an override approved after the packet was sent", func(f *liar) { f.before(f.find("referral.request", 2), f.find("override.decision", 0)) },
			"sharing: entry %s: it rests on the override OVERRIDE, and nobody had approved it"},
		{"an override that is not there", func(f *liar) { f.drop(f.find("override.propose", 0)) }, "no entry before it proposes that"},
		{"a decision about another override", func(f *liar) {
			f.resign(b, f.find("override.decision", 0), proof.StatementDecision, record.DecisionType, func(c map[string]any) { c["digest"] = ids.Digest("another") })
		}, "second person: entry %s: the decision is about something else"},
		{"an override of less than was sent", func(f *liar) {
			f.resign(b, f.find("override.propose", 0), proof.StatementOverride, record.OverrideType, func(c map[string]any) { c["sections"] = []string{"risk"} })
			f.says(f.find("override.propose", 0), func(e *proof.Entry) { e.Sections = []string{"risk"} })
		}, "it rests on another override with the id OVERRIDE than the log has"},
		{"an opening on an override that covers less", func(f *liar) {
			f.says(f.find("section.open", 2), func(e *proof.Entry) { e.Sections = []string{"health"} })
		}, "opening: entry %s: the override OVERRIDE does not cover it"},
		{"an opening on an override that had ended", func(f *liar) {
			review := b.From.Review(t, b.manager.ID, b.override, 0)
			f.states(proof.StatementReview, review)
			e := f.said(f.find("override.decision", 0))
			e.Act, e.Digest, e.State = "override.review", ids.Digest(review), "ended"
			f.insert(f.find("section.open", 2), e)
		}, "opening: entry %s: it rests on the override OVERRIDE, and a manager had ended it"},
		{"an emergency that nobody approved in its day", func(f *liar) {
			f.resign(b, f.find("override.propose", 0), proof.StatementOverride, record.OverrideType, func(c map[string]any) { c["emergency"] = true })
			f.says(f.find("override.propose", 0), func(e *proof.Entry) { e.State, e.Other = "emergency", string(b.To.ID) })
			f.drop(f.find("override.decision", 0))
			for i := f.find("section.open", 2); i < f.header.End; i++ {
				f.says(i, func(e *proof.Entry) { e.Time = e.Time.Add(25 * time.Hour) })
			}
		}, "opening: entry %s: it rests on the override OVERRIDE, and nobody had approved it"},
		{"an emergency approved a day too late", func(f *liar) {
			f.resign(b, f.find("override.propose", 0), proof.StatementOverride, record.OverrideType, func(c map[string]any) { c["emergency"] = true })
			f.says(f.find("override.propose", 0), func(e *proof.Entry) { e.State, e.Other = "emergency", string(b.To.ID) })
			digest := f.said(f.find("override.propose", 0)).Digest
			f.resign(b, f.find("override.decision", 0), proof.StatementDecision, record.DecisionType, func(c map[string]any) { c["digest"] = digest })
			f.before(f.find("override.decision", 0), f.find("section.open", 2)-1)
			for i := f.find("override.decision", 0); i < f.header.End; i++ {
				f.says(i, func(e *proof.Entry) { e.Time = e.Time.Add(25 * time.Hour) })
			}
		}, "opening: entry %s: it rests on the override OVERRIDE, and nobody had approved the emergency within a day"},
		{"an opening by somebody else who is named", func(f *liar) {
			f.says(f.find("section.open", 0), func(e *proof.Entry) { e.Partner = string(b.From.ID) })
		}, "opening: entry %s: whoever opened it is not whom the packet was sent to"},
		{"an opening on a later record that the packet does not name", func(f *liar) {
			later := f.said(f.find("consent.record", 1)).Consent
			f.says(f.find("section.open", 0), func(e *proof.Entry) { e.Consent = later })
		}, "opening: entry %s: it names another basis than the packet that it opened"},
		{"a record in doubt, opened before it was decided", func(f *liar) { f.before(f.find("section.open", 1), f.find("consent.review", 0)) },
			"about which a manager had still to decide"},
		{"a record in doubt, decided by who recorded it", func(f *liar) {
			f.resign(b, f.find("consent.review", 0), proof.StatementDecision, record.DecisionType, func(c map[string]any) { c["act"] = "who-asked" })
			f.says(f.find("consent.review", 0), func(e *proof.Entry) { e.User = "who-asked" })
		}, "second person: entry %s: whoever recorded it decided about it too"},
		{"a record in doubt that a manager refused", func(f *liar) {
			f.resign(b, f.find("consent.review", 0), proof.StatementDecision, record.DecisionType, func(c map[string]any) { c["decision"] = "refused" })
		}, "second person: entry %s: the log says otherwise than the decision whether the record stands"},
		{"a record in doubt that does not stand", func(f *liar) {
			f.says(f.find("consent.review", 0), func(e *proof.Entry) { e.State = "does-not-stand" })
		}, "a manager had decided that the record " + b.doubted.ID + " does not stand"},
		{"a later record that covers less", func(f *liar) {
			f.resign(b, f.find("consent.record", 1), proof.StatementConsent, record.ConsentType, func(c map[string]any) { c["sections"] = []string{"risk"} })
		}, "opening: entry %s: the consent "},
		{"a later record with a no", func(f *liar) {
			f.resign(b, f.find("consent.record", 1), proof.StatementConsent, record.ConsentType, func(c map[string]any) { c["agreement"] = "refused" })
			f.says(f.find("consent.record", 1), func(e *proof.Entry) { e.State = "refused" })
		}, "opening: entry %s: the consent "},
		{"two records in the place of one", func(f *liar) {
			second := b.From.Consent(t, b.Consent.Subject, b.Named(), func(c *record.Claims) { c.Supersedes = b.Consent.ID })
			f.states(proof.StatementConsent, second.Token)
			e := f.said(f.find("consent.record", 1))
			e.Consent, e.Digest = second.ID, second.Digest
			f.insert(f.header.End, e)
		}, "statements: entry %s: it takes the place of the record " + b.Consent.ID + ", which "},
		{"a record that was recorded again", func(f *liar) { f.insert(f.header.End, f.said(f.find("consent.record", 0))) },
			"statements: entry %s: the log has a record with the id " + b.Consent.ID + " already"},
		{"an override that was proposed again", func(f *liar) { f.insert(f.header.End, f.said(f.find("override.propose", 0))) },
			"statements: entry %s: the log has an override with the id OVERRIDE already"},
		{"an emergency that the log does not know", func(f *liar) {
			f.resign(b, f.find("override.propose", 0), proof.StatementOverride, record.OverrideType, func(c map[string]any) { c["emergency"] = true })
		}, "statements: entry %s: the log says otherwise than the override whether it is an emergency"},
		{"a withdrawal of another text under the same id", func(f *liar) {
			token := b.From.Withdrawal(t, hubtest.Consent{Claims: b.Consent.Claims, Digest: ids.Digest("another")})
			f.states(proof.StatementWithdrawal, token)
			e := f.said(f.find("consent.record", 0))
			e.Act, e.Digest, e.State = "consent.withdraw", ids.Digest(token), "withdrawn"
			f.insert(f.header.End, e)
		}, "statements: entry %s: the withdrawal is of another record than the one with the id " + b.Consent.ID},
		{"what she never wanted shared with him", func(f *liar) {
			f.resign(b, f.find("never.record", 0), proof.StatementNever, record.NeverType, func(c map[string]any) { c["recipients"] = []string{string(b.To.ID)} })
			f.before(f.find("never.record", 0), f.find("section.open", 0))
		}, "opening: entry %s: she never wants anything shared with " + string(b.To.ID)},
		{"more for the police than they asked for", func(f *liar) {
			f.resign(b, f.find("police.decision", 0), proof.StatementPoliceDecision, record.InquiryDecisionType, func(c map[string]any) { c["sections"] = []string{"health"} })
		}, "police: entry %s: it does not answer what was asked"},
		{"other terms than the other agency signed", func(f *liar) {
			f.resign(b, f.find("agreement.propose", 0), proof.StatementAgreement, terms.ProposalType, func(c map[string]any) {
				c["sends"] = map[string]any{"purposes": []string{"housing"}, "sections": []string{"need", "risk"}}
			})
		}, "agreements: entry %s: it is not about exactly what was proposed"},
		{"an agreement that was signed before it was proposed", func(f *liar) { f.before(f.find("agreement.sign", 0), f.find("agreement.propose", 0)) },
			"agreements: entry %s: it is about an agreement that no entry before it has"},
		{"an agreement that ended twice", func(f *liar) { f.insert(f.header.End, f.said(f.find("agreement.close", 0))) },
			"agreements: entry %s: it ends what was over before"},
		{"an agreement that was signed once more, after its end", func(f *liar) { f.insert(f.header.End, f.said(f.find("agreement.sign", 0))) },
			"agreements: entry %s: it answers what was answered, or taken back, before"},
		{"a yes for the police before they asked", func(f *liar) { f.before(f.find("police.decision", 0), f.find("police.request", 0)) },
			"police: entry %s: it is about a request that no entry before it has"},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := b.lie(t)
			row.lie(f)
			found, err := audited(f.file(), client.AuditTrust{LogKey: key})
			before, after, _ := strings.Cut(strings.ReplaceAll(row.want, "OVERRIDE", b.override.ID), "%s")
			lines := strings.Split(fails(found), "\n")
			named := slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, before) && strings.Contains(l, after) })
			if row.want == "" && err != nil || row.want != "" && (!errors.Is(err, client.ErrVerification) || !named) {
				t.Errorf("%v\nwant %s … %s\nfound:\n%s", err, before, after, strings.Join(lines, "\n"))
			}
		})
	}
}

// insert puts an entry into the log.
func (f *liar) insert(at int64, e proof.Entry) {
	body, err := e.Bytes()
	must(err)
	f.entries = slices.Insert(f.entries, int(at), proof.ExportEntry{Body: body, Salt: f.entries[0].Salt})
	f.renumber()
}

// pinned is the key of the hub's log.
func pinned(t *testing.T, h *hubtest.Hub) client.LogKey {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, hubtest.Issuer+"/v1/log/key", nil)
	must(err)
	answer, err := h.HTTP().Do(r)
	must(err)
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	must(err)
	key, err := client.ParseLogKey(strings.TrimSpace(string(text)))
	must(err)
	return key
}
