package oauth

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Store remembers which client assertions and which DPoP proofs have been used, so
// that each counts once, whichever hub it comes to and however many copies arrive
// at the same moment. What decides is one INSERT against a unique key; nothing is
// looked up first.
//
// The memory of proofs is an unlogged table, which a crash of the database empties.
// So the store also keeps since when that memory is whole, and refuses proofs that
// are older: a crash costs callers a second or two, never a replay.
type Store struct {
	pool *pgxpool.Pool
}

// NewStore returns the memory over pool, which needs the hub's role and no more.
func NewStore(pool *pgxpool.Pool) *Store { return &Store{pool: pool} }

// What the store can answer about a single use.
var (
	errAssertionUsed = errors.New("the client assertion has been used")
	errProofUsed     = errors.New("the DPoP proof has been used")
	errRevoked       = errors.New("the token has been revoked")
	errMemory        = errors.New("proofs of that time may have been forgotten in a crash")
	errMemoryLost    = fmt.Errorf("%w: the memory is gone", errMemory)
)

// use is one thing that may be used once: a name among those of one owner. Two
// owners may choose the same name.
type use [sha256.Size]byte

// useOf digests kind, owner and name. The owner (a client id or a thumbprint) has no
// NUL in it, so no two triples meet.
func useOf(kind, owner, name string) use {
	return sha256.Sum256([]byte(kind + "\x00" + owner + "\x00" + name))
}

// spending is the single use of proofs that came together, each with its token.
type spending struct {
	group []*admission
	first map[use]bool // those whose use has been marked now
}

func newSpending(group []*admission) *spending {
	return &spending{group: group, first: make(map[use]bool, len(group))}
}

// queue puts the uses into the batch of partners.Store.Admit, so that both are one
// round trip. The rows go in by the order of their digests, so that hubs which are
// sent the same proofs at the same time do not wait for each other in a circle. The use of
// a proof that came with a revoked token is not marked, so that asking for revoked tokens
// is no statement of its own.
func (s *spending) queue(batch *pgx.Batch) {
	ordered := slices.SortedFunc(slices.Values(s.group), func(a, b *admission) int { return bytes.Compare(a.proof.use[:], b.proof.use[:]) })
	n := len(ordered)
	digests, issued, tokens, grants := make([][]byte, n), make([]time.Time, n), make([]string, n), make([]string, n)
	var latest dpopProof
	for i, a := range ordered {
		digests[i], issued[i], tokens[i], grants[i] = a.proof.use[:], a.proof.issued, a.held.id, a.held.grant
		if a.proof.ahead && a.proof.issued.After(latest.issued) {
			latest = a.proof
		}
	}
	latest.queueAhead(batch)
	batch.Queue(`
		INSERT INTO oauth_proof (digest)
		SELECT asked.digest FROM unnest($1::bytea[], $2::timestamptz[], $3::text[], $4::text[]) AS asked(digest, issued, token, grant_id), oauth_memory
		WHERE since < asked.issued
		  AND NOT EXISTS (SELECT FROM oauth_revoked WHERE name = asked.token)
		  AND NOT EXISTS (SELECT FROM oauth_revoked WHERE name = asked.grant_id)
		ON CONFLICT ON CONSTRAINT oauth_proof_once DO NOTHING RETURNING digest`, digests, issued, tokens, grants).
		Query(func(rows pgx.Rows) error {
			var digest []byte
			_, err := pgx.ForEachRow(rows, []any{&digest}, func() error {
				s.first[use(digest)] = true
				return nil
			})
			return err
		})
}

// judge answers for each proof, once the batch has run: nil if it counts, errRevoked if
// its token was revoked, errProofUsed if it was used, errMemory or errMemoryLost if that
// cannot be known. Of two that are the same, the first to come counts. Why a proof was not
// marked is asked only then.
func (s *Store) judge(ctx context.Context, spent *spending) ([]error, error) {
	answers := make([]error, len(spent.group))
	var refused []int
	var issued []time.Time
	var tokens, grants []string
	for i, a := range spent.group {
		if !spent.first[a.proof.use] {
			refused = append(refused, i)
			issued, tokens, grants = append(issued, a.proof.issued), append(tokens, a.held.id), append(grants, a.held.grant)
		}
		delete(spent.first, a.proof.use)
	}
	if len(refused) == 0 {
		return answers, nil
	}
	for _, i := range refused {
		answers[i] = errMemoryLost // unless a row speaks of it
	}
	rows, err := s.pool.Query(ctx, `
		SELECT n, since < issued, EXISTS (SELECT FROM oauth_revoked WHERE name IN (token, grant_id))
		FROM oauth_memory, unnest($1::timestamptz[], $2::text[], $3::text[]) WITH ORDINALITY AS refused(issued, token, grant_id, n)`,
		issued, tokens, grants)
	if err != nil {
		return nil, fmt.Errorf("asking for the memory of proofs: %w", err)
	}
	var n int
	var covered, revoked bool
	_, err = pgx.ForEachRow(rows, []any{&n, &covered, &revoked}, func() error {
		answers[refused[n-1]] = judge(&covered, false)
		if revoked {
			answers[refused[n-1]] = errRevoked
		}
		return nil
	})
	return answers, err
}

