package clock

// The bank holidays of England, as gov.uk/bank-holidays lists them for England and Wales. They
// are announced some years ahead. Of a year that is not here only the weekends are free, so that
// a clock runs out too early and never too late; clock_test.go has the rule that most of them
// follow, and holds the list against it.
const lastListed = 2028

func holidays() map[string]bool {
	m := map[string]bool{}
	for _, day := range []string{
		"2025-01-01", "2025-04-18", "2025-04-21", "2025-05-05", "2025-05-26", "2025-08-25", "2025-12-25", "2025-12-26",
		"2026-01-01", "2026-04-03", "2026-04-06", "2026-05-04", "2026-05-25", "2026-08-31", "2026-12-25", "2026-12-28",
		"2027-01-01", "2027-03-26", "2027-03-29", "2027-05-03", "2027-05-31", "2027-08-30", "2027-12-27", "2027-12-28",
		"2028-01-03", "2028-04-14", "2028-04-17", "2028-05-01", "2028-05-29", "2028-08-28", "2028-12-25", "2028-12-26",
	} {
		m[day] = true
	}
	return m
}

// free is asked for each day that is counted.
var free = holidays()
