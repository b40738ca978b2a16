package partners

import (
	"slices"
	"time"

	"handover/internal/codes"
	"handover/internal/fault"
	"handover/partners/terms"
)

// What can be refused about agreements that both administrators sign.
var (
	ErrAgreementNotThere = fault.New(fault.NotFound, "agreement-not-found", fault.Sender,
		"Your agency has no such agreement. Check the id.")
	ErrAgreementIssuer = fault.New(fault.Unprocessable, "agreement-issuer", fault.Sender,
		"A statement about an agreement is signed by your own agency. Sign it with your agency's key.")
	ErrAgreementKey = fault.New(fault.Unprocessable, "agreement-key", fault.Sender,
		"The signature names a key that was not one of your agency's signing keys when it was made. Sign again with your current signing key.")
	ErrAgreementConflict = fault.New(fault.Conflict, "agreement-conflict", fault.Sender,
		"Another statement is recorded under this id. Make a new one, with an id of its own.")
	ErrAgreementState = fault.New(fault.Conflict, "agreement-state", fault.Sender,
		"This cannot be done with the agreement as it stands: it was answered, taken back or ended meanwhile. Read it again.")
	ErrAgreementOwn = fault.New(fault.Conflict, "agreement-own-proposal", fault.Recipient,
		"Your agency proposed this: the other agency signs or refuses it. You can take it back.")
	ErrAgreementOpen = fault.New(fault.Conflict, "agreement-open", fault.Recipient,
		"The other agency has not answered your last proposal. Take that back before you make another.")
	ErrAgreementCurrent = fault.New(fault.Conflict, "agreement-not-current", fault.Sender,
		"A new version names the signed agreement in force between you and has the number after its own; a first one needs that there is none. Read your agreements again.")
	ErrAgreementFirewall = fault.New(fault.Forbidden, "agreement-firewall", fault.Sender,
		"This kind of agency may never receive this section for any of these purposes, whatever anybody agrees. Leave the section out.")
	ErrAgreementProposal = fault.New(fault.Conflict, "agreement-proposal-key", fault.Recipient,
		"The key that signed the proposal counts no more. The agency that proposed it has to propose it again.")
)

// SignedAgreement is an agreement as the two agencies, and nobody else, read it.
type SignedAgreement struct {
	ID         string         `json:"id"`
	State      terms.State    `json:"state"`
	Proposer   ID             `json:"proposer"`
	Other      ID             `json:"other"`
	Version    int            `json:"version"`
	Supersedes string         `json:"supersedes,omitempty"`
	ReplacedBy string         `json:"replaced_by,omitempty"`
	Ways       []AgreementWay `json:"ways"`
	From       time.Time      `json:"valid_from"`
	To         time.Time      `json:"valid_to"`
	ReviewAt   time.Time      `json:"review_at"`
	Proposed   SignedStep     `json:"proposed"`
	Answer     *SignedStep    `json:"answer,omitempty"`
	End        *SignedStep    `json:"end,omitempty"`
}

// AgreementWay is what may go one way under it, and since when it may no more.
type AgreementWay struct {
	Sender    ID         `json:"sender"`
	Recipient ID         `json:"recipient"`
	Purposes  []string   `json:"purposes"`
	Sections  []string   `json:"sections"`
	EndedAt   *time.Time `json:"ended_at,omitempty"`
}

// SignedStep is one thing that was done with an agreement, by whom, and the statement that
// proves it. Of a version that took another's place the proof is that version's own answer.
type SignedStep struct {
	Step      string    `json:"step"` // proposed, signed, refused, ended, superseded
	Partner   ID        `json:"partner"`
	Act       string    `json:"act,omitempty"` // the administrator, by opaque id
	At        time.Time `json:"at"`
	Reason    string    `json:"reason,omitempty"`  // one of terms.Reasons
	Custody   Custody   `json:"custody,omitempty"` // hub: the hub signed it for that administrator
	Digest    string    `json:"digest,omitempty"`
	Statement string    `json:"statement,omitempty"`
}

// Partner returns the other party of the agreement than me.
func (a SignedAgreement) Partner(me ID) ID {
	if a.Proposer == me {
		return a.Other
	}
	return a.Proposer
}

// Way returns what sender may send under the agreement, or nothing.
func (a SignedAgreement) Way(sender ID) AgreementWay {
	i := slices.IndexFunc(a.Ways, func(w AgreementWay) bool { return w.Sender == sender })
	if i < 0 {
		return AgreementWay{}
	}
	return a.Ways[i]
}

// Barred returns the sections, of those the table knows, that may never go to the category for
// any of the purposes: no agreement lets them pass.
func (f *Firewall) Barred(to Category, purposes []string) (barred []string) {
	for _, section := range codes.Sections().Codes() {
		if !slices.ContainsFunc(purposes, func(p string) bool { return f.Allows(to, section, p) }) {
			barred = append(barred, section)
		}
	}
	return barred
}

// bars returns ErrAgreementFirewall if the way holds a section that could never pass it. An
// agreement that promises what the firewall stops would be believed.
func (f *Firewall) bars(to Category, w terms.Way) error {
	barred := f.Barred(to, w.Purposes)
	i := slices.IndexFunc(w.Sections, func(s string) bool { return slices.Contains(barred, s) })
	if i < 0 {
		return nil
	}
	return ErrAgreementFirewall.With("section", w.Sections[i])
}

// speaks returns the refusal of a statement that is not signed for the caller's agency, or not
// in the name of the administrator who sends it.
func (c Caller) speaks(issuer, act string) error {
	if issuer != string(c.Partner()) {
		return ErrAgreementIssuer
	}
	return c.Signs(act)
}

// counts returns the signing key of the ring that made the statement, or refused.
func counts[T any](r *Ring, s terms.Statement[T], issued int64, refused error) (Key, error) {
	key, ok := r.Signing(s.KeyID(), time.Unix(issued, 0))
	if !ok {
		return Key{}, refused
	}
	return key, nil
}
