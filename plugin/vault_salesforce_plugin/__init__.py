"""The door inside Vault: leases, reads of the published credential, and forwarding to a sidecar."""

# The last release that changed anything that a plugin's process loads: a release of the sidecar alone leaves this, and
# with it the launcher and its hash, as they are.
__version__ = "0.1.0"
