package consent

import (
	"time"

	"github.com/jackc/pgx/v5"
)

// grantColumns are what a decision needs of a record; scan reads them.
const grantColumns = `c.id::text, c.recorder, c.subject, c.agreement, c.purpose, c.recipients, c.sections, c.withheld, c.onward, c.authority,
	c.given_at, c.valid_from, c.expires_at, c.digest, s.withdrawn_at IS NOT NULL, s.review, s.successors,
	c.recorder = nullif(current_setting('hub.partner', true), '')`

// Lock queues the reading of records, with their state rows locked FOR SHARE, into
// the transaction that batch runs in. Row-level security hides a record from a
// partner that neither made it nor is named in it: to her it is not there. Of a chain the
// oldest is locked first, as a later record locks it, or the two could wait for each other.
//
// The later records of their chains are read, and locked, by a statement of their own: a
// statement sees what was committed when it began, and the first may have waited for a
// record that was superseded meanwhile. Once it has the row, nothing can supersede it.
func Lock(batch *pgx.Batch, ids ...string) *Grants {
	all := &Grants{byID: map[string]*Grant{}}
	batch.Queue(`
		SELECT `+grantColumns+`, c.id::text
		FROM consent c JOIN consent_state s ON s.id = c.id
		WHERE c.id = ANY ($1::text[]::uuid[]) ORDER BY c.chain, c.place FOR SHARE OF s`, ids).Query(func(rows pgx.Rows) error {
		return scanGrants(rows, func(g Grant, of string) { all.byID[of] = &g })
	})
	batch.Queue(`
		SELECT `+grantColumns+`, b.id::text
		FROM consent b JOIN consent c ON c.chain = b.chain AND c.place > b.place JOIN consent_state s ON s.id = c.id
		WHERE b.id = ANY ($1::text[]::uuid[]) ORDER BY c.place FOR SHARE OF s`, ids).Query(func(rows pgx.Rows) error {
		return scanGrants(rows, func(g Grant, of string) {
			if first, ok := all.byID[of]; ok {
				first.later = append(first.later, g)
			}
		})
	})
	return all
}

// scanGrants hands out each grant with the id of the record that was asked for.
func scanGrants(rows pgx.Rows, take func(g Grant, of string)) error {
	var g Grant
	var of string
	var given, from, to time.Time
	c := &g.claims
	_, err := pgx.ForEachRow(rows, []any{&c.ID, &c.Issuer, &c.Subject, &c.Agreement, &c.Purpose, &c.Recipients, &c.Sections, &c.Withheld,
		&c.Onward, &c.Gate.Authority, &given, &from, &to, &g.digest, &g.withdrawn, &g.review, &g.successors, &g.own, &of}, func() error {
		read := g
		read.claims.GivenAt, read.claims.ValidFrom, read.claims.Expires, read.found = given.Unix(), from.Unix(), to.Unix(), true
		take(read, of)
		return nil
	})
	return err
}
