package schema_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"handover/internal/codes"
	"handover/referral/packet/schema"
)

// canary stands for what somebody wrote about her.
const canary = "Wren Canary"

// unfit are contents with one thing wrong each: where, and a part of what is said.
func unfit() []struct{ section, content, member, says string } {
	return []struct{ section, content, member, says string }{
		{"need", `{"schema":"need/1"}`, "", "is empty"},
		{"need", `{"schema":"need/2","summary":"x"}`, "/schema", "need/1"},
		{"need", `{"schema":"risk/1","summary":"x"}`, "/schema", "need/1"},
		{"need", `{"summary":"x"}`, "/schema", "is missing"},
		{"need", `{"schema":"need/1","summary":7}`, "/summary", "write text"},
		{"need", `{"schema":"need/1","summary":""}`, "/summary", "is empty"},
		{"need", `{"schema":"need/1","needs":[]}`, "/needs", "is empty"},
		{"need", `{"schema":"need/1","needs":[{"need":"` + canary + `"}]}`, "/needs/0/need", "choose one of emergency-accommodation"},
		{"need", `{"schema":"need/1","needs":[{"need":"housing"},{"need":"housing"}]}`, "/needs", "twice"},
		{"need", `{"schema":"need/1","` + canary + `":"x"}`, "", "does not know"},
		{"need", `{"schema":"need/1","summary":"x","summary":"y"}`, "", "no member twice"},
		{"need", `["` + canary + `"]`, "", "a JSON object"},
		{"need", `{"schema":"need/1","since":{"precision":"day","value":"` + canary + `"}}`, "/since/value", "is no day"},
		{"need", `{"schema":"need/1","since":{"precision":"day","value":"2026-02-30"}}`, "/since/value", "is no day"},
		{"need", `{"schema":"need/1","since":{"precision":"day","value":"1494-02-03"}}`, "/since/value", "is no day"},
		{"need", `{"schema":"need/1","since":{"precision":"day"}}`, "/since/value", "is missing"},
		{"need", `{"schema":"need/1","since":{"precision":"month","value":"2026-11-03"}}`, "/since/value", "is no month"},
		{"need", `{"schema":"need/1","since":{"precision":"year","value":"2026-11"}}`, "/since/value", "is no year"},
		{"need", `{"schema":"need/1","since":{"precision":"estimated","value":"May"}}`, "/since/value", "is no date"},
		{"need", `{"schema":"need/1","since":{"precision":"unknown","value":"2026"}}`, "/since/value", "leave this out"},
		{"need", `{"schema":"need/1","since":{"value":"2026"}}`, "/since/precision", "is missing"},
		{"identity", `{"schema":"identity/1","nhs_number":"9876544321"}`, "/nhs_number", "no NHS number"},
		{"identity", `{"schema":"identity/1","nhs_number":"1111111111"}`, "/nhs_number", "no NHS number"},
		{"identity", `{"schema":"identity/1","nhs_number":"999 000 0018"}`, "/nhs_number", "no NHS number"},
		{"contact", `{"schema":"contact/1","phone":"07700 900123"}`, "/phone", "no telephone number"},
		{"contact", `{"schema":"contact/1","email":"` + canary + `"}`, "/email", "no e-mail"},
		{"contact", `{"schema":"contact/1","post":{"postcode":"nw1 0du"}}`, "/post/postcode", "no postcode"},
		{"contact", `{"schema":"contact/1","post":{"lines":["a","b","c","d","e","f"]}}`, "/post/lines", "at most 5"},
		{"contact", `{"schema":"contact/1","post":{"uprn":"1"}}`, "/post", "care_of, lines, postcode"},
		{"location", `{"schema":"location/1","uprn":"0123"}`, "/uprn", "no UPRN"},
		{"location", `{"schema":"location/1","area":"E09000034"}`, "/area", "no English local authority"},
		{"location", `{"schema":"location/1","postcode":"ZZ99 3CZ"}`, "/postcode", "no postcode"},
		{"health", `{"schema":"health/1","gp_practice":"A1B2C3D4E5"}`, "/gp_practice", "no ODS code"},
		{"health", `{"schema":"health/1","gp_practice":"a1b2c"}`, "/gp_practice", "no ODS code"},
		{"access-needs", `{"schema":"access-needs/1","languages":["English"]}`, "/languages/0", "no language tag"},
		{"housing", `{"schema":"housing/1","eligibility":"British"}`, "/eligibility", "choose one of yes, no, unknown"},
		{"housing", `{"schema":"housing/1","immigration":"x"}`, "", "does not know"},
		{"housing", `{"schema":"housing/1","household":{"adults":0}}`, "/household/adults", "at least 1"},
		{"children", `{"schema":"children/1","children":[{"age":18}]}`, "/children/0/age", "at most 17"},
		{"children", `{"schema":"children/1","children":[{"age":1.5}]}`, "/children/0/age", "a whole number"},
		{"risk", `{"schema":"risk/1","harms":[{"type":"sex-worker","basis":"suspected"}]}`, "/harms/0/type", "choose one of street-based"},
		{"risk", `{"schema":"risk/1","harms":[{"type":"cuckooing"}]}`, "/harms/0/basis", "is missing"},
		{"risk", `{"schema":"risk/1","harms":[{"type":"cuckooing","basis":"true"}]}`, "/harms/0/basis", "choose one of suspected"},
		{"risk", `{"schema":"risk/1","dash":{"count":25}}`, "/dash/count", "at most 24"},
		{"immigration", `{"schema":"immigration/1","nationality":"British"}`, "/nationality", "no nationality"},
		{"history", `{"schema":"history/1","chain":{"number":"1"}}`, "/chain/state", "is missing"},
		{"note", `{"schema":"note/1"}`, "", "is empty"},
		{"note", `{"schema":"note/1","text":"` + strings.Repeat("x", 20001) + `"}`, "/text", "too long"},
		{"safe-contact", `{"schema":"safe-contact/1","channel":"via-worker"}`, "/last_confirmed", "is missing"},
		{"safe-contact", `{"schema":"safe-contact/1","channel":"call","last_confirmed":"2026-11-20"}`, "/number", "is missing"},
		{"safe-contact", `{"schema":"safe-contact/1","channel":"app","last_confirmed":"2026-11-20"}`, "/app", "is missing"},
		{"safe-contact", `{"schema":"safe-contact/1","channel":"text","number":"+447700900123","text":false,"last_confirmed":"2026-11-20"}`, "/text", "must be true"},
		{"safe-contact", `{"schema":"safe-contact/1","channel":"none","voicemail":"no","last_confirmed":"2026-11-20"}`, "/voicemail", "true or false"},
		{"safe-contact", `{"schema":"safe-contact/1","channel":"none","voicmail":true,"last_confirmed":"2026-11-20"}`, "", "voicemail"},
		{"safe-contact", `{"schema":"safe-contact/1","channel":"none","last_confirmed":"2026-11-20","expires":"2026-12-05"}`, "/expires", "within 14 days"},
		{"safe-contact", `{"schema":"safe-contact/1","channel":"none","last_confirmed":"2026-11-20","expires":"2026-11-19"}`, "/expires", "within 14 days"},
		{"safe-contact", `{"schema":"safe-contact/1","channel":"none","safe_from":"5pm","last_confirmed":"2026-11-20"}`, "/safe_from", "time of day"},
		{"safe-contact", `{"schema":"safe-contact/1","channel":"none","safe_from":"17:00","safe_to":"17:00","last_confirmed":"2026-11-20"}`, "/safe_to", "must not be safe_from"},
		{"safe-contact", `{"schema":"safe-contact/1","channel":"none","safe_days":["Monday"],"last_confirmed":"2026-11-20"}`, "/safe_days/0", "choose one of monday"},
		{"gp-refusal", `{"schema":"gp-refusal/1","id":"0190a1b2-0000-7000-8000-000000000001","practice":"A1B2C","refused_on":"2026-11-02","reason":"other","written_due":"2026-11-17"}`, "/written_due", "14 days"},
		{"gp-refusal", `{"schema":"gp-refusal/1","id":"0190a1b2-0000-7000-8000-000000000001","practice":"A1B2C","refused_on":"2026-11-02","reason":"other","written_due":"2026-11-16","written_received":"2026-11-01"}`, "/written_received", "before the refusal"},
		{"gp-refusal", `{"schema":"gp-refusal/1","id":"0190a1b2-0000-7000-8000-000000000001","practice":"A1B2C","refused_on":"2026-11-02","reason":"other","written_due":"2026-11-16","escalated_to":"QMJ"}`, "/escalated_on", "is missing"},
		{"gp-refusal", `{"schema":"gp-refusal/1","id":"0190a1b2-0000-7000-8000-000000000001","practice":"A1B2C","refused_on":"2026-11-02","reason":"other","written_due":"2026-11-16","name":"` + canary + `"}`, "", "does not know"},
	}
}

