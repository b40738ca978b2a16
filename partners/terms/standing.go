package terms

import (
	"time"

	"handover/internal/codes"
)

// State is where an agreement stands.
type State string

// The states of an agreement.
const (
	Proposed   State = "proposed"   // the other agency is asked to sign
	Lapsed     State = "lapsed"     // nobody answered before it would have ended
	Declined   State = "refused"    // the other agency refused
	TakenBack  State = "withdrawn"  // who proposed it took it back
	Agreed     State = "agreed"     // both signed, and it has not begun
	InForce    State = "in-force"   // both signed, and it counts now
	Expired    State = "expired"    // its time is over
	Superseded State = "superseded" // a later version took its place
	Ended      State = "ended"      // one of the two, or the hub's operator, ended it
)

// States lists every state with its words, in the order of an agreement's life.
func States() codes.List {
	return codes.List{
		{Code: string(Proposed), Label: "proposed"}, {Code: string(Lapsed), Label: "never answered"},
		{Code: string(Declined), Label: "refused"}, {Code: string(TakenBack), Label: "taken back"},
		{Code: string(Agreed), Label: "signed, begins later"}, {Code: string(InForce), Label: "in force"},
		{Code: string(Expired), Label: "run out"}, {Code: string(Superseded), Label: "replaced"}, {Code: string(Ended), Label: "ended"},
	}
}

// Standing is what has been done with an agreement: nothing of it is ever undone.
type Standing struct {
	Answer     string // one of Answers; "" while nobody answered
	Over       bool   // one of the two signed its end
	Superseded bool   // a later version was signed
	Stopped    bool   // the hub's operator ended all that may pass under it
	From, To   time.Time
}

// State returns where the agreement stands at now.
func (s Standing) State(now time.Time) State {
	switch {
	case s.Answer == Refused:
		return Declined
	case s.Answer == "" && s.Over:
		return TakenBack
	case s.Answer == "" && !now.Before(s.To):
		return Lapsed
	case s.Answer == "":
		return Proposed
	case s.Superseded:
		return Superseded
	case s.Over, s.Stopped:
		return Ended
	case !now.Before(s.To):
		return Expired
	case now.Before(s.From):
		return Agreed
	}
	return InForce
}

// Answerable reports whether the agency may sign or refuse in this state: who was asked, while
// nobody has answered.
func (s State) Answerable(proposer bool) bool { return s == Proposed && !proposer }

// Endable reports whether the agency may end it: either while it counts or is to count, and who
// proposed it before it is answered. Who was asked refuses instead.
func (s State) Endable(proposer bool) bool {
	return s == InForce || s == Agreed || s == Proposed && proposer
}

// Replaceable reports whether a new version may take its place.
func (s State) Replaceable() bool { return s == InForce || s == Agreed }
