package arch

import "slices"

// topLevel lists the folders that may stand at the root.
func topLevel() []string {
	return []string{
		"audit", "client", "cmd", "consent", "deploy", "docs", "internal", "keys",
		"notify", "oauth", "partners", "referral", "web",
	}
}

// shapelessNames are package names that say nothing, and so collect everything.
func shapelessNames() []string {
	return []string{
		"pkg", "models", "model", "utils", "util", "services", "service", "repository", "repositories",
		"mocks", "mock", "common", "helpers", "helper", "misc", "shared", "types", "base", "core", "lib",
	}
}

// arrow says what the packages of one tree may import from this module, besides
// themselves. The most specific tree counts.
type arrow struct {
	tree string
	to   []string
}

// everything is for the places that wire the rest together.
const everything = "*"

// arrows is the plan of the house: they point downwards, and there is no other
// way. A withdrawal cancels referrals because referral reads the consent's state,
// never because consent calls up.
func arrows() []arrow {
	pureInternal := []string{"internal/fault", "internal/strict", "internal/codes", "internal/ids"}
	pure := func(tree string, to ...string) arrow { return arrow{tree, append(to, pureInternal...)} }
	return []arrow{
		{"cmd/hub", []string{everything}},
		{"cmd/bench", []string{everything}},
		{"internal/hubtest", []string{everything}},                                 // a whole hub, for the tests of several rooms
		{"cmd/handover", []string{"client", "keys", "consent/record", "internal"}}, // consent/record for its code lists
		{"web", []string{"web", "referral", "consent", "audit", "partners", "notify", "oauth", "internal"}},
		{"referral", []string{"referral", "consent", "partners", "keys", "audit", "internal"}},
		{"consent", []string{"consent", "partners", "keys", "audit", "internal"}},
		{"oauth", []string{"oauth", "partners", "keys", "audit", "internal"}},
		{"notify", []string{"notify", "partners", "keys", "audit", "internal"}}, // keys: secrets of webhooks are wrapped, and messages signed, by the key store,
		{"partners", []string{"partners", "keys", "audit", "internal"}},
		{"keys", []string{"keys", "internal"}},
		{"audit", []string{"audit", "internal"}},
		{"docs", []string{"internal"}},
		{"client", []string{"client", "referral/packet", "consent/record", "partners/terms", "audit/proof", "keys/jose", "internal"}},
		{"client/profile", []string{"client", "keys", "referral/packet", "internal"}}, // private keys at rest are keys' trade
		{"internal", []string{"internal"}},
		pure("referral/packet", "keys/jose"),
		pure("referral/clock"),
		pure("consent/record", "keys/jose"),
		pure("partners/terms", "keys/jose"),
		pure("audit/proof"),
		pure("keys/jose"),
		pure("internal/fault"),
		pure("internal/strict"),
		pure("internal/ids"),
		pure("internal/codes"),
	}
}

// pureTrees take bytes, keys and time and return values; a reader of them need
// not ask what else happened.
func pureTrees() []string {
	return []string{
		"referral/packet", "referral/clock", "consent/record", "partners/terms", "audit/proof", "keys/jose",
		"internal/fault", "internal/strict", "internal/codes", "internal/ids",
	}
}

// doesIO lists what of the standard library reads or writes the world (or
// remembers that it could). crypto/rand is not on it: sealing needs fresh keys.
func doesIO() []string {
	return []string{
		"database", "io/fs", "io/ioutil", "log/syslog", "net", "os", "path/filepath",
		"plugin", "runtime/pprof", "runtime/trace", "syscall", "testing",
	}
}

// exceptIO are packages below doesIO that only parse.
func exceptIO() []string { return []string{"net/url", "net/netip", "net/textproto"} }

// pureLibraries are the only ones of others that a pure package may use. jsonschema could load
// a document from a file; the schemas are built in, and given a loader that loads nothing.
func pureLibraries() []string {
	return []string{
		"github.com/go-json-experiment/json", "github.com/google/uuid",
		"github.com/lestrrat-go/jwx/v2", "github.com/santhosh-tekuri/jsonschema/v6", "github.com/transparency-dev/formats/note",
		"golang.org/x/crypto", "golang.org/x/mod/sumdb",
	}
}

// testOnly may be imported by tests, and by the places that measure. What is in it is
// held to a test's rules: it may touch the clock and the libraries.
func testOnly() []string {
	return []string{"internal/pgtest", "internal/hubtest", "internal/arch", "keys/keystest", "web/webtest"}
}

// seam says which library may be imported where.
type seam struct {
	library string
	files   []string // names of files that are the seam in any room; also name_*.go
	trees   []string // whole trees that may
	tests   bool     // whether any test may
}

