package send

import "handover/internal/codes"

// codeWords are the words for codes of the sections that reading alone does not explain.
func codeWords() map[string]string {
	return map[string]string{
		"no-need": "anything, stairs too", "step-free": "only without steps", "ground-floor": "only on the ground floor",
		"with-who-harms-her": "with somebody who harms her", "own-home-taken-over": "in her own home, which others have taken over",
		"own-home": "in her own home", "sofa-surfing": "with friends or others, moving around", "hotel-or-short-let": "in a hotel or a short let",
		"rough-sleeping": "outside or in a vehicle", "temporary-accommodation": "in temporary accommodation", "hostel": "in a hostel",
		"refuge": "in a refuge", "prison": "in prison", "hospital": "in hospital",
		"british-or-irish": "British or Irish", "pre-settled": "pre-settled status", "settled": "settled status", "leave-to-remain": "leave to remain",
		"no-leave": "no leave to be here", "asylum-seeker": "asked for asylum", "refugee": "refugee",
		"on-chain": "yes, she has a record", "not-on-chain": "no record", "count-14-or-more": "14 or more answers of yes",
		"professional-judgement": "your own judgement", "in-care": "in care", "other-parent": "with the other parent", "relative": "with a relative",
		"slavery-trafficking-risk": "slavery and trafficking risk order",
	}
}

// languages are those met most in this work, by their codes (BCP 47).
func languages() codes.List {
	const bcp = "BCP 47"
	return codes.List{
		{Code: "en", Label: "English", Source: bcp}, {Code: "sq", Label: "Albanian", Source: bcp}, {Code: "am", Label: "Amharic", Source: bcp},
		{Code: "ar", Label: "Arabic", Source: bcp}, {Code: "bn", Label: "Bengali", Source: bcp}, {Code: "bfi", Label: "British Sign Language", Source: bcp},
		{Code: "bg", Label: "Bulgarian", Source: bcp}, {Code: "zh", Label: "Chinese", Source: bcp}, {Code: "fa", Label: "Farsi or Dari", Source: bcp},
		{Code: "fr", Label: "French", Source: bcp}, {Code: "hi", Label: "Hindi", Source: bcp}, {Code: "hu", Label: "Hungarian", Source: bcp},
		{Code: "it", Label: "Italian", Source: bcp}, {Code: "lt", Label: "Lithuanian", Source: bcp}, {Code: "pl", Label: "Polish", Source: bcp},
		{Code: "pt", Label: "Portuguese", Source: bcp}, {Code: "pa", Label: "Punjabi", Source: bcp}, {Code: "ro", Label: "Romanian", Source: bcp},
		{Code: "ru", Label: "Russian", Source: bcp}, {Code: "so", Label: "Somali", Source: bcp}, {Code: "es", Label: "Spanish", Source: bcp},
		{Code: "sw", Label: "Swahili", Source: bcp}, {Code: "th", Label: "Thai", Source: bcp}, {Code: "ti", Label: "Tigrinya", Source: bcp},
		{Code: "tr", Label: "Turkish", Source: bcp}, {Code: "uk", Label: "Ukrainian", Source: bcp}, {Code: "ur", Label: "Urdu", Source: bcp},
		{Code: "vi", Label: "Vietnamese", Source: bcp}, {Code: "yo", Label: "Yoruba", Source: bcp},
	}
}

// urgency is how soon she must be answered, in words: when it applies, and what happens by when.
type urgency struct{ Code, Label, Soon, Hint string }

func urgencies() []urgency {
	return []urgency{
		{"emergency", "Emergency", "within 1 hour, at any time of day", "Serious harm is likely within a day. They must open it within 1 hour, at any time of day, and decide within 4 hours. If she is in danger now, call 999 first."},
		{"urgent", "Urgent", "within 1 working day", "It cannot wait a week. They must open it within 1 working day and decide within 2 working days."},
		{"routine", "Routine", "within 2 working days", "She is safe for now. They must open it within 2 working days and decide within 5 working days."},
	}
}

func urgencyOf(code string) urgency {
	for _, u := range urgencies() {
		if u.Code == code {
			return u
		}
	}
	return urgency{}
}
