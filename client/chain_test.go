package client

import (
	"fmt"
	"strings"
	"testing"

	"handover/internal/strict"
	"handover/keys/jose"
	"handover/referral/packet"
)

// signer signs envelopes without asking whether they make sense.
type signer struct {
	t   *testing.T
	key jose.PrivateKey
	n   int
}

func newSigner(t *testing.T) *signer {
	t.Helper()
	key, err := jose.Generate(jose.EdDSA, jose.Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	return &signer{t: t, key: key}
}

// sign fills in what every envelope states and what its event needs.
func (s *signer) sign(c packet.Claims) packet.Envelope {
	s.t.Helper()
	s.n++
	digest := strings.Repeat("A", 43)
	c.Hub, c.IssuedAt, c.Expires = "https://hub.example", 1_700_000_000, 1_700_000_900
	c.ID = fmt.Sprintf("0190a000-0000-7000-8000-%012d", s.n)
	seals := func(name string) {
		c.Basis = &packet.Basis{Consent: c.ID, Digest: digest}
		c.Sections = map[string]packet.Sealing{name: {Ciphertext: digest, Plaintext: digest}}
	}
	switch c.Event {
	case packet.Request:
		c.Subject, c.Purpose, c.Urgency = strings.Repeat("A", 22), "housing", "urgent"
		c.Service, c.Area = c.ID, "E09000007"
		seals("need")
	case packet.Ask, packet.Answer, packet.Message:
		seals("note")
	case packet.Redirect:
		c.Service = "0190a000-0000-7000-8000-0000000000aa"
	case packet.Decline, packet.Fail, packet.Withdraw:
		c.Reason = "other"
		if c.Issuer == c.Hub {
			c.Reason = "consent-withdrawn"
		}
	case packet.Complete:
		c.Outcome = "housed"
	}
	body, err := strict.Marshal(c)
	if err != nil {
		s.t.Fatal(err)
	}
	token, err := jose.Sign(packet.EnvelopeType, body, s.key.Signer())
	if err != nil {
		s.t.Fatal(err)
	}
	stated, err := packet.ParseEnvelope(token)
	if err != nil {
		s.t.Fatalf("%s: %v", c.Event, err)
	}
	e, err := stated.Verify(s.key.Public())
	if err != nil {
		s.t.Fatal(err)
	}
	return e
}

// next is an envelope that continues a chain.
func (s *signer) next(h *chain, event packet.Event, issuer, audience string) packet.Envelope {
	s.t.Helper()
	return s.sign(packet.Claims{Event: event, Issuer: issuer, Audience: audience,
		Referral: h.links[0].Digest(), Prev: h.links[len(h.links)-1].Digest()})
}

// begun is a chain with its request.
func (s *signer) begun() *chain {
	s.t.Helper()
	h := &chain{hub: "https://hub.example"}
	if bad := h.add(s.sign(packet.Claims{Event: packet.Request, Issuer: "sender", Audience: "recipient"})); bad != "" {
		s.t.Fatal(bad)
	}
	return h
}

// Everything that can happen, as docs/states.md has it: state, side, event, state
// afterwards. What is not here cannot happen.
const possible = `
requested   recipient receive  received
requested   recipient accept   accepted
requested   recipient decline  rejected
requested   sender    withdraw cancelled
requested   sender    message  requested
requested   recipient message  requested
received    recipient ask      received
received    recipient accept   accepted
received    recipient decline  rejected
requested   recipient redirect rejected
received    recipient redirect rejected
received    sender    withdraw cancelled
received    sender    message  received
received    recipient message  received
accepted    recipient start    in-progress
accepted    recipient complete completed
accepted    recipient fail     failed
accepted    sender    withdraw cancelled
accepted    sender    message  accepted
accepted    recipient message  accepted
in-progress recipient complete completed
in-progress recipient fail     failed
in-progress sender    withdraw cancelled
in-progress sender    message  in-progress
in-progress recipient message  in-progress
`

func TestChainTakesWhatIsPossibleAndNothingElse(t *testing.T) {
	s := newSigner(t)
	want := map[string]string{}
	for line := range strings.Lines(strings.TrimSpace(possible)) {
		f := strings.Fields(line)
		want[f[0]+" "+f[1]+" "+f[2]] = f[3]
	}
	seen := 0
	for state, path := range map[string][]packet.Event{"requested": nil, "received": {"receive"}, "accepted": {"accept"},
		"in-progress": {"accept", "start"}, "rejected": {"decline"}, "completed": {"accept", "complete"},
		"failed": {"accept", "fail"}, "cancelled": {"withdraw"}} {
		for _, side := range []string{"sender", "recipient"} {
			for _, event := range packet.Events()[1:] {
				h := s.begun()
				for _, e := range path {
					by, to := "recipient", "sender"
					if e == packet.Withdraw {
						by, to = to, by
					}
					if bad := h.add(s.next(h, e, by, to)); bad != "" {
						t.Fatal(bad)
					}
				}
				other := map[string]string{"sender": "recipient", "recipient": "sender"}[side]
				bad := h.add(s.next(h, event, side, other))
				to, may := want[state+" "+side+" "+string(event)]
				if (bad == "") != may || may && h.state != to {
					t.Errorf("%s, %s by the %s: %q, in the state %s", state, event, side, bad, h.state)
				}
				if may {
					seen++
				}
			}
		}
	}
	if seen != len(want) {
		t.Errorf("tried %d of %d", seen, len(want))
	}
}

// TestAHubEndsWhatNobodyHasAcceptedAndNothingElse: of itself, and only toward the recipient.
func TestAHubEndsWhatNobodyHasAcceptedAndNothingElse(t *testing.T) {
	s := newSigner(t)
	for state, c := range map[string]struct {
		path []packet.Event
		may  bool
	}{"requested": {nil, true}, "received": {[]packet.Event{"receive"}, true}, "accepted": {[]packet.Event{"accept"}, false},
		"in-progress": {[]packet.Event{"accept", "start"}, false}, "rejected": {[]packet.Event{"decline"}, false},
		"completed": {[]packet.Event{"accept", "complete"}, false}} {
		for _, to := range []string{"recipient", "sender", "stranger"} {
			h := s.begun()
			for _, e := range c.path {
				if bad := h.add(s.next(h, e, "recipient", "sender")); bad != "" {
					t.Fatal(bad)
				}
			}
			bad := h.add(s.next(h, packet.Withdraw, "https://hub.example", to))
			if may := c.may && to == "recipient"; (bad == "") != may || may && h.state != "cancelled" {
				t.Errorf("%s, to the %s: %q, in the state %s", state, to, bad, h.state)
			}
		}
	}
}

func TestAnswerNeedsAQuestion(t *testing.T) {
	s := newSigner(t)
	h := s.begun()
	for i, c := range []struct {
		event packet.Event
		by    string
		may   bool
	}{{packet.Receive, "recipient", true}, {packet.Answer, "sender", false}, {packet.Ask, "recipient", true},
		{packet.Answer, "sender", true}, {packet.Answer, "sender", false}} {
		other := map[string]string{"sender": "recipient", "recipient": "sender"}[c.by]
		if bad := h.add(s.next(h, c.event, c.by, other)); (bad == "") != c.may {
			t.Errorf("step %d, %s: %q", i+2, c.event, bad)
		}
	}
}

func TestEnvelopeThatBelongsElsewhereIsNotTaken(t *testing.T) {
	s := newSigner(t)
	h, elsewhere := s.begun(), s.begun()
	first := h.links[0].Digest()
	for name, c := range map[string]packet.Claims{
		"another referral":    {Event: packet.Accept, Issuer: "recipient", Audience: "sender", Referral: elsewhere.links[0].Digest(), Prev: first},
		"another predecessor": {Event: packet.Accept, Issuer: "recipient", Audience: "sender", Referral: first, Prev: elsewhere.links[0].Digest()},
		"by a third partner":  {Event: packet.Accept, Issuer: "stranger", Audience: "sender", Referral: first, Prev: first},
		"to a third partner":  {Event: packet.Accept, Issuer: "recipient", Audience: "stranger", Referral: first, Prev: first},
		"between two others":  {Event: packet.Message, Issuer: "stranger", Audience: "other", Referral: first, Prev: first},
		"a second request":    {Event: packet.Request, Issuer: "sender", Audience: "recipient"},
	} {
		if bad := h.add(s.sign(c)); bad == "" {
			t.Errorf("%s is taken", name)
		}
	}
	if bad := (&chain{hub: "https://other.example"}).add(h.links[0]); bad == "" {
		t.Error("another hub's is taken")
	}
	if bad := (&chain{hub: "https://hub.example"}).add(s.next(h, packet.Accept, "recipient", "sender")); bad == "" {
		t.Error("a chain without a request is taken")
	}
	if bad := h.add(s.next(h, packet.Accept, "recipient", "sender")); bad != "" {
		t.Errorf("and the right one is not: %s", bad)
	}
}
