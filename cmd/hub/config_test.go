package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var update = flag.Bool("update", false, "rewrite deploy/hub.env.example")

// file writes a file that only its owner can use.
func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAnEmptyEnvironmentIsAHubOnThisMachine(t *testing.T) {
	got, err := load([]string{"PATH=/bin", "HOME=/home/jo", "HUB_ISSUER="})
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Dir: ".handover", Port: 8080, Listen: "127.0.0.1:8080", Issuer: "http://localhost:8080",
		PrivateListen: "127.0.0.1:0", Pool: 12, KeyFile: ".handover/root.key",
		VaultMount: "transit", VaultAppRole: "approle", KeyStore: "local", ReceiptWait: 5 * time.Second, WitnessWait: 2 * time.Second, MaxInFlight: 256, LogLevel: slog.LevelInfo,
		RateAddress: 300, RateClient: 100, RateUser: 20, RateTokens: 20,
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Config{})); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
}

func TestTheEnvironmentCountsBeforeTheFile(t *testing.T) {
	path := file(t, "# a comment\n\nHUB_POOL=9\nHUB_LOG_LEVEL=debug\nPORT=9001\n  HUB_DIR=/srv/hub  \n")
	got, err := load([]string{"HUB_CONFIG=" + path, "HUB_POOL=16", "HUB_DIR="})
	if err != nil {
		t.Fatal(err)
	}
	if got.Pool != 16 || got.LogLevel != slog.LevelDebug || got.Port != 9001 || got.Dir != "/srv/hub" {
		t.Errorf("pool %d, level %v, port %d, dir %s", got.Pool, got.LogLevel, got.Port, got.Dir)
	}
	if got.Issuer != "http://localhost:9001" || got.KeyFile != "/srv/hub/root.key" {
		t.Errorf("issuer %s, key file %s", got.Issuer, got.KeyFile)
	}
}

