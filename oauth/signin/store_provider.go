package signin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/audit/proof"
	"handover/internal/pg"
	"handover/keys"
	"handover/partners"
)

// Provider is a partner's own OpenID Connect provider, as the operator has set it.
type Provider struct {
	Partner  partners.ID
	Issuer   string
	ClientID string
	Domains  []string // of e-mail addresses, in small letters
	Claim    string   // whose values say the role
	Roles    map[string]partners.Role
	ACR      []string // one of them is required; none: amr must say mfa

	secret string // wrapped
	entry  string // of the log: another one means that the operator has set it anew
}

// errNoProvider is for whoever asks about a partner that has none, or that is none.
var errNoProvider = because(ErrProvider, "provider-none")

// secretAAD binds a wrapped secret to its use and its partner: moved to another row it does
// not open.
func secretAAD(id partners.ID) []byte { return []byte("oidc client secret\x00" + string(id)) }

// provider returns a partner's provider, or errNoProvider.
func (s *Store) provider(ctx context.Context, id partners.ID) (Provider, error) {
	p := Provider{Partner: id}
	var roles []byte
	err := pg.As(ctx, s.pool, string(id), func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `
			SELECT issuer, client_id, secret, domains, claim, roles, acr, log_entry::text FROM oauth_provider
			WHERE partner = $1 AND partner IN (SELECT id FROM partner WHERE status = 'active')`, id).
			Scan(&p.Issuer, &p.ClientID, &p.secret, &p.Domains, &p.Claim, &roles, &p.ACR, &p.entry)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return Provider{}, errNoProvider
	}
	if err == nil {
		err = json.Unmarshal(roles, &p.Roles)
	}
	if err != nil {
		return Provider{}, fmt.Errorf("reading a provider: %w", err)
	}
	return p, nil
}

// valid reports whether a provider can be used as the operator has described it.
func (p Provider) valid(secret string) bool {
	u, err := url.Parse(p.Issuer)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return false
	}
	for value, role := range p.Roles {
		if value == "" || !role.Valid() {
			return false
		}
	}
	plain := func(d string) bool {
		return d != "" && d == strings.ToLower(d) && strings.Contains(d, ".") && !strings.ContainsAny(d, "@*/ ")
	}
	return p.ClientID != "" && secret != "" && p.Claim != "" && len(p.Roles) > 0 && len(p.Domains) > 0 &&
		!slices.ContainsFunc(p.Domains, func(d string) bool { return !plain(d) }) && !slices.Contains(p.ACR, "")
}

// SetProvider is the operator's act of saying how a partner's people may sign in through
// their agency. Who was signed in through the one before is signed out. Errors:
// ErrProviderInvalid, partners.ErrNotThere.
func (s *Store) SetProvider(ctx context.Context, wrap keys.Store, p Provider, clientSecret string) error {
	if !p.valid(clientSecret) {
		return ErrProviderInvalid
	}
	wrapped, err := wrap.Wrap(ctx, []byte(clientSecret), secretAAD(p.Partner))
	if err != nil {
		return fmt.Errorf("wrapping a provider's secret: %w", err)
	}
	roles, err := json.Marshal(p.Roles)
	if err != nil {
		return fmt.Errorf("writing roles: %w", err)
	}
	acr := p.ACR
	if acr == nil {
		acr = []string{}
	}
	err = s.operate(ctx, proof.Entry{Act: "provider.set", Target: string(p.Partner), Other: string(p.Partner)}, func(tx pgx.Tx, entry audit.EntryID) error {
		_, err := tx.Exec(ctx, `
			INSERT INTO oauth_provider (partner, issuer, client_id, secret, domains, claim, roles, acr, log_entry)
			VALUES (@partner, @issuer, @client, @secret, @domains, @claim, @roles, @acr, @entry)
			ON CONFLICT (partner) DO UPDATE SET issuer = @issuer, client_id = @client, secret = @secret, domains = @domains,
				claim = @claim, roles = @roles, acr = @acr, log_entry = @entry`,
			pgx.StrictNamedArgs{"partner": p.Partner, "issuer": p.Issuer, "client": p.ClientID, "secret": wrapped, "domains": p.Domains,
				"claim": p.Claim, "roles": string(roles), "acr": acr, "entry": entry})
		if err != nil {
			return err
		}
		return endArrived(ctx, tx, p.Partner)
	})
	if pg.Violates(err, "oauth_provider_partner_fkey") {
		return partners.ErrNotThere
	}
	return err
}

