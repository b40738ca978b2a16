package partners

import (
	"slices"
	"strconv"
	"strings"

	"handover/audit"
	"handover/internal/ids"
)

// The entry's party: an agency's own act, or the operator's that names it.
const party = `coalesce(said->>'partner', said->>'other') = r.partner`

// termsSQL is terms in SQL.
var termsSQL = audit.DigestSQL(`r.sender || E'\n' || r.recipient || E'\n' || array_to_string(r.purposes, ',') || E'\n' || array_to_string(r.sections, ',')
	|| E'\n' || trunc(extract(epoch FROM r.valid_from) * 1000000) || E'\n' || trunc(extract(epoch FROM r.valid_to) * 1000000)`)

// terms is the digest of what an agreement says, as its entry in the log has it: whoever widens
// one in the database is found by it.
func (a Agreement) terms() string {
	return ids.Digest(strings.Join([]string{string(a.Sender), string(a.Recipient), strings.Join(a.Purposes, ","), strings.Join(a.Sections, ","),
		strconv.FormatInt(a.From.UnixMicro(), 10), strconv.FormatInt(a.To.UnixMicro(), 10)}, "\n"))
}

// thumbprintSQL is what the thumbprint of a public JWK is the digest of (RFC 7638 §3.2), in SQL.
const thumbprintSQL = `CASE b.jwk->>'kty'
	WHEN 'OKP' THEN format('{"crv":"%s","kty":"OKP","x":"%s"}', b.jwk->>'crv', b.jwk->>'x')
	WHEN 'EC' THEN format('{"crv":"%s","kty":"EC","x":"%s","y":"%s"}', b.jwk->>'crv', b.jwk->>'x', b.jwk->>'y')
	WHEN 'RSA' THEN format('{"e":"%s","kty":"RSA","n":"%s"}', b.jwk->>'e', b.jwk->>'n') END`

// Ledger declares which rows of agencies, people, systems and keys stand for which entries of
// the log.
func Ledger() audit.Ledger {
	return audit.Ledger{
		Rows: slices.Concat(directoryRows(), agreementRows(), peopleRows(), keyRows()),
		Alone: []string{
			"key.rotate", "key.revoke", // each change that they make has an entry of its own
			"custody.offer",
		},
		Pairs: append(agreementPairs(), []audit.Pair{
			{Table: "partner", What: "an agency is of another kind than it was added as",
				SQL: `SELECT p.id, e.id FROM audit_entry e CROSS JOIN LATERAL (SELECT audit_said(e.body) AS said OFFSET 0) b
					JOIN partner p ON p.id = said->>'target' WHERE e.act = 'partner.add' AND said ? 'reason' AND said->>'reason' <> p.category`},
			{Table: "service", What: "there are more or fewer services than were listed",
				SQL: `SELECT 'all', NULL::uuid WHERE (SELECT count(*) FROM service) <> (SELECT count(*) FROM audit_entry WHERE act IN ('service.offer', 'service.add'))`},
			{Table: "partner_key", What: "a key that was added is gone",
				SQL: `SELECT c.partner || ' ' || c.kid, c.log_entry FROM partner_key_change c WHERE c.change = 'added'
					AND NOT EXISTS (SELECT FROM partner_key k WHERE k.partner = c.partner AND k.kid = c.kid)`},
			{Table: "partner_key", What: "a key is not the one that its id names",
				SQL: `SELECT k.partner || ' ' || k.kid, k.log_entry FROM partner_key k CROSS JOIN LATERAL (SELECT audit_said(convert_to(k.jwk, 'UTF8')) AS jwk OFFSET 0) b
					WHERE k.kid IS DISTINCT FROM k.thumbprint OR k.kid IS DISTINCT FROM ` + audit.DigestSQL(thumbprintSQL)},
		}...),
	}
}