func TestEachMistakeIsReported(t *testing.T) {
	rows := []struct {
		name string
		env  []string
		want string // "" for none
	}{
		{"unknown variable", []string{"HUB_ISUER=https://hub.example"}, "HUB_ISUER: there is no such setting"},
		{"foreign variable", []string{"HUBBUB=1", "DATABASE_URL=x"}, ""},

		{"port a word", []string{"PORT=http"}, "PORT: must be a whole number from 0 to 65535"},
		{"port too high", []string{"PORT=65536"}, "PORT: must be"},
		{"pool too small", []string{"HUB_POOL=7"}, "HUB_POOL: must be a whole number from 8 to 16"},
		{"pool too large", []string{"HUB_POOL=17"}, "HUB_POOL: must be"},
		{"no requests at all", []string{"HUB_MAX_IN_FLIGHT=0"}, "HUB_MAX_IN_FLIGHT: must be"},
		{"time without a unit", []string{"HUB_RECEIPT_WAIT=5"}, "HUB_RECEIPT_WAIT: must be a time from 100ms to 30s, such as 5s"},
		{"no wait at all", []string{"HUB_RECEIPT_WAIT=0s"}, "HUB_RECEIPT_WAIT: must be"},
		{"unknown level", []string{"HUB_LOG_LEVEL=verbose"}, "HUB_LOG_LEVEL: must be debug, info, warn or error"},

		{"listen everywhere", []string{"HUB_LISTEN=:8443", "HUB_ISSUER=https://hub.example"}, ""},
		{"listen without port", []string{"HUB_LISTEN=0.0.0.0"}, "HUB_LISTEN: must be an address and port"},
		{"listen with a named port", []string{"HUB_LISTEN=0.0.0.0:http"}, "HUB_LISTEN: must be"},
		{"private off", []string{"HUB_PRIVATE_LISTEN=off"}, ""},
		{"private none", []string{"HUB_PRIVATE_LISTEN=none"}, "HUB_PRIVATE_LISTEN: must be an address and port, such as 127.0.0.1:8080, or off"},
		{"private where partners are", []string{"PORT=9090", "HUB_PRIVATE_LISTEN=127.0.0.1:9090"}, "partners must not reach it"},

		{"issuer", []string{"HUB_ISSUER=https://hub.example"}, ""},
		{"issuer with port", []string{"HUB_ISSUER=https://hub.example:8443"}, ""},
		{"issuer of this machine", []string{"HUB_ISSUER=http://localhost:9000"}, ""},
		{"issuer of this machine by address", []string{"HUB_ISSUER=http://127.0.0.1:9000"}, "HUB_ISSUER: must name a host, not an address"},
		{"issuer of this machine by address, IPv6", []string{"HUB_ISSUER=http://[::1]:9000"}, "HUB_ISSUER: must name a host, not an address"},
		{"issuer in clear", []string{"HUB_ISSUER=http://hub.example"}, "HUB_ISSUER: must begin with https://"},
		{"issuer that only looks local", []string{"HUB_ISSUER=http://localhost.hub.example"}, "HUB_ISSUER: must begin with https://"},
		{"issuer of another scheme", []string{"HUB_ISSUER=ftp://localhost"}, "HUB_ISSUER: must begin with https://"},
		{"issuer without scheme", []string{"HUB_ISSUER=hub.example"}, "HUB_ISSUER: must be a URL of scheme and host only"},
		{"issuer with a slash", []string{"HUB_ISSUER=https://hub.example/"}, "HUB_ISSUER: must be a URL"},
		{"issuer with a path", []string{"HUB_ISSUER=https://hub.example/v1"}, "HUB_ISSUER: must be a URL"},
		{"issuer with a query", []string{"HUB_ISSUER=https://hub.example?"}, "HUB_ISSUER: must be a URL"},
		{"issuer with a user", []string{"HUB_ISSUER=https://me@hub.example"}, "HUB_ISSUER: must be a URL"},
		{"issuer with capitals", []string{"HUB_ISSUER=https://Hub.example"}, "HUB_ISSUER: must be a URL"},

		{"database by socket", []string{"HUB_DATABASE_URL=postgres:///handover?host=/run/postgresql"}, ""},
		{"database on this machine", []string{"HUB_DATABASE_URL=postgres://hub:word@localhost/handover"}, ""},
		{"database elsewhere", []string{"HUB_DATABASE_URL=postgresql://hub@db.example/handover?sslmode=verify-full"}, ""},
		{"database elsewhere, unprotected by omission", []string{"HUB_DATABASE_URL=postgres://hub@db.example/handover"}, "HUB_DATABASE_URL: say how the connection is protected"},
		{"database elsewhere by parameter", []string{"HUB_DATABASE_URL=postgres:///handover?host=db.example"}, "HUB_DATABASE_URL: say how the connection is protected"},
		{"database password in the environment", []string{"HUB_DATABASE_URL=postgres://hub:word@db.example/handover?sslmode=verify-full"}, "HUB_DATABASE_PASSWORD_FILE"},
		{"database password as a parameter", []string{"HUB_DATABASE_URL=postgres://hub@localhost/handover?password=word"}, "HUB_DATABASE_PASSWORD_FILE"},
		{"database of another kind", []string{"HUB_DATABASE_URL=mysql://localhost/handover"}, "HUB_DATABASE_URL: must be a URL such as postgres://"},
		{"database as keywords", []string{"HUB_DATABASE_URL=host=localhost dbname=handover"}, "HUB_DATABASE_URL: must be a URL"},
		{"password of no database", []string{"HUB_DATABASE_PASSWORD_FILE=/nowhere"}, "HUB_DATABASE_PASSWORD_FILE: is of no use"},

		{"two roots", []string{"HUB_KEY_FILE=a", "HUB_KEY_PASSPHRASE_FILE=b"}, "set one of them"},
		{"absent file", []string{"HUB_CONFIG=/nowhere/at/all"}, "HUB_CONFIG: reading the file: no such file or directory"},
		{"absent passphrase", []string{"HUB_KEY_PASSPHRASE_FILE=/nowhere/at/all"}, "HUB_KEY_PASSPHRASE_FILE: reading the file: no such file or directory"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			_, err := load(row.env)
			switch {
			case row.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)):
				t.Errorf("error = %v, want %q", err, row.want)
			}
		})
	}
}

