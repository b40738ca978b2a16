package consents_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/partners"
	"handover/referral/managed"
	"handover/referral/packet"
	"handover/web/consents"
)

// stored is the record as it was signed.
func stored(t *testing.T, h *hubtest.Hub, id string) record.Claims {
	t.Helper()
	s, err := record.ParseConsent(hubtest.Value[string](t, h, `SELECT token FROM consent WHERE id = $1`, id))
	if err != nil {
		t.Fatal(err)
	}
	return s.Unverified()
}

func rows(t *testing.T, h *hubtest.Hub, table string) int {
	t.Helper()
	return hubtest.Value[int](t, h, `SELECT count(*) FROM `+table)
}

// She agrees to two of four things: only these are recorded, signed in the name of who asked
// her, and everything that is said in words is sealed.
func TestAPartialYesIsFourPagesAndOneRecord(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	draft := r.draft(t)
	at := "/send/" + draft + "/consent"
	shows(t, r.worker, at, "Agency larkfield-housing, a housing team", "You can stop it on any day", "What you need", "How to reach you safely", "What could hurt you")
	if body := string(r.worker.Get(t, at).Body); strings.Contains(body, " checked") {
		t.Error("something is ticked before she was asked")
	}
	refuses(t, r.worker, at, "Say what she said", url.Values{"consent-sections": {"need"}})
	refuses(t, r.worker, at, "Tick what she said yes to", url.Values{"consent-agreement": {"agreed"}, "consent-sections": {"immigration"}})
	if next := posts(t, r.worker, at, url.Values{"consent-agreement": {"agreed"}, "consent-sections": {"need", "safe-contact"}, "consent-back": {"yes"}}); next != at+"/how" {
		t.Errorf("after what she said comes %s", next)
	}
	refuses(t, r.worker, at+"/how", "Say whether she was alone with you", url.Values{"consent-language": {"en"}})
	if next := posts(t, r.worker, at+"/how", asked(nil)); next != at+"/words" {
		t.Errorf("after how she was asked comes %s", next)
	}
	refuses(t, r.worker, at+"/words", "Ask her which it is", url.Values{"never-kinds": {"category:housing"}, "consent-until": {"28"}})
	if next := posts(t, r.worker, at+"/words", url.Values{"consent-words": {"Housing, not my health"}, "never-kinds": {"category:police"}, "consent-until": {"14"}}); next != at+"/check" {
		t.Errorf("after her words comes %s", next)
	}
	shows(t, r.worker, at+"/check", "She agreed", "Agency larkfield-housing", "What she needs", "Housing, not my health", "The police", "Legitimate interests")
	for range 2 { // a double tap
		if next := posts(t, r.worker, at+"/check", nil); next != "/send/"+draft+"?done=consent" {
			t.Errorf("a plain yes leads to %s", next)
		}
	}
	if n, nevers := rows(t, r.hub, "consent"), rows(t, r.hub, "consent_never"); n != 1 || nevers != 1 {
		t.Errorf("two taps made %d records and %d nevers", n, nevers)
	}
	c := stored(t, r.hub, r.answers(t, draft)["consent"][0])
	if !slices.Equal(c.Sections, []string{"safe-contact", "need"}) || !slices.Equal(c.Recipients, []string{"larkfield-housing", "rosewood"}) ||
		c.Act != r.workerID || c.Notice.Version != consents.NoticeVersion || len(c.Withheld) > 0 {
		t.Errorf("what was signed is %+v", c)
	}
	if ends := time.Unix(c.Expires, 0); ends.Before(r.hub.Now().AddDate(0, 0, 14)) || ends.After(r.hub.Now().AddDate(0, 0, 16)) {
		t.Errorf("it ends %s", ends)
	}
	if dump := hubtest.Value[string](t, r.hub, `SELECT string_agg(p::text, ' ') FROM consent_private p`); strings.Contains(dump, "Housing, not") {
		t.Error("her words lie in clear")
	}
	done, total := consents.Progress(managed.Draft{Answers: r.answers(t, draft)})
	if done != 4 || total != 4 || len(consents.Summary(managed.Draft{Answers: r.answers(t, draft)})) != 3 {
		t.Errorf("the draft says %d of %d", done, total)
	}
}

