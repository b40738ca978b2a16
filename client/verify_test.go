package client_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"handover/client"
)

// story is a referral with everything in it, and its bundle.
func story(t *testing.T) (*pair, client.Bundle) {
	t.Helper()
	p := newPair(t)
	p.step(t, p.to, client.Step{Event: "receive"})
	p.step(t, p.to, client.Step{Event: "ask", Sections: saying("tonight?"), Consent: p.consent.ID})
	p.step(t, p.from, client.Step{Event: "answer", Sections: saying("yes"), Consent: p.consent.ID})
	p.step(t, p.to, client.Step{Event: "accept"})
	b, err := p.from.Bundle(t.Context(), p.referral)
	if err != nil {
		t.Fatal(err)
	}
	return p, b
}

// failures are the findings that do not hold.
func failures(f client.Findings) string {
	var out []string
	for _, c := range f.Checks {
		if !c.Holds {
			out = append(out, c.About+": "+c.Text)
		}
	}
	return strings.Join(out, "\n")
}

func TestBundleHoldsWithNoHub(t *testing.T) {
	p, b := story(t)
	data, err := b.Bytes()
	must(err)
	read, err := client.ParseBundle(data)
	must(err)
	f, err := read.Verify(p.from.LogKey())
	if err != nil || !f.Hold() {
		t.Fatalf("%v\n%s", err, failures(f))
	}
	for _, about := range []string{"log", "step 1, request", "step 5, accept", "consent " + p.consent.ID} {
		if !slices.ContainsFunc(f.Checks, func(c client.Finding) bool { return c.About == about }) {
			t.Errorf("nothing is said about %s", about)
		}
	}
	if own, err := read.Verify(client.LogKey{}); err != nil || len(own.Limits) != len(f.Limits)+1 {
		t.Errorf("with its own log key: %v, and %d limits", err, len(own.Limits))
	}
}