func TestEachMistakeOfTheFileIsReported(t *testing.T) {
	for text, want := range map[string]string{
		"HUB_POOL":                     "line 1: must be NAME=value",
		"\nHUB_POOL = 9":               "line 2: must be NAME=value",
		"HUB_POOL= 9":                  "line 1: must be NAME=value",
		`HUB_DIR="/srv"`:               "without quotes",
		"export HUB_POOL=9":            "there is no such setting",
		"HUB_POOL=9\nHUB_POOL=10":      "line 2: HUB_POOL is set twice",
		"HUB_CONFIG=/etc/other":        "a file cannot name another",
		"HUB_PORT=1":                   "HUB_PORT: there is no such setting",
		"LD_PRELOAD=x":                 "LD_PRELOAD: there is no such setting",
		"HUB_POOL=nine":                "HUB_POOL: must be a whole number",
		strings.Repeat("x", 1<<17):     "token too long",
		"HUB_DIR=/srv\x00\nHUB_POOL=1": "HUB_POOL: must be a whole number",
	} {
		if _, err := load([]string{"HUB_CONFIG=" + file(t, text)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: error = %v, want %q", text, err, want)
		}
	}
}

func TestAllMistakesAreReportedAtOnce(t *testing.T) {
	_, err := load([]string{
		"HUB_CONFIG=" + file(t, "HUB_POOL=1\nHUB_TYPO=2\nbroken\n"), "PORT=x", "HUB_ISSUER=http://hub.example",
		"HUB_DATABASE_URL=mysql:", "HUB_LOG_LEVEL=loud", "HUB_KEY_FILE=a", "HUB_KEY_PASSPHRASE_FILE=b",
	})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"HUB_POOL", "HUB_TYPO", "line 3", "PORT", "HUB_ISSUER", "HUB_DATABASE_URL", "HUB_LOG_LEVEL", "HUB_KEY_FILE"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no word about %s:\n%v", want, err)
		}
	}
}

// canary is a secret that must never be printed.
const canary = "CANARY-7f3a-passphrase"

