#!/bin/sh
# Runs every fuzz target for the given time each (default 30s), and fails at the first
# that finds something. Run from the root of the repository. An input that covers something
# new is not made smaller: what a JSON decoder keeps in pools makes coverage waver, and Go
# would spend the whole time on it.
set -eu
. deploy/dev/lib.sh

time=${1:-30s}
found=0
for dir in $(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -r -n 1 dirname | sort -u); do
	for target in $(grep -h '^func Fuzz' "$dir"/*_test.go | sed 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/' | sort -u); do
		say "== $dir $target, $time"
		go test -run='^$' -fuzz="^$target\$" -fuzztime="$time" -fuzzminimizetime=1x "$dir"
		found=$((found + 1))
	done
done
[ "$found" -gt 0 ] || fail "There is no fuzz target in this tree."
