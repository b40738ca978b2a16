package terms

// bad returns the refusal of a claim, with its name and, in an administrator's words, what is
// wrong and what to do. It never repeats what the claim said.
func bad(claim string) error {
	return ErrClaim.With("claim", claim).With("why", Why(claim))
}

// Why says what a claim must be, in an administrator's words; "" for what is no claim.
func Why(claim string) string { return whys()[claim] }

// whys has a line for every claim that can be refused.
func whys() map[string]string {
	const software = " Your software fills this in: tell whoever looks after it."
	return map[string]string{
		"hub":        "It must name the hub it is for." + software,
		"iss":        "It must name your own agency." + software,
		"jti":        "It needs an id of its own, a UUIDv7." + software,
		"iat":        "It must say when it was signed." + software,
		"act":        "It must name the administrator who signs by her opaque id." + software,
		"other":      "Name the other agency by its id.",
		"version":    "A first agreement has version 1. One that takes the place of another has the next version, and names the other.",
		"supersedes": "Name the agreement whose place this one takes by its id, or leave this out.",
		"sends":      "Choose at least one purpose and one kind of information that you may send, or none of both if you only receive.",
		"receives":   "Choose at least one purpose and one kind of information that you may receive, or none of both if you only send.",
		"valid_from": "An agreement begins within a year. One that takes the place of another begins at once.",
		"valid_to":   "It must end in the future, after it begins and within two years.",
		"review_at":  "Both agencies look at it again after it begins and no later than it ends.",
		"of":         "Name the agreement by its id.",
		"digest":     "Name exactly what was proposed, by its digest. Read it again.",
		"answer":     "Say signed or refused.",
		"reason":     "Say why you refuse: too-much, too-little, too-long, not-now or talk-first. Who signs gives no reason.",
	}
}
