package hubtest_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/internal/ids"
	"handover/partners"
	"handover/partners/terms"
	"handover/referral/packet"
)

// route is one row of access.
type route struct {
	method, path string
	who          []string
}

func (r route) String() string { return r.method + " " + r.path }

func routes() (all []route) {
	for line := range strings.Lines(access + pages + consentPages) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		all = append(all, route{f[0], f[1], f[2:]})
	}
	return all
}

// call is a request to the route with the ids in place, and a body of the right type
// that says nothing.
func (r route) call(ids map[string]string) hubtest.Call {
	c := hubtest.Call{Method: r.method, Path: r.path}
	for name, id := range ids {
		c.Path = strings.NewReplacer("{"+name+"}", id, "{"+name+":.+}", id).Replace(c.Path)
	}
	c.Path = strings.NewReplacer("{packet}", uuid.Must(uuid.NewV7()).String(), "{section}", "attachment-1", "{number}", "0", "{describes}", "need", "{version}", "1").Replace(c.Path)
	switch {
	case r.path == "/v1/referrals" && r.method == "GET":
		c.Path += "?role=sent"
	case r.path == "/v1/police-requests" && r.method == "GET":
		c.Path += "?role=received"
	}
	switch {
	case r.method == "PUT":
		c.Type, c.Body = "application/jose", []byte("e30....")
	case r.method != "POST":
	case r.path == "/v1/police-requests":
		c.Type, c.Body = record.InquiryMedia, []byte(`{"request":"","sealed":""}`)
	case r.path == "/v1/police-requests/{request}/decision":
		c.Type, c.Body = record.InquiryDecisionMedia, []byte(`{"decision":"","sealed":""}`)
	case r.path == "/v1/police-requests/{request}/open":
	case r.path == "/v1/overrides":
		c.Type, c.Body = record.OverrideMedia, []byte(`{"override":"","sealed":{}}`)
	case strings.HasPrefix(r.path, "/v1/consents"), strings.HasPrefix(r.path, "/v1/overrides"), strings.HasPrefix(r.path, "/v1/recalls"), strings.HasPrefix(r.path, "/v1/agreements"), r.path == "/v1/keys":
		c.Type, c.Body = "application/jose", []byte("e30.e30.e30")
	case strings.HasSuffix(r.path, "{referral}/open"):
		c.Type, c.Body = "application/json", []byte(`{"sections":["need"],"reason":"triage"}`)
	case strings.HasPrefix(r.path, "/v1/referrals"):
		c.Type, c.Body = packet.MediaType, []byte(`{"envelope":""}`)
	default:
		c.Type, c.Body = "application/json", []byte(`{}`)
	}
	return c
}

// nothing are ids under which there is nothing.
func nothing() map[string]string {
	return map[string]string{"partner": "nobody", "consent": uuid.Must(uuid.NewV7()).String(), "override": uuid.Must(uuid.NewV7()).String(), "agreement": uuid.Must(uuid.NewV7()).String(), "request": uuid.Must(uuid.NewV7()).String(), "recall": uuid.Must(uuid.NewV7()).String(), "referral": ids.Digest("nothing"),
		"code": "unheard-of", "event": "accept", "digest": ids.Digest("nothing"), "tile": "0/000", "user": uuid.NewString(), "client": "nobody.abcde", "kid": ids.Digest("x"), "move": uuid.NewString(), "file": "none.css", "session": uuid.NewString(), "passkey": uuid.NewString(), "notice": uuid.NewString(), "service": uuid.NewString(),
		"webhook": uuid.NewString(), "delivery": uuid.NewString(), "draft": uuid.Must(uuid.NewV7()).String(), "never": uuid.Must(uuid.NewV7()).String()}
}

// ofPeople reports whether no system by itself has the right to the route.
func (r route) ofPeople() bool { return slices.Contains(r.who, string(partners.ConsentsOverride)) }

