package client_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"handover/audit/proof"
	"handover/client"
	"handover/consent/record"
	"handover/internal/ids"
)

// lie is one way in which a hub that has the real key could cheat an auditor.
type lie struct {
	name string
	tell func(p *pair, f *liar)
	want string // among what does not hold
}

// swap exchanges two entries of the log.
func (f *liar) swap(i, j int64) {
	f.entries[i], f.entries[j] = f.entries[j], f.entries[i]
	f.renumber()
}

// drop takes an entry out of the log, and gives those after it its index.
func (f *liar) drop(i int64) {
	f.entries = slices.Delete(f.entries, int(i), int(i)+1)
	f.renumber()
}

// late moves an entry to the end of the log.
func (f *liar) late(i int64) {
	f.entries = append(f.entries, f.entries[i])
	f.drop(i)
}

// tile changes a byte of a tile.
func tile(level int, n int64, at int) func([]proof.ExportLine) []proof.ExportLine {
	return func(lines []proof.ExportLine) []proof.ExportLine {
		for _, l := range lines {
			if l.Tile != nil && l.Tile.Level == level && l.Tile.N == n {
				l.Tile.Data[at] ^= 1
			}
		}
		return lines
	}
}

// only keeps the lines that are wanted.
func without(unwanted func(proof.ExportLine) bool) func([]proof.ExportLine) []proof.ExportLine {
	return func(lines []proof.ExportLine) []proof.ExportLine { return slices.DeleteFunc(lines, unwanted) }
}

