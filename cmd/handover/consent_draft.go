package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"time"

	"handover/client"
	"handover/consent/record"
	"handover/internal/codes"
	"handover/internal/strict"
)

// draft is a consent as flags, a JSON document or answers give it.
type draft struct {
	ID         string   `json:"id,omitempty"`
	Subject    string   `json:"subject,omitempty"`
	Supersedes string   `json:"supersedes,omitempty"`
	Agreement  string   `json:"agreement,omitempty"`
	Purpose    string   `json:"purpose,omitempty"`
	Recipients []string `json:"recipients,omitempty"`
	Sections   []string `json:"sections,omitempty"`
	Withheld   []string `json:"withheld,omitempty"`
	Method     string   `json:"method,omitempty"`
	Onward     string   `json:"onward,omitempty"`

	Given      time.Time `json:"given_at,omitzero"`
	From       time.Time `json:"valid_from,omitzero"`
	Until      time.Time `json:"expires_at,omitzero"`
	Review     time.Time `json:"review_at,omitzero"`
	Days       int       `json:"days,omitempty"`        // in the place of expires_at
	ReviewDays int       `json:"review_days,omitempty"` // in the place of review_at

	Basis         []client.Basis    `json:"basis,omitempty"`
	Gate          client.Gate       `json:"gate,omitzero"`
	Circumstances circumstances     `json:"circumstances,omitzero"`
	Words         map[string]string `json:"words,omitempty"` // sealed to the agency's own key

	Act    string `json:"act,omitempty"`
	Notice notice `json:"notice,omitzero"`
}

// notice is what she was told.
type notice struct {
	Version  string `json:"version,omitempty"`
	Digest   string `json:"digest,omitempty"`
	Language string `json:"language,omitempty"` // default en
}

// circumstances are how she was asked, in codes.
type circumstances struct {
	Alone       string `json:"seen_alone,omitempty"`
	Coercion    string `json:"coercion,omitempty"`
	Interpreter string `json:"interpreter,omitempty"`
	Language    string `json:"language,omitempty"` // default the notice's
	Capacity    string `json:"capacity,omitempty"`
}

// readDraft reads the JSON document over what the flags said.
func (a *app) readDraft(path string, d *draft) error {
	data, err := a.read(path, 64<<10)
	if err != nil {
		return err
	}
	if err := strict.Unmarshal(data, d); err != nil {
		return usage("%s is not the JSON of a consent: handover consent new --help names its members", path)
	}
	return nil
}

// asked reports whether she was asked.
func (d *draft) asked() bool {
	return d.Agreement == "" || d.Agreement == "agreed" || d.Agreement == "refused"
}

// grants reports whether anything can be shared on it.
func (d *draft) grants() bool {
	return d.Agreement == "" || d.Agreement == "agreed" || d.Agreement == record.BestInterests
}

// missing names the flags without which what she said is not said in full.
func (d *draft) missing() (flags []string) {
	how := d.Circumstances
	doubted := client.Circumstances{Coercion: cmp.Or(how.Coercion, "none"), Capacity: how.Capacity}
	described := d.asked() || d.Agreement == record.BestInterests
	for _, f := range []struct {
		missing bool
		flag    string
	}{
		{d.Purpose == "", "--purpose"},
		{len(d.Recipients) == 0, "--recipient"},
		{d.Sections == nil && d.grants(), "--section"},
		{d.asked() && d.Method == "", "--method"},
		{d.asked() && d.Notice.Version == "", "--notice-version"},
		{d.asked() && d.Notice.Digest == "", "--notice-file"},
		{len(d.Basis) == 0 && d.grants(), "--basis"},
		{described && how.Alone == "", "--seen-alone"},
		{described && how.Coercion == "", "--coercion"},
		{described && how.Interpreter == "", "--interpreter"},
		{described && how.Capacity == "", "--capacity"},
		{d.Agreement == record.BestInterests && d.Words["capacity"] == "", "--capacity-file"},
		{d.Act == "" && d.grants() && how.Capacity != "" && doubted.NeedReview(cmp.Or(d.Agreement, "agreed")), "--worker"},
		{d.Purpose == "duty-to-refer" && d.Agreement != "refused" && len(d.Gate.Agreements) == 0, "--agreement-to"},
		{d.Purpose == "duty-to-refer" && d.Agreement != "refused" && d.Gate.Authority == "", "--authority"},
	} {
		if f.missing {
			flags = append(flags, f.flag)
		}
	}
	return flags
}

// basis is the draft's own lawful basis, which is added if there is none.
func (d *draft) basis(own string) *client.Basis {
	for i := range d.Basis {
		if d.Basis[i].Controller == "" || d.Basis[i].Controller == own {
			return &d.Basis[i]
		}
	}
	d.Basis = append(d.Basis, client.Basis{})
	return &d.Basis[len(d.Basis)-1]
}

// seal adds a text that only the agency itself can read again.
func (d *draft) seal(part, text string) {
	if d.Words == nil {
		d.Words = map[string]string{}
	}
	d.Words[part] = text
}

// consent is the draft as it is recorded.
func (d *draft) consent(now time.Time) client.Consent {
	c := client.Consent{ID: d.ID, Subject: d.Subject, Purpose: d.Purpose, Recipients: d.Recipients, Sections: d.Sections,
		Withheld: d.Withheld, Agreement: d.Agreement, Method: d.Method, Onward: d.Onward, Act: d.Act,
		Notice: client.Notice(d.Notice), Supersedes: d.Supersedes, Bases: d.Basis, Gate: d.Gate, Words: d.Words,
		Given: d.Given, From: d.From, Expires: d.Until, Review: d.Review}
	if c.Notice.Language == "" && c.Notice.Version != "" {
		c.Notice.Language = "en"
	}
	if how := d.Circumstances; how != (circumstances{}) {
		c.How = client.Circumstances{Alone: how.Alone, Coercion: how.Coercion, Interpreter: how.Interpreter,
			Capacity: how.Capacity, Language: cmp.Or(how.Language, c.Notice.Language, "en")}
	}
	begins := cmp.Or(d.From, d.Given, now)
	if d.Days != 0 && d.Until.IsZero() {
		c.Expires = begins.AddDate(0, 0, d.Days)
	}
	if d.ReviewDays != 0 && d.Review.IsZero() {
		c.Review = begins.AddDate(0, 0, d.ReviewDays)
	}
	return c
}

// fingerprint is the digest of a notice, which alone is recorded of it.
func fingerprint(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("reading the notice: %w", err)
	}
	sum := sha256.Sum256(text)
	return base64.RawURLEncoding.EncodeToString(sum[:]), nil
}

// moment reads when something was: now, a time of today, or a day and a time, as the
// reader's clock shows it.
func moment(s string, now time.Time) (time.Time, bool) {
	if s == "" || s == "now" {
		return now, true
	}
	if at, err := time.ParseInLocation("15:04", s, time.Local); err == nil {
		local := now.Local()
		return time.Date(local.Year(), local.Month(), local.Day(), at.Hour(), at.Minute(), 0, 0, time.Local), true
	}
	for _, form := range []string{"2006-01-02 15:04", time.DateOnly, time.RFC3339} {
		if at, err := time.ParseInLocation(form, s, time.Local); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}

// words takes a line apart at commas and spaces.
func words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

// authority finds the GSS code of an authority by its code, or by the name of a London one.
func authority(s string) (string, bool) {
	for _, a := range codes.LondonAuthorities() {
		if strings.EqualFold(a.Label, s) {
			return a.Code, true
		}
	}
	code := strings.ToUpper(s)
	return code, codes.IsArea(code)
}
