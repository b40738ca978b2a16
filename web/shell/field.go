package shell

import "strconv"

// Field is one question of a form, as the template "field" shows it.
type Field struct {
	Kind  string // text, textarea, radios, checkboxes, select, hidden
	Name  string // also the id of its first input
	Label string
	Hint  string // what to write, and of a free text always what not to write
	Value string
	Error string

	Choices []Choice // of radios, checkboxes and select
	Heading bool     // the label is the page's heading

	Rows         int    // of a textarea; default 3
	Max          int    // characters that a text may have; 0: the browser does not hold it
	Type         string // of a text: text (default), tel, time, date, number, email, url
	Inputmode    string
	Autocomplete string // default off: nothing about her stays in the browser's memory of forms
	Width        string // a GOV.UK input width class, such as "govuk-input--width-10"
}

// Choice is one answer to a question with given answers.
type Choice struct {
	Value, Label, Hint string
	Checked            bool
}

// ID is the id of the choice's input: the first has that of its field, so that the error
// summary leads to it.
func (f Field) ID(choice int) string {
	if choice == 0 {
		return f.Name
	}
	return f.Name + "-" + strconv.Itoa(choice+1)
}

// Described is what aria-describedby names, or "".
func (f Field) Described() string {
	switch {
	case f.Hint != "" && f.Error != "":
		return f.Name + "-hint " + f.Name + "-error"
	case f.Hint != "":
		return f.Name + "-hint"
	case f.Error != "":
		return f.Name + "-error"
	}
	return ""
}

// Lines is how high a textarea is.
func (f Field) Lines() int {
	if f.Rows == 0 {
		return 3
	}
	return f.Rows
}

// Kept is what the browser may remember of a text.
func (f Field) Kept() string {
	if f.Autocomplete == "" {
		return "off"
	}
	return f.Autocomplete
}
