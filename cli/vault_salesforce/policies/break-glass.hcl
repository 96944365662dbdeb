# For the night when nothing else helps: reads every secret of every role, from the engine or by hand from KV, and
# unlocks. Give it for hours, not for ever.

# A root path, so that a broad "$mount/*" of somebody else's policy does not open it.
path "$mount/reveal/+" {
  capabilities = ["read", "sudo"]
}

# Says that the user is not locked in Salesforce: a wrong word here may lock it.
path "$mount/unlock/+" {
  capabilities = ["create", "update"]
}

# Stops every rotation, or those of one connection.
path "$mount/hold" {
  capabilities = ["create", "update", "read", "delete"]
}

path "$mount/hold/+" {
  capabilities = ["create", "update", "read", "delete"]
}

path "$mount/status/+" {
  capabilities = ["read"]
}

path "$mount/history/+" {
  capabilities = ["read"]
}

path "$mount/static-creds/+" {
  capabilities = ["read"]
}

path "$kv/data/creds/+" {
  capabilities = ["read"]
}

# By hand, when no sidecar runs. Entries are named by account, not by role.
path "$engine_kv/data/journal/+" {
  capabilities = ["read"]
}

path "$engine_kv/metadata/journal/" {
  capabilities = ["list"]
}
