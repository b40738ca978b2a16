# Shared by the scripts of this folder: sourced, not run.

# say writes for people; standard output is for the caller.
say() { printf '%s\n' "$*" >&2; }

fail() { say "$*"; exit 1; }

# as_root runs a command with root's rights, or returns 1 if there is no way to them
# without asking.
as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
		sudo -n "$@"
	else
		return 1
	fi
}

# apt_install installs Debian packages, or returns 1 where that cannot be done.
apt_install() {
	command -v apt-get >/dev/null 2>&1 || return 1
	as_root true || return 1
	say "Installing with apt-get: $*"
	as_root apt-get -o DPkg::Lock::Timeout=300 -qq update >&2 ||
		say "apt-get update failed; trying with the lists that are there"
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 \
		-o Dpkg::Options::=--force-confold -o Dpkg::Use-Pty=0 -qq install -y --no-install-recommends "$@" >&2
}
