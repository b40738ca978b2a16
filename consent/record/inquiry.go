package record

import (
	"slices"
	"time"

	"handover/internal/codes"
	"handover/internal/fault"
	"handover/internal/ids"
	"handover/internal/strict"
	"handover/keys/jose"
)

// InquiryType is the typ header of a police request for a victim's information, InquiryMedia
// the media type as which it is posted.
const (
	InquiryType  = "handover-police-request+jwt"
	InquiryMedia = "application/vnd.handover.police-request+json"
)

// InquirySoonest is the least time a holder has to answer, InquiryLatest the most.
const (
	InquirySoonest = 24 * time.Hour
	InquiryLatest  = 90 * 24 * time.Hour
)

// ErrInquiryClaim is what a police request, or a decision about one, can be refused for.
var ErrInquiryClaim = fault.New(fault.Unprocessable, "police-request-claim", fault.Sender,
	"A claim of the police request or of the decision is missing, has the wrong form or does not go with the others. The member claim names it, the member why says what to do.")

// InquiryClaims are what a police request states: codes and opaque ids alone. Whom it is
// about, and why, are in the text that is sealed to the holder. Times are NumericDates in
// seconds.
type InquiryClaims struct {
	Hub         string   `json:"hub"`
	Issuer      string   `json:"iss"` // the police partner
	ID          string   `json:"jti"` // UUIDv7
	IssuedAt    int64    `json:"iat"`
	Act         string   `json:"act"` // the officer who asks, by opaque id
	Audience    string   `json:"aud"` // the holder: one partner
	Reference   string   `json:"reference"`
	Enquiry     string   `json:"line_of_enquiry"` // one of Enquiries
	Necessity   []string `json:"necessity"`       // of Necessities
	Sections    []string `json:"sections"`        // the classes asked for
	Counselling string   `json:"counselling"`     // yes or no
	Senior      Senior   `json:"senior,omitzero"` // needed if counselling records are asked for
	Notice      string   `json:"notice"`          // one of InquiryNotices
	Withheld    string   `json:"withheld_reason,omitempty"`
	RespondBy   int64    `json:"respond_by"`
	Sealed      string   `json:"sealed"` // digest of the text
}

// Senior is the second officer who approved that counselling records are asked for.
type Senior struct {
	Act  string `json:"act"`  // by opaque id
	Rank string `json:"rank"` // one of Ranks
}

// Inquiry is a police request whose signature has been verified.
type Inquiry struct {
	InquiryClaims
	token string
}

// Token is the signed request as it was posted.
func (q Inquiry) Token() string { return q.token }

// Digest is the base64url SHA-256 of the signed request, by which a decision binds it.
func (q Inquiry) Digest() string { return ids.Digest(q.token) }

// PostedInquiry is a police request with the text that only the holder can read.
type PostedInquiry struct {
	Request string `json:"request"` // the signed statement
	Sealed  string `json:"sealed"`  // a JWE to the holder's key
}

// ReadInquiry takes apart what was posted, and checks that the text is the one that the
// statement binds. It returns the JWE's form too: whose key it names, the caller checks.
func ReadInquiry(body []byte) (Statement[InquiryClaims], PostedInquiry, jose.Encrypted, error) {
	var p PostedInquiry
	if err := strict.Unmarshal(body, &p); err != nil {
		return Statement[InquiryClaims]{}, p, jose.Encrypted{}, ErrMalformed
	}
	s, err := ParseInquiry(p.Request)
	if err != nil {
		return s, p, jose.Encrypted{}, err
	}
	sealed, err := jose.ParseEncrypted(p.Sealed, sealedLimit)
	if err != nil || ids.Digest(p.Sealed) != s.claims.Sealed {
		return Statement[InquiryClaims]{}, p, jose.Encrypted{}, badInquiry("sealed")
	}
	return s, p, sealed, nil
}

// FitsReader refuses a sealed text that names none of the reader's current keys.
func FitsReader(sealed jose.Encrypted, keys []jose.PublicKey) error {
	if !slices.ContainsFunc(keys, func(k jose.PublicKey) bool { return sealed.Fits(k) == nil }) {
		return badInquiry("sealed")
	}
	return nil
}

// ParseInquiry takes a police request apart and checks its form.
func ParseInquiry(token string) (Statement[InquiryClaims], error) {
	s, err := parse[InquiryClaims](token, InquiryType)
	if err != nil {
		return s, err
	}
	if name := s.claims.fault(); name != "" {
		return Statement[InquiryClaims]{}, badInquiry(name)
	}
	return s, nil
}

// VerifyInquiry checks a request's signature with its issuer's key.
func VerifyInquiry(s Statement[InquiryClaims], key jose.PublicKey) (Inquiry, error) {
	if _, err := s.signed.Verify(key); err != nil {
		return Inquiry{}, ErrSignature
	}
	return Inquiry{InquiryClaims: s.claims, token: s.token}, nil
}

