package referral

import "handover/audit"

// statementPairs hold what the hub decides by, and whom it shows something, against the
// envelopes that were signed.
func statementPairs() []audit.Pair {
	return []audit.Pair{
		audit.Restates("packet", "r.seq::text", "r.envelope", `r.jti::text = said->>'jti' AND r.issuer = said->>'iss' AND r.audience = said->>'aud'
			AND `+audit.EpochSQL("r.expires_at")+` = said->'exp'`),
		{Table: "referral", What: "a row says otherwise than the signed request that it began with",
			SQL: `SELECT f.id, p.log_entry FROM referral f LEFT JOIN packet p ON p.referral = f.seq AND p.digest = f.id
				CROSS JOIN LATERAL (SELECT audit_payload(p.envelope) AS said OFFSET 0) b
				WHERE NOT coalesce(f.sender = said->>'iss' AND f.recipient = said->>'aud' AND f.subject = said->>'sub' AND f.purpose = said->>'purpose'
				AND f.urgency = said->>'urgency' AND f.service = said->>'service' AND f.area = said->>'area'
				AND f.onward_from IS NOT DISTINCT FROM said->>'onward_from', false)`},
		// Of its own step the hub shows the sender how far it has come.
		{Table: "delivery", What: "a packet is not shown to those whom it is between",
			SQL: `SELECT p.seq::text, p.log_entry FROM packet p JOIN referral f ON f.seq = p.referral LEFT JOIN delivery d ON d.packet = p.seq
				WHERE NOT coalesce(d.referral = p.referral AND d.audience = p.audience
				AND d.issuer = CASE WHEN strpos(p.issuer, ':') > 0 THEN f.sender ELSE p.issuer END, false)`},
		{Table: "section", What: "a section is not the one that its envelope has sealed",
			SQL: `SELECT s.packet || ' ' || s.name, p.log_entry FROM section s LEFT JOIN packet p ON p.seq = s.packet
				CROSS JOIN LATERAL (SELECT audit_payload(p.envelope) AS said OFFSET 0) b
				WHERE NOT coalesce(s.issuer = p.issuer AND s.audience = p.audience
				AND said #>> ARRAY['sections', s.name, 'ct'] = ` + audit.DigestSQL("s.sealed") + `, false)`},
		{Table: "section", What: "a section that was sent is gone, and nothing says that it was destroyed",
			SQL: `SELECT p.seq || ' ' || x.name, p.log_entry FROM packet p
				CROSS JOIN LATERAL (SELECT audit_payload(p.envelope)->'sections' AS sections OFFSET 0) b
				CROSS JOIN LATERAL jsonb_object_keys(CASE WHEN jsonb_typeof(sections) = 'object' THEN sections ELSE '{}' END) AS x(name)
				WHERE NOT starts_with(x.name, 'attachment-') AND NOT EXISTS (SELECT FROM section s WHERE s.packet = p.seq AND s.name = x.name)
				AND NOT EXISTS (SELECT FROM packet w WHERE w.referral = p.referral AND w.event = 'withdraw')
				AND NOT EXISTS (SELECT FROM referral f JOIN audit_entry e ON e.referral = f.id AND e.act = 'section.destroy'
					WHERE f.seq = p.referral AND (e.body IS NULL OR audit_said(e.body)->>'envelope' = p.digest))`},
	}
}
