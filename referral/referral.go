// Package referral is the life of a referral: a chain of signed packets about one
// request for help, from one partner to another.
//
// A packet arrives in http.go, is taken apart by referral/packet and decided in
// store.go, in one transaction of two round trips: what stands between the two
// partners (partners.LockTerms), what she agreed to (consent.Lock) and where the
// referral stands are read under locks; Go decides; packet, new state and log entry
// are written together. states.go is the table of what may follow what;
// store_open.go is the only way a section leaves; store_read.go lists and reads;
// store_onward.go decides whether a request may continue another referral; store_held.go says what somebody held who leaves her agency. Where the hub holds an
// agency's keys, referral/managed composes and opens packets for its people; it has no way
// in or out but these.
//
// What is too large for a section comes in chunks before the packet that names it, and
// leaves in chunks once its section has been released: attachment.go, store_attachment.go,
// http_attachment.go.
package referral

import (
	"time"

	"handover/internal/fault"
)

// What can be refused about a referral, besides the refusals of packet, partners
// and consent.
var (
	ErrIssuer = fault.New(fault.Forbidden, "sender-not-caller", fault.Sender,
		"The envelope names another partner as its sender. Sign it as the partner your token is for.")
	ErrConflict = fault.New(fault.Conflict, "packet-conflict", fault.Sender,
		"A different packet with this id is stored already. If you meant a new packet, choose a new id and sign again.")
	ErrKey = fault.New(fault.Unprocessable, "sender-key-unknown", fault.Sender,
		"The envelope names no signing key of yours that counted at that time. Enrol the key, or sign with a current one.")
	ErrRecipientKey = fault.New(fault.Unprocessable, "recipient-key-retired", fault.Sender,
		"A section is sealed to a key that is not a current encryption key of the recipient. The member jwk is the current one, key its kid. Nothing was stored: seal to it and sign again.")
	ErrNotThere = fault.New(fault.NotFound, "referral-not-found", fault.Sender,
		"There is no such referral that you may see. Check the id.")
	ErrParty = fault.New(fault.Forbidden, "not-your-step", fault.Sender,
		"This step belongs to the other side of the referral.")
	ErrState = fault.New(fault.Conflict, "step-not-possible", fault.Sender,
		"The referral is in a state from which this step is not possible. Read it again; the member state names the state.")
	ErrMoved = fault.New(fault.Conflict, "referral-moved", fault.Sender,
		"The referral has moved since you read it. Read it, decide again and sign with its newest envelope as prev.")
	ErrWrongEndpoint = fault.New(fault.Unprocessable, "wrong-endpoint", fault.Sender,
		"A request opens a referral at /v1/referrals; every other event is posted to its referral's events, and must name it as re.")
	ErrReasonMissing = fault.New(fault.Unprocessable, "open-malformed", fault.Sender,
		"Name at least one section, each once, and a coded reason for opening: triage, decide, provide-service, safeguard, resend or subject-access.")
	ErrNoSection = fault.New(fault.NotFound, "section-not-found", fault.Sender,
		"The packet holds no such section for you, or it was destroyed. Read the referral again.")
	ErrOver = fault.New(fault.Forbidden, "referral-closed", fault.Sender,
		"The referral has ended, and with it the time in which its sections are given out.")
	ErrPacketExpired = fault.New(fault.Forbidden, "packet-expired", fault.Sender,
		"The time in which this packet was to be opened has passed. Ask the sender to send it again.")
	ErrRecallNotThere = fault.New(fault.NotFound, "recall-not-found", fault.Sender,
		"Your agency was asked nothing under this id. List what it is asked.")
	ErrRecallAnswered = fault.New(fault.Conflict, "recall-answered", fault.Sender,
		"This was answered before, and an answer stands: only what was kept can be deleted later. Nothing remains to be done.")
	ErrRecallMismatch = fault.New(fault.Unprocessable, "recall-mismatch", fault.Sender,
		"The answer is not to what was asked: to another consent, of another referral, or of another kind. List what your agency is asked, and sign the answer to that.")
	ErrRecallQuery = fault.New(fault.Invalid, "recall-query-invalid", fault.Sender,
		"state is open or answered, ending a number of days from 0 to 366, and after the cursor of a page before.")
	ErrQuery = fault.New(fault.Invalid, "list-query-invalid", fault.Sender,
		"state, urgency and role take their codes, limit 1 to 100, wait 0 to 30 seconds, and after the cursor of a page before.")
)

// Grace is how long after a referral's end its sections can still be opened by the
// partner who took it.
const Grace = 30 * 24 * time.Hour
