package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"handover/internal/hubtest"
)

// desk is a terminal at an agency whose system has enrolled with a hub in this process.
type desk struct {
	hub   *hubtest.Hub
	admin *hubtest.Person
	env   map[string]string
	asks  bool
	line  http.RoundTripper // to the hub; nil is one that never breaks
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	h := hubtest.New(t)
	_, code := h.Invited(t, "rosewood", "housing")
	d := &desk{hub: h, env: map[string]string{"HANDOVER_HOME": filepath.Join(t.TempDir(), "side"), "HANDOVER_CODE": code}}
	d.must(t, "keys new")
	d.must(t, "enrol --hub "+hubtest.Issuer)
	delete(d.env, "HANDOVER_CODE")
	d.admin = h.Person(t, "rosewood", "administrator")
	return d
}

// run runs one command line.
func (d *desk) run(t *testing.T, in, line string) (code int, out, talk string) {
	t.Helper()
	var o bytes.Buffer
	e := &said{}
	sender := d.hub.HTTP()
	if d.line != nil {
		sender.Transport = d.line
	}
	code = run(t.Context(), strings.Fields(line), surroundings{in: strings.NewReader(in), out: &o, talk: e, asks: d.asks,
		getenv: func(name string) string { return d.env[name] }, now: time.Now, http: sender})
	return code, o.String(), e.String()
}

// must runs a command line that succeeds, and returns the JSON that it printed.
func (d *desk) must(t *testing.T, line string) map[string]any {
	t.Helper()
	code, out, talk := d.run(t, "", line)
	var v map[string]any
	if err := json.Unmarshal([]byte(out), &v); code != exitOK || err != nil {
		t.Fatalf("%s: exit code %d\n%s%s", line, code, out, talk)
	}
	return v
}

// said is what a command says, which a test may read while it runs.
type said struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

var asked = regexp.MustCompile(`https://hub\.example/oauth/authorize\?\S+`)

// signIn signs the person in, as her browser does it.
func (d *desk) signIn(t *testing.T, p *hubtest.Person, flags ...string) (code int, out, talk string) {
	t.Helper()
	var o bytes.Buffer
	e := &said{}
	ended := make(chan int, 1)
	go func() {
		ended <- run(t.Context(), append([]string{"sign-in"}, flags...), surroundings{out: &o, talk: e, getenv: func(name string) string { return d.env[name] },
			now: time.Now, http: d.hub.HTTP()})
	}()
	for asked.FindString(e.String()) == "" {
		select {
		case code := <-ended:
			return code, o.String(), e.String()
		case <-time.After(5 * time.Millisecond):
		}
	}
	redirect, answer := p.Permits(t, asked.FindString(e.String()))
	for _, other := range []string{redirect, redirect + "?state=x&code=y", strings.TrimSuffix(redirect, "callback") + "?" + answer.Encode()} {
		if page, status, _ := visit(t, other); status != http.StatusNotFound || strings.Contains(page, "close") {
			t.Errorf("%s is taken: %d %s", other, status, page)
		}
	}
	page, status, h := visit(t, redirect+"?"+answer.Encode())
	if status != http.StatusOK || !strings.Contains(page, "You can close this window.") || strings.Contains(page, answer.Get("code")) ||
		h.Get("Cache-Control") != "no-store" || !strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("her page: %d %v %s", status, h, page)
	}
	return <-ended, o.String(), e.String()
}

// visit opens an address of this machine.
func visit(t *testing.T, address string) (page string, status int, h http.Header) {
	t.Helper()
	if !strings.HasPrefix(address, "http://127.0.0.1:") {
		t.Fatalf("she is sent to %s", address)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body), answer.StatusCode, answer.Header
}

func TestAnAdministratorSignsInAndOut(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for _, line := range []string{"people list", "clients list", "keys rotate signing", "whoami"} {
		if code, _, talk := d.run(t, "", line); code != exitAuth || !strings.Contains(talk, "run handover sign-in") {
			t.Errorf("%s before: %d, %s", line, code, talk)
		}
	}
	code, out, talk := d.signIn(t, d.admin)
	if code != exitOK || !strings.Contains(out, d.admin.ID) || strings.Contains(out+talk, "refresh") {
		t.Fatalf("%d\n%s%s", code, out, talk)
	}
	if who := d.must(t, "whoami"); who["user"] != d.admin.ID || who["partner"] != "rosewood" {
		t.Errorf("she is %v", who)
	}
	d.must(t, "sign-out")
	if code, _, _ := d.run(t, "", "whoami"); code != exitAuth {
		t.Errorf("signed out, it ends with %d", code)
	}
	d.must(t, "doctor") // the system itself goes on
}

func TestASignInThatIsTooOldIsSaidToBe(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.admin.Proved = time.Now().Add(-time.Hour)
	d.signIn(t, d.admin)
	d.must(t, "people list")
	code, _, talk := d.run(t, "", "people add Ada --role manager")
	if code != exitAuth || !strings.Contains(talk, "step-up-required") || strings.Count(talk, "handover sign-in") != 1 {
		t.Errorf("%d, %s", code, talk)
	}
	if _, err := d.hub.DB.Owner.Exec(t.Context(), `UPDATE partner_user SET signed_out_at = now()`); err != nil {
		t.Fatal(err)
	}
	if code, _, talk := d.run(t, "", "people list"); code != exitAuth || !strings.Contains(talk, "handover sign-in") {
		t.Errorf("signed out at the hub: %d, %s", code, talk)
	}
}