// Sign makes a police request of the claims.
func (q InquiryClaims) Sign(key jose.SigningKey) (string, error) {
	if name := q.fault(); name != "" {
		return "", badInquiry(name)
	}
	return sign(q, InquiryType, key)
}

func (q InquiryClaims) fault() string {
	for _, find := range []func() string{q.form, q.asking, q.notice} {
		if name := find(); name != "" {
			return name
		}
	}
	return ""
}

func (q InquiryClaims) form() string {
	switch {
	case q.Hub == "":
		return "hub"
	case !ids.IsName(q.Issuer):
		return "iss"
	case !ids.IsUUIDv7(q.ID):
		return "jti"
	case q.IssuedAt <= 0:
		return "iat"
	case !ids.IsUser(q.Act):
		return "act"
	case !ids.IsName(q.Audience), q.Audience == q.Issuer:
		return "aud"
	case !ids.IsSubject(q.Reference): // random, so that it says nothing: no crime number
		return "reference"
	case !ids.IsDigest(q.Sealed):
		return "sealed"
	}
	return ""
}

// asking checks what is asked for and why. Counselling records take more: a second officer
// and more than relevance.
func (q InquiryClaims) asking() string {
	switch {
	case !Enquiries().Has(q.Enquiry):
		return "line_of_enquiry"
	case len(q.Necessity) == 0 || hasTwice(q.Necessity), !all(q.Necessity, Necessities()):
		return "necessity"
	case len(q.Sections) == 0 || hasTwice(q.Sections), !all(q.Sections, codes.Sections()):
		return "sections"
	case !isYesNo(q.Counselling):
		return "counselling"
	case q.Counselling == no && q.Senior != (Senior{}):
		return "senior"
	case q.Counselling == yes && (!ids.IsUser(q.Senior.Act) || q.Senior.Act == q.Act || !Ranks().Has(q.Senior.Rank)):
		return "senior"
	case q.Counselling == yes && !slices.Contains(q.Necessity, Probative):
		return "necessity"
	}
	return ""
}

func (q InquiryClaims) notice() string {
	soonest, latest := q.IssuedAt+int64(InquirySoonest/time.Second), q.IssuedAt+int64(InquiryLatest/time.Second)
	switch {
	case !InquiryNotices().Has(q.Notice):
		return "notice"
	case (q.Notice == Withheld) != (q.Withheld != ""), q.Withheld != "" && !WithheldReasons().Has(q.Withheld):
		return "withheld_reason"
	case q.RespondBy < soonest || q.RespondBy > latest:
		return "respond_by"
	}
	return ""
}

// The two answers of a claim that is yes or no.
const (
	yes = "yes"
	no  = "no"
)

func isYesNo(s string) bool { return s == yes || s == no }

// badInquiry returns the refusal of a claim, with its name and what to do. It never repeats
// what the claim said.
func badInquiry(claim string) error {
	return ErrInquiryClaim.With("claim", claim).With("why", WhyInquiry(claim))
}

// WhyInquiry says what a claim of a police request or of its decision must be, in plain
// words; "" for what is no claim.
func WhyInquiry(claim string) string {
	whys := map[string]string{
		"jti":             "It needs an id of its own: a UUIDv7 for a request, 128 random bits for a decision. Your software fills this in: tell whoever looks after it.",
		"act":             "Somebody asks or decides, and says so: her opaque id, never a name or collar number.",
		"aud":             "Name exactly one agency by its id: no category, no list, not your own.",
		"reference":       "Give the request a random reference, 128 bits. A crime number or a name says too much.",
		"line_of_enquiry": "Choose the line of enquiry from the list: " + Enquiries().String() + ".",
		"necessity":       "Say why it is needed, from the list: " + Necessities().String() + ". Counselling records need probative as well.",
		"sections":        "Name what is asked for, from the list of sections, each once, at least one. A yes names no more than was asked; a no names none.",
		"counselling":     "Say whether counselling records are asked for, or approved: yes or no.",
		"senior":          "Counselling records need the approval of a second officer: her opaque id and rank (" + Ranks().String() + "). Nothing else has one.",
		"notice":          "Say whether she has been told: " + InquiryNotices().String() + ".",
		"withheld_reason": "If she is not told, choose why: " + WithheldReasons().String() + ". If she is, leave it out.",
		"respond_by":      "Give the agency at least 24 hours to answer, and at most 90 days.",
		"of":              "Name the request that is decided by its id.",
		"digest":          "Name exactly the request, by its digest. Read it again.",
		"decision":        "Say approved or refused.",
		"told":            "A yes says whether she has been told: yes or no. A no never does: it would say that she is known.",
		"not_told_reason": "If she has not been told, choose why: " + NotToldReasons().String() + ". If she has, leave it out.",
		"reason":          "Choose the reason from the list that goes with the decision.",
		"sealed":          "The text has to be sealed to the key of the one who is to read it, unchanged since it was signed.",
		"text":            "The sealed text needs its names, requester, line of enquiry and necessity, in words.",
	}
	if why, ok := whys[claim]; ok {
		return why
	}
	return Why(claim)
}
