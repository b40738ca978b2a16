package managed

import (
	"context"

	"handover/audit/proof"
	"handover/consent"
	"handover/consent/record"
	"handover/partners"
)

// OpenedConsent is a consent record of the caller's own agency with what was sealed to it,
// opened for one person.
type OpenedConsent struct {
	consent.Stored
	Claims  record.Claims
	How     record.Circumstances // how she was asked; zero where nobody was
	Texts   map[string]string    // what was said in words, by part; none of what is empty
	Receipt proof.Receipt        // of the reading
}

// OpenConsent shows the caller a record of her own agency's with how she was asked, and her
// words: what a manager decides, she reads first. Not a text is opened before the log's entry
// of it is under a signed checkpoint. Another agency's record is consent.ErrNotThere, whoever
// is named in it: what was sealed is its recorder's alone.
func (d *Desk) OpenConsent(ctx context.Context, c partners.Caller, id string) (OpenedConsent, error) {
	if err := person(c); err != nil {
		return OpenedConsent{}, err
	}
	l, err := d.look(ctx, c, asked{consent: id})
	if err != nil {
		return OpenedConsent{}, err
	}
	if err := l.held.Opens(); err != nil {
		return OpenedConsent{}, err
	}
	stated, err := record.ParseConsent(l.basis.Record)
	if err != nil || stated.Unverified().Issuer != string(c.Partner()) {
		return OpenedConsent{}, consent.ErrNotThere
	}
	o := OpenedConsent{Claims: stated.Unverified(), Texts: map[string]string{}}
	if o.Stored, err = d.Consents.Read(ctx, c, id); err != nil {
		return OpenedConsent{}, err
	}
	if o.Receipt, err = d.receipt(ctx, o.Reading); err != nil {
		return OpenedConsent{}, err
	}
	if o.Circumstances != "" {
		if o.How, err = record.ParseCircumstances(o.Circumstances); err != nil {
			return OpenedConsent{}, concealed(err)
		}
	}
	texts, err := d.texts(ctx, c, confided{o.Claims.Issuer, o.Claims.ID, o.Claims.Sealed}, o.Sealed)
	for part, text := range texts {
		if text != "" {
			o.Texts[part] = text
		}
	}
	return o, err
}
