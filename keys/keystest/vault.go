package keystest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Vault is a real Vault server (keys/vaulttest) with file storage, as a process of its own
// that ends with the test. It keeps its address over restarts.
type Vault struct {
	Addr string

	t       testing.TB
	program string
	dir     string
	cmd     *exec.Cmd
	tie     io.Closer
	state   struct {
		RootToken string `json:"root_token"`
		UnsealKey string `json:"unseal_key"`
	}
}

// StartVault starts one, unsealed. HUB_TEST_VAULT is the program, as deploy/dev/vault.sh
// prints it and make test sets it; without it, what that script has built is taken, and if
// there is nothing, or HUB_TEST_VAULT is off, the test is skipped.
func StartVault(t testing.TB) *Vault {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	v := &Vault{t: t, program: vaultProgram(t), dir: t.TempDir(), Addr: "http://" + listener.Addr().String()}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	v.Start()
	v.Unseal() // where it has read the key itself this changes nothing
	t.Cleanup(v.Kill)
	return v
}

func vaultProgram(t testing.TB) string {
	t.Helper()
	program := os.Getenv("HUB_TEST_VAULT")
	switch program {
	case "off":
		t.Skip("NOT TESTED: HUB_TEST_VAULT=off leaves out what needs a real Vault")
	case "":
		program = filepath.Join(repository(), ".cache", "vaulttest")
		if _, err := os.Stat(program); err != nil {
			t.Skip("NOT TESTED: there is no Vault to test against; deploy/dev/vault.sh builds one, and make test calls it")
		}
	}
	return program
}

// repository is the root of this module.
func repository() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

// Start starts the server after Kill. With storage that is not new it comes back sealed,
// as a production server does.
func (v *Vault) Start() {
	v.t.Helper()
	statePath := filepath.Join(v.dir, "state.json")
	args := []string{"-tied", "-store", filepath.Join(v.dir, "storage"), "-state", statePath, "-listen", strings.TrimPrefix(v.Addr, "http://")}
	if _, err := os.Stat(statePath); err == nil {
		args = append(args, "-sealed")
	}
	v.cmd = exec.CommandContext(context.WithoutCancel(v.t.Context()), v.program, args...)
	tie, err := v.cmd.StdinPipe()
	if err != nil {
		v.t.Fatal(err)
	}
	v.tie = tie
	log := new(bytes.Buffer)
	v.cmd.Stderr = log
	if err := v.cmd.Start(); err != nil {
		v.t.Fatalf("starting Vault: %v (deploy/dev/vault.sh builds it)", err)
	}
	for range 600 {
		if v.Try("", http.MethodGet, "sys/seal-status", nil) == nil {
			v.readState(statePath)
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	v.Kill()
	v.t.Fatalf("Vault did not start: %s", log)
}

func (v *Vault) readState(path string) {
	v.t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &v.state)
	}
	if err != nil {
		v.t.Fatal(err)
	}
}

// Kill ends the server with SIGKILL.
func (v *Vault) Kill() {
	if v.cmd.ProcessState != nil {
		return
	}
	_ = v.cmd.Process.Kill()
	_ = v.cmd.Wait()
	_ = v.tie.Close()
}

// Seal seals it: it then answers 503 to everything.
func (v *Vault) Seal() { v.t.Helper(); v.Do(http.MethodPut, "sys/seal", nil) }

// Unseal unseals it.
func (v *Vault) Unseal() {
	v.t.Helper()
	v.Do(http.MethodPut, "sys/unseal", map[string]any{"key": v.state.UnsealKey})
}

// Do sends one request as root and returns the answer's data. A refusal fails the test.
func (v *Vault) Do(method, path string, body any) map[string]any {
	v.t.Helper()
	data, err := v.try(v.state.RootToken, method, path, body)
	if err != nil {
		v.t.Fatal(err)
	}
	return data
}

// Try sends one request with a token, for what a test expects to be refused.
func (v *Vault) Try(token, method, path string, body any) error {
	_, err := v.try(token, method, path, body)
	return err
}

func (v *Vault) try(token, method, path string, body any) (map[string]any, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(v.t.Context(), method, v.Addr+"/v1/"+path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	request.Header.Set("X-Vault-Token", token)
	answer, err := (&http.Client{Timeout: 10 * time.Second}).Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode >= 300 {
		return nil, fmt.Errorf("%s %s: %d %s", method, path, answer.StatusCode, content)
	}
	var whole struct {
		Data map[string]any `json:"data"`
		Auth map[string]any `json:"auth"`
	}
	if len(content) > 0 {
		if err := json.Unmarshal(content, &whole); err != nil {
			return nil, err
		}
	}
	if whole.Auth != nil {
		return whole.Auth, nil
	}
	return whole.Data, nil
}

// Prepare runs deploy/vault/setup.sh for a transit engine of its own and returns the folder
// with the role ids and secret ids: hub.role-id, hub.secret-id, operator.role-id,
// operator.secret-id.
func (v *Vault) Prepare(mount string) (dir string) {
	v.t.Helper()
	dir = v.t.TempDir()
	token := filepath.Join(dir, "root-token")
	if err := os.WriteFile(token, []byte(v.state.RootToken), 0o600); err != nil {
		v.t.Fatal(err)
	}
	setup := exec.CommandContext(v.t.Context(), filepath.Join(repository(), "deploy/vault/setup.sh"), dir)
	setup.Env = append(os.Environ(), "VAULT_ADDR="+v.Addr, "VAULT_TOKEN_FILE="+token, "MOUNT="+mount, "NAME="+mount)
	if out, err := setup.CombinedOutput(); err != nil {
		v.t.Fatalf("deploy/vault/setup.sh: %v\n%s", err, out)
	}
	return dir
}
