package client_test

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"handover/audit/proof"
	"handover/client"
	"handover/internal/ids"
	"handover/keys/jose"
	"handover/referral/packet"
)

// leadsTo is where a step leads, by its name alone.
var leadsTo = map[packet.Event]string{packet.Request: "requested", packet.Receive: "received", packet.Accept: "accepted",
	packet.Decline: "rejected", packet.Redirect: "rejected", packet.Start: "in-progress", packet.Complete: "completed", packet.Fail: "failed", packet.Withdraw: "cancelled"}

// packet stores a packet, whatever it is, or finds it stored.
func (h *fakeHub) packet(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	u, err := packet.Read(body)
	if err != nil || caller(r) != u.Unverified().Issuer {
		refuse(w, 422, "packet-malformed")
		return
	}
	c, digest := u.Unverified(), u.Digest()
	id := digest
	if c.Event != packet.Request {
		id = c.Referral
	}
	f := h.referrals[id]
	if f == nil {
		f = &fakeReferral{sender: c.Issuer, recipient: c.Audience, packets: map[string]packet.Packet{}}
		h.referrals[id] = f
		h.order = append(h.order, id)
	}
	for _, s := range f.steps {
		if s["digest"] == digest {
			answer(w, 201, s["receipt"])
			return
		}
	}
	if n := len(f.steps); n > 0 && f.steps[n-1]["digest"] != c.Prev {
		refuse(w, 409, "referral-moved")
		return
	}
	if to := leadsTo[c.Event]; to != "" {
		f.state = to
	}
	e := proof.Entry{Act: "referral." + string(c.Event), Partner: c.Issuer, Client: c.Issuer + ".abcde", Other: c.Audience,
		Referral: id, Event: string(c.Event), Envelope: digest, State: f.state, Reason: c.Reason + c.Outcome,
		Sections: slices.Sorted(maps.Keys(c.Sections))}
	if c.Basis != nil {
		e.Consent, e.Digest = c.Basis.Consent, c.Basis.Digest
	}
	var p packet.Packet
	_ = json.Unmarshal(body, &p)
	receipt := h.log.add(e)
	f.packets[digest], f.claims = p, append(f.claims, c)
	f.steps = append(f.steps, map[string]any{"event": c.Event, "envelope": p.Envelope, "digest": digest,
		"state": f.state, "stored": time.Now(), "transport": "stored", "receipt": receipt})
	answer(w, 201, receipt)
}

func (h *fakeHub) summary(id string) map[string]any {
	f := h.referrals[id]
	c := f.claims[0]
	return map[string]any{"id": id, "reference": ids.Reference(id), "sender": f.sender, "recipient": f.recipient,
		"state": f.state, "transport": "stored", "asked": false, "purpose": c.Purpose, "urgency": c.Urgency, "service": c.Service,
		"area": c.Area, "head": f.steps[len(f.steps)-1]["digest"], "created": time.Now(), "changed": time.Now()}
}

// seen returns a referral that the caller is a party to.
func (h *fakeHub) seen(w http.ResponseWriter, r *http.Request) *fakeReferral {
	f := h.referrals[r.PathValue("id")]
	if f == nil || (caller(r) != f.sender && caller(r) != f.recipient) {
		refuse(w, 404, "referral-not-found")
		return nil
	}
	return f
}

func (h *fakeHub) read(w http.ResponseWriter, r *http.Request) {
	if f := h.seen(w, r); f != nil {
		m := h.summary(r.PathValue("id"))
		m["chain"] = f.steps
		answer(w, 200, m)
	}
}

func (h *fakeHub) history(w http.ResponseWriter, r *http.Request) {
	if f := h.seen(w, r); f != nil {
		answer(w, 200, map[string]any{"referral": r.PathValue("id"), "events": f.steps})
	}
}

