package partners

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/audit/proof"
	"handover/internal/ids"
	"handover/internal/pg"
)

// What an agency offers is said by its managers and administrators, and by its systems: each
// transition runs in a session of the agency, as the hub's serving role, and touches no other's.

const serviceColumns = `
	SELECT id::text, partner, name, purposes, areas, status, capacity, coalesce(wait, ''),
	       women_only, accepts_no_recourse, self_referral, updated_at, capacity_at FROM service`

// Services lists what is offered by partners that take part: for a purpose and an
// area when they are given.
func (s *Store) Services(ctx context.Context, purpose, area string) ([]Service, error) {
	return s.services(ctx, `
		WHERE status = 'active' AND ($1 = '' OR $1 = ANY (purposes)) AND ($2 = '' OR $2 = ANY (areas))
		  AND partner IN (SELECT p.id FROM partner p WHERE p.status = 'active')
		ORDER BY partner, name, id LIMIT 500`, purpose, area)
}

// OwnServices lists everything that the caller's agency offers or has offered, by name, what has
// ended last.
func (s *Store) OwnServices(ctx context.Context, c Caller) ([]Service, error) {
	return s.services(ctx, `WHERE partner = $1 ORDER BY status = 'defunct', name, id`, c.Partner())
}

// OwnService returns a service of the caller's agency, or ErrServiceNotThere.
func (s *Store) OwnService(ctx context.Context, c Caller, id string) (Service, error) {
	if !ids.IsUUID(id) {
		return Service{}, ErrServiceNotThere
	}
	found, err := s.services(ctx, `WHERE partner = $1 AND id = $2`, c.Partner(), id)
	if err == nil && len(found) == 0 {
		return Service{}, ErrServiceNotThere
	}
	if err != nil {
		return Service{}, err
	}
	return found[0], nil
}

// ServiceNamed returns a service of any agency by id, whatever its status: what somebody was
// referred to keeps its name when it has ended. Else ErrServiceNotThere.
func (s *Store) ServiceNamed(ctx context.Context, id string) (Service, error) {
	if !ids.IsUUID(id) {
		return Service{}, ErrServiceNotThere
	}
	found, err := s.services(ctx, `WHERE id = $1`, id)
	if err == nil && len(found) == 0 {
		return Service{}, ErrServiceNotThere
	}
	if err != nil {
		return Service{}, err
	}
	return found[0], nil
}