func directoryRows() []audit.Rows {
	return []audit.Rows{
		{Table: "partner", Key: "r.id", Moves: true, Kinds: []audit.Kind{
			{Acts: []string{"partner.add"}, Stands: `r.status = 'invited'`, Is: audit.Say{Member: "target", Row: "r.id"}, Every: audit.Found},
			{Acts: []string{"partner.suspend"}, Stands: `r.status = 'suspended'`, Is: audit.Say{Member: "target", Row: "r.id"}, Every: audit.Found},
			{Acts: []string{"partner.resume"}, Stands: `r.status IN ('active', 'invited')`, Is: audit.Say{Member: "target", Row: "r.id"}, Every: audit.Found},
			{Acts: []string{"partner.enrol"}, Stands: `r.status = 'active'`, Is: audit.Say{Member: "partner", Row: "r.id"}, Every: audit.Found},
			{Acts: []string{"partner.manage"}, Stands: `r.status = 'active'`, Is: audit.Say{Member: "other", Row: "r.id"}, Every: audit.Found},
		}},
		{Table: "invitation", Key: "r.partner", Kinds: []audit.Kind{
			{Acts: []string{"partner.invite"}, Is: audit.Say{Member: "target", Row: "r.partner"}, Every: audit.Exactly}}},
		{Table: "service", Key: "r.id::text", Moves: true, Kinds: []audit.Kind{
			{Acts: []string{"service.offer"}, Is: audit.Say{Member: "target", Row: "r.partner"}, Every: audit.Found},
			{Acts: []string{"service.add"}, Agrees: party, Is: audit.Say{Member: "target", Row: "r.id"}, Every: audit.Found},
			{Acts: []string{"service.change"}, Agrees: party + ` AND said->>'reason' = r.status`, Is: audit.Say{Member: "target", Row: "r.id"}, Every: audit.Found},
			{Acts: []string{"service.capacity"}, Agrees: party + ` AND said->>'reason' = r.capacity`, Is: audit.Say{Member: "target", Row: "r.id"}, Every: audit.Found},
		}},
		{Table: "partner_client", Key: "r.id", Moves: true, Kinds: []audit.Kind{
			{Acts: []string{"partner.enrol", "custody.take"}, Stands: `r.active`, Agrees: party, Is: audit.Say{Member: "client", Row: "r.id"}},
			{Acts: []string{"client.register", "client.resume"}, Stands: `r.active`, Agrees: party, Is: audit.Say{Member: "target", Row: "r.id"}, Every: audit.Found},
			{Acts: []string{"client.suspend"}, Stands: `NOT r.active`, Agrees: party, Is: audit.Say{Member: "target", Row: "r.id"}, Every: audit.Found},
		}},
		{Table: "client_invitation", Key: "r.partner || ' ' || r.invited_at", Kinds: []audit.Kind{
			{Acts: []string{"client.invite"}, Is: audit.Say{Member: "user", Row: "r.invited_by"}, Says: []audit.Say{{Member: "partner", Row: "r.partner"}}, Every: audit.Exactly}}},
	}
}

func peopleRows() []audit.Rows {
	target, user := audit.Say{Member: "target", Row: "r.id"}, audit.Say{Member: "user", Row: "r.id"}
	role := `coalesce(said->>'reason', r.role) = r.role`
	return []audit.Rows{
		{Table: "partner_user", Key: "r.id::text", Moves: true, Kinds: []audit.Kind{
			{Acts: []string{"user.add"}, Stands: `r.status = 'invited'`, Agrees: party + ` AND ` + role, Is: target, Every: audit.Found},
			{Acts: []string{"user.role"}, Stands: `r.status <> 'removed'`, Agrees: party + ` AND ` + role, Is: target, Every: audit.Found},
			{Acts: []string{"user.recover"}, Stands: `r.status IN ('invited', 'active')`, Agrees: party, Is: target, Every: audit.Found},
			{Acts: []string{"user.suspend"}, Stands: `r.status = 'suspended'`, Agrees: party, Is: target, Every: audit.Found},
			{Acts: []string{"user.resume"}, Stands: `r.status = 'active'`, Agrees: party, Is: target, Every: audit.Found},
			{Acts: []string{"user.remove"}, Stands: `r.status = 'removed'`, Agrees: party, Is: target, Every: audit.Found},
			{Acts: []string{"user.signout-all"}, Stands: `r.status <> 'removed' AND r.signed_out_at > '-infinity'`, Agrees: party, Is: target, Every: audit.Found},
			{Acts: []string{"user.arrive"}, Stands: `r.status = 'active'`, Agrees: party + ` AND ` + role, Is: user, Every: audit.Found},
			{Acts: []string{"user.enrol", "user.recovered"}, Stands: `r.status = 'active'`, Agrees: party, Is: user, Every: audit.Found},
		}},
		{Table: "user_link", Key: "r.user_id || ' ' || r.expires_at", Kinds: []audit.Kind{
			{Acts: []string{"user.add", "user.recover"}, Agrees: party, Is: audit.Say{Member: "target", Row: "r.user_id"}},
			{Acts: []string{"user.link"}, Agrees: party, Is: audit.Say{Member: "target", Row: "r.user_id"}, Every: audit.GoneRows,
				Gone: "a link that was not used goes when another takes its place, or its person is suspended"},
		}},
	}
}

