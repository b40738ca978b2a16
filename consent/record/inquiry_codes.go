package record

import "handover/internal/codes"

// Where the codes of a police request come from. Chapter 3A of Part 2 of the Police, Crime,
// Sentencing and Courts Act 2022 was put in by s28 of the Victims and Prisoners Act 2024.
const (
	requests  = "PCSCA 2022 s44A"
	noticed   = "PCSCA 2022 s44B"
	vircode   = "Requests for victim information: code of practice (PCSCA 2022 s44D)"
	enquiries = "CPIA 1996 s23 code of practice, reasonable lines of inquiry"
)

// Enquiries are the categories of a line of enquiry.
func Enquiries() codes.List {
	return codes.List{
		{Code: "what-happened", Label: "what happened to her", Source: enquiries},
		{Code: "who-did-it", Label: "who did it", Source: enquiries},
		{Code: "where-and-when", Label: "where and when it happened", Source: enquiries},
		{Code: "other-victims", Label: "whether others were harmed", Source: enquiries},
		{Code: "points-away", Label: "what points away from a suspect", Source: enquiries},
		{Code: "prevent-crime", Label: "preventing a crime", Source: requests},
	}
}

// Necessities are why what is asked is needed, and asked of a third party.
func Necessities() codes.List {
	return codes.List{
		{Code: "not-elsewhere", Label: "it cannot be had in another way", Source: vircode},
		{Code: "she-cannot-say", Label: "she cannot be asked, or cannot say it herself", Source: vircode},
		{Code: "decides-the-enquiry", Label: "the line of enquiry cannot be followed without it", Source: requests},
		{Code: "risk-to-life", Label: "somebody's life is at risk", Source: "Human Rights Act 1998 Sch 1 Art 2"},
		{Code: "probative", Label: "it is likely to have substantial probative value", Source: requests},
	}
}

// Probative is what a request for counselling records has to be besides necessary.
const Probative = "probative"

// Ranks are those of who can approve a request for counselling records: inspector or above.
func Ranks() codes.List {
	return codes.List{
		{Code: "inspector", Label: "inspector", Source: vircode},
		{Code: "chief-inspector", Label: "chief inspector", Source: vircode},
		{Code: "superintendent", Label: "superintendent or chief superintendent", Source: vircode},
		{Code: "chief-officer", Label: "chief officer", Source: vircode},
		{Code: "equivalent", Label: "police staff or investigator of an equivalent grade", Source: vircode},
	}
}

// InquiryNotices are whether the police have told her that they ask.
func InquiryNotices() codes.List {
	return codes.List{
		{Code: "given", Label: "she has been told in writing", Source: noticed + "(3)(a)"},
		{Code: "to-be-given", Label: "she will be told as soon as that can be done", Source: noticed + "(3)(b)"},
		{Code: Withheld, Label: "she is not told", Source: noticed + "(5)"},
	}
}

// Withheld is the notice that is not given.
const Withheld = "withheld"

// WithheldReasons are why she is not told.
func WithheldReasons() codes.List {
	return codes.List{
		{Code: "not-practicable", Label: "telling her is not reasonably practicable", Source: noticed + "(5)"},
		{Code: "would-interfere", Label: "telling her might interfere with the investigation", Source: noticed + "(5)"},
		{Code: "serious-harm", Label: "telling her might risk serious harm to her or somebody else", Source: noticed + "(5)"},
		{Code: "inappropriate", Label: "telling her would be inappropriate, as the sealed text says why", Source: noticed + "(5)"},
	}
}

// InquiryReasons are why the holder says yes. They stay with the holder.
func InquiryReasons() codes.List {
	return codes.List{
		{Code: "tests-met", Label: "a reasonable line of enquiry, necessary and proportionate", Source: requests + "(3)"},
		{Code: "she-agrees", Label: "she knows and agrees", Source: "UK common law of confidentiality"},
		{Code: "life-at-risk", Label: "somebody's life is at risk", Source: "Human Rights Act 1998 Sch 1 Art 2"},
		{Code: "obliged", Label: "a court or a statute obliges us", Source: "UK GDPR Art 6(1)(c)"},
	}
}

// NoReasons are why the holder says no. They stay with the holder: the police are told that
// it is no, and not whether she is known.
func NoReasons() codes.List {
	return codes.List{
		{Code: "no-such-person", Label: "nobody here is known to be her", Source: requests + "(3)(a)"},
		{Code: "not-held", Label: "she is known here, and this is not held", Source: requests + "(3)(a)"},
		{Code: "no-line-of-enquiry", Label: "it is not relevant to a reasonable line of enquiry", Source: requests + "(3)(b)"},
		{Code: "not-necessary", Label: "it is not necessary and proportionate", Source: requests + "(3)(c)"},
		{Code: "less-intrusive", Label: "it can be had in a way that intrudes less", Source: vircode},
		{Code: "counselling", Label: "the presumption against counselling records is not rebutted", Source: "PCSCA 2022 s44D(2)"},
		{Code: "she-objects", Label: "she objects", Source: "UK common law of confidentiality"},
		{Code: "safety", Label: "it would put her or somebody else in danger", Source: adults},
		{Code: "no-notice", Label: "she was not told, and the reason given for that does not hold", Source: noticed},
		{Code: "not-checked", Label: "not looked for: it is no for whoever it is about", Source: "UK common law of confidentiality"},
	}
}
