package partners_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"handover/internal/codes"
	"handover/internal/hubtest"
	"handover/partners"
)

var update = flag.Bool("update", false, "rewrite docs/firewall.md")

const firewallPage = "../docs/firewall.md"

// TestThePageIsTheFirewall holds docs/firewall.md, which a charity's board reads, to the table
// that the hub reads. Run it with -update after changing partners/firewall.csv.
func TestThePageIsTheFirewall(t *testing.T) {
	firewall, err := partners.LoadFirewall()
	if err != nil {
		t.Fatal(err)
	}
	want := pageOf(firewall)
	if *update {
		if err := os.WriteFile(firewallPage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(firewallPage)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("%s differs from partners/firewall.csv (-want +got); run go test ./partners -run PageIsTheFirewall -update\n%s", firewallPage, diff)
	}
}

// pageOf writes the page.
func pageOf(f *partners.Firewall) string {
	var b strings.Builder
	b.WriteString(pageHead)
	for _, to := range partners.Categories() {
		fmt.Fprintf(&b, "- **%s**: %s\n", titled(to), inWords(f.Rules(to)))
	}
	b.WriteString(pageMiddle)
	for _, to := range partners.Categories() {
		fmt.Fprintf(&b, "\n### %s (`%s`)\n\n| section | may be sent | why |\n| --- | --- | --- |\n", titled(to), to)
		for _, r := range f.Rules(to) {
			fmt.Fprintf(&b, "| `%s`, %s | %s | %s |\n", r.Section, r.Title, may(r), r.Why)
		}
	}
	return b.String()
}

// titled is a category's title as the first word of a line.
func titled(c partners.Category) string {
	return strings.ToUpper(c.Title()[:1]) + c.Title()[1:]
}

func may(r partners.Rule) string {
	switch {
	case len(r.Purposes) == 0:
		return "**never**"
	case slices.Contains(r.Purposes, "*"):
		return "if she agrees"
	}
	return "if she agrees, only for " + purposes(r)
}

func purposes(r partners.Rule) string {
	words := make([]string, len(r.Purposes))
	for i, p := range r.Purposes {
		words[i] = codes.Purposes().Label(p)
	}
	return strings.Join(words, "; ")
}

// inWords says the rules of one category in sentences.
func inWords(rules []partners.Rule) string {
	var never, always []string
	only := map[string][]string{}
	for _, r := range rules {
		switch {
		case len(r.Purposes) == 0:
			never = append(never, r.Title)
		case slices.Contains(r.Purposes, "*"):
			always = append(always, r.Title)
		default:
			only[purposes(r)] = append(only[purposes(r)], r.Title)
		}
	}
	if len(never) == len(rules) {
		return "nothing, ever. They see entries of the log and figures."
	}
	if len(always) == len(rules) {
		return "everything, if she agrees."
	}
	said := []string{"never " + strings.Join(never, "; ") + "."}
	for purposes, titles := range only {
		said = append(said, "Only for "+purposes+": "+strings.Join(titles, "; ")+".")
	}
	slices.Sort(said[1:])
	if len(always) > 0 {
		said = append(said, "The rest if she agrees.")
	}
	return strings.Join(said, " ")
}

const pageHead = `# What may never go to whom

This page is for a charity's board. It says what this exchange never passes on, whoever asks, whoever agrees
and whatever a contract says. It is made from ` + "`partners/firewall.csv`" + `, the table that the hub itself reads, and a
test holds the two together; anybody can ask a running hub for its own with ` + "`handover firewall`" + ` or at ` + "`/v1/firewall`" + `.

## In plain words

`

const pageMiddle = `
What police are sent of "how to reach her safely" is how to reach her worker, and never how to reach her: the
programs of this repository refuse anything else before it is sealed. A request by police for a victim's information is no
referral and does not pass here: it is logged, answered by the agency that was asked, and by default nothing moves.

Whether she is eligible for housing is a coded yes, no or unknown among "her housing". It is in the place of
immigration, which a housing team is never sent. What she needs to live somewhere is in "what she needs to take part", in the place of health.

## How it works

- The table has an answer for each kind of agency, each section and each purpose. What is not in it is no, and a hub whose table has a hole does not start.
- It comes first. An agreement between two agencies, and what she agreed to, can only take away from it. An override, by which something is shared without
  her agreement, is held to it too.
- It is asked when a packet is stored, and again each time that a section is given out.
- An attachment is judged as the section that it says it is; one that says nothing is refused.
- The hub cannot read a section. It judges by the name under which the section was sealed and signed, so a sender who writes her immigration status into
  "a note between workers" breaks the rule without the hub seeing it; the schemas say of each field what not to write there ([schemas.md](schemas.md)).
- To change it is to change the program: a new release, whose difference everybody can read.

## The table
`

// TestTheFirewallIsServedAsItIs: what anybody reads is what the hub decides by.
func TestTheFirewallIsServedAsItIs(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	var got struct {
		Categories []struct {
			Category partners.Category `json:"category"`
			Rules    []partners.Rule   `json:"rules"`
		} `json:"categories"`
	}
	a := h.Agency(t, "larkfield-housing", partners.Housing).Get(t, "/v1/firewall")
	if err := json.Unmarshal(a.Body, &got); err != nil || a.Status != 200 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	asked := 0
	for _, to := range got.Categories {
		for _, r := range to.Rules {
			for _, purpose := range codes.Purposes().Codes() {
				asked++
				says := slices.Contains(r.Purposes, "*") || slices.Contains(r.Purposes, purpose)
				if says != hubtest.MayReceive(to.Category, r.Section, purpose) {
					t.Errorf("it says of %s to %s for %s: %v", r.Section, to.Category, purpose, says)
				}
			}
		}
	}
	if asked != 10*14*17 {
		t.Errorf("%d answers", asked)
	}
}
