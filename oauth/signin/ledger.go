package signin

import "handover/audit"

// Ledger declares which rows of signing in stand for which entries of the log.
func Ledger() audit.Ledger {
	user := audit.Say{Member: "user", Row: "r.user_id"}
	ended := "a session's row goes with the session"
	return audit.Ledger{
		Rows: []audit.Rows{
			{Table: "oauth_passkey", Key: "r.id::text", Moves: true, Kinds: []audit.Kind{
				{Acts: []string{"passkey.add"}, Stands: `r.revoked_at IS NULL`, Is: audit.Say{Member: "target", Row: "r.id"}, Says: []audit.Say{user}, Every: audit.Found},
				{Acts: []string{"passkey.remove"}, Stands: `r.revoked_at IS NOT NULL`, Is: audit.Say{Member: "target", Row: "r.id"}, Says: []audit.Say{user}, Every: audit.Found},
				{Acts: []string{"user.recovered"}, Stands: `r.revoked_at IS NOT NULL`, Says: []audit.Say{user}},
			}},
			{Table: "oauth_session", Key: "r.id::text", Kinds: []audit.Kind{
				{Acts: []string{"user.signin"}, Is: audit.Say{Member: "target", Row: "r.passkey"}, Says: []audit.Say{user}, Every: audit.GoneRows, Gone: ended},
				{Acts: []string{"user.stepup"}, Is: audit.Say{Member: "target", Row: "r.id"}, Says: []audit.Say{user}, Every: audit.GoneRows, Gone: ended},
			}},
			{Table: "oauth_notice", Key: "r.id::text", Kinds: []audit.Kind{
				{Acts: []string{"passkey.add"}, Stands: `r.kind = 'passkey-added'`, Is: audit.Say{Member: "user", Row: "r.about"}},
				{Acts: []string{"passkey.remove"}, Stands: `r.kind = 'passkey-removed'`, Is: audit.Say{Member: "user", Row: "r.about"}},
				{Acts: []string{"user.recovered"}, Stands: `r.kind = 'sign-in-reset'`, Is: audit.Say{Member: "user", Row: "r.about"}},
			}},
			{Table: "oauth_provider", Key: "r.partner", Moves: true, Kinds: []audit.Kind{
				{Acts: []string{"provider.set"}, Is: audit.Say{Member: "target", Row: "r.partner"}, Every: audit.GoneRows,
					Gone: "the row goes when the operator removes the provider"}}},
			{Table: "oauth_provider_user", Key: "r.user_id::text", Kinds: []audit.Kind{
				{Acts: []string{"user.arrive"}, Is: user, Says: []audit.Say{{Member: "partner", Row: "r.partner"}}}}},
		},
		Alone: []string{"user.signout", "provider.remove"},
	}
}
