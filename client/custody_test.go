package client_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"handover/client"
	"handover/internal/hubtest"
	"handover/internal/ids"
)

// managedReferral has somebody of an agency whose keys the hub holds refer a woman to
// rosewood, and returns the worker and the referral.
func managedReferral(t *testing.T, s side) (*hubtest.Person, string) {
	t.Helper()
	from := s.hub.Managed(t, "larkfield", "borough-outreach")
	worker := s.hub.Person(t, from.ID, "caseworker")
	s.hub.Agree(t, from, s.agency)
	service, now := s.hub.Offer(t, s.agency), s.hub.Now().Unix()
	consent := uuid.Must(uuid.NewV7()).String()
	worker.Post(t, "/v1/managed/consents", map[string]any{"jti": consent, "jurisdiction": "GB-ENG", "agreement": "agreed",
		"method": "written", "purpose": "housing", "recipients": []string{"rosewood"}, "sections": []string{"need"}, "onward": "none",
		"basis": []any{map[string]any{"art6": "a"}}, "gate": map[string]any{"pathway": "none"}, "circumstances": map[string]any{
			"seen_alone": "yes", "coercion": "none", "interpreter": "none", "language": "en", "capacity": "presumed"},
		"notice":   map[string]any{"version": "1", "digest": ids.Digest("notice"), "language": "en"},
		"given_at": now, "valid_from": now, "expires_at": now + 3600}).Into(t, http.StatusCreated, new(any))
	var receipt client.Receipt
	worker.Post(t, "/v1/managed/referrals", map[string]any{"jti": uuid.Must(uuid.NewV7()).String(), "to": "rosewood", "consent": consent,
		"purpose": "housing", "urgency": "urgent", "service": service, "area": hubtest.Area,
		"sections": map[string]any{"need": map[string]any{"summary": "a bed"}}}).Into(t, http.StatusCreated, &receipt)
	return worker, receipt.Referral
}

// TestEveryReaderIsToldThatTheHubSigned: what the hub signed for an agency is never shown as
// what the agency signed, in a referral, in what is opened, nor in what is verified offline.
func TestEveryReaderIsToldThatTheHubSigned(t *testing.T) {
	s := newSide(t)
	worker, referral := managedReferral(t, s)
	said := "the hub signed this for " + worker.ID + " of larkfield, which does not hold its own keys"
	r, err := s.system.Referral(t.Context(), referral)
	must(err)
	if r.Chain[0].SignedFor != said || r.Chain[0].Doubt != "" {
		t.Errorf("the referral says %q, %q", r.Chain[0].SignedFor, r.Chain[0].Doubt)
	}
	opened, err := s.system.Open(t.Context(), client.Opening{Referral: referral, Reason: "triage"})
	must(err)
	if opened.SignedFor != said || string(opened.Sections["need"]) != `{"schema":"need/1","summary":"a bed"}` {
		t.Errorf("opened says %q", opened.SignedFor)
	}
	b, err := s.system.Bundle(t.Context(), referral)
	must(err)
	data, err := b.Bytes()
	must(err)
	f, err := client.Verify(data, client.Trust{LogKey: s.system.LogKey()})
	if err != nil {
		t.Fatalf("%v\n%s", err, failures(f))
	}
	for _, about := range []string{"step 1, request", "consent "} {
		if !slices.ContainsFunc(f.Checks, func(c client.Finding) bool { return strings.HasPrefix(c.About, about) && c.Holds && c.Text == said }) {
			t.Errorf("nothing is said of who signed %s: %+v", about, f.Checks)
		}
	}
}

// TestAHubThatHidesThatItHoldsAKeyIsRefused: who holds a key stands in the log.
func TestAHubThatHidesThatItHoldsAKeyIsRefused(t *testing.T) {
	s := newSide(t)
	_, referral := managedReferral(t, s)
	o := s.options
	o.HTTP = &http.Client{Transport: hiding{s.hub.HTTP().Transport}}
	c, err := client.New(o)
	must(err)
	if _, err := c.Referral(t.Context(), referral); !errors.Is(err, client.ErrKeySwapped) || !strings.Contains(err.Error(), "who holds its private part") {
		t.Errorf("a hub that says that larkfield holds its keys: %v", err)
	}
}

// hiding has a hub say that every partner holds its own keys.
type hiding struct{ http.RoundTripper }

func (h hiding) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := h.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(answer.Body)
	body = bytes.ReplaceAll(body, []byte(`"custody":"hub"`), []byte(`"custody":"partner"`))
	answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	answer.Header.Del("Content-Length")
	return answer, err
}
