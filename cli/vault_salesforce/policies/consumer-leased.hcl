# An app that reads the credential of $name under a lease, and keeps the lease.

path "$mount/creds/$name" {
  capabilities = ["read"]
}

path "$mount/version/$name" {
  capabilities = ["read"]
}

# A lease is renewed by its id, which only its holder knows. The default policy grants this too.
path "sys/leases/renew" {
  capabilities = ["create", "update"]
}
