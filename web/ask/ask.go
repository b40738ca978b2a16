// Package ask makes questions of pages out of the code lists, and keeps their answers in a
// draft.
package ask

import (
	"slices"
	"strings"
	"unicode/utf8"

	"handover/internal/codes"
	"handover/referral/managed"
	"handover/web/shell"
)

// Radios is a question with one answer out of a list.
func Radios(name, label string, list codes.List, chosen string) shell.Field {
	return shell.Field{Kind: "radios", Name: name, Label: label, Choices: Choices(list, chosen)}
}

// Checks is a question with any number of answers out of a list. Nothing is ticked that
// nobody has ticked: a box that is ticked before she was asked is no answer of hers.
func Checks(name, label string, list codes.List, chosen []string) shell.Field {
	return shell.Field{Kind: "checkboxes", Name: name, Label: label, Choices: Choices(list, chosen...)}
}

// Select is a question with one answer out of a long list, or none.
func Select(name, label, none string, list codes.List, chosen string) shell.Field {
	f := shell.Field{Kind: "select", Name: name, Label: label, Choices: Choices(list, chosen)}
	f.Choices = slices.Insert(f.Choices, 0, shell.Choice{Label: none, Checked: chosen == ""})
	return f
}

// Choices are the codes of a list with their labels as sentences begin.
func Choices(list codes.List, chosen ...string) []shell.Choice {
	choices := make([]shell.Choice, len(list))
	for i, c := range list {
		choices[i] = shell.Choice{Value: c.Code, Label: Upper(c.Label), Checked: slices.Contains(chosen, c.Code)}
	}
	return choices
}

// Upper is a label as a sentence begins.
func Upper(label string) string {
	first, size := utf8.DecodeRuneInString(label)
	return strings.ToUpper(string(first)) + label[size:]
}

// Only is the part of a list with those codes, in the list's order.
func Only(list codes.List, chosen []string) codes.List {
	return slices.DeleteFunc(slices.Clone(list), func(c codes.Code) bool { return !slices.Contains(chosen, c.Code) })
}

// Without is the list without those codes.
func Without(list codes.List, left ...string) codes.List {
	return slices.DeleteFunc(slices.Clone(list), func(c codes.Code) bool { return slices.Contains(left, c.Code) })
}

// Labels are the words for codes, in the list's order.
func Labels(list codes.List, chosen []string) []string {
	var words []string
	for _, c := range Only(list, chosen) {
		words = append(words, c.Label)
	}
	return words
}

// Questions are the fields of a page, whose mistakes are told together at its top.
type Questions []shell.Field

// Wrong marks the answer to a field as wrong, and says what to do.
func (q Questions) Wrong(name, what string) {
	for i := range q {
		if q[i].Name == name && q[i].Error == "" {
			q[i].Error = what
		}
	}
}

// Mistakes are what is wrong, in the order of the page.
func (q Questions) Mistakes() []shell.Mistake {
	var all []shell.Mistake
	for _, f := range q {
		if f.Error != "" {
			all = append(all, shell.Mistake{Field: f.Name, Text: f.Error})
		}
	}
	return all
}

// Sheet is a draft with the answers to questions.
type Sheet struct{ managed.Draft }

// One is the answer to a question that has at most one, or "".
func (s Sheet) One(question string) string {
	if answers := s.Answers[question]; len(answers) > 0 {
		return answers[0]
	}
	return ""
}

// All are the answers to a question.
func (s Sheet) All(question string) []string { return s.Answers[question] }

// Has reports whether a question was answered, be it with nothing.
func (s Sheet) Has(question string) bool {
	_, answered := s.Answers[question]
	return answered
}

// Set answers a question.
func (s Sheet) Set(question string, answers ...string) {
	if answers == nil {
		answers = []string{}
	}
	s.Answers[question] = answers
}

// Default answers a question that has no answer yet, and returns the answer that it has.
func (s Sheet) Default(question, answer string) string {
	if s.One(question) == "" {
		s.Set(question, answer)
	}
	return s.One(question)
}

// Forget takes back every answer to questions whose names begin so.
func (s Sheet) Forget(prefix string) {
	for question := range s.Answers {
		if strings.HasPrefix(question, prefix) {
			delete(s.Answers, question)
		}
	}
}
