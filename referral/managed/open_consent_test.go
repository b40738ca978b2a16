package managed_test

import (
	"errors"
	"net/http"
	"testing"

	"handover/audit/proof"
	"handover/consent"
	"handover/internal/hubtest"
	"handover/partners"
)

// What a woman said, and how she was asked, is opened for a person of the agency that asked
// her, and stands in the log before a word is shown.
func TestHowSheWasAskedIsOpenedForItsRecorderAlone(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	named, stranger := s.hub.Managed(t, "bramble", partners.VAWGService), s.hub.Managed(t, "the-third", partners.Housing)
	said := s.spoken().with(members{"recipients": []string{string(s.own.ID), "bramble"}})
	s.worker.Post(t, "/v1/managed/consents", said).Into(t, http.StatusCreated, new(proof.Receipt))
	id := said["jti"].(string)
	before := hubtest.Value[int](t, s.hub, `SELECT count(*) FROM audit_entry WHERE act = 'consent.read'`)
	o, err := s.hub.Desk.OpenConsent(t.Context(), s.worker.Caller(t), id)
	if err != nil {
		t.Fatal(err)
	}
	if o.Texts["her-words"] != canary+" only the council" || len(o.Texts) != 1 || o.How.Alone != "yes" || o.Claims.ID != id {
		t.Errorf("opened %v, %+v", o.Texts, o.How)
	}
	if e := s.entry(t, o.Receipt); e.Act != "consent.read" || e.User != s.worker.ID || e.Consent != id {
		t.Errorf("its receipt is of %+v", e)
	}
	if after := hubtest.Value[int](t, s.hub, `SELECT count(*) FROM audit_entry WHERE act = 'consent.read'`); after != before+1 {
		t.Errorf("%d readings are logged", after-before)
	}
	// Whoever is named in it, and whoever is not, is told the same.
	for _, a := range []*hubtest.Agency{named, stranger} {
		if _, err := s.hub.Desk.OpenConsent(t.Context(), s.hub.Person(t, a.ID, partners.Manager).Caller(t), id); !errors.Is(err, consent.ErrNotThere) {
			t.Errorf("another agency: %v", err)
		}
	}
	if _, err := s.hub.Desk.OpenConsent(t.Context(), s.hub.Person(t, s.own.ID, partners.Caseworker).Caller(t), id); !errors.Is(err, partners.ErrNotManaged) {
		t.Errorf("an agency that holds its own keys: %v", err)
	}
	for _, odd := range []string{"", "x", newID()} {
		if _, err := s.hub.Desk.OpenConsent(t.Context(), s.worker.Caller(t), odd); !errors.Is(err, consent.ErrNotThere) {
			t.Errorf("%q: %v", odd, err)
		}
	}
	// What somebody puts in the place of her words opens nothing.
	s.hub.Exec(t, `ALTER TABLE consent_private DISABLE TRIGGER USER;
		UPDATE consent_private SET sealed = jsonb_set(sealed, '{her-words}', sealed->'capacity')`)
	if _, err := s.hub.Desk.OpenConsent(t.Context(), s.worker.Caller(t), id); err == nil {
		t.Error("a text that the record does not bind was opened")
	}
}

// An agency's own records are listed with the referrals that rest on them, and what she may be
// told is told to the referral's two agencies alone.
func TestWhatThePagesListIsTheAgencysOwn(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	id := s.consent(t)
	ref := s.refer(t, s.request(id))
	worker := s.worker.Caller(t)
	page, more, err := s.hub.Referrals.Recorded(t.Context(), worker, "")
	if err != nil || more || len(page) != 1 || page[0].ID != id || len(page[0].Referrals) != 1 || page[0].Referrals[0] != ref.Referral {
		t.Errorf("%+v %v %v", page, more, err)
	}
	theirs := s.hub.Person(t, s.own.ID, partners.Caseworker).Caller(t)
	if page, _, err := s.hub.Referrals.Recorded(t.Context(), theirs, ""); err != nil || len(page) != 0 {
		t.Errorf("a recipient lists it as its own: %+v %v", page, err)
	}
	if _, _, err := s.hub.Referrals.Recorded(t.Context(), worker, "'"); !errors.Is(err, consent.ErrQuery) {
		t.Errorf("%v", err)
	}
	if a := s.own.Open(t, ref.Referral, "", "need"); a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	for _, c := range []partners.Caller{worker, theirs} {
		h, err := s.hub.Referrals.Hers(t.Context(), c, ref.Referral)
		if err != nil || len(h.Readings) != 1 || h.Readings[0].Partner != string(s.own.ID) || h.Consents[0] != id || len(h.Sections) != 2 {
			t.Errorf("%+v %v", h, err)
		}
	}
	third := s.hub.Person(t, s.hub.Agency(t, "the-third", partners.Housing).ID, partners.Caseworker).Caller(t)
	if _, err := s.hub.Referrals.Hers(t.Context(), third, ref.Referral); err == nil {
		t.Error("a third agency is told")
	}
	if _, err := s.hub.Consents.Waiting(t.Context(), worker); !errors.Is(err, consent.ErrManager) {
		t.Errorf("a caseworker lists what waits for a manager: %v", err)
	}
}
