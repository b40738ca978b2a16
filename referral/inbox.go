package referral

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"handover/internal/codes"
	"handover/internal/ids"
	"handover/partners"
)

// Tab is one list of what an agency received or sent.
type Tab string

// The tabs of the inbox, and of what was sent.
const (
	TabNew     Tab = "new"     // nobody has it, and nobody has said that it was received
	TabMine    Tab = "mine"    // the person who acts has it
	TabWaiting Tab = "waiting" // for the sender's answer
	TabOverdue Tab = "overdue" // the longest first
	TabEnding  Tab = "ending"  // the consent that it rests on ends in a week, or has ended; the soonest first
	TabOpen    Tab = "open"

	TabAsked    Tab = "asked"     // the recipient waits for an answer
	TabSent     Tab = "sent"      // all that are open
	TabSentMine Tab = "sent-mine" // the person who acts has it
	TabSentAll  Tab = "sent-all"  // also what has ended
)

// InboxTabs are the tabs of what was received, in order.
func InboxTabs() []Tab { return []Tab{TabNew, TabMine, TabWaiting, TabOverdue, TabEnding, TabOpen} }

// SentTabs are the tabs of what was sent, in order.
func SentTabs() []Tab { return []Tab{TabAsked, TabSent, TabSentMine, TabSentAll} }

// Nobody, as the holder that a query asks for, is none.
const Nobody = "nobody"

// InboxQuery asks for one page of a tab. What is "" narrows nothing.
type InboxQuery struct {
	Tab       Tab
	Urgency   string
	Holder    string // a person's id, or Nobody
	Other     string // the agency on the other side
	Reference string // as ids.ParseReference returns it: then neither the tab nor the rest counts
	After     string // InboxPage.Next of the page before
}

// InboxPage is one page of a tab. Counting stops at CountMost: a count of more is CountMost+1.
type InboxPage struct {
	Rows    []Summary
	Next    string // where the next page begins, "" if there is none
	Stopped bool   // the filters were asked of as many as one page looks through: there may be more behind Next
	Counts  map[Tab]int
	Newest  int64 // the newest referral that the agency has received: see Arrived
	Now     time.Time
}

// CountMost is how far a tab is counted.
const CountMost = 100

// pageOf is how many referrals one page has.
const pageOf = 20

// lookThrough is how many referrals of a tab one page asks whether they pass the filters.
const lookThrough = 500

// check returns ErrQuery unless the query can be asked, and the place after which its page
// begins.
func (q InboxQuery) check() (at spot, err error) {
	if q.Reference != "" {
		if _, ok := ids.ParseReference(q.Reference); !ok {
			return spot{}, ErrQuery
		}
		return spot{}, nil
	}
	known := slices.Contains(InboxTabs(), q.Tab) || slices.Contains(SentTabs(), q.Tab)
	if !known || q.Urgency != "" && !codes.Urgencies().Has(q.Urgency) || q.Other != "" && !ids.IsName(q.Other) ||
		q.Holder != "" && q.Holder != Nobody && !ids.IsUUID(q.Holder) {
		return spot{}, ErrQuery
	}
	return parseSpot(q.After)
}

// narrowed reports whether filters are asked.
func (q InboxQuery) narrowed() bool { return q.Urgency+q.Holder+q.Other != "" }

// spot is the place of a row in a list: its seq, and before that a moment in those that are
// ordered by one.
type spot struct {
	at  time.Time
	seq int64
}

func (c spot) String() string {
	if c.at.IsZero() {
		return strconv.FormatInt(c.seq, 10)
	}
	return strconv.FormatInt(c.at.UnixMicro(), 10) + "." + strconv.FormatInt(c.seq, 10)
}

// parseSpot reads what String wrote: numbers that anybody may choose, since they only say
// where in her own list she goes on.
func parseSpot(s string) (spot, error) {
	if s == "" {
		return spot{}, nil
	}
	var c spot
	micros, seq, timed := strings.Cut(s, ".")
	if !timed {
		micros, seq = "", micros
	}
	n, err := strconv.ParseInt(seq, 10, 64)
	if err != nil || n < 1 {
		return spot{}, ErrQuery
	}
	c.seq = n
	if timed {
		n, err := strconv.ParseInt(micros, 10, 64)
		if err != nil || n < 0 || n > time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro() {
			return spot{}, ErrQuery
		}
		c.at = time.UnixMicro(n)
	}
	return c, nil
}

// after is the spot of a row of the tab's list.
func (t tabList) after(m Summary) spot {
	at := spot{seq: m.seq}
	if t.place == placeDue && m.DueAt != nil {
		at.at = *m.DueAt
	}
	if t.place == placeEnds && m.Ends != nil {
		at.at = *m.Ends
	}
	return at
}

// allows returns nil if the caller's token carries the scope of one of the sides.
func allows(c partners.Caller, sides ...Side) (err error) {
	for _, side := range sides {
		if err = side.Allows(c); err == nil {
			return nil
		}
	}
	return err
}
