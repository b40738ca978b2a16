package partners

import (
	"time"

	"handover/internal/fault"
)

// Standing is whether a person may act for her partner now.
type Standing string

// The standings of a person. She is invited until she has used her link; who is removed
// does not come back under the same id.
const (
	UserInvited   Standing = "invited"
	UserActive    Standing = "active"
	UserSuspended Standing = "suspended"
	UserRemoved   Standing = "removed"
)

// User is a person who works at a partner.
type User struct {
	ID      string    `json:"id"` // UUID, opaque: it is what the log and envelopes name
	Partner ID        `json:"-"`
	Name    string    `json:"name"` // as colleagues know her; seen by her own partner alone
	Role    Role      `json:"role"`
	Status  Standing  `json:"status"`
	Since   time.Time `json:"since"`
}

// Link is what a one-time link is good for.
type Link struct {
	User     User
	Recovers bool // using it ends her earlier passkeys and sessions
}

// linkLife is how long a one-time link can be used: it is handed over in person or on
// the telephone, and opened the same day.
const linkLife = 48 * time.Hour

// What a person or her administrator can cause.
var (
	ErrLink = fault.New(fault.Unauthenticated, "link-invalid", fault.Sender,
		"This link is unknown, used or out of date. Ask your agency's administrator for a new one.")
	ErrUserNotThere = fault.New(fault.NotFound, "user-not-found", fault.Sender,
		"Nobody at your agency has this id. Check it against the list of people.")
)
