package partners

import (
	"strings"
	"testing"
)

// TestAFirewallWithAHoleDoesNotStart spoils the table in one row at a time.
func TestAFirewallWithAHoleDoesNotStart(t *testing.T) {
	t.Parallel()
	rows := strings.SplitAfter(strings.TrimSpace(firewallTable)+"\n", "\n")
	rows = rows[:len(rows)-1]
	for i, row := range rows[1:] {
		without := strings.Join(rows[:i+1], "") + strings.Join(rows[i+2:], "")
		if _, err := parseFirewall(without); err == nil || !strings.Contains(err.Error(), "no row for") {
			t.Errorf("without row %q: %v, want an error that names the hole", strings.TrimSpace(row), err)
		}
	}
	whole := strings.Join(rows, "")
	for name, table := range map[string]string{
		"a row twice":               whole + rows[1],
		"a row twice, the other no": whole + strings.Replace(rows[1], ",*,", ",,", 1),
		"an unknown category":       whole + "army,need,*,x\n",
		"an unknown section":        whole + "housing,diary,*,x\n",
		"an unknown purpose":        strings.Replace(whole, "protect-from-harm", "protect-from-boredom", 1),
		"a row cut short":           whole + "housing,need\n",
		"no table":                  "",
	} {
		if _, err := parseFirewall(table); err == nil {
			t.Errorf("with %s it starts", name)
		}
	}
	if _, err := parseFirewall(whole); err != nil {
		t.Errorf("the table itself: %v", err)
	}
}
