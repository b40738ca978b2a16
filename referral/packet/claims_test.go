package packet_test

import (
	"slices"
	"strings"
	"testing"

	"handover/internal/codes"
	"handover/internal/ids"
	"handover/referral/packet"
)

// Which events state which claims, from docs/packet.md and not from the code.
var (
	everyEvent = []packet.Event{"request", "receive", "ask", "answer", "accept", "decline", "redirect", "start", "complete", "fail", "withdraw", "message"}
	requests   = []packet.Event{"request"}
	steps      = everyEvent[1:]
	withReason = []packet.Event{"decline", "fail", "withdraw"}
)

// presence says where a claim must be and where it may not be, with a value that
// would be right for the claim.
type presence struct {
	claim    string
	required []packet.Event
	allowed  []packet.Event // besides
	value    any
}

func presences() []presence {
	digest := ids.Digest("some envelope")
	all := everyEvent
	return []presence{
		{"hub", all, nil, hub},
		{"iss", all, nil, "charity"},
		{"aud", all, nil, "borough"},
		{"jti", all, nil, jti},
		{"iat", all, nil, now.Unix()},
		{"exp", all, nil, now.Unix() + 60},
		{"event", all, nil, "request"},
		{"act", nil, all, "user-7"},
		{"re", steps, nil, digest},
		{"prev", steps, nil, digest},
		{"sub", requests, nil, subject},
		{"purpose", requests, nil, "housing"},
		{"urgency", requests, nil, "urgent"},
		{"service", []packet.Event{"request", "redirect"}, nil, service},
		{"area", requests, nil, "E09000012"},
		{"onward_from", nil, requests, digest},
		{"reason", withReason, nil, "other"},
		{"outcome", []packet.Event{"complete"}, nil, "housed"},
	}
}

// honest are the claims of an event with the sections it needs, as members.
func honest(t testing.TB, e packet.Event) members {
	t.Helper()
	c := claimsOf(e)
	if names := dataOf(e); len(names) > 0 {
		c.Basis, c.Sections = basisOf(), map[string]packet.Sealing{}
		for name := range names {
			c.Sections[name] = packet.Sealing{Ciphertext: ids.Digest("ct"), Plaintext: ids.Digest("pt")}
		}
	}
	return membersOf(t, c)
}

// parse takes an envelope of the members apart.
func (m members) parse(t testing.TB) error {
	t.Helper()
	_, err := packet.ParseEnvelope(m.sign(t, signingEd25519()))
	return err
}

func TestEveryEventIsListedAndKnown(t *testing.T) {
	if !slices.Equal(packet.Events(), everyEvent) {
		t.Errorf("Events is %v, want %v", packet.Events(), everyEvent)
	}
	for _, e := range everyEvent {
		if err := honest(t, e).parse(t); err != nil {
			t.Errorf("honest %s: %v", e, err)
		}
	}
}

