// Package schema says what is in a section: one JSON Schema 2020-12 document for each, by
// name and version, such as need/1. The documents are data (documents/), which the hub serves
// and any implementation can use; what they cannot say is here.
//
// The content of a section is sealed, so whoever has it in clear checks it: a client before
// it seals (Complete), the hub for the people of agencies whose keys it holds, and whoever
// opens it (Misfits), who is warned and shown it all the same. What does not fit is told by
// section and member and by what to do, and never by what was written.
//
// format.go has the checks that a pattern cannot say (the check digit of an NHS number),
// words.go turns what the validator finds into sentences, safe.go has the rules of the section
// that can hurt most. pathway.go says what a statutory pathway needs, letter.go is for the desk
// of a GP practice.
package schema

import (
	"bytes"
	"embed"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"handover/internal/codes"
	"handover/internal/fault"
	"handover/internal/strict"
)

//go:embed documents
var files embed.FS

// Kinds of document: a section of a packet, the head of an attachment, and a record that an
// agency keeps for itself.
const (
	Section    = "section"
	Attachment = "attachment"
	Record     = "record"
)

// Document is one schema.
type Document struct {
	Name        string `json:"schema"` // such as need/1: what a section says of itself
	Describes   string `json:"describes"`
	Version     int    `json:"version"`
	Kind        string `json:"kind"` // section, attachment or record
	Title       string `json:"title"`
	Description string `json:"description"`
	Text        []byte `json:"-"` // the document itself

	compiled *jsonschema.Schema
	defaults []member
}

// member is a member that is written out where it was left out, since a reader that does not
// know what is meant by its absence would guess.
type member struct{ name, value string }

// ErrUnfit is content that is not as the schema of its section says.
var ErrUnfit = fault.New(fault.Unprocessable, "section-unfit", fault.Sender,
	"A section is not as its schema says. Put right what detail names and send it again; nothing was sealed or sent.")

// documents are compiled once: they do not change while a program runs, and a document that
// does not compile is found by the first test.
var documents = sync.OnceValue(func() []Document {
	all, err := load()
	if err != nil {
		panic("the built-in schemas: " + err.Error())
	}
	return all
})

// All returns every document, sections in their reading order first.
func All() []Document { return slices.Clone(documents()) }

// Find returns the document of that name, such as need/1.
func Find(name string) (Document, bool) {
	i := slices.IndexFunc(documents(), func(d Document) bool { return d.Name == name })
	if i < 0 {
		return Document{}, false
	}
	return documents()[i], true
}

// Newest returns the newest document that describes a section, or a record.
func Newest(describes string) (newest Document, ok bool) {
	for _, d := range documents() {
		if d.Describes == describes && d.Version > newest.Version {
			newest, ok = d, true
		}
	}
	return newest, ok
}

// Complete returns the content of a section as it is sealed: with the name of the newest
// schema where it names none, and with the defaults that must not be left to a reader's guess,
// such as that no voicemail may be left. The error is ErrUnfit, whose members name section,
// member and what to do. What no document describes passes as it is: the head of an attachment
// has a form of its own, and a section that there is not is refused when it is sealed.
func Complete(section string, data []byte) ([]byte, error) {
	if _, known := Newest(section); !known {
		return data, nil
	}
	whole, ok := data, len(data) <= mostBytes
	if ok {
		whole, ok = complete(section, data)
	}
	if !ok {
		whole = data
	}
	if found := Misfits(section, whole); len(found) > 0 {
		return nil, unfit(found)
	}
	return whole, nil
}

// CompleteAll is Complete for the sections of one packet.
func CompleteAll[T ~[]byte](sections map[string]T) (map[string]T, error) {
	whole := make(map[string]T, len(sections))
	var found []Misfit
	for _, name := range slices.Sorted(maps.Keys(sections)) {
		data, err := Complete(name, sections[name])
		if err != nil {
			found = append(found, misfitsOf(err)...)
		}
		whole[name] = T(data)
	}
	if len(found) > 0 {
		return nil, unfit(found)
	}
	return whole, nil
}

// complete writes what was left out, before what was written.
func complete(section string, data []byte) ([]byte, bool) {
	value := jsontext.Value(data)
	var has map[string]jsontext.Value
	d, known := Newest(section)
	defer func() { clearAll(has) }()
	if !known || strict.Unmarshal(data, &has) != nil {
		return nil, false
	}
	if named, ok := has[schemaMember]; ok {
		var name string
		if json.Unmarshal(named, &name) != nil {
			return nil, false
		}
		if d, known = Find(name); !known || d.Describes != section {
			return nil, false
		}
	}
	var b bytes.Buffer
	write := func(m member) {
		if _, there := has[m.name]; !there {
			fmt.Fprintf(&b, ",%q:%s", m.name, m.value)
		}
	}
	write(member{schemaMember, strconv.Quote(d.Name)})
	for _, m := range append(slices.Clone(d.defaults), derived(section, has)...) {
		write(m)
	}
	if b.Len() == 0 {
		return data, true
	}
	rest := bytes.TrimSpace(value)[1:] // after the brace
	if len(has) > 0 {
		b.WriteByte(',')
	}
	whole := append([]byte{'{'}, b.Bytes()[1:]...)
	return append(whole, rest...), true
}

