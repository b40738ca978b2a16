package client_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"handover/audit/proof"
	"handover/client"
)

// TestWhatIsHiddenUnderAnotherNameIsNamed: an opening that is called a copy's, a record that is
// called another's, a no that a yes takes the place of, a log that is called by another name.
func TestWhatIsHiddenUnderAnotherNameIsNamed(t *testing.T) {
	t.Parallel()
	p, b := quarter(t), newBorough(t)
	key := pinned(t, b.hub)
	other := newLog(t, "other.example/v1/log")
	other.add(proof.Entry{Act: "referral.list"})
	twice := func(act string) func() ([]byte, client.AuditTrust) {
		return func() ([]byte, client.AuditTrust) {
			f := b.lie(t)
			i := f.find(act, 0)
			f.insert(i+1, f.said(i))
			return f.file(), client.AuditTrust{LogKey: key}
		}
	}
	asCopy := func(change func(*liar)) func() ([]byte, client.AuditTrust) {
		return func() ([]byte, client.AuditTrust) {
			f := p.hub.forge(t)
			f.says(f.find("section.open", 0), func(e *proof.Entry) { e.Act, e.Consent = "copy.open", "" })
			change(f)
			return f.file(), client.AuditTrust{LogKey: p.hub.log.key}
		}
	}
	for _, row := range []struct {
		name string
		lie  func() ([]byte, client.AuditTrust)
		want string
	}{
		{"an opening by the recipient as her own copy", asCopy(func(*liar) {}), "opening: entry 8: westside-aid opened it as her own copy, and camden-outreach sent the packet"},
		{"and before an overseer, who has no statements", asCopy(func(f *liar) {
			f.header.Scope, f.header.For, f.statements = proof.ScopeOversight, "the-auditors", nil
		}), "opening: entry 8: westside-aid opened it as her own copy"},
		{"an overseer is shown an opening by somebody else", func() ([]byte, client.AuditTrust) {
			f := p.hub.forge(t)
			f.says(f.find("section.open", 0), func(e *proof.Entry) { e.Partner = "eastside-aid" })
			f.header.Scope, f.header.For, f.statements = proof.ScopeOversight, "the-auditors", nil
			return f.file(), client.AuditTrust{LogKey: p.hub.log.key}
		}, "opening: entry 8: whoever opened it is not whom the packet was sent to"},
		{"an agency's own record, that is in no entry", func() ([]byte, client.AuditTrust) {
			f := p.hub.forge(t)
			f.header.Scope, f.header.For = proof.ScopeAgency, "camden-outreach"
			f.hidden[f.find("consent.record", 0)] = true
			return f.file(), client.AuditTrust{LogKey: p.hub.log.key}
		}, "it rests on the consent " + p.consent.ID + ", and no entry before it records that"},
		{"a second decision about an override", twice("override.decision"), "was decided already: a decision stands"},
		{"a second decision about a record in doubt", twice("consent.review"), "already: a decision stands"},
		{"a log by another name than the one that was kept", func() ([]byte, client.AuditTrust) {
			return p.hub.forge(t).file(), client.AuditTrust{Kept: [][]byte{other.checkpoint(1)}}
		}, "kept checkpoint: checkpoint 1 of those given: you kept it of the log other.example/v1/log"},
	} {
		file, trust := row.lie()
		found, err := audited(file, trust)
		if !errors.Is(err, client.ErrVerification) || !strings.Contains(fails(found), row.want) {
			t.Errorf("%s: %v\nwant %s\nfound:\n%s", row.name, err, row.want, fails(found))
		}
	}
}

// TestWhatTheFileCannotShowOfTheEntriesBeforeItIsSaid, also when a checkpoint that was kept
// covers them: nobody has read an entry by that.
func TestWhatTheFileCannotShowOfTheEntriesBeforeItIsSaid(t *testing.T) {
	t.Parallel()
	p := quarter(t)
	f := p.hub.forge(t)
	kept := f.tree().checkpoint(f.header.End)
	f.header.First = 310
	f.grounds()
	f.erased[312] = true
	found, err := audited(f.file(), client.AuditTrust{LogKey: p.hub.log.key, Kept: [][]byte{kept}})
	if err != nil {
		t.Fatalf("%v\n%s", err, fails(found))
	}
	for _, want := range []string{"If the last one that you verified ended before entry 309, you have been shown those between in neither", "That it left out no withdrawal", "What 1 erased entries said (312)"} {
		if !slices.ContainsFunc(found.Limits, func(l string) bool { return strings.Contains(l, want) }) {
			t.Errorf("it is not said: %s\n%s", want, strings.Join(found.Limits, "\n"))
		}
	}
}
