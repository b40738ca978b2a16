package client

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"handover/audit/proof"
)

// words are what the range of an export says in figures.
type words struct {
	acts, refusals map[string]int64
	openings       map[opener]*AuditOpening
	opened         map[opener]map[string]struct{} // referrals
	reconciled     time.Time                      // of the last entry that says so
}

// opener is who opened, and how.
type opener struct{ partner, user, act string }

func newWords() words {
	return words{acts: map[string]int64{}, refusals: map[string]int64{}, openings: map[opener]*AuditOpening{},
		opened: map[opener]map[string]struct{}{}}
}

// count takes an entry of the range into the figures. One entry may stand for many refusals
// of strangers.
func (w *words) count(e proof.Entry) {
	w.acts[e.Act]++
	switch e.Act {
	case proof.Refused:
		w.refusals[e.Outcome] += max(1, e.Count)
	case proof.Reconciled:
		w.reconciled = e.Time
	}
	if a, _ := proof.ActOf(e.Act); !a.Opens {
		return
	}
	by := opener{e.Partner, e.User, e.Act}
	o := w.openings[by]
	if o == nil {
		o = &AuditOpening{Partner: e.Partner, User: e.User, Act: e.Act, Label: proof.LabelOf(e.Act), First: e.Time}
		w.openings[by], w.opened[by] = o, map[string]struct{}{}
	}
	o.Times++
	if o.Last = e.Time; e.Override != "" {
		o.Override++
	}
	if e.Referral != "" {
		w.opened[by][e.Referral] = struct{}{}
		o.Referrals = len(w.opened[by])
	}
}

// settle ends the replay: what was waited for and did not come, and what was left over.
func (a *auditor) settle() {
	for _, id := range slices.Sorted(maps.Keys(a.referrals)) {
		for _, s := range a.referrals[id].waiting {
			if !a.referrals[id].broken {
				a.bad(checkedSteps, s.place, "it does not follow the step that the log has before it: its prev is the digest of none")
			}
		}
	}
	var left []string
	for k, f := range a.statements {
		switch {
		case f.named:
		case a.header.Scope == proof.ScopeAgency && (f.kind == proof.StatementConsent || f.kind == proof.StatementOverride):
			a.unplaced++
		default:
			left = append(left, fmt.Sprintf("%s %s", f.kind, k))
		}
	}
	slices.Sort(left)
	for _, s := range left {
		a.bad(checkedStatements, s, "it is in the file, and no entry names it: that it was ever logged is not shown")
	}
	c := a.log.Counts
	a.ok(checkedTiles, max(0, int64(c.Tiles)-a.kinds[checkedTiles].bad))
	a.ok(checkedEntries, c.Shown+c.Grounds-c.Unproved)
	a.ok(checkedRange, c.Shown+c.Erased+c.Others)
}

// report puts together what was found.
func (a *auditor) report() (AuditFindings, error) {
	f := AuditFindings{Checkpoint: a.header.Checkpoint}
	h := a.header
	f.Export = AuditRange{Hub: h.Hub, For: h.For, Scope: h.Scope, Made: h.Made, From: h.From, To: h.To, First: h.First, End: h.End}
	if a.log != nil {
		c := a.log.Counts
		f.Export.Size, f.Export.Root = a.log.Size(), a.log.Root()
		f.Export.Shown, f.Export.Others, f.Export.Erased, f.Export.Missing = c.Shown, c.Others, c.Erased, c.Missing
		a.limits(c)
	}
	a.tally.findings(&a.Findings)
	f.Findings = a.Findings
	f.Acts, f.Refusals = counted(a.acts, proof.LabelOf), counted(a.refusals, func(rule string) string { return cmp.Or(rule, "no rule is named") })
	for _, o := range a.openings {
		f.Openings = append(f.Openings, *o)
	}
	slices.SortFunc(f.Openings, func(x, y AuditOpening) int {
		return cmp.Or(strings.Compare(x.Partner, y.Partner), strings.Compare(x.User, y.User), strings.Compare(x.Act, y.Act))
	})
	return f, f.verdict()
}

func counted(m map[string]int64, label func(string) string) []AuditCount {
	all := []AuditCount{}
	for _, what := range slices.Sorted(maps.Keys(m)) {
		all = append(all, AuditCount{What: what, Label: label(what), Count: m[what]})
	}
	slices.SortStableFunc(all, func(x, y AuditCount) int { return cmp.Compare(y.Count, x.Count) })
	return all
}

