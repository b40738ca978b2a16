package record

import (
	"maps"
	"slices"

	"handover/internal/codes"
	"handover/internal/ids"
	"handover/internal/strict"
	"handover/keys/jose"
)

// MediaType is that of a consent record as it is posted.
const MediaType = "application/vnd.handover.consent+json"

// PostedLimit is the most bytes it takes, sealedLimit the most of one sealed part.
const (
	PostedLimit = 128 << 10
	sealedLimit = 32 << 10
)

// Posted is a consent record with what only its recorder, and of that only the codes the
// hub, may read.
type Posted struct {
	Record        string            `json:"record"`                  // the signed record
	Circumstances string            `json:"circumstances,omitempty"` // base64url of the JSON of Circumstances
	Sealed        map[string]string `json:"sealed,omitempty"`        // JWEs to the recorder's own key, by part
}

// SealedParts are what can be sealed to the recorder's own key.
func SealedParts() codes.List {
	return codes.List{
		{Code: "her-words", Label: "what she agreed to, in her words", Source: "ISO/IEC TS 27560:2023 event"},
		{Code: "capacity", Label: "the decision, who assessed her and when, the best-interests reference", Source: "Mental Capacity Act 2005 s4"},
		{Code: "circumstances", Label: "who else was there, and what you saw", Source: "UK common law of confidentiality"},
	}
}

// ReadPosted takes apart what was posted and checks that the circumstances and the sealed
// parts are those that the record binds, and go with what it states.
func ReadPosted(body []byte) (Statement[Claims], Posted, error) {
	var p Posted
	if err := strict.Unmarshal(body, &p); err != nil {
		return Statement[Claims]{}, Posted{}, ErrMalformed
	}
	s, err := ParseConsent(p.Record)
	if err != nil {
		return Statement[Claims]{}, Posted{}, err
	}
	if err := p.fits(s.claims); err != nil {
		return Statement[Claims]{}, Posted{}, err
	}
	return s, p, nil
}

func (p Posted) fits(c Claims) error {
	if c.Circumstances == "" && p.Circumstances != "" || c.Circumstances != "" && ids.Digest(p.Circumstances) != c.Circumstances {
		return bad("circumstances")
	}
	if c.Circumstances != "" {
		circumstances, err := ParseCircumstances(p.Circumstances)
		if err != nil {
			return err
		}
		if err := circumstances.Suit(c.Agreement, c.Act); err != nil {
			return err
		}
	}
	return fitSealed(c.Sealed, p.Sealed)
}

// NeedsReview reports whether a manager has to review the record before it covers anything.
// The posted document has passed ReadPosted.
func (p Posted) NeedsReview(c Claims) bool {
	circumstances, err := ParseCircumstances(p.Circumstances)
	return err == nil && circumstances.NeedReview(c.Agreement)
}

// fitSealed checks that exactly the parts are there that digests name, each as a JWE of the
// allowed algorithms. What is in them, only the recorder can say.
func fitSealed(digests, parts map[string]string) error {
	if !slices.Equal(slices.Sorted(maps.Keys(digests)), slices.Sorted(maps.Keys(parts))) {
		return bad("sealed")
	}
	for name, jwe := range parts {
		if _, err := jose.ParseEncrypted(jwe, sealedLimit); err != nil || ids.Digest(jwe) != digests[name] {
			return bad("sealed")
		}
	}
	return nil
}
