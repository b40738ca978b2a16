# What a serving hub may do: use keys that are there, and read their public parts. It
# may make none, change none, destroy none, and never get one out. "update" without
# "create": encrypting under a key that does not exist would otherwise make that key.

path "transit/keys/*" {
  capabilities = ["read"]
}

path "transit/sign/*" {
  capabilities = ["update"]
}

path "transit/encrypt/kek" {
  capabilities = ["update"]
}

path "transit/decrypt/kek" {
  capabilities = ["update"]
}

path "transit/rewrap/kek" {
  capabilities = ["update"]
}

# Nothing else, whatever other policies the token has.
path "transit/export/*" {
  capabilities = ["deny"]
}

path "transit/backup/*" {
  capabilities = ["deny"]
}
