package client_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/go-json-experiment/json/jsontext"

	"handover/audit/proof"
	"handover/client"
	"handover/internal/ids"
)

// liar is an audit export in the making, by somebody who has the real key of the log: what
// a hub that lies can hand out.
type liar struct {
	signer     note.Signer
	header     proof.ExportHeader
	entries    []proof.ExportEntry // of the whole log, from which the tree is made
	erased     map[int64]bool
	hidden     map[int64]bool
	statements []proof.ExportStatement
	partners   map[string]proof.ExportPartner

	lines func([]proof.ExportLine) []proof.ExportLine // changes the lines, before the end is signed
	bytes func([]byte) []byte                         // changes the file afterwards
}

// forge begins with what is true: the whole log of a fake hub, as an operator exports it.
func (h *fakeHub) forge(t testing.TB) *liar {
	t.Helper()
	f := &liar{signer: h.log.signer, entries: slices.Clone(h.log.entries), erased: map[int64]bool{}, hidden: map[int64]bool{}, partners: map[string]proof.ExportPartner{}}
	f.header = proof.ExportHeader{V: proof.ExportVersion, Hub: h.issuer, Scope: proof.ScopeAll, Made: now(), From: now().Add(-time.Hour), To: now(),
		End: int64(len(f.entries)), LogKey: h.log.key.String()}
	for _, c := range h.consents {
		f.states(proof.StatementConsent, c.token)
		if c.withdrawal != "" {
			f.states(proof.StatementWithdrawal, c.withdrawal)
		}
	}
	for _, r := range h.referrals {
		for _, s := range r.steps {
			f.states(proof.StatementEnvelope, s["envelope"].(string))
		}
	}
	for id := range h.keys {
		p := proof.ExportPartner{ID: id, Category: "vawg-service"}
		for _, k := range h.keys[id] {
			p.Keys = append(p.Keys, raw(k))
		}
		for _, c := range h.changes[id] {
			p.History = append(p.History, raw(c.KeyChange))
		}
		f.partners[id] = p
	}
	return f
}

func raw(v any) jsontext.Value {
	b, err := json.Marshal(v)
	must(err)
	return b
}

func (f *liar) states(kind, text string) {
	f.statements = append(f.statements, proof.ExportStatement{Kind: kind, Digest: ids.Digest(text), Text: text})
}

// said is what the entry at an index says.
func (f *liar) said(index int64) proof.Entry {
	e, err := proof.ParseEntry(f.entries[index].Body)
	must(err)
	return e
}

// find is the index of the nth entry of an act, from 0.
func (f *liar) find(act string, nth int) int64 {
	for i := range f.entries {
		if f.said(int64(i)).Act == act {
			if nth == 0 {
				return int64(i)
			}
			nth--
		}
	}
	panic("no entry of " + act)
}

// says changes what an entry says; the tree is made of it as it is then.
func (f *liar) says(index int64, change func(*proof.Entry)) {
	e := f.said(index)
	change(&e)
	body, err := e.Bytes()
	must(err)
	f.entries[index].Body = body
}

// renumber gives the entries the indexes at which they stand.
func (f *liar) renumber() {
	for i := range f.entries {
		f.entries[i].Index = int64(i)
	}
	f.header.End = int64(len(f.entries))
}

// without leaves a statement out.
func (f *liar) without(kind string) {
	f.statements = slices.DeleteFunc(f.statements, func(s proof.ExportStatement) bool { return s.Kind == kind })
}

// tree makes the tree of the entries.
func (f *liar) tree() *fakeLog {
	l := &fakeLog{signer: f.signer}
	for _, e := range f.entries {
		added, err := tlog.StoredHashes(l.size, proof.Leaf([32]byte(e.Salt), e.Body), l)
		must(err)
		l.hashes = append(l.hashes, added...)
		l.size++
	}
	return l
}

// checkpoint signs the tree of that size.
func (l *fakeLog) checkpoint(size int64) []byte {
	root, err := tlog.TreeHash(size, l)
	must(err)
	signed, err := note.Sign(&note.Note{Text: proof.FormatCheckpoint(l.signer.Name(), tlog.Tree{N: size, Hash: root})},
		append([]note.Signer{l.signer}, l.cosigners...)...)
	must(err)
	return signed
}

// tiles are those of the tree.
func (l *fakeLog) tiles() (lines []proof.ExportLine) {
	for level := 0; l.size>>(8*level) > 0; level++ {
		for n := int64(0); n<<8 < l.size>>(8*level); n++ {
			width := min(256, l.size>>(8*level)-n<<8)
			data, err := tlog.ReadTileData(tlog.Tile{H: 8, L: level, N: n, W: int(width)}, l)
			must(err)
			lines = append(lines, proof.ExportLine{Tile: &proof.ExportTile{Level: level, N: n, Data: data}})
		}
	}
	return lines
}

// file makes the file, signed with the real key as it is then.
func (f *liar) file() []byte {
	log := f.tree()
	if f.header.Checkpoint == "" {
		f.header.Checkpoint = string(log.checkpoint(log.size))
	}
	lines := append([]proof.ExportLine{{Export: &f.header}}, log.tiles()...)
	of := func(e proof.ExportEntry) proof.ExportLine {
		if f.erased[e.Index] {
			e = proof.ExportEntry{Index: e.Index, Erased: true}
		}
		return proof.ExportLine{Entry: &e}
	}
	for _, ground := range []bool{false, true} {
		for _, e := range f.entries {
			if ground == (e.Index < f.header.First) && e.Index < f.header.End && !f.hidden[e.Index] {
				lines = append(lines, of(e))
			}
		}
	}
	for _, s := range f.statements {
		lines = append(lines, proof.ExportLine{Statement: &s})
	}
	for _, id := range slices.Sorted(maps.Keys(f.partners)) {
		p := f.partners[id]
		lines = append(lines, proof.ExportLine{Partner: &p})
	}
	if f.lines != nil {
		lines = f.lines(lines)
	}
	var b bytes.Buffer
	w := proof.NewExportWriter(&b)
	for _, l := range lines {
		must(w.Write(l))
	}
	must(w.End(f.signer.Name(), func(text string) ([]byte, error) { return note.Sign(&note.Note{Text: text}, f.signer) }))
	if f.bytes != nil {
		return f.bytes(b.Bytes())
	}
	return b.Bytes()
}

// audited is what an auditor finds in the file.
func audited(file []byte, trust client.AuditTrust) (client.AuditFindings, error) {
	return client.VerifyAudit(bytes.NewReader(file), int64(len(file)), trust)
}
