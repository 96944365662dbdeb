package conformance

import (
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
)

func TestWhatStorageRefusesIsAnInternalErrorThatTellsNothing(t *testing.T) {
	sf := aMount(t)
	sf.publish("crm", 1, nil)

	sf.storage.FailPut(true)
	refused := sf.expect(http.StatusInternalServerError, logical.UpdateOperation, "published/crm", credential("crm", 2, nil))
	if strings.Contains(refused.sentence(), "put failed") || strings.Contains(refused.sentence(), "Password") {
		t.Errorf("it tells too much: %s", refused.sentence())
	}
	equal(t, "what is held", sf.read("static-creds/crm").Data["version"], 1)
	sf.expect(http.StatusInternalServerError, logical.ReadOperation, "creds/crm", nil)

	sf.storage.FailPut(false)
	sf.publish("crm", 2, nil)
	equal(t, "once it can be written", sf.read("static-creds/crm").Data["version"], 2)
	sf.lend("crm")
}

func TestStorageThatCannotBeReadIsToldApartFromARoleThatIsNotThere(t *testing.T) {
	shared.runner = registered(t)
	held := &storage{}
	held.FailGet(true).FailList(true)
	sf := mountOn(t, shared, held)
	sf.expect(http.StatusInternalServerError, logical.ReadOperation, "static-creds/crm", nil)
	sf.expect(http.StatusInternalServerError, logical.ListOperation, "published/", nil)
	held.FailGet(false).FailList(false)
	sf.expect(http.StatusServiceUnavailable, logical.ReadOperation, "static-creds/crm", nil)
	sf.expect(http.StatusNotFound, logical.ListOperation, "published/", nil)
}

func TestARevocationSucceedsWithoutStorageAndTheTickMakesUpForIt(t *testing.T) {
	sf := aMount(t)
	sf.publish("crm", 1, nil)
	lease, data := sf.lend("crm")

	sf.storage.FailPut(true).FailDelete(true)
	if err := sf.revoke("crm", lease, data); err != nil {
		t.Fatalf("a lease that cannot be revoked: %v", err)
	}
	equal(t, "marks", len(sf.due()), 0)
	if err := sf.tick(); err == nil {
		t.Error("a tick that could do nothing succeeded")
	}
	sf.storage.FailPut(false).FailDelete(false)
	if err := sf.tick(); err != nil {
		t.Fatal(err)
	}
	equal(t, "marks after the tick", len(sf.due()), 1)
}

func TestWarningsOfThePluginArriveInTheServersLogWithLevelAndFields(t *testing.T) {
	sf := aMount(t)
	sf.publish("crm", 1, nil)
	lease, data := sf.lend("crm")
	sf.storage.FailDelete(true)
	if err := sf.revoke("crm", lease, data); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a warning in the log", func() bool {
		for _, record := range shared.log.lines("the end of a lease waits for storage") {
			if record["@level"] == "warn" && record["role"] == "crm" {
				return true
			}
		}
		return false
	})
	if text := shared.log.text(); strings.Contains(text, "Password-") || strings.Contains(text, "Token1") {
		t.Error("a secret is in the log")
	}
	sf.storage.FailDelete(false)
}
