package referral_test

import (
	"encoding/json"
	"testing"

	"handover/internal/hubtest"
	"handover/partners"
	"handover/referral/packet/schema"
)

// TestTheSchemasAreServedAsTheyAre: what another implementation reads is what ours holds
// sections to.
func TestTheSchemasAreServedAsTheyAre(t *testing.T) {
	t.Parallel()
	a := hubtest.New(t).Agency(t, "larkfield-housing", partners.Housing)
	var list struct {
		Schemas []struct{ Schema, Kind string } `json:"schemas"`
	}
	got := a.Get(t, "/v1/schemas")
	if err := json.Unmarshal(got.Body, &list); err != nil || got.Status != 200 || got.Header.Get("Cache-Control") != "public, max-age=3600" {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	if len(list.Schemas) != len(schema.All()) {
		t.Errorf("%d are listed of %d", len(list.Schemas), len(schema.All()))
	}
	for i, d := range schema.All() {
		if list.Schemas[i].Schema != d.Name {
			t.Errorf("%s is listed as %s", d.Name, list.Schemas[i].Schema)
		}
		one := a.Get(t, "/v1/schemas/"+d.Name)
		if one.Status != 200 || string(one.Body) != string(d.Text) || one.Header.Get("Content-Type") != "application/schema+json" {
			t.Errorf("%s: %d %s", d.Name, one.Status, one.Header.Get("Content-Type"))
		}
	}
	for _, none := range []string{"need/0", "need/2", "diary/1", "need/01", "need/x"} {
		if one := a.Get(t, "/v1/schemas/"+none); one.Status != 404 {
			t.Errorf("%s: %d", none, one.Status)
		}
	}
	var ways struct {
		Pathways []schema.Pathway `json:"pathways"`
	}
	if got := a.Get(t, "/v1/pathways"); json.Unmarshal(got.Body, &ways) != nil || len(ways.Pathways) != len(schema.Pathways()) {
		t.Errorf("%d %s", got.Status, got.Body)
	}
}
