// Package deploy_test holds the files that operators use to the program they run.
package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// settings are the variables of hub.env.example, which a test of cmd/hub keeps equal
// to the configuration.
func settings(t *testing.T) []string {
	t.Helper()
	all := []string{"HUB_CONFIG"}
	for _, m := range regexp.MustCompile(`(?m)^#([A-Z_]+)=`).FindAllStringSubmatch(read(t, "hub.env.example"), -1) {
		all = append(all, m[1])
	}
	if len(all) < 10 {
		t.Fatalf("only %q in hub.env.example", all)
	}
	return all
}

func TestOnlySettingsThatExistAreNamed(t *testing.T) {
	known := append(settings(t), "HUB_TEST_VAULT", "HUB_SHOTS", "HUB_THOROUGH") // the last three of the tests, not of the hub
	for _, file := range []string{"handover-hub.service", "handover-witness.service", "Dockerfile", "compose.yaml", "README.md", "roles.sql", "dev/postgres.sh", "dev/vault.sh", "../Makefile"} {
		for _, name := range regexp.MustCompile(`\bHUB_[A-Z_]+\b`).FindAllString(read(t, file), -1) {
			if !slices.Contains(known, name) {
				t.Errorf("%s names %s, which is no setting", file, name)
			}
		}
	}
}

// TestTheUnitStaysHardened lists what a change must not take away unseen.
func TestTheUnitStaysHardened(t *testing.T) {
	lines := strings.Split(read(t, "handover-hub.service"), "\n")
	for _, want := range []string{
		"LimitCORE=0", "UnsetEnvironment=GOTRACEBACK", "MemorySwapMax=0", "UMask=0077", "NoNewPrivileges=yes", "CapabilityBoundingSet=", "AmbientCapabilities=",
		"ProtectSystem=strict", "ProtectHome=yes", "PrivateTmp=yes", "PrivateDevices=yes", "PrivateUsers=yes",
		"ProtectProc=invisible", "ProtectKernelTunables=yes", "ProtectKernelModules=yes", "ProtectKernelLogs=yes",
		"ProtectControlGroups=yes", "MemoryDenyWriteExecute=yes", "LockPersonality=yes", "RestrictNamespaces=yes",
		"RestrictSUIDSGID=yes", "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX", "SystemCallArchitectures=native",
		"SystemCallFilter=@system-service", "SystemCallFilter=~@privileged @resources", "StateDirectoryMode=0700",
		"LoadCredential=passphrase:/etc/handover/passphrase", "User=handover",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("the unit lacks %s", want)
		}
	}
}

// compose is what of a compose file this test looks at.
type compose struct {
	Services map[string]struct {
		Image       string            `yaml:"image"`
		Environment map[string]string `yaml:"environment"`
		Secrets     []string          `yaml:"secrets"`
		Networks    []string          `yaml:"networks"`
		Volumes     []string          `yaml:"volumes"`
		Ports       []string          `yaml:"ports"`
		Privileged  bool              `yaml:"privileged"`
		ReadOnly    bool              `yaml:"read_only"`
		CapDrop     []string          `yaml:"cap_drop"`
		Security    []string          `yaml:"security_opt"`
		Ulimits     map[string]int    `yaml:"ulimits"`
		Build       struct {
			Context    string `yaml:"context"`
			Dockerfile string `yaml:"dockerfile"`
		} `yaml:"build"`
	} `yaml:"services"`
	Networks map[string]struct {
		Internal bool `yaml:"internal"`
	} `yaml:"networks"`
	Volumes map[string]any `yaml:"volumes"`
	Secrets map[string]struct {
		File string `yaml:"file"`
	} `yaml:"secrets"`
}

