package gather_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"handover/internal/gather"
)

// item is what the tests gather: it notes the group it was served in.
type item struct {
	key, name string
	group     []*item
}

// together joins all items, one after the other, and returns when all have been served.
func together(t *testing.T, l *gather.Lines[*item], items ...*item) {
	t.Helper()
	var all sync.WaitGroup
	for _, i := range items {
		all.Go(func() {
			if err := l.Join(t.Context(), i); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
	}
	all.Wait()
}

// slowly serves a group in a second.
func slowly(_ context.Context, group []*item) {
	time.Sleep(time.Second)
	for _, i := range group {
		i.group = slices.Clone(group)
	}
}

func TestWhoeverComesAloneWaitsForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &gather.Lines[*item]{Most: 10, Within: time.Minute, Do: slowly}
		for range 3 {
			begin := time.Now()
			together(t, l, &item{})
			if took := time.Since(begin); took != time.Second {
				t.Errorf("alone it took %v, want the second of the work", took)
			}
		}
	})
}

func TestWhatArrivesMeanwhileGoesTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &gather.Lines[*item]{Most: 3, Within: time.Minute, Do: slowly}
		items := make([]*item, 6)
		for n := range items {
			items[n] = &item{}
		}
		begin := time.Now()
		together(t, l, items...)
		for n, size := range []int{1, 3, 3, 3, 2, 2} { // the first was on its way, and three is the most
			if len(items[n].group) != size {
				t.Errorf("item %d was served in a group of %d, want %d", n, len(items[n].group), size)
			}
		}
		if took := time.Since(begin); took != 3*time.Second {
			t.Errorf("three groups took %v: not one after the other", took)
		}
	})
}

func TestNobodyWaitsBehindAnotherKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &gather.Lines[*item]{Most: 10, Within: time.Minute, Key: func(i *item) string { return i.key }, Do: slowly}
		a, b := &item{key: "a"}, &item{key: "b"}
		begin := time.Now()
		together(t, l, a, b)
		if took := time.Since(begin); took != time.Second || len(a.group) != 1 || len(b.group) != 1 {
			t.Errorf("two keys took %v in groups of %d and %d", took, len(a.group), len(b.group))
		}
	})
}

func TestWhoMustStayApartIsNotInOneGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &gather.Lines[*item]{Most: 10, Within: time.Minute, Do: slowly, Apart: func(a, b *item) bool { return a.name == b.name }}
		items := []*item{{name: "first"}, {name: "x"}, {name: "x"}, {name: "y"}, {name: "x"}}
		together(t, l, items...)
		for n, size := range []int{1, 2, 1, 2, 1} {
			if len(items[n].group) != size {
				t.Errorf("item %d was served in a group of %d, want %d", n, len(items[n].group), size)
			}
		}
	})
}

func TestACallerMayLeaveAndIsServedAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var served atomic.Int64
		l := &gather.Lines[*item]{Most: 10, Within: time.Minute, Do: func(ctx context.Context, group []*item) {
			time.Sleep(time.Second)
			if ctx.Err() != nil {
				t.Error("the group ended with its caller")
			}
			served.Add(int64(len(group)))
		}}
		ctx, leave := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, leave)
		go func() {
			if err := l.Join(ctx, &item{}); err != nil { // finds nobody before it, and serves
				t.Errorf("who serves left with %v", err)
			}
		}()
		synctest.Wait()
		if err := l.Join(ctx, &item{}); !errors.Is(err, context.Canceled) || served.Load() != 0 {
			t.Errorf("the caller who left got %v when %d were served", err, served.Load())
		}
		time.Sleep(2 * time.Second)
		if served.Load() != 2 {
			t.Errorf("%d were served", served.Load())
		}
	})
}

func TestAGroupHasItsTimeAndNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &gather.Lines[*item]{Most: 10, Within: time.Minute, Do: func(ctx context.Context, _ []*item) { <-ctx.Done() }}
		begin := time.Now()
		together(t, l, &item{})
		if took := time.Since(begin); took != time.Minute {
			t.Errorf("the group had %v", took)
		}
	})
}

// TestAPanicIsMetByItsCallersAndByNobodyElse: in the line's own goroutine it would end
// the process.
func TestAPanicIsMetByItsCallersAndByNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		l := &gather.Lines[*item]{Most: 10, Within: time.Minute, Do: func(context.Context, []*item) {
			time.Sleep(time.Second)
			if calls.Add(1) == 2 {
				panic("a mistake")
			}
		}}
		met := make([]any, 4)
		var all sync.WaitGroup
		for n := range met {
			all.Go(func() {
				defer func() { met[n] = recover() }()
				if n == 3 {
					time.Sleep(1500 * time.Millisecond)
				}
				_ = l.Join(t.Context(), &item{})
			})
			synctest.Wait()
		}
		all.Wait()
		for n, want := range []any{nil, "a mistake", "a mistake", nil} {
			if met[n] != want {
				t.Errorf("caller %d met %v, want %v", n, met[n], want)
			}
		}
	})
}
