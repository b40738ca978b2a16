package referral_test

import (
	"bytes"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"

	"handover/internal/hubtest"
	"handover/internal/ids"
	"handover/keys/jose"
	"handover/partners"
	"handover/referral/packet"
)

// Steps 1 to 5 of docs/packet.md: who sends, the form, the idempotency key, the
// signature and the manifest.

func TestAStrangersTokenOrAMissingScopeSendsNothing(t *testing.T) {
	t.Parallel()
	refused(t, []refusal{
		{name: "the token is of another partner than iss", status: 403, code: "sender-not-caller",
			spoil: func(t *testing.T, s scene) (attempt, func() attempt) {
				good := s.Request().Seal(t)
				return post(s.To, good), func() attempt { return post(s.From, good) }
			}},
		{name: "the token lacks the scope to send", status: 403, code: "insufficient-scope",
			also: hubtest.Problem{Scope: "referrals:send"},
			spoil: func(t *testing.T, s scene) (attempt, func() attempt) {
				good := post(s.From, s.Request().Seal(t))
				bad := good
				bad.call.Scopes = []partners.Scope{partners.ReferralsReceive, partners.ConsentsWrite}
				return bad, func() attempt { return good }
			}},
		{name: "the recipient's step needs the scope to receive", status: 403, code: "insufficient-scope",
			also: hubtest.Problem{Scope: "referrals:receive"},
			spoil: func(t *testing.T, s scene) (attempt, func() attempt) {
				r := s.Sent(t)
				good := post(s.To, s.To.Event(s.From, packet.Accept, r.Digest, r.Digest).Seal(t))
				bad := good
				bad.call.Scopes = []partners.Scope{partners.ReferralsSend}
				return bad, func() attempt { return good }
			}},
		{name: "the sender's step needs the scope to send", status: 403, code: "insufficient-scope",
			also: hubtest.Problem{Scope: "referrals:send"},
			spoil: func(t *testing.T, s scene) (attempt, func() attempt) {
				r := s.Sent(t)
				good := post(s.From, s.From.Event(s.To, packet.Withdraw, r.Digest, r.Digest).Seal(t))
				bad := good
				bad.call.Scopes = []partners.Scope{partners.ReferralsReceive}
				return bad, func() attempt { return good }
			}},
	})
}

// callSpoiled is a row whose fault lies in the HTTP request.
func callSpoiled(change func(*hubtest.Call)) func(*testing.T, scene) (attempt, func() attempt) {
	return func(t *testing.T, s scene) (attempt, func() attempt) {
		good := post(s.From, s.Request().Seal(t))
		bad := good
		change(&bad.call)
		return bad, func() attempt { return good }
	}
}

