package limit

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Origin finds out where requests come from.
type Origin struct {
	Proxies []netip.Prefix // whose X-Forwarded-For is believed: those in front of the hub
}

// Network is where a request comes from: an IPv4 address, or the /64 of an IPv6 one,
// which is what one customer is given and can number as she likes. Behind a proxy of ours
// it is the last address that no such proxy wrote for itself: what stands further left in
// X-Forwarded-For, anybody may have written.
func (o Origin) Network(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	a = a.Unmap().WithZone("")
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !o.proxy(a) {
			break
		}
		before, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			break
		}
		a = before.Unmap().WithZone("")
	}
	if a.Is4() {
		return a.String()
	}
	return netip.PrefixFrom(a, 64).Masked().String()
}

func (o Origin) proxy(a netip.Addr) bool {
	return slices.ContainsFunc(o.Proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}
