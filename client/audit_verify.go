package client

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"handover/audit/proof"
	"handover/internal/strict"
)

// AuditTrust is what an audit export is verified with.
type AuditTrust struct {
	LogKey LogKey       // the key of the hub's log; the zero LogKey takes the file's own
	Policy proof.Policy // of the witnesses who must have signed; the zero Policy asks for none
	Kept   [][]byte     // signed checkpoints that were kept from before, of this log or of others
}

// AuditFindings are what was found in an audit export, and what it says in figures.
type AuditFindings struct {
	Findings
	Export     AuditRange     `json:"export"`
	Acts       []AuditCount   `json:"acts"`     // how often each thing was done, in words
	Refusals   []AuditCount   `json:"refusals"` // by the rule that refused
	Openings   []AuditOpening `json:"openings"` // by who opened
	Checkpoint string         `json:"checkpoint"`
}

// AuditRange is what an export is of.
type AuditRange struct {
	Hub     string    `json:"hub"`
	For     string    `json:"for,omitempty"`
	Scope   string    `json:"scope"`
	Made    time.Time `json:"made"`
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	First   int64     `json:"first"`
	End     int64     `json:"end"`  // one more than the last index
	Size    int64     `json:"size"` // of the log under its checkpoint
	Root    string    `json:"root"`
	Shown   int64     `json:"shown"`
	Others  int64     `json:"others"` // of the range, not this agency's to read
	Erased  int64     `json:"erased"`
	Missing int64     `json:"missing"`
}

// AuditCount is how often something is in the log.
type AuditCount struct {
	What  string `json:"what"`
	Label string `json:"label"`
	Count int64  `json:"count"`
}

// AuditOpening is what one person, or one agency's system, opened.
type AuditOpening struct {
	Partner   string    `json:"partner"`
	User      string    `json:"user,omitempty"` // by opaque id; "" is a system
	Act       string    `json:"act"`
	Label     string    `json:"label"` // of the act
	Times     int64     `json:"times"`
	Referrals int       `json:"referrals"`
	Override  int64     `json:"without_agreement"` // of Times, on an override
	First     time.Time `json:"first"`
	Last      time.Time `json:"last"`
}

// VerifyAudit verifies an audit export offline, on a machine that never saw the hub: that the
// file is as the log's key signed it; that its checkpoint continues those that were kept; that
// each entry is the log's, and none of the range is left out; that every signed statement is
// the one that its entry names; that the steps of each referral form a chain; and that
// whatever was shared or opened rested on a consent or an override that was in the log before
// it. The file is read twice, and its statements once more, in little memory.
//
// The findings say all of it in words, also when the error is ErrVerification: what does not
// hold stops nothing else from being judged. ErrDocument means that it is no audit export.
func VerifyAudit(file io.ReaderAt, size int64, t AuditTrust) (AuditFindings, error) {
	a := newAuditor(file, size, t)
	if err := a.collect(); err != nil {
		return AuditFindings{}, err
	}
	if a.log != nil {
		a.replay()
	}
	return a.report()
}

// auditor is one VerifyAudit at work.
type auditor struct {
	examination
	tally
	trust  AuditTrust
	file   io.ReaderAt
	size   int64
	header proof.ExportHeader
	log    *proof.ExportLog // nil when its checkpoint is not to be believed

	partners   map[string]proof.ExportPartner
	hubs       []HubKey
	grounds    []proof.ExportEntry
	statements map[digestKey]*filed
	byID       map[string]*filed // records and overrides of a file for one agency, by kind and id

	facts
	words
}

// filed is where the file has a statement.
type filed struct {
	kind     string
	from, to int64
	named    bool // by an entry
}

func newAuditor(file io.ReaderAt, size int64, t AuditTrust) *auditor {
	a := &auditor{trust: t, file: file, size: size, partners: map[string]proof.ExportPartner{}, statements: map[digestKey]*filed{}, byID: map[string]*filed{},
		facts: newFacts(), words: newWords()}
	a.Document, a.keys = "audit export", map[string][]Key{}
	return a
}

// reader reads the file from its start.
func (a *auditor) reader() *proof.ExportReader {
	return proof.NewExportReader(io.NewSectionReader(a.file, 0, a.size))
}

// collect reads the file for the first time: everything but the entries of the range.
func (a *auditor) collect() error {
	r := a.reader()
	first, err := r.Next()
	if err != nil || first.Export == nil {
		return ErrDocument
	}
	a.header = *first.Export
	a.bundle.Hub = a.header.Hub
	a.open()
	settled := false
	for {
		from := r.Offset()
		line, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			a.broken(err)
			break
		}
		if line.Tile == nil && !settled && a.log != nil {
			a.log.Settle()
			settled = true
		}
		a.take(line, from, r.Offset())
	}
	a.allKeys()
	return nil
}

// broken notes where the file cannot be read on.
func (a *auditor) broken(err error) {
	switch {
	case errors.Is(err, proof.ErrUnfinished):
		a.bad(checkedFile, "end", "the file has no end line: it was cut, or whoever wrote it was stopped. What it does not hold, nobody can tell")
	case errors.Is(err, proof.ErrAltered):
		a.bad(checkedFile, "end", "the end line does not fit what comes before it: the file was changed after the hub had made it, or the line is another file's")
	default:
		a.bad(checkedFile, "form", "%s: nothing from there on was judged", err)
	}
}