func TestChangedBundleDoesNotHold(t *testing.T) {
	for name, c := range map[string]struct {
		change func(p *pair, b *client.Bundle)
		want   string // in a finding
	}{
		"a step is missing": {func(_ *pair, b *client.Bundle) { b.Events = slices.Delete(b.Events, 2, 3) },
			"its prev is not the digest of the step before"},
		"the request is missing":    {func(_ *pair, b *client.Bundle) { b.Events = b.Events[1:] }, "a referral begins with a request"},
		"two steps change places":   {func(_ *pair, b *client.Bundle) { b.Events[2], b.Events[3] = b.Events[3], b.Events[2] }, "prev"},
		"a step stands twice":       {func(_ *pair, b *client.Bundle) { b.Events = append(b.Events, b.Events[4]) }, "prev"},
		"no step":                   {func(_ *pair, b *client.Bundle) { b.Events = nil }, "no step"},
		"another referral's name":   {func(_ *pair, b *client.Bundle) { b.Referral = strings.Repeat("A", 43) }, "another referral"},
		"another hub":               {func(_ *pair, b *client.Bundle) { b.Hub = "https://other.example" }, "not the log of the hub"},
		"a receipt of another step": {func(_ *pair, b *client.Bundle) { b.Events[1].Receipt = b.Events[2].Receipt }, "of something else"},
		"a receipt that was edited": {func(_ *pair, b *client.Bundle) { b.Events[4].Receipt.State = "rejected" }, "does not say what its entry says"},
		"a proof cut short": {func(_ *pair, b *client.Bundle) {
			r := &b.Events[4].Receipt
			r.Proof = strings.Replace(r.Proof, "index ", "index 1", 1)
		}, "does not hold"},
		"another log's key": {func(_ *pair, b *client.Bundle) { b.LogKey = newLog(t, "hub.example/v1/log").key.String() }, "another log key"},
		"no log key":        {func(_ *pair, b *client.Bundle) { b.LogKey = "" }, "log key is malformed"},
		"an envelope whose signature is another's": {func(_ *pair, b *client.Bundle) {
			body := b.Events[1].Envelope[:strings.LastIndex(b.Events[1].Envelope, ".")]
			b.Events[1].Envelope = body + b.Events[3].Envelope[strings.LastIndex(b.Events[3].Envelope, "."):]
		}, "the signature of westside-aid"},
		"the keys of the other partner": {func(_ *pair, b *client.Bundle) {
			b.Partners["westside-aid"] = b.Partners["camden-outreach"]
		}, "no signing key"},
		"a key that was revoked": {func(_ *pair, b *client.Bundle) {
			for i := range b.Partners["westside-aid"].Keys {
				b.Partners["westside-aid"].Keys[i].Revoked = time.Unix(1, 0)
			}
		}, "revoked"},
		"a key that had outlived itself, and no history": {func(_ *pair, b *client.Bundle) {
			forgetKeys(b)
			for i := range b.Partners["camden-outreach"].Keys {
				b.Partners["camden-outreach"].Keys[i].NotAfter = time.Unix(1, 0)
			}
		}, "did not count"},
		"a key that is given a longer life": {func(_ *pair, b *client.Bundle) {
			for i := range b.Partners["camden-outreach"].Keys {
				b.Partners["camden-outreach"].Keys[i].NotAfter = time.Unix(1<<40, 0)
			}
		}, "the log says otherwise"},
		"a key that no history has": {func(p *pair, b *client.Bundle) {
			camden := b.Partners["camden-outreach"]
			camden.Keys = append(camden.Keys, p.hub.keys["northgate"]...)
			b.Partners["camden-outreach"] = camden
		}, "there is no entry in the log"},
		"a history without its first change": {func(_ *pair, b *client.Bundle) {
			camden := b.Partners["camden-outreach"]
			camden.History = camden.History[1:]
			b.Partners["camden-outreach"] = camden
		}, "is change 2, by the log"},
		"a consent that somebody changed": {func(_ *pair, b *client.Bundle) {
			r := &b.Consents[0].Record
			*r = (*r)[:len(*r)-8] + "AAAAAAAA"
		}, "not that of camden-outreach"},
		"a consent with another's receipt": {func(_ *pair, b *client.Bundle) { b.Consents[0].Receipt = b.Events[0].Receipt }, "of something else"},
		"a consent of something else": {func(p *pair, b *client.Bundle) {
			other := agreed(t, p.from)
			b.Consents[0] = client.BundleConsent{Record: other.Record, Receipt: other.Receipt}
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p, b := story(t)
			member(t, p.hub, "northgate")
			c.change(p, &b)
			f, err := b.Verify(p.from.LogKey())
			if name == "a consent of something else" {
				// Nothing rests on it: what the steps rest on is said to be missing.
				if err != nil || !slices.ContainsFunc(f.Limits, func(l string) bool { return strings.Contains(l, p.consent.ID) }) {
					t.Errorf("%v, %v", err, f.Limits)
				}
				return
			}
			if !errors.Is(err, client.ErrVerification) || !strings.Contains(failures(f), c.want) {
				t.Errorf("%v, and\n%s", err, failures(f))
			}
		})
	}
}

// forgetKeys takes the histories of keys out of a bundle.
func forgetKeys(b *client.Bundle) {
	for id, p := range b.Partners {
		b.Partners[id] = client.BundlePartner{Category: p.Category, Keys: p.Keys}
	}
}

func TestLogThatHasAnAnswerBeforeItsQuestionDoesNotHold(t *testing.T) {
	p, b := story(t)
	for _, i := range []int{1, 0} { // logged anew, the request after what followed it
		entry, err := b.Events[i].Receipt.Verify(p.from.LogKey())
		must(err)
		b.Events[i].Receipt = p.hub.log.add(entry)
	}
	f, err := b.Verify(p.from.LogKey())
	if err == nil || !strings.Contains(failures(f), "before the step that it follows") {
		t.Errorf("%v\n%s", err, failures(f))
	}
}

