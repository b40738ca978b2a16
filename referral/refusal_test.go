package referral_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"handover/internal/hubtest"
	"handover/keys/jose"
	"handover/partners"
	"handover/referral/packet"
)

// scene is a pair of agencies on a hub, for one row.
type scene struct {
	hubtest.Pair
	hub *hubtest.Hub
}

// attempt is one post, and who makes it.
type attempt struct {
	by   *hubtest.Agency
	call hubtest.Call
}

// refusal is one way to cheat or to err. spoil sets the scene and returns the post
// that must be refused; repaired mends what was wrong, here or in the post, and
// returns the one that must then be accepted.
type refusal struct {
	name   string
	to     partners.Category // of the recipient; borough-outreach unless told
	status int
	code   string
	also   hubtest.Problem // members that the problem must carry besides
	spoil  func(t *testing.T, s scene) (bad attempt, repaired func() attempt)
}

// refused runs the rows on one hub, each with agencies of its own: the answer has the
// status and the code, the database holds what it held before, the log has gained one
// entry that says who was refused what, and the repaired post is accepted.
func refused(t *testing.T, rows []refusal) {
	t.Helper()
	h := hubtest.New(t)
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			to := row.to
			if to == "" {
				to = partners.BoroughOutreach
			}
			bad, repaired := row.spoil(t, scene{h.Pair(t, to), h})
			content, logged := h.Content(t), h.Logged(t)

			answer := bad.by.Do(t, bad.call)
			row.holds(t, answer.Problem())
			same(t, content, h.Content(t))
			entries := h.Entries(t, logged)
			if len(entries) != 1 {
				t.Fatalf("the refusal made %d log entries, want 1: %+v", len(entries), entries)
			}
			if e := entries[0]; e.Act != "refused" || e.Outcome != row.code || e.Partner != string(bad.by.ID) || e.Client != bad.by.Client {
				t.Errorf("the log says %+v, want that %s was refused as %s", e, bad.by.ID, row.code)
			}
			good := repaired()
			if answer := good.by.Do(t, good.call); answer.Status != http.StatusCreated {
				t.Errorf("repaired, it is still refused: %d %s", answer.Status, answer.Body)
			}
		})
	}
}

func (r refusal) holds(t *testing.T, p hubtest.Problem) {
	t.Helper()
	if p.Status != r.status || p.Code != r.code {
		t.Errorf("answered %d %s, want %d %s", p.Status, p.Code, r.status, r.code)
	}
	got := hubtest.Problem{Section: p.Section, Claim: p.Claim, Key: p.Key, Head: p.Head, State: p.State, Scope: p.Scope}
	if r.also.Key == "*" { // known only to the scene, which compares it
		got.Key = "*"
	}
	if r.also.Head == "*" {
		got.Head = "*"
	}
	if diff := cmp.Diff(r.also, got); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
}

// post is a packet posted where it belongs.
func post(by *hubtest.Agency, s hubtest.Sealed) attempt {
	path := "/v1/referrals"
	if s.Claims.Referral != "" {
		path += "/" + s.Claims.Referral + "/events"
	}
	return attempt{by, hubtest.Call{Method: http.MethodPost, Path: path, Type: packet.MediaType, Body: s.Body}}
}

// fresh posts a request in which all is right, with an id of its own.
func (s scene) fresh(t *testing.T) func() attempt {
	return func() attempt { return post(s.From, s.Request().Seal(t)) }
}

// spoiled is a row whose fault lies in the packet: change spoils a good draft.
func spoiled(change func(s scene, d *hubtest.Draft)) func(*testing.T, scene) (attempt, func() attempt) {
	return func(t *testing.T, s scene) (attempt, func() attempt) {
		return post(s.From, s.Request().Seal(t, func(d *hubtest.Draft) { change(s, d) })), s.fresh(t)
	}
}

// bytesSpoiled is a row whose fault lies in the packet as it travels.
func bytesSpoiled(change func(t *testing.T, s scene, p *packet.Packet)) func(*testing.T, scene) (attempt, func() attempt) {
	return func(t *testing.T, s scene) (attempt, func() attempt) {
		good := s.Request().Seal(t)
		p := packet.Packet{Envelope: good.Envelope, Sections: map[string]string{}, Copies: map[string]string{}}
		for name := range good.Sections {
			p.Sections[name], p.Copies[name] = good.Sections[name], good.Copies[name]
		}
		change(t, s, &p)
		bad := hubtest.Wrap(t, p)
		return post(s.From, bad), func() attempt { return post(s.From, good) }
	}
}

// worldSpoiled is a row whose fault lies not in the packet: once the world is mended,
// the very same bytes are accepted.
func worldSpoiled(spoil, mend func(t *testing.T, s scene)) func(*testing.T, scene) (attempt, func() attempt) {
	return func(t *testing.T, s scene) (attempt, func() attempt) {
		same := post(s.From, s.Request().Seal(t))
		spoil(t, s)
		return same, func() attempt {
			mend(t, s)
			return same
		}
	}
}

// sql changes the database behind the hub's back.
func sql(statement string, args func(s scene) []any) func(*testing.T, scene) {
	return func(t *testing.T, s scene) { s.hub.Exec(t, statement, args(s)...) }
}

// unending is sql for what only a test does: to put off the end of a key, or of a service, that
// has come.
func unending(table, statement string, args func(s scene) []any) func(*testing.T, scene) {
	return func(t *testing.T, s scene) {
		s.hub.Exec(t, `ALTER TABLE `+table+` DISABLE TRIGGER `+table+`_final`)
		s.hub.Exec(t, statement, args(s)...)
		s.hub.Exec(t, `ALTER TABLE `+table+` ENABLE TRIGGER `+table+`_final`)
	}
}

// resign signs other claims into an envelope: those of the given one after change,
// well formed or not.
func resign(t *testing.T, envelope, typ string, key jose.SigningKey, change func(map[string]any)) string {
	t.Helper()
	var claims map[string]any
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(envelope, ".")[1])
	if err == nil {
		err = json.Unmarshal(payload, &claims)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"iat", "exp"} { // numbers came as floats
		claims[name] = int64(claims[name].(float64))
	}
	change(claims)
	return hubtest.SignAs(t, typ, claims, key)
}

// reheaded replaces the protected header of a compact JOSE object by header, without
// signing or sealing again.
func reheaded(t *testing.T, token string, change func(map[string]any)) string {
	t.Helper()
	head, rest, _ := strings.Cut(token, ".")
	raw, err := base64.RawURLEncoding.DecodeString(head)
	header := map[string]any{}
	if err == nil {
		err = json.Unmarshal(raw, &header)
	}
	if err != nil {
		t.Fatal(err)
	}
	change(header)
	raw, err = json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(raw) + "." + rest
}

// swapPart replaces one part of a compact JOSE object by that of another.
func swapPart(token, other string, part int) string {
	a, b := strings.Split(token, "."), strings.Split(other, ".")
	a[part] = b[part]
	return strings.Join(a, ".")
}

// same compares what the database held with what it holds.
func same(t *testing.T, before, after map[string]string) {
	t.Helper()
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("the refusal left something behind (-before +after):\n%s", diff)
	}
}
