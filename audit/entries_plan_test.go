package audit

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit/proof"
	"handover/internal/pg"
)

// crowd is how many entries the log of TestAPageCostsTheSameInALongLog has.
const crowd = 24_000

// fill writes entries of 40 agencies, one a second, each with its place: most are steps of
// referrals, of which the rarest act is in none of the newer half.
func (r *rig) fill() {
	r.t.Helper()
	_, err := r.db.Owner.Exec(r.t.Context(), `
		INSERT INTO audit_entry (id, at, partner, other, act, outcome, salt, body, leaf, referral, consent, subject)
		SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid,
		       at, 'agency-' || n % 40, 'agency-' || n % 37, act, CASE act WHEN 'refused' THEN 'firewall' ELSE '' END, salt, body,
		       '\x01'::bytea || sha256('handover-audit-v1\000'::bytea || salt || body), 'referral-' || n / 8, 'consent-' || n / 16,
		       CASE WHEN n % 8 = 0 THEN 'subject-' || n / 16 END
		FROM (SELECT n, now() - interval '1 second' * ($1 - n) AS at, sha256(n::text::bytea) AS salt, convert_to('{"n":' || n || '}', 'UTF8') AS body,
		             CASE WHEN n % 50 = 0 THEN 'refused' WHEN n % 2000 = 7 THEN 'override.propose' WHEN n = 5 THEN 'referral.fail' ELSE 'referral.accept' END AS act
		      FROM generate_series(1, $1::int) n) made`, crowd)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, sql := range []string{
		`INSERT INTO audit_leaf (idx, entry, size) SELECT row_number() OVER (ORDER BY id) - 1, id, (SELECT count(*) FROM audit_entry) FROM audit_entry`,
		`INSERT INTO partner (id, name, category, areas, status, since, log_entry)
		 VALUES ('oversight-example', 'Somebody', 'oversight', '{E09000007}', 'active', now(), (SELECT id FROM audit_entry LIMIT 1))`,
		`ANALYZE audit_entry, audit_leaf`,
	} {
		if _, err := r.db.Owner.Exec(r.t.Context(), sql); err != nil {
			r.t.Fatal(err)
		}
	}
}

// node is one step of a plan, as EXPLAIN tells it.
type node struct {
	Type     string  `json:"Node Type"`
	Relation string  `json:"Relation Name"`
	Rows     float64 `json:"Actual Rows"`
	Loops    float64 `json:"Actual Loops"`
	Removed  float64 `json:"Rows Removed by Filter"`
	Plans    []node  `json:"Plans"`
}

// looked is how many rows of the table the plan looks at, and whether it reads it whole.
func (n node) looked(table string) (rows float64, whole bool) {
	if n.Relation == table {
		rows, whole = (n.Rows+n.Removed)*n.Loops, n.Type == "Seq Scan"
	}
	for _, p := range n.Plans {
		r, w := p.looked(table)
		rows, whole = rows+r, whole || w
	}
	return rows, whole
}

