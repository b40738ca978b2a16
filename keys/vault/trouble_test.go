package vault_test

import (
	"crypto"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"handover/keys"
	"handover/keys/jose"
	"handover/keys/keystest"
	"handover/keys/vault"
)

// TestUnderThePoliciesOfDeploy: what the operator made, the hub can use, and it can make,
// change, destroy and take out nothing.
func TestUnderThePoliciesOfDeploy(t *testing.T) {
	server := keystest.StartVault(t)
	dir := server.Prepare("transit")
	operator, hub := open(t, server, "transit", dir, "operator"), open(t, server, "transit", dir, "hub")
	if _, err := hub.Wrap(t.Context(), []byte("x"), nil); !errors.Is(err, keys.ErrUnavailable) {
		t.Errorf("wrapping without a key: %v, want ErrUnavailable", err)
	}
	if err := hub.Ready(t.Context()); !errors.Is(err, keys.ErrUnavailable) || !strings.Contains(err.Error(), "hub keys init") {
		t.Errorf("ready without a key: %v", err)
	}
	if err := operator.EnsureWrapping(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, alg := range map[string]jose.Algorithm{"access-token": jose.ES256, "checkpoint": jose.EdDSA, "partner-elm-lane": jose.ES256} {
		k, err := operator.Rotate(t.Context(), name, alg)
		if err != nil {
			t.Fatal(err)
		}
		digest, opts := sha256.Sum256(nil), crypto.SHA256
		if alg == jose.EdDSA {
			opts = 0
		}
		if _, err := hub.Sign(t.Context(), name, k.KeyID(), digest[:], opts); err != nil {
			t.Errorf("signing with %s: %v", name, err)
		}
		if _, err := hub.Rotate(t.Context(), name, alg); !errors.Is(err, keys.ErrUnavailable) {
			t.Errorf("the hub rotated %s: %v", name, err)
		}
	}
	if _, err := hub.Rotate(t.Context(), "new", jose.ES256); !errors.Is(err, keys.ErrUnavailable) {
		t.Errorf("the hub made a key: %v", err)
	}
	blob, err := hub.Wrap(t.Context(), []byte("a private key"), []byte("aad"))
	if err != nil {
		t.Fatal(err)
	}
	if n, err := operator.RotateWrapping(t.Context()); err != nil || n != 2 {
		t.Errorf("rotated to version %d, %v", n, err)
	}
	if err := hub.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	again, err := keys.Rewrap(t.Context(), hub, blob, []byte("aad"))
	if err != nil || !strings.HasPrefix(again, "vault:v2:") {
		t.Errorf("wrapped anew: %.20s, %v", again, err)
	}
	if got, err := hub.Unwrap(t.Context(), blob, []byte("aad")); err != nil || string(got) != "a private key" {
		t.Errorf("the old blob: %q, %v", got, err)
	}
	if all, err := operator.List(t.Context()); err != nil || len(all) != 3 {
		t.Errorf("listed %v, %v", all, err)
	}
	for _, role := range []string{"hub", "operator"} {
		token := login(t, server, dir, role)
		for _, request := range []struct{ method, path string }{
			{http.MethodGet, "transit/export/signing-key/access-token.es256"}, {http.MethodGet, "transit/backup/access-token.es256"},
			{http.MethodDelete, "transit/keys/access-token.es256"}, {http.MethodPost, "transit/encrypt/another"},
			{http.MethodPost, "transit/decrypt/another"}, {http.MethodGet, "sys/policies/acl/transit-hub"}, {http.MethodPost, "transit/restore/x"},
		} {
			if err := server.Try(token, request.method, request.path, map[string]string{"plaintext": ""}); err == nil || !strings.Contains(err.Error(), " 403 ") {
				t.Errorf("%s: %s %s: %v, want 403", role, request.method, request.path, err)
			}
		}
	}
}

func login(t *testing.T, server *keystest.Vault, dir, role string) string {
	t.Helper()
	read := func(what string) string {
		text, err := os.ReadFile(filepath.Join(dir, role+"."+what))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(text))
	}
	auth := server.Do(http.MethodPost, "auth/approle/login", map[string]string{"role_id": read("role-id"), "secret_id": read("secret-id")})
	token, _ := auth["client_token"].(string)
	return token
}

