package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"handover/audit/proof"
)

// Config is everything an operator can set. Each field's comment stands in
// deploy/hub.env.example, which a test keeps equal. A variable of the environment
// counts before the same line of the file HUB_CONFIG names; an empty value is no
// value. Secrets come from files only, because an environment is inherited by
// every child process and shows in process listings; Config prints none of them.
type Config struct {
	// A file of lines NAME=value, read before the environment. Only the environment can name it.
	File string `env:"HUB_CONFIG"`
	// Where the hub keeps its keys, its built-in PostgreSQL and what it must remember between starts.
	Dir string `env:"HUB_DIR" default:".handover"`
	// The port of the public API on 127.0.0.1, unless HUB_LISTEN says more. 0 takes a free one.
	Port int `env:"PORT" default:"8080" min:"0" max:"65535"`
	// The address of the public API, as 0.0.0.0:8080; counts before PORT. TLS ends in front of the hub.
	Listen string `env:"HUB_LISTEN"`
	// The hub's public URL, as partners write it: https, no path. Without it http://localhost:PORT. Partners sign it into every packet: it cannot change later.
	Issuer string `env:"HUB_ISSUER"`
	// The address for metrics, profiles and probes, or off. Profiles show memory: no partner may reach it.
	PrivateListen string `env:"HUB_PRIVATE_LISTEN" default:"127.0.0.1:0"`
	// A PostgreSQL server, as postgres://hub@db.example/handover?sslmode=verify-full. Without it the hub starts one of its own.
	DatabaseURL string `env:"HUB_DATABASE_URL"`
	// The file that holds the password for HUB_DATABASE_URL.
	DatabasePasswordFile string `env:"HUB_DATABASE_PASSWORD_FILE"`
	// The folder that holds initdb and postgres for the built-in server. Without it the hub looks in the usual places.
	PGBin string `env:"HUB_PG_BIN"`
	// How many connections to PostgreSQL the hub keeps for requests.
	Pool int32 `env:"HUB_POOL" default:"12" min:"8" max:"16"`
	// The file of the root key under which the hub's keys are sealed. Without it, and without a passphrase, root.key in HUB_DIR, made at the first start.
	KeyFile string `env:"HUB_KEY_FILE"`
	// The file that holds a passphrase, in place of a root key file.
	KeyPassphraseFile string `env:"HUB_KEY_PASSPHRASE_FILE"`
	// A HashiCorp Vault that keeps the hub's keys in its transit engine, as https://vault.example:8200. deploy/vault prepares it.
	VaultAddress string `env:"VAULT_ADDR"`
	// The file that holds the role id of the hub's AppRole in Vault.
	VaultRoleIDFile string `env:"HUB_VAULT_ROLE_ID_FILE"`
	// The file that holds a secret id of that AppRole. Both are read anew at each login.
	VaultSecretIDFile string `env:"HUB_VAULT_SECRET_ID_FILE"`
	// Where Vault has its transit engine.
	VaultMount string `env:"HUB_VAULT_MOUNT" default:"transit"`
	// Where Vault has its AppRole method.
	VaultAppRole string `env:"HUB_VAULT_APPROLE" default:"approle"`
	// A file of CA certificates in PEM with which Vault's certificate is checked, in place of the system's.
	VaultCAFile string `env:"HUB_VAULT_CA_FILE"`
	// Where keys are made and secrets are wrapped, local or vault, while they move from one to the other; what the other has counts until then. Without it vault if VAULT_ADDR is set, else local.
	KeyStore string `env:"HUB_KEYS"`
	// How long an answer waits for the checkpoint that covers it, before it says receipt-pending.
	ReceiptWait time.Duration `env:"HUB_RECEIPT_WAIT" default:"5s" min:"100ms" max:"30s"`
	// The file of the policy of witnesses (C2SP tlog-policy, with their URLs) that cosign the log's checkpoints: docs/witness.md. Without it the log is signed by the hub alone.
	WitnessPolicyFile string `env:"HUB_WITNESS_POLICY"`
	// How long a receipt waits for enough witnesses, and how long one of them may take to answer. Then the receipt has the hub's signature alone, and can be asked for again.
	WitnessWait time.Duration `env:"HUB_WITNESS_WAIT" default:"2s" min:"100ms" max:"15s"`
	// The most requests worked on at once, a quarter of them for one network; beyond it the hub answers 503. Each may hold a body of 4 MiB.
	MaxInFlight int `env:"HUB_MAX_IN_FLIGHT" default:"256" min:"1" max:"10000"`
	// The proxies in front of the hub, as 10.0.0.0/8 with commas between: what they write into X-Forwarded-For is believed, and limits are then for the addresses there.
	Proxies string `env:"HUB_PROXIES"`
	// Requests a second from one address, with a burst of ten seconds' worth. 0 is no limit; so with the next three.
	RateAddress int `env:"HUB_RATE_ADDRESS" default:"300" min:"0" max:"100000"`
	// Requests a second with tokens of one system, from one address.
	RateClient int `env:"HUB_RATE_CLIENT" default:"100" min:"0" max:"100000"`
	// Requests a second with tokens of one person, from one address.
	RateUser int `env:"HUB_RATE_USER" default:"20" min:"0" max:"100000"`
	// Token requests a second from one address; of one system a quarter of that.
	RateTokens int `env:"HUB_RATE_TOKENS" default:"20" min:"0" max:"100000"`
	// What the hub writes to its own log: debug, info, warn or error.
	LogLevel slog.Level `env:"HUB_LOG_LEVEL" default:"info"`

	passphrase string       // what KeyPassphraseFile holds
	witnesses  proof.Policy // what WitnessPolicyFile holds
}

