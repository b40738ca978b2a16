package client_test

import (
	"context"
	"fmt"
	"testing"

	"handover/client"
)

// A referral from one agency to another. The two clients would be made by
// client.New, or by client/profile, each on its own agency's machine.
func ExampleClient() {
	ctx := context.Background()
	hub := newHub(&testing.T{}) // stands in for the exchange
	outreach := sample(hub, "camden-outreach")
	charity := sample(hub, "westside-aid")

	// She agreed to this, and the outreach team records it.
	consent, err := outreach.RecordConsent(ctx, client.Consent{
		How:     client.Circumstances{Alone: "yes", Coercion: "none", Interpreter: "none", Language: "en", Capacity: "presumed"},
		Bases:   []client.Basis{{Article6: "a", Article9: "a"}},
		Purpose: "housing", Recipients: []string{"westside-aid"}, Sections: []string{"need", "safe-contact"},
		Method: "verbal-in-person",
		Notice: client.Notice{Version: "2026-1", Language: "en", Digest: "n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	// Save the packet before the first Post: the same bytes can always be sent again.
	packet, err := outreach.Seal(ctx, client.Request{
		To: "westside-aid", Consent: consent.ID, Service: "0190a000-0000-7000-8000-000000000001",
		Area: "E09000007", Purpose: "housing", Urgency: "urgent",
		Sections: map[string]client.Content{"need": client.Content(`{"summary":"a room tonight"}`)},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	receipt, err := outreach.Post(ctx, packet)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("sent:", receipt.Event, receipt.State)

	// The charity finds it, opens it, and takes it.
	for referral, err := range charity.Inbox(ctx, client.Filter{}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		opened, err := charity.Open(ctx, client.Opening{Referral: referral.ID, Reason: "triage"})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("opened:", string(opened.Sections["need"]))
		answer, err := charity.Step(ctx, client.Step{Referral: referral.ID, Event: "accept"})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("answered:", answer.Event, answer.State)
	}
	// Afterwards anyone can verify all of it, with no hub.
	bundle, err := outreach.Bundle(ctx, receipt.Referral)
	if err != nil {
		fmt.Println(err)
		return
	}
	findings, err := bundle.Verify(outreach.LogKey())
	fmt.Println("verified:", findings.Hold(), err)

	// Output:
	// sent: request requested
	// opened: {"schema":"need/1","summary":"a room tonight"}
	// answered: accept accepted
	// verified: true <nil>
}

// A refusal is a *client.Problem, whose code says which rule refused.
func ExampleCode() {
	hub := newHub(&testing.T{})
	outreach := sample(hub, "camden-outreach")
	_, err := outreach.Referral(context.Background(), "n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg")
	fmt.Println(client.Code(err))
	// Output: referral-not-found
}
