package referral

import (
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/audit/proof"
	"handover/referral/packet"
)

// file queues packets, new states and log entries: two statements for a group of
// any size, and those that place the entries.
func (s *Store) file(b *pgx.Batch, l *look, accepted []*arrival) (*audit.Direct, error) {
	about := make([]proof.Entry, len(accepted))
	for i, a := range accepted {
		about[i] = a.logEntry(l.now)
	}
	entries, err := s.log.Entries(b, about)
	if err != nil {
		return nil, fmt.Errorf("logging packets: %w", err)
	}
	for i, id := range entries.IDs() {
		accepted[i].entry = id
	}
	if l.row == nil {
		args, copies := columns(l, accepted, true)
		b.Queue(insertReferrals+insertPackets+copies+attach(args, accepted)+insertSections, args)
	} else {
		move(b, l, accepted[0])
	}
	entries.Place(b)
	return entries, nil
}

// move queues the packet of an event, and what it does to its referral.
func move(b *pgx.Batch, l *look, a *arrival) {
	p := a.opened
	args, copies := columns(l, []*arrival{a}, false)
	args["id"], args["head"], args["digest"], args["state"] = l.row.id, l.row.head, p.Digest(), a.to
	args["asked"] = (l.row.asked || p.Event == packet.Ask) && p.Event != packet.Answer
	next := l.row.after(p.Event, a.to, l.now)
	args["due_at"], args["due_for"], args["due_from"] = next.at, next.what(), next.from
	b.Queue(moveReferral+insertPackets+copies+attach(args, []*arrival{a})+insertSections, args)
	if p.Event == packet.Withdraw {
		b.Queue(destroyUnopened, l.row.seq)
		b.Queue(destroyUnopenedAttachments, l.row.seq)
	}
}

func (a *arrival) logEntry(now time.Time) proof.Entry {
	p := a.opened
	e := a.caller.Entry("referral." + string(p.Event))
	e.Time, e.Other, e.Referral, e.Event = now, p.Audience, p.ReferralID(), string(p.Event)
	e.Envelope, e.State, e.Sections, e.Reason = p.Digest(), string(a.to), p.Names(), p.Reason+p.Outcome
	if p.Event == packet.Request {
		e.Subject = p.Subject
	}
	if p.Basis != nil {
		e.Consent, e.Override, e.Digest = p.Basis.Consent, p.Basis.Override, p.Basis.Digest
	}
	return e
}

// The head of the statement: what a request or an event does to its referral.
const (
	insertReferrals = `WITH r AS (
		INSERT INTO referral (id, sender, recipient, subject, purpose, urgency, service, area, onward_from,
		                      state, head, created_at, changed_at, due_for, due_at, due_from, consent_ends)
		SELECT u.id, @issuer, u.recipient, u.subject, u.purpose, u.urgency, u.service, u.area, nullif(u.onward, ''),
		       u.state, u.id, @now, @now, 'delivered', u.due, @now, u.ends
		FROM unnest(@digests::text[], @audiences::text[], @subjects::text[], @purposes::text[], @urgencies::text[],
		            @services::text[], @areas::text[], @onwards::text[], @states::text[], @dues::timestamptz[], @ends::timestamptz[])
		     AS u(id, recipient, subject, purpose, urgency, service, area, onward, state, due, ends)
		RETURNING seq, id)`
	moveReferral = `WITH r AS (
		UPDATE referral SET state = @state, asked = @asked, head = @digest, changed_at = @now,
		       due_at = @due_at, due_for = @due_for, due_from = @due_from
		WHERE id = @id AND head = @head RETURNING seq, id)`
)

