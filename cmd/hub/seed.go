package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"handover/client/profile"
	"handover/internal/codes"
	"handover/partners"
)

// demo makes and introduces the sample exchange. Every agency and woman in it is
// fictional. Each part looks first whether it is there already, so a start that was
// cut short is completed by the next one.
type demo struct {
	cfg     Config
	address string // of the database
	out     io.Writer

	references map[partners.ID]string // of the sample referral to each
	links      []string               // with which the sample people sign in for the first time, one line each
}

// samples are six agencies of different categories that serve the same borough, and one
// that oversees what all of them do.
func samples() []partners.Partner {
	areas := []string{"E09000007", "E09000012"}
	return []partners.Partner{
		{ID: "camden-outreach", Name: "Sample street outreach", Category: partners.BoroughOutreach, Areas: areas},
		{ID: "larkfield-housing", Name: "Larkfield sample housing team", Category: partners.Housing, Areas: areas},
		{ID: "rosewell-women", Name: "Rosewell sample women's charity", Category: partners.VAWGService, Areas: areas},
		{ID: "elm-lane-surgery", Name: "Elm Lane sample GP practice", Category: partners.PrimaryCare, Areas: areas},
		{ID: "northgate-police", Name: "Northgate sample police liaison", Category: partners.Police, Areas: areas},
		{ID: noIT, Name: "Bramble sample drop-in", Category: partners.VAWGService, Areas: areas},
		{ID: "wren-audit", Name: "Wren sample audit office", Category: partners.Oversight, Areas: areas},
	}
}

// noIT is the sample agency that has nowhere to keep keys of its own: the hub holds them, and
// its people work in the browser alone.
const noIT partners.ID = "bramble-dropin"

// offers are what the sample agencies do, one service each.
func offers() []partners.Service {
	return []partners.Service{
		{Partner: "camden-outreach", Name: "Street outreach", Purposes: []string{"outreach", "advocacy"}, SelfReferral: true, AcceptsNoRecourse: true},
		{Partner: "larkfield-housing", Name: "Homes for single women", Purposes: []string{"housing", "emergency-accommodation", "duty-to-refer"}},
		{Partner: "rosewell-women", Name: "Advocacy and a way out", Purposes: []string{"advocacy", "exiting-support"}, WomenOnly: true, SelfReferral: true, AcceptsNoRecourse: true},
		{Partner: "elm-lane-surgery", Name: "Registering without papers", Purposes: []string{"gp-registration", "health-care"}, SelfReferral: true, AcceptsNoRecourse: true},
		{Partner: noIT, Name: "Drop-in and advocacy", Purposes: []string{"advocacy", "exiting-support", "emergency-accommodation"}, WomenOnly: true, SelfReferral: true, AcceptsNoRecourse: true},
		{Partner: "northgate-police", Name: "Protection from harm", Purposes: []string{"protect-from-harm"}},
	}
}

// home is where a sample partner's own side lives: its keys and receipts, as they
// would lie on that agency's machine.
func (d *demo) home(id partners.ID) string {
	return filepath.Join(d.cfg.Dir, "partners", string(id))
}

func (d *demo) seed(ctx context.Context) error {
	err := asOwner(ctx, d.address, func(_ *pgxpool.Pool, s *partners.Store) error {
		for _, p := range samples() {
			if err := d.join(ctx, s, p); err != nil {
				return fmt.Errorf("enrolling %s: %w", p.ID, err)
			}
		}
		if err := d.agree(ctx, s); err != nil {
			return err
		}
		if err := d.offer(ctx, s); err != nil {
			return err
		}
		return d.employ(ctx, s)
	})
	if err != nil {
		return err
	}
	return d.refer(ctx)
}

// join registers a partner and enrols it over the public API, with keys it makes
// itself; or, if it has no IT, with keys that the hub holds.
func (d *demo) join(ctx context.Context, s *partners.Store, p partners.Partner) error {
	if err := s.Add(ctx, p); err != nil && !errors.Is(err, partners.ErrPartnerExists) {
		return err
	}
	if p.ID == noIT {
		return d.hold(ctx, s, p.ID)
	}
	own, err := profile.Open(ctx, d.home(p.ID), profile.Options{})
	if errors.Is(err, profile.ErrNone) {
		own, err = profile.Create(ctx, d.home(p.ID), profile.Options{})
	}
	if err != nil {
		return err
	}
	if own.Settings().ClientID != "" {
		return nil
	}
	code, err := s.Invite(ctx, p.ID, time.Hour)
	if err != nil {
		return err
	}
	_, err = own.Enrol(ctx, d.cfg.Issuer, code)
	return err
}

// hold has the hub hold a partner's keys.
func (d *demo) hold(ctx context.Context, s *partners.Store, id partners.ID) error {
	store, err := openKeys(ctx, d.cfg)
	if err != nil {
		return err
	}
	if err := s.Manage(ctx, store, d.cfg.Issuer, id); !errors.Is(err, partners.ErrHasKeys) {
		return err
	}
	return nil // since an earlier start
}

