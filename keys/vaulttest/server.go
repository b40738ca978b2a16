package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"
	aead "github.com/hashicorp/go-kms-wrapping/wrappers/aead/v2"
	"github.com/hashicorp/vault/audit"
	auditfile "github.com/hashicorp/vault/builtin/audit/file"
	"github.com/hashicorp/vault/builtin/credential/approle"
	"github.com/hashicorp/vault/builtin/logical/transit"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical"
	"github.com/hashicorp/vault/sdk/physical/file"
	"github.com/hashicorp/vault/sdk/physical/inmem"
	"github.com/hashicorp/vault/vault"
	"github.com/hashicorp/vault/vault/seal"
)

type options struct {
	store, state, listen string
	sealed               bool
}

// state is what a test needs to use the server and to unseal it after a restart.
type state struct {
	Addr      string `json:"addr"`
	RootToken string `json:"root_token"`
	UnsealKey string `json:"unseal_key"`
}

// serve runs the server until its process ends: it is stopped by a signal, and a storage
// folder outlives that, as it outlives kill -9.
func serve(o options) error {
	core, err := newCore(o.store)
	if err != nil {
		return err
	}
	st, err := initialise(core, o)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return err
	}
	st.Addr = "http://" + listener.Addr().String()
	handler := vaulthttp.Handler.Handler(&vault.HandlerProperties{
		Core: core, ListenerConfig: &configutil.Listener{Address: listener.Addr().String()}})
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	if err := writeState(o.state, st); err != nil {
		return err
	}
	fmt.Println(st.Addr)
	return server.Serve(listener)
}

func newCore(store string) (*vault.Core, error) {
	log := hclog.New(&hclog.LoggerOptions{Level: hclog.Warn, Output: os.Stderr})
	var backend physical.Backend
	var err error
	if store == "" {
		backend, err = inmem.NewInmem(nil, log)
	} else {
		backend, err = file.NewFileBackend(map[string]string{"path": store}, log)
	}
	if err != nil {
		return nil, err
	}
	return vault.NewCore(&vault.CoreConfig{
		Physical: backend, Logger: log, DisableMlock: true, BuiltinRegistry: registry{},
		Seal:               vault.NewDefaultSeal(&seal.Access{Wrapper: aead.NewShamirWrapper()}),
		LogicalBackends:    map[string]logical.Factory{"transit": transit.Factory, "kv": vault.PassthroughBackendFactory},
		CredentialBackends: map[string]logical.Factory{"approle": approle.Factory},
		AuditBackends:      map[string]audit.Factory{"file": auditfile.Factory},
	})
}

// initialise returns the secrets of a storage, made now or read from the state file, and
// leaves the core unsealed unless that was not wanted.
func initialise(core *vault.Core, o options) (state, error) {
	ctx := context.Background()
	made, err := core.Initialized(ctx)
	if err != nil {
		return state{}, err
	}
	var st state
	if made {
		st, err = readState(o.state)
	} else {
		st, err = create(ctx, core)
	}
	if err != nil || o.sealed {
		return st, err
	}
	key, err := base64.StdEncoding.DecodeString(st.UnsealKey)
	if err != nil {
		return state{}, fmt.Errorf("the unseal key of the state file: %w", err)
	}
	open, err := core.Unseal(key)
	if err == nil && !open {
		err = errors.New("the unseal key did not unseal the storage")
	}
	return st, err
}

func create(ctx context.Context, core *vault.Core) (state, error) {
	result, err := core.Initialize(ctx, &vault.InitParams{
		BarrierConfig:  &vault.SealConfig{SecretShares: 1, SecretThreshold: 1},
		RecoveryConfig: &vault.SealConfig{},
	})
	if err != nil {
		return state{}, err
	}
	return state{RootToken: result.RootToken,
		UnsealKey: base64.StdEncoding.EncodeToString(result.SecretShares[0])}, nil
}

func readState(path string) (state, error) {
	var st state
	text, err := os.ReadFile(path)
	if err != nil {
		return st, fmt.Errorf("the storage is not new, and its unseal key is in the state file: %w", err)
	}
	return st, json.Unmarshal(text, &st)
}

// writeState writes by way of a new file, so that who waits for the file reads it whole.
func writeState(path string, st state) error {
	if path == "" {
		return nil
	}
	text, err := json.Marshal(st)
	if err != nil {
		return err
	}
	next, err := os.CreateTemp(filepath.Dir(path), ".state-*")
	if err != nil {
		return err
	}
	_, err = io.WriteString(next, string(text)+"\n")
	if err := errors.Join(err, next.Close()); err != nil {
		return err
	}
	return os.Rename(next.Name(), path)
}

// registry is the set of built-in plugins: those compiled in, and no other.
type registry struct{}

func (registry) Get(string, consts.PluginType) (func() (any, error), bool) { return nil, false }

func (registry) Contains(name string, kind consts.PluginType) bool {
	switch kind {
	case consts.PluginTypeSecrets:
		return name == "transit" || name == "kv"
	case consts.PluginTypeCredential:
		return name == "approle"
	}
	return false
}

func (registry) Keys(consts.PluginType) []string { return nil }

func (registry) DeprecationStatus(string, consts.PluginType) (consts.DeprecationStatus, bool) {
	return consts.Supported, true
}