func TestAPacketOfAnotherFormIsRefused(t *testing.T) {
	t.Parallel()
	body := func(from, to string) func(*hubtest.Call) {
		return func(c *hubtest.Call) { c.Body = bytes.Replace(c.Body, []byte(from), []byte(to), 1) }
	}
	header := func(name string, value any) func(*testing.T, scene, *packet.Packet) {
		return func(t *testing.T, _ scene, p *packet.Packet) {
			p.Envelope = reheaded(t, p.Envelope, func(h map[string]any) { h[name] = value })
		}
	}
	claim := func(name string, value any) func(*testing.T, scene, *packet.Packet) {
		return func(t *testing.T, s scene, p *packet.Packet) {
			p.Envelope = resign(t, p.Envelope, packet.EnvelopeType, s.From.Signing.Signer(), func(c map[string]any) {
				if c[name] = value; value == nil {
					delete(c, name)
				}
			})
		}
	}
	rows := []refusal{
		{name: "media type", status: 415, code: "unsupported-media-type", spoil: callSpoiled(func(c *hubtest.Call) { c.Type = "application/json" })},
		{name: "no media type", status: 415, code: "unsupported-media-type", spoil: callSpoiled(func(c *hubtest.Call) { c.Type = "" })},
		{name: "over 4 MiB", status: 413, code: "body-too-large", spoil: callSpoiled(func(c *hubtest.Call) {
			c.Body = append(bytes.Clone(c.Body), bytes.Repeat([]byte(" "), packet.PacketLimit)...)
		})},
		{name: "empty", status: 400, code: "packet-malformed", spoil: callSpoiled(func(c *hubtest.Call) { c.Body = nil })},
		{name: "truncated", status: 400, code: "packet-malformed", spoil: callSpoiled(func(c *hubtest.Call) { c.Body = c.Body[:len(c.Body)-1] })},
		{name: "data after the end", status: 400, code: "packet-malformed", spoil: callSpoiled(func(c *hubtest.Call) { c.Body = append(bytes.Clone(c.Body), '1') })},
		{name: "a name twice", status: 400, code: "packet-malformed", spoil: callSpoiled(body(`{`, `{"copies":{},`))},
		{name: "a name in another case", status: 400, code: "packet-malformed", spoil: callSpoiled(body(`"envelope"`, `"Envelope"`))},
		{name: "an unknown member", status: 400, code: "packet-malformed", spoil: callSpoiled(body(`{`, `{"x":1,`))},
		{name: "not UTF-8", status: 400, code: "packet-malformed", spoil: callSpoiled(body(`{"envelope":"`, "{\"envelope\":\"\xff"))},
		{name: "alg none", status: 422, code: "envelope-malformed", spoil: bytesSpoiled(header("alg", "none"))},
		{name: "alg of a shared secret", status: 422, code: "envelope-malformed", spoil: bytesSpoiled(header("alg", "HS256"))},
		{name: "typ of a consent record", status: 422, code: "envelope-malformed", spoil: bytesSpoiled(header("typ", "handover-consent+jwt"))},
		{name: "crit", status: 422, code: "envelope-malformed", spoil: bytesSpoiled(header("crit", []string{"exp"}))},
		{name: "a key in the header", status: 422, code: "envelope-malformed", spoil: bytesSpoiled(header("jwk", map[string]string{"kty": "EC"}))},
		{name: "no kid", status: 422, code: "envelope-malformed", spoil: bytesSpoiled(func(t *testing.T, _ scene, p *packet.Packet) {
			p.Envelope = reheaded(t, p.Envelope, func(h map[string]any) { delete(h, "kid") })
		})},
		{name: "an unknown claim", status: 422, code: "envelope-malformed", spoil: bytesSpoiled(claim("admin", true))},
		{name: "an envelope over 16 KiB", status: 413, code: "packet-too-large", spoil: bytesSpoiled(func(_ *testing.T, _ scene, p *packet.Packet) {
			p.Envelope += string(bytes.Repeat([]byte("A"), packet.EnvelopeLimit))
		})},
		{name: "a section over 256 KiB", status: 413, code: "packet-too-large", spoil: bytesSpoiled(func(_ *testing.T, _ scene, p *packet.Packet) {
			p.Sections["need"] += string(bytes.Repeat([]byte("A"), packet.SectionLimit))
		})},
		{name: "a compressed section", status: 422, code: "section-malformed", also: hubtest.Problem{Section: "need"},
			spoil: bytesSpoiled(func(t *testing.T, _ scene, p *packet.Packet) {
				p.Sections["need"] = reheaded(t, p.Sections["need"], func(h map[string]any) { h["zip"] = "DEF" })
			})},
		{name: "a section in clear", status: 422, code: "section-malformed", also: hubtest.Problem{Section: "need"},
			spoil: bytesSpoiled(func(_ *testing.T, _ scene, p *packet.Packet) { p.Sections["need"] = `{"text":"her name"}` })},
		{name: "a copy in clear", status: 422, code: "section-malformed", also: hubtest.Problem{Section: "need"},
			spoil: bytesSpoiled(func(_ *testing.T, _ scene, p *packet.Packet) { p.Copies["need"] = `{"text":"her name"}` })},
	}
	for name, value := range map[string]any{
		"hub": nil, "jti": uuid.NewString(), "event": "approve", "sub": "Jane Doe", "purpose": "curiosity", "urgency": "soon",
		"service": "the refuge", "area": "E09000034", "basis": nil, "sections": nil, "reason": "other", "outcome": "housed",
		"re": ids.Digest("x"), "prev": ids.Digest("x"), "aud": "UPPER", "onward_from": "x",
		"act": string(bytes.Repeat([]byte("a"), 65)),
	} {
		rows = append(rows, refusal{name: "claim " + name, status: 422, code: "envelope-claim",
			also: hubtest.Problem{Claim: name}, spoil: bytesSpoiled(claim(name, value))})
	}
	refused(t, rows)
}

