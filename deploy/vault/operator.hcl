# What the operator's commands (hub keys …) may do beyond the hub: make keys, rotate
# them, retire and destroy old versions, and bring a local store's keys here. Not even
# they get a private key out, or delete a key.

path "transit/keys" {
  capabilities = ["list"]
}

path "transit/keys/+" {
  capabilities = ["create", "read", "update"]
}

path "transit/keys/+/rotate" {
  capabilities = ["update"]
}

path "transit/keys/+/config" {
  capabilities = ["update"]
}

path "transit/keys/+/trim" {
  capabilities = ["update"]
}

path "transit/keys/+/import" {
  capabilities = ["create", "update"]
}

path "transit/keys/+/import_version" {
  capabilities = ["create", "update"]
}

path "transit/wrapping_key" {
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

path "transit/export/*" {
  capabilities = ["deny"]
}

path "transit/backup/*" {
  capabilities = ["deny"]
}
