package hers

import (
	"context"
	"errors"
	"slices"
	"time"

	"handover/consent"
	"handover/consent/record"
	"handover/internal/codes"
	"handover/internal/ids"
	"handover/partners"
	"handover/referral"
)

// facts are what she may be told.
type facts struct {
	Path    string // of her page
	Number  string // by which she can ask about it
	Consent string // the newest record of what she said
	To      []string
	What    []string
	Until   time.Time
	Opened  []opening
	Unknown bool // who has opened it is not this agency's to know: it did not ask her
	Asking  bool // she has stopped it a moment ago, and who has opened it is being found out

	Stops    bool // it stands: she can stop it
	Stopped  bool // she has stopped it
	Ended    bool
	Waits    bool   // nothing is shared yet
	Without  bool   // something was sent without her yes, and she was told
	NotTold  string // and why she has not been told, for her worker: one of record.NotToldReasons
	Managed  bool   // her worker can record here that she stops it
	Referral bool   // it is about a referral, not about what she said alone
}

// opening is that an agency has opened something.
type opening struct {
	Agency string
	On     time.Time
	Again  bool // and on a later day again, last on
	Last   time.Time
	What   []string
}

// facts reads what is known of a referral, or of a consent record, that the caller's agency may
// see. Each reading is logged.
func (h *Handler) facts(ctx context.Context, c partners.Caller, id string) (facts, error) {
	named := map[string]partners.Partner{}
	all, err := h.Partners.Directory(ctx)
	for _, p := range all {
		named[string(p.ID)] = p
	}
	f := facts{Path: "/hers/" + id, Managed: named[string(c.Partner())].Custody == partners.HeldByHub, Consent: id, Referral: !ids.IsUUID(id)}
	switch {
	case err != nil:
		return f, err
	case f.Referral:
		err = h.ofReferral(ctx, c, id, &f, named)
	default:
		err = h.ofConsent(ctx, c, id, &f, named)
	}
	if errors.Is(err, referral.ErrNotThere) || errors.Is(err, consent.ErrNotThere) || errors.Is(err, consent.ErrOverrideNotThere) {
		err = partners.ErrNotThere
	}
	return f, err
}

func (h *Handler) ofReferral(ctx context.Context, c partners.Caller, id string, f *facts, named map[string]partners.Partner) error {
	of, err := h.Referrals.Hers(ctx, c, id)
	if err != nil {
		return err
	}
	f.Number, f.Consent = ids.Reference(of.ID), ""
	for _, o := range of.Readings {
		f.Opened = append(f.Opened, openingOf(named, o.Partner, o.Sections, o.First, o.Last))
	}
	for _, id := range of.Overrides {
		if err := h.withoutHerYes(ctx, c, id, f); err != nil {
			return err
		}
	}
	if len(of.Consents) == 0 {
		f.To, f.What = []string{toHer(named, of.Recipient)}, codes.SectionsToHer(of.Sections)
		return nil
	}
	return h.said(ctx, c, of.Consents[0], f, named)
}

// withoutHerYes says that something was sent without it. Whether she may learn that now is not
// for a page to decide: where she has not been told, it is kept from her, and her worker told.
func (h *Handler) withoutHerYes(ctx context.Context, c partners.Caller, id string, f *facts) error {
	stored, err := h.Consents.ReadOverride(ctx, c, id)
	if err != nil {
		return err
	}
	stated, err := record.ParseOverride(stored.Override)
	if err != nil {
		return err
	}
	f.Without = true
	if claims := stated.Unverified(); claims.Told != "yes" {
		f.NotTold = record.NotToldReasons().Label(claims.NotTold)
	}
	return nil
}

func (h *Handler) ofConsent(ctx context.Context, c partners.Caller, id string, f *facts, named map[string]partners.Partner) error {
	if err := h.said(ctx, c, id, f, named); err != nil {
		return err
	}
	return h.holders(ctx, c, f, named)
}