// clearAll overwrites what was taken apart: in the hub's memory content stays no longer than it
// must, as far as that can be reached.
func clearAll(members map[string]jsontext.Value) {
	for _, value := range members {
		clear(value)
	}
}

// schemaMember is where a section names its schema.
const schemaMember = "schema"

// Misfits returns what in a section is not as its schema says, in the order of its members.
// Content that names no schema is read as by version 1, and that is among them.
func Misfits(section string, data []byte) []Misfit {
	says := func(text string) []Misfit { return []Misfit{{Section: section, Says: text}} }
	if _, known := Newest(section); !known {
		return nil
	}
	if len(data) > mostBytes {
		return says("is too large for a section: send it as an attachment")
	}
	var value any
	if err := json.Unmarshal(data, &value); err != nil {
		return says("write one JSON object, no member twice")
	}
	object, ok := value.(map[string]any)
	if !ok {
		return says("write a JSON object")
	}
	name, named := object[schemaMember].(string)
	if !named {
		name = section + "/1"
	}
	d, known := Find(name)
	if !known || d.Describes != section {
		return []Misfit{{section, "/" + schemaMember, "name a schema of this section that is known here: " + versions(section)}}
	}
	found := d.misfits(value)
	return append(found, rules(section, object)...)
}

// mostBytes is the most that a section has room for once it is sealed; what is longer is not
// taken apart.
const mostBytes = 256 << 10

// misfits validates a value by the document.
func (d Document) misfits(value any) []Misfit {
	err := d.compiled.Validate(value)
	if err == nil {
		return nil
	}
	wrong, ok := err.(*jsonschema.ValidationError) //nolint:errorlint // what Validate returns; it wraps nothing
	if !ok {
		return []Misfit{{Section: d.Describes, Says: "write what the schema describes"}}
	}
	return inWords(d, wrong)
}

// versions lists the schemas of a section.
func versions(section string) string {
	var names []string
	for _, d := range documents() {
		if d.Describes == section {
			names = append(names, d.Name)
		}
	}
	return strings.Join(names, ", ")
}

// load reads and compiles the documents.
func load() ([]Document, error) {
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.UseLoader(nowhere{})
	compiler.AssertFormat()
	for _, f := range Formats() {
		compiler.RegisterFormat(&jsonschema.Format{Name: f.Name, Validate: f.validate})
	}
	var all []Document
	for _, about := range described() {
		folder := "documents/" + about.describes
		entries, err := files.ReadDir(folder)
		if err != nil {
			return nil, fmt.Errorf("listing %s: %w", folder, err)
		}
		for i := range entries {
			d, err := read(compiler, about, i+1)
			if err != nil {
				return nil, err
			}
			all = append(all, d)
		}
	}
	return all, nil
}

// subject is what a document describes.
type subject struct{ describes, kind string }

func described() []subject {
	var all []subject
	for _, section := range codes.Sections() {
		all = append(all, subject{section.Code, Section})
	}
	return append(all, subject{"attachment", Attachment}, subject{"gp-refusal", Record})
}

// read reads one version of a document; the versions are numbered from 1 without a gap.
func read(compiler *jsonschema.Compiler, about subject, version int) (Document, error) {
	d := Document{Name: about.describes + "/" + strconv.Itoa(version), Describes: about.describes, Version: version, Kind: about.kind}
	var err error
	if d.Text, err = files.ReadFile("documents/" + d.Name + ".json"); err != nil {
		return Document{}, fmt.Errorf("reading %s: %w", d.Name, err)
	}
	var value map[string]any
	if err := json.Unmarshal(d.Text, &value); err != nil {
		return Document{}, fmt.Errorf("parsing %s: %w", d.Name, err)
	}
	d.Title, _ = value["title"].(string)
	d.Description, _ = value["description"].(string)
	if d.defaults, err = defaultsOf(value); err != nil {
		return Document{}, fmt.Errorf("the defaults of %s: %w", d.Name, err)
	}
	id, _ := value["$id"].(string)
	if err := compiler.AddResource(id, value); err != nil {
		return Document{}, fmt.Errorf("taking %s: %w", d.Name, err)
	}
	if d.compiled, err = compiler.Compile(id); err != nil {
		return Document{}, fmt.Errorf("compiling %s: %w", d.Name, err)
	}
	return d, nil
}

// defaultsOf returns the members for which a document states a default, sorted.
func defaultsOf(document map[string]any) (all []member, err error) {
	properties, _ := document["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		about, _ := properties[name].(map[string]any)
		value, ok := about["default"]
		if !ok {
			continue
		}
		text, err := strict.Marshal(value)
		if err != nil {
			return nil, err
		}
		all = append(all, member{name, string(text)})
	}
	return all, nil
}

// nowhere loads nothing: a document that refers to another address is a mistake, and a
// validator that fetches one would tell its owner what is being read.
type nowhere struct{}

func (nowhere) Load(string) (any, error) {
	return nil, fmt.Errorf("a schema refers to nothing outside itself")
}
