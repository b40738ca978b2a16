package referral_test

import (
	"maps"
	"slices"

	"pgregory.net/rapid"

	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/internal/ids"
	"handover/referral"
	"handover/referral/packet"
)

// parcel is a packet that was stored, and what class each of its sections is.
type parcel struct {
	passage
	at     string // the referral
	sealed hubtest.Sealed
	class  map[string]string
	chunk  string // of its attachment, if there is one,
	given  bool   // and whether that was given out
}

// send posts the passage as a request and holds the answer against the model.
func (g *game) send(p passage) {
	g.deal(p.from.id, p.to.id)
	from, to := g.agencies[p.from.id], g.agencies[p.to.id]
	parcel := &parcel{passage: p, class: map[string]string{}}
	for _, c := range p.classes {
		parcel.class[c] = c
	}
	about := hubtest.Consent{Claims: record.Claims{Subject: p.subject, Purpose: p.purpose}}
	d := from.Request(to, g.services[p.to.id], about, p.classes...)
	d.Area, d.Basis = p.area, g.basis(p)
	if p.continues != nil {
		d.OnwardFrom = g.digestOf(p.continues)
	}
	if pick(g.rt, "an attachment", true, false, false, false, false) {
		d = g.attach(d, parcel)
	}
	parcel.sealed = d.Seal(g.t)
	parcel.at = parcel.sealed.Digest
	what, kept := "send", &g.sent
	if p.from.id == theThird {
		what, kept = "earlier", &g.earlier
	}
	g.post(what, parcel, "", kept)
}

// basis is what a packet of the passage rests on.
func (g *game) basis(p passage) *packet.Basis {
	b := &packet.Basis{}
	if p.over != nil {
		b.Override, b.Digest = g.overrides[p.over].ID, g.overrides[p.over].Digest
	} else {
		b.Consent, b.Digest = g.records[p.said].ID, g.records[p.said].Digest
	}
	if p.misbound {
		b.Digest = ids.Digest("another")
	}
	return b
}

// post posts a packet, holds the answer against the model, and keeps what was stored.
func (g *game) post(what string, p *parcel, re string, kept *[]*parcel) {
	u, err := packet.Read(p.sealed.Body)
	g.must(err)
	_, err = g.hub.Referrals.Receive(g.t.Context(), g.callers[p.from.id], u, re)
	if !g.judged(what, p.passage, err) {
		kept = &g.refused
	}
	*kept = append(*kept, p)
}

// write has one side of an open referral write a note to the other, which rests on what the
// request did or on something else.
func (g *game) write(about *parcel) {
	var head, state string
	g.must(g.hub.DB.Owner.QueryRow(g.t.Context(), `SELECT head, state FROM referral WHERE id = $1`, about.at).Scan(&head, &state))
	if referral.State(state).Final() {
		return
	}
	p := passage{from: about.to, to: about.from, step: true, subject: about.subject, purpose: about.purpose, area: about.area,
		classes: []string{"note"}, said: about.said, over: about.over}
	if pick(g.rt, "the sender writes", true, false) {
		p.from, p.to = p.to, p.from
	}
	if p.said == nil && pick(g.rt, "on a record", true, false) || pick(g.rt, "on another record", false, false, true) {
		p.said, p.over = pick(g.rt, "which record", g.words...), nil
	}
	g.deal(p.from.id, p.to.id)
	d := g.agencies[p.from.id].Event(g.agencies[p.to.id], packet.Message, about.at, head).With(hubtest.Consent{}, "note")
	d.Basis = g.basis(p)
	g.post("write", &parcel{passage: p, at: about.at, sealed: d.Seal(g.t), class: map[string]string{"note": "note"}}, about.at, &g.written)
}

// digestOf is the id of the referral that a passage opened.
func (g *game) digestOf(p *passage) string {
	for _, s := range slices.Concat(g.earlier, g.sent) {
		if &s.passage == p {
			return s.sealed.Digest
		}
	}
	return ""
}

// attach adds an attachment of one class, which is judged as that.
func (g *game) attach(d hubtest.Draft, p *parcel) hubtest.Draft {
	class := g.drawClasses(p.passage)[0]
	d, a := d.Attach(g.t, "attachment-1", class, letter(10))
	g.agencies[p.from.id].PutAll(g.t, a)
	p.class["attachment-1"], p.chunk = class, a.Chunks[0]
	p.classes = slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(p.classes), class))))
	return d
}

// open asks for some sections of a packet as its recipient and holds the answer against the
// model: exactly those, or nothing.
func (g *game) open(p *parcel) {
	names := slices.Sorted(maps.Keys(p.class))
	asked := rapid.SliceOfNDistinct(rapid.SampledFrom(names), 1, len(names), rapid.ID).Draw(g.rt, "asked for")
	got, _, err := g.hub.Referrals.Open(g.t.Context(), g.callers[p.to.id], p.at,
		referral.Opening{Envelope: p.sealed.Digest, Sections: asked, Reason: "triage"})
	want := map[string]string{}
	if g.judged("open", p.asking(asked), err) {
		for _, name := range asked {
			want[name] = p.sealed.Sections[name]
			p.given = p.given || name == "attachment-1"
		}
	}
	if !maps.Equal(got, want) {
		g.rt.Fatalf("given out: %d sections, want exactly the %d asked for", len(got), len(want))
	}
}

// asking is the passage of some of a packet's sections out of the hub. What it went on from
// was decided when it was sent.
func (p *parcel) asking(names []string) passage {
	out := p.passage
	out.continues, out.classes = nil, nil
	for _, name := range names {
		out.classes = append(out.classes, p.class[name])
	}
	return out
}
