package partners

import "slices"

// Role is what a user may do at her own partner.
type Role string

// The roles of a user.
const (
	Caseworker    Role = "caseworker"
	Manager       Role = "manager"
	Administrator Role = "administrator"
	Auditor       Role = "auditor"
)

// Roles lists every role.
func Roles() []Role { return []Role{Caseworker, Manager, Administrator, Auditor} }

// Valid reports whether r is one of the roles.
func (r Role) Valid() bool { return slices.Contains(Roles(), r) }

// Title is the role as a person is called by it.
func (r Role) Title() string {
	return map[Role]string{Caseworker: "Caseworker", Manager: "Manager", Administrator: "Administrator", Auditor: "Auditor"}[r]
}

// Words say what a role is for, and what it is not.
func (r Role) Words() string {
	switch r {
	case Caseworker:
		return "Sends and receives referrals, and records what women agree to."
	case Manager:
		return "As a caseworker. Also decides about sharing without a woman’s agreement, and says what services there are."
	case Administrator:
		return "Looks after people, systems, keys and services. Does not read referrals."
	case Auditor:
		return "Checks who did what, and on what basis. Does not read referrals."
	}
	return string(r)
}

// Scopes are the rights of a role: all that a person in it may do, and all that she can
// lend to a system that acts for her. No role has those of another for being above it:
// who manages people and keys has no need to read referrals, nor has who audits. A caseworker
// may propose to share without a woman's agreement, since she is there when it cannot wait;
// consent.Store lets a manager alone decide it.
func (r Role) Scopes() []Scope {
	switch r {
	case Caseworker:
		return []Scope{ReferralsSend, ReferralsReceive, ConsentsWrite, ConsentsOverride}
	case Manager:
		return []Scope{ReferralsSend, ReferralsReceive, ConsentsWrite, ConsentsOverride, ServicesWrite}
	case Administrator:
		return []Scope{PartnerAdmin, ServicesWrite}
	case Auditor:
		return []Scope{AuditRead}
	}
	return nil
}

// PeopleScopes lists what people can lend to a system by signing in to it: the rights of
// all roles, in the order of Scopes.
func PeopleScopes() []Scope {
	return slices.DeleteFunc(Scopes(), func(s Scope) bool {
		return !slices.ContainsFunc(Roles(), func(r Role) bool { return slices.Contains(r.Scopes(), s) })
	})
}
