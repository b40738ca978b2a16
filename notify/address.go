package notify

import (
	"net/netip"
	"net/url"
	"strings"
)

// longestURL is how many bytes an address may have.
const longestURL = 500

// checkURL returns ErrAddress unless messages may be sent to the address at all: https, at a name
// and not at a number, on port 443, without a name or password in it, and without anything that
// two readers of addresses could read in two ways. Where the name leads is judged at each
// connection, since it may lead elsewhere tomorrow. A hub that is being developed on somebody's
// own machine also takes http and any port at that machine.
func (e *Egress) checkURL(address string) error {
	odd := func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`\"<>^{}|#*`+"`", r) }
	if address == "" || len(address) > longestURL || strings.ContainsFunc(address, odd) {
		return ErrAddress
	}
	u, err := url.Parse(address)
	if err != nil || u.User != nil || u.Opaque != "" || u.Host == "" {
		return ErrAddress
	}
	if e.local && isLocal(u.Hostname()) && (u.Scheme == "http" || u.Scheme == "https") {
		return nil
	}
	if u.Scheme != "https" || u.Port() != "" && u.Port() != "443" || !isHostName(u.Hostname()) {
		return ErrAddress
	}
	return nil
}

// isLocal reports whether a host is this machine, by its usual names.
func isLocal(host string) bool { return host == "localhost" || host == "127.0.0.1" || host == "::1" }

// isHostName reports whether s is a fully qualified name of DNS. Its last label begins with a letter,
// so it is no spelling of a number that some resolver would take for an address: 127.1, 0x7f.1.
func isHostName(s string) bool {
	labels := strings.Split(s, ".")
	if len(labels) < 2 {
		return false
	}
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' ||
			strings.Trim(l, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != "" {
			return false
		}
	}
	first := labels[len(labels)-1][0] | 0x20
	return 'a' <= first && first <= 'z'
}

// translated is where a translator of addresses (NAT64) puts those of IPv4 (RFC 6052 §2.1).
var translated = netip.MustParsePrefix("64:ff9b::/96")

// special are the blocks that look public, and are not, or lead to addresses within them
// (IANA's registries of special-purpose addresses).
var special = func() []netip.Prefix {
	var all []netip.Prefix
	for _, p := range []string{
		"0.0.0.0/8",       // this network
		"100.64.0.0/10",   // between a provider of connections and its customers (RFC 6598)
		"192.0.0.0/24",    // protocols
		"192.0.2.0/24",    // documentation, as the two below
		"192.88.99.0/24",  // relays of 6to4
		"198.18.0.0/15",   // measurements
		"198.51.100.0/24", //
		"203.0.113.0/24",  //
		"240.0.0.0/4",     // reserved, and the broadcast
		"2001::/23",       // protocols: Teredo, ORCHID, which hold addresses of IPv4
		"2001:db8::/32",   // documentation, as the one below
		"2002::/16",       // 6to4, which holds addresses of IPv4
		"3fff::/20",       //
	} {
		all = append(all, netip.MustParsePrefix(p))
	}
	return all
}()

// unicast is all of IPv6 that is given out for the public (RFC 4291 §2.4).
var unicast = netip.MustParsePrefix("2000::/3")

// isPublic reports whether an address is one of the public internet: not this machine, its network
// or anybody's private one, in whatever way it is written down.
func isPublic(a netip.Addr) bool {
	a = a.Unmap()
	if a.Zone() != "" {
		return false
	}
	if translated.Contains(a) {
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.Is6() && !unicast.Contains(a) {
		return false
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return true
}
