package proof

// Act is one kind of thing that an entry can say was done.
type Act struct {
	Name  string // as in Entry.Act
	Label string // in the words of somebody who reads the log: "opened sections"
	Opens bool   // it showed or handed out what is written about her: sections, or a record of her
}

// The acts of the log about itself.
const (
	Refused    = "refused"
	Successor  = "log.succession"
	Reconciled = "log.reconcile"

	WitnessShort   = "witness.short" // too few witnesses have cosigned for a while
	WitnessAgain   = "witness.again"
	WitnessRefused = "witness.refused" // by the witness named in Target: it has cosigned another history
)

// Acts lists every act there is. The log takes no entry of another: an act that nobody has a
// word for, and that no table of rows is held against, would be a gap that no reader sees.
func Acts() []Act {
	var all []Act
	for _, room := range [][]Act{referralActs(), draftActs(), holdingActs(), consentActs(), consentPageActs(), overrideActs(), policeActs(), agreementActs(), keyActs(), peopleActs(), serviceActs(), webhookActs(), hubActs()} {
		all = append(all, room...)
	}
	return all
}

// ActOf returns the act of that name, and whether there is one.
func ActOf(name string) (Act, bool) {
	a, ok := byName[name]
	return a, ok
}

// LabelOf returns the label of an act. Of one that it does not know, such as one that a
// newer hub has logged, it returns the act itself.
func LabelOf(act string) string {
	if a, ok := byName[act]; ok {
		return a.Label
	}
	return act
}

// byName is asked by every entry that is sealed.
var byName = func() map[string]Act {
	m := map[string]Act{}
	for _, a := range Acts() {
		m[a.Name] = a
	}
	return m
}()

func referralActs() []Act {
	return []Act{
		{"referral.request", "sent a referral", false},
		{"referral.receive", "received a referral", false},
		{"referral.ask", "asked the sender a question", false},
		{"referral.answer", "answered a question", false},
		{"referral.accept", "accepted a referral", false},
		{"referral.decline", "declined a referral", false},
		{"referral.redirect", "pointed a referral to another service", false},
		{"referral.start", "began to help", false},
		{"referral.complete", "completed a referral", false},
		{"referral.fail", "ended a referral without help given", false},
		{"referral.withdraw", "withdrew a referral", false},
		{"referral.message", "sent a message", false},
		{"referral.list", "looked at a list of referrals", false},
		{"referral.read", "looked at a referral", false},
		{"referral.held", "listed what is held of referrals", false},
		{"packet.deliver", "collected a packet", false},
		{"section.open", "opened sections", true},
		{"section.read", "read sections on the hub's page", true},
		{"copy.open", "opened her own agency's copy of sections", true},
		{"copy.read", "read her own agency's copy of sections on the hub's page", true},
		{"section.destroy", "destroyed sections that nobody had opened", false},
		{"attachment.begin", "began to send an attachment", false},
		{"attachment.forget", "forgot an attachment that no packet named in time", false},
	}
}

func holdingActs() []Act {
	return []Act{
		{"referral.claim", "took on a referral", false},
		{"referral.assign", "gave a referral to a colleague", false},
		{"referral.release", "gave up a referral or took it from a colleague", false},
	}
}

func consentActs() []Act {
	return []Act{
		{"consent.record", "recorded what she agreed to", false},
		{"consent.read", "read a consent record", true},
		{"consent.withdraw", "recorded that she took her agreement back", false},
		{"consent.review", "said what was decided about a record in doubt", false},
		{"consent.ending", "listed the records that end soon", false},
		{"consent.holders", "listed who holds something under a consent record", false},
		{"consent.followed", "did everything that follows a withdrawal", false},
		{"recall.asked", "asked an agency whether it still holds something", false},
		{"recall.answered", "said whether it still holds something", false},
		{"recall.list", "listed the questions that follow withdrawals", false},
		{"never.record", "recorded an agency that she never wants told", false},
		{"never.lift", "lifted a never of hers", false},
		{"never.list", "listed the agencies that are never to be told", true},
	}
}

