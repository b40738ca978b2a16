package client

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"handover/audit/proof"
)

// SlipFacts collects what a slip about a referral that your agency sent or received is made of,
// and verifies it on the way: the chain with its receipts, the statements it rests on, and for
// each entry of the log the proof that the log holds it. What is not what it says it is is
// counted in Unchecked and shown nowhere; a chain that does not hold is an error. The hub logs
// that you looked. Code of refusal: referral-not-found.
func (c *Client) SlipFacts(ctx context.Context, id string) (SlipFacts, error) {
	f := SlipFacts{Made: c.now(), Own: c.partner, Agencies: map[string]Partner{}}
	var err error
	if f.Steps, err = c.History(ctx, id); err != nil {
		return SlipFacts{}, err
	}
	ofReferral := func(e proof.Entry) bool { return e.Referral == id }
	if f.Entries, f.Unchecked, err = c.provedEntries(ctx, LogQuery{Referral: id}, ofReferral); err != nil {
		return SlipFacts{}, err
	}
	if err := c.slipBases(ctx, &f); err != nil {
		return SlipFacts{}, err
	}
	if err := c.slipAnswers(ctx, &f, id); err != nil {
		return SlipFacts{}, err
	}
	for _, id := range f.named() {
		about, err := c.Partner(ctx, id)
		if err != nil && Code(err) != "not-found" { // one that takes part no more has its id alone
			return SlipFacts{}, err
		}
		f.Agencies[id] = about
	}
	return f, nil
}

// slipBases reads the statements that the steps rest on, and what took the place of each.
func (c *Client) slipBases(ctx context.Context, f *SlipFacts) error {
	var consents, overrides []string
	for _, e := range f.Steps {
		if b := e.Claims.Basis; b != nil && b.Consent != "" && !slices.Contains(consents, b.Consent) {
			consents = append(consents, b.Consent)
		} else if b != nil && b.Override != "" && !slices.Contains(overrides, b.Override) {
			overrides = append(overrides, b.Override)
		}
	}
	for i := 0; i < len(consents) && i < maxSlipConsents; i++ {
		stored, err := c.Consent(ctx, consents[i])
		if err := f.miss(err, "consent-not-found"); err != nil {
			return err
		}
		if err != nil {
			continue
		}
		f.Consents = append(f.Consents, stored)
		switch later := stored.SupersededBy; {
		case later != "" && !slices.Contains(consents, later):
			consents = append(consents, later)
		case later == "" && stored.State == "superseded":
			f.Unchecked++ // by what, this agency is not shown
		}
	}
	for _, id := range overrides {
		stored, err := c.Override(ctx, id)
		if err := f.miss(err, "override-not-found"); err != nil {
			return err
		}
		if err == nil {
			f.Overrides = append(f.Overrides, stored)
		}
	}
	return nil
}

// maxSlipConsents ends a chain of later records that a hub makes up as it goes.
const maxSlipConsents = 100

// miss counts a statement that is not shown, or is not what it says it is. Every other failure
// is returned.
func (f *SlipFacts) miss(err error, notShown string) error {
	if err == nil {
		return nil
	}
	if Code(err) != notShown && !errors.Is(err, ErrForged) && !errors.Is(err, ErrProof) {
		return err
	}
	f.Unchecked++
	return nil
}

// slipAnswers reads what those who hold something of this referral answered after she took her
// yes back. Who is asked because of another referral is no part of this slip.
func (c *Client) slipAnswers(ctx context.Context, f *SlipFacts, referral string) error {
	for _, consent := range f.Consents {
		if consent.Withdrawal == "" {
			continue
		}
		holders, err := c.Holders(ctx, consent.ID)
		if Code(err) == "consent-not-found" {
			continue // neither recorded nor withdrawn by this agency
		}
		if err := f.miss(err, "consent-not-found"); err != nil {
			return err
		}
		for _, a := range holders.Recalls {
			if a.ID != "" && slices.Contains(a.Referrals, referral) {
				f.Answers = append(f.Answers, a)
			}
		}
	}
	return nil
}

// provedEntries are the entries of the log by a query, each proved to be in the log and of what
// was asked for. unproved counts the rest, those among them that were erased when their period
// ended: a hub could otherwise show an opening that never was. That none is left out, no proof
// of single entries can show.
func (c *Client) provedEntries(ctx context.Context, q LogQuery, of func(proof.Entry) bool) (proved []proof.Entry, unproved int, err error) {
	for {
		page, err := c.LogEntries(ctx, q)
		if err != nil {
			return nil, 0, err
		}
		for _, e := range page.Entries {
			holds := !e.Erased
			if holds {
				if holds, err = c.inLog(ctx, e); err != nil {
					return nil, 0, err
				}
			}
			if !holds || !of(e.Entry) {
				unproved++
				continue
			}
			proved = append(proved, e.Entry)
		}
		if page.Next == "" || page.Next == q.After {
			return proved, unproved, nil
		}
		q.After = page.Next
	}
}

// inLog asks for the proof of an entry, and reports whether it holds.
func (c *Client) inLog(ctx context.Context, e LogEntry) (bool, error) {
	r, err := c.do(ctx, call{method: http.MethodGet, path: logPath + "/proof", query: url.Values{"entry": {e.ID}}})
	if Code(err) == "no-such-entry" {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	entry, err := c.verified(ctx, proof.ReceiptOf(e.Entry, e.Bytes, [32]byte(e.Salt), string(r.body)))
	return err == nil && entry.ID == e.ID, nil
}
