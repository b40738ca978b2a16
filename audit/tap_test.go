package audit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// tap stands between a hub and PostgreSQL and hands on what the hub sends one message at a time
// (PostgreSQL's frontend protocol), so that a test can have one of the two die before any
// message it likes. Nothing for that is in the hub itself.
type tap struct {
	t      testing.TB
	listen net.Listener
	socket string // of the server
	counts string // the types of message that are counted; "" counts all

	mu    sync.Mutex
	armed bool
	left  int // messages that still pass
	die   func(backend int)
	dead  bool
	last  string // what was to be handed on when it died
	conns sync.WaitGroup
}

// newTap returns a tap before the server that address leads to, and the address through it.
func newTap(t testing.TB, address string) (*tap, string) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &tap{t: t, listen: l, socket: q.Get("host") + "/.s.PGSQL." + q.Get("port")}
	u.Host, u.RawQuery = l.Addr().String(), "sslmode=disable"
	p.conns.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.conns.Wait()
	})
	return p, u.String()
}

func (p *tap) accept() {
	for {
		c, err := p.listen.Accept()
		if err != nil {
			return
		}
		p.conns.Go(func() { p.serve(c.(*net.TCPConn)) })
	}
}

// arm lets so many messages more pass, and has die called before the next.
func (p *tap) arm(left int, die func(backend int)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed, p.left, p.die = true, left, die
}

// disarm lets everything pass, and reports whether somebody died, and before what.
func (p *tap) disarm() (dead bool, before string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	dead, before = p.dead, p.last
	p.armed, p.dead, p.last = false, false, ""
	return dead, before
}

// passes reports whether a message is handed on.
func (p *tap) passes(kind byte, body []byte, backend int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return false
	}
	if !p.armed || p.counts != "" && !strings.Contains(p.counts, string(kind)) {
		return true
	}
	if p.left > 0 {
		p.left--
		return true
	}
	p.dead, p.last = true, fmt.Sprintf("%c %.60q", kind, body)
	p.die(backend)
	return false
}

// serve hands on both ways until one side ends. When it returns, the server has done all that it
// was given and has ended the session.
func (p *tap) serve(client *net.TCPConn) {
	defer client.Close()
	conn, err := net.Dial("unix", p.socket)
	if err != nil {
		return // a server that recovers
	}
	server := conn.(*net.UnixConn)
	defer server.Close()
	backend := make(chan int, 1)
	var back sync.WaitGroup
	back.Go(func() {
		p.answers(server, client, backend)
		_ = client.CloseWrite()
		_, _ = io.Copy(io.Discard, server)
	})
	p.requests(client, server, backend)
	_ = server.CloseWrite()
	back.Wait()
}

// requests hands on what the client sends, while it passes.
func (p *tap) requests(client, server net.Conn, backend <-chan int) {
	_, first, err := message(client, false)
	if err != nil {
		return
	}
	if _, err := server.Write(first); err != nil {
		return
	}
	pid := 0
	for {
		kind, text, err := message(client, true)
		if err != nil {
			return
		}
		if pid == 0 && kind != 'p' {
			pid = <-backend
		}
		if !p.passes(kind, text[5:], pid) {
			return
		}
		if _, err := server.Write(text); err != nil {
			return
		}
	}
}

// answers hands on what the server sends, and tells which process it is (BackendKeyData).
func (p *tap) answers(server, client net.Conn, backend chan<- int) {
	told := false
	defer func() {
		if !told {
			close(backend)
		}
	}()
	for {
		kind, text, err := message(server, true)
		if err != nil {
			return
		}
		if kind == 'K' && !told {
			told = true
			backend <- int(binary.BigEndian.Uint32(text[5:]))
		}
		if _, err := client.Write(text); err != nil {
			return
		}
	}
}

// message reads one message, with its type unless it is the first of a session.
func message(r io.Reader, typed bool) (kind byte, text []byte, err error) {
	head := make([]byte, 4, 64)
	if typed {
		head = head[:5]
	}
	if _, err := io.ReadFull(r, head); err != nil {
		return 0, nil, err
	}
	if typed {
		kind = head[0]
	}
	n := int(binary.BigEndian.Uint32(head[len(head)-4:])) - 4
	if n < 0 || n > 1<<26 {
		return 0, nil, errors.New("no message")
	}
	text = append(head, make([]byte, n)...)
	_, err = io.ReadFull(r, text[len(head):])
	return kind, text, err
}
