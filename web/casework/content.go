package casework

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"handover/internal/codes"
	"handover/referral/packet"
	"handover/referral/packet/schema"
)

// row is one member of a section, as a page shows it.
type row struct {
	Label  string
	Values []value
}

// value is one thing that a member says: a text, or what the parts of it say, or both.
type value struct {
	Text string
	More []part
}

// Lines are the lines of its text.
func (v value) Lines() []string { return strings.Split(v.Text, "\n") }

// part is a member of a value that has several.
type part struct{ Label, Text string }

// hiddenNumber stands where a number is that nobody should use now.
const hiddenNumber = "Hidden: it is not safe to use now"

// numbers are the members that reach her, or somebody close to her, at once. Her worker's
// number is none of them.
func numbers() []string {
	return []string{"safe-contact/number", "safe-contact/app", "safe-contact/trusted_contact/phone", "contact/phone", "contact/email"}
}

// saysHow reports whether a section says how to reach her.
func saysHow(section string) bool { return section == "safe-contact" || section == "contact" }

// reaches reports whether a text of a section reaches her. Where it stands is not enough: whoever
// does not write by the schema can put a number in a member of another name, or deeper. So what
// looks like one is held for one, but for her worker's.
func reaches(section, path, text string) bool {
	if !saysHow(section) || section == "safe-contact" && strings.HasPrefix(path, "worker/") {
		return false
	}
	for _, number := range numbers() {
		if at := section + "/" + path; at == number || strings.HasPrefix(at, number+"/") {
			return true
		}
	}
	digits := 0
	for _, r := range text {
		if unicode.IsDigit(r) {
			digits++
		}
	}
	_, err := time.Parse(time.DateOnly, text)
	return strings.Contains(text, "@") || digits >= fewestDigits && err != nil
}

// fewestDigits is how many digits the shortest number has that is somebody's.
const fewestDigits = 7

// rows tells what a section says, in the order of its schema, and then what its schema does
// not know: whoever was sent it must be able to read it, whatever program its sender used.
// hide leaves out the numbers.
func rows(section string, content packet.Content, hide bool) []row {
	var members map[string]jsontext.Value
	if json.Unmarshal([]byte(content), &members) != nil {
		if hide && saysHow(section) {
			return []row{{Label: "What was sent", Values: []value{{Text: hiddenNumber}}}}
		}
		return []row{{Label: "What was sent", Values: []value{{Text: string(content)}}}}
	}
	w := words{section: section, hide: hide, order: orders(section, members)}
	var all []row
	for _, name := range w.sorted("", members) {
		if name == "schema" {
			continue
		}
		all = append(all, row{codes.Member(section, name), w.values(name, members[name])})
	}
	return all
}

// words turns what a section says into what people read.
type words struct {
	section string
	hide    bool
	order   map[string][]string // names of members by where they are, as the schema has them
}

// values tells what one member says: of a list each item, else the one thing.
func (w words) values(name string, v jsontext.Value) []value {
	if v.Kind() != '[' {
		return []value{w.one(name, v)}
	}
	var items []jsontext.Value
	if json.Unmarshal(v, &items) != nil {
		return []value{{Text: string(v)}}
	}
	all := make([]value, len(items))
	for i, item := range items {
		all[i] = w.one(name, item)
	}
	return all
}

func (w words) one(name string, v jsontext.Value) value {
	if v.Kind() != '{' {
		return value{Text: w.text(name, v)}
	}
	var members map[string]jsontext.Value
	if json.Unmarshal(v, &members) != nil {
		return value{Text: string(v)}
	}
	if told, ok := howSure(members); ok && !(w.hide && saysHow(w.section)) {
		return value{Text: told}
	}
	var all value
	for _, member := range w.sorted(name, members) {
		all.More = append(all.More, part{codes.Member(w.section, member), w.deep(name, member, members[member])})
	}
	return all
}

// deep tells in one line what a part says, however it is built.
func (w words) deep(under, name string, v jsontext.Value) string {
	switch v.Kind() {
	case '[', '{':
		var said []string
		for _, one := range w.values(under+"/"+name, v) {
			text := one.Text
			for _, p := range one.More {
				text += p.Label + ": " + p.Text + " "
			}
			said = append(said, strings.TrimSpace(text))
		}
		return strings.Join(said, ", ")
	}
	return w.text(under+"/"+name, v)
}