// Passphrase is what HUB_KEY_PASSPHRASE_FILE holds, or "".
func (c Config) Passphrase() string { return c.passphrase }

// Bound returns c for a hub that has been given port: the issuer of a hub on a
// free port is known only then.
func (c Config) Bound(port int) Config {
	if c.Issuer == "" {
		c.Issuer = "http://localhost:" + strconv.Itoa(port)
	}
	return c
}

// setting is one field of Config with the variable it is read from.
type setting struct {
	index            int
	name, def        string
	minimum, maximum string
}

func settings() []setting {
	t := reflect.TypeFor[Config]()
	var all []setting
	for i := range t.NumField() {
		tag := t.Field(i).Tag
		if name := tag.Get("env"); name != "" {
			all = append(all, setting{i, name, tag.Get("default"), tag.Get("min"), tag.Get("max")})
		}
	}
	return all
}

// load reads the configuration from an environment (os.Environ) and the file it
// names. Its error holds every mistake, so that an operator mends them in one go.
func load(environ []string) (Config, error) {
	values := map[string]string{}
	var mistakes []error
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		if value != "" && (known(name) || strings.HasPrefix(name, "HUB_") && name != "HUB_TEST_VAULT") { // that one is make test's
			values[name] = value
		}
	}
	if path := values["HUB_CONFIG"]; path != "" {
		inFile, err := readSettings(path)
		mistakes = append(mistakes, err)
		for name, value := range inFile {
			if _, set := values[name]; !set {
				values[name] = value
			}
		}
	}
	for name := range values {
		if !known(name) {
			mistakes = append(mistakes, fmt.Errorf("%s: there is no such setting; deploy/hub.env.example lists them", name))
		}
	}
	var c Config
	for _, s := range settings() {
		text := values[s.name]
		if text == "" {
			text = s.def
		}
		mistakes = append(mistakes, s.set(reflect.ValueOf(&c).Elem().Field(s.index), text))
	}
	mistakes = append(mistakes, c.complete())
	if err := errors.Join(mistakes...); err != nil {
		return Config{}, err
	}
	return c, nil
}

func known(name string) bool {
	return slices.ContainsFunc(settings(), func(s setting) bool { return s.name == name })
}

// set parses text into a field. An empty text leaves it as it is.
func (s setting) set(field reflect.Value, text string) error {
	if text == "" {
		return nil
	}
	switch field.Interface().(type) {
	case string:
		field.SetString(text)
	case int, int32:
		low, _ := strconv.ParseInt(s.minimum, 10, 32)
		high, _ := strconv.ParseInt(s.maximum, 10, 32)
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil || n < low || n > high {
			return fmt.Errorf("%s: must be a whole number from %d to %d", s.name, low, high)
		}
		field.SetInt(n)
	case time.Duration:
		low, _ := time.ParseDuration(s.minimum)
		high, _ := time.ParseDuration(s.maximum)
		d, err := time.ParseDuration(text)
		if err != nil || d < low || d > high {
			return fmt.Errorf("%s: must be a time from %s to %s, such as %s", s.name, s.minimum, s.maximum, s.def)
		}
		field.SetInt(int64(d))
	case slog.Level:
		level, ok := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}[text]
		if !ok {
			return fmt.Errorf("%s: must be debug, info, warn or error", s.name)
		}
		field.Set(reflect.ValueOf(level))
	}
	return nil
}

// readSettings reads a file of NAME=value lines. Quotes are part of the value: the
// file means the same to the hub, to systemd and to a container engine only if
// nobody needs them.
func readSettings(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("HUB_CONFIG: %w", reason(err))
	}
	values := map[string]string{}
	var mistakes []error
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		_, twice := values[name]
		switch {
		case !ok || strings.TrimSpace(name) != name || strings.TrimSpace(value) != value || strings.HasPrefix(value, `"`) || strings.HasPrefix(value, `'`):
			mistakes = append(mistakes, fmt.Errorf("HUB_CONFIG, line %d: must be NAME=value, without spaces around = and without quotes", n))
		case name == "HUB_CONFIG":
			mistakes = append(mistakes, fmt.Errorf("HUB_CONFIG, line %d: a file cannot name another", n))
		case twice:
			mistakes = append(mistakes, fmt.Errorf("HUB_CONFIG, line %d: %s is set twice", n, name))
		default:
			values[name] = value
		}
	}
	return values, errors.Join(append(mistakes, lines.Err())...)
}

