package signin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/audit/proof"
	"handover/internal/ids"
	"handover/internal/pg"
	"handover/partners"
)

// owner returns whose passkey a credential is, or ErrRefused.
func (s *Store) owner(ctx context.Context, credential []byte) (person, error) {
	var p person
	err := s.pool.QueryRow(ctx, `SELECT user_id::text, partner FROM passkey_owner($1)`, credential).Scan(&p.id, &p.partner)
	if errors.Is(err, pgx.ErrNoRows) {
		return person{}, because(ErrRefused, "passkey-unknown")
	}
	if err != nil {
		return person{}, fmt.Errorf("reading whose a passkey is: %w", err)
	}
	return p, nil
}

// holder returns a person with her passkeys that count, or ErrRefused.
func (s *Store) holder(ctx context.Context, p person) (holder, error) {
	h := holder{person: p}
	err := s.within(ctx, p, func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, `SELECT name FROM partner_user WHERE id = $1`, p.id).Scan(&h.name); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `
			SELECT id::text, credential, public_key, sign_count, synced, transports FROM oauth_passkey
			WHERE user_id = $1 AND revoked_at IS NULL ORDER BY made_at, id`, p.id)
		if err != nil {
			return err
		}
		h.passkeys, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (passkey, error) {
			var k passkey
			return k, row.Scan(&k.id, &k.credential, &k.publicKey, &k.signCount, &k.synced, &k.transports)
		})
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return holder{}, because(ErrRefused, "person-unknown")
	}
	if err != nil {
		return holder{}, fmt.Errorf("reading passkeys: %w", err)
	}
	return h, nil
}

// Passkey is one of a person's passkeys as she is shown it.
type Passkey struct {
	ID     string
	Device string // where she made it, in coarse words
	Synced bool   // it may be on several devices of hers
	Made   time.Time
	Used   time.Time
}

