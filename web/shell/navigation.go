package shell

import (
	"slices"
	"strings"

	"handover/partners"
)

// place is an entry of the navigation.
type place struct {
	Path, Name string
	Here       bool

	scopes []partners.Scope // whoever has one of them sees it
	roles  []partners.Role  // and has one of these roles; nil: any
}

// places is where one can go, in the order of the day's work.
func places() []place {
	work := []partners.Scope{partners.ReferralsReceive, partners.ReferralsSend}
	return []place{
		{Path: "/inbox", Name: "Inbox", scopes: work[:1]},
		{Path: "/sent", Name: "Sent", scopes: work[1:]},
		{Path: "/send", Name: "Send a referral", scopes: work[1:]},
		{Path: "/consents", Name: "Consents", scopes: []partners.Scope{partners.ConsentsWrite}},
		{Path: "/reviews", Name: "To review", scopes: []partners.Scope{partners.ConsentsOverride}, roles: []partners.Role{partners.Manager}},
		{Path: "/audit", Name: "Audit", scopes: []partners.Scope{partners.AuditRead}},
		{Path: "/agency", Name: "Agency", scopes: []partners.Scope{partners.PartnerAdmin, partners.ServicesWrite}},
	}
}

// navigation is what the caller sees of it on the page at path.
func navigation(c partners.Caller, path string) []place {
	var seen []place
	for _, p := range places() {
		if !slices.ContainsFunc(p.scopes, c.Has) || p.roles != nil && !slices.Contains(p.roles, c.Role()) {
			continue
		}
		p.Here = path == p.Path || strings.HasPrefix(path, p.Path+"/")
		seen = append(seen, p)
	}
	return seen
}

// homeOf is the page where somebody begins who has come for nothing else.
func homeOf(c partners.Caller) string {
	if seen := navigation(c, ""); len(seen) > 0 {
		return seen[0].Path
	}
	return AccountPath
}