// overridden is the id of an override that the first agency of the pair has made.
func overridden(t *testing.T, h *hubtest.Hub, p hubtest.Pair) string {
	t.Helper()
	worker := h.Person(t, p.From.ID, partners.Caseworker)
	o := p.From.Override(t, worker.ID, p.To, hubtest.Subject(), hubtest.Emergency)
	if a := worker.Propose(t, o); a.Status != http.StatusCreated {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	return o.ID
}

// inquired is the id of what the police ask of the agency.
func inquired(t *testing.T, h *hubtest.Hub, holder *hubtest.Agency) string {
	t.Helper()
	force := h.Agency(t, "the-force", partners.Police)
	officer := h.Person(t, force.ID, partners.Caseworker)
	q := force.Inquiry(t, officer.ID, holder)
	if a := officer.Asks(t, q); a.Status != http.StatusCreated {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	return q.ID
}

// described are the routes of programs, which docs/openapi.json describes.
func described() []route {
	return slices.DeleteFunc(routes(), func(r route) bool { return r.who[0] == "page" })
}

// ofAPI are the routes that tokens open, or nobody needs one for.
func ofAPI() []route {
	return slices.DeleteFunc(described(), func(r route) bool { return r.who[0] == "session" })
}

func TestTheRoutesAreThoseOfTheList(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	var got, want []string
	err := h.Routes.Walk(func(r *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		path, err := r.GetPathTemplate()
		if err != nil {
			return err
		}
		methods, err := r.GetMethods()
		for _, m := range methods {
			if m != http.MethodHead {
				got = append(got, m+" "+path)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range routes() {
		want = append(want, r.String())
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-listed +mounted):\n%s", diff)
	}
}

func TestTheOpenAPIDocumentDescribesTheRoutesAndNoOthers(t *testing.T) {
	t.Parallel()
	doc, err := hubtest.Contract()
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			public := operation.Security != nil && len(*operation.Security) == 0
			got = append(got, fmt.Sprintf("%s %s public %v", method, path, public))
		}
	}
	for _, r := range described() {
		want = append(want, fmt.Sprintf("%s %s public %v", r.method, strings.ReplaceAll(r.path, ":.+", ""), r.who[0] == "public"))
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-routes +described):\n%s", diff)
	}
}

func TestAStrangerIsTurnedAwayEverywhereButAtThePublicRoutes(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	s := p.Sent(t)
	there := map[string]string{"partner": string(p.To.ID), "consent": p.Consent.ID, "override": overridden(t, h, p), "agreement": proposed(t, h, p), "request": inquired(t, h, p.From), "referral": s.Digest, "code": "firewall", "tile": "0/000.p/1", "user": uuid.NewString(), "client": "nobody.abcde", "kid": ids.Digest("x")}
	stolen := p.To.Token(t)
	for _, r := range ofAPI() {
		c := r.call(there)
		for name, authorize := range map[string]func(http.Header){
			"no token":                 func(http.Header) {},
			"a token that is none":     func(h http.Header) { h.Set("Authorization", "DPoP x") },
			"a token without a proof":  func(h http.Header) { h.Set("Authorization", "DPoP "+stolen) },
			"a token as bearer":        func(h http.Header) { h.Set("Authorization", "Bearer "+stolen) },
			"two tokens":               func(h http.Header) { h["Authorization"] = []string{"DPoP " + stolen, "DPoP " + stolen} },
			"a session that is not so": func(h http.Header) { h.Set("Cookie", "session=x") },
		} {
			content := h.Content(t)
			request := httptest.NewRequest(c.Method, hubtest.Issuer+c.Path, bytes.NewReader(c.Body)).WithContext(t.Context())
			request.Header.Set("Content-Type", c.Type)
			authorize(request.Header)
			a := h.Do(request)
			public := r.who[0] == "public"
			if public && (a.Problem().Code == "unauthenticated" || a.Status == 403) && a.Problem().Code != "link-invalid" {
				t.Errorf("%s is not public: with %s it answers %d %s", r, name, a.Status, a.Body)
			}
			if !public && (a.Status != 401 || a.Problem().Code != "unauthenticated") {
				t.Errorf("%s with %s: %d %s, want 401 unauthenticated", r, name, a.Status, a.Body)
			}
			if diff := cmp.Diff(content, h.Content(t)); diff != "" {
				t.Errorf("%s with %s left something behind:\n%s", r, name, diff)
			}
		}
	}
}

// TestPagesSendStrangersToSignIn: neither a token nor a cookie that is none opens a page of
// somebody's, nor the addresses that the pages' script calls.
func TestPagesSendStrangersToSignIn(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	for _, r := range routes() {
		kind := r.who[0]
		if kind != "page" && kind != "session" || slices.Contains(r.who, "anybody") {
			continue
		}
		c := r.call(nothing())
		for name, send := range map[string]func() hubtest.Answer{
			"no cookie": func() hubtest.Answer {
				return h.Browser().Send(h.Browser().Request(t, c.Method, c.Path, c.Type, c.Body))
			},
			"a cookie that is none": func() hubtest.Answer {
				b := h.Browser()
				b.Cookies["x"] = &http.Cookie{Name: "__Host-session", Value: ids.Digest("nothing")}
				return b.Send(b.Request(t, c.Method, c.Path, c.Type, c.Body))
			},
			"a token": func() hubtest.Answer { return p.From.Do(t, c) },
		} {
			content := h.Content(t)
			a := send()
			if kind == "page" && (a.Status != 303 || !strings.HasPrefix(a.Header.Get("Location"), "/sign-in?next=%2F")) {
				t.Errorf("%s with %s: %d %s, want the way to sign in", r, name, a.Status, a.Header.Get("Location"))
			}
			if kind == "session" && (a.Status != 401 || a.Problem().Code != "signed-out") {
				t.Errorf("%s with %s: %d %s, want 401 signed-out", r, name, a.Status, a.Body)
			}
			if diff := cmp.Diff(content, h.Content(t)); diff != "" {
				t.Errorf("%s with %s left something behind:\n%s", r, name, diff)
			}
		}
	}
}

// TestNoSessionOpensTheAPI: cookies come with requests that no page of ours has made.
func TestNoSessionOpensTheAPI(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	a := h.Agency(t, "larkfield-housing", partners.Housing)
	_, b := h.Joined(t, a.ID, "Ayo Example", partners.Manager)
	for _, r := range ofAPI() {
		c := r.call(nothing())
		got := b.Send(b.Request(t, c.Method, c.Path, c.Type, c.Body))
		if r.who[0] != "public" && (got.Status != 401 || got.Problem().Code != "unauthenticated") {
			t.Errorf("%s with a session: %d %s, want 401 unauthenticated", r, got.Status, got.Body)
		}
	}
}

func TestATokenWithoutTheScopeIsTurnedAway(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	s := p.Sent(t)
	there := map[string]string{"partner": string(p.To.ID), "consent": p.Consent.ID, "override": overridden(t, h, p), "agreement": proposed(t, h, p), "request": inquired(t, h, p.From), "referral": s.Digest, "tile": "0/000.p/1", "user": uuid.NewString(), "client": "nobody.abcde", "kid": ids.Digest("x")}
	for _, r := range ofAPI() {
		for _, scope := range partners.SystemScopes() {
			c := r.call(there)
			c.Scopes = []partners.Scope{scope}
			content := h.Content(t)
			refused := p.From.Do(t, c).Problem()
			allowed := r.who[0] == "public" || r.who[0] == "any" || slices.Contains(r.who, string(scope))
			if r.path == "/v1/referrals" && r.method == "GET" { // of what was sent
				allowed = scope == partners.ReferralsSend
			}
			if r.opens() { // her own copies
				allowed = scope == partners.ReferralsSend
			}
			if !allowed && (refused.Status != 403 || refused.Code != "insufficient-scope" || refused.Scope == "") {
				t.Errorf("%s with %s: %d %s, want 403 insufficient-scope that names the scope", r, scope, refused.Status, refused.Code)
			}
			if allowed && refused.Code == "insufficient-scope" {
				t.Errorf("%s with %s is refused for its scope", r, scope)
			}
			if after := h.Content(t); !allowed && !cmp.Equal(content, after) {
				t.Errorf("%s with %s left something behind:\n%s", r, scope, cmp.Diff(content, after))
			}
		}
	}
}

// TestWhatIsOfOthersIsAnsweredLikeWhatIsNot asks each route, as a third partner, about
// ids of a pair of others and about ids of nothing.
func TestWhatIsOfOthersIsAnsweredLikeWhatIsNot(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p, third := h.Pair(t, partners.BoroughOutreach), h.Agency(t, "the-third", partners.Housing)
	s := p.Sent(t)
	entry := hubtest.Value[string](t, h, `SELECT id::text FROM audit_entry WHERE act = 'referral.request'`)
	others := map[string]string{"consent": p.Consent.ID, "override": overridden(t, h, p), "agreement": proposed(t, h, p), "request": inquired(t, h, p.From), "referral": s.Digest}
	manager, administrator := h.Person(t, third.ID, partners.Manager), h.Person(t, third.ID, partners.Administrator)
	for _, r := range ofAPI() {
		if !strings.Contains(r.path, "{agreement}") && !strings.Contains(r.path, "{request}") && !strings.Contains(r.path, "{consent}") && !strings.Contains(r.path, "{override}") && !strings.Contains(r.path, "{referral}") {
			continue
		}
		mine := func(ids map[string]string) hubtest.Call {
			c := r.call(ids)
			switch {
			case r.managed():
			case strings.Contains(r.path, "{agreement}/"):
				of := hubtest.Proposal{Digest: p.Consent.Digest}
				of.Issuer, of.Other, of.ID = string(p.From.ID), string(p.To.ID), ids["agreement"]
				c.Body = []byte(map[string]string{"sign": third.AnswerTerms(t, administrator.ID, of, terms.Signed), "refuse": third.AnswerTerms(t, administrator.ID, of, terms.Refused),
					"end": third.EndTerms(t, administrator.ID, of)}[r.path[strings.LastIndex(r.path, "/")+1:]])
			case strings.HasSuffix(r.path, "{request}/decision"):
				q := hubtest.Inquiry{Digest: p.Consent.Digest}
				q.ID = ids["request"]
				c.Body = third.Answer(t, manager.ID, q, record.Refused)
			case strings.HasSuffix(r.path, "{override}/review"):
				o := hubtest.Override{Digest: p.Consent.Digest}
				o.ID = ids["override"]
				c.Body = []byte(third.Review(t, manager.ID, o, 0))
			case strings.HasSuffix(r.path, "/decision"), strings.HasSuffix(r.path, "/review"):
				id := ids["consent"]
				if strings.Contains(r.path, "{override}") {
					id = ids["override"]
				}
				c.Body = []byte(third.Decision(t, manager.ID, id, p.Consent.Digest, record.Approved))
			case strings.HasSuffix(r.path, "/withdraw"):
				consent := p.Consent
				consent.ID = ids["consent"]
				c.Body = []byte(third.Withdrawal(t, consent))
			case r.method == "POST" && strings.HasSuffix(r.path, "/events"):
				c.Body = third.Event(p.From, packet.Accept, ids["referral"], ids["referral"]).Seal(t).Body
			}
			return c
		}
		do := third.Do
		if r.ofPeople() {
			do = manager.Do
		}
		if slices.Contains(r.who, string(partners.PartnerAdmin)) {
			do = administrator.Do
		}
		a, none := do(t, mine(others)), do(t, mine(nothing()))
		unseen := a.Status == 404 && strings.HasSuffix(a.Problem().Code, "-not-found")
		if !unseen && (!r.managed() || a.Problem().Code != "person-needed" && a.Problem().Code != "not-managed") {
			t.Errorf("%s about what is of others: %d %s, want 404", r, a.Status, a.Body)
		}
		one, other := a.Problem(), none.Problem()
		one.Instance, other.Instance = "", ""
		if diff := cmp.Diff(other, one); diff != "" {
			t.Errorf("%s answers otherwise about nothing than about others (-nothing +others):\n%s", r, diff)
		}
	}
	for _, id := range []string{entry, uuid.NewString()} {
		if a := third.Get(t, "/v1/log/proof?entry="+id); a.Status != 404 || a.Problem().Code != "no-such-entry" {
			t.Errorf("proof of an entry about others or of none: %d %s, want 404 no-such-entry", a.Status, a.Body)
		}
	}
	if a := p.To.Get(t, "/v1/log/proof?entry="+entry); a.Status != 200 {
		t.Errorf("proof of an entry about the caller: %d %s", a.Status, a.Body)
	}
}

// TestNothingThatIsPutIntoAnAddressFailsTheHub tries what the database would refuse
// as an error of the hub's own.
func TestNothingThatIsPutIntoAnAddressFailsTheHub(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	id := p.Consent.ID
	for _, odd := range []string{"%00", "%FF", "%ED%A0%80", "'", "%0A", "..", "%2e%2e", strings.Repeat("a", 1000), "%25", "-", "%7B" + id + "%7D",
		"urn:uuid:" + id, strings.ReplaceAll(id, "-", ""), strings.ToUpper(id), "x" + id + "x", id + "%00", ids.Digest("x") + "%00",
		ids.Digest("x")[:42] + "%0A"} {
		for _, r := range routes() {
			ids := map[string]string{"partner": odd, "consent": odd, "override": odd, "agreement": odd, "request": odd, "referral": odd, "code": odd, "tile": odd, "user": odd, "client": odd, "kid": odd, "move": odd, "file": odd, "session": odd, "passkey": odd, "notice": odd, "service": odd, "draft": odd, "never": odd, "packet": odd, "section": odd, "number": odd, "describes": odd, "version": odd, "recall": odd}
			a := p.From.Do(t, r.call(ids))
			if a.Status >= 500 || strings.Contains(r.path, "{consent}") && r.who[0] != "page" && !r.managed() && !r.ofPeople() && a.Status != 404 {
				t.Errorf("%s with %.60s: %d %s", r, odd, a.Status, a.Body)
			}
		}
	}
	for _, query := range []string{"/v1/partners/rosewood/keys?after=%00", "/v1/services?need=%00", "/v1/services?area=%FF", "/v1/services?need=housing&area=E09000007%00",
		"/v1/referrals?role=%00", "/v1/inbox?state=%00", "/v1/inbox?after=%00", "/v1/inbox?urgency=%FF", "/v1/log/proof?entry=%00",
		"/v1/log/proof?index=1&size=99999999999999999999", "/v1/log/proof?old=-1&new=1"} {
		if a := p.From.Get(t, query); a.Status >= 500 || a.Status == 200 {
			t.Errorf("%s: %d %s", query, a.Status, a.Body)
		}
	}
}
