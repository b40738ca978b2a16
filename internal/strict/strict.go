// Package strict reads and writes JSON without benefit of the doubt: duplicate
// names, unknown members, trailing data, names in another case, null for what is not
// there and invalid UTF-8 are refused. Two readers that disagree about one document
// are an attack (a signature checked over one meaning, a decision made on the other);
// a reader that accepts a single spelling leaves no room for it.
package strict

import (
	"bytes"
	"errors"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Unmarshal decodes exactly one JSON value from data into v, a pointer. A
// jsontext.Value within v is a document of somebody else's, and may hold null.
func Unmarshal(data []byte, v any) error {
	options := []json.Options{json.RejectUnknownMembers(true), json.MatchCaseInsensitiveNames(false)}
	if bytes.Contains(data, []byte("null")) { // else there is none to look for
		options = append(options, json.WithUnmarshalers(json.UnmarshalFromFunc(refuseNull)))
	}
	return json.Unmarshal(data, v, options...)
}

// refuseNull leaves every value to the usual decoding, but null. The library reads it as
// the zero value, so a member could be missing in two ways, and what was accepted would
// not be encoded to the same bytes.
func refuseNull(d *jsontext.Decoder, v any) error {
	if _, raw := v.(*jsontext.Value); !raw && d.PeekKind() == 'n' {
		return errors.New("null where there should be a value or nothing")
	}
	return errors.ErrUnsupported // the library: as if this were not here
}

// Marshal encodes v with its members in declared order and maps in sorted
// order, so the same value always gives the same bytes.
func Marshal(v any) ([]byte, error) {
	return json.Marshal(v, json.Deterministic(true))
}
