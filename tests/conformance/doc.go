// Package conformance drives the plugin with the client code that HashiCorp Vault itself uses: its published SDK.
//
// Nothing of the engine is in here. The tests start the launcher that install-plugin writes, speak to it through
// github.com/hashicorp/vault/sdk, and look at what comes back with that module's own functions and constants.
package conformance
