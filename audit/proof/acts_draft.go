package proof

func draftActs() []Act {
	return []Act{
		{"draft.begin", "began a draft", false},
		{"draft.open", "opened her own draft", true},
		{"draft.keep", "saved a draft", false},
		{"draft.drop", "deleted a draft", false},
	}
}
