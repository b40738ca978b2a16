package send

import (
	"encoding/json"
	"fmt"
	"strings"

	"handover/internal/codes"
	"handover/referral/packet/schema"
)

// kind is what a member of a section may hold, as far as a form has to know.
type kind string

const (
	text   kind = "text"   // one string
	code   kind = "code"   // one of some
	many   kind = "many"   // some of some
	yesno  kind = "yesno"  // true or false
	number kind = "number" // a whole number
	lines  kind = "lines"  // strings, one a line
	when   kind = "when"   // a day, month or year, with how sure it is
	group  kind = "group"  // members of its own
	list   kind = "list"   // of groups
)

// shape is what the schema of a section says of one member, and of those within it.
type shape struct {
	Kind     kind
	Format   string
	Codes    []string
	Max      int    // characters
	Says     string // the schema's description: what it is, and what not to write
	Required []string
	Members  map[string]*shape
}

// shapes are the newest schemas of all sections, by section.
func shapes() (map[string]*shape, error) {
	all := map[string]*shape{}
	for _, section := range codes.Sections().Codes() {
		d, ok := schema.Newest(section)
		if !ok {
			return nil, fmt.Errorf("no schema describes %s", section)
		}
		var described property
		if err := json.Unmarshal(d.Text, &described); err != nil {
			return nil, fmt.Errorf("reading %s: %w", d.Name, err)
		}
		s := described.shape()
		delete(s.Members, "schema")
		all[section] = s
	}
	return all, nil
}

// property is what a form needs of JSON Schema.
type property struct {
	Type        string              `json:"type"`
	Enum        []string            `json:"enum"`
	Format      string              `json:"format"`
	Max         int                 `json:"maxLength"`
	Description string              `json:"description"`
	Required    []string            `json:"required"`
	Properties  map[string]property `json:"properties"`
	Items       *property           `json:"items"`
}

func (p property) shape() *shape {
	s := &shape{Kind: text, Format: p.Format, Codes: p.Enum, Max: p.Max, Says: p.Description, Required: p.Required}
	switch {
	case len(p.Enum) > 0:
		s.Kind = code
	case p.Type == "boolean":
		s.Kind = yesno
	case p.Type == "integer":
		s.Kind = number
	case p.Type == "array":
		s.items(p.Items.shape())
	case p.Properties != nil:
		s.Kind = group
		if _, dated := p.Properties["precision"]; dated && len(p.Properties) == 2 {
			s.Kind = when
			return s
		}
		s.Members = make(map[string]*shape, len(p.Properties))
		for name, member := range p.Properties {
			s.Members[name] = member.shape()
		}
	}
	return s
}

// items makes s the shape of an array.
func (s *shape) items(of *shape) {
	switch of.Kind {
	case group:
		s.Kind, s.Members, s.Required = list, of.Members, of.Required
	case code:
		s.Kind, s.Codes = many, of.Codes
	default:
		s.Kind, s.Format, s.Max = lines, of.Format, of.Max
		if _, forbids, found := strings.Cut(of.Says, "Do not "); found { // what not to write stands with the item
			s.Says += " Do not " + forbids
		}
		if s.Format == "language" || s.Format == "gss-code" {
			s.Kind = many
		}
	}
}

// at returns the shape at a path within the section, such as feared.0.called; nil if there is none.
func (s *shape) at(path string) *shape {
	for step := range strings.SplitSeq(path, ".") {
		if s.Kind == list && isIndex(step) {
			continue
		}
		if s = s.Members[step]; s == nil {
			return nil
		}
	}
	return s
}

func isIndex(step string) bool {
	return step != "" && !strings.ContainsFunc(step, func(r rune) bool { return r < '0' || r > '9' })
}

// choices are the answers that a member with given answers has, with their words.
func (s *shape) choices(member string) codes.List {
	switch {
	case s.Format == "gss-code":
		return codes.LondonAuthorities()
	case s.Format == "language":
		return languages()
	case s.Kind == yesno:
		return codes.List{{Code: "yes", Label: "Yes"}, {Code: "no", Label: "No"}}
	}
	known := map[string]codes.List{"needs.need": codes.Purposes(), "harms.type": codes.HarmTypes(), "harms.basis": codes.HarmBases(),
		"channel": codes.Channels()}[member]
	all := make(codes.List, 0, len(s.Codes))
	for _, c := range s.Codes {
		label := known.Label(c)
		if known == nil {
			label = inWords(c)
		}
		all = append(all, codes.Code{Code: c, Label: capital(label)})
	}
	return all
}

// inWords are the words for a code of a schema that has no list of its own.
func inWords(c string) string {
	if words, special := codeWords()[c]; special {
		return words
	}
	if codes.Answers().Has(c) {
		return codes.Answers().Label(c)
	}
	return strings.ReplaceAll(c, "-", " ")
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