func (s *Store) passkeys(ctx context.Context, p person) ([]Passkey, error) {
	var all []Passkey
	err := s.within(ctx, p, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			SELECT id::text, device, synced, made_at, used_at FROM oauth_passkey
			WHERE user_id = $1 AND revoked_at IS NULL ORDER BY made_at, id`, p.id)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Passkey])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing passkeys: %w", err)
	}
	return all, nil
}

func (s *Store) ways(ctx context.Context, p person) (map[string]Way, error) {
	ways := map[string]Way{}
	err := s.within(ctx, p, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			SELECT id::text, (SELECT count(*) FROM oauth_passkey k WHERE k.user_id = u.id AND k.revoked_at IS NULL), greatest(
				(SELECT max(used_at) FROM oauth_passkey k WHERE k.user_id = u.id), (SELECT max(proved_at) FROM oauth_session o WHERE o.user_id = u.id))
			FROM partner_user u`)
		if err != nil {
			return err
		}
		var id string
		var w Way
		var last *time.Time
		_, err = pgx.ForEachRow(rows, []any{&id, &w.Passkeys, &last}, func() error {
			w.Last = time.Time{}
			if last != nil {
				w.Last = *last
			}
			ways[id] = w
			return nil
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading how people sign in: %w", err)
	}
	return ways, nil
}

// keep stores a new passkey, with its log entry, and returns its id. A credential that is
// known already, of whomever, is ErrPasskeyExists (WebAuthn §7.1 step 26).
func keep(ctx context.Context, tx pgx.Tx, p person, k passkey, device string) (id string, entry audit.EntryID, err error) {
	if err := tx.QueryRow(ctx, `SELECT gen_random_uuid()::text`).Scan(&id); err != nil {
		return "", entry, fmt.Errorf("storing a passkey: %w", err)
	}
	if entry, err = p.log(ctx, tx, proof.Entry{Act: "passkey.add", Target: id}); err != nil {
		return "", entry, err
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO oauth_passkey (id, credential, user_id, partner, public_key, sign_count, synced, transports, device, made_at, used_at, log_entry)
		VALUES (@id, @credential, @user, @partner, @key, @count, @synced, @transports, @device, now(), now(), @entry)`,
		pgx.StrictNamedArgs{"id": id, "credential": k.credential, "user": p.id, "partner": p.partner, "key": k.publicKey,
			"count": int64(k.signCount), "synced": k.synced, "transports": k.transports, "device": device, "entry": entry})
	if pg.Violates(err, "oauth_passkey_once") {
		return "", entry, p.refused(ErrPasskeyExists, "passkey-exists")
	}
	if err != nil {
		return "", entry, fmt.Errorf("storing a passkey: %w", err)
	}
	return id, entry, nil
}

// use notes that a passkey was used and how far its counter is, unless it was removed, or
// the same counter was used, a moment ago.
func use(ctx context.Context, tx pgx.Tx, p person, k passkey) error {
	tag, err := tx.Exec(ctx, `
		UPDATE oauth_passkey SET sign_count = $3, used_at = now()
		WHERE id = $1 AND user_id = $2 AND revoked_at IS NULL AND (sign_count < $3 OR sign_count = 0 AND $3 = 0)`, k.id, p.id, int64(k.signCount))
	if err != nil {
		return fmt.Errorf("noting that a passkey was used: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return p.refused(ErrRefused, "passkey-copied")
	}
	return nil
}

// signIn makes a session for who has just used a passkey. Here as everywhere rows are locked
// in one order, person, passkeys, sessions, so that two changes at once wait for each other
// and not in a circle.
func (s *Store) signIn(ctx context.Context, e entrance, k passkey, digest []byte) error {
	return s.within(ctx, e.person, func(tx pgx.Tx) error {
		if _, err := partners.LockStanding(ctx, tx, e.person.id); err != nil {
			return err
		}
		if err := ownPasskey(ctx, tx, e.person); err != nil {
			return err
		}
		if err := use(ctx, tx, e.person, k); err != nil {
			return err
		}
		return enter(ctx, tx, e, digest)
	})
}

// stepUp renews a session of who has just used a passkey.
func (s *Store) stepUp(ctx context.Context, of Session, k passkey, digest []byte) error {
	return s.within(ctx, of.person, func(tx pgx.Tx) error {
		if _, err := partners.LockStanding(ctx, tx, of.person.id); err != nil {
			return err
		}
		if err := use(ctx, tx, of.person, k); err != nil {
			return err
		}
		return prove(ctx, tx, of, digest)
	})
}

// join redeems a one-time link for the passkey and the session that it is for: all of it or
// nothing. If the link recovers, what she had before ends: passkeys, and all sessions. The
// registry ends the tokens that systems of her agency have for her.
func (s *Store) join(ctx context.Context, registry *partners.Store, code string, k passkey, e entrance, digest []byte) error {
	return pg.As(ctx, s.pool, "", func(tx pgx.Tx) error {
		link, entry, err := registry.RedeemLink(ctx, tx, code)
		if err != nil {
			return err
		}
		if personOf(link.User) != e.person { // the code has always been hers; this cannot be
			return because(ErrStale, "link-person")
		}
		if err := ownPasskey(ctx, tx, e.person); err != nil {
			return err
		}
		if link.Recovers {
			if err := recovered(ctx, tx, e.person, code, entry); err != nil {
				return err
			}
		}
		if e.passkey, _, err = keep(ctx, tx, e.person, k, e.device); err != nil {
			return err
		}
		return enter(ctx, tx, e, digest)
	})
}

// ownPasskey refuses a passkey to who comes through her agency's provider, while her agency
// has one: she would come in when her agency no longer lets her.
func ownPasskey(ctx context.Context, tx pgx.Tx, p person) error {
	var arrives bool
	err := tx.QueryRow(ctx, `
		SELECT EXISTS (SELECT FROM oauth_provider_user u JOIN oauth_provider o ON o.partner = u.partner WHERE u.user_id = $1)`, p.id).Scan(&arrives)
	if err != nil {
		return fmt.Errorf("asking how a person signs in: %w", err)
	}
	if arrives {
		return p.refused(ErrPasskeyNone, "passkey-none")
	}
	return nil
}

// recovered ends the passkeys and sessions of a person, and tells her and her agency's
// administrators: if it was not she who used the link, one of them will see it.
func recovered(ctx context.Context, tx pgx.Tx, p person, code string, entry audit.EntryID) error {
	if _, err := tx.Exec(ctx, `
		UPDATE oauth_passkey SET revoked_at = now(), log_entry = $2 WHERE user_id = $1 AND revoked_at IS NULL`, p.id, entry); err != nil {
		return fmt.Errorf("ending passkeys: %w", err)
	}
	if _, err := tx.Exec(ctx, `DELETE FROM oauth_session WHERE user_id = $1`, p.id); err != nil {
		return fmt.Errorf("ending sessions: %w", err)
	}
	by, err := partners.LinkIssuer(ctx, tx, digestOf(code))
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO oauth_notice (partner, reader, kind, about, by_user, at, log_entry)
		SELECT partner, id, 'sign-in-reset', $2, nullif($3, '')::uuid, now(), $4 FROM partner_user
		WHERE partner = $1 AND status = 'active' AND (id = $2 OR role = 'administrator')`, p.partner, p.id, by, entry)
	if err != nil {
		return fmt.Errorf("writing notices: %w", err)
	}
	return nil
}

// add stores one more passkey of a person who is signed in.
func (s *Store) add(ctx context.Context, by Session, k passkey, device string) error {
	p := by.person
	return s.within(ctx, p, func(tx pgx.Tx) error {
		since, err := partners.LockStanding(ctx, tx, p.id)
		if err != nil {
			return err
		}
		if err := ownPasskey(ctx, tx, p); err != nil {
			return err
		}
		if err := still(ctx, tx, by, since); err != nil {
			return err
		}
		_, entry, err := keep(ctx, tx, p, k, device)
		if err != nil {
			return err
		}
		return tell(ctx, tx, p, "passkey-added", entry)
	})
}

// remove ends one of a person's passkeys, and what other browsers did with it. All of hers
// are locked first, so that two removals at once cannot leave her without any.
func (s *Store) remove(ctx context.Context, by Session, id string) error {
	if !ids.IsUUID(id) {
		return ErrPasskeyNotThere
	}
	p := by.person
	return s.within(ctx, p, func(tx pgx.Tx) error {
		since, err := partners.LockStanding(ctx, tx, p.id)
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `
			SELECT id::text FROM oauth_passkey WHERE user_id = $1 AND revoked_at IS NULL ORDER BY id FOR UPDATE`, p.id)
		if err != nil {
			return fmt.Errorf("reading passkeys: %w", err)
		}
		held, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return fmt.Errorf("reading passkeys: %w", err)
		}
		if err := still(ctx, tx, by, since); err != nil {
			return err
		}
		if err := removable(held, id); err != nil {
			return err
		}
		entry, err := p.log(ctx, tx, proof.Entry{Act: "passkey.remove", Target: id})
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE oauth_passkey SET revoked_at = now(), log_entry = $2 WHERE id = $1`, id, entry); err != nil {
			return fmt.Errorf("removing a passkey: %w", err)
		}
		if _, err := tx.Exec(ctx, `DELETE FROM oauth_session WHERE passkey = $1 AND digest <> $2`, id, by.digest); err != nil {
			return fmt.Errorf("ending sessions: %w", err)
		}
		return tell(ctx, tx, p, "passkey-removed", entry)
	})
}

func removable(held []string, id string) error {
	for _, k := range held {
		if k == id {
			if len(held) == 1 {
				return ErrPasskeyLast
			}
			return nil
		}
	}
	return ErrPasskeyNotThere
}
