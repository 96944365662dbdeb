package conformance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	goplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/helper/pluginutil"
	"github.com/hashicorp/vault/sdk/logical"
	sdk "github.com/hashicorp/vault/sdk/plugin"
)

// shared serves the tests that need no process of their own, each with a mount of its own.
var shared *catalog

func TestMain(m *testing.M) {
	shared = &catalog{log: &journal{}, lasting: true}
	code := m.Run()
	shared.close()
	os.Exit(code)
}

// aMount is a mount in the shared process.
func aMount(t *testing.T) *mount {
	t.Helper()
	shared.runner = registered(t)
	return newMount(t, shared)
}

func TestRegistrationAsksForTypeAndVersionAndTouchesNoStorage(t *testing.T) {
	catalog := newCatalog(t)
	system := &view{catalog: catalog, StaticSystemView: logical.StaticSystemView{EnableMlock: true}}
	started, err := catalog.connect(context.Background(), pluginutil.PluginClientConfig{
		Name:            pluginName,
		PluginType:      consts.PluginTypeSecrets,
		PluginSets:      sdk.PluginSet,
		HandshakeConfig: sdk.HandshakeConfig,
		Logger:          catalog.logger(),
		AutoMTLS:        true,
		Wrapper:         system,
	})
	if err != nil {
		t.Fatal(err)
	}
	backend, err := sdk.Dispense(started, started)
	if err != nil {
		t.Fatal(err)
	}
	if err := backend.Setup(context.Background(), &logical.BackendConfig{Logger: catalog.logger()}); err != nil {
		t.Fatal(err)
	}
	equal(t, "type", backend.Type(), logical.TypeLogical)
	versioned, ok := backend.(logical.PluginVersioner)
	if !ok {
		t.Fatal("the client tells no version")
	}
	equal(t, "version", versioned.PluginVersion().Version, catalog.runner.Version)
	backend.Cleanup(context.Background())
	if !catalog.running().client.Exited() {
		t.Error("the plugin went on after its last mount's Cleanup")
	}
	if text := catalog.log.text(); strings.Contains(text, `"@level":"error"`) || strings.Contains(text, "missing storage") {
		t.Error(text)
	}
}

func TestALauncherThatIsNotTheRegisteredOneIsNotStarted(t *testing.T) {
	catalog := newCatalog(t)
	catalog.runner.Sha256 = slices.Clone(catalog.runner.Sha256)
	catalog.runner.Sha256[0] ^= 1
	system := &view{catalog: catalog}
	config := &logical.BackendConfig{Logger: catalog.logger()}
	_, err := sdk.NewBackendV5(context.Background(), pluginName, consts.PluginTypeSecrets, "", system, config)
	if !errors.Is(err, goplugin.ErrChecksumsDoNotMatch) {
		t.Fatalf("%v", err)
	}
}

func TestTheFallbackToOlderProtocolsEndsAtOnceWithASentence(t *testing.T) {
	catalog := newCatalog(t)
	system := &view{catalog: catalog}
	config := &logical.BackendConfig{Logger: catalog.logger()}
	begin := time.Now()
	_, err := sdk.NewBackendWithVersion(
		context.Background(), pluginName, consts.PluginTypeSecrets, system, config, true, "",
	)
	if err == nil {
		t.Fatal("a plugin that speaks version 5 alone was started with version 4")
	}
	if took := time.Since(begin); took > patience/2 {
		t.Errorf("it took %s", took)
	}
	if len(catalog.log.lines("this plugin speaks 5 only")) == 0 {
		t.Errorf("the log does not say why:\n%s", catalog.log.text())
	}
}

func TestSpecialPathsAreRootForWhatSidecarsWriteAndSealWrappedForCredentials(t *testing.T) {
	sf := aMount(t)
	sf.publish("crm", 1, nil)
	held, err := sf.storage.List(sf.ctx, "credentials/")
	if err != nil || fmt.Sprint(held) != "[crm]" {
		t.Fatalf("a credential is not where it was looked for: %v %v", held, err)
	}
	special := sf.SpecialPaths()
	for _, path := range []string{"sidecar/*", "published/*"} {
		if !slices.Contains(special.Root, path) {
			t.Errorf("root paths: %v", special.Root)
		}
	}
	if !sealWrapped(special, "credentials/crm") || sealWrapped(special, "leases/crm/1") {
		t.Errorf("seal wrapped: %v", special.SealWrapStorage)
	}
	equal(t, "unauthenticated", special.Unauthenticated, []string{})
}

// sealWrapped applies the rule that stands beside logical.Paths.
func sealWrapped(special *logical.Paths, key string) bool {
	return slices.ContainsFunc(special.SealWrapStorage, func(wrapped string) bool {
		return wrapped == key || strings.HasSuffix(wrapped, "/") && strings.HasPrefix(key, wrapped)
	})
}

func TestOneProcessServesSeveralMountsEachWithItsOwnStorage(t *testing.T) {
	catalog := newCatalog(t)
	first, second := newMount(t, catalog), newMount(t, catalog)
	process := catalog.running()
	equal(t, "mounts of the process", process.mounts, 2)
	first.publish("crm", 1, nil)
	second.publish("erp", 7, nil)
	equal(t, "first", first.read("static-creds/crm").Data["version"], 1)
	equal(t, "second", second.read("static-creds/erp").Data["version"], 7)
	first.expect(503, logical.ReadOperation, "static-creds/erp", nil)

	first.unmount()
	equal(t, "after the other's Cleanup", second.read("static-creds/erp").Data["version"], 7)
	if process.client.Exited() {
		t.Error("the process ended under its second mount")
	}
	second.unmount()
	if !process.client.Exited() {
		t.Error("the process went on without mounts")
	}
	// It complains of a plugin that it had to kill, too.
	for _, level := range []string{"warn", "error"} {
		if text := catalog.log.text(); strings.Contains(text, `"@level":"`+level+`"`) {
			t.Errorf("go-plugin complains:\n%s", text)
		}
	}
}

func TestAReloadStartsANewProcessOnTheSameStorage(t *testing.T) {
	catalog := newCatalog(t)
	before := newMount(t, catalog)
	before.publish("crm", 3, nil)
	pid := catalog.running().pid()

	before.ended.Do(func() {
		before.Cleanup(context.WithValue(before.ctx, sdk.ContextKeyPluginReload, "reload"))
	})
	if !catalog.running().client.Exited() {
		t.Fatal("the process went on")
	}
	after := mountOn(t, catalog, before.storage)
	equal(t, "version", after.read("static-creds/crm").Data["version"], 3)
	if catalog.running().pid() == pid {
		t.Error("it is the same process")
	}
}

func TestAPluginThatWasKilledIsReportedAsShutDownAndStartsAgain(t *testing.T) {
	catalog := newCatalog(t)
	before := newMount(t, catalog)
	before.publish("crm", 3, nil)
	t.Cleanup(catalog.running().removeFolder)
	if err := syscall.Kill(catalog.running().pid(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the SDK's word for a plugin that is gone", func() bool {
		_, err := before.HandleRequest(before.ctx, before.request(logical.ReadOperation, "info", nil))
		return errors.Is(err, sdk.ErrPluginShutdown)
	})
	after := mountOn(t, catalog, before.storage)
	equal(t, "version", after.read("static-creds/crm").Data["version"], 3)
}
