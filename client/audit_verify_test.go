package client_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"handover/audit/proof"
	"handover/client"
)

// quarter is a pair whose log has all that an auditor looks at, and more than one tile.
func quarter(t testing.TB) *pair {
	t.Helper()
	p := newPair(t)
	_, err := p.to.Open(t.Context(), client.Opening{Referral: p.referral, Reason: "triage"})
	must(err)
	p.step(t, p.to, client.Step{Event: "receive"})
	p.step(t, p.to, client.Step{Event: "ask", Sections: saying("tonight?"), Consent: p.consent.ID})
	p.step(t, p.from, client.Step{Event: "answer", Sections: saying("yes"), Consent: p.consent.ID})
	p.step(t, p.to, client.Step{Event: "accept"})
	for range 300 {
		p.hub.log.append(proof.Entry{Act: "referral.list", Partner: "westside-aid"})
	}
	p.hub.log.add(proof.Entry{Act: proof.Refused, Partner: "westside-aid", Outcome: "not-covered"})
	other := agreed(t, p.from)
	_, err = p.from.WithdrawConsent(t.Context(), other.ID)
	must(err)
	return p
}

// fails are the texts of what does not hold.
func fails(f client.AuditFindings) string {
	var b strings.Builder
	for _, c := range f.Checks {
		if !c.Holds {
			fmt.Fprintf(&b, "%s: %s\n", c.About, c.Text)
		}
	}
	return b.String()
}

func TestAnHonestExportHolds(t *testing.T) {
	t.Parallel()
	p := quarter(t)
	whole := p.hub.forge(t)
	kept := whole.tree()
	for name, change := range map[string]func(*liar){
		"the whole log":           func(*liar) {},
		"its end alone":           func(f *liar) { f.header.First = 310 },
		"a referral's last steps": func(f *liar) { f.header.First = f.find("referral.ask", 0) },
		"nothing of it":           func(f *liar) { f.header.First, f.header.End = 310, 310 },
		"what was erased":         func(f *liar) { f.erased[100] = true },
		"an agency's part":        func(f *liar) { f.header.Scope, f.header.For = proof.ScopeAgency, "westside-aid"; f.hidden[100] = true },
		"without statements":      func(f *liar) { f.header.Scope, f.header.For, f.statements = proof.ScopeOversight, "the-auditors", nil },
		"the log's beginning":     func(f *liar) { f.header.End, f.statements = 6, nil },
	} {
		t.Run(name, func(t *testing.T) {
			f := p.hub.forge(t)
			if change(f); f.header.First > 0 { // the grounds, as an export has them
				f.grounds()
			}
			found, err := audited(f.file(), client.AuditTrust{LogKey: p.hub.log.key, Kept: [][]byte{kept.checkpoint(290), kept.checkpoint(0)}})
			if err != nil {
				t.Errorf("%v\n%s", err, fails(found))
			}
		})
	}
}

// grounds hides what is before the range and no ground of it: all but consents.
func (f *liar) grounds() {
	named := map[string]bool{}
	for _, e := range f.entries {
		said := f.said(e.Index)
		if e.Index < f.header.First && (f.header.First == f.header.End || !strings.HasPrefix(said.Act, "consent.")) {
			f.hidden[e.Index] = true
		} else if e.Index < f.header.End {
			named[said.Digest] = true
			named[said.Envelope] = true
		}
	}
	f.statements = slices.DeleteFunc(f.statements, func(s proof.ExportStatement) bool { return !named[s.Digest] })
}

// TestAKeptCheckpointCatchesAHistoryThatWasSignedAgain: with the real key all of it can be
// written anew, and fits. Only who has seen the first history finds out.
func TestAKeptCheckpointCatchesAHistoryThatWasSignedAgain(t *testing.T) {
	t.Parallel()
	p := quarter(t)
	honest := p.hub.forge(t).tree()
	rewrite := func(f *liar) {
		f.says(100, func(e *proof.Entry) { e.Partner = "eastside-aid" })
	}
	for name, row := range map[string]struct {
		kept [][]byte
		tell func(*liar)
		want string
	}{
		"a checkpoint of the same size":     {[][]byte{honest.checkpoint(honest.size)}, rewrite, "kept checkpoint: checkpoint of 316 entries: THE LOG WAS REWRITTEN"},
		"a checkpoint of a smaller tree":    {[][]byte{honest.checkpoint(101)}, rewrite, "kept checkpoint: checkpoint of 101 entries: THE LOG WAS REWRITTEN"},
		"one of several":                    {[][]byte{honest.checkpoint(50), honest.checkpoint(300)}, rewrite, "kept checkpoint: checkpoint of 300 entries: THE LOG WAS REWRITTEN"},
		"a log that is shorter than it was": {[][]byte{honest.checkpoint(316)}, func(f *liar) { f.drop(200) }, "kept checkpoint: checkpoint of 316 entries: the file shows a log of 315 entries only"},
		"tiles that would show it left out": {[][]byte{honest.checkpoint(101)}, func(f *liar) {
			rewrite(f)
			f.lines = without(func(l proof.ExportLine) bool { return l.Tile != nil && l.Tile.Level == 0 && l.Tile.N == 0 })
		}, "kept checkpoint: checkpoint of 101 entries: the file does not hold the tiles"},
		"a checkpoint that somebody else signed": {[][]byte{func() []byte {
			other := newLog(t, "hub.example/v1/log")
			other.add(proof.Entry{Act: "referral.list"})
			return other.checkpoint(1)
		}()}, func(*liar) {}, "kept checkpoint: checkpoint 1 of those given: it is none that the log's key has signed"},
	} {
		t.Run(name, func(t *testing.T) {
			f := p.hub.forge(t)
			row.tell(f)
			found, err := audited(f.file(), client.AuditTrust{LogKey: p.hub.log.key, Kept: row.kept})
			if !errors.Is(err, client.ErrVerification) || !strings.Contains(fails(found), row.want) {
				t.Errorf("%v\nwant %s\nfound:\n%s", err, row.want, fails(found))
			}
		})
	}
	f := p.hub.forge(t)
	rewrite(f)
	if found, err := audited(f.file(), client.AuditTrust{LogKey: p.hub.log.key, Kept: [][]byte{honest.checkpoint(100)}}); err != nil {
		t.Errorf("what was kept from before the lie, and nothing after it, shows nothing: %s", fails(found))
	}
}
