#!/bin/sh
# Prepares a Vault for a hub: the transit engine, the policies beside this script, and an
# AppRole for the hub and one for its operator. It writes each one's role id and secret id
# to FOLDER: hub.role-id, hub.secret-id, operator.role-id, operator.secret-id. Run it again
# to bring the policies up to date and to get new secret ids; keys are not touched.
#
#   VAULT_ADDR=https://vault.example:8200 VAULT_TOKEN_FILE=~/.vault-token deploy/vault/setup.sh FOLDER
#
# MOUNT is the transit engine's mount (transit), APPROLE that of the AppRole method
# (approle), NAME the front of the names of policies and roles (handover), VAULT_CACERT a
# file of CA certificates. It needs curl and nothing of Vault's.
set -eu

fail() { printf '%s\n' "$*" >&2; exit 1; }

folder=${1:-}
[ -n "$folder" ] || fail "Usage: deploy/vault/setup.sh FOLDER"
[ -n "${VAULT_ADDR:-}" ] && [ -r "${VAULT_TOKEN_FILE:-}" ] ||
	fail "Set VAULT_ADDR, and VAULT_TOKEN_FILE: a file with a token that may mount engines and write policies."
mount=${MOUNT:-transit}
approle=${APPROLE:-approle}
name=${NAME:-handover}
here=$(dirname "$0")
umask 077
mkdir -p "$folder"
headers=$(mktemp)
trap 'rm -f "$headers"' EXIT
printf 'X-Vault-Token: %s\n' "$(cat "$VAULT_TOKEN_FILE")" >"$headers"

# vault METHOD PATH [BODY] sends one request. The token goes through a file: what stands
# on a command line, everybody on this machine can read.
vault() {
	printf '%s' "${3:-}" | curl -sS --fail-with-body ${VAULT_CACERT:+--cacert "$VAULT_CACERT"} \
		-X "$1" -H @"$headers" -H 'Content-Type: application/json' --data-binary @- "$VAULT_ADDR/v1/$2" ||
		fail "Vault refused $1 $2."
}

# enable KIND MOUNT TYPE mounts an engine or a method unless it is there.
enable() {
	case "$(vault GET "sys/$1")" in
	*"\"$2/\":"*) ;;
	*) vault POST "sys/$1/$2" "{\"type\":\"$3\"}" ;;
	esac
}

# field NAME reads one text of an answer.
field() { sed 's/.*"'"$1"'":"\([^"]*\)".*/\1/'; }

enable mounts "$mount" transit
enable auth "$approle" approle
for who in hub operator; do
	policy=$(sed -e '/^#/d' -e "s#\"transit/#\"$mount/#" -e 's/"/\\"/g' "$here/$who.hcl" | tr '\n' ' ')
	vault PUT "sys/policies/acl/$name-$who" "{\"policy\":\"$policy\"}"
	vault POST "auth/$approle/role/$name-$who" \
		"{\"token_policies\":[\"$name-$who\"],\"token_no_default_policy\":false,\"token_ttl\":\"1h\",\"token_max_ttl\":\"24h\"}"
	vault GET "auth/$approle/role/$name-$who/role-id" | field role_id >"$folder/$who.role-id"
	vault POST "auth/$approle/role/$name-$who/secret-id" | field secret_id >"$folder/$who.secret-id"
done