func TestOneIdIsOnePacket(t *testing.T) {
	t.Parallel()
	refused(t, []refusal{
		{name: "other bytes under a stored id", status: 409, code: "packet-conflict",
			spoil: func(t *testing.T, s scene) (attempt, func() attempt) {
				stored := s.Sent(t)
				return post(s.From, s.Request("need").Seal(t, func(d *hubtest.Draft) { d.ID = stored.Claims.ID })), s.fresh(t)
			}},
		{name: "an event under the id of the request", status: 409, code: "packet-conflict",
			spoil: func(t *testing.T, s scene) (attempt, func() attempt) {
				r := s.Sent(t)
				d := s.From.Event(s.To, packet.Withdraw, r.Digest, r.Digest)
				good := post(s.From, d.Seal(t))
				return post(s.From, d.Seal(t, func(d *hubtest.Draft) { d.ID = r.Claims.ID })), func() attempt { return good }
			}},
	})
}

func TestAPacketThatItsSenderDidNotSignNowAndHereIsRefused(t *testing.T) {
	t.Parallel()
	signedWith := func(key func(t *testing.T, s scene) jose.SigningKey) func(*testing.T, scene) (attempt, func() attempt) {
		return func(t *testing.T, s scene) (attempt, func() attempt) {
			return post(s.From, s.Request().Seal(t, func(d *hubtest.Draft) { d.Signer = key(t, s) })), s.fresh(t)
		}
	}
	of := func(s scene) []any { return []any{string(s.From.ID)} }
	at := func(shift time.Duration) func(scene, *hubtest.Draft) {
		return func(s scene, d *hubtest.Draft) {
			d.IssuedAt = s.hub.Now().Add(shift).Unix()
			d.Expires = s.hub.Now().Add(time.Hour).Unix()
		}
	}
	old := sql(`UPDATE partner_key SET not_before = not_before - interval '60 days' WHERE partner = $1`, of)
	refused(t, []refusal{
		{name: "a key that nobody enrolled", status: 422, code: "sender-key-unknown",
			spoil: signedWith(func(t *testing.T, _ scene) jose.SigningKey { return hubtest.Key(t, partners.Signing).Signer() })},
		{name: "another partner's key", status: 422, code: "sender-key-unknown",
			spoil: signedWith(func(_ *testing.T, s scene) jose.SigningKey { return s.To.Signing.Signer() })},
		{name: "the key that authenticates", status: 422, code: "sender-key-unknown",
			spoil: signedWith(func(_ *testing.T, s scene) jose.SigningKey { return s.From.Auth.Signer() })},
		{name: "another key under the name of hers", status: 422, code: "envelope-signature",
			spoil: signedWith(func(_ *testing.T, s scene) jose.SigningKey {
				key := s.To.Signing.Signer()
				key.ID = s.From.Signing.KeyID()
				return key
			})},
		{name: "claims changed after signing", status: 422, code: "envelope-signature",
			spoil: bytesSpoiled(func(t *testing.T, s scene, p *packet.Packet) {
				other := s.Request().Seal(t, func(d *hubtest.Draft) { d.Urgency = "emergency" })
				p.Envelope = swapPart(p.Envelope, other.Envelope, 1)
			})},
		{name: "a retired key", status: 422, code: "sender-key-unknown", spoil: worldSpoiled(
			sql(`UPDATE partner_key SET not_before = now() - interval '2 days', not_after = now() - interval '1 day' WHERE partner = $1 AND use = 'signing'`, of),
			unending(`partner_key`, `UPDATE partner_key SET not_after = now() + interval '1 day' WHERE partner = $1 AND use = 'signing'`, of))},
		{name: "a key that counts from tomorrow", status: 422, code: "sender-key-unknown", spoil: worldSpoiled(
			sql(`UPDATE partner_key SET not_before = now() + interval '1 day' WHERE partner = $1 AND use = 'signing'`, of),
			sql(`UPDATE partner_key SET not_before = now() WHERE partner = $1 AND use = 'signing'`, of))},
		{name: "a revoked key, whenever it signed", status: 422, code: "sender-key-unknown", spoil: worldSpoiled(
			sql(`UPDATE partner_key SET revoked_at = now() WHERE partner = $1 AND use = 'signing'`, of),
			unending(`partner_key`, `UPDATE partner_key SET revoked_at = NULL WHERE partner = $1 AND use = 'signing'`, of))},
		{name: "for a staging hub", status: 422, code: "wrong-hub",
			spoil: spoiled(func(_ scene, d *hubtest.Draft) { d.Hub = "https://staging.hub.example" })},
		{name: "for this hub with a slash", status: 422, code: "wrong-hub",
			spoil: spoiled(func(_ scene, d *hubtest.Draft) { d.Hub = hubtest.Issuer + "/" })},
		{name: "signed 24 hours ago and more", status: 422, code: "envelope-stale",
			spoil: func(t *testing.T, s scene) (attempt, func() attempt) {
				old(t, s)
				return spoiled(at(-24*time.Hour-5*time.Second))(t, s)
			}},
		{name: "signed in the future", status: 422, code: "envelope-stale", spoil: spoiled(at(packet.Skew + 5*time.Second))},
		{name: "expired on arrival", status: 422, code: "envelope-expired",
			spoil: spoiled(func(s scene, d *hubtest.Draft) { d.IssuedAt -= 10; d.Expires = d.IssuedAt + 1 })},
		{name: "to be kept over 90 days", status: 422, code: "envelope-expired",
			spoil: spoiled(func(_ scene, d *hubtest.Draft) { d.Expires = d.IssuedAt + int64(packet.MaxLife/time.Second) + 1 })},
	})
}

