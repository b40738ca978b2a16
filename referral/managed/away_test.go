package managed_test

import (
	"context"
	"crypto"
	"net/http"
	"testing"

	"handover/internal/hubtest"
	"handover/keys"
	"handover/keys/jose"
)

// away is a key store that cannot be asked.
type away struct{ keys.Store }

func (away) Public(context.Context, string) ([]jose.PublicKey, error) {
	return nil, keys.ErrUnavailable
}

func (away) Sign(context.Context, string, string, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, keys.ErrUnavailable
}

func (away) Wrap(context.Context, []byte, []byte) (string, error) { return "", keys.ErrUnavailable }

func (away) Unwrap(context.Context, string, []byte) ([]byte, error) { return nil, keys.ErrUnavailable }

// TestWithoutItsKeyStoreTheHubStoresNothing: nothing is half done, nothing counts as opened,
// and the same requests are done afterwards.
func TestWithoutItsKeyStoreTheHubStoresNothing(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	id, _ := s.sent(t)
	consent := s.consent(t)
	request, said := s.request(consent), s.spoken()
	step := members{"jti": newID(), "event": "accept", "prev": id}
	calls := map[string]hubtest.Call{
		"open":   call("/v1/managed/referrals/"+id+"/open", opening("need")),
		"refer":  call("/v1/managed/referrals", request),
		"accept": call("/v1/managed/referrals/"+id+"/events", step),
		"record": call("/v1/managed/consents", said),
	}
	s.hub.Desk.Keys = away{s.hub.Keys()}
	for name, c := range calls {
		s.refused(t, name+" without the key store", http.StatusServiceUnavailable, "keys-unavailable", func() hubtest.Answer {
			a := s.worker.Do(t, c)
			if a.Header.Get("Retry-After") == "" {
				t.Errorf("%s: no Retry-After", name)
			}
			return a
		})
	}
	s.hub.Desk.Keys = s.hub.Keys()
	for name, c := range calls {
		if a := s.worker.Do(t, c); a.Status >= 300 {
			t.Errorf("%s afterwards: %d %s", name, a.Status, a.Body)
		}
	}
}
