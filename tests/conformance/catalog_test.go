package conformance

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/helper/pluginutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

const (
	pluginName   = "vault-plugin-secrets-salesforce"
	vaultVersion = "1.20.0" // what the host says it is; the plugin must not depend on it
)

// catalog starts plugin processes, and lets mounts share one. The SDK has everything but this part of the client,
// which is the server's own: the process is shared by giving each mount a connection that names it in its metadata.
type catalog struct {
	runner  *pluginutil.PluginRunner
	log     *journal
	lasting bool // the process goes on without mounts

	mutex   sync.Mutex
	shared  *process
	started int
}

// process is a plugin that runs, and how many mounts use it.
type process struct {
	client   *goplugin.Client
	protocol goplugin.ClientProtocol
	conn     *grpc.ClientConn
	mounts   int
}

// newCatalog makes a catalog in which the launcher is registered as its install command said.
func newCatalog(t *testing.T) *catalog {
	t.Helper()
	made := &catalog{runner: registered(t), log: &journal{}}
	t.Cleanup(made.close)
	return made
}

// registered is the catalog entry that install-plugin printed.
func registered(t *testing.T) *pluginutil.PluginRunner {
	t.Helper()
	sha256, err := hex.DecodeString(os.Getenv("PLUGIN_SHA256"))
	if err != nil || len(sha256) == 0 {
		t.Fatal("PLUGIN_LAUNCHER, PLUGIN_SHA256 and PLUGIN_VERSION must be set: make conformance does it")
	}
	return &pluginutil.PluginRunner{
		Name:    pluginName,
		Type:    consts.PluginTypeSecrets,
		Version: "v" + os.Getenv("PLUGIN_VERSION"),
		Command: os.Getenv("PLUGIN_LAUNCHER"),
		Sha256:  sha256,
	}
}

// logger is what the server gives a plugin: its stderr arrives there.
func (c *catalog) logger() hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: c.log, JSONFormat: true})
}

// connect answers what the SDK asks a server for: a client of the plugin, for one mount.
func (c *catalog) connect(ctx context.Context, config pluginutil.PluginClientConfig) (pluginutil.PluginClient, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.shared == nil || c.shared.client.Exited() {
		started, err := c.start(ctx, config)
		if err != nil {
			return nil, err
		}
		c.shared = started
	}
	supported, err := pluginutil.MultiplexingSupported(ctx, c.shared.conn, config.Name)
	if err != nil {
		return nil, err
	}
	if !supported {
		return nil, errors.New("the plugin serves one mount only")
	}
	c.shared.mounts++
	c.started++
	id := fmt.Sprintf("mount-%04d", c.started)
	return &client{ClientProtocol: c.shared.protocol, catalog: c, process: c.shared, id: id}, nil
}

func (c *catalog) start(ctx context.Context, config pluginutil.PluginClientConfig) (*process, error) {
	started, err := c.runner.RunConfig(
		ctx,
		pluginutil.Runner(config.Wrapper),
		pluginutil.PluginSets(config.PluginSets),
		pluginutil.HandshakeConfig(config.HandshakeConfig),
		pluginutil.Logger(config.Logger),
		pluginutil.MetadataMode(config.IsMetadataMode),
		pluginutil.AutoMTLS(config.AutoMTLS),
	)
	if err != nil {
		return nil, err
	}
	protocol, err := started.Client()
	if err != nil {
		started.Kill()
		return nil, err
	}
	spoken, ok := protocol.(*goplugin.GRPCClient)
	if !ok {
		started.Kill()
		return nil, fmt.Errorf("the plugin speaks %T", protocol)
	}
	return &process{client: started, protocol: protocol, conn: spoken.Conn}, nil
}

// running is the process that mounts share now.
func (c *catalog) running() *process {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.shared
}

func (c *catalog) close() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.shared != nil {
		c.shared.client.Kill()
	}
}

func (p *process) pid() int {
	return p.client.ReattachConfig().Pid
}

// removeFolder removes the socket's folder, as a process that is killed cannot.
func (p *process) removeFolder() {
	_ = os.RemoveAll(filepath.Dir(p.client.ReattachConfig().Addr.String()))
}

// client is one mount's share of a process: pluginutil.PluginClient.
type client struct {
	goplugin.ClientProtocol
	catalog *catalog
	process *process
	id      string
}

// Conn is the process's connection, with the mount's name on each call.
func (c *client) Conn() grpc.ClientConnInterface {
	return &namedConn{ClientConnInterface: c.process.conn, id: c.id}
}

// Close gives the share back; the last one ends the process.
func (c *client) Close() error {
	c.catalog.mutex.Lock()
	defer c.catalog.mutex.Unlock()
	c.process.mounts--
	if c.process.mounts == 0 && !c.catalog.lasting {
		c.process.client.Kill()
	}
	return nil
}

// Reload ends the process under all of its mounts.
func (c *client) Reload() error {
	c.catalog.mutex.Lock()
	defer c.catalog.mutex.Unlock()
	c.process.client.Kill()
	return nil
}

type namedConn struct {
	grpc.ClientConnInterface
	id string
}

func (c *namedConn) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	named := metadata.AppendToOutgoingContext(ctx, pluginutil.MultiplexingCtxKey, c.id)
	return c.ClientConnInterface.Invoke(named, method, args, reply, opts...)
}
