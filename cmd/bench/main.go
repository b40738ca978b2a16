// Command bench measures what accepting a packet costs, and what giving a token costs,
// each beside a baseline that does only the unavoidable: both in one run, on one machine,
// over one PostgreSQL, turn about. Its last lines are `ratio NAME VALUE` (our rate divided
// by the baseline's) and `figure NAME VALUE UNIT`, so that runs can be compared.
//
// log.go measures the log alone: waiting for a receipt beside plain insertion, and proofs in
// a log of a million entries.
//
// hub.go starts the real hub and enrols two partners over its API; requests.go is what
// they send; baseline.go is what we compare with; load.go drives either with requests made beforehand, so that
// a sender costs next to nothing; cpu.go reads what the processes spent. custody.go is what
// the hub does for agencies whose keys it keeps in Vault, measured by turns.go beside the
// call to Vault alone. inbox.go measures the pages of the inbox at a hub with a hundred referrals
// and at one with a hundred thousand.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"time"
)

func main() {
	if len(os.Args) > 2 && os.Args[1] == "baseline" {
		exit(baseline(os.Args[2], os.Args[3]))
	}
	var o options
	flag.StringVar(&o.hub, "hub", "bin/hub", "the hub's binary")
	flag.DurationVar(&o.span, "span", 5*time.Second, "how long hub and baseline are each driven in a measurement, at the least")
	flag.IntVar(&o.rounds, "rounds", 3, "how often each number of senders is measured")
	senders := flag.String("senders", "1,16,64", "how many senders at once, one number or several")
	flag.StringVar(&o.only, "only", "", "hub, log, custody or inbox: leave out the others")
	flag.IntVar(&o.entries, "entries", 1_000_000, "how many entries the log has when proofs are measured")
	flag.StringVar(&o.dir, "dir", "", "a folder for the hub to use and keep, instead of one that is thrown away")
	flag.Parse()
	for n := range strings.SplitSeq(*senders, ",") {
		count, err := strconv.Atoi(n)
		if err != nil || count < 1 {
			exit(fmt.Errorf("-senders %s: give numbers with commas between", *senders))
		}
		o.senders = append(o.senders, count)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	exit(all(ctx, o))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

type options struct {
	hub     string
	dir     string
	only    string
	span    time.Duration
	rounds  int
	senders []int
	entries int
}

// result is one measurement.
type result struct {
	rate     float64 // done a second
	p50, p99 time.Duration
	cpu      cost // of one
}

// String is the measurement in a few words.
func (r result) String() string {
	return fmt.Sprintf("%5.0f/s p50 %v p99 %v cpu %d+%d µs", r.rate, r.p50, r.p99, r.cpu.server.Microseconds(), r.cpu.postgres.Microseconds())
}

// work is something that the hub does, and the bare cost of it.
type work struct {
	name          string
	hub, baseline *target
	ours, theirs  map[int][]result // by the number of senders
}

// bench measures each work with every number of senders in turn and prints what it found.
func bench(ctx context.Context, o options) error {
	x, err := start(ctx, o)
	if err != nil {
		return err
	}
	defer x.stop()
	for round := range o.rounds {
		for _, n := range o.senders {
			verify, err := calibrate()
			if err != nil {
				return err
			}
			for _, w := range x.works {
				b, h, err := compare(ctx, n, o.span, w)
				if err != nil {
					return fmt.Errorf("%s: %w", w.name, err)
				}
				fmt.Printf("round %d, %2d senders, one ES256 verify %d µs: %s: baseline %s; hub %s\n",
					round+1, n, verify.Microseconds(), w.name, b, h)
				w.ours[n], w.theirs[n] = append(w.ours[n], h), append(w.theirs[n], b)
			}
		}
	}
	for _, w := range x.works {
		w.report(o.senders)
	}
	fmt.Printf("figure hub-memory %d MiB\n", resident(x.server)>>20)
	return nil
}

// all measures everything, or what -only names.
func all(ctx context.Context, o options) error {
	for _, part := range []struct {
		name    string
		measure func(context.Context, options) error
	}{{"hub", bench}, {"log", logs}, {"custody", custody}, {"inbox", inboxes}} {
		if o.only != "" && o.only != part.name {
			continue
		}
		if err := part.measure(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// report prints the comparable lines: of each measure the median of the rounds.
func (w *work) report(senders []int) {
	for _, n := range senders {
		h, b := w.ours[n], w.theirs[n]
		name := fmt.Sprintf("%s-%d", w.name, n)
		var ratios, times []float64
		for i := range h {
			ratios = append(ratios, h[i].rate/b[i].rate)
			times = append(times, float64(h[i].cpu.total())/float64(b[i].cpu.total()))
		}
		cpu := func(r result) float64 { return float64(r.cpu.total().Microseconds()) }
		fmt.Printf("ratio %s %.2f\n", name, median(ratios))
		fmt.Printf("figure %s-rate %.0f /s\n", name, median(pick(h, func(r result) float64 { return r.rate })))
		fmt.Printf("figure %s-p50 %.2f ms\n", name, median(pick(h, func(r result) float64 { return r.p50.Seconds() * 1000 })))
		fmt.Printf("figure %s-p99 %.2f ms\n", name, median(pick(h, func(r result) float64 { return r.p99.Seconds() * 1000 })))
		fmt.Printf("figure %s-cpu %.0f us\n", name, median(pick(h, cpu)))
		fmt.Printf("figure %s-bare-cpu %.0f us\n", name, median(pick(b, cpu)))
		fmt.Printf("figure %s-cpu-times %.2f of-bare\n", name, median(times))
	}
}

func pick(rs []result, f func(result) float64) []float64 {
	out := make([]float64, len(rs))
	for i, r := range rs {
		out[i] = f(r)
	}
	return out
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}
