package main

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"handover/internal/hubtest"
)

// herWords is what nobody but whoever opens the files may read.
const herWords = "Quillfeather-4411"

// addresses is a line to the hub that notes where requests go.
type addresses struct {
	hub *hubtest.Hub
	mu  sync.Mutex
	all []string
}

// RoundTrip is http.RoundTripper's.
func (l *addresses) RoundTrip(r *http.Request) (*http.Response, error) {
	l.mu.Lock()
	l.all = append(l.all, r.URL.String())
	l.mu.Unlock()
	return l.hub.HTTP().Transport.RoundTrip(r)
}

// neighbours are two agencies, each with a terminal, and a referral that the first sent and the
// second answered with a note, about one woman whom the first knows by subject.
type neighbours struct {
	from, to          *desk
	subject, referral string
}

func newNeighbours(t *testing.T) neighbours {
	t.Helper()
	from := newDesk(t)
	_, code := from.hub.Invited(t, "harbour", "housing")
	to := &desk{hub: from.hub, env: map[string]string{"HANDOVER_HOME": filepath.Join(t.TempDir(), "side"), "HANDOVER_CODE": code}}
	to.must(t, "keys new")
	to.must(t, "enrol --hub "+hubtest.Issuer)
	delete(to.env, "HANDOVER_CODE")
	a, b := &hubtest.Agency{ID: "rosewood"}, &hubtest.Agency{ID: "harbour"}
	from.hub.Agree(t, a, b)
	from.hub.Agree(t, b, a)
	service := from.hub.Offer(t, b)
	consent := does(t, from, `{"purpose": "housing", "recipients": ["harbour", "rosewood"], "sections": ["need", "note"], "method": "written", "basis": [{"art6": "a"}],
		"circumstances": {"seen_alone": "yes", "coercion": "none", "interpreter": "none", "language": "en", "capacity": "presumed"},
		"words": {"her-words": "yes, says `+herWords+`"}, "notice": {"version": "1", "digest": "`+strings.Repeat("A", 43)+`", "language": "en"}}`, "consent new -")
	sent := does(t, from, `{"need": {"summary": "a bed for `+herWords+`"}}`, "send - --to harbour --area "+hubtest.Area+" --urgency urgent --service "+service+
		" --consent "+consent["id"].(string))
	referral := sent["referral"].(string)
	to.must(t, "receive "+referral)
	does(t, to, "where is "+herWords, "ask "+referral+" --note - --consent "+consent["id"].(string))
	return neighbours{from, to, consent["subject"].(string), referral}
}

// does runs a command that reads and prints JSON.
func does(t *testing.T, d *desk, in, line string) map[string]any {
	t.Helper()
	code, out, talk := d.run(t, in, line)
	var v map[string]any
	if err := json.Unmarshal([]byte(out), &v); code != exitOK || err != nil {
		t.Fatalf("%s: exit code %d\n%s%s", line, code, out, talk)
	}
	return v
}

// exported runs subject-access into a new folder, and returns it with what was printed.
func (d *desk) exported(t *testing.T, line string) (folder, printed string) {
	t.Helper()
	folder = filepath.Join(t.TempDir(), "hers")
	code, out, talk := d.run(t, "", "subject-access "+line+" -o "+folder)
	if code != exitOK {
		t.Fatalf("%s: %d\n%s%s", line, code, out, talk)
	}
	return folder, out + talk
}

// readExport reads the two files.
func readExport(t *testing.T, folder string) (all map[string]any, text string) {
	t.Helper()
	written, err := os.ReadFile(filepath.Join(folder, "subject-access.txt"))
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(folder, "subject-access.json"))
	if err == nil {
		err = json.Unmarshal(data, &all)
	}
	if err != nil {
		t.Fatal(err)
	}
	return all, string(written)
}

// counts is how many there are of a member of the export.
func counts(all map[string]any, member string) int { return len(all[member].([]any)) }