func TestEveryClaimIsWhereItBelongsAndNowhereElse(t *testing.T) {
	for _, p := range presences() {
		for _, e := range everyEvent {
			m := honest(t, e)
			required, allowed := slices.Contains(p.required, e), slices.Contains(p.allowed, e)
			t.Run(string(e)+" without "+p.claim, func(t *testing.T) {
				err := m.with(p.claim, nil).parse(t)
				if required {
					refused(t, err, packet.ErrClaim, "claim", p.claim)
				} else if err != nil {
					t.Error(err)
				}
			})
			if required {
				continue // an honest envelope states it
			}
			t.Run(string(e)+" with "+p.claim, func(t *testing.T) {
				err := m.with(p.claim, p.value).parse(t)
				if !allowed {
					refused(t, err, packet.ErrClaim, "claim", p.claim)
				} else if err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestClaimOfTheWrongFormIsRefusedByName(t *testing.T) {
	digest := ids.Digest("x")
	notDigests := []any{"x", digest[1:], digest + "A", digest[:42] + "_", digest + "=", digest[:20] + "\n" + digest[20:],
		digest + "\r\n", strings.Repeat("A", 42), strings.Repeat("A", 42) + "\n", "+" + digest[1:], strings.Repeat("0", 64)}
	notUUIDs := []any{"7", strings.ToUpper("0199a000-0000-7000-8000-0000000000ab"), "urn:uuid:" + jti, "{" + jti + "}",
		"'" + jti + "'", strings.ReplaceAll(jti, "-", ""), jti + "\n"}
	notPartners := []any{"Charity", "a b", "a/b", "a.b", "a_b", "ａ", "charité", "a\n", "https://charity.example", strings.Repeat("a", 41)}
	for _, row := range []struct {
		event packet.Event
		claim string
		bad   []any
	}{
		{"request", "iss", notPartners},
		{"request", "aud", append(notPartners, "charity")}, // to herself
		{"request", "jti", append(notUUIDs,
			"0199a000-0000-4000-8000-0000000000cc",   // version 4
			"0199a000-0000-7000-0000-0000000000cc",   // of another variant
			"0199a000-0000-7000-c000-0000000000cc",   // of another variant
			"00000000-0000-0000-0000-000000000000")}, // nil
		{"request", "iat", []any{0, -1}},
		{"request", "exp", []any{0, -1, now.Unix() - 60, now.Unix() - 61}}, // at or before iat
		{"request", "event", []any{"Request", "reroute", "open", "cancel", "request "}},
		{"request", "sub", []any{"c3ViamVjdHN1YmplY3RzMR", "c3ViamVjdHN1YmplY3RzMQ==", subject + "\n", strings.Repeat("A", 20) + "\r\n", subject + "AA",
			subject[:20], "Jane Roe", "999 000 0018", "E09000012", "jane.roe@charity.example"}},
		{"request", "purpose", []any{"Housing", "housing ", "anything", "*"}},
		{"request", "urgency", []any{"now", "Urgent"}},
		{"request", "service", notUUIDs},
		{"request", "area", []any{"Hackney", "E09000034", "E09000000", "W06000015", "e09000012", "E09000012\n", "E12000007"}},
		{"request", "onward_from", notDigests},
		{"accept", "re", notDigests},
		{"accept", "prev", notDigests},
		{"decline", "reason", []any{"no reason", "could-not-reach", "No-Capacity", "she said so"}},
		{"fail", "reason", []any{"no-capacity", "died"}},
		{"withdraw", "reason", []any{"no-capacity", "unsafe"}},
		{"complete", "outcome", []any{"done", "other", "no-capacity"}},
		{"accept", "act", []any{strings.Repeat("u", 65), "Ada Sample", "ada@agency.example"}},
	} {
		for _, bad := range row.bad {
			t.Run(string(row.event)+" "+row.claim, func(t *testing.T) {
				m := honest(t, row.event)
				refused(t, m.with(row.claim, bad).parse(t), packet.ErrClaim, "claim", row.claim)
				if t.Failed() {
					t.Logf("value %q", bad)
				}
			})
		}
	}
}

// The other side of each limit, so that none is off by one.
func TestClaimAtItsLimitIsAccepted(t *testing.T) {
	for _, row := range []struct {
		event packet.Event
		claim string
		value any
	}{
		{"request", "iss", strings.Repeat("a", 40)},
		{"request", "aud", strings.Repeat("b", 40)},
		{"request", "act", strings.Repeat("u", 64)},
		{"request", "exp", now.Unix() - 59}, // one second after iat
		{"request", "iat", 1},
		{"request", "area", "E06000001"},
	} {
		if err := honest(t, row.event).with(row.claim, row.value).parse(t); err != nil {
			t.Errorf("%s %v: %v", row.claim, row.value, err)
		}
	}
	for event, list := range map[packet.Event]codes.List{"decline": codes.DeclineReasons(), "fail": codes.FailReasons(), "withdraw": codes.WithdrawReasons()} {
		for _, reason := range list.Codes() {
			if err := honest(t, event).with("reason", reason).parse(t); err != nil {
				t.Errorf("%s %s: %v", event, reason, err)
			}
		}
	}
}

func TestManifestThatIsNotOneIsRefused(t *testing.T) {
	line := func(change func(m members)) members {
		m := members{"ct": ids.Digest("ct"), "pt": ids.Digest("pt")}
		change(m)
		return m
	}
	right := line(func(members) {})
	many := members{}
	for _, name := range codes.Sections().Codes() {
		many[name] = right
	}
	tooMany := members{"need": right}
	for i := range packet.MaxSections {
		tooMany["need-"+string(rune('a'+i))] = right
	}
	for _, row := range []struct {
		name     string
		event    packet.Event
		sections any
		want     string // the claim, "" when it is right
	}{
		{"every class", "request", many, ""},
		{"every class in an answer", "answer", many, ""},
		{"no section in a request", "request", nil, "sections"},
		{"none listed in a request", "request", members{}, "sections"},
		{"over 24", "request", tooMany, "sections"},
		{"no such class", "request", members{"name": right}, "sections"},
		{"a class in capitals", "request", members{"Need": right}, "sections"},
		{"the empty class", "request", members{"": right}, "sections"},
		{"no ct", "request", members{"need": line(func(m members) { delete(m, "ct") })}, "sections"},
		{"no pt", "request", members{"need": line(func(m members) { delete(m, "pt") })}, "sections"},
		{"ct is no digest", "request", members{"need": line(func(m members) { m["ct"] = "x" })}, "sections"},
		{"pt is no digest", "request", members{"need": line(func(m members) { m["pt"] = "x" })}, "sections"},
		{"copy is no digest", "request", members{"need": line(func(m members) { m["copy"] = "x" })}, "sections"},
		{"the second line is wrong", "request", members{"need": right, "risk": members{}}, "sections"},
		{"class outside an attachment", "request", members{"need": line(func(m members) { m["class"] = "health" })}, "sections"},
		{"chunks outside an attachment", "request", members{"need": line(func(m members) { m["chunks"] = ids.Digest("x") })}, "sections"},
		{"an attachment", "request", members{"attachment-1": line(func(m members) { m["class"], m["chunks"] = "health", ids.Digest("x") })}, ""},
		{"an attachment to an answer", "answer", members{"note": right, "attachment-9": line(func(m members) { m["class"], m["chunks"] = "note", ids.Digest("x") })}, ""},
		{"an attachment to a message", "message", members{"note": right, "attachment-1": line(func(m members) { m["class"], m["chunks"] = "note", ids.Digest("x") })}, "sections"},
		{"an attachment without class", "request", members{"attachment-1": line(func(m members) { m["chunks"] = ids.Digest("x") })}, "sections"},
		{"an attachment of an unknown class", "request", members{"attachment-1": line(func(m members) { m["class"], m["chunks"] = "photos", ids.Digest("x") })}, "sections"},
		{"an attachment of the class of attachments", "request", members{"attachment-1": line(func(m members) { m["class"], m["chunks"] = "attachment-1", ids.Digest("x") })}, "sections"},
		{"an attachment without chunks", "request", members{"attachment-1": line(func(m members) { m["class"] = "health" })}, "sections"},
		{"an attachment whose chunks are no digest", "request", members{"attachment-1": line(func(m members) { m["class"], m["chunks"] = "health", "x" })}, "sections"},
		{"attachment-0", "request", members{"attachment-0": line(func(m members) { m["class"], m["chunks"] = "health", ids.Digest("x") })}, "sections"},
		{"attachment-10", "request", members{"attachment-10": line(func(m members) { m["class"], m["chunks"] = "health", ids.Digest("x") })}, "sections"},
		{"an attachment of no number", "request", members{"attachment-": line(func(m members) { m["class"], m["chunks"] = "health", ids.Digest("x") })}, "sections"},
		{"an ask without a note", "ask", members{}, "sections"},
		{"an answer without a note", "answer", members{"need": right}, "sections"},
		{"a message without a note", "message", members{}, "sections"},
		{"an ask with more than a note", "ask", members{"note": right, "need": right}, "sections"},
		{"a message with more than a note", "message", members{"note": right, "identity": right}, "sections"},
		{"an accept with a note", "accept", members{"note": right}, ""},
		{"an accept with more than a note", "accept", members{"identity": right}, "sections"},
		{"a withdraw with more than a note", "withdraw", members{"note": right, "history": right}, "sections"},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := honest(t, row.event).with("basis", basisOf()).with("sections", row.sections)
			if err := m.parse(t); row.want != "" {
				refused(t, err, packet.ErrClaim, "claim", row.want)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestBasisIsThereExactlyWhenContentIs(t *testing.T) {
	digest := ids.Digest("the consent record")
	for _, e := range everyEvent {
		m := honest(t, e)
		if m["sections"] == nil {
			refused(t, m.with("basis", basisOf()).parse(t), packet.ErrClaim, "claim", "basis")
		} else {
			refused(t, m.with("basis", nil).parse(t), packet.ErrClaim, "claim", "basis")
		}
	}
	for _, bad := range []members{
		{}, {"consent": consent}, {"digest": digest},
		{"consent": "", "digest": digest},
		{"consent": "she agreed", "digest": digest},
		{"consent": "{" + consent + "}", "digest": digest},
		{"consent": "urn:uuid:" + consent, "digest": digest},
		{"consent": strings.ReplaceAll(consent, "-", ""), "digest": digest},
		{"consent": strings.ToUpper(consent), "digest": digest},
		{"consent": consent, "digest": digest + "\n"},
		{"consent": consent, "digest": digest[1:]},
		{"override": consent}, {"override": "", "digest": digest}, {"override": strings.ToUpper(consent), "digest": digest},
		{"consent": consent, "override": consent, "digest": digest}, // one of the two, or which of them counts is anybody's guess
		{"consent": consent[:18], "override": consent[18:], "digest": digest},
	} {
		refused(t, honest(t, "request").with("basis", bad).parse(t), packet.ErrClaim, "claim", "basis")
	}
	if err := honest(t, "request").with("basis", members{"override": consent, "digest": digest}).parse(t); err != nil {
		t.Errorf("an override: %v", err)
	}
}
