package proof

// serviceActs are what is done about what agencies offer.
func serviceActs() []Act {
	return []Act{
		{"service.offer", "listed a service", false},
		{"service.add", "added a service", false},
		{"service.change", "changed what a service is", false},
		{"service.capacity", "said how many a service can take", false},
	}
}
