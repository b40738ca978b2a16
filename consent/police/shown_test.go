package police

import (
	"testing"
	"time"

	"handover/consent/record"
)

func TestANoIsShownAtTheSameHourHoweverSoonItIsSaid(t *testing.T) {
	by := time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)
	const day = 24 * time.Hour
	for name, row := range map[string]struct {
		decision      string
		decided, want time.Duration // from when it is to be answered by
	}{
		"a yes":                   {record.Approved, -40 * time.Hour, -40 * time.Hour},
		"a yes that is late":      {record.Approved, 5 * time.Hour, 5 * time.Hour},
		"a no at once":            {record.Refused, -40 * time.Hour, 0},
		"a no in the last second": {record.Refused, -time.Second, 0},
		"a no on the second":      {record.Refused, 0, 0},
		"a no a moment late":      {record.Refused, time.Microsecond, day},
		"a no late in the day":    {record.Refused, day - time.Second, day},
		"a no a day late":         {record.Refused, day, day},
		"a no after that":         {record.Refused, day + time.Second, 2 * day},
	} {
		if got := shownAt(row.decision, by.Add(row.decided), by); !got.Equal(by.Add(row.want)) {
			t.Errorf("%s: shown %v, want %v", name, got, by.Add(row.want))
		}
	}
}
