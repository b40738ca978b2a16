package client

import (
	"context"
	"maps"
	"slices"
	"time"
	_ "time/tzdata" // London's clock, also where the machine has none

	"handover/referral/packet/schema"
)

// Pathway is what a referral by a statutory or agreed road needs, with its sources.
type Pathway = schema.Pathway

// Misfit is one thing in a section that is not as its schema says: where, and what to do,
// and nothing of what was written.
type Misfit = schema.Misfit

// Pathways returns what the pathways need: duty-to-refer, nrm, marac, gp-registration.
func Pathways() []Pathway { return schema.Pathways() }

// Fits returns nil if the sections are as their schemas say, for whoever writes them to be
// told early. Seal and SealStep refuse what does not fit by the same code, section-unfit,
// since nobody can look once it is sealed.
func Fits(sections map[string]Content) error {
	_, err := schema.CompleteAll(sections)
	return local(err)
}

// FitsRecord is Fits for a record that an agency keeps for itself, as gp-refusal.
func FitsRecord(name string, data []byte) error {
	_, err := schema.Complete(name, data)
	return local(err)
}

// Schema is a document that says what a section or a record holds.
type Schema = schema.Document

// Schemas returns the documents, in the reading order of the sections.
func Schemas() []Schema { return schema.All() }

// Advise returns what the sender of a referral for a purpose is told: what its pathway asks
// for and is not there, and what it means. None of it stops the referral.
func Advise(purpose string, sections map[string]Content) []string {
	return schema.Advise(purpose, sections)
}

// RightToRegister returns the letter for the desk of a GP practice. It names nobody.
func RightToRegister() string { return schema.RightToRegister() }

// complete holds sections to their schemas before they are sealed, and adds what must not be
// left to a reader's guess. A child is referred by nobody here.
func (c *Client) complete(sections map[string]Content) (map[string]Content, error) {
	whole, err := schema.CompleteAll(sections)
	if err == nil {
		err = schema.Adult(whole, c.now())
	}
	return whole, local(err)
}

// judge says what to know of the sections before they are relied on.
func (o *Opened) judge(now time.Time) {
	for _, name := range slices.Sorted(maps.Keys(o.Sections)) {
		o.Unfit = append(o.Unfit, schema.Misfits(name, o.Sections[name])...)
	}
	if safe, there := o.Sections["safe-contact"]; there {
		o.Stale = schema.Stale(safe, inLondon(now))
		o.Outside = schema.Outside(safe, inLondon(now))
	}
}

// inLondon is the time on the clock by which she said what is safe.
func inLondon(t time.Time) time.Time {
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		panic("time zones are built in: " + err.Error())
	}
	return t.In(london)
}

// forPolice is the purpose for which alone police are sent anything (the firewall).
const forPolice = "protect-from-harm"

// guardSafeContact refuses how she herself is reached on its way to police, who are given her
// worker's contact. The hub's firewall lets the section pass for that, and cannot see inside.
func (c *Client) guardSafeContact(ctx context.Context, to, purpose string, sections map[string]Content) error {
	content, there := sections["safe-contact"]
	if !there || purpose != forPolice {
		return nil
	}
	hers := schema.ForPolice(content)
	if hers == nil {
		return nil
	}
	recipient, err := c.Partner(ctx, to)
	if err != nil {
		return err
	}
	if recipient.Category == "police" {
		return local(hers)
	}
	return nil
}