func keyRows() []audit.Rows {
	kid := audit.Say{Member: "key.kid", Row: "r.kid"}
	until := `audit_time(said #>> '{key,until}') = r.not_after AND audit_time(said #>> '{key,from}') = r.not_before AND said->>'partner' = r.partner AND said #>> '{key,use}' = r.use
		AND coalesce(said #>> '{key,client}', '') = coalesce(r.client, '')`
	change := func(act, change string) audit.Kind {
		return audit.Kind{Acts: []string{act}, Stands: `r.change = '` + change + `'`, Is: kid, Every: audit.Exactly,
			Says: []audit.Say{{Member: "partner", Row: "r.partner"}, {Member: "key.position", Row: "r.position"},
				{Member: "key.statement", Row: audit.DigestSQL("r.statement")}}}
	}
	move := audit.Say{Member: "target", Row: "r.id"}
	overtaken := `(said->>'target' = r.id::text OR r.done_at IS NOT NULL) AND ` + party
	return []audit.Rows{
		{Table: "partner_key", Key: "r.partner || ' ' || r.kid", Moves: true, Kinds: []audit.Kind{
			{Acts: []string{"key.added"}, Stands: `r.revoked_at IS NULL`, Is: kid,
				Agrees: until + ` AND coalesce(said #>> '{key,custody}', 'partner') = r.custody`},
			{Acts: []string{"key.ended"}, Stands: `r.revoked_at IS NULL`, Is: kid, Agrees: until},
			{Acts: []string{"key.revoked"}, Stands: `r.revoked_at IS NOT NULL`, Is: kid, Agrees: until},
		}},
		{Table: "partner_key_change", Key: "r.partner || ' ' || r.position", Kinds: []audit.Kind{
			change("key.added", "added"), change("key.ended", "ended"), change("key.revoked", "revoked")}},
		{Table: "managed_key", Key: "r.partner || ' ' || r.kid", Kinds: []audit.Kind{
			{Acts: []string{"partner.manage", "custody.moved"}, Agrees: party},
			{Acts: []string{"partner.renew"}, Agrees: party, Every: audit.GoneRows, Gone: "the hub destroys what it held when an agency takes its keys"},
		}},
		{Table: "custody_move", Key: "r.id::text", Kinds: []audit.Kind{
			{Acts: []string{"custody.begin"}, Agrees: party, Every: audit.GoneRows, Gone: "the row goes on to the entry of what ends the move"},
			{Acts: []string{"custody.take"}, Stands: `r.taken_at IS NOT NULL OR r.done_at IS NOT NULL`, Agrees: overtaken, By: move, Every: audit.Found},
			{Acts: []string{"custody.handover"}, Stands: `r.handed IS NOT NULL`, Is: move, Every: audit.Found},
			{Acts: []string{"custody.moved"}, Stands: `r.done_at IS NOT NULL`, Agrees: overtaken, By: move, Every: audit.Found},
		}},
	}
}
