package police

import "handover/audit"

// Ledger declares which rows of the police's requests stand for which entries of the log.
func Ledger() audit.Ledger {
	of := audit.Say{Member: "target", Row: "r.request"}
	return audit.Ledger{
		Rows: []audit.Rows{
			{Table: "police_request", Key: "r.id::text", Kinds: []audit.Kind{{Acts: []string{"police.request"}, Is: audit.Say{Member: "target", Row: "r.id"},
				Every: audit.Exactly, Says: []audit.Say{{Member: "digest", Row: "r.digest"}, {Member: "digest", Row: audit.DigestSQL("r.token")},
					{Member: "partner", Row: "r.issuer"}, {Member: "other", Row: "r.holder"}}}}},
			{Table: "police_opening", Key: "r.request::text", Kinds: []audit.Kind{{Acts: []string{"police.open"}, Is: of, Every: audit.Exactly,
				Says: []audit.Say{{Member: "partner", Row: "r.holder"}}}}},
			{Table: "police_decision", Key: "r.request::text", Kinds: []audit.Kind{{Acts: []string{"police.decision"}, Is: of, Every: audit.Exactly,
				Says: []audit.Say{{Member: "digest", Row: "r.digest"}, {Member: "digest", Row: audit.DigestSQL("r.token")},
					{Member: "partner", Row: "r.holder"}, {Member: "state", Row: "r.decision"}}}}},
			{Table: "police_reason", Key: "r.request::text", Kinds: []audit.Kind{{Acts: []string{"police.decision"}, Is: of,
				Says: []audit.Say{{Member: "partner", Row: "r.holder"}}}}},
		},
		Alone: []string{"police.read", "police.list"},
		Pairs: []audit.Pair{
			// From when on the police see a no goes by what they asked: earlier, it says that she is not known.
			audit.Restates("police_request", "r.id::text", "r.token", `r.id::text = said->>'jti' AND coalesce(r.senior, '') = coalesce(said#>>'{senior,act}', '')
				AND r.counselling = (r.senior IS NOT NULL) AND `+audit.EpochSQL("r.respond_by")+` = said->'respond_by'`),
			{Table: "police_decision", What: "a decision is shown to others than who asked, or before its time",
				SQL: `SELECT d.request::text, d.log_entry FROM police_decision d LEFT JOIN police_request q ON q.id = d.request
					WHERE NOT coalesce(d.issuer = q.issuer AND d.holder = q.holder AND d.respond_by = q.respond_by
					AND (d.decision = 'approved' OR d.shown_at >= q.respond_by), false)`},
			{Table: "police_text", What: "what was asked in words is gone, or is another's",
				SQL: `SELECT q.id::text, q.log_entry FROM police_request q LEFT JOIN police_text x ON x.request = q.id
					WHERE NOT coalesce(x.issuer = q.issuer AND x.holder = q.holder
					AND audit_payload(q.token)->>'sealed' = ` + audit.DigestSQL("x.sealed") + `, false)`},
			{Table: "police_reason", What: "why it was decided is gone, or is another's",
				SQL: `SELECT d.request::text, d.log_entry FROM police_decision d LEFT JOIN police_reason x ON x.request = d.request
					WHERE NOT coalesce(x.holder = d.holder AND audit_payload(d.token)->>'sealed' = ` + audit.DigestSQL("x.sealed") + `, false)`},
		},
	}
}
