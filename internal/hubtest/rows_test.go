package hubtest_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/internal/pg"
	"handover/partners"
	"handover/referral/packet"
)

// shared lists the tables that row-level security does not divide, and why it need
// not.
var shared = map[string]string{
	"audit_pending":    "ids alone; the serving role cannot read it",
	"audit_leaf":       "places of entries, by id",
	"audit_tile":       "hashes",
	"audit_checkpoint": "public",
	"audit_cosigned":   "public; the serving role has no right to it",
	"audit_succession": "public",
	"audit_reconciled": "times and numbers",
	"audit_anonymous":  "counts of strangers; the serving role has no right to it",
	"oauth_assertion":  "digests of used assertions",
	"oauth_proof":      "digests of used proofs",
	"oauth_memory":     "one time",
	"oauth_ahead":      "one time",
	"oauth_grant":      "what people let systems do, by digests: the token endpoint looks up whoever asks",
	"oauth_revoked":    "ids of tokens that count no more",
	"oauth_secret":     "wrapped by the key store",
	"managed_secret":   "wrapped by the key store",
	"oauth_ceremony":   "challenges on their way, by the digest of a browser's cookie",
	"oauth_session":    "sessions, by the digest of the cookie: it tells whose partner's session it will be",
	"webhook_cursor":   "one number; the serving role has no right to it",
	"goose_db_version": "the schema's version; the serving role has no right to it",
}

// directory lists the tables whose rows everybody reads, though not everybody may
// change them.
var directory = []string{"hub_key", "partner", "invitation", "partner_client", "partner_key", "partner_key_change", "user_link", "client_invitation", "service"}

// granted is all that the serving role may do.
const granted = `
	agreement: INSERT SELECT UPDATE(ended_at,log_entry)
	attachment: DELETE INSERT SELECT UPDATE(audience,bytes,log_entry,packet)
	attachment_chunk: INSERT SELECT
	audit_checkpoint: SELECT
	audit_entry: INSERT SELECT
	audit_leaf: SELECT
	audit_pending: INSERT
	audit_reconciled: SELECT
	audit_succession: SELECT
	audit_tile: SELECT
	client_invitation: INSERT SELECT UPDATE(used_at)
	consent: INSERT SELECT
	consent_aftermath: SELECT
	consent_never: INSERT SELECT
	consent_never_line: INSERT SELECT
	consent_never_state: INSERT SELECT UPDATE(lift,lift_digest,lifted_at,log_entry)
	consent_override: INSERT SELECT
	consent_override_private: INSERT SELECT
	consent_override_state: INSERT SELECT UPDATE(decided_at,decision,ended_at,lapsed_at,log_entry,review_at)
	consent_override_step: INSERT SELECT
	consent_private: INSERT SELECT
	consent_review: INSERT SELECT
	consent_state: INSERT SELECT UPDATE(log_entry,review,successors,withdrawal,withdrawal_digest,withdrawn_at,withdrawn_by)
	custody_move: INSERT SELECT UPDATE(client,done_at,handed,log_entry,taken_at,wrapped)
	delivery: INSERT SELECT UPDATE(delivered_at,log_entry,opened_at,state)
	draft: DELETE INSERT SELECT UPDATE(changed_at,kid,log_entry,sealed)
	hub_key: INSERT SELECT
	invitation: SELECT UPDATE(used_at)
	managed_key: DELETE INSERT SELECT
	managed_secret: INSERT SELECT
	oauth_ahead: SELECT UPDATE(issued)
	oauth_assertion: DELETE INSERT SELECT
	oauth_ceremony: DELETE INSERT SELECT
	oauth_grant: DELETE INSERT SELECT UPDATE(code_digest,code_expires_at,jkt,log_entry,proved_at,redeemed_at,refresh_digest,refresh_expires_at,revoked_at,scopes,user_id)
	oauth_memory: INSERT SELECT
	oauth_notice: INSERT SELECT UPDATE(read_at)
	oauth_passkey: INSERT SELECT UPDATE(log_entry,revoked_at,sign_count,used_at)
	oauth_proof: DELETE INSERT SELECT
	oauth_provider: SELECT UPDATE(log_entry)
	oauth_provider_user: INSERT SELECT
	oauth_revoked: DELETE INSERT SELECT
	oauth_secret: INSERT SELECT
	oauth_session: DELETE INSERT SELECT UPDATE(digest,log_entry,proved_at,seen_at)
	packet: INSERT SELECT
	partner: SELECT UPDATE(log_entry,status)
	partner_client: INSERT SELECT UPDATE(active,log_entry)
	partner_key: INSERT SELECT UPDATE(log_entry,not_after,revoked_at)
	partner_key_change: INSERT SELECT
	partner_user: INSERT SELECT UPDATE(log_entry,role,signed_out_at,status)
	police_decision: INSERT SELECT
	police_opening: INSERT SELECT
	police_reason: INSERT SELECT
	police_request: INSERT SELECT
	police_text: INSERT SELECT
	recall: SELECT UPDATE(answer,answered_at,log_entry,statement,statement_digest)
	referral: INSERT SELECT UPDATE(asked,changed_at,due_at,due_for,due_from,head,state,taken)
	referral_holding: DELETE INSERT SELECT UPDATE(given_by,holder,log_entry,since)
	referral_presence: INSERT SELECT UPDATE(seen_at)
	release: INSERT SELECT
	section: DELETE INSERT SELECT
	section_copy: INSERT SELECT
	service: INSERT SELECT UPDATE(accepts_no_recourse,areas,capacity,capacity_at,log_entry,name,purposes,self_referral,status,updated_at,wait,women_only)
	signed_agreement: INSERT SELECT
	signed_agreement_step: INSERT SELECT
	signed_agreement_way: INSERT SELECT
	user_link: DELETE INSERT SELECT UPDATE(used_at)
	webhook: INSERT SELECT UPDATE(failing_since,log_entry,rest_until,state,turn)
	webhook_delivery: SELECT UPDATE(attempts,made_at,next_at,state)
	webhook_secret: DELETE INSERT SELECT UPDATE(ends_at)
`