// text tells what a member that is no list and no object says.
func (w words) text(path string, v jsontext.Value) string {
	name, text := path[strings.LastIndexByte(path, '/')+1:], string(v)
	if v.Kind() == '"' {
		_ = json.Unmarshal(v, &text) // what cannot be read stays as it came
	}
	if w.hide && reaches(w.section, path, text) {
		return hiddenNumber
	}
	switch v.Kind() {
	case 't', 'f':
		return yesNo(name, v.Kind() == 't')
	case 'n':
		return "Not said"
	case '"':
		return w.label(name, text)
	}
	return text
}

// yesNo says plainly what a yes means of what can hurt her.
func yesNo(name string, yes bool) string {
	said := map[string][2]string{
		"voicemail":    {"Leave none", "One may be left"},
		"text":         {"Send none", "They may be sent"},
		"do_not_visit": {"She may be visited", "Do not visit her"},
	}
	answer, ok := said[name]
	if !ok {
		answer = [2]string{"No", "Yes"}
	}
	if yes {
		return answer[1]
	}
	return answer[0]
}

// label is the plain words of a code, the day of a date, or the text as it is.
func (w words) label(name, text string) string {
	lists := map[string]codes.List{
		"channel": codes.Channels(), "need": codes.Purposes(), "type": codes.HarmTypes(), "basis": codes.HarmBases(),
		"authority": codes.LondonAuthorities(), "not_safe_in": codes.LondonAuthorities(), "area": codes.LondonAuthorities(),
	}
	switch {
	case lists[name].Has(text):
		return sentence(lists[name].Label(text))
	case codes.Answers().Has(text):
		return sentence(codes.Answers().Label(text))
	case coded(w.section, name, text):
		return sentence(strings.ReplaceAll(text, "-", " "))
	}
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day.Format("2 January 2006")
	}
	return text
}

// sentence begins with a capital letter.
func sentence(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	if size == 0 {
		return text
	}
	return string(unicode.ToUpper(first)) + text[size:]
}

// coded reports whether the schema of the section has the text as one of its codes.
func coded(section, name, text string) bool {
	d, known := schema.Newest(section)
	return known && slices.Contains(strings.Fields("now lives_with why kind mobility status nrm state because safe_days"), name) &&
		bytes.Contains(d.Text, []byte(strconv.Quote(text)))
}

// howSure tells a date that says how sure it is.
func howSure(members map[string]jsontext.Value) (told string, ok bool) {
	var precision, date string
	if json.Unmarshal(members["precision"], &precision) != nil || !codes.Precisions().Has(precision) {
		return "", false
	}
	if precision == "unknown" {
		return "Not known", true
	}
	if json.Unmarshal(members["value"], &date) != nil || len(members) > 2 {
		return "", false
	}
	for layout, as := range map[string]string{"2006-01-02": "2 January 2006", "2006-01": "January 2006", "2006": "2006"} {
		if t, err := time.Parse(layout, date); err == nil {
			date = t.Format(as)
			break
		}
	}
	return fmt.Sprintf("%s (%s)", date, codes.Precisions().Label(precision)), true
}

// sorted are the names of members: those that the schema has in its order, then the others.
func (w words) sorted(under string, members map[string]jsontext.Value) []string {
	var names []string
	for _, name := range w.order[under] {
		if _, there := members[name]; there {
			names = append(names, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// orders are the names of members as the schema that the section names has them: of the
// section itself under "", and of what is in its members under their names.
func orders(section string, members map[string]jsontext.Value) map[string][]string {
	var name string
	_ = json.Unmarshal(members["schema"], &name) // one that is missing is that of the newest
	d, known := schema.Find(name)
	if !known || d.Describes != section {
		if d, known = schema.Newest(section); !known {
			return nil
		}
	}
	found := map[string][]string{"": namesAt(d.Text, "properties")}
	for _, member := range found[""] {
		inside := namesAt(d.Text, "properties", member, "items", "properties")
		found[member] = append(inside, namesAt(d.Text, "properties", member, "properties")...)
	}
	return found
}

// namesAt lists the names in a JSON object within others, in the order in which they are
// written.
func namesAt(text []byte, path ...string) (names []string) {
	for _, step := range path {
		var object map[string]jsontext.Value
		if json.Unmarshal(text, &object) != nil || object[step] == nil {
			return nil
		}
		text = object[step]
	}
	in := jsontext.NewDecoder(bytes.NewReader(text))
	if in.PeekKind() != '{' {
		return nil
	}
	_, _ = in.ReadToken()
	for in.PeekKind() == '"' {
		name, err := in.ReadToken()
		if err != nil {
			return names
		}
		names = append(names, name.String())
		if in.SkipValue() != nil {
			return names
		}
	}
	return names
}
