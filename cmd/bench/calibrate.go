package main

import (
	"fmt"
	"net"
	"time"

	"handover/keys/jose"
)

// calibrate measures one ES256 verification, the unit of what a machine can do: the
// same run on another machine, or on this one when it is busy, shows another.
func calibrate() (time.Duration, error) {
	key, err := jose.Generate(jose.ES256, jose.P256)
	if err != nil {
		return 0, err
	}
	token, err := jose.Sign("bench+jwt", []byte(`{}`), key.Signer())
	if err != nil {
		return 0, err
	}
	signed, err := jose.ParseSigned(token, 1<<10, "bench+jwt")
	if err != nil {
		return 0, err
	}
	const times = 500
	begin := time.Now()
	for range times {
		if _, err := signed.Verify(key.Public()); err != nil {
			return 0, err
		}
	}
	return time.Since(begin) / times, nil
}

// freePort is a port of loopback that nobody listens on now.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return "", fmt.Errorf("finding a free port: %w", err)
	}
	return port, nil
}
