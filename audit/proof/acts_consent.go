package proof

// consentPageActs are what people look at in the hub's own pages about consent.
func consentPageActs() []Act {
	return []Act{
		{"consent.list", "listed what women said to her agency", false},
		{"consent.waiting", "listed what waits for a manager", false},
		{"referral.hers", "showed her what is shared about her", false},
	}
}
