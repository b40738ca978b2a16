package codes

// HarmTypes are what is done to a woman, as the risk section says it: harm done to her, never
// an offence by her and never what she is.
func HarmTypes() List {
	return List{
		{"street-based", "exploited on the street", ours},
		{"online", "exploited through online sites", ours},
		{"pop-up-or-short-let", "in a pop-up or short-let brothel", ours},
		{"fixed-premises", "in a fixed brothel or massage parlour", ours},
		{"trafficking-sexual", "trafficked for sexual exploitation", "Modern Slavery Act 2015 s3"},
		{"trafficking-labour-or-domestic", "trafficked for labour or domestic servitude", "Modern Slavery Act 2015 s3"},
		{"survival-sex", "sex for what she needs to survive", ours},
		{"sex-for-rent", "sex for a place to live", ours},
		{"cuckooing", "her home taken over by others", "Crime and Policing Act 2026"},
		{"forced-criminality", "made to commit offences", "Modern Slavery Act 2015 s45"},
		{"control-by-partner-or-third-party", "controlled by a partner or somebody else", "Serious Crime Act 2015 s76"},
		{"group-exploitation", "exploited by a group", ours},
		{"debt-bondage", "held by a debt", "Modern Slavery Act 2015 s1"},
		{"image-based", "images of her used against her", "Sexual Offences Act 2003 s66B"},
		{"other", "another harm", ours},
	}
}

// HarmBases are how a harm is known.
func HarmBases() List {
	return List{
		{"suspected", "suspected", ours},
		{"disclosed", "told by her", ours},
		{"professional-view", "the view of a professional", ours},
	}
}

// Channels are how she may be reached.
func Channels() List {
	return List{
		{"call", "a call", ours},
		{"text", "a text", ours},
		{"app", "a message in an app", ours},
		{"via-worker", "through her worker", ours},
		{"in-person", "in person", ours},
		{"none", "not at all: she comes by herself", ours},
	}
}

// Answers are those to a question that may have none. Eligibility for housing is one: it
// stands in the place of her immigration status, which housing never receives.
func Answers() List {
	return List{
		{"yes", "yes", ours},
		{"no", "no", ours},
		{"unknown", "not known", ours},
	}
}

// Precisions are how sure a date is.
func Precisions() List {
	return List{
		{"day", "the day is known", "FHIR R4 date"},
		{"month", "the month is known", "FHIR R4 date"},
		{"year", "the year is known", "FHIR R4 date"},
		{"estimated", "an estimate", ours},
		{"unknown", "not known", ours},
	}
}

// RefusalReasons are why a GP practice says that it does not register somebody. Those of
// identification, address, immigration status and NHS number are no ground to refuse.
func RefusalReasons() List {
	return List{
		{"no-identification", "she had no identification", ours},
		{"no-address", "she had no address, or no proof of it", ours},
		{"immigration-status", "her immigration status", ours},
		{"no-nhs-number", "she had no NHS number", ours},
		{"out-of-area", "she lives outside the practice's area", "GMS Contracts Regulations 2015 Sch 3 para 21"},
		{"list-closed", "the practice's list is closed", "GMS Contracts Regulations 2015 Sch 3 Part 3"},
		{"behaviour", "how she behaved, it was said", ours},
		{"no-reason-given", "no reason was given", ours},
		{"other", "another reason", ours},
	}
}

// AskedFor is what a GP practice asks somebody for at the desk.
func AskedFor() List {
	return List{
		{"photo-identification", "photo identification", ours},
		{"proof-of-address", "proof of address", ours},
		{"immigration-papers", "immigration papers", ours},
		{"nhs-number", "an NHS number", ours},
		{"other", "something else", ours},
	}
}

// LondonAuthorities are the 32 boroughs and the City, by GSS code. Any other English
// authority may be chosen too: IsArea.
func LondonAuthorities() List {
	const ons = "ONS GSS codes"
	return List{
		{"E09000001", "City of London", ons}, {"E09000002", "Barking and Dagenham", ons}, {"E09000003", "Barnet", ons},
		{"E09000004", "Bexley", ons}, {"E09000005", "Brent", ons}, {"E09000006", "Bromley", ons},
		{"E09000007", "Camden", ons}, {"E09000008", "Croydon", ons}, {"E09000009", "Ealing", ons},
		{"E09000010", "Enfield", ons}, {"E09000011", "Greenwich", ons}, {"E09000012", "Hackney", ons},
		{"E09000013", "Hammersmith and Fulham", ons}, {"E09000014", "Haringey", ons}, {"E09000015", "Harrow", ons},
		{"E09000016", "Havering", ons}, {"E09000017", "Hillingdon", ons}, {"E09000018", "Hounslow", ons},
		{"E09000019", "Islington", ons}, {"E09000020", "Kensington and Chelsea", ons}, {"E09000021", "Kingston upon Thames", ons},
		{"E09000022", "Lambeth", ons}, {"E09000023", "Lewisham", ons}, {"E09000024", "Merton", ons},
		{"E09000025", "Newham", ons}, {"E09000026", "Redbridge", ons}, {"E09000027", "Richmond upon Thames", ons},
		{"E09000028", "Southwark", ons}, {"E09000029", "Sutton", ons}, {"E09000030", "Tower Hamlets", ons},
		{"E09000031", "Waltham Forest", ons}, {"E09000032", "Wandsworth", ons}, {"E09000033", "Westminster", ons},
	}
}
