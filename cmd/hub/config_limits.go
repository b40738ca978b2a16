package main

import (
	"errors"
	"net/netip"
	"strings"

	"golang.org/x/time/rate"

	"handover/oauth"
	"handover/oauth/limit"
)

func (c *Config) completeProxies() error {
	if _, err := c.proxies(); err != nil {
		return errors.New("HUB_PROXIES: must be networks such as 10.0.0.0/8, with commas between")
	}
	return nil
}

func (c *Config) proxies() (all []netip.Prefix, err error) {
	for text := range strings.SplitSeq(c.Proxies, ",") {
		if text == "" && c.Proxies == "" {
			break
		}
		p, err := netip.ParsePrefix(strings.TrimSpace(text))
		if err != nil {
			return nil, err
		}
		all = append(all, p.Masked())
	}
	return all, nil
}

// origin is how the hub tells where requests come from.
func (c *Config) origin() (limit.Origin, error) {
	proxies, err := c.proxies()
	return limit.Origin{Proxies: proxies}, err
}

// rates are the limits of the authorization server and the API.
func (c *Config) rates() oauth.Rates {
	per := func(n int) rate.Limit {
		if n == 0 {
			return rate.Inf
		}
		return rate.Limit(n)
	}
	ofOne := per(c.RateTokens)
	if ofOne != rate.Inf {
		ofOne /= 4
	}
	return oauth.Rates{TokenAddress: per(c.RateTokens), TokenClient: ofOne, Address: per(c.RateAddress), Client: per(c.RateClient), User: per(c.RateUser)}
}
