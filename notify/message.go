package notify

import (
	"fmt"
	"slices"
	"time"

	"handover/internal/ids"
	"handover/internal/strict"
)

// Event is what kind of thing awaits an agency.
type Event string

// The events. A test goes to the webhook that it was asked for, whatever that wants.
const (
	Received  Event = "referral.received" // a referral for your agency
	Moved     Event = "referral.moved"    // the other agency, or the hub, took a step in a referral of yours
	Asked     Event = "referral.asked"    // who received your referral has a question
	Withdrawn Event = "consent.withdrawn" // she took her agreement back
	Recalled  Event = "recall.asked"      // your agency is asked whether it still holds something, or help goes on
	Test      Event = "test"
)

// Events lists what a webhook may want, in the order in which people are asked.
func Events() []Event { return []Event{Received, Moved, Asked, Withdrawn, Recalled} }

// Label is the event in the words of a page.
func (e Event) Label() string {
	switch e {
	case Received:
		return "A new referral for your agency"
	case Moved:
		return "A new step in a referral"
	case Asked:
		return "A question about a referral you sent"
	case Withdrawn:
		return "A woman stopped sharing"
	case Recalled:
		return "A question after a woman stopped sharing"
	case Test:
		return "A test"
	}
	return string(e)
}

// MediaType is that of a message: a CloudEvent in structured mode.
const MediaType = "application/cloudevents+json; charset=utf-8"

// message is one delivery's body: an event of CloudEvents 1.0.2 whose members timestamp and data
// are also those of a Standard Webhooks payload. It is made anew for each attempt, always of
// the same bytes.
type message struct {
	SpecVersion string    `json:"specversion"`
	ID          string    `json:"id"` // of the log's entry: by it a repeated message is known again
	Source      string    `json:"source"`
	Type        Event     `json:"type"`
	Time        time.Time `json:"time"`
	Timestamp   time.Time `json:"timestamp"`
	DataRef     string    `json:"dataref,omitempty"` // where the hub tells more, to who may know it
	Data        subject   `json:"data"`
}

// subject is what a message is about: one id, and of a referral its urgency.
type subject struct {
	Referral  string `json:"referral,omitempty"`
	Reference string `json:"reference,omitempty"` // of the referral, as people read it to each other
	Urgency   string `json:"urgency,omitempty"`
	Consent   string `json:"consent,omitempty"`
	Recall    string `json:"recall,omitempty"`
	Webhook   string `json:"webhook,omitempty"`
}

// due is one delivery that waits to be told.
type due struct {
	entry    string
	event    Event
	at       time.Time
	about    string // what the id names: referral, consent, recall or webhook
	id       string
	urgency  string
	attempts int // made before
}

// body is the message of hub for d.
func (d due) body(hub string) ([]byte, error) {
	m := message{SpecVersion: "1.0", ID: d.entry, Source: hub, Type: d.event, Time: d.at.UTC(), Timestamp: d.at.UTC()}
	switch d.about {
	case "referral":
		m.Data = subject{Referral: d.id, Reference: ids.Reference(d.id), Urgency: d.urgency}
		m.DataRef = hub + "/v1/referrals/" + d.id
	case "consent":
		m.Data, m.DataRef = subject{Consent: d.id}, hub+"/v1/consents/"+d.id
	case "recall":
		m.Data, m.DataRef = subject{Recall: d.id}, hub+"/v1/recalls"
	case "webhook":
		m.Data = subject{Webhook: d.id}
	}
	b, err := strict.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("writing a message: %w", err)
	}
	return b, nil
}

// wanted returns events, each once and in the order of Events, or all if none are named; ErrEvents
// if one is no event.
func wanted(events []Event) ([]Event, error) {
	if len(events) == 0 {
		return Events(), nil
	}
	all := slices.DeleteFunc(Events(), func(e Event) bool { return !slices.Contains(events, e) })
	if len(all) != len(events) {
		return nil, ErrEvents
	}
	return all, nil
}