// queueAhead keeps the proof's time where a crash cannot take it, if that time is
// ahead of the hub's clock. Otherwise the proof could be used again after a crash:
// by its time it would seem to have been made after it. It is one row, written at
// most once a second.
func (p dpopProof) queueAhead(batch *pgx.Batch) {
	if p.ahead {
		batch.Queue(`UPDATE oauth_ahead SET issued = $1 WHERE issued < $1`, p.issued)
	}
}

// judge reads the answer about a proof: covered is nil when the memory is lost.
func judge(covered *bool, first bool) error {
	switch {
	case covered == nil:
		return errMemoryLost
	case !*covered:
		return errMemory
	case !first:
		return errProofUsed
	}
	return nil
}

// first is the first use of an assertion with its proof, and what the store says of it.
type first struct {
	assertion use
	proof     dpopProof
	err       error
}

// use marks client assertions and their proofs as used, all that came together in one
// statement, and leaves in each errAssertionUsed, errProofUsed, errMemory, errMemoryLost
// or nil. With errMemory and errMemoryLost nothing is marked. Of two that share a part,
// the first to come has it. Rows go in by their digests' order, as in spending.queue.
func (s *Store) use(ctx context.Context, group []*first) error {
	n := len(group)
	assertions, proofs, issued := make([][]byte, n), make([][]byte, n), make([]time.Time, n)
	var latest dpopProof
	for i, f := range group {
		assertions[i], proofs[i], issued[i] = f.assertion[:], f.proof.use[:], f.proof.issued
		if f.proof.ahead && f.proof.issued.After(latest.issued) {
			latest = f.proof
		}
	}
	marked, since := map[use]bool{}, (*time.Time)(nil)
	var batch pgx.Batch
	latest.queueAhead(&batch)
	batch.Queue(`
		WITH asked AS (
			SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::timestamptz[]) AS asked(assertion, proof, issued), oauth_memory WHERE since < issued),
		assertion AS (
			INSERT INTO oauth_assertion (digest) SELECT assertion FROM asked ORDER BY assertion
			ON CONFLICT ON CONSTRAINT oauth_assertion_once DO NOTHING RETURNING digest),
		proof AS (
			INSERT INTO oauth_proof (digest) SELECT proof FROM asked ORDER BY proof
			ON CONFLICT ON CONSTRAINT oauth_proof_once DO NOTHING RETURNING digest)
		SELECT digest, NULL::timestamptz FROM assertion UNION ALL SELECT digest, NULL FROM proof
		UNION ALL SELECT NULL, greatest(since, 'epoch') FROM oauth_memory`, assertions, proofs, issued).
		Query(func(rows pgx.Rows) error {
			var digest []byte
			var at *time.Time
			_, err := pgx.ForEachRow(rows, []any{&digest, &at}, func() error {
				if digest == nil {
					since = at
					return nil
				}
				marked[use(digest)] = true
				return nil
			})
			return err
		})
	if err := s.pool.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("using assertions: %w", err)
	}
	for _, f := range group {
		f.judge(marked, since)
	}
	return nil
}

// judge takes from what was marked, and since when that is known, what counts for f.
func (f *first) judge(marked map[use]bool, since *time.Time) {
	var covered *bool
	if since != nil {
		known := since.Before(f.proof.issued.Truncate(time.Microsecond)) // as the database compared it
		covered = &known
	}
	assertion, proof := marked[f.assertion], marked[f.proof.use]
	delete(marked, f.assertion)
	delete(marked, f.proof.use)
	if f.err = judge(covered, proof); covered != nil && *covered && !assertion {
		f.err = errAssertionUsed
	}
}

