package record

import (
	"crypto/rand"
	"encoding/base64"
	"slices"

	"handover/internal/codes"
	"handover/internal/ids"
	"handover/internal/strict"
)

// Circumstances are how she was asked: codes that the hub enforces and nobody but the
// recorder may read besides. A record binds them by their digest alone, and the salt keeps
// the digest from being guessed: a recipient, to whom the record is shown, must not learn
// from it that somebody suspects coercion.
type Circumstances struct {
	Salt        string `json:"salt"`        // 128 bits in base64url
	Alone       string `json:"seen_alone"`  // yes or no
	Coercion    string `json:"coercion"`    // one of Coercions
	Interpreter string `json:"interpreter"` // one of Interpreters
	Language    string `json:"language"`    // that she spoke: BCP 47
	Capacity    string `json:"capacity"`    // one of Capacities
}

// Coercions are what the worker saw of pressure on her.
func Coercions() codes.List {
	return codes.List{
		{Code: "none", Label: "no sign that anybody pressed her", Source: "BMA, Adults at risk and confidentiality"},
		{Code: "suspected", Label: "somebody may be pressing her", Source: "BMA, Adults at risk and confidentiality"},
		{Code: "present", Label: "somebody presses her", Source: "BMA, Adults at risk and confidentiality"},
	}
}

// Interpreters are who put her words into English. A partner, relative or friend is other.
func Interpreters() codes.List {
	return codes.List{
		{Code: "none", Label: "nobody: none was needed", Source: "Handover"},
		{Code: "professional", Label: "a professional interpreter", Source: "Handover"},
		{Code: "staff", Label: "a colleague", Source: "Handover"},
		{Code: "other", Label: "somebody else, such as a partner, relative or friend", Source: "Handover"},
	}
}

// Capacities are whether she could make this decision now. It is presumed unless there is
// reason to doubt it.
func Capacities() codes.List {
	return codes.List{
		{Code: "presumed", Label: "no reason to doubt that she could decide this", Source: "Mental Capacity Act 2005 s1(2)"},
		{Code: "has", Label: "assessed: she could decide this", Source: "Mental Capacity Act 2005 s2 and s3"},
		{Code: "doubt", Label: "there is doubt whether she could decide this", Source: "Mental Capacity Act 2005 s3"},
		{Code: "lacks", Label: "assessed: she could not decide this now", Source: "Mental Capacity Act 2005 s2 and s3"},
	}
}

// circumstancesLimit is the most bytes they take.
const circumstancesLimit = 1 << 10

// Text writes the circumstances as they are posted, with a fresh salt if they have none,
// and returns the digest that the record binds them by.
func (c Circumstances) Text() (text, digest string, err error) {
	if c.Salt == "" {
		var salt [16]byte
		_, _ = rand.Read(salt[:]) // never fails
		c.Salt = base64.RawURLEncoding.EncodeToString(salt[:])
	}
	body, err := strict.Marshal(c)
	if err != nil {
		return "", "", err
	}
	text = base64.RawURLEncoding.EncodeToString(body)
	return text, ids.Digest(text), nil
}

// ParseCircumstances reads them as they were posted.
func ParseCircumstances(text string) (Circumstances, error) {
	var c Circumstances
	body, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(text) > circumstancesLimit || strict.Unmarshal(body, &c) != nil {
		return Circumstances{}, ErrMalformed
	}
	if name := c.fault(); name != "" {
		return Circumstances{}, bad(name)
	}
	return c, nil
}

func (c Circumstances) fault() string {
	switch {
	case !ids.IsBytes(c.Salt, 16):
		return "circumstances.salt"
	case c.Alone != "yes" && c.Alone != "no":
		return "circumstances.seen_alone"
	case !Coercions().Has(c.Coercion):
		return "circumstances.coercion"
	case !Interpreters().Has(c.Interpreter):
		return "circumstances.interpreter"
	case !IsLanguage(c.Language):
		return "circumstances.language"
	case !Capacities().Has(c.Capacity):
		return "circumstances.capacity"
	}
	return ""
}

// Suit refuses what cannot stand together: a yes through a partner's or friend's mouth, a
// yes of somebody who could not decide, a decision made for her when she could, and what a
// manager has to look at when nobody says who asked her: else whoever asked could look at it
// herself.
func (c Circumstances) Suit(agreement, act string) error {
	switch {
	case agreement == "agreed" && c.Interpreter == "other":
		return bad("circumstances.interpreter")
	case (agreement == BestInterests) != (c.Capacity == "lacks"):
		return bad("circumstances.capacity")
	case act == "" && c.NeedReview(agreement):
		return bad("act")
	}
	return nil
}

// NeedReview reports whether a manager has to look at what was recorded before anything may
// rest on it: somebody may have pressed her, or it is in doubt whether she could decide, or
// somebody decided for her. A yes that was pressed out of her is what she needs protecting
// from.
func (c Circumstances) NeedReview(agreement string) bool {
	covers := agreement == "agreed" || agreement == BestInterests
	return covers && (c.Coercion != "none" || !slices.Contains([]string{"presumed", "has"}, c.Capacity))
}
