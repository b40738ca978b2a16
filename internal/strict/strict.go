// Package strict reads and writes JSON without benefit of the doubt: duplicate
// names, unknown members, trailing data, names in another case and invalid UTF-8
// are refused. Two readers that disagree about one document are an attack
// (a signature checked over one meaning, a decision made on the other); a reader
// that accepts a single spelling leaves no room for it.
package strict

import (
	"github.com/go-json-experiment/json"
)

// Unmarshal decodes exactly one JSON value from data into v, a pointer.
func Unmarshal(data []byte, v any) error {
	return json.Unmarshal(data, v,
		json.RejectUnknownMembers(true),
		json.MatchCaseInsensitiveNames(false))
}

// Marshal encodes v with its members in declared order and maps in sorted
// order, so the same value always gives the same bytes.
func Marshal(v any) ([]byte, error) {
	return json.Marshal(v, json.Deterministic(true))
}
