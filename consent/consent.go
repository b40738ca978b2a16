// Package consent keeps what she agreed to and decides, inside the transaction that
// shares something, whether she still does. consent/record is the pure part: the
// signed record and what it covers.
//
// A record is posted (http.go), verified and stored with its log entry (store.go), perhaps
// in the place of an earlier one (store_supersede.go), and withdrawn (store_withdraw.go).
// Whoever is about to store or release content calls Lock in the same transaction
// and then Grant.Covers: the record's state row is held FOR SHARE until that
// transaction ends, and a withdrawal, which updates the row, waits for it (store_lock.go).
// So the list of who received something is final when the withdrawal is.
package consent

import (
	"time"

	"handover/consent/record"
	"handover/internal/fault"
)

// What can be refused about a consent.
var (
	ErrUnknown = fault.New(fault.Forbidden, "no-consent", fault.Sender,
		"The basis names no consent record that you may rely on, or not with this digest. Record her consent first.")
	ErrWithdrawn = fault.New(fault.Forbidden, "consent-withdrawn", fault.Sender,
		"She has withdrawn this consent. Nothing more may be shared on it.")
	ErrNotThere = fault.New(fault.NotFound, "consent-not-found", fault.Sender,
		"There is no such consent record that you may see. Check the id.")
	ErrConflict = fault.New(fault.Conflict, "consent-conflict", fault.Sender,
		"A different record with this id is stored already. Choose a new id and sign again.")
	ErrAlreadyWithdrawn = fault.New(fault.Conflict, "consent-already-withdrawn", fault.Sender,
		"This consent was withdrawn before. Nothing remains to be done.")
	ErrReview = fault.New(fault.Forbidden, "consent-review-awaited", fault.Sender,
		"A manager of the agency that recorded this has to look at how she was asked before anything may rest on it. Ask a manager to review the record.")
	ErrSuperseded = fault.New(fault.Conflict, "consent-superseded", fault.Sender,
		"A later record has taken the place of this one already. Supersede or withdraw the newest; for a withdrawal the member newest names it.")
	ErrSuccessor = fault.New(fault.Unprocessable, "consent-of-another", fault.Sender,
		"A record supersedes only one about the same subject reference. Use the sub of the earlier record.")
	ErrNeverNotThere = fault.New(fault.NotFound, "never-not-found", fault.Sender,
		"There is no such statement of yours, or not with this digest. Check the id.")
	ErrNeverConflict = fault.New(fault.Conflict, "never-conflict", fault.Sender,
		"A different statement with this id is stored already. Choose a new id and sign again.")
	ErrNeverNobody = fault.New(fault.Unprocessable, "never-nobody", fault.Sender,
		"A recipient is neither an agency of this exchange nor a kind of agency, so that naming it would stop nobody. Look the id up, or name its kind as category:NAME.")
	ErrNeverLifted = fault.New(fault.Conflict, "never-lifted", fault.Sender,
		"This was lifted before. If she wants it back, record it anew.")
	ErrIssuer = fault.New(fault.Forbidden, "issuer-not-caller", fault.Sender,
		"The record names another partner as its issuer. Sign it as the partner your token is for.")
	ErrKey = fault.New(fault.Unprocessable, "signing-key-unknown", fault.Sender,
		"The key named is not a signing key of the issuer that counted at that time. Enrol the key, or sign with a current one.")
	ErrQuery = fault.New(fault.Invalid, "consent-query-invalid", fault.Sender,
		"Ask for a next page by the address that the Link of the page before gave.")
)

// Grants is what a transaction holds of consent records while it decides. Lock makes
// it; until the batch it was queued in has run, none of them covers anything.
type Grants struct {
	byID      map[string]*Grant
	overrides map[string]*Warrant
	nevers    map[Reliance]bool // with whom nothing may be shared
}

// Reliance is the id of a record, or of an override, and the partner that something is to be
// shared with on it.
type Reliance struct{ Basis, Recipient string }

// Stops returns record.ErrNotCovered if she never wants anything shared with that partner.
// It is asked last: what would be refused without it is refused as it would be, so that only
// what she agreed to is refused for it, as not covered, like anything else that is not.
func (g *Grants) Stops(on Reliance) error {
	if asked, ok := g.nevers[on]; !ok || asked {
		return record.ErrNotCovered
	}
	return nil
}

// Of returns the grant of a record. One that was not found covers nothing.
func (g *Grants) Of(id string) *Grant {
	if found, ok := g.byID[id]; ok {
		return found
	}
	return &Grant{}
}

// Grant is one consent record in a transaction that holds its state locked, and the states
// of all that came after it in its chain.
type Grant struct {
	claims     record.Claims
	digest     string
	found      bool
	withdrawn  bool
	review     string
	own        bool    // it is a record of whoever asks
	successors int     // how many later records there are,
	later      []Grant // and those of them that this session is shown, the oldest first
}

// Covers decides whether the grant, exactly the record with this digest, covers the
// passage now. Every later record of its chain must reach as far, so that a later one
// narrows what rests on an earlier one at once, and never widens it; whether it is in
// force, the newest says, so that a renewal revives it.
func (g *Grant) Covers(digest string, p record.Passage) error {
	if !g.found || g.digest != digest {
		return ErrUnknown
	}
	newest := g
	if err := g.reaches(p); err != nil {
		return err
	}
	for i := range g.later {
		newest = &g.later[i]
		if err := newest.reaches(p); err != nil {
			return err
		}
	}
	if len(g.later) != g.successors {
		// One of them is not shown to whoever asks: she is not named in it any more.
		return record.ErrNotCovered
	}
	return newest.claims.InForce(p.Now)
}

// Ends is when the newest record of the chain ends, which says until when anything rests on
// this one; zero of one that was not found.
func (g *Grant) Ends() time.Time {
	if !g.found {
		return time.Time{}
	}
	newest := g
	if n := len(g.later); n > 0 {
		newest = &g.later[n-1]
	}
	return time.Unix(newest.claims.Expires, 0)
}

// Fresh reports whether the partner recorded this herself of something said after t.
func (g *Grant) Fresh(recorder string, t time.Time) bool {
	return g.found && g.claims.Issuer == recorder && time.Unix(g.claims.GivenAt, 0).After(t)
}

// reaches decides whether this one record stands and reaches that far.
func (g *Grant) reaches(p record.Passage) error {
	switch {
	case g.withdrawn:
		return ErrWithdrawn
	case g.review == "awaited" && g.own:
		return ErrReview
	case g.review == "awaited", g.review == "does-not-stand":
		// Whoever else is named in it is not to learn that somebody had a doubt: it may be the
		// agency where the man works of whom she is afraid.
		return record.ErrNotCovered
	}
	return g.claims.Reaches(p)
}