// useAssertion marks a client assertion as used where there is no proof, or returns
// errAssertionUsed.
func (s *Store) useAssertion(ctx context.Context, assertion use) error {
	tag, err := s.pool.Exec(ctx, `
		INSERT INTO oauth_assertion (digest) VALUES ($1) ON CONFLICT ON CONSTRAINT oauth_assertion_once DO NOTHING`, assertion[:])
	if err != nil {
		return fmt.Errorf("using an assertion: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return errAssertionUsed
	}
	return nil
}

// remember begins the memory of proofs anew after a crash took it; otherwise it does
// nothing. From then on proofs issued after that moment are accepted: later than
// the database's clock, the hub's, and every time ahead of them that an accepted
// proof carried. One second more allows for hubs whose clocks differ.
func (s *Store) remember(ctx context.Context, now time.Time) error {
	_, err := s.pool.Exec(ctx, `
		INSERT INTO oauth_memory (since)
		SELECT greatest(clock_timestamp(), $1, issued) + interval '1 second' FROM oauth_ahead
		ON CONFLICT ON CONSTRAINT oauth_memory_one_row DO NOTHING`, now)
	if err != nil {
		return fmt.Errorf("beginning the memory of proofs: %w", err)
	}
	return nil
}

// secret returns the wrapped secret of that name: the one that is kept, or else this one,
// which is kept from then on.
func (s *Store) secret(ctx context.Context, name, wrapped string) (string, error) {
	err := s.pool.QueryRow(ctx, `
		WITH made AS (INSERT INTO oauth_secret (name, wrapped) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING RETURNING wrapped)
		SELECT wrapped FROM made UNION ALL SELECT wrapped FROM oauth_secret WHERE name = $1`, name, wrapped).Scan(&wrapped)
	if errors.Is(err, pgx.ErrNoRows) { // somebody else's was made in the same moment
		err = s.pool.QueryRow(ctx, `SELECT wrapped FROM oauth_secret WHERE name = $1`, name).Scan(&wrapped)
	}
	if err != nil {
		return "", fmt.Errorf("reading a shared secret: %w", err)
	}
	return wrapped, nil
}

// How long used assertions and proofs are remembered, by the database's clock from
// their use: longer than they can be accepted after it (lifetime and skews), with a
// minute or more to spare for hubs whose clocks differ.
const (
	assertionMemory = maxAssertionLife + ahead + behind + 4*time.Minute
	proofMemory     = ahead + behind + time.Minute
)

// Each deletion is small, so that none holds up the requests beside it; one Prune
// ends after a bounded number of them, however much there is.
const (
	pruneRows   = 10_000
	pruneRounds = 100
)

// Prune forgets assertions, proofs and grants that could not be accepted any more, and
// begins the memory anew if a crash took it. Call it at start and then every 20
// seconds or so; several hubs may do so at once.
func (s *Store) Prune(ctx context.Context) error {
	if err := s.remember(ctx, time.Time{}); err != nil {
		return err
	}
	assertions := `DELETE FROM oauth_assertion WHERE ctid = ANY (ARRAY (
		SELECT ctid FROM oauth_assertion WHERE seen < now() - $1::interval LIMIT $2))`
	if err := s.prune(ctx, assertions, assertionMemory); err != nil {
		return err
	}
	proofs := `DELETE FROM oauth_proof WHERE ctid = ANY (ARRAY (
		SELECT ctid FROM oauth_proof WHERE seen < now() - $1::interval LIMIT $2))`
	if err := s.prune(ctx, proofs, proofMemory); err != nil {
		return err
	}
	revoked := `DELETE FROM oauth_revoked WHERE name = ANY (ARRAY (
		SELECT name FROM oauth_revoked WHERE until < now() - $1::interval LIMIT $2))`
	if err := s.prune(ctx, revoked, 0); err != nil {
		return err
	}
	unanswered := `DELETE FROM oauth_grant WHERE id = ANY (ARRAY (
		SELECT id FROM oauth_grant WHERE code_digest IS NULL AND request_expires_at < now() - $1::interval LIMIT $2))`
	if err := s.prune(ctx, unanswered, 0); err != nil {
		return err
	}
	return s.prune(ctx, `DELETE FROM oauth_grant WHERE id = ANY (ARRAY (
		SELECT id FROM oauth_grant WHERE greatest(request_expires_at, code_expires_at, refresh_expires_at) < now() - $1::interval LIMIT $2))`, grantMemory)
}

func (s *Store) prune(ctx context.Context, statement string, after time.Duration) error {
	for range pruneRounds {
		tag, err := s.pool.Exec(ctx, statement, after, pruneRows)
		if err != nil {
			return fmt.Errorf("pruning used credentials: %w", err)
		}
		if tag.RowsAffected() < pruneRows {
			return nil
		}
	}
	return nil
}
