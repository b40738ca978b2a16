package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"handover/keys/jose"
)

// act is something that the hub does within itself, and the bare call that is in it.
type act struct {
	name       string
	ours, bare func(context.Context) error
}

// custody measures signing and opening for a managed agency through Vault, each beside the
// transit call alone, and prints the comparable lines: `ratio` is the time of ours divided
// by the bare call's, of the medians.
func custody(ctx context.Context, o options) error {
	v, err := startVault(ctx, os.Getenv("HUB_TEST_VAULT"))
	if errors.Is(err, errNoVault) {
		fmt.Println("custody is not measured: " + err.Error())
		return nil
	}
	if err != nil {
		return fmt.Errorf("starting Vault: %w", err)
	}
	defer v.stop()
	own, err := jose.Generate(jose.ECDHESA256KW, jose.P256)
	if err != nil {
		return err
	}
	data, signing, opening := content(), v.signCall(), v.openCall()
	bareSign := func(ctx context.Context) error { return v.call(ctx, "sign/"+custodyName+".es256/sha2-256", signing) }
	for _, a := range []act{
		{"managed-sign", v.signs, bareSign},
		{"managed-send", func(ctx context.Context) error { return v.sends(ctx, own.Public(), data) }, bareSign},
		{"managed-open", v.opens, func(ctx context.Context) error { return v.call(ctx, "decrypt/kek", opening) }},
	} {
		for _, n := range []int{1, 16} {
			if err := a.measure(ctx, n, o); err != nil {
				return fmt.Errorf("%s: %w", a.name, err)
			}
		}
	}
	return nil
}

// measure does both with n callers at once, a slice each in turns, and prints.
func (a act) measure(ctx context.Context, n int, o options) error {
	var ours, bare []time.Duration
	var oursFor, bareFor time.Duration
	for range o.rounds {
		for begin := time.Now(); time.Since(begin) < o.span; {
			for _, turn := range []struct {
				do    func(context.Context) error
				took  *[]time.Duration
				spent *time.Duration
			}{{a.bare, &bare, &bareFor}, {a.ours, &ours, &oursFor}} {
				took, spent, err := repeat(ctx, n, slice/2, turn.do)
				if err != nil {
					return err
				}
				*turn.took, *turn.spent = append(*turn.took, took...), *turn.spent+spent
			}
		}
	}
	slices.Sort(ours)
	slices.Sort(bare)
	oursMid, bareMid := ours[len(ours)/2], bare[len(bare)/2]
	rate := float64(len(ours)) / oursFor.Seconds()
	bareRate := float64(len(bare)) / bareFor.Seconds()
	name := fmt.Sprintf("%s-%d", a.name, n)
	fmt.Printf("ratio %s-time %.2f\n", name, oursMid.Seconds()/bareMid.Seconds())
	fmt.Printf("ratio %s %.2f\n", name, rate/bareRate)
	fmt.Printf("figure %s-p50 %.2f ms\n", name, oursMid.Seconds()*1000)
	fmt.Printf("figure %s-bare-p50 %.2f ms\n", name, bareMid.Seconds()*1000)
	fmt.Printf("figure %s-rate %.0f /s\n", name, rate)
	return nil
}

// repeat has n callers do it until the time is over, and returns how long each took.
func repeat(ctx context.Context, n int, span time.Duration, do func(context.Context) error) (took []time.Duration, elapsed time.Duration, failed error) {
	var mu sync.Mutex
	var group sync.WaitGroup
	begin := time.Now()
	for range n {
		group.Go(func() {
			var mine []time.Duration
			var err error
			for err == nil && time.Since(begin) < span {
				start := time.Now()
				if err = do(ctx); err == nil {
					mine = append(mine, time.Since(start))
				}
			}
			mu.Lock()
			defer mu.Unlock()
			took, failed = append(took, mine...), errors.Join(failed, err)
		})
	}
	group.Wait()
	elapsed = time.Since(begin)
	if failed == nil && len(took) == 0 {
		failed = errors.New("nothing was done")
	}
	return took, elapsed, failed
}
