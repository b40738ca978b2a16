package referral

import (
	"time"

	"handover/internal/fault"
	"handover/partners"
)

// What can be refused about who has a referral.
var (
	ErrHolderRole = fault.New(fault.Forbidden, "holder-role", fault.Sender,
		"Only an active caseworker or manager of your agency can have a referral, or say who has it. Choose one of them.")
	ErrHolderChanged = fault.New(fault.Conflict, "holder-changed", fault.Sender,
		"Who has this referral has changed since you looked. The member holder names who has it now, if anybody has. Look again and decide anew.")
)

// mayHold reports whether somebody in the role has referrals: who meets the women, and who
// answers for those who do. Administrators and auditors have no need to.
func mayHold(r partners.Role) bool { return r == partners.Caseworker || r == partners.Manager }

// Presence is a colleague who looks at a referral now.
type Presence struct {
	User string
	Name string
	Seen time.Time
}

// presenceLife is how long somebody counts as looking after she has asked for the page.
const presenceLife = 2 * time.Minute
