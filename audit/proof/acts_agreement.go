package proof

// agreementActs are what two agencies do about an agreement that both sign. What the hub's
// operator puts in force is among hubActs.
func agreementActs() []Act {
	return []Act{
		{"agreement.propose", "proposed an agreement to another agency", false},
		{"agreement.sign", "signed an agreement that another agency proposed", false},
		{"agreement.refuse", "refused an agreement that another agency proposed", false},
		{"agreement.close", "ended a signed agreement or took a proposal back", false},
		{"agreement.supersede", "replaced a signed agreement by a later version", false},
	}
}
