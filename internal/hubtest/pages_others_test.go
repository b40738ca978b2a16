package hubtest_test

import (
	"net/http"
	"strings"
	"testing"

	"handover/internal/hubtest"
	"handover/partners"
)

// TestAPageAboutOthersIsAnsweredLikeOneAboutNothing opens each page, and posts to each, as the
// people of a third agency, about what is of a pair of others and about what is not there at all.
// A page that answers otherwise tells who is somebody's client.
func TestAPageAboutOthersIsAnsweredLikeOneAboutNothing(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p, third := h.Pair(t, partners.BoroughOutreach), h.Managed(t, "the-third", partners.Housing)
	s := p.Sent(t)
	others := map[string]string{"consent": p.Consent.ID, "override": overridden(t, h, p), "request": inquired(t, h, p.From), "referral": s.Digest}
	for _, role := range []partners.Role{partners.Caseworker, partners.Manager} {
		_, b := h.Joined(t, third.ID, "Ayo Example", role)
		b.StepUp(t)
		for _, r := range routes() {
			if r.who[0] != "page" || !strings.Contains(r.path, "{consent}") && !strings.Contains(r.path, "{override}") && !strings.Contains(r.path, "{referral}") {
				continue
			}
			send := func(ids map[string]string) (status int, body string) {
				c := r.call(ids)
				if r.method == http.MethodPost {
					c.Type, c.Body = "application/x-www-form-urlencoded", []byte("id=0199d6d3-7b8c-7a3e-9d52-0a1b2c3d4e5f")
				}
				a := b.Send(b.Request(t, c.Method, c.Path, c.Type, c.Body))
				return a.Status, strings.NewReplacer(ids["consent"], "", ids["override"], "", ids["referral"], "").Replace(string(a.Body))
			}
			of, said := send(others)
			none, saidOfNothing := send(nothing())
			if of != none || of >= 500 || said != saidOfNothing || r.method == http.MethodPost && of < 400 {
				t.Errorf("%s as %s: %d about others, %d about nothing\n%s", r, role, of, none, said)
			}
		}
	}
}