func TestBundleOfAnotherHubsPacketsDoesNotHold(t *testing.T) {
	p, b := story(t)
	other := newLog(t, "other.example/v1/log")
	b.Hub, b.LogKey, b.Consents = "https://other.example", other.key.String(), nil
	forgetKeys(&b)
	for i := range b.Events {
		entry, err := b.Events[i].Receipt.Verify(p.from.LogKey())
		must(err)
		b.Events[i].Receipt = other.add(entry)
	}
	f, err := b.Verify(other.key)
	if err == nil || !strings.Contains(failures(f), "signed for another hub") {
		t.Errorf("%v\n%s", err, failures(f))
	}
}

func TestConsentThatTookAnothersIdDoesNotHold(t *testing.T) {
	p, b := story(t)
	again, err := p.from.RecordConsent(t.Context(), client.Consent{How: client.Circumstances{Alone: "yes", Coercion: "none", Interpreter: "none", Language: "en", Capacity: "presumed"},
		Bases: []client.Basis{{Article6: "a", Article9: "a"}}, ID: p.consent.ID, Subject: p.consent.Subject, Purpose: "housing",
		Recipients: []string{"camden-outreach", "westside-aid"}, Sections: []string{"need", "note"}, Method: "written",
		Notice: client.Notice{Version: "1", Digest: strings.Repeat("A", 43), Language: "en"}})
	must(err)
	b.Consents[0] = client.BundleConsent{Record: again.Record, Receipt: again.Receipt}
	f, err := b.Verify(p.from.LogKey())
	if err == nil || !strings.Contains(failures(f), "another record with this id") {
		t.Errorf("%v\n%s", err, failures(f))
	}
}

// Sections of which she had said no, and steps after she withdrew, show in a bundle,
// even when the hub took them.
func TestBundleShowsWhatTheHubShouldNotHaveTaken(t *testing.T) {
	p := newPair(t)
	q := asking(p.consent.ID)
	q.Sections["health"] = client.Content(`{"schema":"health/1","summary":"asthma"}`)
	receipt, err := p.from.Send(t.Context(), q)
	must(err)
	b, err := p.from.Bundle(t.Context(), receipt.Referral)
	must(err)
	if f, err := b.Verify(p.from.LogKey()); err == nil || !strings.Contains(failures(f), "does not cover what step 1 sent") {
		t.Errorf("%v\n%s", err, failures(f))
	}

	if _, err := p.to.WithdrawConsent(t.Context(), p.consent.ID); err != nil {
		t.Fatal(err)
	}
	b, err = p.from.Bundle(t.Context(), p.referral)
	must(err)
	if f, err := b.Verify(p.from.LogKey()); err != nil {
		t.Errorf("withdrawn afterwards: %v\n%s", err, failures(f))
	}
	late, err := p.from.Send(t.Context(), asking(p.consent.ID))
	must(err)
	b, err = p.from.Bundle(t.Context(), late.Referral)
	must(err)
	if f, err := b.Verify(p.from.LogKey()); err == nil || !strings.Contains(failures(f), "after the withdrawal") {
		t.Errorf("withdrawn before: %v\n%s", err, failures(f))
	}
}

// She chooses the housing authority: a referral to the one that she chose holds, one to another
// does not, even when the hub took it.
func TestABundleIsHeldToTheAuthoritySheChose(t *testing.T) {
	p := newPair(t)
	c, err := p.from.RecordConsent(t.Context(), client.Consent{How: client.Circumstances{Alone: "yes", Coercion: "none", Interpreter: "none", Language: "en", Capacity: "presumed"},
		Bases: []client.Basis{{Article6: "a", Article9: "a"}}, Purpose: "duty-to-refer",
		Gate:       client.Gate{Pathway: "duty-to-refer", Agreements: []string{"referral", "contact-details", "authority"}, Authority: "E09000007"},
		Recipients: []string{"camden-outreach", "westside-aid"}, Sections: []string{"identity", "safe-contact", "housing", "need"}, Method: "written",
		Notice: client.Notice{Version: "1", Digest: strings.Repeat("A", 43), Language: "en"}})
	must(err)
	for area, want := range map[string]string{"E09000007": "", "E09000008": "does not cover what step 1 sent"} {
		q := asking(c.ID)
		q.Purpose, q.Area = "duty-to-refer", area
		q.Sections = map[string]client.Content{"identity": client.Content(`{"schema":"identity/1","known_as":"Rowan"}`),
			"safe-contact": client.Content(`{"schema":"safe-contact/1","channel":"via-worker","worker":{"called":"Cass","phone":"+442079460123"},"last_confirmed":"` + time.Now().UTC().Format(time.DateOnly) + `"}`),
			"housing":      client.Content(`{"schema":"housing/1","reason":"asked to leave","authority":"` + area + `"}`)}
		receipt, err := p.from.Send(t.Context(), q)
		must(err)
		b, err := p.from.Bundle(t.Context(), receipt.Referral)
		must(err)
		if f, err := b.Verify(p.from.LogKey()); (err == nil) != (want == "") || !strings.Contains(failures(f), want) {
			t.Errorf("%s: %v\n%s", area, err, failures(f))
		}
	}
}

