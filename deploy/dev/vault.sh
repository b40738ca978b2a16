#!/bin/sh
# Makes sure that the tests find the real Vault they need, and prints its path. It is
# keys/vaulttest, a Go module of its own that is built once into .cache/: 400 MB of modules
# are fetched and some minutes of compiling needed, the first time and whenever its source
# changes. Run from the root of the repository. HUB_TEST_VAULT names another program, or
# says off: then the tests that need Vault are left out, and say so.
set -eu
. deploy/dev/lib.sh

module=keys/vaulttest
binary=$PWD/.cache/vaulttest

if [ -n "${HUB_TEST_VAULT:-}" ]; then
	[ "$HUB_TEST_VAULT" != off ] || say "HUB_TEST_VAULT=off: the tests that need Vault are left out."
	printf '%s\n' "$HUB_TEST_VAULT"
	exit 0
fi
source=$(cat "$module"/*.go "$module/go.mod" "$module/go.sum" | cksum)
if [ ! -x "$binary" ] || [ "$(cat "$binary.source" 2>/dev/null)" != "$source" ]; then
	say "Building $module, the Vault for the tests, into .cache/: the first time this fetches 400 MB and takes some minutes."
	mkdir -p .cache
	go -C "$module" build -trimpath -ldflags '-s -w' -o "$binary" . >&2 ||
		fail "The Vault for the tests could not be built. Without network, set HUB_TEST_VAULT=off to leave out the tests that need it."
	printf '%s\n' "$source" >"$binary.source"
fi
printf '%s\n' "$binary"
