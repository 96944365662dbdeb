package conformance

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/rotation"
)

func TestAPublishedCredentialIsReadWithoutALease(t *testing.T) {
	sf := aMount(t)
	answered := sf.send(sf.request(logical.UpdateOperation, "published/crm", credential("crm", 4, nil)))
	equal(t, "a write that says nothing", answered.status, http.StatusNoContent)

	read := sf.read("static-creds/crm")
	if read.Secret != nil {
		t.Errorf("it is leased: %v", read.Secret)
	}
	published := fields{
		"username":            "crm@example.com",
		"password":            "Password-4",
		"security_token":      "Token1",
		"password_token":      "Password-4Token1",
		"login_url":           "https://example.my.salesforce.com",
		"version":             4,
		"last_vault_rotation": "2026-11-01T10:00:00Z",
	}
	for name, expected := range published {
		equal(t, name, read.Data[name], expected)
	}
	version := sf.read("version/crm").Data
	equal(t, "version", version["version"], 4)
	equal(t, "changing", version["changing"], false)
}

func TestWhatWasPublishedIsReadBackWithoutSecretsListedAndForgotten(t *testing.T) {
	sf := aMount(t)
	sf.publish("crm", 1, nil)
	sf.publish("erp", 1, nil)
	back := sf.read("published/crm").Data
	equal(t, "a duration", back["ttl"], 600)
	equal(t, "username", back["username"], "crm@example.com")
	if text := fmt.Sprint(back); strings.Contains(text, "Password-1") || strings.Contains(text, "Token1") {
		t.Errorf("it tells a secret: %s", text)
	}
	equal(t, "list", sf.expect(200, logical.ListOperation, "published/", nil).Data["keys"], []string{"crm", "erp"})
	sf.expect(http.StatusNoContent, logical.DeleteOperation, "published/crm", nil)
	sf.expect(http.StatusNotFound, logical.ReadOperation, "published/crm", nil)
	sf.expect(http.StatusNoContent, logical.DeleteOperation, "published/erp", nil)
	sf.expect(http.StatusNotFound, logical.ListOperation, "published/", nil)
}

func TestAVersionThatIsNotNewerIsRefused(t *testing.T) {
	sf := aMount(t)
	sf.publish("crm", 2, nil)
	older := sf.expect(http.StatusConflict, logical.UpdateOperation, "published/crm", credential("crm", 1, nil))
	equal(t, "code", older.body["code"], "superseded")
	equal(t, "version", sf.read("static-creds/crm").Data["version"], 2)
}

func TestBadFieldsAreToldInARawReplyThatAServerTakes(t *testing.T) {
	sf := aMount(t)
	for what, changes := range map[string]fields{
		"version":  {"version": "two"},
		"username": {"username": []string{"a", "b"}},
		"ttl":      {"ttl": "soon"},
	} {
		told := sf.send(sf.request(logical.UpdateOperation, "published/crm", credential("crm", 1, changes)))
		equal(t, what, told.status, http.StatusBadRequest)
		if !strings.Contains(told.sentence(), what) {
			t.Errorf("%v: %s", changes, told.sentence())
		}
	}
	sf.expect(http.StatusBadRequest, logical.UpdateOperation, "published/-crm", credential("crm", 1, nil))
}

func TestAFieldOfALaterReleaseIsTakenForAWarning(t *testing.T) {
	sf := aMount(t)
	taken := sf.write("published/crm", credential("crm", 1, fields{"a_later_field": "x"}))
	if taken.Response == nil || !strings.Contains(fmt.Sprint(taken.Warnings), "a_later_field") {
		t.Errorf("warnings: %v", taken.Response)
	}
	equal(t, "version", sf.read("static-creds/crm").Data["version"], 1)
}

func TestARequestWithAllThatVaultKnowsOfOneIsAnswered(t *testing.T) {
	sf := aMount(t)
	sf.publish("crm", 1, nil)
	request := sf.request(logical.ReadOperation, "static-creds/crm", nil)
	request.Headers = map[string][]string{"X-Forwarded-For": {"10.0.0.1", "10.0.0.2"}}
	request.WrapInfo = &logical.RequestWrapInfo{TTL: time.Minute, Format: "jwt"}
	request.Connection.ConnState = &tls.ConnectionState{Version: tls.VersionTLS13, ServerName: "vault"}
	request.ClientTokenRemainingUses = 3
	request.PolicyOverride = true
	request.RequiresSnapshotID = "a-snapshot"
	request.RecoverSourcePath = "static-creds/erp"
	request.RotationInfo = &rotation.RotationInfo{RotationID: "a-rotation"}
	marked := logical.CreateContextWithSnapshotID(sf.ctx, "a-snapshot")
	marked = logical.IndexStateContext(marked, &logical.WALState{ClusterID: "a-cluster", LocalIndex: 7})
	response, err := sf.HandleRequest(marked, request)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "version", response.Data["version"], 1)
}

func TestABodyOverOneMebibyteArrivesAndIsRefused(t *testing.T) {
	sf := aMount(t)
	large := credential("crm", 1, fields{"password": strings.Repeat("x", 20<<20)})
	told := sf.expect(http.StatusBadRequest, logical.UpdateOperation, "published/crm", large)
	if !strings.Contains(told.sentence(), "larger than 1048576 bytes") {
		t.Error(told.sentence())
	}
}

