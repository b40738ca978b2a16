package client_test

import (
	"errors"
	"testing"
	"time"

	"handover/client"
	"handover/internal/hubtest"
)

// rosewood is a side that shares without a woman's agreement, its two people, and another agency.
type rosewood struct {
	side
	to              *hubtest.Agency
	service         string
	worker, manager *hubtest.Person
}

func newRosewood(t *testing.T) rosewood {
	t.Helper()
	s := newSide(t)
	to := s.hub.Agency(t, "larkfield", "social-care")
	s.hub.Agree(t, s.agency, to)
	return rosewood{s, to, s.hub.Offer(t, to), s.hub.Person(t, "rosewood", "caseworker"), s.hub.Person(t, "rosewood", "manager")}
}

// needed is an override that may be proposed.
func needed() client.Override {
	return client.Override{Purpose: "protect-from-harm", Recipient: "larkfield", Sections: []string{"need"}, Agreement: "refused", Reason: "child-at-risk",
		AtRisk: []string{"child"}, NotTold: "unsafe", Bases: []client.Basis{{Article6: "d"}},
		Necessity: "nobody else can act tonight", Minimum: "her need and nothing more", Risk: "her child"}
}

func (p rosewood) send(t *testing.T, c *client.Client, override string) (client.Receipt, error) {
	t.Helper()
	return c.Send(t.Context(), client.Request{To: "larkfield", Override: override, Service: p.service, Area: hubtest.Area, Urgency: "urgent",
		Sections: map[string]client.Content{"need": client.Content(`{"summary":"somewhere safe"}`)}})
}

func TestAnOverrideThroughAClient(t *testing.T) {
	t.Parallel()
	p, ctx := newRosewood(t), t.Context()
	worker, manager := p.signIn(t, p.worker, "consents:override"), p.signIn(t, p.manager, "consents:override")
	for name, change := range map[string]func(*client.Override){
		"gate-not-passable": func(o *client.Override) { o.Purpose = "duty-to-refer" },
		"override-claim":    func(o *client.Override) { o.Minimum = "" },
	} {
		o := needed()
		change(&o)
		if _, err := worker.Propose(ctx, o); client.Code(err) != name {
			t.Errorf("%v, want %s", err, name)
		}
	}
	if _, err := p.system.Propose(ctx, needed()); err == nil {
		t.Error("a system proposes")
	}
	proposed, err := worker.Propose(ctx, needed())
	must(err)
	if _, err := p.send(t, p.system, proposed.ID); client.Code(err) != "override-not-approved" {
		t.Errorf("before it is approved: %v", err)
	}
	if _, err := worker.Approve(ctx, proposed.ID); client.Code(err) != "manager-needed" {
		t.Errorf("one alone: %v", err)
	}
	stored, err := manager.Override(ctx, proposed.ID)
	must(err)
	texts, err := manager.OverrideTexts(stored)
	if err != nil || texts["minimum"] != "her need and nothing more" || stored.State != "proposed" {
		t.Errorf("%+v, %v", texts, err)
	}
	if r, err := manager.Approve(ctx, proposed.ID); err != nil || r.State != "approved" {
		t.Fatalf("%+v, %v", r, err)
	}
	receipt, err := p.send(t, p.system, proposed.ID)
	must(err)
	if receipt.Override != proposed.ID || receipt.Consent != "" {
		t.Errorf("the receipt says %+v", receipt)
	}
	bundle, err := p.system.Bundle(ctx, receipt.Referral)
	must(err)
	if _, err := bundle.Verify(p.options.LogKey); err != nil || len(bundle.Overrides) != 1 {
		t.Errorf("the bundle does not hold: %v", err)
	}
	if r, err := manager.LookAgain(ctx, proposed.ID, time.Now().Add(20*24*time.Hour)); err != nil || r.State != "approved" {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := manager.LookAgain(ctx, proposed.ID, time.Time{}); err != nil || r.State != "ended" {
		t.Errorf("%+v, %v", r, err)
	}
	if stored, err := manager.Override(ctx, proposed.ID); err != nil || stored.State != "ended" || len(stored.Steps) != 3 {
		t.Errorf("%+v, %v", stored, err)
	}
	if _, err := p.send(t, p.system, proposed.ID); client.Code(err) != "override-ended" {
		t.Errorf("after its end: %v", err)
	}
}

func TestOverridesOfAnEmergencyAndWhatAuditorsSee(t *testing.T) {
	t.Parallel()
	p, ctx := newRosewood(t), t.Context()
	worker, manager := p.signIn(t, p.worker, "consents:override"), p.signIn(t, p.manager, "consents:override")
	auditor := p.signIn(t, p.hub.Person(t, "rosewood", "auditor"), "audit:read")
	o := needed()
	o.Emergency = true
	at, err := worker.Propose(ctx, o)
	must(err)
	_, err = p.send(t, p.system, at.ID)
	must(err)
	p.hub.Exec(t, `UPDATE consent_override_state SET recorded_at = recorded_at - interval '24 hours' WHERE id = $1`, at.ID)
	if _, err := p.send(t, p.system, at.ID); client.Code(err) != "override-lapsed" {
		t.Errorf("after a day: %v", err)
	}
	must(p.hub.Consents.Lapse(ctx))
	var late []client.OverrideLine
	for line, err := range auditor.Overrides(ctx, "approval") {
		must(err)
		late = append(late, line)
	}
	if len(late) != 1 || late[0].ID != at.ID || late[0].State != "lapsed" || late[0].Reason != "child-at-risk" {
		t.Errorf("late: %+v", late)
	}
	counts, err := auditor.OverrideCounts(ctx)
	if err != nil || len(counts) != 1 || counts[0].LateApproval != 1 {
		t.Errorf("%+v, %v", counts, err)
	}
	if r, err := manager.Approve(ctx, at.ID); err != nil || r.State != "lapsed" {
		t.Errorf("too late: %+v, %v", r, err)
	}
	if stored, err := p.system.Override(ctx, at.ID); err != nil || stored.State != "lapsed" {
		t.Errorf("%+v, %v", stored, err)
	}
}

// A hub that says something is approved which nobody has approved is caught.
func TestAHubThatApprovesByItselfIsCaught(t *testing.T) {
	t.Parallel()
	p, ctx := newRosewood(t), t.Context()
	worker := p.signIn(t, p.worker, "consents:override")
	o, err := worker.Propose(ctx, needed())
	must(err)
	p.hub.Exec(t, `UPDATE consent_override_state SET decision = 'approved', decided_at = now() WHERE id = $1`, o.ID)
	if _, err := p.system.Override(ctx, o.ID); !errors.Is(err, client.ErrForged) {
		t.Errorf("it is believed: %v", err)
	}
	own := p.agency.Decision(t, p.worker.ID, o.ID, o.Digest, "approved")
	p.hub.Exec(t, `INSERT INTO consent_override_step (id, override, recorder, kind, digest, token, at, log_entry)
		SELECT gen_random_uuid(), id, recorder, 'decision', 'x', $2, now(), log_entry FROM consent_override WHERE id = $1`, o.ID, own)
	if _, err := p.system.Override(ctx, o.ID); !errors.Is(err, client.ErrForged) {
		t.Errorf("what she has approved herself is believed: %v", err)
	}
	if _, err := p.system.Seal(ctx, client.Request{To: "larkfield", Override: o.ID, Consent: o.ID, Service: p.service, Area: hubtest.Area, Urgency: "urgent",
		Sections: map[string]client.Content{"need": client.Content(`{"summary":"x"}`)}}); client.Code(err) != "envelope-claim" {
		t.Errorf("both a consent and an override: %v", err)
	}
}
