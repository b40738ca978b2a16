package schema

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"handover/internal/fault"
)

// Misfit is one thing in a section that is not as its schema says. It holds names that the
// schema has, places in lists, and what to do: nothing that anybody wrote about her.
type Misfit struct {
	Section string `json:"section"`
	Member  string `json:"member"` // JSON pointer (RFC 6901) within the section; "" is the whole
	Says    string `json:"says"`
}

// String gives section, member and what to do, as a caseworker reads it.
func (m Misfit) String() string {
	var path strings.Builder
	path.WriteString(m.Section)
	for step := range strings.SplitSeq(strings.TrimPrefix(m.Member, "/"), "/") {
		if n, err := strconv.Atoi(step); err == nil {
			fmt.Fprintf(&path, " %d", n+1) // people count from one
		} else if step != "" {
			path.WriteString(", " + step)
		}
	}
	return path.String() + ": " + m.Says
}

// unfit is ErrUnfit about what was found.
func unfit(found []Misfit) error {
	lines := make([]string, len(found))
	for i, m := range found {
		lines[i] = m.String()
	}
	return &misfitted{ErrUnfit.With("section", found[0].Section).With("member", found[0].Member).
		With("detail", strings.Join(lines, "; ")), found}
}

// misfitted is the refusal with what it is about.
type misfitted struct {
	*fault.Fault
	found []Misfit
}

func (m *misfitted) Unwrap() error { return m.Fault }

// misfitsOf returns what a refusal is about.
func misfitsOf(err error) []Misfit {
	if m, ok := errors.AsType[*misfitted](err); ok {
		return m.found
	}
	return nil
}

// mostMisfits is how many are told: whoever has more to put right is told the rest next time,
// and a list of thousands of wrong items makes no answer of thousands of sentences.
const mostMisfits = 20

// inWords says what the validator has found, one thing for each member.
func inWords(d Document, wrong *jsonschema.ValidationError) []Misfit {
	var found []Misfit
	add := func(place []string, says string) {
		m := Misfit{Section: d.Describes, Says: says}
		for _, step := range place {
			m.Member += "/" + step
		}
		if len(found) < mostMisfits && !slices.ContainsFunc(found, func(f Misfit) bool { return f.Member == m.Member }) {
			found = append(found, m)
		}
	}
	var walk func(e *jsonschema.ValidationError)
	walk = func(e *jsonschema.ValidationError) {
		switch k := e.ErrorKind.(type) {
		case *kind.Required:
			for _, name := range k.Missing {
				add(append(slices.Clone(e.InstanceLocation), name), "is missing")
			}
		case *kind.DependentRequired:
			for _, name := range k.Missing {
				add(append(slices.Clone(e.InstanceLocation), name), "is missing, since "+k.Prop+" is there")
			}
		case *kind.AdditionalProperties:
			add(e.InstanceLocation, unknown(d, e, len(k.Properties)))
		default:
			if len(e.Causes) == 0 {
				add(e.InstanceLocation, sentence(e.ErrorKind))
			}
		}
		// A format says more than the pattern beside it.
		for _, c := range slices.SortedStableFunc(slices.Values(e.Causes), formatsFirst) {
			walk(c)
		}
	}
	walk(wrong)
	slices.SortStableFunc(found, func(a, b Misfit) int { return strings.Compare(a.Member, b.Member) })
	return found
}

func formatsFirst(a, b *jsonschema.ValidationError) int {
	rank := func(e *jsonschema.ValidationError) int {
		if _, ok := e.ErrorKind.(*kind.Format); ok {
			return 0
		}
		return 1
	}
	return rank(a) - rank(b)
}

// sentence says what to do about one finding. It is made from the schema's side of it alone.
func sentence(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.Type:
		return "write " + plainType(strings.Join(k.Want, " or "))
	case *kind.Enum:
		return "choose one of " + plainList(k.Want)
	case *kind.Const:
		return fmt.Sprintf("must be %v here", k.Want)
	case *kind.Format:
		return formatWords(k.Want)
	case *kind.Pattern:
		return "is not in the form that its schema describes"
	case *kind.MinLength, *kind.MinItems, *kind.MinProperties:
		return "is empty: write something, or leave it out"
	case *kind.MaxLength:
		return fmt.Sprintf("is too long: at most %d characters", k.Want)
	case *kind.MaxItems:
		return fmt.Sprintf("has too many: at most %d", k.Want)
	case *kind.Minimum:
		return "is too small: at least " + k.Want.RatString()
	case *kind.Maximum:
		return "is too large: at most " + k.Want.RatString()
	case *kind.UniqueItems:
		return "says the same thing twice"
	case *kind.FalseSchema:
		return "leave this out: it is said to be unknown"
	}
	return "is not as its schema describes it"
}

func plainType(name string) string {
	switch name {
	case "boolean":
		return "true or false, without quotation marks"
	case "string":
		return "text, in quotation marks"
	case "integer":
		return "a whole number"
	case "array":
		return "a list, in brackets"
	case "object":
		return "an object, in braces"
	}
	return "a " + name
}

func plainList(values []any) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = fmt.Sprint(v)
	}
	return strings.Join(words, ", ")
}

// unknown says that there are members that nobody knows, and which are known. The names
// themselves are what somebody wrote: a form's field may be called after her.
func unknown(d Document, e *jsonschema.ValidationError, count int) string {
	is := "a member here has a name"
	if count > 1 {
		is = strconv.Itoa(count) + " members here have names"
	}
	return is + " that " + d.Name + " does not know (a misspelling would be lost in silence); it knows " +
		strings.Join(d.members(e.SchemaURL), ", ")
}