// logLies are about the log itself.
func logLies() []lie {
	return []lie{
		{"an entry's body, the tree as it was", func(_ *pair, f *liar) {
			f.lines = func(lines []proof.ExportLine) []proof.ExportLine {
				for i, l := range lines {
					if l.Entry != nil && l.Entry.Index == 20 {
						body := bytes.Replace(l.Entry.Body, []byte("westside-aid"), []byte("eastside-aid"), 1)
						lines[i].Entry = &proof.ExportEntry{Index: 20, Body: body, Salt: l.Entry.Salt}
					}
				}
				return lines
			}
		}, "entries: entry 20: the log has another entry at this place"},
		{"two salts, exchanged", func(_ *pair, f *liar) {
			f.lines = func(lines []proof.ExportLine) []proof.ExportLine {
				var two []*proof.ExportEntry
				for _, l := range lines {
					if l.Entry != nil && (l.Entry.Index == 30 || l.Entry.Index == 31) {
						two = append(two, l.Entry)
					}
				}
				two[0].Salt, two[1].Salt = two[1].Salt, two[0].Salt
				return lines
			}
		}, "entries: entry 31: the log has another entry at this place"},
		{"an entry dropped, the rest renumbered, the tree as it was", func(p *pair, f *liar) {
			honest := f.tree()
			f.drop(25)
			f.header.Checkpoint = string(honest.checkpoint(honest.size))
			f.lines = func(lines []proof.ExportLine) []proof.ExportLine {
				lines = slices.DeleteFunc(lines, func(l proof.ExportLine) bool { return l.Tile != nil })
				return slices.Insert(lines, 1, honest.tiles()...)
			}
		}, "entries: entry 25: the log has another entry at this place"},
		{"an entry left out", func(_ *pair, f *liar) { f.hidden[25] = true }, "range: entry 25: the export says that it shows every entry"},
		{"entries of the range left out", func(_ *pair, f *liar) {
			for i := int64(40); i < 51; i++ {
				f.hidden[i] = true
			}
		}, "range: entries 40 to 50: the export says that it shows every entry"},
		{"the last entries left out", func(_ *pair, f *liar) { f.hidden[f.header.End-1] = true }, ": the export says that it shows every entry"},
		{"an entry said to be erased that never was", func(_ *pair, f *liar) {
			f.entries, f.header.End = f.entries[:256], 300
			f.lines = func(lines []proof.ExportLine) []proof.ExportLine {
				at := slices.IndexFunc(lines, func(l proof.ExportLine) bool { return l.Statement != nil })
				return slices.Insert(lines, at, proof.ExportLine{Entry: &proof.ExportEntry{Index: 280, Erased: true}})
			}
		}, "entries: entry 280: it is said to be erased, and no tile shows that there was one"},
		{"a byte of a full tile", func(_ *pair, f *liar) { f.lines = tile(0, 0, 40*32+7) }, "tiles: tile 0/000: "},
		{"a byte of the tile at the edge", func(_ *pair, f *liar) { f.lines = tile(0, 1, 3) }, "tiles: the tree: the tiles at the edge of the tree (tile 1/000, tile 0/001)"},
		{"a byte of the tile at the edge: the entry", func(_ *pair, f *liar) { f.lines = tile(0, 1, 3) }, "entries: entry 256: the log has another entry"},
		{"a byte of the tile above", func(_ *pair, f *liar) { f.lines = tile(1, 0, 3) }, "tiles: tile 0/000: its hash is not the one that tile 1/000 has of it"},
		{"a tile left out", func(_ *pair, f *liar) {
			f.lines = without(func(l proof.ExportLine) bool { return l.Tile != nil && l.Tile.Level == 0 && l.Tile.N == 0 })
		}, "entries: entry 0: no tile of the file has its place"},
		{"a tile cut short", func(_ *pair, f *liar) {
			f.lines = func(lines []proof.ExportLine) []proof.ExportLine {
				lines[1].Tile.Data = lines[1].Tile.Data[:32*200]
				return lines
			}
		}, "tiles: tile 0/000: it has 6400 bytes, and in a tree of that size it has 8192"},
		{"a tile too many", func(_ *pair, f *liar) {
			f.lines = func(lines []proof.ExportLine) []proof.ExportLine {
				return slices.Insert(lines, 4, proof.ExportLine{Tile: &proof.ExportTile{Level: 2, N: 0, Data: lines[1].Tile.Data[:32]}})
			}
		}, "tiles: tile 2/000: it is of no tree of that size"},
		{"the tile above left out", func(_ *pair, f *liar) {
			f.lines = without(func(l proof.ExportLine) bool { return l.Tile != nil && l.Tile.Level == 1 })
		}, "tiles: tile 1/000: it is not in the file"},
		{"an older checkpoint", func(_ *pair, f *liar) { f.header.Checkpoint = string(f.tree().checkpoint(290)) }, "checkpoint: checkpoint of 290 entries: "},
		{"a checkpoint of another log", func(p *pair, f *liar) {
			other := newLog(p.hub.t, "other.example/v1/log")
			other.add(proof.Entry{Act: "referral.list"})
			f.header.Checkpoint = string(other.checkpoint(1))
		}, "checkpoint: checkpoint: it is not one that the key"},
		{"a checkpoint that nobody signed", func(p *pair, f *liar) {
			thief := newLog(p.hub.t, "hub.example/v1/log")
			signed, err := note.Sign(&note.Note{Text: strings.SplitAfter(string(f.tree().checkpoint(f.header.End)), "\n\n")[0][:0] + textOf(f.tree().checkpoint(f.header.End))}, thief.signer)
			must(err)
			f.header.Checkpoint = string(signed)
		}, "checkpoint: checkpoint: it is not one that the key"},
		{"another log key in the file", func(p *pair, f *liar) { f.header.LogKey = newLog(p.hub.t, "hub.example/v1/log").key.String() }, "log: the audit export was made with another log key"},
		{"the end line of another file", func(_ *pair, f *liar) {
			f.bytes = func(file []byte) []byte {
				g := *f
				g.bytes, g.lines = nil, without(func(l proof.ExportLine) bool { return l.Statement != nil })
				other := g.file()
				return append(file[:bytes.LastIndex(file[:len(file)-1], []byte("\n"))+1], other[bytes.LastIndex(other[:len(other)-1], []byte("\n"))+1:]...)
			}
		}, "file: end: the end line does not fit what comes before it"},
		{"the end line cut", func(_ *pair, f *liar) {
			f.bytes = func(file []byte) []byte { return file[:bytes.LastIndex(file[:len(file)-1], []byte("\n"))+1] }
		}, "file: end: the file has no end line"},
		{"an end line signed by somebody else", func(p *pair, f *liar) {
			f.header.Checkpoint = string(f.tree().checkpoint(f.header.End))
			f.signer = newLog(p.hub.t, "hub.example/v1/log").signer
		}, "file: end: the end line is not signed by the log's key"},
		{"a byte changed after it was made", func(_ *pair, f *liar) {
			f.bytes = func(file []byte) []byte {
				return bytes.Replace(file, []byte(`"erased"`), []byte(`"erased"`), 1)[:len(file)-1]
			}
		}, "file: end: the file has no end line"},
		{"an entry dated back, in a tree that is made of it", func(_ *pair, f *liar) {
			f.says(200, func(e *proof.Entry) { e.Time = e.Time.Add(-3 * time.Hour) })
		}, "times: entry 200: it says that it was made on"},
	}
}