// list answers in pages of one or of the limit asked for.
func (h *fakeHub) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	limit, _ := strconv.Atoi(q.Get("limit"))
	after, _ := strconv.Atoi(q.Get("after"))
	if after == 0 {
		after = len(h.order) + 1
	}
	found := []map[string]any{}
	for i := after - 1; i > 0 && len(found) < max(limit, 1); i-- {
		f := h.referrals[h.order[i-1]]
		mine := f.recipient
		if q.Get("role") == "sent" {
			mine = f.sender
		}
		if caller(r) == mine {
			found = append(found, h.summary(h.order[i-1]))
			if len(found) == max(limit, 1) {
				q.Set("after", strconv.Itoa(i))
				w.Header().Set("Link", `<`+r.URL.Path+`?`+q.Encode()+`>; rel="next"`)
			}
		}
	}
	answer(w, 200, map[string]any{"referrals": found})
}

func (h *fakeHub) open(w http.ResponseWriter, r *http.Request) {
	f := h.seen(w, r)
	if f == nil {
		return
	}
	var o struct {
		Envelope, Reason string
		Sections         []string
	}
	_ = json.NewDecoder(r.Body).Decode(&o)
	p := f.packets[o.Envelope]
	act, from := "section.open", p.Sections
	stated, err := packet.ParseEnvelope(p.Envelope)
	must(err)
	c := stated.Unverified()
	other := c.Issuer
	if c.Issuer == caller(r) {
		act, from, other = "copy.open", p.Copies, c.Audience
	}
	out := map[string]string{}
	for _, name := range o.Sections {
		out[name] = from[name]
	}
	receipt := h.log.add(proof.Entry{Act: act, Partner: caller(r), Other: other, Referral: r.PathValue("id"), Envelope: o.Envelope,
		Consent: c.Basis.Consent, Sections: slices.Sorted(slices.Values(o.Sections)), Reason: o.Reason})
	answer(w, 200, map[string]any{"sections": out, "receipt": receipt})
}

// member enrols a partner with the fake and returns its client.
func member(t testing.TB, h *fakeHub, id string) *client.Client {
	t.Helper()
	return sample(h, id)
}

func sample(h *fakeHub, id string) *client.Client {
	auth, err := jose.Generate(jose.ES256, jose.P256)
	must(err)
	sign, err := jose.Generate(jose.EdDSA, jose.Ed25519)
	must(err)
	seal, err := jose.Generate(jose.ECDHESA256KW, jose.P256)
	must(err)
	e, err := client.Enrol(context.Background(), client.Enrolling{Hub: h.issuer, Code: id, Authentication: auth.Public(),
		Signing: sign.Public(), Encryption: seal.Public(), Sign: sign.Signer(), HTTP: h.HTTP()})
	must(err)
	logKey, err := client.ParseLogKey(e.LogKey)
	must(err)
	h.private[id] = client.Keys{Authentication: auth, Signing: sign.Signer(), Encryption: []jose.PrivateKey{seal}}
	c, err := client.New(client.Options{Hub: e.Hub, Partner: e.Partner, ClientID: e.ClientID, LogKey: logKey,
		HTTP: h.HTTP(), Keys: h.private[id]})
	must(err)
	return c
}

// agreed records a consent of hers to need and note, both ways.
func agreed(t testing.TB, c *client.Client) client.RecordedConsent {
	t.Helper()
	got, err := c.RecordConsent(t.Context(), client.Consent{How: client.Circumstances{Alone: "yes", Coercion: "none", Interpreter: "none", Language: "en", Capacity: "presumed"},
		Bases: []client.Basis{{Article6: "a", Article9: "a"}}, Purpose: "housing",
		Recipients: []string{"camden-outreach", "westside-aid"}, Sections: []string{"need", "note"},
		Method: "verbal-in-person", Notice: client.Notice{Version: "1", Digest: ids.Digest("notice"), Language: "en"}})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// asking is a referral as the tests send it.
func asking(consent string) client.Request {
	return client.Request{To: "westside-aid", Consent: consent, Service: "0190a000-0000-7000-8000-000000000001",
		Area: "E09000007", Purpose: "housing", Urgency: "urgent",
		Sections: map[string]client.Content{"need": client.Content(`{"schema":"need/1","summary":"somewhere to sleep"}`)}}
}
