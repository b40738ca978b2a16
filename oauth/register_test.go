package oauth

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"handover/keys/jose"
	"handover/partners"
)

// metadataOf is a registration in which all is right.
func metadataOf(t testing.TB, keys ...jose.PublicKey) claims {
	t.Helper()
	if keys == nil {
		keys = []jose.PublicKey{newKey(t, jose.ES256).Public()}
	}
	return claims{"client_name": "Night shelter's records", "jwks": claims{"keys": keys}, "scope": "referrals:send partner:admin",
		"grant_types": []string{"client_credentials", "authorization_code", "refresh_token"}, "response_types": []string{"code"},
		"redirect_uris": []string{"https://records.example/back", "http://127.0.0.1/callback"}, "token_endpoint_auth_method": "private_key_jwt",
		"software_id": "unknown to the hub"}
}

// administrator makes somebody who may administer the partner.
func (h *hub) administrator(partner partners.ID) partners.Caller {
	h.t.Helper()
	id := uuid.NewString()
	h.exec(`INSERT INTO partner_user (id, partner, name, role, status, since, log_entry)
		VALUES ($1, $2, 'A worker', 'administrator', 'active', now(), (SELECT id FROM audit_entry LIMIT 1))`, id, string(partner))
	found, err := h.guard.partners.Admit(h.t.Context(), []partners.Bearer{{User: id, Proved: time.Now()}}, nil)
	if err != nil || found[0] == nil {
		h.t.Fatal(err, found)
	}
	return *found[0]
}

// leave is an initial access token of the administrator.
func (h *hub) leave(c partners.Caller) string {
	h.t.Helper()
	token, _, err := h.guard.partners.InviteSystem(h.t.Context(), c)
	if err != nil {
		h.t.Fatal(err)
	}
	return token
}

// registration posts metadata with a token.
func (h *hub) registration(token string, body []byte, edit ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, testIssuer+registerPath, strings.NewReader(string(body)))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+token)
	for _, f := range edit {
		f(r)
	}
	return h.do(r)
}

