package keystest

import (
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// Slow is a connection to a server that takes its time when told to.
type Slow struct {
	Addr  string // as http://127.0.0.1:port
	delay atomic.Int64
}

// NewSlow forwards to the server at address (host and port) until the test ends.
func NewSlow(t testing.TB, address string) *Slow {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	s := &Slow{Addr: "http://" + l.Addr().String()}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.forward(c, address)
		}
	}()
	return s
}

// By makes each answer come that much later, from now on.
func (s *Slow) By(d time.Duration) { s.delay.Store(int64(d)) }

func (s *Slow) forward(c net.Conn, address string) {
	defer c.Close()
	server, err := net.Dial("tcp", address)
	if err != nil {
		return // closed, as by a server that is not there
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(server, c)
		_ = server.Close()
	}()
	buffer := make([]byte, 32<<10)
	for {
		n, err := server.Read(buffer)
		if n > 0 {
			time.Sleep(time.Duration(s.delay.Load()))
			if _, err := c.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