// A no is recorded like a yes, shares nothing, and says what can be done.
func TestANoIsRecordedAndSharesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	draft := r.draft(t)
	at := "/send/" + draft + "/consent"
	posts(t, r.worker, at, url.Values{"consent-agreement": {"refused"}})
	posts(t, r.worker, at+"/how", asked(nil))
	posts(t, r.worker, at+"/words", url.Values{})
	if next := posts(t, r.worker, at+"/check", nil); next != at+"/recorded" {
		t.Errorf("a no leads to %s", next)
	}
	shows(t, r.worker, at+"/recorded", "She said no. Nothing is shared", "Propose to share without her agreement")
	c := stored(t, r.hub, r.answers(t, draft)["consent"][0])
	if c.Agreement != "refused" || c.Grants() || len(c.Bases) != 0 {
		t.Errorf("a no is signed as %+v", c)
	}
	// She is asked again, and says yes to something: that stands in its place, and in that of what
	// was decided without her.
	if d, err := r.hub.Desk.Draft(t.Context(), r.caller(t, r.workerID), draft); err != nil {
		t.Fatal(err)
	} else {
		d.Answers["override"], d.Answers["override-reason"] = []string{uuid.Must(uuid.NewV7()).String()}, []string{"child-at-risk"}
		if err := r.hub.Desk.KeepDraft(t.Context(), r.caller(t, r.workerID), d); err != nil {
			t.Fatal(err)
		}
	}
	if next := posts(t, r.worker, at+"/again", nil); next != at {
		t.Errorf("asking again leads to %s", next)
	}
	again := stored(t, r.hub, r.yes(t, draft, nil))
	if again.Supersedes != c.ID || again.Subject != c.Subject || again.Agreement != "agreed" {
		t.Errorf("what she says now is signed as %+v", again)
	}
	if now := r.answers(t, draft); now["override"] != nil || now["override-reason"] != nil {
		t.Errorf("asked again, the draft still rests on %v", now["override"])
	}
}

// What was changed in another window is read to her before it is recorded.
func TestNothingIsRecordedButWhatWasLookedAt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	draft := r.draft(t)
	at := "/send/" + draft + "/consent"
	posts(t, r.worker, at, url.Values{"consent-agreement": {"agreed"}, "consent-sections": {"need"}})
	posts(t, r.worker, at+"/how", asked(nil))
	posts(t, r.worker, at+"/words", url.Values{})
	seen := url.Values{"seen": {value(t, r.worker, at+"/check", "seen")}}
	posts(t, r.worker, at, url.Values{"consent-agreement": {"agreed"}, "consent-sections": {"need", "safe-contact"}})
	refuses(t, r.worker, at+"/check", "Nothing was recorded: this has changed", seen)
	if n := rows(t, r.hub, "consent"); n != 0 {
		t.Errorf("%d are recorded", n)
	}
	posts(t, r.worker, at+"/check", url.Values{"seen": {value(t, r.worker, at+"/check", "seen")}})
}

// Not to ask is recorded with its reason and nothing else; where the law asks for her own word
// there is nothing to record.
func TestNotAskingHasAReason(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	draft := r.draft(t)
	at := "/send/" + draft + "/consent"
	if next := posts(t, r.worker, at, url.Values{"consent-agreement": {"not-asked"}}); next != at+"/not-asked" {
		t.Fatalf("leads to %s", next)
	}
	refuses(t, r.worker, at+"/not-asked", "Say why she was not asked", nil)
	posts(t, r.worker, at+"/not-asked", url.Values{"consent-agreement": {"not-asked-unsafe"}})
	posts(t, r.worker, at+"/check", nil)
	if c := stored(t, r.hub, r.answers(t, draft)["consent"][0]); c.Agreement != "not-asked-unsafe" || c.Notice.Version != "" || c.Circumstances != "" {
		t.Errorf("signed as %+v", c)
	}
	duty := r.draft(t, func(a map[string][]string) { a["purpose"] = []string{"duty-to-refer"} })
	at = "/send/" + duty + "/consent"
	refuses(t, r.worker, at, "needs her own answer by law", url.Values{"consent-agreement": {"not-asked"}})
	refuses(t, r.worker, at, "needs her yes to all three", url.Values{"consent-agreement": {"agreed"}, "consent-sections": {"need"}, "consent-duty": {"referral"}})
	posts(t, r.worker, at, url.Values{"consent-agreement": {"agreed"}, "consent-sections": {"need"}, "consent-duty": {"referral", "contact-details", "authority"}})
	posts(t, r.worker, at+"/how", asked(nil))
	posts(t, r.worker, at+"/words", url.Values{"consent-until": {"28"}})
	posts(t, r.worker, at+"/check", nil)
	if c := stored(t, r.hub, r.answers(t, duty)["consent"][0]); c.Gate.Authority != hubtest.Area || len(c.Gate.Agreements) != 3 {
		t.Errorf("signed as %+v", c.Gate)
	}
}