func TestTheServingRoleOwnsNothingAndMayDoNoMoreThanIsListed(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	got := hubtest.Column[string](t, h, `
		SELECT relname || ': ' || rights FROM (
			SELECT c.relname, concat_ws(' ',
				(SELECT string_agg(p, ' ' ORDER BY p) FROM unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) p
				 WHERE has_table_privilege($1, c.oid, p)),
				(SELECT 'UPDATE(' || string_agg(a.attname, ',' ORDER BY a.attname) || ')' FROM pg_attribute a
				 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
				   AND has_column_privilege($1, c.oid, a.attname, 'UPDATE') AND NOT has_table_privilege($1, c.oid, 'UPDATE'))) AS rights
			FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')) x
		WHERE rights <> '' ORDER BY 1`, pg.RoleHub)
	var want []string
	for line := range strings.Lines(strings.TrimSpace(granted)) {
		want = append(want, strings.TrimSpace(line))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rights (-listed +granted):\n%s", diff)
	}
	for _, role := range []string{pg.RoleHub, pg.RoleLog} {
		plain := hubtest.Value[bool](t, h, `SELECT NOT (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication OR rolcanlogin)
			FROM pg_roles WHERE rolname = $1`, role)
		owned := hubtest.Value[int](t, h, `SELECT count(*) FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass
			AND refobjid = $1::regrole AND deptype = 'o'`, role)
		member := hubtest.Value[int](t, h, `SELECT count(*) FROM pg_auth_members WHERE member = $1::regrole`, role)
		creates := hubtest.Value[bool](t, h, `SELECT has_schema_privilege($1, 'public', 'CREATE')`, role)
		if !plain || owned != 0 || member != 0 || creates {
			t.Errorf("%s: plain %v, owns %d, is member of %d roles, may create %v; want a plain role with nothing", role, plain, owned, member, creates)
		}
	}
}

func TestEveryTableIsDividedOrKnownToBeShared(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	open := hubtest.Column[string](t, h, `SELECT relname FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f')
		AND NOT (relrowsecurity AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid)) ORDER BY relname`)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(shared)), open); diff != "" {
		t.Errorf("tables without row-level security (-known +found):\n%s", diff)
	}
}

