package partners

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

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

// Invitation is a one-time link as it is shown, once: the hub keeps a digest of its code.
type Invitation struct {
	User    string
	Code    string
	Expires time.Time
}

// isName reports whether s can be what people call a person or a system: 1 to 80
// characters, none of which a terminal or a page would obey instead of showing it.
func isName(s string) bool {
	odd := func(r rune) bool { return !unicode.IsPrint(r) } // controls, marks that turn the reading order
	return utf8.ValidString(s) && s != "" && utf8.RuneCountInString(s) <= 80 && strings.TrimSpace(s) == s && !strings.ContainsFunc(s, odd)
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
	ErrPersonInvalid = fault.New(fault.Unprocessable, "person-invalid", fault.Sender,
		"A person needs a name of 1 to 80 printable characters, as colleagues know her, and one of the roles: caseworker, manager, administrator or auditor.")
	ErrStanding = fault.New(fault.Conflict, "standing-not-possible", fault.Sender,
		"This is not possible from where she, or the system, stands now. The member status names it; read the list again.")
	ErrLastAdministrator = fault.New(fault.Conflict, "last-administrator", fault.Sender,
		"She is your agency's last active administrator, and nobody would be left to let anybody in. Make somebody else administrator first.")
	ErrOwnRole = fault.New(fault.Conflict, "own-role", fault.Sender,
		"Nobody changes her own role. Ask another administrator of your agency, or the hub's operator.")
	ErrOwnRecovery = fault.New(fault.Forbidden, "own-recovery", fault.Sender,
		"Nobody makes a way back in for herself. Ask another administrator of your agency, or the hub's operator.")
	ErrAct = fault.New(fault.Forbidden, "act-mismatch", fault.Sender,
		"The signed statement must name, as act, the person whose token it is sent with. Sign it for her, or send it with your system's own token.")
)
