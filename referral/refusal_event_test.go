package referral_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/internal/ids"
	"handover/partners"
	"handover/referral/packet"
)

// Step 9 of docs/packet.md: the steps that follow a request.

// step is a row in which a referral is there: bad and good are drafts of the next
// step, signed when they are posted.
func step(bad, good func(t *testing.T, s scene, r hubtest.Sealed) (*hubtest.Agency, hubtest.Draft)) func(*testing.T, scene) (attempt, func() attempt) {
	return func(t *testing.T, s scene) (attempt, func() attempt) {
		r := s.Sent(t)
		by, d := bad(t, s, r)
		refused := post(by, d.Seal(t))
		return refused, func() attempt {
			by, d := good(t, s, r)
			return post(by, d.Seal(t))
		}
	}
}

// after is a step that either side takes on the newest envelope.
func after(e packet.Event, byRecipient bool) func(*testing.T, scene, hubtest.Sealed) (*hubtest.Agency, hubtest.Draft) {
	return func(_ *testing.T, s scene, r hubtest.Sealed) (*hubtest.Agency, hubtest.Draft) {
		by, to := s.From, s.To
		if byRecipient {
			by, to = to, by
		}
		d := by.Event(to, e, r.Digest, r.Digest)
		if e == packet.Ask || e == packet.Answer || e == packet.Message {
			d = d.With(s.Consent, "note")
		}
		return by, d
	}
}

func TestAStepThatDoesNotFollowIsRefused(t *testing.T) {
	t.Parallel()
	accept := after(packet.Accept, true)
	refused(t, []refusal{
		{name: "the sender accepts", status: 403, code: "not-your-step", spoil: step(after(packet.Accept, false), accept)},
		{name: "the recipient withdraws", status: 403, code: "not-your-step",
			spoil: step(after(packet.Withdraw, true), after(packet.Withdraw, false))},
		{name: "started before it was accepted", status: 409, code: "step-not-possible", also: hubtest.Problem{State: "requested"},
			spoil: step(after(packet.Start, true), accept)},
		{name: "asked before it was received", status: 409, code: "step-not-possible", also: hubtest.Problem{State: "requested"},
			spoil: step(after(packet.Ask, true), accept)},
		{name: "answered although nobody asked", status: 409, code: "step-not-possible", also: hubtest.Problem{State: "received"},
			spoil: func(t *testing.T, s scene) (attempt, func() attempt) {
				r := s.Sent(t)
				head := s.Step(t, s.To, packet.Receive, r.Digest, r.Digest).Digest
				draft := func(head string) hubtest.Draft {
					return s.From.Event(s.To, packet.Answer, r.Digest, head).With(s.Consent, "note", "need")
				}
				return post(s.From, draft(head).Seal(t)), func() attempt {
					head = s.Step(t, s.To, packet.Ask, r.Digest, head).Digest
					return post(s.From, draft(head).Seal(t))
				}
			}},
		{name: "accepted twice", status: 409, code: "step-not-possible", also: hubtest.Problem{State: "accepted"},
			spoil: func(t *testing.T, s scene) (attempt, func() attempt) {
				r := s.Sent(t)
				head := s.Step(t, s.To, packet.Accept, r.Digest, r.Digest).Digest
				return post(s.To, s.To.Event(s.From, packet.Accept, r.Digest, head).Seal(t)),
					func() attempt { return post(s.To, s.To.Event(s.From, packet.Start, r.Digest, head).Seal(t)) }
			}},
		{name: "signed on an envelope that is not the newest", status: 409, code: "referral-moved", also: hubtest.Problem{Head: "*"},
			spoil: func(t *testing.T, s scene) (attempt, func() attempt) {
				r := s.Sent(t)
				head := s.Step(t, s.From, packet.Message, r.Digest, r.Digest).Digest
				return post(s.To, s.To.Event(s.From, packet.Accept, r.Digest, r.Digest).Seal(t)),
					func() attempt { return post(s.To, s.To.Event(s.From, packet.Accept, r.Digest, head).Seal(t)) }
			}},
		{name: "signed on an envelope of another referral", status: 409, code: "referral-moved", also: hubtest.Problem{Head: "*"},
			spoil: step(func(t *testing.T, s scene, r hubtest.Sealed) (*hubtest.Agency, hubtest.Draft) {
				return s.To, s.To.Event(s.From, packet.Accept, r.Digest, s.Sent(t).Digest)
			}, accept)},
		{name: "addressed to a third partner", status: 404, code: "referral-not-found",
			spoil: step(func(t *testing.T, s scene, r hubtest.Sealed) (*hubtest.Agency, hubtest.Draft) {
				return s.To, s.To.Event(s.hub.Pair(t, partners.Housing).From, packet.Accept, r.Digest, r.Digest)
			}, accept)},
		{name: "of a referral between others", status: 404, code: "referral-not-found",
			spoil: step(func(t *testing.T, s scene, r hubtest.Sealed) (*hubtest.Agency, hubtest.Draft) {
				other := s.hub.Pair(t, partners.BoroughOutreach)
				return other.To, other.To.Event(s.From, packet.Accept, r.Digest, r.Digest)
			}, accept)},
		{name: "of no referral", status: 404, code: "referral-not-found",
			spoil: step(func(_ *testing.T, s scene, _ hubtest.Sealed) (*hubtest.Agency, hubtest.Draft) {
				return s.To, s.To.Event(s.From, packet.Accept, ids.Digest("nothing"), ids.Digest("nothing"))
			}, accept)},
		{name: "meant for another hub", status: 422, code: "wrong-hub",
			spoil: step(func(t *testing.T, s scene, r hubtest.Sealed) (*hubtest.Agency, hubtest.Draft) {
				by, d := accept(t, s, r)
				d.Hub = "https://staging.hub.example"
				return by, d
			}, accept)},
	})
}