// agree puts agreements in force between every two sample partners: for every
// purpose and section with the helping agencies, and with the police for protection
// from harm alone. The firewall narrows both. Who oversees them is sent nothing.
func (d *demo) agree(ctx context.Context, s *partners.Store) error {
	agreed, err := s.Agreements(ctx)
	if err != nil {
		return err
	}
	for _, from := range samples() {
		for _, to := range samples() {
			known := slices.ContainsFunc(agreed, func(a partners.Agreement) bool { return a.Sender == from.ID && a.Recipient == to.ID })
			overseen := from.Category == partners.Oversight || to.Category == partners.Oversight
			if from.ID == to.ID || known || overseen {
				continue
			}
			a := partners.Agreement{Sender: from.ID, Recipient: to.ID, From: time.Now().Add(-time.Minute),
				To: time.Now().AddDate(1, 0, 0), Purposes: codes.Purposes().Codes(), Sections: codes.Sections().Codes()}
			if from.Category == partners.Police || to.Category == partners.Police {
				a.Purposes = []string{"protect-from-harm"}
				a.Sections = []string{"identity", "need", "risk", "safe-contact", "note"}
			}
			if _, err := s.Agree(ctx, a); err != nil {
				return fmt.Errorf("agreeing for %s and %s: %w", from.ID, to.ID, err)
			}
		}
	}
	return nil
}

func (d *demo) offer(ctx context.Context, s *partners.Store) error {
	offered, err := s.Services(ctx, "", "")
	if err != nil {
		return err
	}
	for _, o := range offers() {
		if slices.ContainsFunc(offered, func(k partners.Service) bool { return k.Partner == o.Partner }) {
			continue
		}
		o.Areas, o.Capacity = []string{"E09000007", "E09000012"}, "open"
		if _, err := s.Offer(ctx, o); err != nil {
			return fmt.Errorf("offering a service of %s: %w", o.Partner, err)
		}
	}
	return nil
}

// colleague is a sample person. The names are of nobody.
type colleague struct {
	at partners.ID
	partners.User
}

// colleagues are the sample people: one of each role at the agency without IT, a caseworker of
// one that holds its own keys, and one who audits all agencies.
func colleagues() []colleague {
	return []colleague{
		{noIT, partners.User{Name: "Cass Sample", Role: partners.Caseworker}},
		{noIT, partners.User{Name: "Mandy Sample", Role: partners.Manager}},
		{noIT, partners.User{Name: "Ada Sample", Role: partners.Administrator}},
		{noIT, partners.User{Name: "Audrey Sample", Role: partners.Auditor}},
		{"larkfield-housing", partners.User{Name: "Lena Sample", Role: partners.Caseworker}},
		{"wren-audit", partners.User{Name: "Olive Sample", Role: partners.Auditor}},
	}
}

// employ makes the sample people, or fresh links for those that there are.
func (d *demo) employ(ctx context.Context, s *partners.Store) error {
	for _, c := range colleagues() {
		known, err := s.Employed(ctx, c.at)
		if err != nil {
			return err
		}
		var code string
		if i := slices.IndexFunc(known, func(k partners.User) bool { return k.Name == c.Name }); i >= 0 {
			code, err = s.Reissue(ctx, known[i].ID)
		} else {
			_, code, err = s.Employ(ctx, c.at, c.Name, c.Role)
		}
		if err != nil {
			return fmt.Errorf("making a link for a sample person: %w", err)
		}
		d.links = append(d.links, fmt.Sprintf("  %-14s %-14s %-18s %s", c.Name, c.Role, c.at, joinLink(d.cfg, code)))
	}
	return nil
}

// introduce says what there is and what to try.
func (d *demo) introduce() {
	fmt.Fprintf(d.out, `
Seven sample agencies have joined, each with its own keys under %s;
for bramble-dropin, which has no IT, the hub holds them:
`, filepath.Join(d.cfg.Dir, "partners"))
	for _, p := range samples() {
		fmt.Fprintf(d.out, "  %-18s %s\n", p.ID, p.Name)
	}
	fmt.Fprintf(d.out, `
camden-outreach has referred a woman to larkfield-housing: %s. Try, in another terminal:
  export HANDOVER_HOME=%s
  bin/handover inbox
  bin/handover open %s --reason triage
  bin/handover accept %s

It has referred another to bramble-dropin: %s. Its people need no more than a browser. Six people
can sign in at %s/sign-in once each has opened her link; begin with Cass:
%s
A link works once, for two days; the next start prints fresh ones. Open each in a browser of its own:
a passkey is made in it. Safari wants https and does not sign in to this trial.

`, d.references["larkfield-housing"], d.home("larkfield-housing"), d.references["larkfield-housing"], d.references["larkfield-housing"],
		d.references[noIT], d.cfg.Issuer, strings.Join(d.links, "\n"))
}