func TestWhatTheEnvelopeDidNotSignIsNotCarried(t *testing.T) {
	t.Parallel()
	mismatch := func(name string, change func(t *testing.T, s scene, p *packet.Packet)) refusal {
		return refusal{name: name, status: 422, code: "manifest-mismatch", spoil: bytesSpoiled(change)}
	}
	other := func(t *testing.T, s scene) hubtest.Sealed { return s.Request("need", "safe-contact", "risk").Seal(t) }
	refused(t, []refusal{
		mismatch("a section dropped", func(_ *testing.T, _ scene, p *packet.Packet) { delete(p.Sections, "need") }),
		mismatch("all sections dropped", func(_ *testing.T, _ scene, p *packet.Packet) { p.Sections = nil }),
		mismatch("a section added", func(t *testing.T, s scene, p *packet.Packet) { p.Sections["risk"] = other(t, s).Sections["risk"] }),
		mismatch("a section of another packet", func(t *testing.T, s scene, p *packet.Packet) { p.Sections["need"] = other(t, s).Sections["need"] }),
		mismatch("two sections exchanged", func(_ *testing.T, _ scene, p *packet.Packet) {
			p.Sections["need"], p.Sections["safe-contact"] = p.Sections["safe-contact"], p.Sections["need"]
		}),
		mismatch("one section under another's name", func(_ *testing.T, _ scene, p *packet.Packet) {
			p.Sections["risk"] = p.Sections["need"]
			delete(p.Sections, "need")
		}),
		mismatch("a copy dropped", func(_ *testing.T, _ scene, p *packet.Packet) { delete(p.Copies, "need") }),
		mismatch("a copy added", func(_ *testing.T, _ scene, p *packet.Packet) { p.Copies["risk"] = p.Copies["need"] }),
		mismatch("a copy of another packet", func(t *testing.T, s scene, p *packet.Packet) { p.Copies["need"] = other(t, s).Copies["need"] }),
		mismatch("section and copy exchanged", func(_ *testing.T, _ scene, p *packet.Packet) {
			p.Sections["need"], p.Copies["need"] = p.Copies["need"], p.Sections["need"]
		}),
	})
}

