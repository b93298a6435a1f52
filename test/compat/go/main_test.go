// Package compat drives a cluster through etcd's own Go client. Which cluster is told by the environment:
// QUORATE_COMPAT_ENDPOINTS (host:port, comma separated, one for each member) and QUORATE_COMPAT_VERSION (the
// version that the server claims); QUORATE_COMPAT_CA, _CERT and _KEY (PEM files) where it speaks TLS. A test whose name ends in _Since3_7 asks for what that version brought; the
// runner leaves it out where the server is older.
package compat

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

const callTimeout = 10 * time.Second

var (
	endpoints     []string
	serverVersion [2]int
	// Nil where the members speak plain TCP.
	tlsConfig *tls.Config
)

func TestMain(m *testing.M) {
	for endpoint := range strings.SplitSeq(os.Getenv("QUORATE_COMPAT_ENDPOINTS"), ",") {
		if endpoint != "" {
			endpoints = append(endpoints, endpoint)
		}
	}
	version := os.Getenv("QUORATE_COMPAT_VERSION")
	_, err := fmt.Sscanf(version, "%d.%d", &serverVersion[0], &serverVersion[1])
	if len(endpoints) == 0 || err != nil {
		fmt.Fprintln(os.Stderr, "set QUORATE_COMPAT_ENDPOINTS and QUORATE_COMPAT_VERSION")
		os.Exit(2)
	}
	if os.Getenv("QUORATE_COMPAT_CA") != "" {
		info := transport.TLSInfo{
			TrustedCAFile: os.Getenv("QUORATE_COMPAT_CA"),
			CertFile:      os.Getenv("QUORATE_COMPAT_CERT"),
			KeyFile:       os.Getenv("QUORATE_COMPAT_KEY"),
		}
		if tlsConfig, err = info.ClientConfig(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
	}
	os.Exit(m.Run())
}

// clientURL is what the member at an endpoint advertises.
func clientURL(endpoint string) string {
	if tlsConfig != nil {
		return "https://" + endpoint
	}
	return "http://" + endpoint
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), callTimeout)
	t.Cleanup(cancel)
	return ctx
}

// newClient sends each call to the next member in turn, so that whatever is promised of a cluster as a whole has
// to hold whoever answers.
func newClient(t *testing.T) *clientv3.Client {
	t.Helper()
	return dialClient(t, endpoints)
}

// newClientAt speaks to one member alone.
func newClientAt(t *testing.T, member int) *clientv3.Client {
	t.Helper()
	return dialClient(t, []string{endpoints[member%len(endpoints)]})
}

func dialClient(t *testing.T, to []string) *clientv3.Client {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{
		Endpoints:          to,
		DialTimeout:        callTimeout,
		MaxCallSendMsgSize: 16 << 20,
		Logger:             zap.NewNop(),
		TLS:                tlsConfig,
	})
	must(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// rawKV is the generated stub without the checks, retries and rewriting of the client library.
func rawKV(t *testing.T) pb.KVClient {
	t.Helper()
	return pb.NewKVClient(dialRaw(t, 0))
}

func dialRaw(t *testing.T, member int) *grpc.ClientConn {
	t.Helper()
	security := insecure.NewCredentials()
	if tlsConfig != nil {
		security = credentials.NewTLS(tlsConfig)
	}
	conn, err := grpc.NewClient("passthrough:///"+endpoints[member%len(endpoints)],
		grpc.WithTransportCredentials(security),
		grpc.WithDefaultCallOptions(grpc.MaxCallSendMsgSize(64<<20), grpc.MaxCallRecvMsgSize(64<<20)))
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// space is a part of the key space that no other test touches.
func space(t *testing.T) string {
	return t.Name() + "/"
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("unexpected error: %v", err)
	}
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func wantStatus(t *testing.T, err error, code codes.Code, text string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s %q", code, text)
	}
	got := status.Convert(err)
	if got.Code() != code || got.Message() != text {
		t.Fatalf("got %s %q, want %s %q", got.Code(), got.Message(), code, text)
	}
}

func put(t *testing.T, c *clientv3.Client, key, value string, opts ...clientv3.OpOption) int64 {
	t.Helper()
	answer, err := c.Put(testContext(t), key, value, opts...)
	must(t, err)
	return answer.Header.Revision
}

func get(t *testing.T, c *clientv3.Client, key string, opts ...clientv3.OpOption) *clientv3.GetResponse {
	t.Helper()
	answer, err := c.Get(testContext(t), key, opts...)
	must(t, err)
	return answer
}

// remove takes back a key that lies outside of the test's own space.
func remove(t *testing.T, c *clientv3.Client, key string) {
	t.Helper()
	_, err := c.Delete(testContext(t), key)
	must(t, err)
}

// currentRevision is the store's revision as a linearizable read tells it.
func currentRevision(t *testing.T, c *clientv3.Client) int64 {
	t.Helper()
	return get(t, c, "no such key").Header.Revision
}

// keysOf shows the keys of an answer below `prefix`, in their order.
func keysOf(answer *clientv3.GetResponse, prefix string) string {
	names := make([]string, 0, len(answer.Kvs))
	for _, kv := range answer.Kvs {
		names = append(names, strings.TrimPrefix(string(kv.Key), prefix))
	}
	return strings.Join(names, " ")
}

func wantRange(t *testing.T, prefix string, answer *clientv3.GetResponse, keys string, count int64, more bool) {
	t.Helper()
	equal(t, "keys", keysOf(answer, prefix), keys)
	equal(t, "count", answer.Count, count)
	equal(t, "more", answer.More, more)
}
