package referral_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"handover/internal/hubtest"
)

// look has two agencies read all there is to be read, and looks in every answer for what is
// not theirs.
func (g *game) look() {
	if pick(g.rt, "nobody looks", true, false) {
		return
	}
	readers := []string{"a-police", "a-oversight", theSender, theThird, g.someone()}
	if len(g.sent) > 0 {
		readers = append(readers, g.sent[len(g.sent)-1].to.id)
	}
	for _, reader := range rapid.Permutation(readers).Draw(g.rt, "who reads")[:2] {
		by := g.agencies[reader]
		paths := []string{"/v1/inbox?state=all", "/v1/referrals?role=sent", "/v1/recalls", "/v1/nevers"}
		for _, s := range g.words {
			id := g.records[s].ID
			paths = append(paths, "/v1/consents/"+id, "/v1/consents/"+id+"/holders")
		}
		for _, o := range g.warrants {
			paths = append(paths, "/v1/overrides/"+g.overrides[o].ID)
		}
		for _, p := range slices.Concat(g.sent, g.earlier) {
			at := "/v1/referrals/" + p.sealed.Digest
			paths = append(paths, at, at+"/events")
		}
		for _, path := range paths {
			a := by.Get(g.t, path)
			g.holds(reader, a)
			g.hides(g.of(reader), path, a)
		}
		for _, p := range slices.Concat(g.sent, g.earlier, g.written) {
			g.lookInto(by, p)
		}
	}
}

// hides fails the case if the answer shows that there is a record or a never that is not the
// reader's to know of, or that somebody had a doubt about how she was asked.
func (g *game) hides(reader agency, path string, a hubtest.Answer) {
	body := string(a.Body)
	shown := func(what, id string) {
		if !strings.Contains(path, id) && strings.Contains(body, id) || strings.Contains(path, id) && a.Status == http.StatusOK {
			g.rt.Fatalf("%s is shown %s at %s: %d %s", reader.id, what, path, a.Status, body)
		}
	}
	for _, s := range g.words {
		id := g.records[s].ID
		named := s.shownTo(reader)
		if !named {
			shown("a record that does not name her", id)
		}
		if named && path == "/v1/consents/"+id && (a.Status != http.StatusOK || strings.Contains(body, `"review"`) != (s.recorder == reader.id)) {
			g.rt.Fatalf("%s reads a record of %s: %d %s", reader.id, s.recorder, a.Status, body)
		}
	}
	for n, is := range g.nevers {
		if is.by != reader.id {
			shown("a never of somebody else", is.id)
		} else if path == "/v1/nevers" && !strings.Contains(body, is.id) {
			g.rt.Fatalf("%s does not find her own never of %v: %s", reader.id, n.names, body)
		}
	}
	for o, is := range g.overrides {
		// "To its issuer, and to its recipient once something may go on it."
		may := o.recorder == reader.id || o.recipient == reader.id && (o.emergency || o.decision == "approved")
		if !may {
			shown("an override that is not hers", is.ID)
		}
	}
}

// lookInto asks for a section and for a chunk of a packet over the wire, whoever it is.
func (g *game) lookInto(by *hubtest.Agency, p *parcel) {
	name := pick(g.rt, "which section", slices.Sorted(maps.Keys(p.class))...)
	a := by.Open(g.t, p.at, p.sealed.Digest, name)
	var chunk hubtest.Answer
	if p.chunk != "" {
		chunk = by.Chunk(g.t, p.sealed.Digest, "attachment-1", 0)
	}
	switch id := string(by.ID); id {
	case p.from.id: // her own copies
		g.holds(id, a, p.sealed.Copies[name])
		g.holds(id, chunk, p.chunk)
	case p.to.id:
		if g.may(p, name) != (a.Status == http.StatusOK) {
			g.rt.Fatalf("%s is answered %d %s, by the documents it is given out: %v", id, a.Status, a.Body, g.may(p, name))
		}
		p.given = p.given || a.Status == http.StatusOK && name == "attachment-1"
		if p.chunk != "" && (p.given && g.may(p, "attachment-1")) != (chunk.Status == http.StatusOK) && name != "attachment-1" {
			g.rt.Fatalf("%s is answered %d %s for a chunk, by the documents it is given out: %v", id, chunk.Status, chunk.Body, g.may(p, "attachment-1"))
		}
		if g.holds(id, a, p.sealed.Sections[name]); p.given && g.may(p, "attachment-1") {
			g.holds(id, chunk, p.chunk)
		} else {
			g.holds(id, chunk)
		}
	default:
		if a.Problem().Code != "referral-not-found" || p.chunk != "" && chunk.Problem().Code != "referral-not-found" {
			g.rt.Fatalf("%s, no party of it, is answered %d %s, and %d", id, a.Status, a.Body, chunk.Status)
		}
		g.holds(id, a)
		g.holds(id, chunk)
	}
}

// may reports whether the model lets a section out to its recipient now.
func (g *game) may(p *parcel, name string) bool {
	return len(g.broken(p.asking([]string{name}), g.hub.Now())) == 0
}

// holds fails the case if the answer has a sealed section, a copy, a chunk, or what only a
// recorder may read, other than the ones allowed.
func (g *game) holds(reader string, a hubtest.Answer, allowed ...string) {
	body := string(a.Body)
	look := func(what, text string) {
		if text != "" && strings.Contains(body, text) && !slices.Contains(allowed, text) {
			g.rt.Fatalf("%s is shown %s that is not hers: %d %s", reader, what, a.Status, body)
		}
		g.seen["texts looked for in answers"]++
	}
	for _, p := range slices.Concat(g.sent, g.earlier, g.written, g.refused) {
		for _, jwe := range p.sealed.Sections {
			look("a section", jwe)
		}
		for _, jwe := range p.sealed.Copies {
			look("a copy", jwe)
		}
		look("a chunk", p.chunk)
	}
	for text, recorder := range g.secrets {
		if recorder != reader {
			look("what only its recorder may read", text)
		}
	}
}