// chainMost is how many records of a chain are looked through: a chain is short.
const chainMost = 20

// holders reads who has opened something, on whichever record of the chain it was sent. To say
// that nobody has where it is not known would be to lie to her.
func (h *Handler) holders(ctx context.Context, c partners.Caller, f *facts, named map[string]partners.Partner) error {
	id := f.Consent
	for range chainMost {
		held, err := h.Referrals.HoldersOf(ctx, c, id)
		if errors.Is(err, consent.ErrNotThere) { // whoever is only named in a record does not learn who else holds something
			f.Unknown = true
			return nil
		}
		if err != nil {
			return err
		}
		f.Asking = f.Asking || id == f.Consent && !held.Withdrawn.IsZero() && !held.Complete
		for _, q := range held.Recalls {
			if q.Question == referral.StillHeld {
				f.opened(openingOf(named, q.Partner, q.Sections, q.Since, q.Since))
			}
		}
		stored, err := h.Consents.Read(ctx, c, id)
		if err != nil {
			return err
		}
		stated, err := record.ParseConsent(stored.Record)
		if err != nil {
			return err
		}
		if id = stated.Unverified().Supersedes; id == "" {
			return nil
		}
	}
	f.Unknown = true
	return nil
}

// opened adds that an agency has opened something to what it is known to have opened.
func (f *facts) opened(o opening) {
	i := slices.IndexFunc(f.Opened, func(before opening) bool { return before.Agency == o.Agency })
	if i < 0 {
		f.Opened = append(f.Opened, o)
		return
	}
	was := &f.Opened[i]
	for _, what := range o.What {
		if !slices.Contains(was.What, what) {
			was.What = append(was.What, what)
		}
	}
	if o.On.Before(was.On) {
		was.On = o.On
	}
	if o.Last.After(was.Last) {
		was.Last = o.Last
	}
	was.Again = was.Last.Sub(was.On) > 24*time.Hour
}

// said reads what she said last: the newest record of the chain that the caller is shown.
func (h *Handler) said(ctx context.Context, c partners.Caller, id string, f *facts, named map[string]partners.Partner) error {
	stored, err := h.Consents.Read(ctx, c, id)
	for err == nil && stored.SupersededBy != "" {
		stored, err = h.Consents.Read(ctx, c, stored.SupersededBy)
	}
	if err != nil {
		return err
	}
	stated, err := record.ParseConsent(stored.Record)
	if err != nil {
		return err
	}
	claims := stated.Unverified()
	f.Consent, f.Until = stored.ID, time.Unix(claims.Expires-1, 0) // the last day on which it counts
	for _, to := range claims.Recipients {
		f.To = append(f.To, toHer(named, to))
	}
	f.What = codes.SectionsToHer(slices.DeleteFunc(claims.Sections, func(s string) bool { return slices.Contains(claims.Withheld, s) }))
	switch {
	case stored.WithdrawnAt != nil:
		f.Stopped = true
	case !claims.Grants(), stored.Review == "awaited", stored.Review == "does-not-stand", stored.State == "superseded":
		f.Waits = true
	case stored.State == "expired":
		f.Ended = true
	}
	f.Stops = !f.Stopped && claims.Grants()
	return nil
}

func openingOf(named map[string]partners.Partner, agency string, sections []string, first, last time.Time) opening {
	o := opening{Agency: agency, On: first, Last: last, What: codes.SectionsToHer(sections), Again: last.Sub(first) > 24*time.Hour}
	if p, there := named[agency]; there {
		o.Agency = p.Name
	}
	return o
}

// toHer is an agency with what kind it is.
func toHer(named map[string]partners.Partner, id string) string {
	p, one := named[id]
	switch {
	case one:
		return p.Name + ", " + codes.KindToHer(string(p.Category))
	case id == record.CategoryPrefix+string(partners.Police):
		return "the police"
	}
	return "any team of this kind: " + codes.KindToHer(id[min(len(record.CategoryPrefix), len(id)):])
}
