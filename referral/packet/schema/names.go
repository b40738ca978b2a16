package schema

import (
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
)

// members returns the names that the document knows where an error points, such as
// urn:handover:risk/1#/properties/harms/items.
func (d Document) members(at string) []string {
	var value any
	if json.Unmarshal(d.Text, &value) != nil {
		return nil
	}
	_, pointer, _ := strings.Cut(at, "#")
	for step := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		if object, ok := value.(map[string]any); ok && step != "" {
			value = object[step]
		}
	}
	object, _ := value.(map[string]any)
	properties, _ := object["properties"].(map[string]any)
	return slices.Sorted(maps.Keys(properties))
}
