package hubtest_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"handover/audit"
	"handover/audit/proof"
	"handover/internal/hubtest"
)

var update = flag.Bool("update", false, "rewrite the list in docs/log.md")

const logPage = "../../docs/log.md"

// TestThePageOfTheLogHasEveryAct holds docs/log.md to the program. Run it with -update after
// adding an act.
func TestThePageOfTheLogHasEveryAct(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(logPage)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begun := strings.Cut(string(text), "<!-- acts -->\n")
	_, after, ended := strings.Cut(rest, "<!-- /acts -->")
	if !begun || !ended {
		t.Fatalf("%s has no place for the acts", logPage)
	}
	want := before + "<!-- acts -->\n" + actsInWords() + "<!-- /acts -->" + after
	if *update {
		if err := os.WriteFile(logPage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("%s is not what the program says (-want +got); run go test ./internal/hubtest -run PageOfTheLog -update\n%s", logPage, diff)
	}
}

// actsInWords is the table of acts: what each means, and what the database must have for it.
func actsInWords() string {
	var out strings.Builder
	out.WriteString("| act | what was done | for each entry there is |\n| --- | --- | --- |\n")
	ledger := hubtest.Ledger()
	for _, a := range proof.Acts() {
		words := a.Label
		if a.Opens {
			words += " (shows what is written about her)"
		}
		fmt.Fprintf(&out, "| `%s` | %s | %s |\n", a.Name, words, homeOf(ledger, a.Name))
	}
	return out.String()
}

// homeOf says what there must be of an entry of the act besides the entry.
func homeOf(ledger audit.Ledger, act string) string {
	for _, r := range ledger.Rows {
		for _, k := range r.Kinds {
			if !slices.Contains(k.Acts, act) {
				continue
			}
			switch k.Every {
			case audit.Exactly:
				return "one row of `" + r.Table + "`"
			case audit.Several:
				return "its rows of `" + r.Table + "`"
			case audit.Found:
				return "its row of `" + r.Table + "`"
			case audit.GoneRows:
				return "a row of `" + r.Table + "`, for a time: " + k.Gone
			case audit.NotHome:
			}
		}
	}
	return "the entry alone"
}
