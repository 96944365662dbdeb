# Sets up connections and roles, rotates, and helps a rotation along: without ever reading a secret. Whoever may write
# a connection or a role gives secrets, and gets none back. $name is a name or a prefix such as "team-a-*", + is any.

path "$mount/config/$name" {
  capabilities = ["create", "update", "read", "delete"]
}

path "$mount/static-roles/$name" {
  capabilities = ["create", "update", "read", "delete"]
}

path "$mount/rotate/$name" {
  capabilities = ["create", "update"]
}

path "$mount/security-token/$name" {
  capabilities = ["create", "update"]
}

path "$mount/resync/$name" {
  capabilities = ["create", "update"]
}

# The brake for one connection; that for all of them is with "break-glass".
path "$mount/hold/$name" {
  capabilities = ["create", "update", "read", "delete"]
}

path "$mount/hold" {
  capabilities = ["read"]
}

path "$mount/status/$name" {
  capabilities = ["read"]
}

path "$mount/history/$name" {
  capabilities = ["read"]
}

path "$mount/preflight/$name" {
  capabilities = ["read"]
}

path "$mount/preflight-config/$name" {
  capabilities = ["read"]
}

path "$mount/version/$name" {
  capabilities = ["read"]
}

path "$mount/info" {
  capabilities = ["read"]
}

# A list shows the names of all roles and connections, with their states, whatever $name is.
path "$mount/config/" {
  capabilities = ["list"]
}

path "$mount/static-roles/" {
  capabilities = ["list"]
}

path "$mount/hold/" {
  capabilities = ["list"]
}

path "$mount/status/" {
  capabilities = ["list"]
}
