package client_test

import (
	"strings"
	"testing"
	"time"

	"handover/client"
	"handover/internal/hubtest"
	"handover/keys/jose"
)

// beat is a side that the police ask: its manager, and the police partner's client with its
// officer signed in.
type beat struct {
	side
	force           *hubtest.Agency
	officer, senior *hubtest.Person
	police, holder  *client.Client
	desk            client.Options // of the police
}

func newBeat(t *testing.T) beat {
	t.Helper()
	b := beat{side: newSide(t)}
	b.force = b.hub.Agency(t, "the-force", "police")
	b.officer, b.senior = b.hub.Person(t, "the-force", "caseworker"), b.hub.Person(t, "the-force", "manager")
	b.desk = b.options
	b.desk.Partner, b.desk.ClientID = "the-force", b.force.Client
	b.desk.Keys = client.Keys{Authentication: b.force.Auth, Signing: b.force.Signing.Signer(), Encryption: []jose.PrivateKey{b.force.Sealing}}
	system, err := client.New(b.desk)
	must(err)
	b.police = side{hub: b.hub, agency: b.force, options: b.desk, system: system}.signIn(t, b.officer, "referrals:send")
	b.holder = b.signIn(t, b.hub.Person(t, "rosewood", "manager"), "referrals:receive", "consents:override")
	return b
}

// inquiry is a request that may be made.
func inquiry() client.PoliceRequest {
	return client.PoliceRequest{Holder: "rosewood", Enquiry: "what-happened", Necessity: []string{"not-elsewhere"}, Sections: []string{"need", "risk"},
		Notice: "given", RespondBy: time.Now().Add(48 * time.Hour), Text: client.PoliceText{Names: []string{"Sample Woman"},
			Requester: client.Requester{Name: "D Example", Rank: "detective constable", Force: "Sample Police"}, Enquiry: "who was there", Necessity: "nobody else saw it"}}
}

func TestAPoliceRequestThroughAClient(t *testing.T) {
	t.Parallel()
	b, ctx := newBeat(t), t.Context()
	asked, err := b.police.AskAsPolice(ctx, inquiry())
	must(err)
	if _, err := b.holder.ApprovePoliceRequest(ctx, asked.ID, []string{"need"}, false, client.PoliceReason{Reason: "tests-met", Told: "yes"}); client.Code(err) != "police-request-unread" {
		t.Errorf("unread: %v", err)
	}
	if _, _, err := b.police.OpenPoliceRequest(ctx, asked.ID); client.Code(err) != "insufficient-scope" {
		t.Errorf("the police open it: %v", err)
	}
	_, text, err := b.holder.OpenPoliceRequest(ctx, asked.ID)
	if err != nil || text.Names[0] != "Sample Woman" {
		t.Errorf("%+v, %v", text, err)
	}
	for code, change := range map[string]struct {
		sections    []string
		counselling bool
		why         client.PoliceReason
	}{
		"police-request-not-asked":   {[]string{"location"}, false, client.PoliceReason{Reason: "tests-met", Told: "yes"}},
		"counselling-not-approvable": {[]string{"need"}, true, client.PoliceReason{Reason: "tests-met", Told: "yes"}},
		"police-request-claim":       {[]string{"need"}, false, client.PoliceReason{Reason: "safety", Told: "yes"}},
	} {
		if _, err := b.holder.ApprovePoliceRequest(ctx, asked.ID, change.sections, change.counselling, change.why); client.Code(err) != code {
			t.Errorf("%v, want %s", err, code)
		}
	}
	_, err = b.holder.ApprovePoliceRequest(ctx, asked.ID, []string{"need"}, false, client.PoliceReason{Reason: "tests-met", Told: "no", NotTold: "unsafe", Words: "ours"})
	must(err)
	seen, err := b.police.PoliceRequest(ctx, asked.ID)
	must(err)
	if why, err := b.police.PoliceReason(seen); err != nil || why.Reason != "" || seen.State != "approved" || seen.Decided.NotTold != "unsafe" || !seen.DecidedAt.IsZero() {
		t.Errorf("the police see %+v, %+v, %v", seen, why, err)
	}
	own, err := b.holder.PoliceRequest(ctx, asked.ID)
	must(err)
	if why, err := b.holder.PoliceReason(own); err != nil || why.Words != "ours" {
		t.Errorf("its own: %+v, %v", why, err)
	}
}