// TestVaultThatCannotBeAskedIsSaidToBe: whatever is the matter, the answer is ErrUnavailable
// with the reason, soon, and all is well again by itself.
func TestVaultThatCannotBeAskedIsSaidToBe(t *testing.T) {
	server := keystest.StartVault(t)
	dir := prepare(t, server, "transit")
	operator, hub := open(t, server, "transit", dir, "operator"), open(t, server, "transit", dir, "hub")
	k, err := operator.Rotate(t.Context(), "access-token", jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	blob, err := hub.Wrap(t.Context(), []byte("kept"), nil)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(nil)
	sign := func() error {
		_, err := hub.Sign(t.Context(), "access-token", k.KeyID(), digest[:], crypto.SHA256)
		return err
	}
	fine := func(when string) {
		t.Helper()
		got, err := hub.Unwrap(t.Context(), blob, nil)
		if err := errors.Join(sign(), err, hub.Ready(t.Context())); err != nil || string(got) != "kept" {
			t.Fatalf("%s: %q, %v", when, got, err)
		}
	}
	away := func(when, why string) {
		t.Helper()
		_, errWrap := hub.Wrap(t.Context(), []byte("x"), nil)
		_, errUnwrap := hub.Unwrap(t.Context(), blob, nil)
		_, errPublic := hub.Public(t.Context(), "never-asked")
		_, errRotate := operator.Rotate(t.Context(), "access-token", jose.ES256)
		for what, err := range map[string]error{"Sign": sign(), "Wrap": errWrap, "Unwrap": errUnwrap, "Public": errPublic,
			"Rotate": errRotate, "Ready": hub.Ready(t.Context())} {
			if !errors.Is(err, keys.ErrUnavailable) || !strings.Contains(err.Error(), why) {
				t.Errorf("%s: %s: %v, want ErrUnavailable with %q", when, what, err, why)
			}
		}
	}
	fine("at first")
	server.Seal()
	away("sealed", "Vault is sealed")
	server.Unseal()
	fine("unsealed")
	server.Kill()
	away("dead", "Vault does not answer")
	server.Start()
	away("started", "Vault is sealed")
	server.Unseal()
	fine("restarted")
	if got, err := hub.Public(t.Context(), "access-token"); err != nil || len(got) != 1 {
		t.Errorf("a rotation that failed has made a version: %v, %v", got, err)
	}
	// All tokens are taken away: the hub logs in again.
	time.Sleep(1100 * time.Millisecond) // a token is not replaced within a second
	server.Do(http.MethodPut, "sys/leases/revoke-prefix/auth/approle", nil)
	fine("with another token")
	server.Do(http.MethodDelete, "auth/approle/role/transit-hub", nil)
	server.Do(http.MethodPut, "sys/leases/revoke-prefix/auth/approle", nil)
	time.Sleep(1100 * time.Millisecond)
	if err := sign(); !errors.Is(err, keys.ErrUnavailable) || !strings.Contains(err.Error(), "role id and secret id") {
		t.Errorf("without a role: %v", err)
	}
}

// A Vault that takes connections and says nothing costs a call its bound, and no more.
func TestVaultThatSaysNothingIsWaitedForNoLongerThanSaid(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(io.Discard, c) }() // it stays open, and silent
		}
	}()
	dir := t.TempDir()
	for _, name := range []string{"hub.role-id", "hub.secret-id"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := vault.Open(vault.Config{Address: "http://" + l.Addr().String(),
		RoleIDFile: filepath.Join(dir, "hub.role-id"), SecretIDFile: filepath.Join(dir, "hub.secret-id")})
	if err != nil {
		t.Fatal(err)
	}
	answers := make(chan error, 16)
	for range cap(answers) { // at once: they share the one login, so none waits behind another
		go func() { _, err := s.Wrap(t.Context(), []byte("x"), nil); answers <- err }()
	}
	deadline := time.After(20 * time.Second) // 16 times the bound would be 40 s
	for range cap(answers) {
		select {
		case err := <-answers:
			if !errors.Is(err, keys.ErrUnavailable) || !strings.Contains(err.Error(), "does not answer") {
				t.Errorf("%v, want ErrUnavailable", err)
			}
		case <-deadline:
			t.Fatal("callers wait for each other's timeouts")
		}
	}
}

