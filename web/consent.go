package web

import (
	"handover/web/consents"
	"handover/web/hers"
	"handover/web/overrides"
	"handover/web/shell"
)

// aboutConsent are the rooms in which she is asked, is shown what is shared about her, and in
// which a second person decides.
func (c Config) aboutConsent(s *shell.Shell) []func() (room, error) {
	return []func() (room, error){
		func() (room, error) {
			return consents.New(s, consents.Config{Desk: c.Desk, Consents: c.Consents, Referrals: c.Referrals, Partners: c.Partners, Withdrawn: c.Withdrawn, Now: c.Now})
		},
		func() (room, error) {
			return hers.New(s, hers.Config{SignIn: c.SignIn, Desk: c.Desk, Consents: c.Consents, Referrals: c.Referrals, Partners: c.Partners, Withdrawn: c.Withdrawn})
		},
		func() (room, error) {
			return overrides.New(s, overrides.Config{Desk: c.Desk, Consents: c.Consents, Partners: c.Partners, Now: c.Now})
		},
	}
}
