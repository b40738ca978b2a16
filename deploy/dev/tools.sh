#!/bin/sh
# Makes sure that the tests find what they need besides Go and PostgreSQL: a C compiler for
# the race detector, curl and openssl for the examples, Node with its packages for the clients
# we did not write and for what the pages' style is made of, and Chromium for the pages. Prints the flag -race if it can be used. Run from the root of the repository.
set -eu
. deploy/dev/lib.sh

compiler() {
	cc=$(go env CC)
	command -v "${cc%% *}" >/dev/null 2>&1
}

if { compiler || { apt_install gcc libc6-dev && compiler; }; } && [ "$(go env CGO_ENABLED)" = 1 ]; then
	echo -race
else
	say "No C compiler that Go may use: the tests run without the race detector."
fi

for tool in curl openssl; do # the examples of docs/oauth.md run with them
	command -v $tool >/dev/null 2>&1 || apt_install ca-certificates $tool || fail "$tool was not found, and the examples of docs/oauth.md need it: install the package $tool."
done

chromium() { [ -x /usr/bin/chromium ] || [ -x /usr/bin/chromium-browser ] || [ -x /usr/bin/google-chrome ]; }

chromium || { say "No Chromium on this machine: installing Debian's package for the tests of the pages."; apt_install chromium && chromium; } ||
	fail "Chromium was not found, and the tests of the pages need it: install the package chromium."

command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 || apt_install nodejs npm ||
	fail "Node was not found, and internal/interop and web/assets need it: install Node 18 or newer with npm."
# npm ci starts from nothing each time; it is skipped while the lock file is the one
# that was installed.
for packages in internal/interop web/assets; do
	cmp -s "$packages/package-lock.json" "$packages/node_modules/.installed-lock.json" && continue
	(cd "$packages" && npm ci --silent --no-audit --no-fund >&2) ||
		fail "npm could not fetch the packages of $packages: check the connection and run this again."
	cp "$packages/package-lock.json" "$packages/node_modules/.installed-lock.json"
done