// textOf is the text of a signed note.
func textOf(signed []byte) string {
	text, _, _ := strings.Cut(string(signed), "\n\n")
	return text + "\n"
}

// consentLies are about what was agreed and what was done on it. The hub makes a tree of what
// it says, and signs it.
func consentLies() []lie {
	return []lie{
		{"a consent record left out", func(p *pair, f *liar) {
			f.statements = slices.DeleteFunc(f.statements, func(s proof.ExportStatement) bool { return s.Digest == p.consent.Digest })
		}, "the consent that it names is not in the file"},
		{"a consent record left out, with its entry", func(p *pair, f *liar) {
			f.statements = slices.DeleteFunc(f.statements, func(s proof.ExportStatement) bool { return s.Digest == p.consent.Digest })
			f.drop(f.find("consent.record", 0))
		}, "it rests on the consent " + "%s" + ", and no entry before it records that"},
		{"a consent record brought in after the opening", func(p *pair, f *liar) { f.late(f.find("consent.record", 0)) },
			"opening: entry 7: it rests on the consent %s, and no entry before it records that"},
		{"a consent of a wider scope under the same entry", func(p *pair, f *liar) {
			i := f.find("consent.record", 0)
			wider := f.consents(p, func(c *record.Claims) { c.Sections = append(c.Sections, "housing") })
			f.says(i, func(e *proof.Entry) { e.Digest = ids.Digest(wider) })
			f.states(proof.StatementConsent, wider)
		}, "it rests on another record with the id %s than the log has"},
		{"an opening of what she did not agree to", func(_ *pair, f *liar) {
			f.says(f.find("section.open", 0), func(e *proof.Entry) { e.Sections = []string{"health"} })
		}, "opening: entry 8: the consent %s does not cover it"},
		{"an opening by somebody else", func(_ *pair, f *liar) {
			f.says(f.find("section.open", 0), func(e *proof.Entry) { e.Partner = "eastside-aid" })
		}, "opening: entry 8: the consent %s does not cover it"},
		{"an opening on nothing", func(_ *pair, f *liar) {
			f.says(f.find("section.open", 0), func(e *proof.Entry) { e.Consent = "" })
		}, "opening: entry 8: it names neither a consent record nor an override"},
		{"an opening on another consent than the packet's", func(_ *pair, f *liar) {
			other := f.said(f.find("consent.record", 1)).Consent
			f.says(f.find("section.open", 0), func(e *proof.Entry) { e.Consent = other })
			f.entries = slices.Insert(f.entries, int(f.find("section.open", 0)), f.entries[f.find("consent.record", 1)])
			f.renumber()
		}, "opening: entry 9: "},
		{"an opening after the withdrawal", func(p *pair, f *liar) { f.withdraws(p, f.find("section.open", 0)) },
			"opening: entry 9: she had taken the consent %s back, in entry 8"},
		{"a withdrawal left out", func(p *pair, f *liar) { f.without(proof.StatementWithdrawal) }, "the withdrawal that it names is not in the file"},
		{"an opening after the consent ran out", func(_ *pair, f *liar) {
			for i := f.find("section.open", 0); i < int64(len(f.entries)); i++ {
				f.says(i, func(e *proof.Entry) { e.Time = e.Time.AddDate(0, 2, 0) })
			}
		}, "opening: entry 8: her consent had run out"},
		{"the statement of another entry", func(_ *pair, f *liar) {
			one, two := f.find("consent.record", 0), f.find("consent.record", 1)
			digest := f.said(one).Digest
			f.says(two, func(e *proof.Entry) { e.Digest = digest })
		}, "statements: entry 314: the entry says otherwise, by its consent"},
		{"another partner in the entry", func(_ *pair, f *liar) {
			f.says(f.find("consent.record", 1), func(e *proof.Entry) { e.Partner = "westside-aid" })
		}, "the entry says otherwise, by its partner"},
		{"a statement that no entry names", func(p *pair, f *liar) {
			f.states(proof.StatementConsent, f.consents(p, func(c *record.Claims) { c.ID = "0199a000-0000-7000-8000-0000000000aa" }))
		}, "it is in the file, and no entry names it"},
		{"a statement signed by somebody else", func(p *pair, f *liar) {
			stated, err := record.ParseConsent(f.statements[0].Text)
			must(err)
			c := stated.Unverified()
			forged, err := c.Sign(p.hub.private["westside-aid"].Signing)
			must(err)
			i := f.find("consent.record", 0)
			if f.said(i).Consent != c.ID {
				i = f.find("consent.record", 1)
			}
			f.says(i, func(e *proof.Entry) { e.Digest = ids.Digest(forged) })
			f.statements[0] = proof.ExportStatement{Kind: proof.StatementConsent, Digest: ids.Digest(forged), Text: forged}
		}, "signatures: entry"},
		{"an old statement, brought in today", func(p *pair, f *liar) {
			old := f.consents(p, func(c *record.Claims) { c.IssuedAt -= 3 * 86400; c.GivenAt -= 3 * 86400; c.ValidFrom -= 3 * 86400 })
			f.says(f.find("consent.record", 0), func(e *proof.Entry) { e.Digest = ids.Digest(old) })
			f.states(proof.StatementConsent, old)
		}, "a hub takes a statement within a day"},
		{"no key history", func(_ *pair, f *liar) {
			w := f.partners["camden-outreach"]
			w.History = nil
			f.partners["camden-outreach"] = w
		}, "keys: camden-outreach: there is no history of its keys"},
		{"a key history of a second log", func(p *pair, f *liar) {
			twin := newPair(p.hub.t)
			f.says(0, func(e *proof.Entry) { e.Client = "another" })
			_ = twin
		}, "is proved by a receipt of another log than this"},
	}
}