// Everything that is held is in two files that nobody else can read, and nowhere else: not on
// the terminal, and not in an address.
func TestASubjectAccessHoldsAllOfItAndPrintsNothing(t *testing.T) {
	t.Parallel()
	n := newNeighbours(t)
	n.from.must(t, "never new --subject "+n.subject+" --with category:police")
	line := &addresses{hub: n.from.hub}
	n.from.line = line
	folder, printed := n.from.exported(t, n.subject)
	if where := printed + strings.Join(line.all, " "); strings.Contains(where, herWords) || len(line.all) < 10 {
		t.Errorf("it is told to others: %s", where)
	}
	err := filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		info, stat := e.Info()
		if err != nil || stat != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is %v, %v %v", path, info.Mode(), err, stat)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	all, text := readExport(t, folder)
	for _, held := range []string{"yes, says " + herWords, "a bed for " + herWords, "never with: category:police", "seen alone: yes", "harbour, since",
		"rosewood recorded what she agreed to", "rosewood sent a referral", "one month", "Sch 2 para 16", "ask for it with a reason"} {
		if !strings.Contains(text, held) {
			t.Errorf("the text has no %q:\n%s", held, text)
		}
	}
	if strings.Contains(text, "where is") {
		t.Error("what was received was opened without a reason")
	}
	if counts(all, "nevers") != 1 || counts(all, "unchecked") != 0 || counts(all, "log") < 3 {
		t.Errorf("it holds\n%v", all)
	}
	for _, reason := range hubtest.Column[string](t, n.from.hub, `SELECT convert_from(body, 'UTF8')::jsonb ->> 'reason' FROM audit_entry WHERE act = 'copy.open'`) {
		if reason != "subject-access" {
			t.Errorf("the log says that its own copy was opened to %s", reason)
		}
	}
}

// What was received is opened only with a reason, and what may not be opened any more is named.
func TestASubjectAccessOpensWhatWasReceivedForAReason(t *testing.T) {
	t.Parallel()
	n := newNeighbours(t)
	n.to.run(t, "", "subject-access x -o "+t.TempDir()) // a folder that is there
	if code, _, talk := n.to.run(t, "", "subject-access "+n.subject); code != exitUsage || !strings.Contains(talk, "never printed") {
		t.Errorf("onto the terminal: %d %s", code, talk)
	}
	if code, _, talk := n.to.run(t, "", "subject-access "+n.subject+" -o - "); code != exitUsage {
		t.Errorf("onto the terminal: %d %s", code, talk)
	}
	if code, _, talk := n.to.run(t, "", "subject-access "+n.subject+" --open-received curiosity -o x"); code != exitUsage || !strings.Contains(talk, "subject-access") {
		t.Errorf("without a reason: %d %s", code, talk)
	}
	folder, _ := n.to.exported(t, n.subject+" --open-received subject-access")
	if _, text := readExport(t, folder); !strings.Contains(text, "a bed for "+herWords) || !strings.Contains(text, "where is "+herWords) || strings.Contains(text, "yes, says") {
		t.Errorf("the recipient's export says\n%s", text)
	}
	code, out, talk := n.from.run(t, "", "slip "+n.referral)
	if code != exitOK || !strings.Contains(out, "opened this because you asked for it") {
		t.Errorf("her slip: %d %s%s", code, out, talk)
	}
}

// A reference that nobody has, or that is another agency's, finds nothing, and says so plainly.
func TestASubjectAccessOfNobodyIsEmpty(t *testing.T) {
	t.Parallel()
	n := newNeighbours(t)
	folder, _ := n.from.exported(t, hubtest.Subject()+" --search-all")
	if all, text := readExport(t, folder); strings.Contains(text, herWords) || counts(all, "log")+counts(all, "nevers") != 0 || !strings.Contains(text, "Nothing.") {
		t.Errorf("it says\n%s", text)
	}
}