// Who speaks for her must not be whom she may be afraid of; a yes under pressure waits for a
// manager, and the worker is told which.
func TestADoubtfulYesWaitsForAManager(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	draft := r.draft(t)
	at := "/send/" + draft + "/consent"
	posts(t, r.worker, at, url.Values{"consent-agreement": {"agreed"}, "consent-sections": {"need"}})
	refuses(t, r.worker, at+"/how", "cannot say yes for her", asked(url.Values{"consent-interpreter": {"other"}}))
	id := r.yes(t, draft, url.Values{"consent-coercion": {"suspected"}, "consent-alone": {"no"}})
	shows(t, r.worker, at+"/recorded", "A manager of your agency has to look", "Mel Sample")
	if review := hubtest.Value[string](t, r.hub, `SELECT review FROM consent_state WHERE id = $1`, id); review != "awaited" {
		t.Errorf("its review is %s", review)
	}
	shows(t, r.worker, "/consents", "Waits for a manager")
}

// What was decided for her needs the decision, and an agency's policy.
func TestADecisionMadeForHerNeedsItsTexts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	draft := r.draft(t)
	at := "/send/" + draft + "/consent"
	posts(t, r.worker, at, url.Values{"consent-agreement": {record.BestInterests}})
	how := asked(nil)
	how.Del("consent-method")
	how.Del("consent-capacity")
	if next := posts(t, r.worker, at+"/how", how); next != at+"/capacity" {
		t.Fatalf("leads to %s", next)
	}
	refuses(t, r.worker, at+"/capacity", "Write the decision", url.Values{"consent-decision": {" "}})
	posts(t, r.worker, at+"/capacity", url.Values{"consent-decision": {"Her social worker decided on 1 March, reference BI-7"}})
	posts(t, r.worker, at+"/words", url.Values{"consent-until": {"28"}})
	refuses(t, r.worker, at+"/check", "policy document", nil)
	refuses(t, r.worker, at+"/basis", "policy document", url.Values{"consent-basis-art6": {"ea"}, "consent-basis-ea_condition": {"safeguarding"}, "consent-basis-art9": {"g"},
		"consent-basis-schedule1": {"18"}, "consent-basis-schedule1_18_reason": {"cannot-give"}, "consent-basis-policy": {"two words"}})
	posts(t, r.worker, at+"/basis", url.Values{"consent-basis-art6": {"ea"}, "consent-basis-ea_condition": {"safeguarding"}, "consent-basis-art9": {"g"},
		"consent-basis-schedule1": {"18"}, "consent-basis-schedule1_18_reason": {"cannot-give"}, "consent-basis-policy": {"APD-2026-1"}})
	posts(t, r.worker, at+"/check", nil)
	c := stored(t, r.hub, r.answers(t, draft)["consent"][0])
	if c.Agreement != record.BestInterests || c.Bases[0].Policy != "APD-2026-1" || c.Method != "" {
		t.Errorf("signed as %+v", c)
	}
}

