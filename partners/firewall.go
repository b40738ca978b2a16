package partners

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"

	"handover/internal/codes"
)

//go:embed firewall.csv
var firewallTable string

// Firewall is the hub-wide table of which section may ever go to which category of
// partner, and for which purpose. Agreements and consents narrow it; nothing widens
// it. It is total: a cell that is not written is an error, never a yes.
type Firewall struct {
	cells map[cell][]string // purposes; the single "*" means every purpose
	rules map[Category][]Rule
}

// Rule is one cell of the firewall, as it is shown to people.
type Rule struct {
	Section  string   `json:"section"`
	Title    string   `json:"title"`
	Purposes []string `json:"purposes"` // none is never; the single "*" is every purpose
	Why      string   `json:"why"`
}

// Rules returns what the table says of a category, in the order of its sections.
func (f *Firewall) Rules(to Category) []Rule { return slices.Clone(f.rules[to]) }

type cell struct {
	category Category
	section  string
}

// LoadFirewall reads the table that is built into the hub (firewall.csv: category,
// section, purposes separated by spaces, reason) and refuses one that has a gap, a
// duplicate or an unknown code: a firewall with a hole must not start.
func LoadFirewall() (*Firewall, error) { return parseFirewall(firewallTable) }

func parseFirewall(table string) (*Firewall, error) {
	rows, err := csv.NewReader(strings.NewReader(table)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("reading the firewall table: %w", err)
	}
	f := &Firewall{cells: map[cell][]string{}, rules: map[Category][]Rule{}}
	for i, row := range rows {
		if i == 0 {
			continue // the names of the columns
		}
		c := cell{Category(row[0]), row[1]}
		purposes := strings.Fields(row[2])
		if err := f.add(c, purposes); err != nil {
			return nil, fmt.Errorf("firewall table, row %d: %w", i+1, err)
		}
		f.rules[c.category] = append(f.rules[c.category], Rule{c.section, codes.Sections().Label(c.section), append([]string{}, purposes...), row[3]})
	}
	for _, category := range Categories() {
		for _, section := range codes.Sections() {
			if _, ok := f.cells[cell{category, section.Code}]; !ok {
				return nil, fmt.Errorf("firewall table has no row for %s and %s", category, section.Code)
			}
		}
	}
	return f, nil
}

func (f *Firewall) add(c cell, purposes []string) error {
	if !c.category.Valid() || !codes.Sections().Has(c.section) {
		return fmt.Errorf("unknown category %q or section %q", c.category, c.section)
	}
	if _, twice := f.cells[c]; twice {
		return fmt.Errorf("%s and %s stand twice", c.category, c.section)
	}
	for _, p := range purposes {
		if p != "*" && !codes.Purposes().Has(p) {
			return fmt.Errorf("unknown purpose %q", p)
		}
	}
	f.cells[c] = purposes
	return nil
}

// Allows reports whether section may go to a partner of the category for the
// purpose. An attachment is asked about as its data class. What is unknown is
// refused.
func (f *Firewall) Allows(to Category, section, purpose string) bool {
	purposes := f.cells[cell{to, section}]
	if !codes.Purposes().Has(purpose) {
		return false
	}
	return slices.Contains(purposes, "*") || slices.Contains(purposes, purpose)
}
