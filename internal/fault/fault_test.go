package fault_test

import (
	"errors"
	"fmt"
	"maps"
	"testing"

	"handover/internal/fault"
)

var (
	errFull  = fault.New(fault.Conflict, "shelter-full", fault.Recipient, "The shelter is full. Ask another.")
	errEmpty = fault.New(fault.Conflict, "shelter-empty", fault.Recipient, "The shelter is empty.")
)

func TestNewDeclaresWhatItSays(t *testing.T) {
	if errFull.Kind != fault.Conflict || errFull.Code != "shelter-full" || errFull.Party != fault.Recipient ||
		errFull.Text != "The shelter is full. Ask another." || errFull.Retry || len(errFull.Members()) != 0 {
		t.Errorf("%+v", errFull)
	}
	if got, want := errFull.Error(), "shelter-full: The shelter is full. Ask another."; got != want {
		t.Errorf("it reads %q, want %q", got, want)
	}
	again := fault.New(fault.Unavailable, "shelter-closed", fault.Hub, "The shelter is closed.").Retryable()
	if !again.Retry || !again.With("until", "08:00").Retry {
		t.Error("a retry cannot help")
	}
}

// A kind has no zero: a fault made without one is nothing that any table knows.
func TestKindsAreDistinct(t *testing.T) {
	seen := map[fault.Kind]bool{0: true}
	for _, k := range []fault.Kind{fault.Invalid, fault.Unauthenticated, fault.Forbidden, fault.NotFound, fault.NotAllowed, fault.Conflict,
		fault.TooLarge, fault.Unsupported, fault.Unprocessable, fault.TooMany, fault.Unavailable} {
		if seen[k] {
			t.Errorf("kind %d is there twice, or zero", k)
		}
		seen[k] = true
	}
}

func TestRefusalIsRecognisedHoweverItIsWrapped(t *testing.T) {
	for name, err := range map[string]error{
		"as it is": errFull, "with a member": errFull.With("bed", "7"), "wrapped": fmt.Errorf("placing: %w", errFull),
		"with a member, wrapped twice": fmt.Errorf("b: %w", fmt.Errorf("a: %w", errFull.With("bed", "7"))),
		"joined":                       errors.Join(errors.New("other"), errFull.With("bed", "7")),
	} {
		if !errors.Is(err, errFull) {
			t.Errorf("%s: not recognised", name)
		}
		if errors.Is(err, errEmpty) {
			t.Errorf("%s: taken for another", name)
		}
		f, ok := errors.AsType[*fault.Fault](err)
		if !ok || f.Code != errFull.Code {
			t.Errorf("%s: found %v", name, f)
		}
	}
	if !errors.Is(errFull, errFull.With("bed", "7")) {
		t.Error("with a member it is not the same refusal")
	}
	for _, other := range []error{errors.New("shelter-full: The shelter is full. Ask another."), errEmpty, nil} {
		if errors.Is(other, errFull) || (other != nil && errors.Is(errFull, other)) {
			t.Errorf("%v is taken for it", other)
		}
	}
}

// With makes a copy: what one refusal carries is not carried by the next.
func TestMembersBelongToOneRefusal(t *testing.T) {
	first := errFull.With("bed", "7")
	second := first.With("floor", "2")
	third := first.With("bed", "8")
	for name, row := range map[string]struct {
		f    *fault.Fault
		want map[string]any
	}{
		"the declaration": {errFull, map[string]any{}}, "one member": {first, map[string]any{"bed": "7"}},
		"two members": {second, map[string]any{"bed": "7", "floor": "2"}}, "the same member again": {third, map[string]any{"bed": "8"}},
	} {
		if !maps.Equal(row.f.Members(), row.want) {
			t.Errorf("%s: %v, want %v", name, row.f.Members(), row.want)
		}
	}
	if second.Kind != errFull.Kind || second.Text != errFull.Text || second.Party != errFull.Party {
		t.Error("a copy says something else")
	}
	// Members are for the answer; the text that logs and errors show stays fixed.
	if second.Error() != errFull.Error() {
		t.Errorf("it reads %q", second.Error())
	}
}
