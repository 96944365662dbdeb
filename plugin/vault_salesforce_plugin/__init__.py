"""The door inside Vault: leases, reads of the published credential, and forwarding to a sidecar."""

__version__ = "0.1.0"
