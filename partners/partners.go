// Package partners knows who takes part: the agencies, their public keys, people,
// services and agreements, the firewall between categories, and the Caller of
// one request.
//
// Read it in the order a request meets it: caller.go (who is asking), keys.go
// (which public keys of a partner count, and when), agreement.go and firewall.go
// (what may pass between two partners at all), services.go (what is offered),
// store.go (the transitions, each one transaction and one log entry), http.go (the
// directory as partners see it). An agency's administration of itself: people.go and
// store_admin.go with http_people.go (who works there), registration.go and
// store_clients.go (its systems), rotation.go and store_keys.go (its keys), both behind
// http_systems.go. custody.go and store_custody.go: the keys that the hub holds for an
// agency that has nowhere to keep them.
package partners

import (
	"regexp"
	"time"

	"handover/internal/fault"
)

// ID is a partner's short name, such as camden-outreach: 3 to 40 of a-z, 0-9
// and inner hyphens. It is public and never names a person.
type ID string

var idPattern = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// Valid reports whether the id has the form of one.
func (id ID) Valid() bool {
	return len(id) >= 3 && len(id) <= 40 && idPattern.MatchString(string(id))
}

// Category is what kind of agency a partner is. The firewall is written in
// categories.
type Category string

// The categories of partner.
const (
	VAWGService     Category = "vawg-service"
	BoroughOutreach Category = "borough-outreach"
	Housing         Category = "housing"
	PrimaryCare     Category = "primary-care"
	MentalHealth    Category = "mental-health"
	SubstanceUse    Category = "substance-use"
	SocialCare      Category = "social-care"
	LegalAdvice     Category = "legal-advice"
	Police          Category = "police"
	Oversight       Category = "oversight"
)

// Categories lists every category, in the order of the firewall's table.
func Categories() []Category {
	return []Category{VAWGService, BoroughOutreach, Housing, PrimaryCare, MentalHealth,
		SubstanceUse, SocialCare, LegalAdvice, Police, Oversight}
}

// Title returns the plain words for a category.
func (c Category) Title() string {
	return map[Category]string{VAWGService: "specialist women's services", BoroughOutreach: "borough outreach", Housing: "housing",
		PrimaryCare: "GP practices", MentalHealth: "mental health services", SubstanceUse: "substance use services",
		SocialCare: "adult and children's social care", LegalAdvice: "legal advice", Police: "police", Oversight: "oversight"}[c]
}

// Valid reports whether c is one of the categories.
func (c Category) Valid() bool {
	for _, k := range Categories() {
		if c == k {
			return true
		}
	}
	return false
}

// Status is whether a partner takes part now.
type Status string

// The states of a partner. A partner is invited until its keys have arrived.
const (
	Invited   Status = "invited"
	Active    Status = "active"
	Suspended Status = "suspended"
)

// Partner is an agency that has joined.
type Partner struct {
	ID       ID        `json:"id"`
	Name     string    `json:"name"`
	Category Category  `json:"category"`
	Areas    []string  `json:"areas"` // ONS GSS codes
	Status   Status    `json:"status"`
	Since    time.Time `json:"since"`
	Custody  Custody   `json:"custody"` // who holds the private part of the key that it signs with now
}

// What a caller of this package can cause.
var (
	ErrUnauthenticated = fault.New(fault.Unauthenticated, "unauthenticated", fault.Sender,
		"This needs a valid DPoP-bound access token. Get a new token and send it with a fresh proof.")
	ErrScope = fault.New(fault.Forbidden, "insufficient-scope", fault.Sender,
		"Your token does not carry the scope that this needs. Ask for a token with it, or ask your administrator for the right.")
	ErrStepUp = fault.New(fault.Unauthenticated, "step-up-required", fault.Sender,
		"This needs you to have proved who you are a moment ago. Sign in again, then repeat it.")
	ErrNotThere = fault.New(fault.NotFound, "not-found", fault.Sender,
		"There is nothing here that you may see. Check the address and the id.")
	ErrPartnerInvalid = fault.New(fault.Unprocessable, "partner-invalid", fault.Sender,
		"The partner needs a short id, a name, one of the known categories, and GSS area codes of English authorities.")
	ErrPartnerExists = fault.New(fault.Conflict, "partner-exists", fault.Sender,
		"A partner with this id exists already. Choose another id.")
	ErrInvitation = fault.New(fault.Unauthenticated, "invitation-invalid", fault.Sender,
		"This enrolment code is unknown, used or expired. Ask the hub's operator for a new one.")
	ErrEnrolment = fault.New(fault.Unprocessable, "enrolment-invalid", fault.Sender,
		"The enrolment must be signed by the new signing key and carry one key for each use: authentication, signing and encryption.")
	ErrKeyTaken = fault.New(fault.Conflict, "key-taken", fault.Sender,
		"One of these keys is registered already. Make new keys: a key has one use and one owner.")
	ErrRecipientInactive = fault.New(fault.Unprocessable, "recipient-inactive", fault.Recipient,
		"The recipient does not take part in the exchange now. Choose another partner.")
	ErrService = fault.New(fault.Unprocessable, "service-unavailable-for-referral", fault.Recipient,
		"The recipient has no such service taking referrals for this purpose and area. Choose another service.")
	ErrServiceQuery = fault.New(fault.Invalid, "service-query-invalid", fault.Sender,
		"Ask for services with a known purpose as need and a GSS code as area, or leave either out.")
	ErrFirewall = fault.New(fault.Forbidden, "firewall", fault.Sender,
		"This kind of partner may never receive this section for this purpose. Leave the section out or choose another recipient.")
	ErrAgreement = fault.New(fault.Forbidden, "no-agreement", fault.Sender,
		"No data-sharing agreement in force between you and the recipient covers this. Ask both administrators.")
	ErrAgreementInvalid = fault.New(fault.Unprocessable, "agreement-invalid", fault.Sender,
		"An agreement needs two different partners, known purposes and sections, and an end after its start.")
)
