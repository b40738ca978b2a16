package referral

import (
	"slices"

	"handover/audit"
	"handover/audit/proof"
	"handover/referral/packet"
)

// Ledger declares which rows of referrals and of what follows a withdrawal stand for which
// entries of the log.
func Ledger() audit.Ledger {
	return audit.Ledger{
		Rows: slices.Concat(packetRows(), releaseRows(), aftermathRows(), draftRows(), holdingRows()),
		Alone: []string{
			"referral.list", "referral.read", "referral.held", "referral.release", "recall.list", "consent.ending", "consent.holders", "key.touched",
			"section.destroy", "attachment.forget", "draft.open", "draft.drop",
			"consent.list", "referral.hers",
		},
		Pairs: append(statementPairs(), []audit.Pair{
			{Table: "referral", What: "a referral stands otherwise than its newest packet says",
				SQL: `SELECT f.id, p.log_entry FROM referral f LEFT JOIN packet p ON p.digest = f.head AND p.referral = f.seq WHERE p.state IS DISTINCT FROM f.state`},
			{Table: "delivery", What: "a packet is said not to have been opened of which something was released",
				SQL: `SELECT d.packet::text, x.log_entry FROM delivery d JOIN release x ON x.packet = d.packet AND x.reader = d.audience WHERE d.state <> 'opened'`},
			{Table: "release", What: "the rows of a release are other sections than its entry says",
				SQL: `SELECT e.id::text, e.id FROM audit_entry e JOIN LATERAL (
					SELECT array_agg(r.name ORDER BY r.name COLLATE "C") AS names FROM release r WHERE r.log_entry = e.id) x ON true
					WHERE e.act IN ('section.open', 'section.read', 'copy.open', 'copy.read') AND e.body IS NOT NULL
					AND to_jsonb(x.names) IS DISTINCT FROM audit_said(e.body)->'sections'`},
		}...),
	}
}

// ofPacket joins the packet that a row belongs to, as p.
const ofPacket = `LEFT JOIN packet p ON p.seq = r.packet`

// stepActs are the acts of packets.
func stepActs() []string {
	var acts []string
	for _, e := range packet.Events() {
		acts = append(acts, "referral."+string(e))
	}
	return acts
}

func packetRows() []audit.Rows {
	envelope := audit.Say{Member: "envelope", Row: "r.digest"}
	return []audit.Rows{
		{Table: "packet", Key: "r.seq::text", Join: `LEFT JOIN referral f ON f.seq = r.referral`, Kinds: []audit.Kind{{Acts: stepActs(), Is: envelope,
			// A step of the hub's own names the record whose withdrawal it follows, and rests on none.
			Agrees: `strpos(r.issuer, ':') > 0 OR coalesce(said->>'consent', '') = coalesce(r.consent::text, '')`,
			Every:  audit.Exactly, Says: []audit.Say{
				{Member: "envelope", Row: audit.DigestSQL("r.envelope")}, {Member: "act", Row: "'referral.' || r.event"}, {Member: "event", Row: "r.event"},
				{Member: "referral", Row: "f.id"}, {Member: "state", Row: "r.state"}, {Member: "override", Row: "r.override_id"}, {Member: "other", Row: "r.audience"},
				{Member: "partner", Row: "CASE WHEN strpos(r.issuer, ':') > 0 THEN '' ELSE r.issuer END"}, // the hub's own step is nobody's
			}}}},
		{Table: "delivery", Key: "r.packet::text", Join: ofPacket, Before: `r.state = 'stored'`, Kinds: []audit.Kind{
			{Acts: []string{"packet.deliver"}, Stands: `r.state = 'delivered'`, Is: audit.Say{Member: "envelope", Row: "p.digest"},
				By: audit.Say{Member: "envelope", Row: "CASE WHEN r.state <> 'stored' THEN p.digest END"}, Every: audit.Found,
				Says: []audit.Say{{Member: "partner", Row: "r.audience"}}},
			{Acts: []string{"section.open", "section.read"}, Stands: `r.state = 'opened'`, Is: audit.Say{Member: "envelope", Row: "p.digest"},
				Says: []audit.Say{{Member: "partner", Row: "r.audience"}}},
		}},
	}
}

