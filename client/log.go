package client

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"handover/audit/proof"
)

// LogQuery says which entries of the log you ask for: those for which all of it holds. The
// zero LogQuery asks for all that your agency made or is named in, or, for an oversight
// partner, for all there are.
type LogQuery struct {
	Partner  string // made them, or is named in them
	Act      string // as section.open
	Outcome  string // the code of a refusal
	Subject  string // they name her, or a referral, consent record or override that is hers
	Referral string
	Consent  string // id of a consent record or of an override
	From, To time.Time
	After    string // Next of the page before
	Limit    int    // the most of one page, at most 500; 0 for the hub's default
}

// LogEntry is one entry of the log, as the hub shows it. That the log has it at Index, only
// a proof shows: an export brings the proofs along, and VerifyAudit checks them.
type LogEntry struct {
	Index  int64 `json:"index"`
	Erased bool  `json:"erased,omitempty"` // its period is over: nothing is left but ID, and the leaf
	proof.Entry
	Bytes proof.Base64URL `json:"entry,omitempty"` // canonical; with Salt, they make the leaf
	Salt  proof.Base64URL `json:"salt,omitempty"`  // 32 bytes; none of an erased entry
}

// Label says in plain English what was done.
func (e LogEntry) Label() string { return proof.LabelOf(e.Act) }

// LogPage is a page of entries, newest first. It may have fewer than were asked for, or none,
// and still be followed by another.
type LogPage struct {
	Entries    []LogEntry `json:"entries"`
	Next       string     `json:"next,omitempty"` // the After of the page that follows; "" after the last
	Checkpoint Checkpoint `json:"checkpoint"`     // covers all of them; zero if the log has no entry
}

// LogEntries asks for a page of what the log says. It needs audit:read, or, with Subject,
// Referral or Consent, one of referrals:send, referrals:receive and consents:write. The hub
// logs that you asked. Verified are the checkpoint's signature, the form of each entry, and
// that it is one of those asked for. Code of refusal: log-filter-invalid.
func (c *Client) LogEntries(ctx context.Context, q LogQuery) (LogPage, error) {
	r, err := c.do(ctx, call{method: http.MethodGet, path: logPath + "/entries", query: q.values()})
	if err != nil {
		return LogPage{}, err
	}
	answer, err := read[struct {
		Entries []struct {
			Index  int64  `json:"index"`
			Entry  string `json:"entry"`
			Salt   string `json:"salt,omitzero"`
			Erased bool   `json:"erased"`
			ID     string `json:"id"`
		} `json:"entries"`
		Checkpoint string `json:"checkpoint"`
	}](r)
	if err != nil {
		return LogPage{}, err
	}
	page := LogPage{Entries: []LogEntry{}, Next: cursor(r.header.Get("Link"))}
	if page.Next != "" && q.After != "" && page.Next >= q.After {
		return LogPage{}, fmt.Errorf("%w: the list does not end", ErrAnswer)
	}
	if answer.Checkpoint == "" && len(answer.Entries) == 0 {
		return page, nil
	}
	if page.Checkpoint, err = c.opened(ctx, []byte(answer.Checkpoint)); err != nil {
		return LogPage{}, err
	}
	before := q.After
	for _, shown := range answer.Entries {
		e := LogEntry{Index: shown.Index, Erased: shown.Erased}
		if e.ID = shown.ID; !shown.Erased {
			if err := e.open(shown.Entry, shown.Salt); err != nil {
				return LogPage{}, err
			}
		}
		if !q.asks(e) || e.Index < 0 || e.Index >= page.Checkpoint.Size || before != "" && e.ID >= before {
			return LogPage{}, fmt.Errorf("%w: entry %d is none of those that were asked for", ErrAnswer, e.Index)
		}
		before = e.ID
		page.Entries = append(page.Entries, e)
	}
	return page, nil
}

// open reads what the hub shows of an entry.
func (e *LogEntry) open(body, salt string) (err error) {
	if e.Bytes, err = base64.RawURLEncoding.Strict().DecodeString(body); err == nil {
		e.Entry, err = proof.ParseEntry(e.Bytes)
	}
	s, saltErr := base64.RawURLEncoding.Strict().DecodeString(salt)
	if err = errors.Join(err, saltErr); err != nil || len(s) != 32 {
		return fmt.Errorf("%w: entry %d is none", ErrAnswer, e.Index)
	}
	e.Salt = s
	return nil
}

// asks reports whether q asks for e, as far as e says: a hub could else pass off other
// entries, and hide what was asked for behind them. What an erased entry said, nobody knows.
func (q LogQuery) asks(e LogEntry) bool {
	is := func(asked string, got ...string) bool { return asked == "" || slices.Contains(got, asked) }
	return e.Erased || is(q.Partner, e.Partner, e.Other) && is(q.Act, e.Act) && is(q.Outcome, e.Outcome) && is(q.Referral, e.Referral) &&
		is(q.Consent, e.Consent, e.Override) && !e.Time.Before(q.From.Truncate(time.Millisecond)) && (q.To.IsZero() || e.Time.Before(q.To))
}

func (q LogQuery) values() url.Values {
	values := url.Values{}
	for name, value := range map[string]string{"partner": q.Partner, "act": q.Act, "outcome": q.Outcome, "subject": q.Subject,
		"referral": q.Referral, "consent": q.Consent, "after": q.After} {
		if value != "" {
			values.Set(name, value)
		}
	}
	for name, t := range map[string]time.Time{"from": q.From, "to": q.To} {
		if !t.IsZero() {
			values.Set(name, t.UTC().Format(time.RFC3339Nano))
		}
	}
	if q.Limit != 0 {
		values.Set("limit", strconv.Itoa(q.Limit))
	}
	return values
}

// ReviewItem is one thing that an auditor is to look at.
type ReviewItem struct {
	Kind    string    `json:"kind"`  // overrides-past-review, emergencies-unapproved, emergencies-lapsed, consents-doubtful, refusals, openings
	Since   time.Time `json:"since"` // the oldest of what it counts
	Partner string    `json:"partner"`
	User    string    `json:"user,omitempty"`  // whom it is about, by opaque id, or the system
	IDs     []string  `json:"ids"`             // of overrides, consent records, log entries (refusals) or referrals (openings); at most 100
	Count   int64     `json:"count"`           // how many there are
	Rules   []string  `json:"rules,omitempty"` // of refusals: by which rules
	Words   string    `json:"words"`           // what it is and what to do
}

// Title is the kind in plain English.
func (i ReviewItem) Title() string { return strings.ReplaceAll(i.Kind, "-", " ") }

// LogReview lists what an auditor is to look at, the oldest first: at your agency, or at all
// if it is an oversight partner. It needs audit:read. The hub logs that you asked.
func (c *Client) LogReview(ctx context.Context) ([]ReviewItem, error) {
	answer, err := get[struct {
		Items []ReviewItem `json:"items"`
	}](ctx, c, logPath+"/review", nil)
	return answer.Items, err
}
