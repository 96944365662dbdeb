# Sees what is set up, what was done, by whom, and how it is; and no secret. $name is a name, a prefix, or + for any.

path "$mount/config/$name" {
  capabilities = ["read"]
}

path "$mount/static-roles/$name" {
  capabilities = ["read"]
}

path "$mount/hold/$name" {
  capabilities = ["read"]
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

# When each version was written, and by which rotation.
path "$kv/metadata/creds/$name" {
  capabilities = ["read"]
}
