package strict_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"handover/internal/strict"
)

// document has one member of every kind that the formats use.
type document struct {
	Name  string            `json:"name"`
	Count int64             `json:"count,omitzero"`
	Flag  bool              `json:"flag,omitzero"`
	List  []string          `json:"list,omitempty"`
	Map   map[string]string `json:"map,omitempty"`
	Inner *inner            `json:"inner,omitempty"`
}

type inner struct {
	Digest string `json:"digest"`
}

func TestUnmarshalTakesOneSpelling(t *testing.T) {
	for _, row := range []struct{ name, text string }{
		{"nothing", ``},
		{"white space", " \n"},
		{"a name twice", `{"name":"a","name":"b"}`},
		{"a name twice with the same value", `{"name":"a","name":"a"}`},
		{"a name twice, once escaped", `{"name":"a","n\u0061me":"a"}`},
		{"a name twice within", `{"inner":{"digest":"a","digest":"b"}}`},
		{"a name twice in a map", `{"map":{"a":"1","a":"2"}}`},
		{"a name twice in a map, once escaped", `{"map":{"a":"1","\u0061":"2"}}`},
		{"an unknown member", `{"name":"a","extra":1}`},
		{"an unknown member within", `{"inner":{"digest":"a","extra":1}}`},
		{"the empty name", `{"":1}`},
		{"a name in capitals", `{"NAME":"a"}`},
		{"a name in other case", `{"Name":"a"}`},
		{"a name in other case within", `{"inner":{"Digest":"a"}}`},
		{"a name in other case besides", `{"name":"a","nAme":"b"}`},
		{"a name in other writing", `{"ｎame":"a"}`},
		{"the field's name in Go", `{"Count":1}`},
		{"a second document", `{}{}`},
		{"a second document on its own line", "{}\n{}"},
		{"a closing brace too many", `{}}`},
		{"a comma after it", `{},`},
		{"a null byte after it", "{}\x00"},
		{"a byte order mark", "\ufeff{}"},
		{"a comment", `{} // none`},
		{"a comma too many", `{"name":"a",}`},
		{"single quotes", `{'name':'a'}`},
		{"no quotes", `{name:"a"}`},
		{"invalid UTF-8 in a value", "{\"name\":\"a\xff\"}"},
		{"invalid UTF-8 in a name", "{\"na\xffme\":\"a\"}"},
		{"a cut UTF-8 sequence", "{\"name\":\"\xe2\x82\"}"},
		{"an overlong UTF-8 sequence", "{\"name\":\"\xc0\xaf\"}"},
		{"a surrogate in UTF-8", "{\"name\":\"\xed\xa0\x80\"}"},
		{"half a surrogate pair", `{"name":"\ud800"}`},
		{"the other half", `{"name":"\udc00"}`},
		{"a surrogate pair in the wrong order", `{"name":"\udc00\ud800"}`},
		{"a line break in a string", "{\"name\":\"a\nb\"}"},
		{"an unknown escape", `{"name":"\x41"}`},
		{"a number for a string", `{"name":1}`},
		{"a string for a number", `{"count":"1"}`},
		{"a fraction", `{"count":1.5}`},
		{"a fraction of zero", `{"count":1.0}`},
		{"an exponent", `{"count":1e3}`},
		{"a number over 64 bits", `{"count":9223372036854775808}`},
		{"a number with a plus", `{"count":+1}`},
		{"a number with leading zeros", `{"count":01}`},
		{"a hexadecimal number", `{"count":0x1}`},
		{"not a number", `{"count":NaN}`},
		{"a string for a boolean", `{"flag":"true"}`},
		{"a number for a boolean", `{"flag":1}`},
		{"a string for a list", `{"list":"a"}`},
		{"a list for a map", `{"map":[]}`},
		{"an array", `[]`},
		{"text", `"name"`},
		{"null", `null`},
		{"null for a string", `{"name":null}`},
		{"null for a number", `{"name":"a","count":null}`},
		{"null for a list", `{"list":null}`},
		{"null in a list", `{"list":[null]}`},
		{"null for a map", `{"map":null}`},
		{"null in a map", `{"map":{"a":null}}`},
		{"null for an object", `{"inner":null}`},
		{"null within", `{"inner":{"digest":null}}`},
		{"cut short", `{"name":"a"`},
		{"nested without end", strings.Repeat(`{"inner":`, 20000)},
	} {
		t.Run(row.name, func(t *testing.T) {
			var d document
			if err := strict.Unmarshal([]byte(row.text), &d); err == nil {
				t.Errorf("read as %+v", d)
			}
		})
	}
}