func TestOperationsOfOtherServersAreUnsupportedWhateverThePath(t *testing.T) {
	sf := aMount(t)
	sf.publish("crm", 1, nil)
	before := sf.storage.changes.Load()
	for _, operation := range []logical.Operation{
		logical.ResolveRoleOperation,
		logical.AliasLookaheadOperation,
		logical.RecoverOperation,
		logical.RotationOperation,
		"resolve-path",
	} {
		for _, path := range []string{"published/crm", "creds/crm", "rotate/crm", ""} {
			_, err := sf.HandleRequest(sf.ctx, sf.request(operation, path, nil))
			if err != logical.ErrUnsupportedOperation {
				t.Errorf("%s %q: %v", operation, path, err)
			}
		}
	}
	equal(t, "changes of storage", sf.storage.changes.Load(), before)
	sf.expect(http.StatusMethodNotAllowed, logical.UpdateOperation, "creds/crm", nil)
}

func TestTheExistenceCheckTellsACreateFromAnUpdateOfASidecar(t *testing.T) {
	sf := aMount(t)
	sf.write("sidecar/one", registration("https://127.0.0.1:1", anyCertificate(t)))
	equal(t, "one that is known", sf.writes("sidecar/one"), logical.UpdateOperation)
	equal(t, "one that is not", sf.writes("sidecar/two"), logical.CreateOperation)
	found, _, err := sf.HandleExistenceCheck(sf.ctx, sf.request(logical.CreateOperation, "static-roles/crm", nil))
	if found || err != nil {
		t.Errorf("what memory does not know: %t %v", found, err)
	}
}

func TestRegisteredSidecarsAreListedWithTheirFacts(t *testing.T) {
	sf := aMount(t)
	sf.expect(http.StatusNotFound, logical.ListOperation, "sidecar/", nil)
	answered := sf.write("sidecar/one", registration("https://127.0.0.1:1", anyCertificate(t))).Data
	equal(t, "accessor", answered["accessor"], accessor)
	equal(t, "mount", answered["mount"], "sf/")
	if key := fmt.Sprint(answered["public_key"]); !strings.HasPrefix(key, "-----BEGIN PUBLIC KEY-----") {
		t.Error(key)
	}
	listed := sf.expect(http.StatusOK, logical.ListOperation, "sidecar/", nil).Data
	equal(t, "keys", listed["keys"], []string{"one"})
	facts, ok := listed["key_info"].(fields)["one"].(fields)
	if !ok || facts["usable"] != true {
		t.Errorf("key_info: %v", listed["key_info"])
	}
	info := sf.read("info").Data
	equal(t, "version", "v"+fmt.Sprint(info["version"]), shared.runner.Version)
	equal(t, "standby", info["standby"], false)
	if _, ok := info["sidecars"].(fields)["one"]; !ok {
		t.Errorf("sidecars: %v", info["sidecars"])
	}
	sf.expect(http.StatusNoContent, logical.DeleteOperation, "sidecar/one", nil)
	sf.expect(http.StatusNotFound, logical.ListOperation, "sidecar/", nil)
}

func TestHelpNamesEveryPathAndItsFields(t *testing.T) {
	sf := aMount(t)
	root := fmt.Sprint(sf.expect(http.StatusOK, logical.HelpOperation, "", nil).Data["help"])
	for _, path := range []string{"creds/", "static-creds/", "static-roles/", "rotate/", "config/", "info"} {
		if !strings.Contains(root, path) {
			t.Errorf("the help of the mount does not name %s", path)
		}
	}
	role := fmt.Sprint(sf.expect(http.StatusOK, logical.HelpOperation, "static-roles/crm", nil).Data["help"])
	for _, name := range []string{"username", "rotation_period", "rotate_on_lease_end"} {
		if !strings.Contains(role, name) {
			t.Errorf("the help of a role does not name %s", name)
		}
	}
	sf.expect(http.StatusNotFound, logical.HelpOperation, "nowhere", nil)
}

func TestHelpBringsADocumentThatAServerCanMerge(t *testing.T) {
	sf := aMount(t)
	text, err := json.Marshal(sf.expect(http.StatusOK, logical.HelpOperation, "", nil).Data["openapi"])
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		OpenAPI string
		Paths   map[string]struct {
			Parameters []struct{ Name, In string }
			Get, Post  *struct{ OperationID string }
			VaultSudo  bool `json:"x-vault-sudo"`
		}
	}
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	equal(t, "version", document.OpenAPI, "3.0.2")
	published, role := document.Paths["/published/{role}"], document.Paths["/static-roles/{name}"]
	if published.Get == nil || published.Post == nil || len(published.Parameters) != 1 {
		t.Errorf("a path: %+v", published)
	}
	if !published.VaultSudo || role.VaultSudo {
		t.Error("it does not tell which paths are root paths")
	}
	if len(role.Parameters) != 1 || role.Parameters[0].Name != "name" || role.Parameters[0].In != "path" {
		t.Errorf("a path that is a sidecar's: %+v", role)
	}
	// A server takes the document apart, and loses what it refers to on the way.
	if strings.Contains(string(text), "$ref") {
		t.Error("it holds references")
	}
}

func TestManyReadsAtOnceAreAllAnswered(t *testing.T) {
	sf := aMount(t)
	const readers = 64
	var all sync.WaitGroup
	seen := make([]string, readers)
	for reader := range readers {
		role := fmt.Sprintf("crm%d", reader)
		sf.publish(role, reader+1, nil)
		all.Go(func() {
			for range 4 {
				answered := sf.send(sf.request(logical.ReadOperation, "static-creds/"+role, nil))
				if answered.status != http.StatusOK || answered.Data["password"] != fmt.Sprintf("Password-%d", reader+1) {
					seen[reader] = fmt.Sprint(role, answered.status, answered.err)
				}
			}
		})
	}
	all.Wait()
	if wrong := slices.DeleteFunc(seen, func(text string) bool { return text == "" }); len(wrong) > 0 {
		t.Error(wrong)
	}
}