// stepLies are about the steps of referrals.
func stepLies() []lie {
	return []lie{
		{"two steps exchanged", func(_ *pair, f *liar) { f.swap(f.find("referral.receive", 0), f.find("referral.accept", 0)) }, "steps: entry"},
		{"a step left out, with its entry", func(_ *pair, f *liar) {
			i := f.find("referral.ask", 0)
			digest := f.said(i).Envelope
			f.drop(i)
			f.statements = slices.DeleteFunc(f.statements, func(s proof.ExportStatement) bool { return s.Digest == digest })
		}, "steps: entry 10: it does not follow the step that the log has before it"},
		{"another state", func(_ *pair, f *liar) {
			f.says(f.find("referral.accept", 0), func(e *proof.Entry) { e.State = "rejected" })
		}, "it leads to the state accepted, and the log says rejected"},
		{"another state, of a referral that began before the file", func(_ *pair, f *liar) {
			f.header.First = f.find("referral.ask", 0)
			f.grounds()
			f.says(f.find("referral.accept", 0), func(e *proof.Entry) { e.State = "completed" })
		}, "the step accept does not lead from received to completed"},
		{"a step left out, of a referral that began before the file", func(_ *pair, f *liar) {
			f.header.First = f.find("referral.ask", 0)
			f.drop(f.find("referral.answer", 0))
			f.grounds()
		}, "steps: entry 11: its prev is not the digest of the step before"},
		{"a step of another referral", func(_ *pair, f *liar) {
			f.says(f.find("referral.accept", 0), func(e *proof.Entry) { e.Referral = strings.Repeat("A", 43) })
		}, "the entry says otherwise, by its referral"},
		{"the envelope left out", func(_ *pair, f *liar) { f.without(proof.StatementEnvelope) }, "the envelope that it names is not in the file"},
	}
}