// RemoveProvider is the operator's act of ending sign-in through a partner's provider, at
// once: who came through it is signed out. Error: partners.ErrNotThere.
func (s *Store) RemoveProvider(ctx context.Context, id partners.ID) error {
	return s.operate(ctx, proof.Entry{Act: "provider.remove", Target: string(id), Other: string(id)}, func(tx pgx.Tx, _ audit.EntryID) error {
		tag, err := tx.Exec(ctx, `DELETE FROM oauth_provider WHERE partner = $1`, id)
		if err == nil && tag.RowsAffected() == 0 {
			return partners.ErrNotThere
		}
		if err != nil {
			return err
		}
		return endArrived(ctx, tx, id)
	})
}

// endArrived ends all that people have proved through a partner's provider: their sessions,
// and what they let systems do.
func endArrived(ctx context.Context, tx pgx.Tx, id partners.ID) error {
	_, err := tx.Exec(ctx, `
		UPDATE partner_user SET signed_out_at = clock_timestamp() WHERE status <> 'removed'
		AND id IN (SELECT user_id FROM oauth_provider_user WHERE partner = $1)`, id)
	if err != nil {
		return fmt.Errorf("ending what was proved: %w", err)
	}
	if _, err = tx.Exec(ctx, `DELETE FROM oauth_session WHERE partner = $1 AND passkey IS NULL`, id); err != nil {
		return fmt.Errorf("ending sessions: %w", err)
	}
	return nil
}

// lock keeps a provider as it was when it was asked, until the transaction ends. What it
// says takes seconds to come, as many as it likes; if the operator has removed it or set
// another meanwhile, it is too late.
func (p Provider) lock(ctx context.Context, tx pgx.Tx) error {
	var entry string
	err := tx.QueryRow(ctx, `SELECT log_entry::text FROM oauth_provider WHERE partner = $1 FOR SHARE`, p.Partner).Scan(&entry)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && entry != p.entry {
		return because(ErrStale, "provider-changed")
	}
	if err != nil {
		return fmt.Errorf("reading a provider again: %w", err)
	}
	return nil
}

// operate runs one change of the operator's with its log entry. It needs a pool of the
// owner's role.
func (s *Store) operate(ctx context.Context, e proof.Entry, change func(pgx.Tx, audit.EntryID) error) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, `SELECT now()`).Scan(&e.Time); err != nil {
			return fmt.Errorf("reading the time: %w", err)
		}
		entry, err := audit.Append(ctx, tx, e)
		if err != nil {
			return err
		}
		return change(tx, entry)
	})
}

// arrive makes a session for somebody whom her agency's provider vouches for. At her first
// time she is made; later she is found by what the provider calls her, and has the role
// that it says now. Who was suspended or removed stays so: partners.ErrUserNotThere.
func (s *Store) arrive(ctx context.Context, by Provider, a arrival, e entrance, digest []byte) (person, error) {
	err := s.within(ctx, e.person, func(tx pgx.Tx) error {
		if err := by.lock(ctx, tx); err != nil {
			return err
		}
		known, err := whoArrived(ctx, tx, a)
		if err != nil {
			return err
		}
		e.person.id = known
		if known != "" {
			if err := partners.Assign(ctx, tx, a.partner, known, a.role); err != nil {
				return err
			}
			return enter(ctx, tx, e, digest)
		}
		u, entry, err := partners.Arrive(ctx, tx, a.partner, a.name, a.role)
		if err != nil {
			return err
		}
		e.person.id = u.ID
		_, err = tx.Exec(ctx, `INSERT INTO oauth_provider_user (partner, subject, user_id, log_entry) VALUES ($1, $2, $3, $4)`,
			a.partner, a.subject, u.ID, entry)
		if err != nil {
			return err
		}
		return enter(ctx, tx, e, digest)
	})
	if pg.Violates(err, "oauth_provider_user_once") { // the same person, in two browsers, for the first time
		return person{}, because(ErrStale, "provider-twice")
	}
	return e.person, err
}

// whoArrived is the id of the person that a provider means, or "".
func whoArrived(ctx context.Context, tx pgx.Tx, a arrival) (id string, err error) {
	err = tx.QueryRow(ctx, `SELECT user_id::text FROM oauth_provider_user WHERE partner = $1 AND subject = $2`, a.partner, a.subject).Scan(&id)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return "", fmt.Errorf("reading whom a provider means: %w", err)
	}
	return id, nil
}

// proveAtProvider renews a session of who has just signed in at her provider anew, if it is
// she whose session it is.
func (s *Store) proveAtProvider(ctx context.Context, by Provider, of Session, a arrival, digest []byte) error {
	return s.within(ctx, of.person, func(tx pgx.Tx) error {
		if err := by.lock(ctx, tx); err != nil {
			return err
		}
		known, err := whoArrived(ctx, tx, a)
		if err != nil {
			return err
		}
		if known != of.person.id {
			return of.person.refused(ErrProvider, "provider-other-person")
		}
		if err := partners.Assign(ctx, tx, a.partner, known, a.role); err != nil {
			return err
		}
		return prove(ctx, tx, of, digest)
	})
}
