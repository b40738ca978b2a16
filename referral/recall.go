package referral

import (
	"time"

	"handover/audit"
	"handover/consent/record"
	"handover/partners"
)

// Question is what somebody is asked because of a withdrawal.
type Question string

// The questions of a withdrawal.
const (
	StillHeld    Question = "still-held"      // of whoever holds something: is it deleted?
	DoesHelpGoOn Question = "does-help-go-on" // of the sender of what was accepted
)

// Recall is one question and its answer. What the holder was released stays with it: nobody
// but itself can delete that, so what the hub keeps is its signed word.
type Recall struct {
	ID        string    `json:"id,omitempty"` // "" as long as nothing was withdrawn
	Consent   string    `json:"consent"`
	Digest    string    `json:"digest"` // of the consent record, which the answer names
	Question  Question  `json:"question"`
	Partner   string    `json:"partner"` // who is asked
	Referrals []string  `json:"referrals"`
	Sections  []string  `json:"sections"` // that it was given, each once; none of a question about help
	Since     time.Time `json:"since,omitzero"`
	Asked     time.Time `json:"asked,omitzero"`
	Answer    string    `json:"answer,omitempty"` // deleted, kept, goes-on, ends
	Answered  time.Time `json:"answered,omitzero"`
	Statement string    `json:"statement,omitempty"` // the signed answer
	Receipt   any       `json:"receipt,omitempty"`   // of the newest step

	entry audit.EntryID
	seq   int64
}

// takes returns nil if the caller may answer the question with the claims.
func (q Recall) takes(c partners.Caller, claims record.RecallClaims) error {
	need, fits := partners.ReferralsReceive, claims.Answer == record.Deleted || claims.Answer == record.Kept
	if q.Question == DoesHelpGoOn {
		need, fits = partners.ReferralsSend, len(q.Referrals) == 1 && q.Referrals[0] == claims.Referral
	}
	switch {
	case !c.Has(need):
		return partners.ErrScope.With("scope", string(need))
	case !fits || claims.Consent != q.Consent || claims.Digest != q.Digest:
		return ErrRecallMismatch
	case q.Answer == record.Kept && claims.Answer == record.Deleted:
		return nil
	case q.Answer != "":
		return ErrRecallAnswered
	}
	if claims.Answer == record.Kept {
		return claims.SuitsCategory(string(c.Category()))
	}
	return nil
}

// Holders is what became of what she took back, or, before that, who holds what: as far as
// the caller can see.
type Holders struct {
	Consent   string    `json:"consent"`
	Withdrawn time.Time `json:"withdrawn,omitzero"`
	Complete  bool      `json:"complete"` // everybody who holds something is on the list, for good
	Recalls   []Recall  `json:"recalls"`
}