// limits says what this file does not show, and what no log can show.
func (a *auditor) limits(c proof.ExportCounts) {
	h := a.header
	switch h.Scope {
	case proof.ScopeAgency:
		a.limit("The file shows what %s may read. What the %d other entries of the range say (one may be a withdrawal that another agency recorded), and whether they are really none of hers, it does not show: an export of all does, and her own receipts say at which places hers stand.", h.For, c.Others)
	case proof.ScopeOversight:
		a.limit("A file for oversight has no statements: what was agreed to, and whether it covered what was shared, %d entries name and the file does not hold. That there was a basis before each, and that it had not ended, was checked.", a.unread)
	}
	if c.Erased > 0 {
		a.limit("What %d erased entries said (%s), nobody can tell any more, and a withdrawal could be among them; that there was an entry at each of these places, the tree shows. Ask the hub why each was erased.", c.Erased, list(a.erased))
	}
	a.before(h)
	if a.log.Size() > h.End {
		a.limit("The log has %d entries, and this file ends before entry %d: the rest is for the next export, which has to begin there.", a.log.Size(), h.End)
	}
	a.some(a.partial, "%d openings and steps are of referrals that began before this file's entries: what was shared first, and for what purpose, it does not show, and the basis was held against the rest.")
	a.some(a.attached, "Of %d attachments that were opened the file does not show as what they were sent.")
	a.some(a.unproved, "%d changes of keys are proved by receipts that the log's key signed, and their places in this file's tree are not shown.")
	a.some(a.unplaced, "%d records of what she agreed to, or of overrides, are other agencies', which this one may read: that they were in the log before what rests on them, and were not taken back since at another agency, an export of all shows.")
	a.some(a.elsewhere, "%d consents were taken back at another agency, as the hub says in what followed: the withdrawal itself an export of all shows.")
	a.some(a.categories, "In %d cases a record names a kind of agency, and the file does not show of which kind the recipient is.")
	a.some(a.unjudged, "%d steps come after one that does not hold, and were not judged.")
	a.some(a.byHub, "%d statements were signed by the hub, for a person of an agency that does not hold its own keys: that she meant it, the signature does not show.")
	if a.doubted > 0 {
		a.limit("%d statements were in the log before the keys that signed them were revoked (%s): whether the agency or a thief of its key signed them, no log can show. Ask the agency about each.",
			a.doubted, strings.Join(a.doubts, "; "))
	}
	a.limit("That everything which happened was logged, no log can show of itself. The hub compares every row of its database with the log (hub log reconcile), %s; its schema keeps a row from being written without an entry.", a.comparison())
	a.limit("Nobody signs that something was opened: it is the hub's own entry. Who opened, by her own account, her receipts show, and that none is missing the comparison of rows.")
	a.limit("The times are the hub's. What is proved is the order of the entries; a time that runs back by more than an hour would have been named.")
	a.limit(limitKeys)
	a.limit(limitPeople)
	a.limit(limitRead)
}

// before says what the file does not show of the entries before it.
func (a *auditor) before(h proof.ExportHeader) {
	if h.First == 0 {
		return
	}
	if h.First > a.keptUpTo {
		a.limit("Entries %d to %d are not in this file, nor covered by a checkpoint that you kept and have checked: begin the next export where the last one ended.", a.keptUpTo, h.First-1)
	}
	// A checkpoint that was kept shows that nothing was changed, and not that anybody has read it.
	a.limit("What the entries before entry %d say, only earlier exports show. If the last one that you verified ended before entry %d, you have been shown those between in neither: they are others', "+
		"or of a time that you asked for in neither, or left out.", h.First, h.First-1)
	a.limit("Of what was recorded before entry %d, the file has what the hub has put in. That it left out no withdrawal, no later record and no never that stops what is shown here, only earlier exports show.", h.First)
}

// some says a limit that is of a number of things, if there are any.
func (a *auditor) some(n int64, text string) {
	if n > 0 {
		a.limit(text, n)
	}
}

func (a *auditor) comparison() string {
	if a.reconciled.IsZero() {
		return "and says nothing of it in this file: ask for the result"
	}
	return "and says in this file that it did so last on " + day(a.reconciled)
}
