package consent

import "handover/audit"

// statementPairs hold what the hub decides by against what was signed: the columns of records,
// overrides and nevers, and where they stand after what managers stated.
func statementPairs() []audit.Pair {
	return append(recordPairs(), append(overridePairs(), neverPairs()...)...)
}

func recordPairs() []audit.Pair {
	return []audit.Pair{
		audit.Restates("consent", "r.id::text", "r.token", `r.id::text = said->>'jti' AND r.purpose = said->>'purpose'
			AND to_jsonb(r.recipients) = said->'recipients' AND to_jsonb(r.sections) = said->'sections'
			AND to_jsonb(r.withheld) = coalesce(said->'withheld', '[]') AND r.onward = said->>'onward'
			AND r.authority = coalesce(said#>>'{gate,authority}', '') AND `+audit.EpochSQL("r.given_at")+` = said->'given_at'
			AND `+audit.EpochSQL("r.valid_from")+` = said->'valid_from' AND `+audit.EpochSQL("r.expires_at")+` = said->'expires_at'
			AND CASE WHEN said ? 'supersedes' THEN EXISTS (SELECT FROM consent b
				WHERE b.id::text = said->>'supersedes' AND b.chain = r.chain AND b.place = r.place - 1) ELSE r.place = 0 AND r.chain = r.id END`),
		{Table: "consent_state", What: "how many records came later is not what the row says",
			SQL: `SELECT c.id::text, c.log_entry FROM consent c LEFT JOIN consent_state s ON s.id = c.id
				WHERE s.successors IS DISTINCT FROM (SELECT count(*) FROM consent n WHERE n.chain = c.chain AND n.place > c.place)`},
		{Table: "consent_state", What: "a record stands otherwise than what was decided about it",
			SQL: `SELECT s.id::text, s.log_entry FROM consent_state s LEFT JOIN consent_review v ON v.id = s.id
				WHERE (s.review IN ('stands', 'does-not-stand')) <> (v.id IS NOT NULL)
				OR v.id IS NOT NULL AND (s.review = 'stands') IS DISTINCT FROM (audit_payload(v.token)->>'decision' = 'approved')`},
		{Table: "consent_aftermath", What: "she took her yes back, and nothing is set to follow from it",
			SQL: `SELECT s.id::text, s.log_entry FROM consent_state s WHERE s.withdrawn_at IS NOT NULL AND NOT EXISTS (
				SELECT FROM consent_aftermath a WHERE a.consent = s.id)`},
		{Table: "consent_private", What: "how she was asked is not what the record binds",
			SQL: `SELECT c.id::text, c.log_entry FROM consent c LEFT JOIN consent_private p ON p.id = c.id AND p.recorder = c.recorder
				CROSS JOIN LATERAL (SELECT audit_payload(c.token) AS said OFFSET 0) b
				WHERE said->>'circumstances' IS DISTINCT FROM ` + audit.DigestSQL("nullif(p.circumstances, '')")},
		{Table: "consent_state", What: "a record counts of which a manager has to say first whether it stands",
			SQL: `SELECT s.id::text, s.log_entry FROM consent_state s JOIN consent c ON c.id = s.id JOIN consent_private p ON p.id = s.id
				CROSS JOIN LATERAL (SELECT audit_payload('.' || p.circumstances) AS asked OFFSET 0) b
				WHERE s.review = 'not-needed' AND c.agreement IN ('agreed', 'lacks-capacity-best-interests')
				AND (asked->>'coercion' <> 'none' OR asked->>'capacity' NOT IN ('presumed', 'has'))`},
	}
}

func overridePairs() []audit.Pair {
	return []audit.Pair{
		audit.Restates("consent_override", "r.id::text", "r.token", `r.id::text = said->>'jti' AND r.recipient = said->>'recipient'
			AND r.proposer = said->>'act' AND r.purpose = said->>'purpose' AND r.pathway = said#>>'{gate,pathway}' AND to_jsonb(r.sections) = said->'sections'
			AND `+audit.EpochSQL("r.valid_from")+` = said->'valid_from' AND `+audit.EpochSQL("r.expires_at")+` = said->'expires_at'`),
		// Its day begins when the log has it: a later time would let an emergency go on.
		{Table: "consent_override_state", What: "a row says otherwise than the signed statement that it is about",
			SQL: `SELECT o.id::text, o.log_entry FROM consent_override o LEFT JOIN consent_override_state s ON s.id = o.id
				LEFT JOIN audit_entry e ON e.id = o.log_entry CROSS JOIN LATERAL (SELECT audit_payload(o.token) AS said OFFSET 0) b
				WHERE NOT coalesce(s.recorder = o.recorder AND s.recipient = o.recipient AND s.reason = said->>'reason' AND s.agreement = said->>'agreement'
				AND to_jsonb(s.emergency) = coalesce(said->'emergency', 'false') AND s.expires_at = o.expires_at AND s.recorded_at <= e.at, false)`},
		{Table: "consent_override_state", What: "an override stands otherwise than what was stated about it",
			SQL: `SELECT s.id::text, s.log_entry FROM consent_override_state s JOIN consent_override o ON o.id = s.id
				LEFT JOIN consent_override_step d ON d.override = s.id AND d.kind = 'decision'
				CROSS JOIN LATERAL (SELECT bool_or(said->>'outcome' = 'ended') AS ended,
					(array_agg(said->'review_at' ORDER BY r.at DESC) FILTER (WHERE said->>'outcome' = 'continues'))[1] AS looked
					FROM consent_override_step r CROSS JOIN LATERAL (SELECT audit_payload(r.token) AS said OFFSET 0) b
					WHERE r.override = s.id AND r.kind = 'review') x
				WHERE s.decision IS DISTINCT FROM coalesce(audit_payload(d.token)->>'decision', 'proposed') OR s.decided_at IS DISTINCT FROM d.at
				OR (s.ended_at IS NOT NULL) IS DISTINCT FROM coalesce(x.ended, false)
				OR ` + audit.EpochSQL("s.review_at") + ` IS DISTINCT FROM coalesce(x.looked, audit_payload(o.token)->'review_at')`},
	}
}

// each is a JSON array's texts as rows of SQL; what is none has no row.
func each(array string) string {
	return `jsonb_array_elements_text(CASE WHEN jsonb_typeof(` + array + `) = 'array' THEN ` + array + ` ELSE '[]' END)`
}

func neverPairs() []audit.Pair {
	return []audit.Pair{
		{Table: "consent_never_line", What: "the lines of a never are not what it says",
			SQL: `SELECT n.id::text, n.log_entry FROM consent_never n LEFT JOIN consent_never_state s ON s.id = n.id AND s.recorder = n.recorder
				CROSS JOIN LATERAL (SELECT audit_payload(n.token) AS said OFFSET 0) b
				WHERE s.id IS NULL OR said->>'jti' IS DISTINCT FROM n.id::text
				OR (SELECT array_agg(l.subject || ' ' || l.recipient ORDER BY l.subject, l.recipient) FROM consent_never_line l
					WHERE l.never = n.id AND l.recorder = n.recorder)
				IS DISTINCT FROM (SELECT array_agg(s || ' ' || q ORDER BY s, q) FROM ` + each("said->'subjects'") + ` s, ` + each("said->'recipients'") + ` q)`},
		{Table: "consent_never_line", What: "a line of a never is of none",
			SQL: `SELECT l.never::text, NULL::uuid FROM consent_never_line l WHERE NOT EXISTS (SELECT FROM consent_never n WHERE n.id = l.never AND n.recorder = l.recorder)`},
	}
}