// take takes one line of the first reading.
func (a *auditor) take(line proof.ExportLine, from, to int64) {
	switch {
	case line.Tile != nil && a.log != nil:
		a.log.Tile(*line.Tile)
	case line.Entry != nil && line.Entry.Index < a.header.First:
		a.grounds = append(a.grounds, *line.Entry)
	case line.Statement != nil:
		f := &filed{kind: line.Statement.Kind, from: from, to: to}
		a.statements[keyOf(line.Statement.Digest)] = f
		if a.header.Scope == proof.ScopeAgency && (f.kind == proof.StatementConsent || f.kind == proof.StatementOverride) {
			if s, err := readStatement(f.kind, line.Statement.Text); err == nil {
				a.byID[f.kind+" "+s.entry.Consent+s.entry.Override] = f
			}
		}
	case line.Partner != nil:
		a.partners[line.Partner.ID] = *line.Partner
	case line.HubKeys != nil:
		for _, raw := range line.HubKeys {
			var k HubKey
			if strict.Unmarshal(raw, &k) != nil {
				a.bad(checkedKeys, "the hub", "one of its keys is malformed")
				continue
			}
			a.hubs = append(a.hubs, k)
		}
	case line.End != nil && a.log != nil:
		bad := ""
		if err := line.End.Verify(a.log.Size(), a.logKey); err != nil {
			bad = "the end line is not signed by the log's key: the hub need not have made this file"
		}
		if bad != "" {
			a.bad(checkedFile, "end", "%s", bad)
			return
		}
		a.ok(checkedFile, line.End.Lines+1)
	}
}

// text reads a statement again.
func (a *auditor) text(f *filed) (string, error) {
	line := make([]byte, f.to-f.from)
	if _, err := a.file.ReadAt(line, f.from); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	var l proof.ExportLine
	if err := strict.Unmarshal(line[:len(line)-1], &l); err != nil || l.Statement == nil {
		return "", ErrDocument
	}
	return l.Statement.Text, nil
}

// open decides which log key to trust, and opens the log under it.
func (a *auditor) open() {
	a.logKey = a.trust.LogKey.Alone()
	a.bundle.LogKey, a.bundle.Successions = a.header.LogKey, a.header.Successions
	a.examination.log()
	if a.logKey.Origin() == "" {
		return
	}
	log, err := proof.OpenExportLog(a.header, a.logKey, func(m proof.ExportMisfit) {
		a.bad(auditKindOf(m.Check), m.Place, "%s", m.What)
	})
	if err != nil {
		a.bad(checkedCheckpoint, "checkpoint", "it is not one that the key %s has signed: %s. Without it nothing of the file can be judged", a.logKey, err)
		return
	}
	a.log = log
	a.ok(checkedCheckpoint, 1)
	a.witnesses()
}

// witnesses checks the cosignatures that the policy asks for.
func (a *auditor) witnesses() {
	if !a.trust.Policy.Demands() {
		a.limit("That the hub shows everybody the same log, this file alone does not show: no policy of witnesses was given. " +
			"Compare size and root of the checkpoint with another auditor, or give --policy.")
		return
	}
	_, err := proof.OpenCheckpoint([]byte(a.header.Checkpoint), a.logKey.Witnessed(a.trust.Policy))
	if err != nil {
		a.bad(checkedWitnesses, "checkpoint", "your policy of witnesses is not met: %s", err)
		return
	}
	a.ok(checkedWitnesses, 1)
}

func auditKindOf(check string) auditKind {
	switch check {
	case proof.CheckTiles:
		return checkedTiles
	case proof.CheckEntries:
		return checkedEntries
	case proof.CheckWhole:
		return checkedRange
	}
	return checkedCheckpoint
}

// replay reads the file for the second time, and goes through its entries in the log's order.
func (a *auditor) replay() {
	a.continues()
	for _, e := range a.grounds {
		a.entry(e)
	}
	r := a.reader()
	for {
		line, err := r.Next()
		if err != nil || line.Statement != nil || line.End != nil {
			break
		}
		if line.Entry != nil && line.Entry.Index >= a.header.First {
			a.entry(*line.Entry)
		}
	}
	a.log.Finish()
	a.settle()
}

// continues holds the log against the checkpoints that were kept.
func (a *auditor) continues() {
	others := int64(0)
	for i, kept := range a.trust.Kept {
		if origin, _, _ := strings.Cut(string(kept), "\n"); strings.Contains(origin, "/") && origin != a.logKey.Origin() {
			if others++; a.trust.LogKey.Origin() == "" { // else a hub takes another name, and with it another history
				a.bad(checkedKept, fmt.Sprintf("checkpoint %d of those given", i+1), "you kept it of the log %s, and this file is of the log %s. A hub that calls its log by another name need not show that it goes on: give --log-key if you mean this one", origin, a.logKey.Origin())
			}
			continue
		}
		size, err := a.log.Continues(kept)
		place := fmt.Sprintf("checkpoint of %d entries", size)
		switch {
		case err == nil:
			a.ok(checkedKept, 1)
			a.keptUpTo = max(a.keptUpTo, size)
		case errors.Is(err, proof.ErrFork):
			a.bad(checkedKept, place, "THE LOG WAS REWRITTEN. It does not begin with what this checkpoint covers, which the same key signed. "+
				"The two checkpoints together are proof: keep both files as they are, and tell the agencies and the other auditors, not the hub alone")
		case errors.Is(err, proof.ErrOlder):
			a.bad(checkedKept, place, "the file shows a log of %d entries only, shorter than the one you have seen. If the file is simply older than the checkpoint, "+
				"give the one you kept before it (--kept); if not, the hub hides what it had shown", a.log.Size())
		case errors.Is(err, proof.ErrNotShown):
			a.bad(checkedKept, place, "the file does not hold the tiles that would show that the log continues it. Ask for an export with --kept %d", size)
		default:
			a.bad(checkedKept, fmt.Sprintf("checkpoint %d of those given", i+1), "it is none that the log's key has signed: %s", err)
		}
	}
	a.some(others, "%d checkpoints that you kept are of other logs, and say nothing of this one.")
}
