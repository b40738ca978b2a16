package schema

import (
	_ "embed"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"handover/internal/fault"
	"handover/internal/strict"
)

//go:embed pathways.json
var pathwayText []byte

// Pathway is what a referral by a statutory or agreed road needs: data, with its sources.
type Pathway struct {
	Code       string      `json:"pathway"` // the purpose that it is of
	Gate       string      `json:"gate"`    // the statutory gate that her consent record names
	Title      string      `json:"title"`
	Needs      []Need      `json:"needs"`
	Agreements []Agreement `json:"agreements"` // that the gate needs, each asked by itself
	Prompts    []string    `json:"prompts"`    // what the sender is told, in any case
	NotNeeded  []string    `json:"not_needed"` // what nobody may ask her for
	Sources    []string    `json:"sources"`
}

// Need is one thing that the referral should say. It is there when any of the members is.
type Need struct {
	What     string   `json:"what"`
	Any      []string `json:"any"`      // section/member
	Required bool     `json:"required"` // a referral without it is none: nothing is sealed
	Why      string   `json:"why"`
}

// Agreement is one thing that she agrees to, as the gate of her consent record names it.
type Agreement struct {
	Code string `json:"agreement"`
	Asks string `json:"asks"`
}

// ErrIncomplete is a referral that lacks what its pathway cannot be without.
var ErrIncomplete = fault.New(fault.Unprocessable, "pathway-incomplete", fault.Sender,
	"What this pathway cannot be without is missing from the referral. Add what detail names and send it again; nothing was sealed or sent.")

var pathways = sync.OnceValue(func() []Pathway {
	var all []Pathway
	if err := strict.Unmarshal(pathwayText, &all); err != nil {
		panic("the built-in pathways: " + err.Error())
	}
	return all
})

// Pathways returns all of them, in reading order.
func Pathways() []Pathway { return slices.Clone(pathways()) }

// FindPathway returns the pathway of a purpose that has one.
func FindPathway(purpose string) (Pathway, bool) {
	i := slices.IndexFunc(pathways(), func(p Pathway) bool { return p.Code == purpose })
	if i < 0 {
		return Pathway{}, false
	}
	return pathways()[i], true
}

// Require returns ErrIncomplete when a referral for the purpose lacks what its pathway cannot
// be without. Only a statute can demand that: everything else is advice, since a form must not
// stand between a woman and help.
func Require[T ~[]byte](purpose string, sections map[string]T) error {
	p, _ := FindPathway(purpose)
	var lines []string
	for _, n := range p.missing(has(sections)) {
		if n.Required {
			lines = append(lines, n.String())
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return ErrIncomplete.With("pathway", p.Code).With("detail", strings.Join(lines, "; "))
}

// Advise returns what the sender of a referral for the purpose is told: what her pathway asks
// for and is not there, and what it means.
func Advise[T ~[]byte](purpose string, sections map[string]T) (advice []string) {
	p, _ := FindPathway(purpose)
	here := has(sections)
	for _, n := range p.missing(here) {
		if !n.Required {
			advice = append(advice, n.String())
		}
	}
	if here["contact"] && !here["safe-contact"] {
		advice = append(advice, "contact goes without safe-contact: nobody will know whether it is safe to call her")
	}
	return append(advice, p.Prompts...)
}

// String says what is missing, where it goes and why it is asked for.
func (n Need) String() string {
	return n.What + " is missing (" + strings.Join(n.Any, ", or ") + "): " + n.Why
}

// missing returns the needs of which no member is there.
func (p Pathway) missing(here map[string]bool) (all []Need) {
	for _, n := range p.Needs {
		if !slices.ContainsFunc(n.Any, func(path string) bool { return here[path] }) {
			all = append(all, n)
		}
	}
	return all
}

// has collects the sections that are there, and their members as section/member.
func has[T ~[]byte](sections map[string]T) map[string]bool {
	here := map[string]bool{}
	for section, data := range sections {
		here[section] = true
		var members map[string]jsontext.Value
		if json.Unmarshal([]byte(data), &members) != nil {
			continue
		}
		for name := range maps.Keys(members) {
			here[section+"/"+name] = true
		}
		clearAll(members)
	}
	return here
}
