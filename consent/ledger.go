package consent

import "handover/audit"

// Ledger declares which rows of consent records, overrides and nevers stand for which entries
// of the log.
func Ledger() audit.Ledger {
	return audit.Ledger{
		Rows:  append(recordRows(), append(overrideRows(), neverRows()...)...),
		Alone: []string{"consent.read", "override.read", "override.list", "never.list", "key.signed", "consent.waiting"},
		Pairs: append(statementPairs(), audit.Pair{Table: "consent_state", What: "a record stands otherwise than the manager's decision about it",
			SQL: `SELECT s.id::text, v.log_entry FROM consent_review v JOIN audit_entry e ON e.id = v.log_entry JOIN consent_state s ON s.id = v.id
				WHERE audit_said(e.body)->>'state' IS DISTINCT FROM s.review`}),
	}
}

// signed are the digests of a statement, as its row has it and as its text gives it.
func signed(digest, token string) []audit.Say {
	return []audit.Say{{Member: "digest", Row: digest}, {Member: "digest", Row: audit.DigestSQL(token)}}
}

func recordRows() []audit.Rows {
	id := audit.Say{Member: "consent", Row: "r.id"}
	return []audit.Rows{
		{Table: "consent", Key: "r.id::text", Kinds: []audit.Kind{{Acts: []string{"consent.record"}, Is: id, Every: audit.Exactly,
			Says: append(signed("r.digest", "r.token"), audit.Say{Member: "partner", Row: "r.recorder"}, audit.Say{Member: "state", Row: "r.agreement"},
				audit.Say{Member: "subject", Row: "r.subject", Older: true})}}},
		{Table: "consent_state", Key: "r.id::text", Kinds: []audit.Kind{
			{Acts: []string{"consent.record"}, Stands: `r.withdrawn_at IS NULL`, Is: id},
			{Acts: []string{"consent.withdraw"}, Stands: `r.withdrawn_at IS NOT NULL`, Is: id, Every: audit.Exactly,
				Says: append(signed("r.withdrawal_digest", "r.withdrawal"), audit.Say{Member: "partner", Row: "r.withdrawn_by"})},
		}},
		{Table: "consent_review", Key: "r.id::text", Kinds: []audit.Kind{{Acts: []string{"consent.review"}, Is: id, Every: audit.Exactly,
			Says: append(signed("r.digest", "r.token"), audit.Say{Member: "partner", Row: "r.recorder"})}}},
	}
}

func overrideRows() []audit.Rows {
	id := audit.Say{Member: "override", Row: "r.id"}
	step := func(kind string) audit.Kind {
		return audit.Kind{Acts: []string{"override." + kind}, Stands: `r.kind = '` + kind + `'`, Every: audit.Exactly,
			Is: audit.Say{Member: "override", Row: "r.override"}, Says: append(signed("r.digest", "r.token"), audit.Say{Member: "partner", Row: "r.recorder"})}
	}
	return []audit.Rows{
		{Table: "consent_override", Key: "r.id::text", Kinds: []audit.Kind{{Acts: []string{"override.propose"}, Is: id, Every: audit.Exactly,
			Says: append(signed("r.digest", "r.token"), audit.Say{Member: "partner", Row: "r.recorder"}, audit.Say{Member: "subject", Row: "r.subject", Older: true})}}},
		{Table: "consent_override_state", Key: "r.id::text", Moves: true, Kinds: []audit.Kind{
			{Acts: []string{"override.propose"}, Stands: `r.decision = 'proposed' AND r.lapsed_at IS NULL AND r.ended_at IS NULL`, Is: id,
				Says: []audit.Say{{Member: "reason", Row: "r.reason"}}},
			{Acts: []string{"override.decision"}, Stands: `r.decided_at IS NOT NULL`, Is: id},
			{Acts: []string{"override.review"}, Stands: `r.decided_at IS NOT NULL OR r.ended_at IS NOT NULL`, Is: id},
			{Acts: []string{"override.lapsed"}, Stands: `r.lapsed_at IS NOT NULL`, Is: id,
				By: audit.Say{Member: "override", Row: "CASE WHEN r.lapsed_at IS NOT NULL THEN r.id END"}, Every: audit.Found},
		}},
		{Table: "consent_override_step", Key: "r.id::text", Kinds: []audit.Kind{step("decision"), step("review")}},
	}
}

func neverRows() []audit.Rows {
	id := audit.Say{Member: "target", Row: "r.id"}
	return []audit.Rows{
		{Table: "consent_never", Key: "r.id::text", Kinds: []audit.Kind{{Acts: []string{"never.record"}, Is: id, Every: audit.Exactly,
			Says: append(signed("r.digest", "r.token"), audit.Say{Member: "partner", Row: "r.recorder"})}}},
		{Table: "consent_never_state", Key: "r.id::text", Kinds: []audit.Kind{
			{Acts: []string{"never.record"}, Stands: `r.lifted_at IS NULL`, Is: id},
			{Acts: []string{"never.lift"}, Stands: `r.lifted_at IS NOT NULL`, Is: id, Every: audit.Exactly, Says: signed("r.lift_digest", "r.lift")},
		}},
	}
}