// actingLies are those for which somebody does something first.
func actingLies() []lie {
	return []lie{
		{"a key history cut", func(p *pair, f *liar) {
			p.hub.revoke("westside-aid")
			*f = *p.hub.forge(p.hub.t)
			w := f.partners["westside-aid"]
			w.History = w.History[:3]
			f.partners["westside-aid"] = w
		}, "keys: westside-aid: "},
		{"a key history without its revocation, and the keys to fit", func(p *pair, f *liar) {
			before := f.partners["westside-aid"]
			p.hub.revoke("westside-aid")
			*f = *p.hub.forge(p.hub.t)
			f.partners["westside-aid"] = before
		}, "that the history of its keys leaves out"},
		{"a step that is not possible", func(p *pair, f *liar) {
			p.step(p.hub.t, p.to, client.Step{Event: "receive"})
			*f = *p.hub.forge(p.hub.t)
		}, "the step receive is not possible for westside-aid in the state accepted"},
		{"a step after the end", func(p *pair, f *liar) {
			p.step(p.hub.t, p.to, client.Step{Event: "complete", Outcome: "housed"})
			last := p.hub.log.entries[len(p.hub.log.entries)-1]
			p.hub.log.entries = append(p.hub.log.entries, last)
			*f = *p.hub.forge(p.hub.t)
			f.renumber()
		}, "is not possible in the state completed"},
		{"a question about what is held that no withdrawal asks", func(p *pair, f *liar) {
			p.hub.log.add(proof.Entry{Act: "recall.asked", Other: "westside-aid", Consent: p.consent.ID, Digest: p.consent.Digest, Target: "0199a000-0000-7000-8000-0000000000bb"})
			*f = *p.hub.forge(p.hub.t)
		}, "withdrawals: entry"},
	}
}

// consents is another consent record with the id of the pair's.
func (f *liar) consents(p *pair, change func(*record.Claims)) string {
	for _, s := range f.statements {
		if s.Digest == p.consent.Digest {
			stated, err := record.ParseConsent(s.Text)
			must(err)
			c := stated.Unverified()
			change(&c)
			token, err := c.Sign(p.hub.private["camden-outreach"].Signing)
			must(err)
			return token
		}
	}
	panic("no consent record")
}

// withdraws puts a withdrawal of the pair's consent before an entry.
func (f *liar) withdraws(p *pair, before int64) {
	w := record.WithdrawalClaims{Hub: p.hub.issuer, Issuer: "camden-outreach", ID: "0199a000-0000-7000-8000-0000000000cc",
		IssuedAt: time.Now().Unix(), Consent: p.consent.ID, Digest: p.consent.Digest}
	token, err := w.Sign(p.hub.private["camden-outreach"].Signing)
	must(err)
	e := f.said(before - 1)
	e.Act, e.Partner, e.Consent, e.Digest, e.State = "consent.withdraw", "camden-outreach", p.consent.ID, ids.Digest(token), "withdrawn"
	e.Referral, e.Event, e.Envelope, e.Other, e.Sections = "", "", "", "", nil
	body, err := e.Bytes()
	must(err)
	f.entries = slices.Insert(f.entries, int(before), proof.ExportEntry{Body: body, Salt: f.entries[0].Salt})
	f.renumber()
	f.states(proof.StatementWithdrawal, token)
}

// TestEveryLieOfAHubThatHasTheKeyIsNamed has a hub sign what is not so, with its real key, in
// one way at a time. Each is found, and the place is named.
func TestEveryLieOfAHubThatHasTheKeyIsNamed(t *testing.T) {
	t.Parallel()
	shared, told := quarter(t), slices.Concat(logLies(), consentLies(), stepLies())
	for i, row := range slices.Concat(told, actingLies()) {
		t.Run(row.name, func(t *testing.T) {
			p := shared
			if i >= len(told) {
				p = quarter(t)
			}
			f := p.hub.forge(t)
			row.tell(p, f)
			found, err := audited(f.file(), client.AuditTrust{LogKey: p.hub.log.key})
			want := strings.ReplaceAll(row.want, "%s", p.consent.ID)
			if !errors.Is(err, client.ErrVerification) || !strings.Contains(fails(found), want) {
				t.Errorf("%v\nwant %s\nfound:\n%s", err, want, fails(found))
			}
		})
	}
}
