package client_test

import (
	"errors"
	"testing"

	"handover/client"
	"handover/internal/hubtest"
)

// TestASystemSaysWhatItsAgencyOffers, and everybody reads it; what the hub refuses has its code.
func TestASystemSaysWhatItsAgencyOffers(t *testing.T) {
	t.Parallel()
	s := newSide(t)
	terms := client.ServiceTerms{Name: "Beds", Purposes: []string{"housing"}, Areas: []string{hubtest.Area}, Status: "active", WomenOnly: true}
	added, err := s.system.AddService(t.Context(), terms, client.Capacity{Capacity: "waiting-list", Wait: "under-one-month"})
	must(err)
	terms.Name, terms.SelfReferral = "Beds and a key worker", true
	_, err = s.system.ChangeService(t.Context(), added.ID, terms)
	must(err)
	said, err := s.system.SetCapacity(t.Context(), added.ID, client.Capacity{Capacity: "open"})
	must(err)
	listed, err := s.system.Services(t.Context(), "housing", hubtest.Area)
	must(err)
	if len(listed) != 1 || listed[0].Name != terms.Name || !listed[0].WomenOnly || !listed[0].SelfReferral || listed[0].Capacity != "open" ||
		listed[0].Wait != "" || !listed[0].CapacityAt.Equal(said.CapacityAt) || added.Wait != "under-one-month" {
		t.Errorf("listed %+v, added %+v", listed, added)
	}
	_, err = s.system.SetCapacity(t.Context(), added.ID, client.Capacity{Capacity: "waiting-list"})
	var problem *client.Problem
	if !errors.As(err, &problem) || problem.Code != "capacity-invalid" {
		t.Errorf("a list without its length: %v", err)
	}
}