func TestWhatDoesNotFitIsSaidWithoutSayingWhatWasWritten(t *testing.T) {
	for _, row := range unfit() {
		found := schema.Misfits(row.section, []byte(row.content))
		said := false
		for _, m := range found {
			said = said || m.Section == row.section && m.Member == row.member && strings.Contains(m.Says, row.says)
			if strings.Contains(m.String(), canary) || strings.Contains(m.String(), "British ") {
				t.Errorf("%.80s: what was written is said: %s", row.content, m)
			}
		}
		if !said {
			t.Errorf("%.120s: %v, want at %q %q", row.content, found, row.member, row.says)
		}
		if _, err := schema.Complete(row.section, []byte(row.content)); err == nil && row.says != "is missing" {
			t.Errorf("%.80s is sealed", row.content)
		} else if err != nil && strings.Contains(err.Error(), canary) {
			t.Errorf("%.80s: what was written is said: %s", row.content, err)
		}
	}
}

func TestPeopleCountFromOne(t *testing.T) {
	found := schema.Misfits("risk", []byte(`{"schema":"risk/1","harms":[{"type":"online","basis":"suspected"},{"type":"online","basis":"heard"}]}`))
	if len(found) != 1 || found[0].String() != "risk, harms 2, basis: choose one of suspected, disclosed, professional-view" {
		t.Errorf("said: %v", found)
	}
}

