package compat

import (
	"fmt"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	naming "go.etcd.io/etcd/client/v3/naming/endpoints"
	"go.etcd.io/etcd/client/v3/naming/resolver"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

func TestNamingEndpointsAreListedAndWatched(t *testing.T) {
	c := newClient(t)
	service := strings.TrimSuffix(space(t), "/")
	manager, err := naming.NewManager(c, service)
	must(t, err)
	id := grant(t, c, longTTL)
	first := naming.Endpoint{Addr: "127.0.0.1:1", Metadata: "first"}
	must(t, manager.AddEndpoint(testContext(t), service+"/a", first, clientv3.WithLease(id)))
	equal(t, "stored", string(get(t, c, service+"/a").Kvs[0].Value), `{"Op":0,"Addr":"127.0.0.1:1","Metadata":"first"}`)
	changes, err := manager.NewWatchChannel(t.Context())
	must(t, err)
	wants := func(want string) {
		t.Helper()
		select {
		case updates := <-changes:
			shown := []string{}
			for _, update := range updates {
				shown = append(shown, fmt.Sprint(update.Op, " ", strings.TrimPrefix(update.Key, service), " ", update.Endpoint.Addr))
			}
			equal(t, "updates", strings.Join(shown, ", "), want)
		case <-time.After(callTimeout):
			t.Fatal("no update")
		}
	}
	wants("0 /a 127.0.0.1:1")
	second := naming.Endpoint{Addr: "127.0.0.1:2"}
	must(t, manager.Update(testContext(t), []*naming.UpdateWithOpts{
		naming.NewAddUpdateOpts(service+"/b", second), naming.NewAddUpdateOpts(service+"/c", first, clientv3.WithLease(id)),
	}))
	wants("0 /b 127.0.0.1:2, 0 /c 127.0.0.1:1")
	// The list is read serializably: a member may be a moment behind.
	eventually(t, "all are listed", func() bool {
		listed, err := manager.List(testContext(t))
		must(t, err)
		return len(listed) == 3 && listed[service+"/b"].Addr == second.Addr
	})
	must(t, manager.DeleteEndpoint(testContext(t), service+"/b"))
	wants("1 /b ")
	revoke(t, c, id)
	wants("1 /a , 1 /c ")
}

func TestNamingResolverFindsAService(t *testing.T) {
	c := newClient(t)
	service := strings.TrimSuffix(space(t), "/")
	manager, err := naming.NewManager(c, service)
	must(t, err)
	builder, err := resolver.NewBuilder(c)
	must(t, err)
	security := insecure.NewCredentials()
	if tlsConfig != nil {
		// The name that was resolved is not the members' own.
		config := tlsConfig.Clone()
		config.ServerName = "127.0.0.1"
		security = credentials.NewTLS(config)
	}
	conn, err := grpc.NewClient("etcd:///"+service, grpc.WithResolvers(builder), grpc.WithTransportCredentials(security))
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	// The members themselves are the service that is to be found.
	for _, endpoint := range endpoints {
		must(t, manager.AddEndpoint(testContext(t), service+"/"+endpoint, naming.Endpoint{Addr: endpoint}))
	}
	answer, err := pb.NewKVClient(conn).Range(testContext(t), &pb.RangeRequest{Key: []byte(service), RangeEnd: []byte(service + "0")},
		grpc.WaitForReady(true))
	must(t, err)
	equal(t, "found", answer.Count >= 1, true)
}