// seams keep each library behind one door, so that it can be replaced, and
// misused only in sight.
func seams() []seam {
	http := []string{"web", "oauth", "notify", "client", "internal/httpd", "internal/hubtest", "cmd", "keys/vault", "keys/keystest"}
	return []seam{
		{"github.com/jackc/pgx", []string{"store"}, []string{"internal/pg", "internal/pgtest", "internal/hubtest", "cmd"}, true},
		{"database/sql", nil, []string{"internal/pg"}, false},
		{"net/http", []string{"http"}, http, true},
		{"github.com/gorilla/mux", []string{"http"}, http, true},
		{"github.com/ory/fosite", nil, []string{"oauth"}, false},
		{"github.com/go-webauthn", nil, []string{"oauth/signin"}, false},
		{"github.com/coreos/go-oidc", nil, []string{"oauth/signin"}, false},
		{"golang.org/x/oauth2", nil, []string{"oauth/signin"}, false},
		{"github.com/chromedp", nil, []string{"web/webtest"}, true},
		{"github.com/hashicorp/vault", nil, []string{"keys/vault"}, false},
		{"github.com/openbao/openbao", nil, []string{"keys/vault"}, false},
		{"github.com/lestrrat-go", nil, []string{"keys/jose"}, false},
		{"github.com/santhosh-tekuri", nil, []string{"referral/packet/schema"}, false},
		{"github.com/pressly/goose", nil, []string{"internal/pg"}, false},
		{"github.com/prometheus", nil, []string{"internal/httpd", "cmd"}, true},
		{"github.com/spf13/cobra", nil, []string{"cmd"}, false},
		{"golang.org/x/mod/sumdb", nil, []string{"audit"}, true},
		{"github.com/transparency-dev/formats", nil, []string{"audit"}, true},
		{"github.com/transparency-dev/tessera", nil, nil, true}, // whoever checks the log from outside
		{"k8s.io/klog", nil, nil, true},                         // the logger of that
		{"github.com/stretchr/testify", nil, nil, false},
		{"math/rand", nil, []string{"cmd/bench"}, true},
	}
}

// notBehindClient is what partners must not compile when they import client.
func notBehindClient() []string {
	return []string{
		"github.com/jackc/pgx", "github.com/ory/fosite", "github.com/gorilla/mux",
		"github.com/hashicorp/vault", "github.com/openbao/openbao", "github.com/prometheus", "database/sql",
	}
}

// call is something that is said only in few places.
type call struct {
	pkg   string
	names []string
	trees []string // where it may be said
	why   string
}

// calls lists what hides an input or an output: the clock, the environment,
// standard output, the default logger, net/http's own answers.
func calls() []call {
	cmd := []string{"cmd", "test"}
	cmdAndTests := slices.Concat(cmd, testOnly())
	return []call{
		{"fmt", []string{"Print", "Printf", "Println"}, cmd, "write to a writer that the caller gave"},
		{"log", []string{"Print", "Printf", "Println", "Fatal", "Fatalf", "Fatalln", "Panic", "Panicf", "Panicln", "Default"}, cmd, "log through the *slog.Logger that was given"},
		{"log/slog", []string{"Debug", "DebugContext", "Info", "InfoContext", "Warn", "WarnContext", "Error", "ErrorContext", "Log", "LogAttrs", "Default", "SetDefault"}, cmd, "log through the *slog.Logger that was given"},
		{"os", []string{"Getenv", "LookupEnv", "Environ"}, slices.Concat(cmdAndTests, []string{findsPrograms}), "only cmd reads the environment: take it as a parameter"},
		{"os", []string{"Setenv", "Unsetenv", "Exit", "Args", "Stdin", "Stdout", "Stderr"}, cmdAndTests, "only cmd meets the outside: take it as a parameter"},
		{"time", []string{"Now", "Since", "Until"}, cmdAndTests, "read the clock through a field: Now func() time.Time"},
		{"net/http", []string{"Error", "NotFound", "Redirect"}, []string{"web", "internal/httpd", "cmd"}, "answer through httpd.Problem"},
		{"net/http", []string{"Get", "Head", "Post", "PostForm", "DefaultClient", "DefaultTransport", "DefaultServeMux", "Handle", "HandleFunc", "ListenAndServe", "ListenAndServeTLS"}, cmd, "use a client or server with timeouts of its own"},
	}
}

// findsPrograms looks for PostgreSQL's programs on the PATH, which is where the
// environment says that programs are.
const findsPrograms = "internal/pg/cluster"

// mostRows is how long a Go file may be before a seam in it wants finding.
const mostRows = 400