// Any character of the signed parts that is another leaves nothing that holds.
func TestAnyChangedCharacterOfABundleIsNoticed(t *testing.T) {
	p := newPair(t)
	b, err := p.from.Bundle(t.Context(), p.referral)
	must(err)
	for _, part := range []*string{&b.Events[0].Envelope, &b.Events[0].Receipt.Entry, &b.Events[0].Receipt.Salt,
		&b.Events[0].Receipt.Proof, &b.Consents[0].Record, &b.Consents[0].Receipt.Proof} {
		was := *part
		for i := 0; i < len(was); i += 1 + len(was)/30 {
			other := byte('A')
			if was[i] == other {
				other = 'B'
			}
			*part = was[:i] + string(other) + was[i+1:]
			if _, err := b.Verify(p.from.LogKey()); err == nil {
				t.Fatalf("character %d of %q", i, was)
			}
		}
		*part = was
	}
	if _, err := b.Verify(p.from.LogKey()); err != nil {
		t.Fatal(err)
	}
}

func TestDocumentsOfEveryKindAreVerified(t *testing.T) {
	p := newPair(t)
	keys, err := p.to.Keys(t.Context(), "camden-outreach")
	must(err)
	trust := client.Trust{LogKey: p.from.LogKey(), Keys: map[string][]client.Key{"camden-outreach": keys}}
	sealed, err := p.from.Seal(t.Context(), asking(p.consent.ID))
	must(err)
	stored, err := p.to.Consent(t.Context(), p.consent.ID)
	must(err)
	text := func(v any) string { return string(mustJSON(v)) }
	for name, c := range map[string]struct{ document, kind string }{
		"receipt":         {text(p.wasReceipt), "receipt"},
		"packet":          {string(sealed), "packet"},
		"record":          {p.consent.Record + "\n", "consent"},
		"recorded":        {text(p.consent), "consent"},
		"as the hub says": {text(stored), "consent"},
	} {
		f, err := client.Verify([]byte(c.document), trust)
		if err != nil || f.Document != c.kind {
			t.Errorf("%s: %v, %+v", name, err, f)
		}
		if f, err := client.Verify([]byte(c.document), client.Trust{}); !errors.Is(err, client.ErrVerification) || f.Hold() {
			t.Errorf("%s, trusting nobody: %v", name, err)
		}
		for _, signed := range []string{`"proof":"`, `"salt":"`, `"record":"`, `"envelope":"`, "eyJ"} {
			at := strings.Index(c.document, signed) + len(signed) + 5
			changed := c.document[:at] + "~" + c.document[at+1:]
			if _, err := client.Verify([]byte(changed), trust); err == nil && strings.Contains(c.document, signed) {
				t.Errorf("%s, changed after %s: it holds", name, signed)
			}
		}
	}
	for _, document := range []string{"", "{}", "[]", "x", `{"record":1}`, `{"record":"x"}`, `{"envelope":"x"}{}`, `{"log_key":"","events":[]}`} {
		if _, err := client.Verify([]byte(document), trust); err == nil {
			t.Errorf("%q holds", document)
		}
	}
}
