package referral_test

import (
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"handover/internal/hubtest"
	"handover/referral/clock"
)

// TestReferralsFromBeforeTheClocksHaveTheSameOnes runs the function with which the migration
// gave them what is due, and compares it with the table that has been in force since.
func TestReferralsFromBeforeTheClocksHaveTheSameOnes(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	migration, err := os.ReadFile("../internal/pg/migrations/00029_inbox.sql")
	do(t, err)
	_, rest, begins := strings.Cut(string(migration), "CREATE FUNCTION backfilled")
	function, _, ends := strings.Cut(rest, "-- +goose StatementEnd")
	if !begins || !ends {
		t.Fatal("the migration has no such function")
	}
	h.Exec(t, "CREATE FUNCTION backfilled"+function)
	random := rand.New(rand.NewPCG(29, 2026)) // the same times each time
	begin := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	for range 300 {
		from := begin.Add(time.Duration(random.Int64N(int64(23 * 30 * 24 * time.Hour)))).Truncate(time.Microsecond)
		if random.IntN(4) == 0 {
			from = from.Truncate(time.Hour)
		}
		for _, urgency := range []string{"emergency", "urgent", "routine"} {
			for _, d := range []clock.Due{clock.Delivered, clock.Opened, clock.Decided, clock.FirstContact} {
				want, _ := clock.By(urgency, d, from, clock.Usual())
				if urgency == "urgent" && d == clock.Delivered { // a day in place of four hours: nothing was late at once
					want, _ = clock.By(urgency, clock.Opened, from, clock.Usual())
				}
				got := hubtest.Value[time.Time](t, h, `SELECT backfilled($1, $2, $3)`, from, urgency, string(d))
				if !got.Equal(want) {
					t.Fatalf("%s, %s, from %s: %s, want %s", urgency, d, from, got, want)
				}
			}
		}
	}
}
