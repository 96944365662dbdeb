# An app that reads the credential of $name without a lease, from the engine or from KV, and asks for its version.

path "$mount/static-creds/$name" {
  capabilities = ["read"]
}

path "$mount/version/$name" {
  capabilities = ["read"]
}

path "$kv/data/creds/$name" {
  capabilities = ["read"]
}