func TestAnAdministratorManagesPeopleByCommands(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.signIn(t, d.admin)
	if code, _, _ := d.run(t, "", "people add Ada --role director"); code != exitUsage {
		t.Errorf("a role that is none: %d", code)
	}
	added := d.must(t, "people add Ada --role caseworker")
	id, _ := added["id"].(string)
	if link, _ := added["link"].(string); !strings.HasPrefix(link, hubtest.Issuer+"/join#") {
		t.Errorf("added %v", added)
	}
	d.must(t, "people recover "+id)
	if p := d.must(t, "people role "+id+" manager"); p["role"] != "manager" {
		t.Errorf("%v", p)
	}
	worker := d.hub.Person(t, "rosewood", "caseworker").ID
	for _, line := range []string{"suspend", "resume", "sign-out", "referrals"} {
		d.must(t, "people "+line+" "+worker)
	}
	if code, _, talk := d.run(t, "", "people remove "+worker); code != exitUsage || !strings.Contains(talk, "--yes") {
		t.Errorf("with nobody to ask: %d, %s", code, talk)
	}
	d.asks = true
	if code, _, talk := d.run(t, "no\n", "people remove "+worker); code != exitUsage || !strings.Contains(talk, "not removed") {
		t.Errorf("no: %d, %s", code, talk)
	}
	if code, _, talk := d.run(t, "yes\n", "people remove "+worker); code != exitOK {
		t.Errorf("yes: %d, %s", code, talk)
	}
	d.asks = false
	d.must(t, "people remove --yes "+id)
	if code, _, talk := d.run(t, "", "people remove --yes "+d.admin.ID); code != exitConflict || !strings.Contains(talk, "last-administrator") {
		t.Errorf("the last administrator: %d, %s", code, talk)
	}
	if code, _, talk := d.run(t, "", "people suspend nobody"); code != exitNotFound || !strings.Contains(talk, "people list") {
		t.Errorf("nobody: %d, %s", code, talk)
	}
	if list, _ := d.must(t, "people list")["people"].([]any); len(list) != 3 {
		t.Errorf("%v", list)
	}
}

func TestASecondSystemIsRegisteredByCommands(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.signIn(t, d.admin)
	token, _ := d.must(t, "clients invite")["initial_access_token"].(string)
	second := &desk{hub: d.hub, admin: d.admin, env: map[string]string{"HANDOVER_HOME": filepath.Join(t.TempDir(), "second"), "HANDOVER_CODE": token}}
	register := "clients register --people --hub " + hubtest.Issuer + " --name Records --scope referrals:receive,partner:admin"
	if code, _, talk := second.run(t, "", register+",hub:admin"); code != exitRefused || !strings.Contains(talk, "scope") {
		t.Errorf("too much: %d, %s", code, talk)
	}
	made := second.must(t, register)
	if made["partner"] != "rosewood" || !strings.HasPrefix(made["client_id"].(string), "rosewood.") {
		t.Errorf("registered %v", made)
	}
	if code, _, _ := second.run(t, "", register); code != exitConflict {
		t.Errorf("again: %d", code)
	}
	second.must(t, "doctor")
	second.must(t, "keys show")
	if code, _, talk := second.signIn(t, d.admin); code != exitAuth || !strings.Contains(talk, "--scope") {
		t.Errorf("asking for what the system has not: %d, %s", code, talk)
	}
	if code, _, talk := second.signIn(t, d.admin, "--scope", "partner:admin"); code != exitOK {
		t.Errorf("signing in to it: %d, %s", code, talk)
	}
	second.must(t, "people list")
	id := made["client_id"].(string)
	d.must(t, "clients suspend "+id)
	if code, _, _ := second.run(t, "", "people list"); code != exitAuth {
		t.Errorf("suspended: %d", code)
	}
	d.must(t, "clients resume "+id)
	second.must(t, "people list")
	if list, _ := d.must(t, "clients list")["clients"].([]any); len(list) != 3 { // with the desk of the test's people
		t.Errorf("%v", list)
	}
	third := &desk{hub: d.hub, env: map[string]string{"HANDOVER_HOME": filepath.Join(t.TempDir(), "third")}}
	if code, _, talk := third.run(t, token+"\n", register); code != exitAuth || !strings.Contains(talk, "clients invite") {
		t.Errorf("the token again, on standard input: %d, %s", code, talk)
	}
}

func TestKeysAreRotatedAndRevokedByCommands(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.signIn(t, d.admin)
	for _, line := range []string{"keys rotate everything", "keys rotate signing --overlap 91d", "keys rotate signing --overlap -1h", "keys rotate signing --overlap soon",
		"keys revoke x", "keys revoke x --reason bored"} {
		if code, _, talk := d.run(t, "", line); code != exitUsage {
			t.Errorf("%s: %d, %s", line, code, talk)
		}
	}
	was := d.must(t, "keys rotate signing")
	until, err := time.Parse(time.RFC3339, was["until"].(string))
	if err != nil || time.Until(until) < 13*24*time.Hour {
		t.Errorf("rotated %v", was)
	}
	for _, use := range []string{"encryption", "authentication"} {
		d.must(t, "keys rotate --overlap 36h "+use)
	}
	d.must(t, "doctor")
	retired, _ := was["retired"].(string)
	d.must(t, "keys revoke --reason retired "+retired)
	if code, _, _ := d.run(t, "", "keys revoke --reason retired "+retired); code != exitConflict {
		t.Errorf("again: %d", code)
	}
	if touched := d.must(t, "keys touched "+retired); len(touched["packets"].([]any))+len(touched["consents"].([]any)) != 0 {
		t.Errorf("a key that was never used touched %v", touched)
	}
	if code, _, _ := d.run(t, "", "keys touched "+strings.Repeat("A", 43)); code != exitNotFound {
		t.Errorf("an unknown key: %d", code)
	}
	if list, _ := d.must(t, "keys list")["keys"].([]any); len(list) != 7 {
		t.Errorf("%v", list)
	}
}
