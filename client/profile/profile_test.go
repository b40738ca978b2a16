package profile_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	sumdbnote "golang.org/x/mod/sumdb/note"

	"handover/client"
	"handover/client/profile"
	"handover/keys"
	"handover/keys/jose"
	"handover/referral/packet"
)

func create(t *testing.T, o profile.Options) (string, *profile.Profile) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "side")
	p, err := profile.Create(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return dir, p
}

const words = "seven quiet herons at dusk"

func TestProfileOpensWithItsKeysAsTheyWere(t *testing.T) {
	for name, o := range map[string]profile.Options{
		"root key file, ES256 and P-256":  {},
		"root key file, EdDSA and X25519": {Signing: jose.EdDSA, Encryption: jose.X25519},
		"passphrase":                      {Passphrase: words},
	} {
		t.Run(name, func(t *testing.T) {
			dir, made := create(t, o)
			opened, err := profile.Open(t.Context(), dir, profile.Options{Passphrase: o.Passphrase})
			if err != nil {
				t.Fatal(err)
			}
			was, is := made.Settings().Keys, opened.Settings().Keys
			if !was.Signing.Equal(is.Signing) || !was.Authentication.Equal(is.Authentication) || !was.Encryption[0].Equal(is.Encryption[0]) {
				t.Error("other keys")
			}
			if o.Signing == jose.EdDSA && (is.Signing.Curve() != jose.Ed25519 || is.Encryption[0].Curve() != jose.X25519) {
				t.Errorf("%s, %s", is.Signing.Curve(), is.Encryption[0].Curve())
			}
		})
	}
}

func TestPrivateKeyIsNowhereInClear(t *testing.T) {
	dir, _ := create(t, profile.Options{})
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s can be used by others: %v", path, info.Mode())
		}
		if d.IsDir() {
			return nil
		}
		files++
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte(`"d"`)) {
			t.Errorf("%s holds a private key", path)
		}
		return err
	})
	if err != nil || files < 5 {
		t.Errorf("%d files, %v", files, err)
	}
}

func TestProfileIsNotMadeTwice(t *testing.T) {
	dir, p := create(t, profile.Options{})
	if _, err := profile.Create(t.Context(), dir, profile.Options{}); !errors.Is(err, profile.ErrExists) {
		t.Error(err)
	}
	if again, err := profile.Open(t.Context(), dir, profile.Options{}); err != nil || !again.Settings().Keys.Signing.Equal(p.Settings().Keys.Signing) {
		t.Errorf("the first one is gone: %v", err)
	}
}

