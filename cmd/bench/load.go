package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// target is a server under load: where it listens, its processes, and how to make a
// request that it accepts.
type target struct {
	address          string
	status           int                    // of the answer when it has done it
	server, postgres int                    // pids
	request          func() ([]byte, error) // a whole HTTP/1.1 request, as bytes
}

// slice is how long requests are sent before it is the other server's turn: a shared
// machine is slower in one second and faster in the next, and both are to have their
// part of it. It is far shorter than a DPoP proof is good for.
const slice = time.Second

// tally is what was measured of one target so far.
type tally struct {
	took    []time.Duration
	elapsed time.Duration
	cpu     cost
}

// compare drives baseline and hub with n senders, a slice at a time in turns, until
// each has been driven for span.
func compare(ctx context.Context, n int, span time.Duration, w *work) (theirs, ours result, err error) {
	var b, h tally
	for b.elapsed < span {
		if err := b.measure(ctx, n, w.baseline); err != nil {
			return result{}, result{}, fmt.Errorf("measuring the baseline: %w", err)
		}
		if err := h.measure(ctx, n, w.hub); err != nil {
			return result{}, result{}, fmt.Errorf("measuring the hub: %w", err)
		}
	}
	return b.result(), h.result(), nil
}

// measure drives t with n senders for a slice, each sender on a connection of its own,
// sending the next request when the answer to the last has come. Requests are made
// while the clock stands. It is an error if any is not done, if none is,
// or if a sender is left without an answer.
func (m *tally) measure(ctx context.Context, n int, t *target) error {
	requests, err := prepare(int(float64(rateBound(n))*slice.Seconds()), t)
	if err != nil {
		return err
	}
	// Making requests leaves garbage, much more for the hub than for the baseline. It is
	// not collected on the time of the server that is measured.
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	before, begin := t.spent(), time.Now()
	took, err := drive(ctx, t, n, begin.Add(slice), requests)
	if err != nil {
		return err
	}
	if len(took) == 0 {
		return errors.New("nothing was accepted")
	}
	m.took = append(m.took, took...)
	m.elapsed += time.Since(begin)
	after := t.spent()
	m.cpu.server += after.server - before.server
	m.cpu.postgres += after.postgres - before.postgres
	return nil
}

func (m *tally) result() result {
	slices.Sort(m.took)
	count := len(m.took)
	return result{
		rate: float64(count) / m.elapsed.Seconds(),
		p50:  m.took[count/2].Round(10 * time.Microsecond), p99: m.took[count*99/100].Round(10 * time.Microsecond),
		cpu: cost{m.cpu.server / time.Duration(count), m.cpu.postgres / time.Duration(count)},
	}
}

// rateBound is a rate that n senders stay under.
func rateBound(n int) int {
	if n == 1 {
		return 1500
	}
	return 4000
}

// drive sends requests with n senders until the time is over or none is left.
func drive(ctx context.Context, t *target, n int, until time.Time, requests [][]byte) ([]time.Duration, error) {
	var next atomic.Int64
	var mu sync.Mutex
	var took []time.Duration
	var failed error
	var group sync.WaitGroup
	for range n {
		group.Go(func() {
			mine, err := send(ctx, t, until, requests, &next)
			mu.Lock()
			defer mu.Unlock()
			took, failed = append(took, mine...), errors.Join(failed, err)
		})
	}
	group.Wait()
	return took, failed
}

// prepare makes count requests on every core.
func prepare(count int, t *target) ([][]byte, error) {
	requests := make([][]byte, count)
	var next atomic.Int64
	var group sync.WaitGroup
	var mu sync.Mutex
	var failed error
	for range 4 {
		group.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= count {
					return
				}
				r, err := t.request()
				if err != nil {
					mu.Lock()
					failed = errors.Join(failed, err)
					mu.Unlock()
					return
				}
				requests[i] = r
			}
		})
	}
	group.Wait()
	return requests, failed
}

func send(ctx context.Context, t *target, until time.Time, requests [][]byte, next *atomic.Int64) ([]time.Duration, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", t.address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	answers := bufio.NewReaderSize(conn, 16<<10)
	var took []time.Duration
	for ctx.Err() == nil && time.Now().Before(until) {
		i := int(next.Add(1)) - 1
		if i >= len(requests) {
			return took, nil
		}
		start := time.Now()
		if _, err := conn.Write(requests[i]); err != nil {
			return nil, err
		}
		answer, err := http.ReadResponse(answers, nil)
		if err != nil {
			return nil, err
		}
		if answer.StatusCode != t.status {
			why, _ := io.ReadAll(io.LimitReader(answer.Body, 1000))
			return nil, fmt.Errorf("answered %s: %s", answer.Status, why)
		}
		if _, err := io.Copy(io.Discard, answer.Body); err != nil {
			return nil, err
		}
		took = append(took, time.Since(start))
	}
	return took, ctx.Err()
}
