package police_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/internal/ids"
	"handover/keys/jose"
)

// herName is a string that no program writes by accident. It stands for her name.
const herName = "Zephyrine-Quillfeather-7391"

// TestWhoTheyAskAboutIsNowhere has her name in every text that is sealed, and, signed, in the
// place of every claim, and looks for it in the answers and in every row of every table.
func TestWhoTheyAskAboutIsNowhere(t *testing.T) {
	t.Parallel()
	b := newBeat(t)
	text := record.InquiryText{Names: []string{herName}, Details: herName, Requester: record.Requester{Name: herName, Rank: herName, Force: herName},
		Enquiry: "what " + herName + " saw", Necessity: herName + " alone saw it", Asked: herName}
	q := b.force.Inquiry(t, b.officer.ID, b.charity)
	var answers strings.Builder
	var refused []string
	tell := func(what string, a hubtest.Answer) {
		answers.Write(a.Body)
		if a.Status/100 != 4 {
			refused = append(refused, what)
		}
	}
	jwe := must(record.SealInquiry(q.Issuer, q.Audience, q.ID, text, b.charity.Sealing.Public()))
	q.InquiryClaims.Sealed = ids.Digest(jwe)
	post := func(p record.PostedInquiry) hubtest.Answer {
		return b.officer.Asks(t, hubtest.Inquiry{Body: must(json.Marshal(p))})
	}
	asked := must(q.InquiryClaims.Sign(b.force.Signing.Signer()))
	if a := post(record.PostedInquiry{Request: asked, Sealed: jwe}); a.Status != http.StatusCreated {
		t.Fatalf("asking: %d %s", a.Status, a.Body)
	}
	q.Digest = ids.Digest(asked)
	for claim, token := range herNameIn(t, record.InquiryType, q.InquiryClaims, b.force.Signing) {
		tell("a request with her name as "+claim, post(record.PostedInquiry{Request: token, Sealed: jwe}))
	}
	tell("a text that is not sealed", post(record.PostedInquiry{Request: asked, Sealed: herName}))
	tell("a request that is none", post(record.PostedInquiry{Request: herName, Sealed: jwe}))
	if got := b.opened(t, q); got.Names[0] != herName {
		t.Fatalf("it says %+v", got)
	}
	d := record.InquiryDecisionClaims{Hub: q.Hub, Issuer: q.Audience, ID: hubtest.Subject(), Act: b.manager.ID, Of: q.ID, Digest: q.Digest, Decision: record.Refused}
	why := must(record.SealInquiryReason(d.Issuer, d.ID, d.Decision, record.InquiryReason{Reason: "she-objects", Told: "yes", Words: herName + " said no"}, b.charity.Sealing.Public()))
	d.Sealed = ids.Digest(why)
	for claim, token := range herNameIn(t, record.InquiryDecisionType, d, b.charity.Signing) {
		tell("a decision with her name as "+claim, b.manager.Answers(t, q.ID, must(json.Marshal(record.PostedInquiryDecision{Decision: token, Sealed: why}))))
	}
	tell("a decision about her name", b.manager.Answers(t, herName, must(json.Marshal(record.PostedInquiryDecision{Decision: must(d.Sign(b.charity.Signing.Signer())), Sealed: why}))))
	b.decides(t, b.manager, q, must(json.Marshal(record.PostedInquiryDecision{Decision: must(d.Sign(b.charity.Signing.Signer())), Sealed: why})), "")
	tell("her name opened", b.worker.Opens(t, herName))
	for _, path := range []string{"/" + herName, "?role=" + herName, "?role=asked&after=" + herName} {
		tell(path, b.worker.Get(t, "/v1/police-requests"+path))
	}
	if len(refused) > 0 {
		t.Errorf("not refused: %v", refused)
	}
	b.nowhere(t, answers.String(), jwe, why)
}

// nowhere looks for her name in what was answered and in every row, where the sealed texts are.
func (b beat) nowhere(t *testing.T, answers, text, reason string) {
	t.Helper()
	ways := map[string]string{"the answers": answers}
	for _, table := range hubtest.Column[string](t, b.hub, `SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace`) {
		ways["the table "+table] = strings.Join(hubtest.Column[string](t, b.hub, `SELECT r::text FROM `+table+` r`), "\n")
	}
	if !strings.Contains(ways["the table police_text"], text) || !strings.Contains(ways["the table police_reason"], reason) {
		t.Error("the sealed texts are not where they are kept: it sees too little")
	}
	for way, said := range ways {
		for _, form := range sightings(herName) {
			if strings.Contains(strings.ToLower(said), strings.ToLower(form)) {
				t.Errorf("her name is in %s, as %q", way, form)
			}
		}
	}
}

// herNameIn signs the claims with her name in the place of each of them, and of one more.
func herNameIn(t *testing.T, typ string, claims any, key jose.PrivateKey) map[string]string {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal(must(json.Marshal(claims)), &members); err != nil {
		t.Fatal(err)
	}
	signed := map[string]string{}
	for _, claim := range append(slices.Collect(maps.Keys(members)), "details") {
		with := maps.Clone(members)
		if with[claim] = herName; claim == "necessity" || claim == "sections" {
			with[claim] = []string{herName}
		}
		signed[claim] = hubtest.SignAs(t, typ, with, key.Signer())
	}
	return signed
}

// sightings are the ways in which the name can be written: base64 looks different at each of
// three alignments.
func sightings(name string) []string {
	forms := []string{name, hex.EncodeToString([]byte(name))}
	for shift := range 3 {
		inner := base64.StdEncoding.EncodeToString(append(make([]byte, shift), name...))
		forms = append(forms, inner[4:len(inner)-4])
	}
	return forms
}
