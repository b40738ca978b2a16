package consent

import (
	"time"

	"handover/consent/record"
	"handover/internal/fault"
)

// What can be refused about an override, and about deciding what somebody else proposed.
var (
	ErrNoOverride = fault.New(fault.Forbidden, "no-override", fault.Sender,
		"The basis names no override that you may rely on, or not with this digest. Only the agency that made an override relies on it.")
	ErrNotApproved = fault.New(fault.Forbidden, "override-not-approved", fault.Sender,
		"Nobody has approved this override yet. A manager of your agency, another than who proposed it, has to decide it first.")
	ErrLapsed = fault.New(fault.Forbidden, "override-lapsed", fault.Sender,
		"This emergency override was not approved within 24 hours, so nothing more is shared on it, and no other emergency takes its place until a manager has decided it; a later approval does not revive it. If it is still needed, propose one that is no emergency and have it approved.")
	ErrOverrideRefused = fault.New(fault.Forbidden, "override-refused", fault.Sender,
		"A manager has refused this override. Nothing may be shared on it.")
	ErrOverrideEnded = fault.New(fault.Forbidden, "override-ended", fault.Sender,
		"A manager has looked at this override again and ended it. Nothing more may be shared on it.")
	ErrOverrideNotThere = fault.New(fault.NotFound, "override-not-found", fault.Sender,
		"There is no such override that you may see. Check the id.")
	ErrOverrideConflict = fault.New(fault.Conflict, "override-conflict", fault.Sender,
		"A different statement with this id is stored already. Choose a new id and sign again.")
	ErrOverrideDecided = fault.New(fault.Conflict, "override-decided", fault.Sender,
		"This override has been decided, or ended, before. Nothing remains to be decided; if it is still needed, propose a new one.")
	ErrOverrideReview = fault.New(fault.Unprocessable, "override-review-date", fault.Sender,
		"An override that continues is looked at again in the future and before it ends. Name an earlier day, or end it.")
	ErrByPerson = fault.New(fault.Forbidden, "override-by-person", fault.Sender,
		"A person proposes and decides an override, signed in as herself. A system alone never does.")
	ErrManager = fault.New(fault.Forbidden, "manager-needed", fault.Sender,
		"A manager has to decide this. Ask one of your agency's managers.")
	ErrSamePerson = fault.New(fault.Forbidden, "second-person-needed", fault.Sender,
		"Nobody decides what she has put forward herself. Ask another manager of your agency.")
	ErrOverrideQuery = fault.New(fault.Invalid, "override-query-invalid", fault.Sender,
		"Ask for late=approval, late=review or neither, and for a next page by the address that the Link of the page before gave.")
	ErrNoReview = fault.New(fault.Conflict, "consent-review-not-awaited", fault.Sender,
		"This consent record awaits no review: it needed none, or a manager has decided already.")
)

// The states of an override, as its readers see it.
const (
	stateProposed  = "proposed"  // nobody has decided it; it covers nothing
	stateEmergency = "emergency" // nobody has decided it, and its first 24 hours run
	stateApproved  = "approved"
	stateLapsed    = "lapsed" // an emergency that nobody approved within 24 hours
	stateRefused   = "refused"
	stateEnded     = "ended"
	stateExpired   = "expired"
)

// standing is where an override stands, by what its state row says.
type standing struct {
	emergency         bool
	decision          string // proposed, approved or refused
	recorded, expires time.Time
	decided, ended    *time.Time
}

// deadline is when an emergency override covers nothing more unless it was approved before.
func (s standing) deadline() time.Time { return s.recorded.Add(record.EmergencyLife) }

// overdue reports whether it was an emergency whose day has passed and that nobody has decided.
// Somebody has to, though it was ended since and nothing comes of it: until then no other
// emergency takes its place.
func (s standing) overdue(now time.Time) bool {
	return s.emergency && s.decided == nil && !now.Before(s.deadline())
}

// at is the state of the override at that time. An approval that comes after the deadline of
// an emergency is kept and counts for nothing: else who shared in haste could have the yes
// made up a week later.
func (s standing) at(now time.Time) string {
	switch {
	case s.decision == record.Refused:
		return stateRefused
	case s.ended != nil:
		return stateEnded
	case s.emergency && s.decided != nil && !s.decided.Before(s.deadline()), s.emergency && s.decided == nil && !now.Before(s.deadline()):
		return stateLapsed
	case !now.Before(s.expires):
		return stateExpired
	case s.decided != nil:
		return stateApproved
	case s.emergency:
		return stateEmergency
	}
	return stateProposed
}

// Warrant is one override in a transaction that holds its state locked.
type Warrant struct {
	standing
	claims record.OverrideClaims
	digest string
	found  bool
}

// Override returns the warrant of an override. One that was not found covers nothing.
func (g *Grants) Override(id string) *Warrant {
	if found, ok := g.overrides[id]; ok {
		return found
	}
	return &Warrant{}
}

// Covers decides whether the override, exactly the one with this digest, covers the passage
// now: a second person has approved it, or it is an emergency in its first 24 hours.
func (w *Warrant) Covers(digest string, p record.Passage) error {
	if !w.found || w.digest != digest {
		return ErrNoOverride
	}
	switch w.at(p.Now) {
	case stateRefused:
		return ErrOverrideRefused
	case stateEnded:
		return ErrOverrideEnded
	case stateLapsed:
		return ErrLapsed
	case stateProposed:
		return ErrNotApproved
	}
	return w.claims.Covers(p)
}