func TestSecretsComeFromFilesAndAreNeverPrinted(t *testing.T) {
	c, err := load([]string{
		"HUB_KEY_PASSPHRASE_FILE=" + file(t, canary+"\n"),
		"HUB_DATABASE_URL=postgres://hub@localhost/handover",
		"HUB_DATABASE_PASSWORD_FILE=" + file(t, canary+"/:@%\r\n"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.Passphrase() != canary {
		t.Error("the passphrase is not what the file holds")
	}
	if want := "postgres://hub:" + canary + "%2F%3A%40%25@localhost/handover"; c.DatabaseURL != want {
		t.Error("the database's URL does not hold the file's password")
	}
	encoded, err := json.Marshal(map[string]any{"config": c})
	if err != nil {
		t.Fatal(err)
	}
	var logged strings.Builder
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("start", "config", c, "pointer", &c)
	for name, printed := range map[string]string{
		"%v": fmt.Sprintf("%v", c), "%+v": fmt.Sprintf("%+v", c), "%#v": fmt.Sprintf("%#v", c), "%s": fmt.Sprintf("%s", c),
		"%d": fmt.Sprintf("%d", c), "%x": fmt.Sprintf("%x", c), "pointer": fmt.Sprintf("%+v", &c),
		"within": fmt.Sprintf("%+v", struct{ C Config }{c}), "JSON": string(encoded), "log": logged.String(), "Redacted": c.Redacted(),
	} {
		if strings.Contains(printed, canary) || strings.Contains(printed, fmt.Sprintf("%x", canary)) {
			t.Errorf("%s prints a secret", name)
		}
		if !strings.Contains(printed, "HUB_DATABASE_URL=postgres://hub:xxxxx@localhost/handover") {
			t.Errorf("%s does not print the rest: %s", name, printed)
		}
	}
}

func TestASecretWrittenInPlaceOfItsFileIsNotRepeated(t *testing.T) {
	for _, env := range [][]string{
		{"HUB_KEY_PASSPHRASE_FILE=" + canary},
		{"HUB_DATABASE_URL=postgres://hub@localhost/h", "HUB_DATABASE_PASSWORD_FILE=" + canary},
		{"HUB_DATABASE_URL=postgres://hub:" + canary + "@db.example/h"},
		{"HUB_DATABASE_URL=postgres://hub:" + canary + "%zz@db.example/h"},
		{"HUB_CONFIG=" + canary},
		{"HUB_POOL=" + canary},
		{"HUB_CONFIG=" + file(t, canary)},
	} {
		if _, err := load(env); err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("error = %v, want one that does not repeat the value", err)
		}
	}
}

func TestAFileThatOthersCanReadHoldsNoSecret(t *testing.T) {
	for mode, ok := range map[os.FileMode]bool{0o400: true, 0o600: true, 0o440: true, 0o640: true, 0o644: false, 0o604: false, 0o602: false} {
		path := file(t, "a passphrase of some length")
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := load([]string{"HUB_KEY_PASSPHRASE_FILE=" + path})
		if (err == nil) != ok {
			t.Errorf("mode %o: error = %v", mode, err)
		}
	}
	for _, text := range []string{"", "\n", "two\nlines", "a\x00b"} {
		if _, err := load([]string{"HUB_KEY_PASSPHRASE_FILE=" + file(t, text)}); err == nil || !strings.Contains(err.Error(), "one line") {
			t.Errorf("%q: error = %v", text, err)
		}
	}
}

func TestAHubOnAFreePortLearnsItsIssuer(t *testing.T) {
	c, err := load([]string{"PORT=0"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Issuer != "" || c.Bound(41234).Issuer != "http://localhost:41234" {
		t.Errorf("issuer = %q, then %q", c.Issuer, c.Bound(41234).Issuer)
	}
	c, err = load([]string{"PORT=0", "HUB_ISSUER=https://hub.example"})
	if err != nil || c.Bound(41234).Issuer != "https://hub.example" {
		t.Errorf("a stated issuer became %q, %v", c.Bound(41234).Issuer, err)
	}
}

const example = "../../deploy/hub.env.example"

// TestTheExampleIsTheStruct compares deploy/hub.env.example with the fields of
// Config: each variable, its default, and the field's comment above it.
// Run it with -update after changing Config.
func TestTheExampleIsTheStruct(t *testing.T) {
	want := exampleText(t)
	if *update {
		if err := os.WriteFile(example, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("%s differs from Config (-want +got); run go test ./cmd/hub -run Example -update\n%s", example, diff)
	}
}

// TestTheExampleSetsTheDefaults loads the example with every line in force.
func TestTheExampleSetsTheDefaults(t *testing.T) {
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if setting, ok := strings.CutPrefix(line, "#"); ok && !strings.HasPrefix(setting, " ") {
			lines = append(lines, setting)
		}
	}
	if got, want := len(lines), len(settings())-1; got != want {
		t.Fatalf("%d settings in the example, %d in Config besides HUB_CONFIG", got, want)
	}
	got, err := load([]string{"HUB_CONFIG=" + file(t, strings.Join(lines, ""))})
	if err != nil {
		t.Fatal(err)
	}
	want, err := load(nil)
	if err != nil {
		t.Fatal(err)
	}
	got.File = ""
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(Config{})); diff != "" {
		t.Errorf("the example sets other values than the defaults (-default +example):\n%s", diff)
	}
}

// exampleText is what the example file should say.
func exampleText(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("# Settings of the hub: lines NAME=value, no quotes. Each line below shows the default.\n" +
		"# Name this file in HUB_CONFIG, or give the same names in the environment, which count\n" +
		"# before it. Written from the source by a test; change it there.\n")
	docs := fieldDocs(t)
	for _, s := range settings() {
		name := reflect.TypeFor[Config]().Field(s.index).Name
		if docs[name] == "" {
			t.Errorf("%s has no comment", name)
		}
		if s.name == "HUB_CONFIG" {
			continue // a file cannot name itself
		}
		b.WriteString("\n")
		for _, line := range wrap(docs[name]+bounds(s), 88) {
			b.WriteString("# " + line + "\n")
		}
		b.WriteString("#" + s.name + "=" + s.def + "\n")
	}
	return b.String()
}

func bounds(s setting) string {
	if s.minimum == "" {
		return ""
	}
	return fmt.Sprintf(" From %s to %s.", s.minimum, s.maximum)
}

// fieldDocs reads the comments of Config's fields from the source.
func fieldDocs(t *testing.T) map[string]string {
	t.Helper()
	tree, err := parser.ParseFile(token.NewFileSet(), "config.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	docs := map[string]string{}
	ast.Inspect(tree, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok || spec.Name.Name != "Config" {
			return true
		}
		for _, f := range spec.Type.(*ast.StructType).Fields.List {
			docs[f.Names[0].Name] = strings.Join(strings.Fields(f.Doc.Text()), " ")
		}
		return false
	})
	return docs
}

func wrap(text string, width int) (lines []string) {
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
