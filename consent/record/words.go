package record

// bad returns the refusal of a claim, with its name and, in a caseworker's words, what is
// wrong and what to do. It never repeats what the claim said.
func bad(claim string) error {
	return ErrClaim.With("claim", claim).With("why", Why(claim))
}

// Why says what a claim must be, in a caseworker's words; "" for what is no claim.
func Why(claim string) string { return whys()[claim] }

// whys has a line for every claim that can be refused.
func whys() map[string]string {
	return map[string]string{
		"hub":          "It must name the hub it is for. Your software fills this in: tell whoever looks after it.",
		"iss":          "It must name your own agency. Your software fills this in: tell whoever looks after it.",
		"jti":          "It needs an id of its own, a UUIDv7. Your software fills this in: tell whoever looks after it.",
		"iat":          "It must say when it was signed. Your software fills this in: tell whoever looks after it.",
		"act":          "Name the worker who asked her by her opaque id, never by name or e-mail address. What a manager has to look at names her, so that nobody looks at it who asked.",
		"sub":          "She goes by a random reference, never by name, date of birth or NHS number. Leave it out to get a new one.",
		"supersedes":   "Name the earlier record by its id, or leave this out.",
		"jurisdiction": "Only GB-ENG: this exchange knows the law of England.",
		"agreement":    "Say what she said: agreed, refused, not-asked-unsafe, not-asked-impracticable or lacks-capacity-best-interests.",
		"method":       "Say how she said it (in person, by phone, in writing, on a screen, on a form), and only if she was asked.",
		"purpose":      "Name one purpose from the list. If she agreed to two things, make two records.",
		"recipients":   "Name who may receive it: partners by id, or category:NAME, at most 32, each once. There is no ‘everyone’.",
		"sections":     "Name only sections from the list, each once. What is not named is not shared.",
		"withheld":     "Name only sections from the list, each once. What she withholds wins.",
		"onward":       "Say whether it may travel on: none, ask-each-time or named.",
		"notice":       "Say which notice she was told: its version, the digest of its text and the language. If she was not asked, leave it out.",
		"given_at":     "Say when she said it. It cannot be in the future.",
		"valid_from":   "It cannot begin before she said it.",
		"expires_at":   "It must end, after it begins and within 366 days of when she said it.",
		"review_at":    "Look at it again before it ends, and after it begins.",
		"basis":        "Say which lawful basis your own agency relies on. One for each agency.",

		"basis.controller":          "Name the agency that relies on it by its id, or category:NAME, each once.",
		"basis.art6":                "Choose a lawful basis (Article 6) that is yours: a public authority has neither ea nor f for its own tasks, and le-part3 is for the police.",
		"basis.ea_condition":        "A recognised legitimate interest (ea) needs its condition: public-task-request, emergency, crime or safeguarding. No other basis has one.",
		"basis.provision":           "Bases c and e need the law that you act under, such as ‘Care Act 2014 s42’. Write the Act, its year and the section, and nothing else.",
		"basis.art9":                "Health, access needs, risk and history are special category data: choose a condition of Article 9. Law enforcement (le-part3) takes none.",
		"basis.art10":               "Contact with the justice system is data about offences: say schedule-1 or official-authority (Article 10).",
		"basis.schedule1":           "Conditions g, h, i and j, and schedule-1, need the paragraph of Schedule 1 that goes with them. The others take none.",
		"basis.schedule1_18_reason": "Paragraph 18 (safeguarding) needs its reason: cannot-give, cannot-obtain or would-prejudice. Nothing else takes one.",
		"basis.policy":              "This paragraph of Schedule 1 needs your appropriate policy document: give its reference, without spaces.",

		"gate.pathway":    "The purpose decides which statutory gate applies, and this purpose or what she said does not go with this one. For somebody under 18 call children's social care: this exchange is for adults.",
		"gate.agreements": "A homelessness referral needs three agreements of hers: referral, contact-details and authority. Ask her for all three; nothing replaces them.",
		"gate.authority":  "She chooses the housing authority. Give the GSS code of the one she chose.",

		"circumstances":             "Say how she was asked: alone or not, any pressure, who interpreted, in which language, and whether she could decide.",
		"circumstances.salt":        "It needs a random salt. Your software fills this in: tell whoever looks after it.",
		"circumstances.seen_alone":  "Say whether you saw her alone: yes or no.",
		"circumstances.coercion":    "Say whether anybody pressed her: none, suspected or present.",
		"circumstances.interpreter": "Say who interpreted: none, professional, staff or other. A partner, relative or friend cannot say yes for her: ask again through somebody independent.",
		"circumstances.language":    "Give the language she spoke as a BCP 47 tag, such as en or ro.",
		"circumstances.capacity":    "Say whether she could decide: presumed, has, doubt or lacks. Lacks goes with lacks-capacity-best-interests and with nothing else.",

		"sealed":          "What is sealed to you must be among her-words, capacity and circumstances, each once and unchanged since it was signed.",
		"sealed.capacity": "A decision made for her needs, sealed to you, the decision, who assessed her and when, and the best-interests reference.",

		"answer":    "Answer deleted or kept of what you hold, goes-on or ends of help. Only what is kept needs a basis.",
		"referral":  "Goes-on and ends are said of one referral: name it by its id. Deleted and kept name none.",
		"art6":      "Say on which lawful basis you keep it. Her consent (a) is none any more: she took it back.",
		"provision": "Bases c and e need the law that you act under, such as ‘Care Act 2014 s42’. Write the Act, its year and the section, and nothing else.",
		"because":   "Say why it must be kept: legal-obligation, public-task, health-record, safeguarding, legal-claims or law-enforcement.",
		"subjects":  "Name her by the references that you have of her: at least one, at most 64, each once.",
		"never":     "Name the statement by its id.",

		"consent": "Name the consent record by its id.",
		"digest":  "Name exactly the record, by its digest. Read it again.",

		"of":       "Name what is decided by its id.",
		"decision": "Say approved or refused.",
		"outcome":  "Say continues or ended.",
	}
}
