"""`info`: versions, sidecars, and what is held."""

from vault_plugin_sdk.framework.path import Description

INFO = Description("info", help="Versions, sidecars and when they were last heard, due marks, published count.")