// divided lists the tables that belong to partners.
func divided(t *testing.T, h *hubtest.Hub) []string {
	t.Helper()
	return slices.DeleteFunc(hubtest.Column[string](t, h, `SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
		AND relkind = 'r' AND relrowsecurity ORDER BY relname`), func(name string) bool { return slices.Contains(directory, name) })
}

// full is a hub on which a pair of agencies has left a row in every table.
func full(t *testing.T) (*hubtest.Hub, hubtest.Pair) {
	t.Helper()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	d, attached := p.Request().Attach(t, "attachment-1", "need", []byte("a letter"))
	p.From.PutAll(t, attached)
	s := d.Seal(t)
	p.From.Sent(t, s)
	p.To.Get(t, "/v1/inbox")
	p.To.Open(t, s.Digest, "", "need", "attachment-1")
	p.From.Open(t, s.Digest, "", "need")
	p.Step(t, p.To, packet.Message, s.Digest, s.Digest)
	withdrawn := p.From.Record(t, hubtest.Subject(), p.Named())
	taken := p.From.Request(p.To, p.Service, withdrawn).Seal(t)
	p.From.Sent(t, taken)
	p.To.Open(t, taken.Digest, "", "need")
	p.From.Withdraw(t, withdrawn)
	if err := h.Aftermath.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.To.Record(t, hubtest.Subject(), p.Named())
	decide(t, h, p.From, p.To)
	decide(t, h, p.To, p.From)
	p.From.Never(t, []string{hubtest.Subject()}, "category:police")
	p.To.Never(t, []string{hubtest.Subject()}, "category:police")
	agree(t, h, p.From, p.To)
	force := h.Agency(t, "the-force", partners.Police)
	for _, a := range []*hubtest.Agency{p.From, p.To} {
		inquire(t, h, force, a)
		hold(t, h, a, s.Digest)
		u, b := h.Joined(t, a.ID, "A worker", partners.Caseworker)                                                                             // with a passkey
		b.Post(t, "/sign-in/passkeys", map[string]any{"credential": h.Browser().Device.Create(b.Options(t, "/sign-in/passkeys", struct{}{}))}) // a notice
		h.Exec(t, `INSERT INTO oauth_provider (partner, issuer, client_id, secret, domains, claim, roles, acr, log_entry)
			VALUES ($1, 'https://idp.example', 'handover', 'wrapped', '{agency.example}', 'groups', '{"staff":"caseworker"}', '{}', (SELECT id FROM audit_entry LIMIT 1))`, string(a.ID))
		h.Exec(t, `INSERT INTO custody_move (partner, toward, code_digest, expires_at, log_entry)
			VALUES ($1::text, 'partner', sha256(convert_to($1::text, 'UTF8')), now(), (SELECT id FROM audit_entry LIMIT 1))`, string(a.ID))
		webhook(t, h, a.ID)
		h.Exec(t, `INSERT INTO managed_key (partner, kid, use, version, wrapped, log_entry)
			SELECT partner, kid, use, 1, 'wrapped', log_entry FROM partner_key WHERE partner = $1 AND use = 'encryption'`, string(a.ID))
		h.Exec(t, `INSERT INTO draft (id, partner, user_id, kind, kid, sealed, log_entry)
			SELECT gen_random_uuid(), partner, $2, 'referral', kid, 'sealed', log_entry FROM managed_key WHERE partner = $1`, string(a.ID), u.ID)
		h.Exec(t, `INSERT INTO oauth_provider_user (partner, subject, user_id, log_entry)
			VALUES ($1, sha256('somebody'), $2, (SELECT id FROM audit_entry LIMIT 1))`, string(a.ID), u.ID)
	}
	return h, p
}

// hold has somebody of the agency claim a referral and look at it.
func hold(t *testing.T, h *hubtest.Hub, a *hubtest.Agency, id string) {
	t.Helper()
	c := h.Person(t, a.ID, partners.Caseworker).Caller(t)
	if err := h.Referrals.Claim(t.Context(), c, id); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Referrals.Look(t.Context(), c, id); err != nil {
		t.Fatal(err)
	}
}

