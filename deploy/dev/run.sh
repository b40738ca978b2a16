#!/bin/sh
# Runs bin/hub run with its keys in a real Vault, for trying it out: make run VAULT=1. The
# Vault is keys/vaulttest, on loopback, with its storage, root token and unseal key under
# the hub's folder, all in one place as no hub in service may have them. It is prepared
# with deploy/vault/setup.sh as an operator's is, and stopped when the hub ends. Run from
# the root of the repository.
set -eu
. deploy/dev/lib.sh

program=$(deploy/dev/vault.sh)
[ "$program" != off ] || fail "HUB_TEST_VAULT=off: there is no Vault to run with."
dir=${HUB_DIR:-.handover}/vault
umask 077
mkdir -p "$dir/storage"
: >"$dir/address"
"$program" -store "$dir/storage" -state "$dir/state.json" >"$dir/address" 2>"$dir/vault.log" &
vault=$!
hub=
stop() {
	trap - EXIT INT TERM
	[ -z "$hub" ] || { kill "$hub" 2>/dev/null && wait "$hub"; } || true
	kill "$vault" 2>/dev/null || true
}
trap 'stop' EXIT
trap 'stop; exit 130' INT TERM
n=0
until [ -s "$dir/address" ]; do
	n=$((n + 1))
	[ "$n" -lt 100 ] && kill -0 "$vault" 2>/dev/null || fail "Vault did not start: see $dir/vault.log"
	sleep 0.1
done
VAULT_ADDR=$(cat "$dir/address")
export VAULT_ADDR
say "Started a Vault at $VAULT_ADDR (process $vault); its storage and root token are in $dir."
sed 's/.*"root_token":"\([^"]*\)".*/\1/' "$dir/state.json" >"$dir/root-token"
say "Preparing it with deploy/vault/setup.sh: transit, the policies, an AppRole for the hub and one for the operator."
VAULT_TOKEN_FILE="$dir/root-token" deploy/vault/setup.sh "$dir"
say "Making the hub's keys there, as the operator: hub keys init"
HUB_VAULT_ROLE_ID_FILE="$dir/operator.role-id" HUB_VAULT_SECRET_ID_FILE="$dir/operator.secret-id" bin/hub keys init >&2
say "Starting the hub with the hub's AppRole."
HUB_VAULT_ROLE_ID_FILE="$dir/hub.role-id" HUB_VAULT_SECRET_ID_FILE="$dir/hub.secret-id" bin/hub run &
hub=$!
wait "$hub"