// named is the public part of a new encryption key on curve, under kid.
func named(t *testing.T, curve jose.Curve, kid string) jose.PublicKey {
	t.Helper()
	key, err := jose.Generate(jose.ECDHESA256KW, curve)
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := key.Public().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	public, err := jose.ParsePublicKey(bytes.ReplaceAll(jwk, []byte(key.KeyID()), []byte(kid)))
	if err != nil {
		t.Fatal(err)
	}
	return public
}

func TestASectionThatTheRecipientCannotOpenIsRefusedAndTheProblemNamesHerKey(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	for name, spoil := range map[string]func(t *testing.T, p hubtest.Pair, d *hubtest.Draft) (current string){
		"sealed to a retired key": func(t *testing.T, p hubtest.Pair, _ *hubtest.Draft) string {
			h.Exec(t, `UPDATE partner_key SET not_before = now() - interval '2 days', not_after = now() - interval '1 day'
			           WHERE partner = $1 AND use = 'encryption'`, string(p.To.ID))
			p.To.Renew(t)
			return p.To.Sealing.KeyID()
		},
		"sealed to a revoked key": func(t *testing.T, p hubtest.Pair, _ *hubtest.Draft) string {
			h.Exec(t, `UPDATE partner_key SET revoked_at = now() WHERE partner = $1 AND use = 'encryption'`, string(p.To.ID))
			p.To.Renew(t)
			return p.To.Sealing.KeyID()
		},
		"sealed to a key that nobody enrolled": func(t *testing.T, p hubtest.Pair, d *hubtest.Draft) string {
			d.To.Recipient = hubtest.Key(t, partners.Encryption).Public()
			return p.To.Sealing.KeyID()
		},
		"sealed to the sender's own key": func(_ *testing.T, p hubtest.Pair, d *hubtest.Draft) string {
			d.To.Recipient = p.From.Sealing.Public()
			return p.To.Sealing.KeyID()
		},
		"sealed to a key of another curve under her key's name": func(t *testing.T, p hubtest.Pair, d *hubtest.Draft) string {
			curve := jose.X25519
			if p.To.Sealing.Public().Curve() == curve {
				curve = jose.P256
			}
			d.To.Recipient = named(t, curve, p.To.Sealing.KeyID())
			return p.To.Sealing.KeyID()
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := h.Pair(t, partners.BoroughOutreach)
			d := p.Request()
			current := spoil(t, p, &d)
			content := h.Content(t)
			got := p.From.Send(t, d.Seal(t)).Problem()
			if got.Status != http.StatusUnprocessableEntity || got.Code != "recipient-key-retired" || got.Key != current ||
				got.JWK.KeyID() != current || got.JWK.Algorithm() != jose.ECDHESA256KW {
				t.Errorf("answered %+v, want recipient-key-retired with %s", got, current)
			}
			same(t, content, h.Content(t))
			if a := p.From.Send(t, p.Request().Seal(t)); a.Status != http.StatusCreated {
				t.Errorf("sealed to the current key it is still refused: %d %s", a.Status, a.Body)
			}
		})
	}
}