// A page that was skipped is shown first, and a recorded answer is not changed by its form.
func TestPagesComeInOrder(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	draft := r.draft(t)
	at := "/send/" + draft + "/consent"
	leads := func(path, to string) {
		t.Helper()
		if a := r.worker.Get(t, path); a.Status != 303 || a.Header.Get("Location") != to {
			t.Errorf("%s: %d to %s, want %s", path, a.Status, a.Header.Get("Location"), to)
		}
	}
	leads(at+"/check", at)
	leads(at+"/recorded", at)
	posts(t, r.worker, at, url.Values{"consent-agreement": {"agreed"}, "consent-sections": {"need"}})
	leads(at+"/words", at+"/how")
	leads(at+"/not-asked", at+"/how")
	id := r.yes(t, draft, nil)
	for _, page := range []string{"", "/how", "/words", "/check", "/basis"} {
		leads(at+page, at+"/recorded")
	}
	if posts(t, r.worker, at, url.Values{"consent-agreement": {"refused"}}); r.answers(t, draft)["consent-agreement"][0] != "agreed" || rows(t, r.hub, "consent") != 1 {
		t.Errorf("the record %s was changed by its form", id)
	}
	// A yes to one thing is none to another: who changes the referral asks her anew.
	changed := r.draft(t)
	posts(t, r.worker, "/send/"+changed+"/consent", url.Values{"consent-agreement": {"agreed"}, "consent-sections": {"need"}})
	posts(t, r.worker, "/send/"+changed+"/consent/how", asked(nil))
	c := r.caller(t, r.workerID)
	d, err := r.hub.Desk.Draft(t.Context(), c, changed)
	if err != nil {
		t.Fatal(err)
	}
	d.Answers["purpose"] = []string{"benefits"}
	if err := r.hub.Desk.KeepDraft(t.Context(), c, d); err != nil {
		t.Fatal(err)
	}
	leads("/send/"+changed+"/consent/words", "/send/"+changed+"/consent")
	empty := r.draft(t, func(a map[string][]string) { clear(a) })
	shows(t, r.worker, "/send/"+empty+"/consent", "Say first who the referral goes to")
	// Her draft is hers alone.
	if a := r.manager.Get(t, at); a.Status != 404 {
		t.Errorf("a colleague sees her draft: %d", a.Status)
	}
}

// Whoever works with her finds what she said, shows who holds what, and stops it as easily as
// it was given; a colleague of another agency finds nothing.
func TestHerWorkerFindsRenewsAndWithdraws(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	draft := r.draft(t)
	id := r.yes(t, draft, nil)
	at := "/consents/" + id
	shows(t, r.worker, "/consents", "Stands", "A home, or keeping one", "Agency larkfield-housing")
	shows(t, r.worker, "/consents?tab=ending", "No record that a referral rests on ends within 14 days")
	body := shows(t, r.worker, at, "What she needs", "She agreed, in person", "She takes it back", "Ask her again")
	if strings.Contains(body, "Housing, not my health") {
		t.Error("her words show before anybody opened them")
	}
	opened := r.manager.Form(t, at+"/words", nil)
	if opened.Status != 200 || !strings.Contains(text(opened), "Housing, not my health") || !strings.Contains(text(opened), "She was alone with the worker") {
		t.Errorf("%d %s", opened.Status, text(opened))
	}
	if n := hubtest.Value[int](t, r.hub, `SELECT count(*) FROM audit_entry WHERE act = 'consent.read' AND audit_said(body)->>'user' = $1`, r.managerID); n != 1 {
		t.Errorf("the manager's reading is logged %d times", n)
	}
	again := posts(t, r.worker, at+"/renew", nil)
	renewed := r.yes(t, strings.Split(again, "/")[2], nil)
	if c := stored(t, r.hub, renewed); c.Supersedes != id {
		t.Errorf("renewed as %+v", c)
	}
	shows(t, r.worker, at, "A later record stands in its place")
	// The old address still stops all of it, and twice is once.
	form := url.Values{"id": {value(t, r.worker, "/consents/"+renewed+"/withdraw", "id")}}
	for range 2 {
		if next := posts(t, r.worker, at+"/withdraw", form); next != "/consents/"+renewed+"/holders?done=withdrawn" {
			t.Errorf("withdrawing leads to %s", next)
		}
	}
	shows(t, r.worker, "/consents/"+renewed+"/holders?done=withdrawn", "Nothing more is shared on it", "Nobody has opened anything")
	shows(t, r.worker, "/consents", "She took it back")
}

