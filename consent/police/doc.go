// Package police keeps what the police ask of an agency about a woman, and what the agency
// decides: a victim information request (Police, Crime, Sentencing and Courts Act 2022, Part 2
// Chapter 3A).
//
// It is no referral, and nothing moves by it. An officer asks exactly one agency by a signed
// statement of codes; whom it is about, and why, are sealed to that agency, so the hub never
// reads it (Store.Ask). The agency opens the text, which is logged (Store.Open). A manager of
// it decides by a signed statement (Store.Decide). A yes moves nothing: what is sent to the
// police later is a packet like any other, which the firewall judges and which needs a basis
// of its own. A no is a proper end.
//
// The police must not learn from a no whether she is known to the agency. So:
//   - a no has one form: no reason, no word on whether she was told, no time, no id with the
//     time in it. Why it is no is sealed to the agency's own key, padded, and its digest alone
//     is in the statement;
//   - a no is shown when the request was to be answered by and not before (shownAt), whether
//     it took a minute or a week; one that is late is shown a whole number of days after that;
//   - when the text was opened, or how often, the police are not shown; neither by the log,
//     whose entry of an opening, or of a no, does not name them;
//   - what may be asked about is what was asked by them: other ids are not there.
//
// record.InquiryClaims and record.InquiryDecisionClaims are the statements (consent/record);
// http.go has the routes, store.go what changes something, store_read.go what is shown to whom.
package police

import (
	"time"

	"handover/consent/record"
	"handover/internal/fault"
)

// What can be refused about a police request. What is refused about its form, or about what a
// decision approves, consent/record says.
var (
	ErrNotPolice = fault.New(fault.Forbidden, "police-only", fault.Sender,
		"Only a police partner makes such a request. Other agencies send a referral, with her agreement or another basis.")
	ErrByPerson = fault.New(fault.Forbidden, "police-request-by-person", fault.Sender,
		"An officer makes a police request signed in as herself, and a manager decides it. A system alone does neither.")
	ErrSenior = fault.New(fault.Unprocessable, "police-request-senior", fault.Sender,
		"The second officer who approves that counselling records are asked for must be another active person of your agency. Check the id.")
	ErrUnreadable = fault.New(fault.Unprocessable, "police-request-unreadable", fault.Recipient,
		"The hub holds the keys of this agency, which has no way to open such a request here, so it would wait unread. Nothing was recorded: ask the agency by telephone.")
	ErrNotThere = fault.New(fault.NotFound, "police-request-not-found", fault.Sender,
		"There is no such police request that you may see, or it is not yours to open or decide. Check the id.")
	ErrConflict = fault.New(fault.Conflict, "police-request-conflict", fault.Sender,
		"A different police request with this id is stored already. Choose a new id and sign again.")
	ErrDecided = fault.New(fault.Conflict, "police-request-decided", fault.Sender,
		"This police request has been decided before. A decision is final; the police may ask again.")
	ErrUnread = fault.New(fault.Conflict, "police-request-unread", fault.Sender,
		"Nobody of your agency has opened this request. Open and read it before you approve anything.")
	ErrQuery = fault.New(fault.Invalid, "police-request-query-invalid", fault.Sender,
		"Ask with role=asked or role=received, and for a next page by the address that the Link of the page before gave.")
)

// The states of a police request. The police see the first three and Refused; Opened the
// holder alone.
const (
	stateAsked      = "asked"
	stateOpened     = "opened"
	stateUnanswered = "unanswered" // when it was to be answered by has passed
)

// shownAt is when the police are shown a decision that is made at that time. A yes at once. A
// no when the request was to be answered by; after that, at the end of a whole day counted
// from then.
func shownAt(decision string, decided, respondBy time.Time) time.Time {
	if decision == record.Approved {
		return decided
	}
	shown := respondBy
	if late := decided.Sub(respondBy); late > 0 {
		const day = 24 * time.Hour
		shown = respondBy.Add((late + day - 1) / day * day)
	}
	return shown
}
