package codes

// Capacities are whether a service takes referrals now.
func Capacities() List {
	return List{
		{"open", "taking referrals now", ours},
		{"waiting-list", "taking referrals, with a wait", ours},
		{"paused", "not taking referrals for now", ours},
	}
}

// Waits are how long a waiting list is, in bands: whoever is asked at night knows no number.
func Waits() List {
	return List{
		{"under-one-month", "less than a month", ours},
		{"one-to-three-months", "1 to 3 months", ours},
		{"over-three-months", "more than 3 months", ours},
	}
}

// ServiceStatuses are whether there is a service at all. The spaces are Open Referral UK's.
func ServiceStatuses() List {
	return List{
		{"active", "running", "Open Referral UK, service.status"},
		{"temporarily closed", "closed for a time", "Open Referral UK, service.status"},
		{"defunct", "ended for good", "Open Referral UK, service.status"},
	}
}