// decide has two people of the agency share without a woman's agreement, and look at a
// record that is in doubt.
func decide(t *testing.T, h *hubtest.Hub, a, to *hubtest.Agency) {
	t.Helper()
	worker, manager := h.Person(t, a.ID, partners.Caseworker), h.Person(t, a.ID, partners.Manager)
	o := a.Override(t, worker.ID, to, hubtest.Subject())
	worker.Propose(t, o)
	a.Decide(t, manager, o, record.Approved)
	how := hubtest.Asked()
	how.Coercion = "suspected"
	c := a.ConsentAsked(t, how, hubtest.Subject(), []string{string(to.ID)})
	a.PostConsent(t, c)
	if answer := manager.Says(t, "/v1/consents/"+c.ID+"/review", a.Decision(t, manager.ID, c.ID, c.Digest, record.Approved)); answer.Status != 201 {
		t.Fatalf("%d %s", answer.Status, answer.Body)
	}
}

// as runs one statement as the serving role, bound to partner, and undoes it. It
// returns how many rows it touched, and the SQLSTATE with which it was refused.
func as(t *testing.T, h *hubtest.Hub, partner partners.ID, statement string, args ...any) (rows int64, state string) {
	t.Helper()
	undo := errors.New("undo")
	err := pg.As(t.Context(), h.DB.Hub, string(partner), func(tx pgx.Tx) error {
		tag, err := tx.Exec(t.Context(), statement, args...)
		rows = tag.RowsAffected()
		return errors.Join(undo, err)
	})
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return 0, refused.Code
	}
	if !errors.Is(err, undo) {
		t.Fatal(err)
	}
	return rows, ""
}

// forbidden is the SQLSTATE of a missing privilege, and of a row that no policy lets
// in.
const forbidden = "42501"

// violated is the SQLSTATE of a row that a CHECK, or a trigger in its place, refuses.
const violated = "23514"

// generated is the SQLSTATE of a column that the database alone fills.
const generated = "428C9"

func TestAPartnerSeesNothingOfOthers(t *testing.T) {
	t.Parallel()
	h, p := full(t)
	third := h.Agency(t, "the-third", partners.BoroughOutreach)
	for _, table := range divided(t, h) {
		for by, want := range map[partners.ID]bool{p.From.ID: true, p.To.ID: true, third.ID: false, "": false, "nobody": false} {
			query := `SELECT FROM ` + table
			if table == "audit_entry" && by == third.ID { // it has entries of its own
				query += ` WHERE partner <> 'the-third' AND other <> 'the-third'`
			}
			if n, state := as(t, h, by, query); (n > 0) != want || state != "" {
				t.Errorf("%s: %q sees %d rows %s, want some: %v", table, by, n, state, want)
			}
		}
	}
	// Of her own copies not even the one she sent them to.
	if n, _ := as(t, h, p.To.ID, `SELECT FROM section_copy WHERE issuer = $1`, p.From.ID); n != 0 {
		t.Errorf("the recipient's session sees %d of the sender's copies", n)
	}
}

func TestAPartnerChangesNothingOfOthers(t *testing.T) {
	t.Parallel()
	h, _ := full(t)
	third := h.Agency(t, "the-third", partners.BoroughOutreach)
	for _, table := range append(divided(t, h), slices.Collect(maps.Keys(shared))...) {
		if _, of := shared[table]; of && strings.HasPrefix(table, "oauth_") {
			continue // of nobody
		}
		columns := hubtest.Column[string](t, h, `SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped`, table)
		for _, column := range columns {
			changes := hubtest.Value[bool](t, h, `SELECT has_column_privilege($1, $2::regclass, $3, 'UPDATE')`, pg.RoleHub, table, column)
			n, state := as(t, h, third.ID, fmt.Sprintf(`UPDATE %s SET %[2]s = %[2]s`, table, column))
			if changes && (n != 0 || state != "") || !changes && state != forbidden && state != generated {
				t.Errorf("UPDATE %s (%s) touched %d rows, state %q", table, column, n, state)
			}
		}
		n, state := as(t, h, third.ID, `DELETE FROM `+table)
		removes := table == "section" || table == "attachment" || table == "managed_key" || table == "webhook_secret" || table == "draft" || table == "referral_holding"
		if removes && (n != 0 || state != "") || !removes && state != forbidden {
			t.Errorf("DELETE FROM %s touched %d rows, state %q", table, n, state)
		}
		if _, state := as(t, h, third.ID, `TRUNCATE `+table+` CASCADE`); state != forbidden {
			t.Errorf("TRUNCATE %s: state %q", table, state)
		}
	}
}

