package casework

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"handover/consent"
	"handover/consent/record"
	"handover/internal/codes"
	"handover/partners"
	"handover/referral/packet"
)

// ticket is what the referral rests on: what she agreed to, to whom, until when, and whether
// it still stands.
type ticket struct {
	Stands  bool   // on its word something may be shared now
	Says    string // in one sentence
	Soon    string // what must be done before it ends, or ""
	Rows    []row
	Consent string // id of the record, if it is one that she may see
}

// ends is how long before its end a consent is said to be ending: time enough to ask her again.
const ends = 7 * 24 * time.Hour

// basisOf reads what the referral rests on: of a consent the newest record of its chain that
// her agency is shown, since a later one narrows at once what an earlier one allowed.
func (h *Handler) basisOf(ctx context.Context, c partners.Caller, s *seen) (ticket, record.Claims, error) {
	basis := s.Request().Claims.Basis
	switch {
	case basis == nil:
		return ticket{Says: "This rests on no consent."}, record.Claims{}, nil
	case basis.Override != "":
		t, err := h.overrideOf(ctx, c, basis)
		return t, record.Claims{}, err
	}
	st, err := h.Consents.Read(ctx, c, basis.Consent)
	for range 8 { // a chain is short; who goes on for ever is stopped
		if err != nil || st.SupersededBy == "" {
			break
		}
		st, err = h.Consents.Read(ctx, c, st.SupersededBy)
	}
	if errors.Is(err, consent.ErrNotThere) {
		return ticket{Says: "What she agreed to is no longer shown to your agency. Nothing more can be opened."}, record.Claims{}, nil
	}
	if err != nil {
		return ticket{}, record.Claims{}, err
	}
	stated, err := record.ParseConsent(st.Record)
	if err != nil {
		return ticket{}, record.Claims{}, errors.New("a stored consent record cannot be read: " + err.Error())
	}
	claims := stated.Unverified()
	return h.ticketOf(ctx, st, claims), claims, nil
}

// ticketOf tells a record in words.
func (h *Handler) ticketOf(ctx context.Context, st consent.Stored, claims record.Claims) ticket {
	until, now := time.Unix(claims.Expires, 0), h.Now()
	t := ticket{Consent: st.ID, Stands: st.State == "agreed" || st.State == record.BestInterests}
	switch st.State {
	case "withdrawn":
		t.Says = "She has taken her consent back. Nothing more can be opened or sent."
	case "expired":
		t.Says = "Her consent ended on " + h.Shell.Day(until) + ". Nothing more can be opened or sent until she is asked again."
	case "superseded":
		t.Says = "She has agreed to something else since, which does not name your agency. Nothing more can be opened or sent."
	case record.BestInterests:
		t.Says = "This was decided for her, in her best interests. It ends on " + h.Shell.Day(until) + "."
	case "agreed":
		t.Says = "She agreed to this. It ends on " + h.Shell.Day(until) + "."
	default:
		t.Says = "She did not agree: " + record.Agreements().Label(st.State) + "."
	}
	if st.Review == "awaited" || st.Review == "does-not-stand" { // only its recorder is told
		t.Stands, t.Says = false, "How she was asked is in doubt. A manager of your agency has to decide whether this stands."
	}
	if t.Stands && until.Sub(now) < ends {
		t.Soon = "Ends in " + count(days(until, now), "day") + ". Ask her again before then, or help stops."
	}
	t.Rows = []row{
		{"To", texts(h.recipients(ctx, claims.Recipients)...)},
		{"For", texts(sentence(codes.Purposes().Label(claims.Purpose)))},
		{"May be shared", texts(labels(claims.Sections)...)},
	}
	if len(claims.Withheld) > 0 {
		t.Rows = append(t.Rows, row{"Must not be shared", texts(labels(claims.Withheld)...)})
	}
	t.Rows = append(t.Rows, row{"Passed on", texts(sentence(record.Onwards().Label(claims.Onward)))},
		row{"From and until", texts(h.Shell.Day(time.Unix(claims.ValidFrom, 0)) + " until " + h.Shell.Day(until))})
	if claims.Method != "" {
		t.Rows = append(t.Rows, row{"How she said it", texts(sentence(record.Methods().Label(claims.Method)))})
	}
	return t
}

// overrideOf tells what was shared without her agreement.
func (h *Handler) overrideOf(ctx context.Context, c partners.Caller, basis *packet.Basis) (ticket, error) {
	st, err := h.Consents.ReadOverride(ctx, c, basis.Override)
	if errors.Is(err, consent.ErrOverrideNotThere) {
		return ticket{Says: "This was shared without her agreement, under an override that is not shown to your agency."}, nil
	}
	if err != nil {
		return ticket{}, err
	}
	stated, err := record.ParseOverride(st.Override)
	if err != nil {
		return ticket{}, errors.New("a stored override cannot be read: " + err.Error())
	}
	claims := stated.Unverified()
	said := map[string]string{
		"approved": "It stands.", "emergency": "It is an emergency, and a manager has to approve it within 24 hours.",
		"proposed": "Nobody has approved it yet, so nothing can be opened.", "refused": "A manager has refused it. Nothing more can be opened.",
		"lapsed": "Nobody approved it in time. Nothing more can be opened.", "ended": "A manager has ended it. Nothing more can be opened.",
		"expired": "Its time is over. Nothing more can be opened.",
	}[st.State]
	return ticket{
		Stands: st.State == "approved" || st.State == "emergency",
		Says:   "This was shared without her agreement, under an override. " + said,
		Rows: []row{
			{"Because", texts(sentence(record.Reasons().Label(claims.Reason)))},
			{"For", texts(sentence(codes.Purposes().Label(claims.Purpose)))},
			{"What was shared", texts(labels(claims.Sections)...)},
			{"Ends", texts(h.Shell.Day(time.Unix(claims.Expires, 0)))},
		},
	}, nil
}

// recipients are the names of those that a record names.
func (h *Handler) recipients(ctx context.Context, ids []string) (names []string) {
	for _, id := range ids {
		if category, ok := strings.CutPrefix(id, record.CategoryPrefix); ok {
			names = append(names, "Any "+partners.Category(category).Title())
			continue
		}
		p, err := h.agency(ctx, partners.ID(id))
		if err != nil {
			p.Name = id
		}
		names = append(names, p.Name)
	}
	return names
}

func labels(sections []string) (all []string) {
	for _, s := range codes.Sections() {
		if slices.Contains(sections, s.Code) {
			all = append(all, sentence(s.Label))
		}
	}
	return all
}

func texts(lines ...string) (all []value) {
	for _, line := range lines {
		all = append(all, value{Text: line})
	}
	return all
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}