// The rest files packets under the referrals that the head made or moved, each with
// its sections, and with the sender's copies if any has some: a table that a statement
// names costs it even when no row goes there.
const (
	insertPackets = `, p AS (
		INSERT INTO packet (referral, issuer, audience, jti, event, digest, envelope, consent, override_id, state, expires_at, stored_at, log_entry, actor, request_mac)
		SELECT r.seq, @issuer, u.audience, u.jti, u.event, u.digest, u.envelope, u.consent, u.override, u.state, u.expires, @now, u.entry, nullif(u.actor, ''), u.mac
		FROM unnest(@referrals::text[], @audiences::text[], @jtis::text[]::uuid[], @events::text[], @digests::text[], @envelopes::text[],
		            @consents::text[]::uuid[], @overrides::text[]::uuid[], @states::text[], @expires::timestamptz[], @entries::uuid[], @actors::text[], @macs::bytea[])
		     AS u(referral, audience, jti, event, digest, envelope, consent, override, state, expires, entry, actor, mac)
		     JOIN r ON r.id = u.referral
		RETURNING seq, referral, audience, digest, log_entry), d AS (
		INSERT INTO delivery (packet, referral, issuer, audience, state)
		SELECT seq, referral, @issuer, audience, 'stored' FROM p)`
	insertCopies = `, c AS (
		INSERT INTO section_copy (packet, name, issuer, sealed)
		SELECT p.seq, u.name, @issuer, u.sealed
		FROM unnest(@holders::text[], @names::text[], @copies::text[]) AS u(digest, name, sealed) JOIN p USING (digest)
		WHERE u.sealed <> '')`
	insertSections = `
	INSERT INTO section (packet, name, issuer, audience, sealed)
	SELECT p.seq, u.name, @issuer, p.audience, u.sealed
	FROM unnest(@holders::text[], @names::text[], @sealed::text[]) AS u(digest, name, sealed) JOIN p USING (digest)`
)

// destroyUnopened leaves of a withdrawn referral what its recipient has read.
const destroyUnopened = `
	DELETE FROM section WHERE packet IN (SELECT seq FROM packet WHERE referral = $1)
	AND NOT EXISTS (SELECT FROM release x
	                WHERE x.packet = section.packet AND x.name = section.name AND x.reader = section.audience)`

// columns turns the packets into one array a column; requests asks for the
// referrals' columns as well. It returns insertCopies if there are copies.
func columns(l *look, accepted []*arrival, requests bool) (args pgx.StrictNamedArgs, copying string) {
	var referrals, audiences, jtis, events, digests, envelopes, states, actors []string
	var subjects, purposes, urgencies, services, areas, onwards []string
	var holders, names, sealed, copies []string
	var consents, overrides []*string
	var expires []time.Time
	var dues []time.Time
	var ends []*time.Time
	var entries []audit.EntryID
	var macs [][]byte
	for _, a := range accepted {
		p := a.opened
		macs = append(macs, a.mac)
		referrals, audiences, jtis = append(referrals, p.ReferralID()), append(audiences, p.Audience), append(jtis, p.ID)
		events, digests, envelopes = append(events, string(p.Event)), append(digests, p.Digest()), append(envelopes, p.Token())
		states, expires, entries = append(states, string(a.to)), append(expires, time.Unix(p.Expires, 0)), append(entries, a.entry)
		actors = append(actors, p.Act)
		subjects, purposes, urgencies = append(subjects, p.Subject), append(purposes, p.Purpose), append(urgencies, p.Urgency)
		services, areas, onwards = append(services, p.Service), append(areas, p.Area), append(onwards, p.OnwardFrom)
		given, taken := basisColumns(p.Basis)
		consents, overrides = append(consents, given), append(overrides, taken)
		if requests {
			dues, ends = append(dues, firstDue(p.Urgency, l.now)), append(ends, l.ends(p))
		}
		for _, name := range p.Names() {
			jwe, own := p.Sealed(name)
			holders, names, sealed, copies = append(holders, p.Digest()), append(names, name), append(sealed, jwe), append(copies, own)
		}
	}
	args = pgx.StrictNamedArgs{"issuer": l.issuer, "now": l.now, "referrals": referrals, "audiences": audiences,
		"jtis": jtis, "events": events, "digests": digests, "envelopes": envelopes, "consents": consents, "overrides": overrides, "states": states,
		"expires": expires, "entries": entries, "actors": actors, "macs": macs, "holders": holders, "names": names, "sealed": sealed}
	if slices.ContainsFunc(copies, func(own string) bool { return own != "" }) {
		args["copies"], copying = copies, insertCopies
	}
	if requests {
		for name, column := range map[string][]string{"subjects": subjects, "purposes": purposes, "urgencies": urgencies,
			"services": services, "areas": areas, "onwards": onwards} {
			args[name] = column
		}
		args["dues"], args["ends"] = dues, ends
	}
	return args, copying
}