func TestANoThroughAClientIsSilentAndLate(t *testing.T) {
	t.Parallel()
	b, ctx := newBeat(t), t.Context()
	q := inquiry()
	q.Counselling, q.Senior, q.Rank, q.Necessity = true, b.senior.ID, "inspector", []string{"probative"}
	asked, err := b.police.AskAsPolice(ctx, q)
	must(err)
	_, err = b.holder.RefusePoliceRequest(ctx, asked.ID, client.PoliceReason{Reason: "no-such-person", Told: "no", NotTold: "nobody-to-tell"})
	must(err)
	if seen, err := b.police.PoliceRequest(ctx, asked.ID); err != nil || seen.State != "asked" || seen.Decided != nil {
		t.Errorf("the police see %+v, %v", seen, err)
	}
	own, err := b.holder.PoliceRequest(ctx, asked.ID)
	if err != nil || own.State != "refused" || own.ShownAt.Unix() != q.RespondBy.Unix() {
		t.Errorf("its own: %+v, %v", own, err)
	}
	for line, err := range b.police.PoliceRequests(ctx, "asked") {
		if err != nil || line.State != "asked" || !line.DecidedAt.IsZero() || !line.Counselling {
			t.Errorf("the police list %+v, %v", line, err)
		}
	}
	found := 0
	for line, err := range b.holder.PoliceRequests(ctx, "received") {
		if must(err); line.State == "refused" {
			found++
		}
	}
	if found != 1 {
		t.Errorf("%d requests are listed", found)
	}
}

// TestAHubThatMakesUpAYesIsNotBelieved: what the police are told must be signed by the holder.
func TestAHubThatMakesUpAYesIsNotBelieved(t *testing.T) {
	t.Parallel()
	b, ctx := newBeat(t), t.Context()
	asked, err := b.police.AskAsPolice(ctx, inquiry())
	must(err)
	_, _, err = b.holder.OpenPoliceRequest(ctx, asked.ID)
	must(err)
	_, err = b.holder.ApprovePoliceRequest(ctx, asked.ID, []string{"need"}, false, client.PoliceReason{Reason: "tests-met", Told: "yes"})
	must(err)
	for name, change := range map[string]string{
		"the other way":      `UPDATE police_decision SET decision = 'refused', shown_at = respond_by`,
		"to another request": `UPDATE police_request SET digest = 'x'`,
		"in other words":     `UPDATE police_decision SET token = overlay(token placing 'AAAA' from length(token) - 10)`,
	} {
		b.hub.Exec(t, `CREATE TABLE kept AS SELECT * FROM police_decision`)
		b.hub.Exec(t, `CREATE TABLE kept_request AS SELECT * FROM police_request`)
		b.hub.Exec(t, change)
		if _, err := b.holder.PoliceRequest(ctx, asked.ID); err == nil || !strings.Contains(err.Error(), "forged") && client.Code(err) != "" {
			t.Errorf("%s: %v", name, err)
		}
		b.hub.Exec(t, `UPDATE police_decision d SET decision = k.decision, token = k.token, shown_at = k.shown_at FROM kept k`)
		b.hub.Exec(t, `UPDATE police_request r SET digest = k.digest FROM kept_request k`)
		b.hub.Exec(t, `DROP TABLE kept, kept_request`)
	}
	_, err = b.holder.PoliceRequest(ctx, asked.ID)
	must(err)
}
