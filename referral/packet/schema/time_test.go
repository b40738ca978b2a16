package schema_test

import (
	"errors"
	"testing"
	"time"

	"handover/referral/packet/schema"
)

func at(t *testing.T, text string) time.Time {
	t.Helper()
	when, err := time.Parse(time.DateTime, text)
	if err != nil {
		t.Fatal(err)
	}
	return when
}

// TestNobodyCallsOutsideTheTimesSheSaid: 2026-11-24 is a Tuesday.
func TestNobodyCallsOutsideTheTimesSheSaid(t *testing.T) {
	const afternoons = `{"safe_days":["tuesday","friday"],"safe_from":"14:00","safe_to":"16:30"}`
	const nights = `{"safe_days":["tuesday"],"safe_from":"22:00","safe_to":"01:00"}`
	for _, row := range []struct {
		data, now string
		outside   bool
	}{
		{afternoons, "2026-11-24 13:59:59", true}, {afternoons, "2026-11-24 14:00:00", false}, {afternoons, "2026-11-24 16:29:59", false},
		{afternoons, "2026-11-24 16:30:00", true}, {afternoons, "2026-11-25 15:00:00", true}, {afternoons, "2026-11-27 15:00:00", false},
		{nights, "2026-11-24 21:59:00", true}, {nights, "2026-11-24 22:00:00", false}, {nights, "2026-11-25 00:59:00", false},
		{nights, "2026-11-25 01:00:00", true}, {nights, "2026-11-24 00:30:00", true}, {nights, "2026-11-25 22:30:00", true},
		{`{}`, "2026-11-24 03:00:00", false},
		{`{"safe_from":"09:00"}`, "2026-11-24 08:59:00", true}, {`{"safe_from":"09:00"}`, "2026-11-24 23:59:00", false},
		{`{"safe_to":"09:00"}`, "2026-11-24 00:00:00", false}, {`{"safe_to":"09:00"}`, "2026-11-24 09:00:00", true},
		{`{"safe_days":["sunday"]}`, "2026-11-24 12:00:00", true},
		{`{"safe_days":"tuesday"}`, "2026-11-24 12:00:00", true}, {`x`, "2026-11-24 12:00:00", true},
	} {
		if got := schema.Outside([]byte(row.data), at(t, row.now)); got != row.outside {
			t.Errorf("%s at %s: outside %v", row.data, row.now, got)
		}
	}
}

func TestAChildIsNotReferredHere(t *testing.T) {
	for _, row := range []struct {
		identity, now string
		child         bool
	}{
		{`{"date_of_birth":{"precision":"day","value":"2008-11-26"}}`, "2026-11-26 00:00:00", false},
		{`{"date_of_birth":{"precision":"day","value":"2008-11-27"}}`, "2026-11-26 23:59:59", true},
		{`{"date_of_birth":{"precision":"day","value":"2008-02-29"}}`, "2026-02-28 12:00:00", true},
		{`{"date_of_birth":{"precision":"month","value":"2008-11"}}`, "2026-11-02 12:00:00", false}, // may have been the first
		{`{"date_of_birth":{"precision":"month","value":"2008-12"}}`, "2026-11-26 12:00:00", true},
		{`{"date_of_birth":{"precision":"year","value":"2008"}}`, "2026-01-01 12:00:00", false},
		{`{"date_of_birth":{"precision":"estimated","value":"2009"}}`, "2026-11-26 12:00:00", true},
		{`{"date_of_birth":{"precision":"unknown"}}`, "2026-11-26 12:00:00", false},
		{`{"known_as":"Rowan"}`, "2026-11-26 12:00:00", false},
		{`x`, "2026-11-26 12:00:00", false},
	} {
		err := schema.Adult(map[string][]byte{"identity": []byte(row.identity)}, at(t, row.now))
		if errors.Is(err, schema.ErrUnderEighteen) != row.child || (err != nil) != row.child {
			t.Errorf("%s at %s: %v", row.identity, row.now, err)
		}
	}
	if err := schema.Adult(map[string][]byte{"need": []byte(`{}`)}, time.Time{}); err != nil {
		t.Errorf("without identity: %v", err)
	}
}
