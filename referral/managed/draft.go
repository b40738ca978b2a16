package managed

import (
	"strings"
	"time"

	"handover/internal/fault"
	"handover/internal/strict"
	"handover/keys/jose"
	"handover/partners"
)

// Draft is what a person has begun to write and has not sent: what she answered, by question.
// It is hers alone, and her colleagues do not see it: half of what a woman said is easily read
// as all of it. It lies sealed to the key that the hub holds for her agency.
type Draft struct {
	ID      string // UUIDv7; what comes of the draft is sent under it, so a double tap is one referral
	Kind    string // referral, consent or override
	Answers map[string][]string
	Made    time.Time
	Changed time.Time // when it was kept last: KeepDraft keeps it only if nobody has since
}

// DraftLine is what a draft's writer is shown of it without its being opened.
type DraftLine struct {
	ID, Kind      string
	Made, Changed time.Time
}

// What a draft can become.
const (
	ReferralDraft = "referral"
	ConsentDraft  = "consent"
	OverrideDraft = "override"
)

// Limits of drafts.
const (
	DraftLimit = 256 << 10           // bytes of one
	DraftLife  = 14 * 24 * time.Hour // it goes when it has not been touched for so long
	mostDrafts = 50                  // of one person
)

// What can be refused about drafts.
var (
	ErrDraftChanged = fault.New(fault.Conflict, "draft-changed", fault.Sender,
		"This draft was saved in another window since you opened it here. Open it again, look at what is there, and write what is missing.")
	ErrDraftGone = fault.New(fault.NotFound, "draft-not-found", fault.Sender,
		"There is no such draft of yours. A draft goes when it is sent, when you delete it, 14 days after you last saved it, and when your agency takes its keys into its own hands. Begin a new one.")
	ErrDraftMany = fault.New(fault.TooMany, "draft-too-many", fault.Sender,
		"You have 50 drafts. Send or delete some of them before you begin another.")
	ErrDraftSize = fault.New(fault.TooLarge, "draft-too-large", fault.Sender,
		"A draft holds at most 256 KiB. Write less: the agency that receives it needs what it must act on, and no more.")
)

// draftScope is the right that whoever writes a draft of the kind must have, as she must to
// send it: who was made an auditor meanwhile reads it no more. There is none for what is no kind.
func draftScope(kind string) (partners.Scope, bool) {
	scope, ok := map[string]partners.Scope{
		ReferralDraft: partners.ReferralsSend, ConsentDraft: partners.ConsentsWrite, OverrideDraft: partners.ConsentsOverride,
	}[kind]
	return scope, ok
}

// mayDraft refuses whoever may not write a draft of the kind.
func mayDraft(c partners.Caller, kind string) error {
	if err := person(c); err != nil {
		return err
	}
	if scope, ok := draftScope(kind); !ok || !c.Has(scope) {
		return partners.ErrScope.With("scope", string(scope))
	}
	return nil
}

// written is the plaintext of a draft. It names whose it is, which, and what it is to become: a
// row that somebody who can write to the database has moved to another person or another draft
// does not open.
type written struct {
	Partner partners.ID         `json:"partner"`
	User    string              `json:"user"`
	ID      string              `json:"id"`
	Kind    string              `json:"kind"`
	Answers map[string][]string `json:"answers"`
}

// seal seals what the caller has written, whole.
func (d Draft) seal(c partners.Caller, to jose.PublicKey) (string, error) {
	w := written{Partner: c.Partner(), User: c.User(), ID: d.ID, Kind: d.Kind, Answers: make(map[string][]string, len(d.Answers))}
	for question, answers := range d.Answers {
		for _, answer := range answers {
			w.Answers[question] = append(w.Answers[question], strings.ToValidUTF8(answer, "\uFFFD"))
		}
	}
	plain, err := strict.Marshal(w)
	if err != nil {
		return "", err
	}
	defer clear(plain)
	if len(plain) > DraftLimit {
		return "", ErrDraftSize
	}
	return jose.Encrypt(plain, to, draftType)
}

const (
	draftType  = "handover-draft+json" // the cty of its JWE
	sealedSize = DraftLimit*4/3 + 2048 // the most characters of one
)

// unseal opens what seal made, if it is the caller's draft with this id and of this kind.
func (d *Draft) unseal(c partners.Caller, sealed string, by map[string]jose.PrivateKey) error {
	e, err := jose.ParseEncrypted(sealed, sealedSize)
	if err != nil || e.ContentType() != draftType {
		return ErrDraftGone
	}
	key, held := by[e.KeyID()]
	if !held {
		return ErrDraftGone // the hub gave the key up at this moment
	}
	plain, err := e.Decrypt(key)
	if err != nil {
		return ErrDraftGone
	}
	defer clear(plain)
	var w written
	if strict.Unmarshal(plain, &w) != nil || w.Partner != c.Partner() || w.User != c.User() || w.ID != d.ID || w.Kind != d.Kind {
		return ErrDraftGone
	}
	d.Answers = w.Answers
	if d.Answers == nil {
		d.Answers = map[string][]string{}
	}
	return nil
}