func TestEachEventHasOneAddress(t *testing.T) {
	t.Parallel()
	refused(t, []refusal{
		{name: "an event where requests are sent", status: 422, code: "wrong-endpoint",
			spoil: func(t *testing.T, s scene) (attempt, func() attempt) {
				r := s.Sent(t)
				good := post(s.To, s.To.Event(s.From, packet.Accept, r.Digest, r.Digest).Seal(t))
				bad := good
				bad.call.Path = "/v1/referrals"
				return bad, func() attempt { return good }
			}},
		{name: "an event at another referral", status: 422, code: "wrong-endpoint",
			spoil: func(t *testing.T, s scene) (attempt, func() attempt) {
				r, other := s.Sent(t), s.Sent(t)
				good := post(s.To, s.To.Event(s.From, packet.Accept, r.Digest, r.Digest).Seal(t))
				bad := good
				bad.call.Path = "/v1/referrals/" + other.Digest + "/events"
				return bad, func() attempt { return good }
			}},
		{name: "a request at a referral", status: 422, code: "wrong-endpoint",
			spoil: func(t *testing.T, s scene) (attempt, func() attempt) {
				good := post(s.From, s.Request().Seal(t))
				bad := good
				bad.call.Path = "/v1/referrals/" + s.Sent(t).Digest + "/events"
				return bad, func() attempt { return good }
			}},
	})
}

func TestANoteNeedsWhatARequestNeeds(t *testing.T) {
	t.Parallel()
	message := func(consent func(t *testing.T, s scene) hubtest.Consent) func(*testing.T, scene, hubtest.Sealed) (*hubtest.Agency, hubtest.Draft) {
		return func(t *testing.T, s scene, r hubtest.Sealed) (*hubtest.Agency, hubtest.Draft) {
			return s.To, s.To.Event(s.From, packet.Message, r.Digest, r.Digest).With(consent(t, s), "note")
		}
	}
	good := message(func(_ *testing.T, s scene) hubtest.Consent { return s.Consent })
	sameWoman := func(by func(scene) *hubtest.Agency, recipients func(s scene) []string) func(t *testing.T, s scene) hubtest.Consent {
		return func(t *testing.T, s scene) hubtest.Consent { return by(s).Record(t, s.Consent.Subject, recipients(s)) }
	}
	from := func(s scene) *hubtest.Agency { return s.From }
	refused(t, []refusal{
		{name: "on a consent that does not name the one who is answered", status: 403, code: "not-covered",
			spoil: step(message(sameWoman(from, func(s scene) []string { return []string{string(s.To.ID)} })), good)},
		{name: "on a consent that names the one who answers by category alone", status: 403, code: "not-covered",
			spoil: step(message(sameWoman(from, func(s scene) []string { return []string{string(s.From.ID), "category:borough-outreach"} })), good)},
		{name: "on another woman's consent", status: 403, code: "not-covered",
			spoil: step(message(func(t *testing.T, s scene) hubtest.Consent {
				return s.From.Record(t, hubtest.Subject(), s.Named())
			}), good)},
		{name: "on a consent for another purpose", status: 403, code: "not-covered",
			spoil: step(message(func(t *testing.T, s scene) hubtest.Consent {
				return s.From.Record(t, s.Consent.Subject, s.Named(), func(c *record.Claims) { c.Purpose = "advocacy" })
			}), good)},
		{name: "on a consent that was withdrawn since", status: 403, code: "consent-withdrawn",
			spoil: step(message(func(t *testing.T, s scene) hubtest.Consent {
				c := s.From.Record(t, s.Consent.Subject, s.Named())
				s.From.Withdraw(t, c)
				return c
			}), good)},
		{name: "without an agreement in this direction", status: 403, code: "no-agreement",
			spoil: func(t *testing.T, s scene) (attempt, func() attempt) {
				r := s.Sent(t)
				do(t, s.hub.Operator.EndAgreement(t.Context(), s.Back))
				_, d := good(t, s, r)
				same := post(s.To, d.Seal(t))
				return same, func() attempt {
					s.hub.Agree(t, s.To, s.From)
					return same
				}
			}},
		{name: "to police", to: partners.Police, status: 403, code: "firewall", also: hubtest.Problem{Section: "note"},
			spoil: func(t *testing.T, s scene) (attempt, func() attempt) {
				s.Consent = s.From.Record(t, hubtest.Subject(), s.Named(), func(c *record.Claims) { c.Purpose = "protect-from-harm" })
				r := s.Sent(t)
				return post(s.From, s.From.Event(s.To, packet.Message, r.Digest, r.Digest).With(s.Consent, "note").Seal(t)),
					func() attempt {
						return post(s.To, s.To.Event(s.From, packet.Message, r.Digest, r.Digest).With(s.Consent, "note").Seal(t))
					}
			}},
		{name: "sealed to a key of the wrong side", status: 422, code: "recipient-key-retired", also: hubtest.Problem{Key: "*"},
			spoil: step(func(t *testing.T, s scene, r hubtest.Sealed) (*hubtest.Agency, hubtest.Draft) {
				by, d := good(t, s, r)
				d.To.Recipient = s.To.Sealing.Public()
				return by, d
			}, good)},
	})
}

