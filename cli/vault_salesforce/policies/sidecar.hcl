# What a sidecar may do, and nothing else. $mount is the engine's mount, $kv and $engine_kv its two KV v2 mounts.

# Its door in the engine: root paths, so that a broad "$mount/*" of somebody else's policy does not open them.
path "$mount/sidecar/+" {
  capabilities = ["create", "update", "sudo"]
}

path "$mount/published/+" {
  capabilities = ["create", "update", "sudo"]
}

# The mount's own copies, for when KV was lost or restored without them.
path "$mount/static-creds/+" {
  capabilities = ["read"]
}

# What apps may read. Nothing is ever deleted: a deleted role goes on counting its versions.
path "$kv/data/creds/+" {
  capabilities = ["create", "update", "read"]
}

path "$kv/metadata/creds/+" {
  capabilities = ["create", "update"]
}

path "$kv/metadata/creds/" {
  capabilities = ["list"]
}

path "$kv/config" {
  capabilities = ["read"]
}

# Its own state.
path "$engine_kv/data/*" {
  capabilities = ["create", "update", "read"]
}

path "$engine_kv/metadata/*" {
  capabilities = ["create", "update", "list"]
}

path "$engine_kv/config" {
  capabilities = ["read"]
}

# New passwords by an operator's own rules.
path "sys/policies/password/+/generate" {
  capabilities = ["read"]
}

# Its own login.
path "auth/token/lookup-self" {
  capabilities = ["read"]
}

path "auth/token/renew-self" {
  capabilities = ["update"]
}