func overrideActs() []Act {
	return []Act{
		{"override.propose", "proposed to share without her agreement", false},
		{"override.decision", "decided about sharing without her agreement", false},
		{"override.review", "reviewed sharing without her agreement", false},
		{"override.lapsed", "ended an emergency that nobody had decided about in time", false},
		{"override.read", "read why something is shared without her agreement", true},
		{"override.list", "listed what is shared without her agreement", false},
	}
}

func policeActs() []Act {
	return []Act{
		{"police.request", "asked for information for the police", false},
		{"police.open", "opened a request of the police", true},
		{"police.read", "read a request of the police", true},
		{"police.list", "listed requests of the police", false},
		{"police.decision", "decided about a request of the police", false},
	}
}

func keyActs() []Act {
	return []Act{
		{KeyAdded, "brought a public key", false},
		{KeyEnded, "gave a public key an earlier end", false},
		{KeyRevoked, "revoked a public key", false},
		{"key.rotate", "changed keys", false},
		{"key.revoke", "had a key revoked", false},
		{"key.touched", "listed what a revoked key had signed", false},
		{"key.signed", "listed the statements that a key had signed", false},
		{HubKey, "made a key the hub's own", false},
		{"hub.rotate", "made a new version of a key that the hub keeps for itself", false},
		{"custody.begin", "began to move the keys of an agency", false},
		{"custody.offer", "offered the hub's key to an agency that moves its keys", false},
		{"custody.take", "took over the keys of an agency", false},
		{"custody.handover", "handed over the private keys of an agency", false},
		{"custody.moved", "finished moving the keys of an agency", false},
		{"partner.manage", "took the keys of an agency into the hub's custody", false},
		{"partner.renew", "renewed the keys that the hub holds for an agency", false},
	}
}

func peopleActs() []Act {
	return []Act{
		{"user.add", "added a person", false},
		{"user.arrive", "let in a person whom her agency's sign-in vouches for", false},
		{"user.enrol", "took up an invitation", false},
		{"user.recover", "invited a person to sign in anew", false},
		{"user.recovered", "took up an invitation to sign in anew", false},
		{"user.link", "gave a person a link to sign in", false},
		{"user.role", "changed a person's role", false},
		{"user.suspend", "suspended a person", false},
		{"user.resume", "let a suspended person in again", false},
		{"user.remove", "removed a person", false},
		{"user.signin", "signed in", false},
		{"user.stepup", "proved again who she is", false},
		{"user.signout", "signed out", false},
		{"user.signout-all", "signed a person out everywhere", false},
		{"passkey.add", "added a passkey", false},
		{"passkey.remove", "removed a passkey", false},
		{"client.invite", "invited a system", false},
		{"client.register", "registered a system", false},
		{"client.suspend", "suspended a system", false},
		{"client.resume", "let a suspended system in again", false},
		{"grant.permit", "let a system act for her", false},
		{"grant.deny", "let a system not act for her", false},
		{"grant.revoke", "ended what a system may do for a person", false},
		{"token.revoke", "gave a token back", false},
	}
}

func hubActs() []Act {
	return []Act{
		{"partner.add", "added an agency", false},
		{"partner.invite", "invited an agency", false},
		{"partner.enrol", "enrolled an agency", false},
		{"partner.suspend", "suspended an agency", false},
		{"partner.resume", "let a suspended agency in again", false},
		{"agreement.add", "recorded an agreement between two agencies", false},
		{"agreement.end", "ended an agreement between two agencies", false},
		{"provider.set", "set whose sign-in an agency trusts", false},
		{"provider.remove", "removed whose sign-in an agency trusts", false},
		{Refused, "was refused", false},
		{"log.read", "searched the log", false},
		{"log.export", "took an export of the log", false},
		{Successor, "gave the log a new key", false},
		{Reconciled, "compared all rows with the log", false},
		{WitnessShort, "had too few witnesses for a checkpoint", false},
		{WitnessAgain, "had enough witnesses again", false},
		{WitnessRefused, "was told by a witness that the log's history was changed", false},
	}
}