// TestNHSNumbers: published examples, then numbers made by another road.
func TestNHSNumbers(t *testing.T) {
	for number, valid := range map[string]bool{
		"9434765919": true, "9876544321": false, "9876543210": true, "0000000000": false, "1111111111": false, "9999999999": false,
		"9990000018": true, "999000001": false, "99900000180": false, "999000001８": false, "": false, "943 476 5919": false, "943476591X": false,
	} {
		if schema.IsNHSNumber(number) != valid {
			t.Errorf("%s: valid %v", number, !valid)
		}
	}
	rapid.Check(t, func(r *rapid.T) {
		number := rapid.StringMatching(`999[0-9]{6}`).Draw(r, "number")
		sum, valid := 0, 0
		for i, d := range number {
			sum += int(d-'0') * (10 - i)
		}
		for last := range 10 {
			// With its check digit, weighted one, the whole divides by 11.
			ok := (sum+last)%11 == 0 && number != "999999999"
			if got := schema.IsNHSNumber(number + string(rune('0'+last))); got != ok {
				r.Fatalf("%s%d: valid %v", number, last, got)
			}
			if ok {
				valid++
			}
		}
		if valid > 1 {
			r.Fatalf("%s has %d check digits", number, valid)
		}
	})
}

func TestPostcodes(t *testing.T) {
	for code, valid := range map[string]bool{
		"NW1 0DU": true, "M1 1AA": true, "M60 1NW": true, "CR2 6XH": true, "DN55 1PT": true, "W1A 1HQ": true, "EC1A 1BB": true, "SW1A 1AA": true,
		"GIR 0AA": true, "ZZ99 3VZ": true, "ZZ99 3WZ": false, "nw1 0du": false, "NW10DU": false, "NW1  0DU": false, "QW1 0DU": false, "NW1 0DC": false,
		"NW1": false, "": false, "NW1 0DU\n": false, "ZZ99": false,
	} {
		if schema.IsPostcode(code) != valid {
			t.Errorf("%q: valid %v", code, !valid)
		}
	}
}

func TestEveryAuthorityOfLondonFits(t *testing.T) {
	for _, a := range codes.LondonAuthorities() {
		if found := schema.Misfits("location", []byte(`{"schema":"location/1","area":"`+a.Code+`"}`)); found != nil {
			t.Errorf("%s: %v", a.Label, found)
		}
	}
}