// The list of what ends has further pages: who has many to ask again loses none of them.
func TestWhatEndsIsListedPageByPage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	service, c, id, now := r.hub.Offer(t, r.to), r.caller(t, r.workerID), uuid.Must(uuid.NewV7()).String(), r.hub.Now().Unix()
	if _, err := r.hub.Desk.Record(t.Context(), c, managed.Saying{How: &record.Circumstances{Alone: "yes", Coercion: "none", Interpreter: "none", Language: "en", Capacity: "presumed"},
		Claims: record.Claims{ID: id, Jurisdiction: "GB-ENG", Agreement: "agreed", Method: "verbal-in-person", Purpose: "housing",
			Recipients: []string{"larkfield-housing"}, Sections: []string{"need", "safe-contact"}, Onward: "ask-each-time", Gate: record.Gate{Pathway: "none"},
			Notice: record.Notice{Version: "1", Digest: "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU", Language: "en"}, Bases: record.Bases{{Article6: "f", Article9: "a"}},
			GivenAt: now - 60, ValidFrom: now - 60, Expires: now + 3*24*3600}}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.hub.Desk.Refer(t.Context(), c, managed.Request{ID: uuid.Must(uuid.NewV7()).String(), To: r.to.ID, Consent: id, Purpose: "housing", Urgency: "urgent", Service: service,
		Area: hubtest.Area, Content: map[string]packet.Content{"need": packet.Content(`{"summary":"a safe room"}`),
			"safe-contact": packet.Content(`{"channel":"via-worker","worker":{"called":"Ayo"},"last_confirmed":"2026-11-20"}`)}}); err != nil {
		t.Fatal(err)
	}
	shows(t, r.worker, "/consents?tab=ending", "Ends soon")
	if after := shows(t, r.worker, "/consents?tab=ending&after="+id, "No record that a referral rests on ends"); strings.Contains(after, "Ends soon") {
		t.Error("the page after the last begins anew")
	}
	if a := r.worker.Get(t, "/consents?tab=ending&after=x"); a.Status != 400 {
		t.Errorf("after what is no record: %d", a.Status)
	}
}

// With whom she never wants anything shared is added, seen by her worker's agency alone, and
// lifted when she changes her mind.
func TestANeverIsAddedAndLifted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.yes(t, r.draft(t), nil)
	refuses(t, r.worker, "/nevers/new/"+id, "Tick who she never wants told", url.Values{"id": {"x"}})
	form := url.Values{"id": {value(t, r.worker, "/nevers/new/"+id, "id")}, "never-agency": {"larkfield-housing"}}
	for range 2 {
		posts(t, r.worker, "/nevers/new/"+id, form)
	}
	if n := rows(t, r.hub, "consent_never"); n != 1 {
		t.Errorf("two taps made %d", n)
	}
	shows(t, r.worker, "/nevers", "Agency larkfield-housing", "Stands")
	never := hubtest.Value[string](t, r.hub, `SELECT id::text FROM consent_never`)
	lift := "/nevers/" + never + "/lift"
	shows(t, r.worker, lift, "Agency larkfield-housing")
	other := r.hub.Managed(t, "the-third", partners.Housing)
	_, stranger := r.hub.Joined(t, other.ID, "Sam Example", partners.Manager)
	if a := stranger.Get(t, lift); a.Status != 404 {
		t.Errorf("another agency sees it: %d", a.Status)
	}
	form = url.Values{"id": {value(t, r.worker, lift, "id")}}
	if a := stranger.Form(t, lift, form); a.Status != 404 {
		t.Errorf("another agency lifts it: %d", a.Status)
	}
	posts(t, r.worker, lift, form)
	shows(t, r.worker, "/nevers", "Lifted")
}

// An agency that holds its own keys is told what to do in its own system, and the hub does
// nothing in its name.
func TestAnAgencyWithItsOwnKeysIsToldWhatToDo(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.to.Record(t, hubtest.Subject(), []string{"rosewood"})
	_, b := r.hub.Joined(t, r.to.ID, "Kim Example", partners.Caseworker)
	shows(t, b, "/consents", "holds its own keys")
	shows(t, b, "/consents/"+c.ID, "handover consent renew", "handover consent show "+c.ID)
	shows(t, b, "/consents/"+c.ID+"/withdraw", "handover consent withdraw "+c.ID)
	shows(t, b, "/nevers", "handover never")
	if a := b.Form(t, "/consents/"+c.ID+"/withdraw", url.Values{"id": {"0199d6d3-7b8c-7a3e-9d52-0a1b2c3d4e5f"}}); a.Status != 409 {
		t.Errorf("the hub withdraws in its name: %d", a.Status)
	}
}