func (s *Store) services(ctx context.Context, where string, args ...any) ([]Service, error) {
	rows, err := s.pool.Query(ctx, serviceColumns+` `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("reading services: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Service])
	if err != nil {
		return nil, fmt.Errorf("reading services: %w", err)
	}
	return found, nil
}

// AddService publishes a service of the caller's agency, with its terms and its capacity, under
// o.ID if that is given: whoever sends the same twice has added it once, and is told ErrAlready.
// Errors besides: ErrServiceInvalid, ErrCapacity.
func (s *Store) AddService(ctx context.Context, c Caller, o Service) (Service, error) {
	o.ID = cmp.Or(o.ID, newID())
	if err := cmp.Or(o.check(), checkCapacity(o.Capacity, o.Wait)); err != nil {
		return Service{}, err
	}
	if !ids.IsUUID(o.ID) {
		return Service{}, ErrServiceInvalid
	}
	e := c.Entry("service.add")
	e.Target = o.ID
	err := s.offering(ctx, c, e, func(tx pgx.Tx, entry audit.EntryID) error {
		return o.scan(tx.QueryRow(ctx, `
			INSERT INTO service (id, partner, name, purposes, areas, status, capacity, wait, women_only,
			                     accepts_no_recourse, self_referral, updated_at, capacity_at, log_entry)
			VALUES (@id, @partner, @name, @purposes, @areas, @status, @capacity, nullif(@wait, ''), @women,
			        @recourse, @self, now(), now(), @entry)`+returningService, o.args(c.Partner(), entry)))
	})
	if pg.Violates(err, "service_pkey") {
		return Service{}, ErrAlready
	}
	if err != nil {
		return Service{}, err
	}
	return o, nil
}

// ChangeService gives a service of the caller's agency other terms, its status among them; its
// capacity stays. Errors: ErrServiceInvalid, ErrServiceNotThere, ErrServiceEnded.
func (s *Store) ChangeService(ctx context.Context, c Caller, o Service) (Service, error) {
	if err := o.check(); err != nil {
		return Service{}, err
	}
	e := c.Entry("service.change")
	e.Target, e.Reason = o.ID, o.Status
	return s.changeService(ctx, c, e, o, `
		UPDATE service SET name = @name, purposes = @purposes, areas = @areas, status = @status, women_only = @women,
			accepts_no_recourse = @recourse, self_referral = @self, updated_at = now(), log_entry = @entry`)
}

// SetCapacity says how many a service of the caller's agency can take now, or that it is still
// so: a word of today is worth more than one of last month. Errors: ErrCapacity,
// ErrServiceNotThere, ErrServiceEnded.
func (s *Store) SetCapacity(ctx context.Context, c Caller, id, capacity, wait string) (Service, error) {
	if err := checkCapacity(capacity, wait); err != nil {
		return Service{}, err
	}
	e := c.Entry("service.capacity")
	e.Target, e.Reason = id, capacity
	return s.changeService(ctx, c, e, Service{ID: id, Capacity: capacity, Wait: wait}, `
		UPDATE service SET capacity = @capacity, wait = nullif(@wait, ''), capacity_at = now(), log_entry = @entry`)
}

// changeService runs one change of a service that has not ended, and returns it as it is then.
func (s *Store) changeService(ctx context.Context, c Caller, e proof.Entry, o Service, update string) (Service, error) {
	if !ids.IsUUID(o.ID) {
		return Service{}, ErrServiceNotThere
	}
	err := s.offering(ctx, c, e, func(tx pgx.Tx, entry audit.EntryID) error {
		err := o.scan(tx.QueryRow(ctx, update+`
			WHERE id = @id AND partner = @partner AND status <> 'defunct'`+returningService, o.args(c.Partner(), entry)))
		if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		var there bool
		err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM service WHERE id = $1 AND partner = $2)`, o.ID, c.Partner()).Scan(&there)
		switch {
		case err != nil:
			return fmt.Errorf("finding a service: %w", err)
		case !there:
			return ErrServiceNotThere
		}
		return ErrServiceEnded
	})
	if err != nil {
		return Service{}, err
	}
	return o, nil
}

// offering runs one change of what the caller's agency offers, with its log entry e.
func (s *Store) offering(ctx context.Context, c Caller, e proof.Entry, change func(pgx.Tx, audit.EntryID) error) error {
	if !c.Has(ServicesWrite) {
		return ErrScope.With("scope", string(ServicesWrite))
	}
	return pg.As(ctx, s.pool, string(c.Partner()), func(tx pgx.Tx) error {
		entry, err := logNow(ctx, tx, e)
		if err != nil {
			return err
		}
		return change(tx, entry)
	})
}

const returningService = ` RETURNING id::text, partner, name, purposes, areas, status, capacity, coalesce(wait, ''),
	women_only, accepts_no_recourse, self_referral, updated_at, capacity_at`

// scan reads what a statement that returns the service has left of it.
func (s *Service) scan(row pgx.Row) error {
	err := row.Scan(&s.ID, &s.Partner, &s.Name, &s.Purposes, &s.Areas, &s.Status, &s.Capacity, &s.Wait,
		&s.WomenOnly, &s.AcceptsNoRecourse, &s.SelfReferral, &s.Updated, &s.CapacityAt)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("changing a service: %w", err)
	}
	return err
}

func (s Service) args(partner ID, entry audit.EntryID) pgx.NamedArgs {
	return pgx.NamedArgs{"id": s.ID, "partner": partner, "name": s.Name, "purposes": s.Purposes, "areas": s.Areas, "status": s.Status,
		"capacity": s.Capacity, "wait": s.Wait, "women": s.WomenOnly, "recourse": s.AcceptsNoRecourse, "self": s.SelfReferral, "entry": entry}
}