func TestANewSystemRegistersAndGetsATokenForItself(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	a := h.enrol("rosewood")
	token := h.leave(h.administrator("rosewood"))
	key := newKey(t, jose.PS256)
	w := h.registration(token, metadataOf(t, key.Public(), newKey(t, jose.EdDSA).Public()).bytes(t))
	if w.Code != http.StatusCreated || w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("WWW-Authenticate") != "" {
		t.Fatalf("%d %v %s\n%s", w.Code, w.Header(), w.Body, h.log.String())
	}
	var got struct {
		ID        string                          `json:"client_id"`
		Issued    int64                           `json:"client_id_issued_at"`
		Name      string                          `json:"client_name"`
		Scope     string                          `json:"scope"`
		Grants    []string                        `json:"grant_types"`
		Types     []string                        `json:"response_types"`
		Redirects []string                        `json:"redirect_uris"`
		Method    string                          `json:"token_endpoint_auth_method"`
		Keys      struct{ Keys []jose.PublicKey } `json:"jwks"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(got.ID, "rosewood.") || time.Since(time.Unix(got.Issued, 0)) > time.Minute || got.Name != "Night shelter's records" ||
		got.Scope != "referrals:send partner:admin" || len(got.Grants) != 3 || !slices.Equal(got.Types, []string{"code"}) || len(got.Redirects) != 2 ||
		got.Method != "private_key_jwt" || len(got.Keys.Keys) != 2 || !got.Keys.Keys[0].Equal(key.Public()) {
		t.Errorf("registered %s", w.Body)
	}
	second := agency{partner: "rosewood", client: got.ID, auth: key, dpop: newKey(t, jose.ES256)}
	if answer := answerOf(t, h.do(h.ask(second).request(t))); answer.Scope != "referrals:send" {
		t.Errorf("for itself it gets %+v, and must not get what only people have", answer)
	}
	if h.token(a) == "" {
		t.Error("the first system is turned away")
	}
	if again := h.registration(token, metadataOf(t).bytes(t)); again.Code != 401 || again.Header().Get("WWW-Authenticate") != `Bearer error="invalid_token"` {
		t.Errorf("the token a second time: %d %v %s", again.Code, again.Header(), again.Body)
	}
	logged := h.number(`SELECT count(*) FROM audit_entry e JOIN client_invitation i ON convert_from(e.body, 'UTF8')::jsonb->>'user' = i.invited_by::text
		WHERE convert_from(e.body, 'UTF8')::jsonb->>'act' = 'client.register' AND convert_from(e.body, 'UTF8')::jsonb->>'target' = $1`, got.ID)
	if logged != 1 || h.number(`SELECT count(*) FROM partner_key WHERE client = $1 AND use = 'authentication'`, got.ID) != 2 {
		t.Errorf("logged %d", logged)
	}
}

// TestABadRegistrationLeavesTheTokenUsable has a row for each rule, spoilt in one thing.
func TestABadRegistrationLeavesTheTokenUsable(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	first := h.enrol("rosewood")
	token := h.leave(h.administrator("rosewood"))
	sealing, err := jose.Generate(jose.ECDHESA256KW, jose.P256)
	if err != nil {
		t.Fatal(err)
	}
	set := func(name string, v any) func(claims) { return func(m claims) { m[name] = v } }
	redirects := func(u ...string) func(claims) { return set("redirect_uris", u) }
	jwks := func(k ...any) func(claims) { return set("jwks", claims{"keys": k}) }
	one := newKey(t, jose.ES256)
	private := json.RawMessage(one.JWK())
	named := json.RawMessage(strings.ReplaceAll(string(strictBytes(t, one.Public())), one.KeyID(), "mine"))
	for name, row := range map[string]struct {
		spoil func(claims)
		code  string
	}{
		"no name":                       {set("client_name", ""), invalidMetadata},
		"a name of two lines":           {set("client_name", "A\nB"), invalidMetadata},
		"a name that is a number":       {set("client_name", 1), invalidMetadata},
		"no scope":                      {set("scope", ""), invalidMetadata},
		"the operator's scope":          {set("scope", "hub:admin"), invalidMetadata},
		"a scope twice":                 {set("scope", "referrals:send referrals:send"), invalidMetadata},
		"a scope in capitals":           {set("scope", "REFERRALS:SEND"), invalidMetadata},
		"another grant":                 {set("grant_types", []string{"client_credentials", "implicit"}), invalidMetadata},
		"refresh without code":          {set("grant_types", []string{"client_credentials", "refresh_token"}), invalidMetadata},
		"redirects without code":        {set("grant_types", []string{"client_credentials"}), invalidMetadata}, // response_types says code too
		"code without redirects":        {func(m claims) { delete(m, "redirect_uris") }, invalidRedirect},
		"a token in the answer":         {set("response_types", []string{"token"}), invalidMetadata},
		"a secret":                      {set("token_endpoint_auth_method", "client_secret_basic"), invalidMetadata},
		"the default method":            {func(m claims) { delete(m, "token_endpoint_auth_method") }, invalidMetadata},
		"http elsewhere":                {redirects("http://records.example/back"), invalidRedirect},
		"localhost":                     {redirects("http://localhost/callback"), invalidRedirect},
		"a loopback look-alike":         {redirects("http://127.0.0.1.example/callback"), invalidRedirect},
		"a fragment":                    {redirects("https://records.example/back#x"), invalidRedirect},
		"an empty fragment":             {redirects("https://records.example/back#"), invalidRedirect},
		"a name and password":           {redirects("https://a:b@records.example/back"), invalidRedirect},
		"a scheme of its own":           {redirects("records:/back"), invalidRedirect},
		"script":                        {redirects("javascript:alert(1)//https://"), invalidRedirect},
		"no host":                       {redirects("https:///back"), invalidRedirect},
		"a wildcard":                    {redirects("https://*.example/back"), invalidRedirect},
		"a backslash":                   {redirects(`https://records.example\@evil.example/`), invalidRedirect},
		"a line break":                  {redirects("https://records.example/\nback"), invalidRedirect},
		"an address of 501 bytes":       {redirects("https://records.example/" + strings.Repeat("a", 477)), invalidRedirect},
		"one twice":                     {redirects("https://a.example/", "https://a.example/"), invalidRedirect},
		"eleven":                        {redirects(strings.Split("https://a.example/"+strings.Join(strings.Split("abcdefghijk", ""), " https://a.example/"), " ")...), invalidRedirect},
		"no keys":                       {func(m claims) { delete(m, "jwks") }, invalidMetadata},
		"an empty key set":              {jwks(), invalidMetadata},
		"five keys":                     {jwks(newKey(t, jose.ES256).Public(), newKey(t, jose.ES256).Public(), newKey(t, jose.ES256).Public(), newKey(t, jose.ES256).Public(), newKey(t, jose.ES256).Public()), invalidMetadata},
		"one key twice":                 {jwks(one.Public(), one.Public()), invalidMetadata},
		"a key to seal to":              {jwks(sealing.Public()), invalidMetadata},
		"a private key":                 {jwks(private), invalidMetadata},
		"a kid that is no thumbprint":   {jwks(named), invalidMetadata},
		"a key that is registered":      {jwks(first.auth.Public()), invalidMetadata},
		"keys at an address":            {set("jwks_uri", "https://records.example/jwks"), invalidMetadata},
		"keys at an address, too":       {func(m claims) { delete(m, "jwks"); m["jwks_uri"] = "https://records.example/jwks" }, invalidMetadata},
		"a key with more than is known": {jwks(json.RawMessage(strings.Replace(string(strictBytes(t, one.Public())), "{", `{"x5u":"https://a.example",`, 1))), invalidMetadata},
	} {
		m := metadataOf(t)
		row.spoil(m)
		w := h.registration(token, m.bytes(t))
		if answer := answerOf(t, w); w.Code != http.StatusBadRequest || answer.Error != row.code || answer.Hint == "" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %s, want 400 %s with a hint", name, w.Code, w.Body, row.code)
		}
	}
	good := metadataOf(t).bytes(t)
	for name, body := range map[string]string{"no JSON": "x", "a list": "[]", "a name twice": strings.Replace(string(good), "{", `{"scope":"audit:read",`, 1), "two": string(good) + "{}"} {
		if w := h.registration(token, []byte(body)); w.Code != http.StatusBadRequest || answerOf(t, w).Error != invalidMetadata {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	for _, e := range h.refused {
		if e.Partner != "rosewood" || e.Target != "client-registration" || !strings.HasPrefix(e.Reason, "register-") {
			t.Errorf("logged %+v", e)
		}
	}
	if len(h.refused) < 40 {
		t.Errorf("%d refusals are logged", len(h.refused))
	}
	if w := h.registration(token, good); w.Code != http.StatusCreated {
		t.Errorf("the token is gone: %d %s", w.Code, w.Body)
	}
}

func TestARegistrationWithoutGrantsIsForPeopleAlone(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	h.enrol("rosewood")
	c := h.administrator("rosewood")
	m := metadataOf(t)
	delete(m, "grant_types") // RFC 7591 §2: authorization_code
	delete(m, "response_types")
	if w := h.registration(h.leave(c), m.bytes(t)); w.Code != http.StatusCreated || !strings.Contains(w.Body.String(), `"grant_types":["authorization_code"]`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	m = metadataOf(t)
	m["grant_types"] = []string{"client_credentials"}
	delete(m, "redirect_uris")
	delete(m, "response_types")
	if w := h.registration(h.leave(c), m.bytes(t)); w.Code != http.StatusCreated || !strings.Contains(w.Body.String(), `"redirect_uris":[]`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestATokenThatIsNotAnAdministratorsLeaveRegistersNothing(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	a := h.enrol("rosewood")
	c := h.administrator("rosewood")
	h.administrator("rosewood")
	token := func() string { return h.leave(c) }
	access := h.token(a)
	clients := h.number(`SELECT count(*) FROM partner_client`)
	for _, row := range []struct {
		name, token string
		spoil       func()
		edit        func(*http.Request)
	}{
		{"none", "x", nil, func(r *http.Request) { r.Header.Del("Authorization") }},
		{"two", token(), nil, func(r *http.Request) { r.Header.Add("Authorization", r.Header.Get("Authorization")) }},
		{"of another scheme", token(), nil, func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "Bearer", "DPoP", 1))
		}},
		{"unknown", strings.Repeat("a", 26), nil, nil},
		{"in capitals", strings.ToUpper(token()), nil, nil},
		{"an access token", access, nil, nil},
		{"of a suspended partner", token(), func() { h.exec(`UPDATE partner SET status = 'suspended'`) }, nil},
		{"of who is no administrator now", token(), func() {
			h.exec(`UPDATE partner SET status = 'active'`)
			h.exec(`UPDATE partner_user SET role = 'manager'`)
		}, nil},
		{"of a suspended administrator", token(), func() { h.exec(`UPDATE partner_user SET role = 'administrator', status = 'suspended'`) }, nil},
		{"out of date", token(), func() {
			h.exec(`UPDATE partner_user SET status = 'active'`)
			h.exec(`UPDATE client_invitation SET expires_at = now()`)
		}, nil},
	} {
		if row.spoil != nil {
			row.spoil()
		}
		edits := []func(*http.Request){}
		if row.edit != nil {
			edits = append(edits, row.edit)
		}
		w := h.registration(row.token, metadataOf(t).bytes(t), edits...)
		if w.Code != http.StatusUnauthorized || answerOf(t, w).Error != "invalid_token" || w.Header().Get("WWW-Authenticate") != `Bearer error="invalid_token"` {
			t.Errorf("%s: %d %v %s", row.name, w.Code, w.Header(), w.Body)
		}
	}
	if n := h.number(`SELECT count(*) FROM partner_client`); n != clients {
		t.Errorf("%d systems were made", n-clients)
	}
	if diff := cmp.Diff([]string{"register-token"}, slices.Collect(maps.Keys(h.counts))); diff != "" {
		t.Errorf("counted (-want +got):\n%s", diff)
	}
}

func TestOfTwoWhoRegisterWithOneTokenOneDoes(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	h.enrol("rosewood")
	token := h.leave(h.administrator("rosewood"))
	bodies := [][]byte{metadataOf(t).bytes(t), metadataOf(t).bytes(t), metadataOf(t).bytes(t), metadataOf(t).bytes(t)}
	codes := make(chan int, len(bodies))
	for _, b := range bodies {
		go func() { codes <- h.registration(token, b).Code }()
	}
	var got []int
	for range bodies {
		got = append(got, <-codes)
	}
	slices.Sort(got)
	if diff := cmp.Diff([]int{201, 401, 401, 401}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