func TestUnmarshalReadsWhatIsWritten(t *testing.T) {
	full := document{Name: "a£€漢😀\u0000\"\\<&>", Count: -9223372036854775808, Flag: true, List: []string{"b", "a", "a"},
		Map: map[string]string{"z": "1", "a": "2", "": "3"}, Inner: &inner{Digest: "x"}}
	for _, d := range []document{{}, full} {
		text, err := strict.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		var again document
		if err := strict.Unmarshal(text, &again); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if diff := cmp.Diff(d, again); diff != "" {
			t.Error(diff)
		}
	}
	var d document
	if err := strict.Unmarshal([]byte(" {\n \"n\\u0061me\" : \"\\u0061\\/b\" ,\t\"count\":-0}\r\n"), &d); err != nil || d.Name != "a/b" {
		t.Errorf("white space and escapes: %q with %v", d.Name, err)
	}
}

// The same value has the same bytes, so that a digest of them means the value.
func TestMarshalIsDeterministic(t *testing.T) {
	d := document{Name: "<a&b>", Map: map[string]string{"b": "1", "a": "2", "ä": "3", "aa": "4", "B": "5"}}
	const want = `{"name":"<a&b>","map":{"B":"5","a":"2","aa":"4","b":"1","ä":"3"}}`
	for range 20 {
		got, err := strict.Marshal(d)
		if err != nil || string(got) != want {
			t.Fatalf("%s with %v, want %s", got, err, want)
		}
	}
	for _, bad := range []document{{Name: "\xff"}, {Map: map[string]string{"\xff": "1"}}, {List: []string{"\xed\xa0\x80"}}} {
		if got, err := strict.Marshal(bad); err == nil {
			t.Errorf("invalid UTF-8 is written as %q", got)
		}
	}
}

// Whatever comes, Unmarshal does not panic. What it accepts is written again as an
// equal value, always with the same bytes, and the most lenient reader there is
// reads nothing else in it: encoding/json, which ignores what it does not know,
// takes the last of two names and repairs bad UTF-8.
func FuzzStrict(f *testing.F) {
	for _, seed := range []string{`{}`, `{"name":"a","count":1,"flag":true,"list":["x"],"map":{"a":"b"},"inner":{"digest":"d"}}`,
		`{"name":"a","name":"b"}`, `{"n\u0061me":"a"}`, `{"NAME":"a"}`, `{"name":"\ud800"}`, "{\"name\":\"\xff\"}", `{"name":"a"}{}`,
		`{"count":1e3}`, `{"count":-0}`, `{"map":{"a":"1","\u0061":"2"}}`, ` {"list" : [ "a" , "b" ] } `, `[]`, `"x"`, ``} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var d document
		if err := strict.Unmarshal(text, &d); err != nil {
			return
		}
		if !utf8.Valid(text) || !json.Valid(text) {
			t.Fatalf("%q is accepted", text)
		}
		written, err := strict.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		var again, lenient document
		if err := strict.Unmarshal(written, &again); err != nil {
			t.Fatalf("%q is written as %q and not read: %v", text, written, err)
		}
		if err := json.Unmarshal(text, &lenient); err != nil {
			t.Fatalf("encoding/json refuses %q: %v", text, err)
		}
		twice, err := strict.Marshal(again)
		if err != nil || !bytes.Equal(written, twice) {
			t.Fatalf("%q is written as %q and then as %q", text, written, twice)
		}
		if other, err := strict.Marshal(lenient); err != nil || !bytes.Equal(written, other) {
			t.Fatalf("%q: strict reads %s, encoding/json %s", text, written, other)
		}
	})
}

// TestNullIsTheirs: a document that is only carried may hold null, and so may a text.
func TestNullIsTheirs(t *testing.T) {
	var d struct {
		Name string         `json:"name"`
		Raw  jsontext.Value `json:"raw"`
	}
	for _, raw := range []string{`null`, `{"a":null}`, `[null]`} {
		if err := strict.Unmarshal([]byte(`{"name":"null","raw":`+raw+`}`), &d); err != nil || d.Name != "null" || string(d.Raw) != raw {
			t.Errorf("%s: %+v, %v", raw, d, err)
		}
	}
}
