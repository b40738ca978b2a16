package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"handover/internal/ids"
	"handover/keys"
	"handover/keys/jose"
	"handover/keys/vault"
	"handover/referral/packet"
)

// vaultBed is a Vault prepared as an operator does it, with the keys of one managed agency,
// and what is measured on it: what the hub does to sign and open for somebody, beside the
// one call to the transit engine that it cannot do without.
type vaultBed struct {
	process *exec.Cmd
	dir     string
	address string
	token   string
	http    *http.Client

	store  *vault.Store
	signer jose.PublicKey
	other  jose.PublicKey // the partner that she sends to

	kid     string // of the agency's encryption key
	wrapped string
	sealed  string // a section of 4 KiB sealed to it
	from    packet.Envelope
}

// custodyName is the key of the managed agency in the store.
const custodyName = "partner-bench"

// errNoVault means that the measurement was left out, as HUB_TEST_VAULT says.
var errNoVault = errors.New("HUB_TEST_VAULT names no Vault")

// startVault starts the program and prepares it with deploy/vault/setup.sh, as make run
// VAULT=1 does.
func startVault(ctx context.Context, program string) (_ *vaultBed, err error) {
	if program == "" || program == "off" {
		return nil, errNoVault
	}
	v := &vaultBed{http: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	defer func() {
		if err != nil {
			v.stop()
		}
	}()
	if v.dir, err = os.MkdirTemp("", "handover-bench-vault-"); err != nil {
		return nil, err
	}
	state := filepath.Join(v.dir, "state.json")
	v.process = exec.CommandContext(ctx, program, "-state", state)
	if err := v.process.Start(); err != nil {
		return nil, err
	}
	var known struct {
		Address string `json:"addr"`
		Root    string `json:"root_token"`
	}
	for range 100 {
		text, _ := os.ReadFile(state)
		if json.Unmarshal(text, &known) == nil && known.Address != "" {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	v.address, v.token = known.Address, known.Root
	root := filepath.Join(v.dir, "root-token")
	if err := os.WriteFile(root, []byte(v.token+"\n"), 0o600); err != nil {
		return nil, err
	}
	setup := exec.CommandContext(ctx, "deploy/vault/setup.sh", v.dir)
	setup.Env = append(os.Environ(), "VAULT_ADDR="+v.address, "VAULT_TOKEN_FILE="+root)
	if said, err := setup.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("preparing Vault: %w: %s", err, said)
	}
	if err := v.login(ctx); err != nil {
		return nil, fmt.Errorf("logging in to Vault: %w", err)
	}
	return v, v.furnish(ctx)
}

// login gets a token for the bare calls as the hub gets its own: under the root token, for
// which Vault looks at no policy, a call takes it half the time.
func (v *vaultBed) login(ctx context.Context) error {
	login := map[string]string{}
	for field, file := range map[string]string{"role_id": "hub.role-id", "secret_id": "hub.secret-id"} {
		text, err := os.ReadFile(filepath.Join(v.dir, file))
		if err != nil {
			return err
		}
		login[field] = strings.TrimSpace(string(text))
	}
	body, err := json.Marshal(login)
	if err != nil {
		return err
	}
	text, err := v.ask(ctx, "auth/approle/login", body)
	if err != nil {
		return err
	}
	var answer struct {
		Auth struct {
			Token string `json:"client_token"`
		} `json:"auth"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return err
	}
	v.token = answer.Auth.Token
	return nil
}

func (v *vaultBed) stop() {
	if v.process != nil && v.process.Process != nil {
		_ = v.process.Process.Kill() // it holds nothing that is worth an orderly end
		_ = v.process.Wait()
	}
	_ = os.RemoveAll(v.dir)
}

func (v *vaultBed) open(role string) (*vault.Store, error) {
	return vault.Open(vault.Config{Address: v.address, RoleIDFile: filepath.Join(v.dir, role+".role-id"),
		SecretIDFile: filepath.Join(v.dir, role+".secret-id")})
}

// furnish makes the agency's keys, and a packet that waits for it.
func (v *vaultBed) furnish(ctx context.Context) error {
	operator, err := v.open("operator")
	if err != nil {
		return err
	}
	if err := operator.EnsureWrapping(ctx); err != nil {
		return err
	}
	if v.signer, err = operator.Rotate(ctx, custodyName, jose.ES256); err != nil {
		return err
	}
	if v.store, err = v.open("hub"); err != nil {
		return err
	}
	own, err := jose.Generate(jose.ECDHESA256KW, jose.P256)
	if err != nil {
		return err
	}
	v.kid = own.KeyID()
	if v.wrapped, err = v.store.Wrap(ctx, own.JWK(), v.aad()); err != nil {
		return err
	}
	theirs, err := jose.Generate(jose.ECDHESA256KW, jose.P256)
	if err != nil {
		return err
	}
	v.other = theirs.Public()
	signing, err := jose.Generate(jose.ES256, jose.P256)
	if err != nil {
		return err
	}
	p, err := packet.Seal(v.claims(), content(), packet.To{Recipient: own.Public()}, signing.Signer(), time.Now())
	if err != nil {
		return err
	}
	stated, err := packet.ParseEnvelope(p.Envelope)
	if err != nil {
		return err
	}
	v.from, err = stated.Verify(signing.Public())
	v.sealed = p.Sections["need"]
	return err
}

func (v *vaultBed) aad() []byte {
	return []byte("handover managed key v1\nbench\n" + v.kid + "\nencryption\n1")
}

func (v *vaultBed) claims() packet.Claims {
	return packet.Claims{Hub: "https://hub.example", Issuer: "bench", Audience: "other", Event: packet.Request,
		Subject: strings.Repeat("A", 22), Purpose: "housing", Urgency: "urgent", Service: "0190a000-0000-7000-8000-000000000001",
		Area: "E09000007", Act: "0190a000-0000-7000-8000-000000000002",
		Basis: &packet.Basis{Consent: "0190a000-0000-7000-8000-000000000003", Digest: ids.Digest("bench")}}
}

func content() map[string]packet.Content {
	text := make([]byte, 2048)
	_, _ = rand.Read(text)
	return map[string]packet.Content{"need": packet.Content(fmt.Sprintf(`{"summary":"%x"}`, text))}
}

// signs is what the hub does when it takes a step for somebody: write the envelope and sign.
func (v *vaultBed) signs(ctx context.Context) error {
	step := packet.Claims{Hub: "https://hub.example", Issuer: "bench", Audience: "other", Event: packet.Accept,
		Referral: ids.Digest("bench"), Prev: ids.Digest("bench"), Act: "0190a000-0000-7000-8000-000000000002"}
	_, err := packet.Seal(step, nil, packet.To{}, keys.SignerOf(ctx, v.store, custodyName, v.signer), time.Now())
	return err
}

// sends is what it does when it sends for somebody: besides, seal one section of 4 KiB to
// the recipient, and one copy to the agency's own key. Vault has no part in the sealing.
func (v *vaultBed) sends(ctx context.Context, own jose.PublicKey, data map[string]packet.Content) error {
	_, err := packet.Seal(v.claims(), data, packet.To{Recipient: v.other, Copy: &own},
		keys.SignerOf(ctx, v.store, custodyName, v.signer), time.Now())
	return err
}

// opens is what the hub does when it opens for somebody, once the release is logged: unwrap
// the key, decrypt, compare with what was signed, overwrite the key.
func (v *vaultBed) opens(ctx context.Context) error {
	jwk, err := v.store.Unwrap(ctx, v.wrapped, v.aad())
	if err != nil {
		return err
	}
	defer clear(jwk)
	key, err := jose.ParsePrivateKey(jwk)
	if err != nil {
		return err
	}
	defer key.Destroy()
	_, err = v.from.Unseal("need", v.sealed, key)
	return err
}

// call is one request to the transit engine and nothing else.
func (v *vaultBed) call(ctx context.Context, path string, body []byte) error {
	_, err := v.ask(ctx, "transit/"+path, body)
	return err
}

func (v *vaultBed) ask(ctx context.Context, path string, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, v.address+"/v1/"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("X-Vault-Token", v.token)
	answer, err := v.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("vault answered %s", answer.Status)
	}
	return text, err
}

// signCall and openCall are the bodies of those requests.
func (v *vaultBed) signCall() []byte {
	digest := sha256.Sum256([]byte("bench"))
	return fmt.Appendf(nil, `{"input":%q,"prehashed":true,"marshaling_algorithm":"asn1","key_version":1}`,
		base64.StdEncoding.EncodeToString(digest[:]))
}

func (v *vaultBed) openCall() []byte {
	return fmt.Appendf(nil, `{"ciphertext":%q,"associated_data":%q}`, v.wrapped, base64.StdEncoding.EncodeToString(v.aad()))
}