// TestNobodyWritesInAnothersName copies the rows that the sender made, in the session
// of a third partner and in that of the recipient, who may see them: policies are
// asked before constraints, so that it is the copy of a row that is there does not
// matter.
func TestNobodyWritesInAnothersName(t *testing.T) {
	t.Parallel()
	h, p := full(t)
	third := h.Agency(t, "the-third", partners.BoroughOutreach)
	authors := map[string]string{"custody_move": "partner", "managed_key": "partner", "oauth_notice": "partner", "oauth_passkey": "partner", "oauth_provider": "partner", "oauth_provider_user": "partner",
		"agreement": "sender", "signed_agreement": "proposer", "signed_agreement_way": "proposer", "signed_agreement_step": "partner", "consent": "recorder", "consent_private": "recorder", "consent_review": "recorder",
		"consent_never": "recorder", "consent_never_line": "recorder", "consent_never_state": "recorder",
		"consent_override": "recorder", "consent_override_state": "recorder", "consent_override_step": "recorder", "consent_override_private": "recorder", "delivery": "issuer", "draft": "partner", "packet": "issuer",
		"police_request": "issuer", "police_text": "issuer", "police_opening": "holder", "police_decision": "holder", "police_reason": "holder",
		"partner_user": "partner", "recall": "recorder", "webhook": "partner", "webhook_secret": "partner", "webhook_delivery": "partner", "attachment": "issuer", "attachment_chunk": "issuer", "referral": "sender", "referral_holding": "partner", "referral_presence": "partner", "release": "reader", "section": "issuer", "section_copy": "issuer"}
	for _, table := range divided(t, h) {
		author, ok := authors[table]
		switch table {
		case "audit_entry":
			continue // the hub itself writes entries about everybody
		case "consent_state":
			author, ok = "id", true
		case "consent_aftermath":
			author, ok = "(SELECT recorder FROM consent c WHERE c.id = x.consent)", true
		}
		if !ok {
			t.Errorf("%s: who is the author of its rows?", table)
			continue
		}
		of := `SELECT to_jsonb(x)::text FROM ` + table + ` x WHERE ` + author + ` = $1 LIMIT 1`
		by := p.From.ID
		if table == "police_request" || table == "police_text" {
			by = "the-force"
		}
		made := any(string(by))
		if table == "consent_state" {
			of, made = `SELECT to_jsonb(x)::text FROM consent_state x WHERE id = (SELECT id FROM consent WHERE recorder = $1 LIMIT 1)`, string(p.From.ID)
		}
		row := hubtest.Value[string](t, h, of, made)
		columns := hubtest.Value[string](t, h, `SELECT string_agg(quote_ident(attname), ',') FROM pg_attribute
			WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''`, table)
		insert := fmt.Sprintf(`INSERT INTO %[1]s (%[2]s) OVERRIDING SYSTEM VALUE SELECT %[2]s FROM jsonb_populate_record(NULL::%[1]s, $1::jsonb)`, table, columns)
		writers := []partners.ID{third.ID, "", p.To.ID}
		if table == "consent_state" {
			writers = writers[:2] // there is one row for each record, which its parties see
		}
		for _, other := range writers {
			if _, state := as(t, h, other, insert, row); state != forbidden {
				t.Errorf("%s: %q inserts a row of %s: state %q, want %s", table, other, by, state, forbidden)
			}
		}
		// What the operator alone makes, or the hub of itself, the author does not make either.
		operators := []string{"agreement", "partner_user", "oauth_provider", "recall", "consent_aftermath", "webhook_delivery"}
		// Its author is stopped only because it is there already, so the test can fail.
		if _, state := as(t, h, by, insert, row); state != "23505" && !slices.Contains(operators, table) {
			t.Errorf("%s: its author is refused with state %q, want 23505", table, state)
		}
	}
}
