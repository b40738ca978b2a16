package notify

import (
	"time"

	"handover/internal/fault"
)

// State is where a webhook stands.
type State string

// The states of a webhook.
const (
	Active   State = "active"
	Paused   State = "paused"   // by an administrator
	Disabled State = "disabled" // by the hub, which was not answered for three days, or told to stop
)

// Webhook is one as its agency's administrator sees it.
type Webhook struct {
	ID      string    `json:"id"`
	URL     string    `json:"url"`
	Events  []Event   `json:"events"`
	State   State     `json:"state"`
	Since   time.Time `json:"since"`
	Failing time.Time `json:"failing_since,omitzero"` // of the first failure after which nothing was taken yet
	Secrets []Secret  `json:"secrets"`                // that count now, newest first
}

// Secret is what is told of one after it was shown.
type Secret struct {
	Since time.Time `json:"since"`
	Until time.Time `json:"until,omitzero"` // of one that has a successor
}

// Delivery is one message as its agency's administrator sees it. What was sent is not kept: it is
// the event, the time, the id and the urgency, made anew for each attempt.
type Delivery struct {
	ID       string    `json:"id"` // of the message, and of the log's entry that it tells of
	Event    Event     `json:"event"`
	Time     time.Time `json:"time"`
	Status   string    `json:"status"` // waiting, delivered or failed
	Attempts int       `json:"attempts"`
	Tried    time.Time `json:"tried,omitzero"`
	Next     time.Time `json:"next,omitzero"`     // of one that waits
	Outcome  string    `json:"outcome,omitempty"` // of the last attempt: a status, or a word
}

// The limits.
const (
	MostWebhooks = 10  // of one agency
	listMost     = 100 // deliveries in a list
)

// What an administrator can cause.
var (
	ErrWebhookNotThere = fault.New(fault.NotFound, "webhook-not-found", fault.Sender,
		"Your agency has no webhook with this id. Check it against the list of webhooks.")
	ErrDeliveryNotThere = fault.New(fault.NotFound, "delivery-not-found", fault.Sender,
		"The webhook has no delivery with this id. Deliveries are kept for 30 days.")
	ErrAddress = fault.New(fault.Unprocessable, "webhook-address-invalid", fault.Sender,
		"A webhook needs an address that begins with https:// and a name of the internet, such as https://hooks.agency.example/handover: no number, no port but 443, no password in it, at most 500 characters.")
	ErrEvents = fault.New(fault.Unprocessable, "webhook-events-invalid", fault.Sender,
		"The events of a webhook are referral.received, referral.moved, referral.asked, consent.withdrawn and recall.asked, each at most once.")
	ErrTooMany = fault.New(fault.Conflict, "webhooks-too-many", fault.Sender,
		"Your agency has 10 webhooks, and can have no more. Remove one first.")
	ErrWebhookState = fault.New(fault.Conflict, "webhook-state", fault.Sender,
		"This is not possible as the webhook stands now. The member state says how; read it again.")
	ErrDeliveryWaits = fault.New(fault.Conflict, "delivery-waits", fault.Sender,
		"The delivery waits for its next attempt already. Nothing remains to be done.")
)