func TestProfileThatIsMissingOrWrongSaysSo(t *testing.T) {
	keyFile := func(dir string) string {
		found, _ := filepath.Glob(filepath.Join(dir, "keys", "*.key"))
		return found[0]
	}
	for name, c := range map[string]struct {
		spoil func(dir string) error
		open  profile.Options
		want  string
	}{
		"nothing there":      {func(dir string) error { return os.Remove(filepath.Join(dir, "profile.json")) }, profile.Options{}, profile.ErrNone.Error()},
		"root key gone":      {func(dir string) error { return os.Remove(filepath.Join(dir, "root.key")) }, profile.Options{}, "root.key is missing"},
		"root key open":      {func(dir string) error { return os.Chmod(filepath.Join(dir, "root.key"), 0o644) }, profile.Options{}, "chmod 600"},
		"passphrase instead": {func(string) error { return nil }, profile.Options{Passphrase: words}, keys.ErrRoot.Error()},
		"store gone":         {func(dir string) error { return os.RemoveAll(filepath.Join(dir, "store")) }, profile.Options{}, "opening the profile's keys"},
		"key gone":           {func(dir string) error { return os.Remove(keyFile(dir)) }, profile.Options{}, "reading a key"},
		"key spoilt":         {func(dir string) error { return os.WriteFile(keyFile(dir), []byte("local:v1:AAAA"), 0o600) }, profile.Options{}, "does not open"},
		"settings cut short": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "profile.json"), []byte(`{"v":1`), 0o600)
		}, profile.Options{}, "damaged"},
		"settings of another": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "profile.json"), []byte(`{"v":2}`), 0o600)
		}, profile.Options{}, "damaged"},
		"one key as another": {func(dir string) error {
			found, _ := filepath.Glob(filepath.Join(dir, "keys", "*.key"))
			data, err := os.ReadFile(found[0])
			return errors.Join(err, os.WriteFile(found[1], data, 0o600))
		}, profile.Options{}, "does not open"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, _ := create(t, profile.Options{})
			if err := c.spoil(dir); err != nil {
				t.Fatal(err)
			}
			if _, err := profile.Open(t.Context(), dir, c.open); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestPassphraseOfAFewWordsIsRefused(t *testing.T) {
	if _, err := profile.Create(t.Context(), t.TempDir(), profile.Options{Passphrase: "short"}); !errors.Is(err, keys.ErrPassphrase) {
		t.Error(err)
	}
}

func TestProfileWithoutEnrolmentHasNoClient(t *testing.T) {
	_, p := create(t, profile.Options{})
	if _, err := p.Client(); !errors.Is(err, profile.ErrNotEnrolled) {
		t.Error(err)
	}
	if trust := p.Settings().Trust(); trust.LogKey.Origin() != "" || trust.Keys != nil {
		t.Error("it trusts somebody")
	}
}

// sealed is a packet as it would be posted.
func sealed(t *testing.T, id string) []byte {
	t.Helper()
	sign, err := jose.Generate(jose.ES256, jose.P256)
	if err != nil {
		t.Fatal(err)
	}
	d := strings.Repeat("A", 43)
	p, err := packet.Seal(packet.Claims{Hub: "https://hub.example", Issuer: "camden-outreach", Audience: "westside-aid", ID: id,
		Event: packet.Accept, Referral: d, Prev: d, IssuedAt: 1_700_000_000}, nil, packet.To{}, sign.Signer(), time.Unix(1_700_000_000, 0))
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestOutboxKeepsAPacketUntilItsReceiptIsKept(t *testing.T) {
	dir, p := create(t, profile.Options{})
	want := sealed(t, fmt.Sprintf("0190a000-0000-7000-8000-%012d", 1))
	kept, err := p.Keep(want)
	if err != nil {
		t.Fatal(err)
	}
	again, err := profile.Open(t.Context(), dir, profile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	waiting, err := again.Outbox()
	if err != nil || len(waiting) != 1 || !bytes.Equal(waiting[0].Packet, want) || waiting[0].Event != "accept" {
		t.Fatalf("%+v, %v", waiting, err)
	}
	path, err := again.Settle(client.Receipt{Envelope: kept.Envelope, State: "accepted"})
	if err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(path); err != nil || !bytes.Contains(data, []byte(`"state":"accepted"`)) {
		t.Errorf("%s, %v", data, err)
	}
	if waiting, err = again.Outbox(); err != nil || len(waiting) != 0 {
		t.Errorf("%+v, %v", waiting, err)
	}
	if err := again.Discard(kept.Envelope); err != nil {
		t.Errorf("discarding what is gone: %v", err)
	}
}

func TestSpoiltOutboxIsNotSent(t *testing.T) {
	dir, p := create(t, profile.Options{})
	kept, err := p.Keep(sealed(t, "0190a000-0000-7000-8000-000000000001"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "outbox", kept.Envelope+".json")
	for _, data := range [][]byte{[]byte("{"), sealed(t, "0190a000-0000-7000-8000-000000000002")} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Outbox(); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Error(err)
		}
	}
	if _, err := p.Keep([]byte("no packet")); client.Code(err) != "packet-malformed" {
		t.Error(err)
	}
}

func TestReceiptStaysInItsFolder(t *testing.T) {
	dir, p := create(t, profile.Options{})
	path, err := p.KeepReceipt("../../elsewhere", 1)
	if err != nil || filepath.Dir(path) != filepath.Join(dir, "receipts") {
		t.Errorf("%s, %v", path, err)
	}
}

func TestConsentsAreTheNewestFirst(t *testing.T) {
	dir, p := create(t, profile.Options{})
	for _, id := range []string{"0190a1b2-0001", "0190a1b2-0003", "0190a1b2-0002"} {
		if _, err := p.KeepReceipt("consent-"+id, client.RecordedConsent{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "receipts", "consent-0190a1b2-0004.json"), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, kept := range p.Consents(2) {
		ids = append(ids, kept.ID)
	}
	if strings.Join(ids, " ") != "0190a1b2-0003 0190a1b2-0002" {
		t.Errorf("the last two are %v", ids)
	}
}

// joined answers an enrolment as a hub does, and counts how often it was asked.
type joined struct {
	logKey string
	asked  int
}

func (j *joined) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	switch r.URL.Path {
	case "/.well-known/oauth-authorization-server":
		fmt.Fprint(w, `{"issuer":"https://hub.example","token_endpoint":"https://hub.example/oauth/token"}`)
	case "/v1/log/key":
		fmt.Fprintln(w, j.logKey)
	case "/v1/enrol":
		j.asked++
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"partner":"camden-outreach","client_id":"camden-outreach.ab3d5","scopes":[],"issuer":"https://hub.example"}`)
	}
	return w.Result(), nil
}

func TestEnrolmentIsKeptAndNotDoneTwice(t *testing.T) {
	_, vkey, err := sumdbnote.GenerateKey(rand.Reader, "hub.example/v1/log")
	if err != nil {
		t.Fatal(err)
	}
	hub := &joined{logKey: vkey}
	dir, p := create(t, profile.Options{HTTP: &http.Client{Transport: hub}})
	if _, err := p.Enrol(t.Context(), "https://hub.example/", "code"); err != nil {
		t.Fatal(err)
	}
	again, err := profile.Open(t.Context(), dir, profile.Options{HTTP: &http.Client{Transport: hub}})
	if err != nil {
		t.Fatal(err)
	}
	if s := again.Settings(); s.Hub != "https://hub.example" || s.ClientID != "camden-outreach.ab3d5" || s.LogKey != vkey {
		t.Errorf("%+v", s)
	}
	if _, err := again.Enrol(t.Context(), "https://hub.example", "code"); !errors.Is(err, profile.ErrEnrolled) || hub.asked != 1 {
		t.Errorf("asked %d times, %v", hub.asked, err)
	}
	c, err := again.Client()
	if err != nil || c.PartnerID() != "camden-outreach" || c.LogKey().String() != vkey {
		t.Errorf("%v", err)
	}
	if own := again.Settings().Trust().Keys["camden-outreach"]; len(own) != 1 || !own[0].ValidAt(time.Now()) {
		t.Errorf("it does not trust its own signature: %+v", own)
	}
}

func TestEnrolmentWithAnotherHubsLogKeyIsRefused(t *testing.T) {
	_, vkey, err := sumdbnote.GenerateKey(rand.Reader, "other.example/v1/log")
	if err != nil {
		t.Fatal(err)
	}
	hub := &joined{logKey: vkey}
	_, p := create(t, profile.Options{HTTP: &http.Client{Transport: hub}})
	if _, err := p.Enrol(t.Context(), "https://hub.example", "code"); !errors.Is(err, client.ErrAnswer) || hub.asked != 0 {
		t.Errorf("asked %d times, %v", hub.asked, err)
	}
}

// TestWhatWasSeenOfKeysIsKept: the next command starts from it, and a damaged file is no first
// contact.
func TestWhatWasSeenOfKeysIsKept(t *testing.T) {
	t.Parallel()
	o := newHome(t)
	other := o.hub.Agency(t, "harbour", "housing")
	keys := func() error {
		c, err := o.open(t).Client()
		if err == nil {
			_, err = c.Keys(t.Context(), "harbour")
		}
		return err
	}
	if err := keys(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(o.dir, "known", "harbour.json")
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	other.Renew(t)
	c, err := o.open(t).Client()
	if err != nil {
		t.Fatal(err)
	}
	h, err := c.KeyHistory(t.Context(), "harbour")
	if err != nil || h.Known != 3 || !errors.Is(h.Unconfirmed(), client.ErrKeySwapped) {
		t.Errorf("after another start: %+v, %v", h, err)
	}
	for _, damaged := range []string{"", "{}", `{"v":1,"partner":"harbour","entries":[],"keys":[]}`, `{"v":1,"partner":"rosewood","entries":["x"],"keys":[]}`} {
		if err := os.WriteFile(path, []byte(damaged), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := keys(); err == nil || !strings.Contains(err.Error(), "is damaged") {
			t.Errorf("%q: %v", damaged, err)
		}
	}
}
