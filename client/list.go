package client

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"handover/internal/ids"
)

// Filter narrows a list. The zero Filter lists what is open.
type Filter struct {
	State   string // one state; "" for all that are open; "all"
	Urgency string // one urgency; "" for all
	// Wait lets the hub answer later, up to 30 seconds, when nothing new is there
	// for you: a long poll. Whole seconds.
	Wait time.Duration
	Page int // rows a request asks for, 1 to 100; 0 for the hub's default
}

// Inbox lists the referrals sent to you, newest first, page by page as the loop
// asks for more. Listing them tells the senders that they were delivered.
//
//	for s, err := range c.Inbox(ctx, client.Filter{}) {
//		if err != nil {
//			return err
//		}
//		…
//	}
//
// An error is yielded once and ends the list. Its code is list-query-invalid when
// the filter is no filter.
func (c *Client) Inbox(ctx context.Context, f Filter) iter.Seq2[Summary, error] {
	return c.list(ctx, "/v1/inbox", url.Values{}, f)
}

// Sent lists the referrals that you sent, newest first, as Inbox does.
func (c *Client) Sent(ctx context.Context, f Filter) iter.Seq2[Summary, error] {
	return c.list(ctx, "/v1/referrals", url.Values{"role": {"sent"}}, f)
}

func (c *Client) list(ctx context.Context, path string, q url.Values, f Filter) iter.Seq2[Summary, error] {
	return func(yield func(Summary, error) bool) {
		f.into(q)
		for {
			page, next, err := c.page(ctx, path, q)
			if err != nil {
				yield(Summary{}, err)
				return
			}
			for _, s := range page {
				if !yield(s, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			q.Del("wait")
			q.Set("after", next)
		}
	}
}

// into writes the filter as the query of a first page.
func (f Filter) into(q url.Values) {
	q.Del("after")
	for name, value := range map[string]string{"state": f.State, "urgency": f.Urgency} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if f.Page != 0 {
		q.Set("limit", strconv.Itoa(f.Page))
	}
	if f.Wait >= time.Second {
		q.Set("wait", strconv.Itoa(int(f.Wait/time.Second)))
	}
}

// page asks for one page and returns the cursor of the next, "" when it is the
// last.
func (c *Client) page(ctx context.Context, path string, q url.Values) ([]Summary, string, error) {
	r, err := c.do(ctx, call{method: http.MethodGet, path: path, query: q})
	if err != nil {
		return nil, "", err
	}
	answer, err := read[struct {
		Referrals []Summary `json:"referrals"`
	}](r)
	if err != nil {
		return nil, "", err
	}
	next := cursor(r.header.Get("Link"))
	if next != "" && (next == q.Get("after") || len(answer.Referrals) == 0) {
		return nil, "", fmt.Errorf("%w: the list does not end", ErrAnswer)
	}
	return answer.Referrals, next, nil
}

// cursor takes the cursor out of a Link header (RFC 8288). Only that: where the
// next page is, the client knows, and a link could lead elsewhere.
func cursor(link string) string {
	target, rel, ok := strings.Cut(strings.TrimPrefix(link, "<"), ">;")
	if !ok || strings.TrimSpace(rel) != `rel="next"` {
		return ""
	}
	u, err := url.Parse(target)
	if err != nil {
		return ""
	}
	return u.Query().Get("after")
}

var referencePattern = regexp.MustCompile(`^R-[0-9A-Z]{4}-[0-9A-Z]{4}$`)

// Resolve returns the id of a referral by its id or its reference, R-XXXX-XXXX, as
// people read it to each other. It looks through your lists: the open ones first,
// then all. A reference that two of them share is refused.
func (c *Client) Resolve(ctx context.Context, name string) (string, error) {
	name = strings.TrimSpace(name)
	if ids.IsDigest(name) {
		return name, nil
	}
	reference := strings.NewReplacer("O", "0", "I", "1", "L", "1").Replace(strings.ToUpper(name))
	if !referencePattern.MatchString(reference) {
		return "", notThere()
	}
	for _, f := range []Filter{{Page: 100}, {Page: 100, State: "all"}} {
		found := map[string]bool{}
		for _, list := range []iter.Seq2[Summary, error]{c.Inbox(ctx, f), c.Sent(ctx, f)} {
			for s, err := range list {
				if err != nil {
					return "", err
				}
				if s.Reference == reference && ids.Reference(s.ID) == reference {
					found[s.ID] = true
				}
			}
		}
		if len(found) > 1 {
			return "", fmt.Errorf("more than one referral has the reference %s: give the id", reference)
		}
		for id := range found {
			return id, nil
		}
	}
	return "", notThere()
}