// complete checks what concerns several settings, and reads the secrets.
func (c *Config) complete() error {
	return errors.Join(c.completeListen(), c.completeIssuer(), c.completePrivate(), c.completeDatabase(), c.completeKeys(), c.completeVault(), c.completeProxies(), c.completeWitnesses())
}

func (c *Config) completeListen() error {
	if c.Listen == "" {
		c.Listen = net.JoinHostPort("127.0.0.1", strconv.Itoa(c.Port))
		return nil
	}
	port, err := portOf(c.Listen)
	if err != nil {
		return fmt.Errorf("HUB_LISTEN: %w", err)
	}
	c.Port = port
	return nil
}

// completeIssuer checks the URL that every token, packet and checkpoint names. One
// spelling, because it is compared byte by byte; https, because tokens and proofs
// that travel in clear can be taken.
func (c *Config) completeIssuer() error {
	if c.Issuer == "" {
		if c.Port != 0 {
			*c = c.Bound(c.Port)
		}
		return nil
	}
	u, err := url.Parse(c.Issuer)
	if err != nil || u.Host == "" || u.Scheme+"://"+u.Host != c.Issuer || strings.ToLower(c.Issuer) != c.Issuer {
		return errors.New("HUB_ISSUER: must be a URL of scheme and host only, in small letters, such as https://hub.example")
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		return errors.New("HUB_ISSUER: must name a host, not an address: people's passkeys belong to a name (for this machine, localhost)")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return errors.New("HUB_ISSUER: must begin with https://, unless the host is localhost")
	}
	return nil
}

func (c *Config) completePrivate() error {
	if c.PrivateListen == "off" {
		return nil
	}
	port, err := portOf(c.PrivateListen)
	if err != nil {
		return fmt.Errorf("HUB_PRIVATE_LISTEN: %w, or off", err)
	}
	if port != 0 && port == c.Port {
		return errors.New("HUB_PRIVATE_LISTEN: must be another port than the public one: partners must not reach it")
	}
	return nil
}

func (c *Config) completeKeys() error {
	if c.KeyPassphraseFile == "" {
		if c.KeyFile == "" {
			c.KeyFile = filepath.Join(c.Dir, "root.key")
		}
		return nil
	}
	if c.KeyFile != "" {
		return errors.New("HUB_KEY_FILE and HUB_KEY_PASSPHRASE_FILE: set one of them; keys are sealed under one root")
	}
	words, err := readSecret(c.KeyPassphraseFile)
	if err != nil {
		return fmt.Errorf("HUB_KEY_PASSPHRASE_FILE: %w", err)
	}
	c.passphrase = words
	return nil
}

// readSecret returns the one line that a file holds. Its errors do not repeat the
// file's name: the commonest mistake is to write the secret there.
func readSecret(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", reason(err)
	}
	if info.Mode().Perm()&0o007 != 0 {
		return "", errors.New("everybody on this machine can use the file: run chmod o= on it")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", reason(err)
	}
	secret := strings.TrimRight(string(text), "\r\n")
	if secret == "" || strings.ContainsAny(secret, "\r\n\x00") {
		return "", errors.New("the file must hold one line")
	}
	return secret, nil
}

// reason is why a file could not be read, without its name.
func reason(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("reading the file: %w", e.Err)
	}
	return err
}

func portOf(address string) (int, error) {
	_, text, err := net.SplitHostPort(address)
	port, bad := strconv.ParseUint(text, 10, 16)
	if err != nil || bad != nil {
		return 0, errors.New("must be an address and port, such as 127.0.0.1:8080")
	}
	return int(port), nil
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// Redacted lists every setting as NAME=value, in order, without secrets.
func (c Config) Redacted() string {
	var b strings.Builder
	for _, s := range settings() {
		value := reflect.ValueOf(c).Field(s.index).Interface()
		if level, ok := value.(slog.Level); ok {
			value = strings.ToLower(level.String())
		}
		if s.name == "HUB_DATABASE_URL" {
			value = withoutPassword(c.DatabaseURL)
		}
		fmt.Fprintf(&b, "%s=%v\n", s.name, value)
	}
	return b.String()
}

// Format prints c without secrets, whatever the verb.
func (c Config) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.Redacted()) }

// LogValue is c without secrets.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.Redacted()) }

// MarshalText is c without secrets, for whoever encodes it as JSON.
func (c Config) MarshalText() ([]byte, error) { return []byte(c.Redacted()), nil }
