package oauth

import "handover/audit"

// Ledger declares which rows of what people let systems do stand for which entries of the log.
func Ledger() audit.Ledger {
	gone := "what has ended is kept a day, so that its code is known for used"
	return audit.Ledger{
		Rows: []audit.Rows{{Table: "oauth_grant", Key: "r.id::text", Before: `r.code_digest IS NULL`, Kinds: []audit.Kind{
			{Acts: []string{"grant.permit"}, Stands: `r.revoked_at IS NULL`, Is: audit.Say{Member: "client", Row: "r.client"},
				Says: []audit.Say{{Member: "user", Row: "r.user_id"}}, Every: audit.GoneRows, Gone: gone},
			{Acts: []string{"grant.revoke"}, Stands: `r.revoked_at IS NOT NULL`, Is: audit.Say{Member: "client", Row: "r.client"},
				Every: audit.GoneRows, Gone: gone},
		}}},
		Alone: []string{"token.revoke", "grant.deny"},
	}
}
