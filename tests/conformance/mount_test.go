package conformance

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/helper/pluginutil"
	"github.com/hashicorp/vault/sdk/logical"
	sdk "github.com/hashicorp/vault/sdk/plugin"
)

const (
	patience = 20 * time.Second
	accessor = "salesforce_4f1c2a9e"
)

type fields = map[string]any

// view is a mount's system view: the SDK's static one, with a server's catalog behind it.
type view struct {
	logical.StaticSystemView
	catalog *catalog
	tainted atomic.Bool
}

func (v *view) Tainted() bool {
	return v.tainted.Load()
}

func (v *view) LookupPluginVersion(
	context.Context, string, consts.PluginType, string,
) (*pluginutil.PluginRunner, error) {
	return v.catalog.runner, nil
}

func (v *view) NewPluginClient(
	ctx context.Context, config pluginutil.PluginClientConfig,
) (pluginutil.PluginClient, error) {
	return v.catalog.connect(ctx, config)
}

// storage is the SDK's storage in memory. It counts changes, and refuses them as a standby's does.
type storage struct {
	logical.InmemStorage
	standby bool
	changes atomic.Int64
}

func (s *storage) Put(ctx context.Context, entry *logical.StorageEntry) error {
	if s.standby {
		return logical.ErrReadOnly
	}
	s.changes.Add(1)
	return s.InmemStorage.Put(ctx, entry)
}

func (s *storage) Delete(ctx context.Context, key string) error {
	if s.standby {
		return logical.ErrReadOnly
	}
	s.changes.Add(1)
	return s.InmemStorage.Delete(ctx, key)
}

// mount is one mount of the plugin, as the server's router sees it.
type mount struct {
	logical.Backend
	test    *testing.T
	storage *storage
	view    *view
	ctx     context.Context
	ids     atomic.Int64
	ended   sync.Once
}

// newMount mounts the plugin as the server does: Setup, Type and SpecialPaths, Initialize.
func newMount(t *testing.T, from *catalog) *mount {
	t.Helper()
	return mountOn(t, from, &storage{})
}

// mountOn mounts the plugin on storage that may hold something already; the storage of a standby makes it one.
func mountOn(t *testing.T, from *catalog, held *storage) *mount {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	t.Cleanup(cancel)
	state := consts.ReplicationPerformanceDisabled | consts.ReplicationDRDisabled
	if held.standby {
		state |= consts.ReplicationPerformanceStandby
	}
	system := &view{catalog: from, StaticSystemView: logical.StaticSystemView{
		DefaultLeaseTTLVal:  768 * time.Hour,
		MaxLeaseTTLVal:      768 * time.Hour,
		ReplicationStateVal: state,
		VersionString:       vaultVersion,
	}}
	config := &logical.BackendConfig{
		StorageView: held,
		System:      system,
		Logger:      from.logger(),
		BackendUUID: "5b6d1b5c-1c36-4b0e-9d6f-0c1f6c1c4f7a",
		Config: map[string]string{
			"plugin_name":    pluginName,
			"plugin_type":    consts.PluginTypeSecrets.String(),
			"plugin_version": from.runner.Version,
		},
	}
	backend, err := sdk.NewBackendV5(
		ctx, pluginName, consts.PluginTypeSecrets, from.runner.Version, system, config,
	)
	if err != nil {
		t.Fatalf("the plugin was not started: %v\n%s", err, from.log.tail())
	}
	made := &mount{Backend: backend, test: t, storage: held, view: system, ctx: ctx}
	t.Cleanup(made.unmount)
	if err := backend.Setup(ctx, config); err != nil {
		t.Fatalf("Setup: %v", err)
	}
	if kind := backend.Type(); kind != logical.TypeLogical {
		t.Fatalf("Type: %v", kind)
	}
	if backend.SpecialPaths() == nil {
		t.Fatal("SpecialPaths: none")
	}
	if err := backend.Initialize(ctx, &logical.InitializationRequest{Storage: held}); err != nil {
		t.Fatalf("Initialize: %v", err)
	}
	return made
}

// unmount ends the mount as the server does, in good time. Twice does no harm.
func (m *mount) unmount() {
	m.ended.Do(func() {
		begin := time.Now()
		m.Cleanup(m.ctx)
		if took := time.Since(begin); took > patience/4 {
			m.test.Errorf("Cleanup took %s", took)
		}
	})
}

// request is one as it comes out of the server's router.
func (m *mount) request(operation logical.Operation, path string, data fields) *logical.Request {
	return &logical.Request{
		ID:                  fmt.Sprintf("00000000-0000-0000-0000-%012d", m.ids.Add(1)),
		Operation:           operation,
		Path:                path,
		Data:                data,
		Storage:             m.storage,
		MountPoint:          "sf/",
		MountType:           pluginName,
		MountAccessor:       accessor,
		ClientTokenAccessor: "an-accessor",
		DisplayName:         "approle",
		EntityID:            "an-entity",
		Connection:          &logical.Connection{RemoteAddr: "127.0.0.1"},
	}
}

// answer is what the client of a server would see of an answer.
type answer struct {
	*logical.Response
	err    error
	status int
	body   fields
}

