package packet_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"handover/internal/ids"
	"handover/keys/jose"
	"handover/referral/packet"
)

// made is a vector with the name of its file.
type made struct {
	name string
	vector
}

// writeVectors writes every vector and removes what is none any more.
func writeVectors(t testing.TB) {
	t.Helper()
	for _, old := range must(filepath.Glob(vectorsDir + "/*.json")) {
		if err := os.Remove(old); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range makeVectors(t) {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(m.vector); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(vectorsDir, m.name+".json"), b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func makeVectors(t testing.TB) []made {
	t.Helper()
	return append(accepted(t), append(misread(t), append(misclaimed(t), append(mistimed(t), append(mixed(t), unreadable(t)...)...)...)...)...)
}

// refusal makes a vector of any bytes, signed with the Ed25519 key.
func refusal(expect, what, why string, body []byte) made {
	v := vector{Why: why, Expect: expect, Now: now.Unix(), Hub: hub, Signer: must(signingEd25519().Public().MarshalJSON())}
	if utf8.Valid(body) {
		v.Packet = string(body)
	} else {
		v.Base64 = b64(body)
	}
	return made{expect + "-" + what, v}
}

// accepted makes the packets that open.
func accepted(t testing.TB) []made {
	t.Helper()
	none, ed, ec := jose.PrivateKey{}, signingEd25519(), signingP256()
	note := map[string]packet.Content{"note": packet.Content(`{"text":"Ring the office, not her. £ € 漢字 \u0000"}`)}
	answer := map[string]packet.Content{"note": note["note"], "housing": packet.Content(`{"eligible":"unknown"}`)}
	empty := map[string]packet.Content{"need": packet.Content(`{}`)}
	onward := requestWithBasis()
	onward.OnwardFrom = ids.Digest("the referral before")
	anonymous := claimsOf("accept")
	anonymous.Act = ""
	edge := claimsOf("accept")
	edge.IssuedAt, edge.Expires = now.Unix()+60, now.Unix()+60+90*24*60*60
	byHub := claimsOf("withdraw")
	byHub.Issuer, byHub.Act, byHub.Reason = hub, "", "consent-withdrawn"
	old := claimsOf("accept")
	old.IssuedAt, old.Expires = now.Unix()-24*60*60, now.Unix()+1
	all := []made{
		ok(t, "request-eddsa-x25519-copies-p256", "A request, signed with Ed25519, sealed on X25519, copies on P-256.", requestWithBasis(), dataOf("request"), ed, recipientX25519(), copyP256()),
		ok(t, "request-es256-p256-copies-x25519", "A request, signed with ES256, sealed on P-256, copies on X25519.", requestWithBasis(), dataOf("request"), ec, recipientP256(), copyX25519()),
		ok(t, "request-eddsa-p256", "A request without copies, Ed25519 and P-256.", requestWithBasis(), dataOf("request"), ed, recipientP256(), none),
		ok(t, "request-es256-x25519", "A request without copies, ES256 and X25519.", requestWithBasis(), dataOf("request"), ec, recipientX25519(), none),
		ok(t, "request-onward", "A request that continues another referral.", onward, dataOf("request"), ed, recipientX25519(), none),
		ok(t, "request-empty-object", "A section may be an empty object.", requestWithBasis(), empty, ed, recipientX25519(), none),
		ok(t, "receive", "The recipient has it. A step without content needs no basis.", claimsOf("receive"), nil, ec, none, none),
		ok(t, "ask", "A question, in a sealed note.", withBasis("ask"), note, ed, recipientP256(), copyP256()),
		ok(t, "answer", "An answer may carry any section besides its note.", withBasis("answer"), answer, ec, recipientX25519(), copyX25519()),
		ok(t, "accept", "Accepted.", claimsOf("accept"), nil, ed, none, none),
		ok(t, "accept-note", "Accepted, with who and when in a sealed note.", withBasis("accept"), note, ec, recipientP256(), none),
		ok(t, "accept-no-act", "act may be left out when the partner itself signs.", anonymous, nil, ed, none, none),
		ok(t, "redirect", "Another agency's service takes this better.", claimsOf("redirect"), nil, ec, none, none),
		ok(t, "decline", "Declined, with a coded reason.", claimsOf("decline"), nil, ec, none, none),
		ok(t, "start", "First contact made.", claimsOf("start"), nil, ed, none, none),
		ok(t, "complete", "Completed, with a coded outcome and a sealed note.", withBasis("complete"), note, ec, recipientX25519(), none),
		ok(t, "fail", "Ended without its outcome, with a coded reason.", claimsOf("fail"), nil, ed, none, none),
		ok(t, "withdraw", "Taken back by its sender, with a coded reason.", claimsOf("withdraw"), nil, ec, none, none),
		ok(t, "withdraw-by-hub", "Cancelled by the hub itself, since she withdrew her consent: all that it may sign.", byHub, nil, ed, none, none),
		ok(t, "message", "A note between workers.", withBasis("message"), note, ed, recipientX25519(), none),
		ok(t, "time-latest", "iat 60 s ahead of the clock, exp 90 days after iat: the last that is accepted.", edge, nil, ed, none, none),
		ok(t, "time-earliest", "iat 24 h ago, exp one second away: the first that is accepted.", old, nil, ec, none, none),
	}
	return append(all, respelled(t))
}

// respelled is a packet in JSON that another writer could have written.
func respelled(t testing.TB) made {
	t.Helper()
	m := ok(t, "other-spelling", "White space between tokens, escapes in names and another order of members: the same packet.",
		withBasis("message"), dataOf("message"), signingEd25519(), recipientX25519(), copyX25519())
	var p packet.Packet
	if err := json.Unmarshal([]byte(m.Packet), &p); err != nil {
		t.Fatal(err)
	}
	m.Packet = fmt.Sprintf("{ \"copies\": {\"n\\u006fte\" :\t%q},\r\n  \"sections\":{ \"note\":%q },\n  \"\\u0065nvelope\": %q }\n",
		p.Copies["note"], p.Sections["note"], p.Envelope)
	return m
}

func withBasis(e packet.Event) packet.Claims {
	c := claimsOf(e)
	c.Basis = basisOf()
	return c
}

// ok makes a vector that opens.
func ok(t testing.TB, what, why string, c packet.Claims, data map[string]packet.Content, signer, recipient, copies jose.PrivateKey) made {
	t.Helper()
	to := packet.To{Recipient: recipient.Public()}
	if !copies.Public().IsZero() {
		to.Copy = pointer(copies.Public())
	}
	p, err := packet.Seal(c, data, to, signer.Signer(), now)
	if err != nil {
		t.Fatal(err)
	}
	e := verified(t, p.Envelope, signer)
	v := vector{Why: why, Expect: "ok", Now: now.Unix(), Hub: hub, Signer: must(signer.Public().MarshalJSON()), Packet: string(bytesOf(t, p)),
		Envelope: e.Digest(), Referral: e.ReferralID(), Reference: ids.Reference(e.ReferralID()),
		Recipient: recipient.JWK(), Copies: copies.JWK()}
	for name, d := range data {
		if v.Data == nil {
			v.Data = map[string]json.RawMessage{}
		}
		v.Data[name] = json.RawMessage(d)
	}
	return made{"ok-" + what, v}
}

// misread makes what is refused before its claims are looked at.
func misread(t testing.TB) []made {
	t.Helper()
	p := sealed(t, "request")
	good, ed := string(bytesOf(t, p)), signingEd25519()
	payload := string(must(packetClaims(t)))
	malformed := func(what, why, body string) made { return refusal("packet-malformed", what, why, []byte(body)) }
	envelope := func(what, why, token string) made {
		return refusal("envelope-malformed", what, why, bytesOf(t, packet.Packet{Envelope: token}))
	}
	header := func(what, why, header string) made { return envelope(what, why, signHeader(t, header, payload, ed)) }
	section := func(what, why, jwe string) made {
		cheat := packet.Packet{Envelope: p.Envelope, Sections: maps.Clone(p.Sections), Copies: p.Copies}
		cheat.Sections["need"] = jwe
		m := refusal("section-malformed", what, why, bytesOf(t, cheat))
		m.Section = "need"
		return m
	}
	need := strings.Split(p.Sections["need"], ".")
	rest := "." + strings.Join(need[1:], ".")
	epk := `"epk":{"kty":"OKP","crv":"X25519","x":"` + b64([]byte(strings.Repeat("\x09", 32))) + `"}`
	kid := fmt.Sprintf(`"kid":%q`, recipientX25519().KeyID())
	large := bytesOf(t, packet.Packet{Envelope: strings.Repeat("A", packet.EnvelopeLimit+1)})
	return []made{
		malformed("name-twice", "One name twice: readers differ in which they take.", strings.TrimSuffix(good, "}")+`,"envelope":"x"}`),
		malformed("name-twice-escaped", "One name twice, once written with an escape.", strings.Replace(good, `"need":`, `"n\u0065ed":"x","need":`, 1)),
		malformed("unknown-member", "A member that the format does not have.", strings.TrimSuffix(good, "}")+`,"note":"x"}`),
		malformed("other-case", "A name in other case is another name.", strings.Replace(good, `"envelope"`, `"Envelope"`, 1)),
		malformed("trailing-data", "Something follows the document.", good+"{}"),
		malformed("byte-order-mark", "A byte order mark precedes the document.", "\ufeff"+good),
		malformed("no-utf8", "The bytes are not UTF-8.", strings.Replace(good, `"need":"`, "\"need\":\"\xff", 1)),
		malformed("cut-short", "The document does not end.", good[:len(good)-1]),
		refusal("packet-too-large", "envelope", "The envelope has 16385 characters; at most 16384 are read.", large),
		header("typ", "typ is another's: a signed consent is no envelope.", `{"alg":"EdDSA","typ":"handover-consent+jwt","kid":"test-only-charity-signing-ed25519"}`),
		header("no-kid", "The header names no key.", `{"alg":"EdDSA","typ":"handover-envelope+jwt"}`),
		header("crit", "The header has a parameter besides alg, typ and kid.", `{"alg":"EdDSA","typ":"handover-envelope+jwt","kid":"test-only-charity-signing-ed25519","crit":["exp"],"exp":1}`),
		header("own-key", "The header brings its own key.", `{"alg":"EdDSA","typ":"handover-envelope+jwt","kid":"test-only-charity-signing-ed25519","jwk":`+string(must(ed.Public().MarshalJSON()))+`}`),
		header("alg-hs256", "The algorithm is not ES256 or EdDSA.", `{"alg":"HS256","typ":"handover-envelope+jwt","kid":"test-only-charity-signing-ed25519"}`),
		envelope("alg-none", "Nobody signed it.", b64([]byte(`{"alg":"none","typ":"handover-envelope+jwt","kid":"k"}`))+"."+b64([]byte(payload))+"."),
		envelope("padding", "base64url has no padding here.", signHeader(t, `{"alg":"EdDSA","typ":"handover-envelope+jwt","kid":"k"}`, payload, ed)+"=="),
		envelope("claim-twice", "One claim twice.", sign(t, []byte(strings.TrimSuffix(payload, "}")+`,"act":"user-8"}`), ed)),
		envelope("claim-unknown", "A claim that the format does not have.", honest(t, "accept").with("nbf", 1).sign(t, ed)),
		envelope("iat-fraction", "iat is a whole number of seconds.", honest(t, "accept").with("iat", float64(now.Unix())-0.5).sign(t, ed)),
		section("zip", "A compressed section is refused: its length tells about its content, and a small one can grow to megabytes.", b64([]byte(`{"alg":"ECDH-ES+A256KW","enc":"A256GCM","cty":"json","zip":"DEF",`+kid+`,`+epk+`}`))+rest),
		section("enc", "The encryption is not A256GCM.", b64([]byte(`{"alg":"ECDH-ES+A256KW","enc":"A256CBC-HS512","cty":"json",`+kid+`,`+epk+`}`))+rest),
		section("alg", "The key agreement is not ECDH-ES+A256KW.", b64([]byte(`{"alg":"dir","enc":"A256GCM","cty":"json",`+kid+`,`+epk+`}`))+rest),
		section("low-order", "The ephemeral key is a point of low order.", b64([]byte(`{"alg":"ECDH-ES+A256KW","enc":"A256GCM","cty":"json",`+kid+`,"epk":{"kty":"OKP","crv":"X25519","x":"`+b64(make([]byte, 32))+`"}}`))+rest),
		section("plain-text", "The section is not sealed at all.", `{"codes":["housing"]}`),
	}
}

// misclaimed makes one vector for every claim that is missing or stands where it does
// not belong, and some of the wrong form.
func misclaimed(t testing.TB) []made {
	t.Helper()
	claim := func(name, what, why string, m members) made {
		v := refusal("envelope-claim", name+"-"+what, why, bytesOf(t, packet.Packet{Envelope: m.sign(t, signingEd25519())}))
		v.Claim = name
		return v
	}
	var all []made
	for _, p := range presences() {
		switch {
		case len(p.required) > 0:
			all = append(all, claim(p.claim, "missing", fmt.Sprintf("%s states %s.", p.required[0], p.claim), honest(t, p.required[0]).with(p.claim, nil)))
			if p.required[0] == "request" && len(p.required) == 1 {
				all = append(all, claim(p.claim, "foreign", fmt.Sprintf("Only a request states %s.", p.claim), honest(t, "accept").with(p.claim, p.value)))
			}
		case p.claim == "onward_from":
			all = append(all, claim(p.claim, "foreign", "Only a request states onward_from.", honest(t, "accept").with(p.claim, p.value)))
		}
	}
	wrong := func(claimed string, event packet.Event, what, why string, value any) {
		all = append(all, claim(claimed, what, why, honest(t, event).with(claimed, value)))
	}
	for _, h := range []struct {
		claim, what, why string
		event            packet.Event
		change           members
	}{
		{"event", "by-hub-accept", "A hub accepts in nobody's place.", "accept", members{"act": nil}},
		{"event", "by-hub-decline", "A hub declines in nobody's place.", "decline", members{"act": nil}},
		{"reason", "by-hub", "A hub ends a referral for one reason only: she withdrew her consent.", "withdraw", members{"act": nil, "reason": "sent-in-error"}},
		{"act", "by-hub", "No worker takes the hub's step.", "withdraw", members{"reason": "consent-withdrawn"}},
		{"sections", "by-hub", "The hub has no word about her.", "withdraw", members{"act": nil, "reason": "consent-withdrawn", "basis": basisOf(),
			"sections": members{"note": members{"ct": ids.Digest("c"), "pt": ids.Digest("p")}}}},
		{"basis", "by-hub", "The hub's step carries nothing, so it rests on nothing.", "withdraw", members{"act": nil, "reason": "consent-withdrawn", "basis": basisOf()}},
		{"iss", "another-hub", "No hub but the one that is named takes a step of its own.", "withdraw", members{"act": nil, "reason": "consent-withdrawn", "iss": "https://other.example"}},
	} {
		m := honest(t, h.event).with("iss", hub)
		for name, value := range h.change {
			m = m.with(name, value)
		}
		all = append(all, claim(h.claim, h.what, h.why, m))
	}
	wrong("re", "request", "foreign", "A request opens a referral, so it names none.", ids.Digest("x"))
	wrong("prev", "request", "foreign", "A request is the first of its chain.", ids.Digest("x"))
	wrong("reason", "accept", "foreign", "An accept gives no reason.", "other")
	wrong("outcome", "accept", "foreign", "Only complete has an outcome.", "housed")
	wrong("service", "accept", "foreign", "Only a request and a redirect name a service.", service)
	wrong("reason", "decline", "other-list", "could-not-reach is a reason to fail and not to decline.", "could-not-reach")
	wrong("aud", "request", "self", "Nobody refers to herself.", "charity")
	wrong("jti", "request", "version-4", "jti is a UUIDv7.", "0199a000-0000-4000-8000-0000000000cc")
	wrong("jti", "request", "capitals", "A UUID has one spelling: small letters.", strings.ToUpper(jti))
	wrong("service", "request", "braces", "A UUID has one spelling: no braces.", "{"+service+"}")
	wrong("exp", "request", "before-iat", "exp is after iat.", now.Unix()-60)
	wrong("event", "request", "unknown", "There is no such event.", "open")
	wrong("sub", "request", "name", "sub is 128 random bits and never a name.", "Jane Roe")
	wrong("sub", "request", "trailing-bits", "base64url has one spelling: no bits behind the last byte.", subject[:21]+"R")
	wrong("area", "request", "scotland", "area is an English local authority's GSS code.", "S12000036")
	wrong("re", "accept", "line-break", "A digest has one spelling: no line break within.", ids.Digest("x")[:20]+"\n"+ids.Digest("x")[20:])
	wrong("act", "accept", "too-long", "act has at most 64 characters.", strings.Repeat("u", 65))
	wrong("sections", "request", "unknown-class", "There is no such class of data.", members{"everything": members{"ct": ids.Digest("c"), "pt": ids.Digest("p")}})
	wrong("sections", "request", "none", "A request carries at least one section.", nil)
	wrong("sections", "ask", "no-note", "ask carries a note.", nil)
	wrong("sections", "message", "more-than-note", "message carries a note and nothing else.", members{
		"note": members{"ct": ids.Digest("c"), "pt": ids.Digest("p")}, "health": members{"ct": ids.Digest("c"), "pt": ids.Digest("p")}})
	wrong("basis", "request", "missing", "A packet with sections names the consent it relies on.", nil)
	wrong("basis", "accept", "foreign", "A packet without sections relies on no consent.", basisOf())
	return all
}

// mistimed makes what is refused by its signature, its hub and its times.
func mistimed(t testing.TB) []made {
	t.Helper()
	step := func(code, what, why string, m members, key jose.PrivateKey) made {
		return refusal(code, what, why, bytesOf(t, packet.Packet{Envelope: m.sign(t, key)}))
	}
	mine, ec := honest(t, "accept"), signingP256()
	at, day := now.Unix(), int64(24*time.Hour/time.Second)
	parts, forged := strings.Split(mine.sign(t, signingEd25519()), "."), strings.Split(mine.with("aud", "police").sign(t, signingEd25519()), ".")
	es := strings.Split(mine.sign(t, ec), ".")
	changed := refusal("envelope-signature", "other-claims", "The claims were changed after they were signed.", bytesOf(t, packet.Packet{Envelope: parts[0] + "." + forged[1] + "." + parts[2]}))
	zeros := refusal("envelope-signature", "zeros", "r and s are zero.", bytesOf(t, packet.Packet{Envelope: es[0] + "." + es[1] + "." + b64(make([]byte, 64))}))
	zeros.Signer = must(ec.Public().MarshalJSON())
	der := step("envelope-signature", "other-algorithm", "The envelope says ES256, the key that its kid names is for EdDSA.", mine, ec)
	der.Signer = must(renamed(t, signingEd25519(), ec.KeyID()).MarshalJSON())
	return []made{
		changed, zeros, der,
		step("envelope-signature", "other-key", "Another key signed it under the same kid.", mine, namesake(t)),
		step("wrong-hub", "staging", "It is meant for the staging hub.", mine.with("hub", "https://staging.hub.example"), signingEd25519()),
		step("wrong-hub", "slash", "The hub's name is compared character by character.", mine.with("hub", hub+"/"), signingEd25519()),
		step("envelope-stale", "old", "Signed 24 h and 1 s ago.", mine.with("iat", at-day-1), signingEd25519()),
		step("envelope-stale", "ahead", "Signed 61 s in the future.", mine.with("iat", at+61).with("exp", at+day), signingEd25519()),
		step("envelope-expired", "now", "exp is this second: it has passed.", mine.with("exp", at), signingEd25519()),
		step("envelope-expired", "too-far", "exp is 90 days and 1 s after iat.", mine.with("iat", at).with("exp", at+90*day+1), signingEd25519()),
	}
}

// namesake is another signing key under the Ed25519 key's kid.
func namesake(t testing.TB) jose.PrivateKey {
	t.Helper()
	other := testKey("stranger-signing-ed25519", jose.EdDSA, jose.Ed25519)
	return must(jose.ParsePrivateKey([]byte(strings.Replace(string(other.JWK()), other.KeyID(), signingEd25519().KeyID(), 1))))
}
