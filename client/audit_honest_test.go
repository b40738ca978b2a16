package client_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"handover/audit"
	"handover/audit/proof"
	"handover/client"
	"handover/internal/hubtest"
	"handover/keys/jose"
	"handover/referral/packet"
)

// TestAnEventfulQuarterHolds: keys changed and one was lost, the hub signed for an agency that holds none, an
// emergency went ahead of its approval, and a referral ran from its request to its outcome.
func TestAnEventfulQuarterHolds(t *testing.T) {
	t.Parallel()
	s := newSide(t)
	p := s.hub.Pair(t, "housing")
	done := func(a hubtest.Answer) {
		if t.Helper(); a.Status/100 != 2 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
	}
	draft, attached := p.Request("need").Attach(t, "attachment-1", "risk", []byte("a form"))
	p.From.PutAll(t, attached)
	sent := draft.Seal(t)
	p.From.Sent(t, sent)
	done(p.To.Open(t, sent.Digest, "", "need", "attachment-1"))
	head := sent.Digest
	var lost jose.PrivateKey
	for _, step := range []struct {
		by    *hubtest.Agency
		event packet.Event
	}{{p.To, packet.Receive}, {p.To, packet.Ask}, {p.From, packet.Answer}, {p.To, packet.Accept}, {p.To, packet.Start}, {p.From, packet.Message}, {p.To, packet.Complete}} {
		head = p.Step(t, step.by, step.event, sent.Digest, head).Digest
		if step.event == packet.Answer {
			done(p.To.Open(t, sent.Digest, head, "note"))
			lost = p.From.Rotate(t, s.hub.Person(t, p.From.ID, "administrator"), "signing", time.Hour)
		}
	}
	if a := s.hub.Person(t, p.From.ID, "administrator").Post(t, "/v1/keys/"+lost.KeyID()+"/revoke", map[string]string{"reason": "lost"}); a.Status != 204 {
		t.Fatalf("revoking: %d %s", a.Status, a.Body)
	}
	worker, manager := s.hub.Person(t, p.From.ID, "caseworker"), s.hub.Person(t, p.From.ID, "manager")
	haste := p.From.Override(t, worker.ID, p.To, hubtest.Subject(), hubtest.Emergency)
	done(worker.Propose(t, haste))
	hasty := p.From.RequestOn(p.To, p.Service, haste, "need").Seal(t)
	p.From.Sent(t, hasty)
	done(p.To.Open(t, hasty.Digest, "", "need"))
	done(p.From.Decide(t, manager, haste, "approved"))
	done(p.To.Open(t, hasty.Digest, "", "need"))
	_, referral := managedReferral(t, s)
	done(s.agency.Open(t, referral, "", "need"))

	for _, scope := range []string{proof.ScopeAll, proof.ScopeOversight} {
		var file bytes.Buffer
		q := audit.ExportQuery{From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Hour), Scope: scope}
		if scope == proof.ScopeOversight {
			q.Partner = "sample-oversight"
		}
		_, err := s.hub.Exporter.Write(t.Context(), audit.Snapshots{Pool: s.hub.DB.Owner}, q, func() (io.Writer, error) { return &file, nil })
		must(err)
		found, err := audited(file.Bytes(), client.AuditTrust{LogKey: s.options.LogKey})
		if err != nil {
			t.Errorf("%s: %v\n%s", scope, err, fails(found))
		}
		said := string(raw(found))
		if scope == proof.ScopeAll && !strings.Contains(said, "statements were signed by the hub, for a person of an agency") {
			t.Error("nothing says what the hub signed for whom")
		}
		if scope == proof.ScopeAll && !strings.Contains(said, "by the key "+lost.KeyID()+" of "+string(p.From.ID)) {
			t.Error("nothing says which statements are in doubt since their key was revoked")
		}
	}
}
