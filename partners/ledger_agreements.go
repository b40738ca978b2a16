package partners

import "handover/audit"

// agreementRows declares what two agencies agree. A direction in force that both signed goes by
// the entry of the answer, and then by that of its end; one that nobody signed, by the operator's.
func agreementRows() []audit.Rows {
	of, terms := audit.Say{Member: "target", Row: "r.agreement"}, audit.Say{Member: "target", Row: "r.terms"}
	step := func(act, step string, says ...audit.Say) audit.Kind {
		return audit.Kind{Acts: []string{act}, Stands: `r.step = '` + step + `'`, Is: of, Every: audit.Exactly,
			Says: append(says, audit.Say{Member: "partner", Row: "r.partner"},
				audit.Say{Member: "other", Row: "CASE r.partner WHEN r.proposer THEN r.other ELSE r.proposer END"})}
	}
	digest, token := audit.Say{Member: "digest", Row: "r.digest"}, audit.Say{Member: "digest", Row: audit.DigestSQL("r.token")}
	return []audit.Rows{
		{Table: "agreement", Key: "r.id::text", Kinds: []audit.Kind{
			{Acts: []string{"agreement.add"}, Stands: `r.ended_at IS NULL AND r.terms IS NULL`, Is: audit.Say{Member: "target", Row: "r.id"}, Every: audit.Found,
				Says: []audit.Say{{Member: "other", Row: "r.recipient"}, {Member: "digest", Row: termsSQL}}},
			{Acts: []string{"agreement.end"}, Stands: `r.ended_at IS NOT NULL`, Is: audit.Say{Member: "target", Row: "r.id"}, Every: audit.Exactly},
			{Acts: []string{"agreement.sign"}, Stands: `r.ended_at IS NULL`, Is: terms},
			{Acts: []string{"agreement.close", "agreement.supersede"}, Stands: `r.ended_at IS NOT NULL`, Is: terms},
		}},
		{Table: "signed_agreement", Key: "r.id::text", Kinds: []audit.Kind{
			{Acts: []string{"agreement.propose"}, Is: audit.Say{Member: "target", Row: "r.id"}, Every: audit.Exactly, Says: []audit.Say{digest, token,
				{Member: "partner", Row: "r.proposer"}, {Member: "other", Row: "r.other"}}},
		}},
		{Table: "signed_agreement_step", Key: "r.agreement || ' ' || r.kind", Kinds: []audit.Kind{
			step("agreement.sign", "signed", digest, token), step("agreement.refuse", "refused", digest, token),
			step("agreement.close", "ended", digest, token), step("agreement.supersede", "superseded"),
		}},
	}
}

// waySQL is what a signed proposal, in said, lets the sender of w send.
const waySQL = `CASE w.sender WHEN said->>'iss' THEN said->'sends' WHEN said->>'other' THEN said->'receives' END`

// agreementPairs hold what packets pass by against what was signed: whoever widens an agreement
// in the database, brings one in that nobody signed, or lets one go on that ended is found.
func agreementPairs() []audit.Pair {
	return []audit.Pair{
		audit.Restates("signed_agreement", "r.id::text", "r.token", `r.id::text = said->>'jti' AND r.proposer = said->>'iss' AND r.other = said->>'other'
			AND r.version = (said->>'version')::int AND coalesce(r.supersedes::text, '') = coalesce(said->>'supersedes', '')
			AND `+audit.EpochSQL("r.valid_from")+` = said->'valid_from' AND `+audit.EpochSQL("r.valid_to")+` = said->'valid_to'
			AND `+audit.EpochSQL("r.review_at")+` = said->'review_at'`),
		{Table: "signed_agreement_way", What: "a way says otherwise than the signed proposal", SQL: `
			SELECT w.agreement || ' ' || w.sender, a.log_entry FROM signed_agreement_way w JOIN signed_agreement a ON a.id = w.agreement
			CROSS JOIN LATERAL (SELECT audit_payload(a.token) AS said OFFSET 0) b
			WHERE NOT coalesce(to_jsonb(w.purposes) = ` + waySQL + `->'purposes' AND to_jsonb(w.sections) = ` + waySQL + `->'sections', false)`},
		{Table: "signed_agreement_way", What: "a way of the signed proposal is gone", SQL: `
			SELECT a.id::text, a.log_entry FROM signed_agreement a CROSS JOIN LATERAL (SELECT audit_payload(a.token) AS said OFFSET 0) b
			WHERE (SELECT count(*) FROM signed_agreement_way w WHERE w.agreement = a.id) <> (said ? 'sends')::int + (said ? 'receives')::int`},
		audit.Restates("signed_agreement_step", "r.agreement || ' ' || r.kind", "r.token", `r.step = 'superseded' OR r.agreement::text = said->>'of'
			AND r.partner = said->>'iss' AND r.step = coalesce(said->>'answer', 'ended')`),
		{Table: "agreement", What: "a direction is in force otherwise than both signed", SQL: `
			SELECT g.id::text, g.log_entry FROM agreement g WHERE g.terms IS NOT NULL AND NOT EXISTS (
				SELECT FROM signed_agreement a JOIN signed_agreement_way w ON w.agreement = a.id JOIN signed_agreement_step s ON s.agreement = a.id
				WHERE a.id = g.terms AND s.step = 'signed' AND w.sender = g.sender AND w.recipient = g.recipient AND w.purposes = g.purposes
				AND w.sections = g.sections AND a.valid_from = g.valid_from AND a.valid_to = g.valid_to)`},
		{Table: "agreement", What: "a direction goes on that has ended, or there is none that both signed", SQL: `
			SELECT w.agreement || ' ' || w.sender, s.log_entry FROM signed_agreement_way w JOIN signed_agreement_step s ON s.agreement = w.agreement
			WHERE s.step = 'signed' AND 1 <> (SELECT count(*) FROM agreement g WHERE g.terms = w.agreement AND g.sender = w.sender AND (g.ended_at IS NOT NULL
				OR NOT EXISTS (SELECT FROM signed_agreement_step e WHERE e.agreement = w.agreement AND e.kind = 'end')))`},
	}
}