// send has the plugin answer a request, and reads the answer as the server's HTTP side does.
func (m *mount) send(request *logical.Request) answer {
	response, err := m.HandleRequest(m.ctx, request)
	seen := answer{Response: response, err: err}
	switch {
	case err == nil && response != nil && response.Data[logical.HTTPStatusCode] != nil:
		seen.status, seen.body = m.raw(response)
	default:
		seen.status, err = logical.RespondErrorCommon(request, response, err)
		if err != nil {
			logical.AdjustErrorStatusCode(&seen.status, err)
			seen.body = fields{"errors": []any{err.Error()}}
		}
	}
	if seen.status == 0 {
		seen.status = http.StatusOK
		if response == nil {
			seen.status = http.StatusNoContent
		}
	}
	return seen
}

// raw is a reply of which the plugin decides the HTTP status and body.
func (m *mount) raw(response *logical.Response) (int, fields) {
	m.test.Helper()
	status, ok := response.Data[logical.HTTPStatusCode].(float64)
	if !ok || response.Data[logical.HTTPContentType] != "application/json" {
		m.test.Fatalf("no raw reply that a server takes: %v", response.Data)
	}
	encoded, _ := response.Data[logical.HTTPRawBody].(string)
	text, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		m.test.Fatalf("the raw body is no base64: %v", err)
	}
	var body fields
	if err := json.Unmarshal(text, &body); err != nil {
		m.test.Fatalf("the raw body is no JSON object: %s", text)
	}
	return int(status), body
}

// expect sends a request that must be answered with this status.
func (m *mount) expect(status int, operation logical.Operation, path string, data fields) answer {
	m.test.Helper()
	seen := m.send(m.request(operation, path, data))
	if seen.status != status {
		m.test.Fatalf("%s %s: %d %v %v, expected %d", operation, path, seen.status, seen.body, seen.err, status)
	}
	return seen
}

func (m *mount) read(path string) answer {
	m.test.Helper()
	return m.expect(http.StatusOK, logical.ReadOperation, path, nil)
}

// write sends a write as the server does: the existence check says whether it is a create or an update.
func (m *mount) write(path string, data fields) answer {
	m.test.Helper()
	seen := m.send(m.request(m.writes(path), path, data))
	if seen.status >= http.StatusBadRequest {
		m.test.Fatalf("write %s: %d %v %v", path, seen.status, seen.body, seen.err)
	}
	return seen
}

func (m *mount) writes(path string) logical.Operation {
	m.test.Helper()
	found, exists, err := m.HandleExistenceCheck(m.ctx, m.request(logical.CreateOperation, path, nil))
	if err != nil {
		m.test.Fatalf("existence check of %s: %v", path, err)
	}
	if found && !exists {
		return logical.CreateOperation
	}
	return logical.UpdateOperation
}

// publish hands over a credential as a sidecar does.
func (m *mount) publish(role string, version int, changes fields) {
	m.test.Helper()
	m.write("published/"+role, credential(role, version, changes))
}

func credential(role string, version int, changes fields) fields {
	made := fields{
		"username":            role + "@example.com",
		"password":            fmt.Sprintf("Password-%d", version),
		"security_token":      "Token1",
		"version":             version,
		"rotation_id":         fmt.Sprintf("rotation-%d", version),
		"last_vault_rotation": "2026-11-01T10:00:00Z",
		"login_url":           "https://example.my.salesforce.com",
		"ttl":                 "10m",
		"max_ttl":             "24h",
	}
	maps.Copy(made, changes)
	return made
}

// due is the marks that info shows.
func (m *mount) due() []any {
	m.test.Helper()
	marks, ok := m.read("info").Data["due"].([]any)
	if !ok {
		m.test.Fatal("info tells of no marks")
	}
	return marks
}

// sentence is all that an error says to people.
func (a answer) sentence() string {
	sentences, _ := a.body["errors"].([]any)
	return fmt.Sprint(sentences...)
}

// journal is the server's log.
type journal struct {
	mutex   sync.Mutex
	written strings.Builder
}

func (j *journal) Write(text []byte) (int, error) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	return j.written.Write(text)
}

func (j *journal) text() string {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	return j.written.String()
}

func (j *journal) tail() string {
	text := j.text()
	return text[max(0, len(text)-2000):]
}

// lines are the log's records whose message has a text in it.
func (j *journal) lines(message string) []fields {
	var found []fields
	for line := range strings.Lines(j.text()) {
		var record fields
		if json.Unmarshal([]byte(line), &record) == nil && strings.Contains(fmt.Sprint(record["@message"]), message) {
			found = append(found, record)
		}
	}
	return found
}

// eventually waits, with an end, for what the plugin does in its own time.
func eventually(t *testing.T, what string, look func() bool) {
	t.Helper()
	ticks := time.NewTicker(10 * time.Millisecond)
	defer ticks.Stop()
	end := time.After(patience)
	for !look() {
		select {
		case <-ticks.C:
		case <-end:
			t.Fatalf("not in time: %s", what)
		}
	}
}

func equal(t *testing.T, what string, seen, expected any) {
	t.Helper()
	if fmt.Sprint(seen) != fmt.Sprint(expected) {
		t.Errorf("%s: %v, expected %v", what, seen, expected)
	}
}
