package proof

// draftActs are what somebody does with what she has begun to write. Opening it shows her what
// she wrote herself, at every page of it: counted among the openings it would hide those that
// an auditor looks for.
func draftActs() []Act {
	return []Act{
		{"draft.begin", "began a draft", false},
		{"draft.open", "opened her own draft", false},
		{"draft.keep", "saved a draft", false},
		{"draft.drop", "deleted a draft", false},
	}
}