// explained runs the statement of a page as the hub does, by a plan that serves all values.
func (r *rig) explained(f Filter, by Reader) node {
	r.t.Helper()
	sql, named := f.statement(by)
	sql, args, err := named.RewriteQuery(r.t.Context(), nil, sql, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	var types, values []string
	for _, a := range args {
		kind := "text"
		switch given := a.(type) {
		case EntryID:
			kind = "uuid"
		case int:
			kind = "bigint"
		case []string:
			kind, a = "text[]", "{"+strings.Join(given, ",")+"}"
		}
		types, values = append(types, kind), append(values, fmt.Sprintf("'%v'", a))
	}
	var plans []struct{ Plan node }
	err = pg.As(r.t.Context(), r.db.Hub, by.By.Partner, func(tx pgx.Tx) error {
		setup := fmt.Sprintf(`SELECT set_config('hub.oversees', '%s', true); PREPARE page (%s) AS %s`,
			map[bool]string{true: "all"}[by.Oversees], strings.Join(types, ", "), sql)
		if _, err := tx.Conn().PgConn().Exec(r.t.Context(), setup).ReadAll(); err != nil {
			return err
		}
		var plan []byte
		if err := tx.QueryRow(r.t.Context(), `EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE page (`+strings.Join(values, ", ")+`)`).Scan(&plan); err != nil {
			return err
		}
		if _, err := tx.Exec(r.t.Context(), `DEALLOCATE page`); err != nil {
			return err
		}
		return json.Unmarshal(plan, &plans)
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return plans[0].Plan
}

// TestAPageCostsTheSameInALongLog counts the rows that each filter's page looks at in a log of
// 24,000 entries: about as many as it shows, or what one page may look back over.
func TestAPageCostsTheSameInALongLog(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fill()
	const limit = 100
	shows, back := float64(12*limit), float64(2*lookBack+12*limit)
	old := time.Now().Add(-crowd / 2 * time.Second)
	agency, oversight := Reader{By: proof.Entry{Partner: "agency-7"}}, Reader{By: proof.Entry{Partner: "oversight-example"}, Oversees: true}
	for _, row := range []struct {
		by   Reader
		f    Filter
		most float64
	}{
		{agency, Filter{}, shows},
		{agency, Filter{From: old, To: old.Add(time.Hour)}, shows},
		{agency, Filter{After: firstAt(old)}, shows},
		{agency, Filter{Partner: "agency-7"}, shows},
		{agency, Filter{Partner: "agency-8"}, back},
		{agency, Filter{Act: "override.propose"}, back},
		{agency, Filter{Outcome: "firewall"}, back},
		{agency, Filter{Referral: "referral-700"}, shows},
		{agency, Filter{Consent: "consent-350"}, shows},
		{agency, Filter{Subject: "subject-350"}, shows},
		{agency, Filter{Subject: "subject-350", Act: "refused", From: old}, shows},
		{oversight, Filter{}, shows},
		{oversight, Filter{From: old, To: old.Add(time.Hour)}, shows},
		{oversight, Filter{Partner: "agency-7"}, shows},
		{oversight, Filter{Partner: "agency-7", Act: "override.propose"}, back},
		{oversight, Filter{Act: "override.propose"}, shows},
		{oversight, Filter{Acts: []string{"override.propose", "section.open", "refused"}}, 3 * shows},
		{oversight, Filter{Acts: []string{"referral.accept", "refused"}}, back},
		{agency, Filter{Acts: []string{"override.propose", "section.open"}}, back},
		{agency, Filter{User: "7f0b5c1e-0000-4000-8000-000000000001"}, 2 * back},
		{oversight, Filter{Act: "referral.accept"}, back},
		{oversight, Filter{Act: "referral.fail"}, back},
		{oversight, Filter{Outcome: "firewall"}, shows},
		{oversight, Filter{Outcome: "firewall", Act: "refused"}, back},
		{oversight, Filter{Referral: "referral-700"}, shows},
		{oversight, Filter{Consent: "consent-350", Partner: "agency-7"}, shows},
		{oversight, Filter{Subject: "subject-350"}, shows},
	} {
		row.f.Limit = limit
		plan := r.explained(row.f, row.by)
		for _, table := range []string{"audit_entry", "audit_leaf"} {
			if rows, whole := plan.looked(table); whole || rows > row.most {
				t.Errorf("%s by %+v looks at %v rows of %s, whole %v; at most %v", row.by.By.Partner, row.f, rows, table, whole, row.most)
			}
		}
	}
	page, _, _, err := r.store.entries(t.Context(), Filter{Act: "override.propose", Limit: limit}, oversight)
	if err != nil || len(page) != crowd/2000 || !regexp.MustCompile(`^{"n":\d*007}$`).Match(page[0].Body) {
		t.Errorf("found %d entries, %v", len(page), err)
	}
}