// TestAReferralBetweenOthersLooksLikeNone compares, address by address, what a third
// partner is answered about a referral that is there with what she is answered about
// one that is not.
func TestAReferralBetweenOthersLooksLikeNone(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p, third := h.Pair(t, partners.BoroughOutreach), h.Pair(t, partners.BoroughOutreach)
	there, missing := p.Sent(t).Digest, ids.Digest("missing")
	p.To.Open(t, there, "", "need")
	calls := map[string]func(id string) hubtest.Call{
		"read": func(id string) hubtest.Call { return hubtest.Call{Method: "GET", Path: "/v1/referrals/" + id} },
		"history": func(id string) hubtest.Call {
			return hubtest.Call{Method: "GET", Path: "/v1/referrals/" + id + "/events"}
		},
		"open": func(id string) hubtest.Call {
			return hubtest.Call{Method: "POST", Path: "/v1/referrals/" + id + "/open", Type: "application/json",
				Body: []byte(`{"sections":["need"],"reason":"triage"}`)}
		},
		"open a packet by its digest": func(id string) hubtest.Call {
			return hubtest.Call{Method: "POST", Path: "/v1/referrals/" + id + "/open", Type: "application/json",
				Body: fmt.Appendf(nil, `{"envelope":%q,"sections":["need"],"reason":"triage"}`, id)}
		},
	}
	for _, e := range []packet.Event{packet.Accept, packet.Withdraw, packet.Message, packet.Answer} {
		calls["post "+string(e)] = func(id string) hubtest.Call {
			d := third.To.Event(p.From, e, id, id)
			if e == packet.Message || e == packet.Answer {
				d = d.With(third.Consent, "note")
			}
			return post(third.To, d.Seal(t)).call
		}
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			one, other := third.To.Do(t, call(there)), third.To.Do(t, call(missing))
			if one.Status != http.StatusNotFound || one.Problem().Code != "referral-not-found" {
				t.Errorf("answered %d %s, want 404 referral-not-found", one.Status, one.Problem().Code)
			}
			if diff := cmp.Diff(anonymous(t, other), anonymous(t, one)); diff != "" {
				t.Errorf("the answers differ (-missing +foreign):\n%s", diff)
			}
		})
	}
}

// anonymous is an answer without the id of its request.
func anonymous(t *testing.T, a hubtest.Answer) map[string]any {
	t.Helper()
	body := map[string]any{}
	if err := json.NewDecoder(bytes.NewReader(a.Body)).Decode(&body); err != nil {
		t.Fatal(err)
	}
	delete(body, "instance")
	header := a.Header.Clone()
	header.Del("X-Request-Id")
	header.Del("Date")
	return map[string]any{"status": a.Status, "header": header, "body": body}
}
