package main

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"handover/client"
	"handover/client/profile"
	"handover/internal/ids"
	"handover/partners"
)

// sampleReferral is one that the sample outreach team sends.
type sampleReferral struct {
	to                        partners.ID
	purpose, article9         string
	sections, withheld        []string
	safeContact, risk, needed client.Content
}

func sampleReferrals(now time.Time) []sampleReferral {
	return []sampleReferral{
		{
			to: "larkfield-housing", purpose: "housing", article9: "a",
			sections: []string{"need", "safe-contact", "risk", "note"}, withheld: []string{"health"},
			safeContact: sampleSafeContact(now),
			needed:      client.Content(`{"needs":[{"need":"housing","detail":"a door that locks"}],"summary":"Somewhere to live.","safe_tonight":"no"}`),
			risk:        client.Content(`{"harms":[{"type":"cuckooing","basis":"suspected"}],"immediate_danger":"no","to_workers":"Visit in pairs."}`),
		},
		{
			to: noIT, purpose: "advocacy", article9: "a",
			sections: []string{"need", "safe-contact", "risk", "note"}, withheld: []string{"health", "immigration"},
			safeContact: sampleSafeContact(now),
			needed:      client.Content(`{"needs":[{"need":"advocacy","detail":"somebody who goes with her"}],"summary":"Someone on her side when she speaks to the council.","safe_tonight":"yes"}`),
			risk:        client.Content(`{"harms":[{"type":"control-by-partner-or-third-party","basis":"disclosed"}],"immediate_danger":"no","to_workers":"Meet her at the centre, never at home."}`),
		},
	}
}

// refer sends the referrals as the sample outreach team would, through the public API.
func (d *demo) refer(ctx context.Context) error {
	own, err := profile.Open(ctx, d.home("camden-outreach"), profile.Options{})
	if err != nil {
		return err
	}
	c, err := own.Client()
	if err != nil {
		return err
	}
	d.references = map[partners.ID]string{}
	for _, r := range sampleReferrals(time.Now()) {
		sent, err := first(matching(c.Sent(ctx, client.Filter{State: "all"}), func(s client.Summary) bool { return s.Recipient == string(r.to) }))
		if err != nil {
			return err
		}
		d.references[r.to] = sent.Reference
		if sent.Reference != "" {
			continue
		}
		if d.references[r.to], err = d.send(ctx, c, r); err != nil {
			return fmt.Errorf("sending a sample referral: %w", err)
		}
	}
	return nil
}

// send records what the sample woman agreed to, and sends.
func (d *demo) send(ctx context.Context, c *client.Client, r sampleReferral) (reference string, err error) {
	service, err := d.serviceOf(ctx, c, string(r.to))
	if err != nil {
		return "", err
	}
	consent, err := c.RecordConsent(ctx, client.Consent{
		How:     client.Circumstances{Alone: "yes", Coercion: "none", Interpreter: "none", Language: "en", Capacity: "presumed"},
		Bases:   []client.Basis{{Article6: "e", Provision: "Care Act 2014 s2", Article9: r.article9}},
		Purpose: r.purpose, Recipients: []string{string(r.to), "camden-outreach"},
		Sections: r.sections, Withheld: r.withheld, Method: "verbal-in-person",
		Notice: client.Notice{Version: "sample-1", Digest: ids.Digest("Sample notice."), Language: "en"},
	})
	if err != nil {
		return "", err
	}
	receipt, err := c.Send(ctx, client.Request{
		To: string(r.to), Consent: consent.ID, Service: service, Area: "E09000007", Purpose: r.purpose, Urgency: "urgent",
		Sections: map[string]client.Content{"safe-contact": r.safeContact, "need": r.needed, "risk": r.risk},
	})
	return receipt.Reference, err
}

// sampleSafeContact is how the sample woman is reached: through her worker, and no other way.
func sampleSafeContact(confirmed time.Time) client.Content {
	return client.Content(`{"channel":"via-worker","worker":{"called":"Cass","agency":"Sample street outreach","phone":"+442079460123"},` +
		`"safe_days":["tuesday","friday"],"safe_from":"14:00","safe_to":"16:30","device_monitored":"yes",` +
		`"if_someone_else_answers":"Ask for a wrong number, and end the call.","last_confirmed":"` + confirmed.Format(time.DateOnly) + `"}`)
}

func (d *demo) serviceOf(ctx context.Context, c *client.Client, partner string) (string, error) {
	offered, err := c.Services(ctx, "", "")
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(offered, func(s client.Service) bool { return s.Partner == partner })
	if i < 0 {
		return "", fmt.Errorf("%s offers no service", partner)
	}
	return offered[i].ID, nil
}

// matching leaves out of a sequence what does not match.
func matching[T any](all iter.Seq2[T, error], matches func(T) bool) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for v, err := range all {
			if (err != nil || matches(v)) && !yield(v, err) {
				return
			}
		}
	}
}

// first returns the first of a sequence, or a zero value when it is empty.
func first[T any](all iter.Seq2[T, error]) (T, error) {
	for v, err := range all {
		return v, err
	}
	var none T
	return none, nil
}
