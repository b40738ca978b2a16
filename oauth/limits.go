package oauth

import (
	"net/http"

	"golang.org/x/time/rate"

	"handover/internal/fault"
	"handover/oauth/limit"
)

// ErrTooMany is the answer to a request over a limit of the API.
var ErrTooMany = fault.New(fault.TooMany, "too-many-requests", fault.Sender,
	"You send more requests than this hub takes from one caller. Go on after the time in Retry-After; RateLimit says what is left.").Retryable()

// Rates are how many requests a second the hub takes, each with a burst of ten seconds'
// worth. rate.Inf is no limit; 0 is the default.
type Rates struct {
	TokenAddress rate.Limit // at the authorization server's endpoints from one network: 20
	TokenClient  rate.Limit // of these for one client from one network: 5. A token lasts ten minutes, so an honest client needs one in that time
	Address      rate.Limit // of the API from one network: 300
	Client       rate.Limit // of these with a token of one client: 100
	User         rate.Limit // of these with a token of one person: 20
}

func (r Rates) defaulted() Rates {
	for _, d := range []struct {
		rate  *rate.Limit
		value rate.Limit
	}{{&r.TokenAddress, 20}, {&r.TokenClient, 5}, {&r.Address, 300}, {&r.Client, 100}, {&r.User, 20}} {
		if *d.rate == 0 {
			*d.rate = d.value
		}
	}
	return r
}

// limits are those of the API. That of the address comes before anything else; those of
// client and person follow once the token shows who they are, which for a token that was
// seen before takes no signature.
type limits struct {
	origin  limit.Origin
	address *limit.Limiter
	client  *limit.Limiter
	user    *limit.Limiter
}

func (c Config) limits() limits {
	return limits{origin: c.Origin, address: limit.New("address", c.Rates.Address, c.Now),
		client: limit.New("client", c.Rates.Client, c.Now), user: limit.New("user", c.Rates.User, c.Now)}
}

// exceeded reports whether the token's client or person is over her limit, and writes
// the RateLimit fields. Each counts for the network it comes from: a stolen token alone,
// with which nobody is let in, must not use up what its owner may send.
func (l limits) exceeded(w http.ResponseWriter, held access, from string) bool {
	if over(w, l.client.Allow(held.client+" "+from)) {
		return true
	}
	return held.user != "" && over(w, l.user.Allow(held.user+" "+from))
}

func over(w http.ResponseWriter, v limit.Verdict) bool {
	v.Write(w.Header())
	return v.Refused()
}
