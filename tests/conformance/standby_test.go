package conformance

import (
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
)

// standby is a mount on a performance standby, which holds what the active node wrote.
func standby(t *testing.T) *mount {
	t.Helper()
	active := aMount(t)
	active.publish("crm", 1, nil)
	active.write("sidecar/one", registration("https://127.0.0.1:1", anyCertificate(t)))
	held := &storage{standby: true}
	for _, key := range []string{"credentials/crm", "sidecars/one"} {
		entry, err := active.storage.Get(active.ctx, key)
		if err != nil || entry == nil {
			t.Fatalf("%s: %v %v", key, entry, err)
		}
		if err := held.InmemStorage.Put(active.ctx, entry); err != nil {
			t.Fatal(err)
		}
	}
	return mountOn(t, shared, held)
}

func TestAStandbyAsksForForwardingOfAllThatWritesLeasesOrReachesASidecar(t *testing.T) {
	sf := standby(t)
	lease := &logical.Secret{InternalData: fields{
		"secret_type": "salesforce_credential", "role": "crm", "version": 1, "rotation_id": "rotation-1", "max_ttl": 60,
	}}
	for _, request := range []*logical.Request{
		sf.request(logical.UpdateOperation, "published/crm", credential("crm", 2, nil)),
		sf.request(logical.DeleteOperation, "published/crm", nil),
		sf.request(logical.CreateOperation, "sidecar/two", registration("https://127.0.0.1:1", anyCertificate(t))),
		sf.request(logical.UpdateOperation, "sidecar/one", registration("https://127.0.0.1:1", anyCertificate(t))),
		sf.request(logical.DeleteOperation, "sidecar/one", nil),
		sf.request(logical.ReadOperation, "creds/crm", nil),
		sf.request(logical.ReadOperation, "static-creds/unknown", nil),
		sf.request(logical.UpdateOperation, "rotate/crm", fields{}),
		sf.request(logical.UpdateOperation, "static-roles/crm", fields{"config": "prod"}),
		sf.request(logical.ReadOperation, "static-roles/crm", nil),
		sf.request(logical.ListOperation, "static-roles/", nil),
		logical.RenewRequest("creds/crm", lease, nil),
		logical.RevokeRequest("creds/crm", lease, nil),
	} {
		response, err := sf.HandleRequest(sf.ctx, request)
		if err == nil || err.Error() != logical.ErrPerfStandbyPleaseForward.Error() {
			t.Errorf("%s %s: %v %v", request.Operation, request.Path, response, err)
		}
	}
}

func TestAStandbyReadsWhatItHolds(t *testing.T) {
	sf := standby(t)
	equal(t, "password", sf.read("static-creds/crm").Data["password"], "Password-1")
	equal(t, "standby", sf.read("info").Data["standby"], true)
	equal(t, "published", sf.read("published/crm").Data["version"], 1)
	if err := sf.tick(); err != nil {
		t.Errorf("the tick: %v", err)
	}
}

func TestAnInvalidatedKeyIsReadAnew(t *testing.T) {
	sf := standby(t)
	equal(t, "before", sf.read("static-creds/crm").Data["version"], 1)

	active := newMount(t, shared)
	active.publish("crm", 2, nil)
	entry, err := active.storage.Get(active.ctx, "credentials/crm")
	if err != nil {
		t.Fatal(err)
	}
	if err := sf.storage.InmemStorage.Put(sf.ctx, entry); err != nil {
		t.Fatal(err)
	}
	equal(t, "from memory", sf.read("static-creds/crm").Data["version"], 1)
	sf.InvalidateKey(sf.ctx, "credentials/crm")
	equal(t, "after InvalidateKey", sf.read("static-creds/crm").Data["version"], 2)

	if err := sf.storage.InmemStorage.Delete(sf.ctx, "sidecars/one"); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"sidecars/one", "due/crm", "leases/crm/1-2-3", "of/another/release", ""} {
		sf.InvalidateKey(sf.ctx, key)
	}
	equal(t, "sidecars", len(sf.read("info").Data["sidecars"].(fields)), 0)
}