func releaseRows() []audit.Rows {
	return []audit.Rows{
		{Table: "release", Key: "r.packet || ' ' || r.name", Join: ofPacket, Kinds: []audit.Kind{
			{Acts: []string{"section.open", "section.read"}, Stands: `r.reader = p.audience`, Agrees: `said->'sections' ? r.name`,
				Is: audit.Say{Member: "envelope", Row: "p.digest"}, Every: audit.Several,
				Says: []audit.Say{{Member: "partner", Row: "r.reader"}, {Member: "user", Row: "r.actor"}}},
			{Acts: []string{"copy.open", "copy.read"}, Stands: `r.reader = p.issuer`, Agrees: `said->'sections' ? r.name`,
				Is: audit.Say{Member: "envelope", Row: "p.digest"}, Every: audit.Several,
				Says: []audit.Say{{Member: "partner", Row: "r.reader"}, {Member: "user", Row: "r.actor"}}},
		}},
		{Table: "attachment", Key: "r.jti || ' ' || r.name", Join: ofPacket, Kinds: []audit.Kind{
			{Acts: []string{"attachment.begin"}, Stands: `r.packet IS NULL`, Agrees: `said->'sections' ? r.name`, Is: audit.Say{Member: "target", Row: "r.jti"},
				Says: []audit.Say{{Member: "partner", Row: "r.issuer"}}, Every: audit.GoneRows, Gone: "what no packet names in a day is forgotten, with an entry that says so"},
			{Acts: stepActs(), Stands: `r.packet IS NOT NULL`, Agrees: `said->'sections' ? r.name`, Is: audit.Say{Member: "envelope", Row: "p.digest"}},
		}},
	}
}

func aftermathRows() []audit.Rows {
	id := audit.Say{Member: "target", Row: "r.id"}
	return []audit.Rows{
		{Table: "consent_aftermath", Key: "r.consent::text", Kinds: []audit.Kind{
			{Acts: []string{"consent.withdraw"}, Stands: `r.done_at IS NULL`, Is: audit.Say{Member: "consent", Row: "r.consent"}},
			{Acts: []string{"consent.followed"}, Stands: `r.done_at IS NOT NULL`, Is: audit.Say{Member: "consent", Row: "r.consent"}, Every: audit.Exactly},
		}},
		{Table: "recall", Key: "r.id::text", Moves: true, Kinds: []audit.Kind{
			{Acts: []string{"recall.asked"}, Stands: `r.answer IS NULL`, Is: id, Every: audit.Found,
				Says: []audit.Say{{Member: "consent", Row: "r.consent"}, {Member: "other", Row: "r.partner"}, {Member: "reason", Row: "r.kind"}}},
			{Acts: []string{"recall.answered"}, Stands: `r.answer IS NOT NULL`, Is: id, Every: audit.Found,
				Says: []audit.Say{{Member: "consent", Row: "r.consent"}, {Member: "partner", Row: "r.partner"}, {Member: "state", Row: "r.answer"},
					{Member: "digest", Row: "r.statement_digest"}, {Member: "digest", Row: audit.DigestSQL("r.statement")}}},
		}},
		{Table: "hub_key", Key: "r.kid", Kinds: []audit.Kind{{Acts: []string{proof.HubKey}, Is: audit.Say{Member: "digest", Row: "r.kid"}, Every: audit.Exactly}}},
	}
}

func holdingRows() []audit.Rows {
	kind := func(act string) audit.Kind {
		return audit.Kind{Acts: []string{act}, Is: audit.Say{Member: "referral", Row: "f.id"}, Every: audit.GoneRows,
			Gone: "a holding goes when it is given up or on, or its referral ends",
			Says: []audit.Say{{Member: "partner", Row: "r.partner"}, {Member: "user", Row: "r.given_by"}, {Member: "target", Row: "r.holder"}}}
	}
	return []audit.Rows{{Table: "referral_holding", Key: "r.referral || ' ' || r.partner", Join: `LEFT JOIN referral f ON f.seq = r.referral`,
		Kinds: []audit.Kind{kind("referral.claim"), kind("referral.assign")}}}
}