func TestTokenIsRenewedAndReplaced(t *testing.T) {
	server := keystest.StartVault(t)
	dir := prepare(t, server, "transit")
	hub := open(t, server, "transit", dir, "hub")
	now := time.Now()
	hub.Now = func() time.Time { return now }
	tokens := func() int {
		found, _ := server.Do("LIST", "auth/token/accessors", nil)["keys"].([]any)
		return len(found)
	}
	use := func() {
		t.Helper()
		if _, err := hub.Wrap(t.Context(), []byte("x"), nil); err != nil {
			t.Fatal(err)
		}
	}
	use()
	one := tokens()
	now = now.Add(41 * time.Minute) // of an hour: it is renewed, and no other is made
	use()
	now = now.Add(41 * time.Minute)
	use()
	if got := tokens(); got != one {
		t.Errorf("%d tokens after renewals, want %d", got, one)
	}
	now = now.Add(2 * time.Hour) // idle for longer than it lives
	use()
	if got := tokens(); got != one+1 {
		t.Errorf("%d tokens after a long pause, want %d", got, one+1)
	}
}

func TestVersionRetiresAndIsDestroyed(t *testing.T) {
	server := keystest.StartVault(t)
	operator := open(t, server, "transit", prepare(t, server, "transit"), "operator")
	now := time.Now()
	operator.Now = func() time.Time { return now }
	digest := sha256.Sum256(nil)
	var made []jose.PublicKey
	for range 3 {
		k, err := operator.Rotate(t.Context(), "access-token", jose.ES256)
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, k)
	}
	now = now.Add(keys.Overlap + time.Minute)
	if got, err := operator.Public(t.Context(), "access-token"); err != nil || len(got) != 1 || !got[0].Equal(made[2]) {
		t.Errorf("after the overlap %v, %v", got, err)
	}
	for _, k := range made[:2] {
		if _, err := operator.Sign(t.Context(), "access-token", k.KeyID(), digest[:], crypto.SHA256); !errors.Is(err, keys.ErrUnknownKey) {
			t.Errorf("a retired version: %v, want ErrUnknownKey", err)
		}
	}
	if _, err := operator.Rotate(t.Context(), "access-token", jose.ES256); err != nil {
		t.Fatal(err)
	}
	key := server.Do(http.MethodGet, "transit/keys/access-token.es256", nil)
	if fmt.Sprint(key["min_available_version"]) != "3" || fmt.Sprint(key["latest_version"]) != "4" {
		t.Errorf("Vault has versions %v to %v, want 3 to 4", key["min_available_version"], key["latest_version"])
	}
	// The algorithm changes: what came before retires the same.
	now = time.Now()
	if _, err := operator.Rotate(t.Context(), "access-token", jose.EdDSA); err != nil {
		t.Fatal(err)
	}
	now = now.Add(keys.Overlap + time.Minute)
	if got, err := operator.Public(t.Context(), "access-token"); err != nil || len(got) != 1 || got[0].Algorithm() != jose.EdDSA {
		t.Errorf("after the change %v, %v", got, err)
	}
	if _, err := operator.Rotate(t.Context(), "access-token", jose.EdDSA); err != nil {
		t.Fatal(err)
	}
}