func TestComposeIsWholeAndClosed(t *testing.T) {
	var c compose
	if err := yaml.Unmarshal([]byte(read(t, "compose.yaml")), &c); err != nil {
		t.Fatal(err)
	}
	for name, s := range c.Services {
		for _, secret := range s.Secrets {
			if c.Secrets[secret].File == "" {
				t.Errorf("%s: secret %s comes from nowhere", name, secret)
			}
		}
		for _, network := range s.Networks {
			if _, ok := c.Networks[network]; !ok {
				t.Errorf("%s: network %s is not declared", name, network)
			}
		}
		for _, volume := range s.Volumes {
			from, _, _ := strings.Cut(volume, ":")
			_, declared := c.Volumes[from]
			_, err := os.Stat(from)
			if !declared && (!strings.HasPrefix(from, "./") || err != nil) {
				t.Errorf("%s: volume %s is neither declared nor a file here", name, from)
			}
		}
		for variable, value := range s.Environment {
			file, ok := strings.CutPrefix(value, "/run/secrets/")
			if ok && !slices.Contains(s.Secrets, file) {
				t.Errorf("%s: %s names a secret that the service is not given", name, variable)
			}
			if strings.Contains(strings.ToLower(variable), "password") && !ok {
				t.Errorf("%s: %s is a secret in the environment", name, variable)
			}
		}
		if s.Privileged || !slices.Contains(s.Security, "no-new-privileges:true") {
			t.Errorf("%s can gain rights", name)
		}
	}
	hub, postgres := c.Services["hub"], c.Services["postgres"]
	if !hub.ReadOnly || !slices.Contains(hub.CapDrop, "ALL") {
		t.Error("the hub's container is writable or has capabilities")
	}
	if core, limited := hub.Ulimits["core"]; !limited || core != 0 {
		t.Error("the hub's container may dump its memory, which holds keys")
	}
	if _, err := os.Stat(filepath.Join(hub.Build.Context, hub.Build.Dockerfile)); err != nil {
		t.Error(err)
	}
	if len(postgres.Ports) != 0 || !slices.Equal(postgres.Networks, []string{"database"}) || !c.Networks["database"].Internal {
		t.Error("PostgreSQL can be reached from outside, and its connection is in clear")
	}
	for _, port := range hub.Ports {
		if !strings.HasPrefix(port, "127.0.0.1:") {
			t.Errorf("the hub is published on %s, without TLS", port)
		}
	}
}

// TestTheImageBuildsFromAllThatIsNeeded compares the Dockerfile's ignore list, which
// lets in only what it names, with the rooms that exist.
func TestTheImageBuildsFromAllThatIsNeeded(t *testing.T) {
	let := strings.Split(read(t, "Dockerfile.dockerignore"), "\n")
	rooms, err := filepath.Glob("../*")
	if err != nil {
		t.Fatal(err)
	}
	for _, room := range rooms {
		name := filepath.Base(room)
		if name == "deploy" || name == "test" || !holdsGo(t, room) {
			continue
		}
		if !slices.Contains(let, "!"+name) {
			t.Errorf("the image would be built without %s: add !%s to Dockerfile.dockerignore", name, name)
		}
	}
	image := read(t, "Dockerfile")
	for _, want := range []string{"\nFROM scratch\n", "\nUSER 65532:65532\n", "CGO_ENABLED=0"} {
		if !strings.Contains(image, want) {
			t.Errorf("the Dockerfile lacks %q", strings.TrimSpace(want))
		}
	}
}

func holdsGo(t *testing.T, room string) bool {
	t.Helper()
	found := false
	err := filepath.WalkDir(room, func(path string, _ os.DirEntry, err error) error {
		found = found || strings.HasSuffix(path, ".go") && !strings.Contains(path, "testdata")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestTheRolesAreThoseOfTheMigrations: an administrator makes with roles.sql what the
// first migration would make, or expects to find.
func TestTheRolesAreThoseOfTheMigrations(t *testing.T) {
	names := regexp.MustCompile(`'(handover_[a-z]+)'`)
	find := func(path string) []string {
		var all []string
		for _, m := range names.FindAllStringSubmatch(read(t, path), -1) {
			all = append(all, m[1])
		}
		slices.Sort(all)
		return slices.Compact(all)
	}
	here, there := find("roles.sql"), find("../internal/pg/migrations/00001_roles.sql")
	if !slices.Equal(here, there) || len(here) == 0 {
		t.Errorf("roles.sql makes %q, the migration %q", here, there)
	}
	for _, line := range strings.Split(read(t, "roles.sql"), "\n") {
		if strings.Contains(line, "CREATE ROLE") && !strings.Contains(line, "NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS") {
			t.Errorf("a role with more rights than it needs: %s", line)
		}
	}
}

func TestTheScriptsAreShell(t *testing.T) {
	scripts, err := filepath.Glob("dev/*.sh")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("scripts %q, %v", scripts, err)
	}
	for _, script := range append(scripts, "../.ci/run") {
		if out, err := exec.Command("sh", "-n", script).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", script, err, out)
		}
		info, err := os.Stat(script)
		if err != nil {
			t.Fatal(err)
		}
		if runs := info.Mode()&0o100 != 0; runs == strings.HasSuffix(script, "lib.sh") {
			t.Errorf("%s: executable is %v", script, runs)
		}
	}
}
