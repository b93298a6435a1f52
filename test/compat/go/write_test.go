package compat

import (
	"errors"
	"fmt"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
)

func TestPutCountsVersionsAndRevisions(t *testing.T) {
	c := newClient(t)
	key := space(t)
	before := currentRevision(t, c)
	first := put(t, c, key, "1")
	equal(t, "first revision", first, before+1)
	second := put(t, c, key, "1")
	equal(t, "the same value again takes a revision", second, first+1)

	kv := get(t, c, key).Kvs[0]
	equal(t, "create", kv.CreateRevision, first)
	equal(t, "mod", kv.ModRevision, second)
	equal(t, "version", kv.Version, 2)
	equal(t, "lease", kv.Lease, 0)

	deleted, err := c.Delete(testContext(t), key)
	must(t, err)
	equal(t, "deleted", deleted.Deleted, 1)
	equal(t, "delete revision", deleted.Header.Revision, second+1)
	third := put(t, c, key, "2")
	reborn := get(t, c, key).Kvs[0]
	equal(t, "create of the second life", reborn.CreateRevision, third)
	equal(t, "mod of the second life", reborn.ModRevision, third)
	equal(t, "version of the second life", reborn.Version, 1)
}

func TestPutKeepsEmptyAndBinaryValues(t *testing.T) {
	c := newClient(t)
	key := space(t)
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for _, value := range []string{"", "\x00", string(all), "\xff\xfe"} {
		put(t, c, key, value)
		equal(t, "value", string(get(t, c, key).Kvs[0].Value), value)
	}
}

func TestPutPrevKV(t *testing.T) {
	c := newClient(t)
	key := space(t)
	fresh, err := c.Put(testContext(t), key, "1", clientv3.WithPrevKV())
	must(t, err)
	if fresh.PrevKv != nil {
		t.Errorf("previous pair of a new key: %v", fresh.PrevKv)
	}
	again, err := c.Put(testContext(t), key, "2", clientv3.WithPrevKV())
	must(t, err)
	equal(t, "previous value", string(again.PrevKv.Value), "1")
	equal(t, "previous mod", again.PrevKv.ModRevision, fresh.Header.Revision)
	equal(t, "previous version", again.PrevKv.Version, 1)
	unasked, err := c.Put(testContext(t), key, "3")
	must(t, err)
	if unasked.PrevKv != nil {
		t.Errorf("previous pair unasked: %v", unasked.PrevKv)
	}
}

func TestPutIgnoreValueKeepsTheValue(t *testing.T) {
	c := newClient(t)
	key := space(t)
	put(t, c, key, "kept")
	put(t, c, key, "", clientv3.WithIgnoreValue())
	kv := get(t, c, key).Kvs[0]
	equal(t, "value", string(kv.Value), "kept")
	equal(t, "version", kv.Version, 2)
}

func TestPutIgnoreLeaseKeepsTheLeaseAndPlainPutDropsIt(t *testing.T) {
	c := newClient(t)
	key := space(t)
	lease, err := c.Grant(testContext(t), 600)
	must(t, err)
	put(t, c, key, "1", clientv3.WithLease(lease.ID))
	equal(t, "lease", get(t, c, key).Kvs[0].Lease, int64(lease.ID))
	put(t, c, key, "2", clientv3.WithIgnoreLease())
	kv := get(t, c, key).Kvs[0]
	equal(t, "lease kept", kv.Lease, int64(lease.ID))
	equal(t, "value", string(kv.Value), "2")
	put(t, c, key, "", clientv3.WithIgnoreValue())
	kv = get(t, c, key).Kvs[0]
	equal(t, "lease dropped", kv.Lease, 0)
	equal(t, "value kept", string(kv.Value), "2")
}

func TestPutErrors(t *testing.T) {
	c := newClient(t)
	kv := rawKV(t)
	before := currentRevision(t, c)
	for name, refused := range map[string]struct {
		request *pb.PutRequest
		code    codes.Code
		text    string
	}{
		"empty key": {&pb.PutRequest{}, codes.InvalidArgument, "etcdserver: key is not provided"},
		"empty key with value": {&pb.PutRequest{Value: []byte("v")}, codes.InvalidArgument,
			"etcdserver: key is not provided"},
		"ignore value with a value": {&pb.PutRequest{Key: []byte("k"), Value: []byte("v"), IgnoreValue: true},
			codes.InvalidArgument, "etcdserver: value is provided"},
		"ignore lease with a lease": {&pb.PutRequest{Key: []byte("k"), Lease: 1, IgnoreLease: true},
			codes.InvalidArgument, "etcdserver: lease is provided"},
		"ignore value of a missing key": {&pb.PutRequest{Key: []byte(space(t) + "none"), IgnoreValue: true},
			codes.InvalidArgument, "etcdserver: key not found"},
		"ignore lease of a missing key": {&pb.PutRequest{Key: []byte(space(t) + "none"), IgnoreLease: true},
			codes.InvalidArgument, "etcdserver: key not found"},
		"missing lease": {&pb.PutRequest{Key: []byte("k"), Lease: 123456789}, codes.NotFound,
			"etcdserver: requested lease not found"},
		"negative lease": {&pb.PutRequest{Key: []byte("k"), Lease: -1}, codes.NotFound,
			"etcdserver: requested lease not found"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := kv.Put(testContext(t), refused.request)
			wantStatus(t, err, refused.code, refused.text)
		})
	}
	equal(t, "revision after refused puts", currentRevision(t, c), before)
}

func TestErrorsAreTheOnesThatTheLibraryKnows(t *testing.T) {
	c := newClient(t)
	key := space(t)
	_, emptyKey := c.Put(testContext(t), "", "v")
	_, missingLease := c.Put(testContext(t), key, "v", clientv3.WithLease(987654321))
	_, missingKey := c.Put(testContext(t), key, "", clientv3.WithIgnoreValue())
	_, emptyGet := c.Get(testContext(t), "")
	_, emptyDelete := c.Delete(testContext(t), "")
	for _, known := range []struct{ got, want error }{
		{emptyKey, rpctypes.ErrEmptyKey}, {missingLease, rpctypes.ErrLeaseNotFound},
		{missingKey, rpctypes.ErrKeyNotFound}, {emptyGet, rpctypes.ErrEmptyKey}, {emptyDelete, rpctypes.ErrEmptyKey},
	} {
		if !errors.Is(known.got, known.want) {
			t.Errorf("got %v, want %v", known.got, known.want)
		}
	}
}

func TestDeleteOneKeyAndNothing(t *testing.T) {
	c := newClient(t)
	key := space(t)
	written := put(t, c, key, "v")
	missed, err := c.Delete(testContext(t), key+"none")
	must(t, err)
	equal(t, "deleted", missed.Deleted, 0)
	equal(t, "revision untouched", missed.Header.Revision, written)
	hit, err := c.Delete(testContext(t), key)
	must(t, err)
	equal(t, "deleted", hit.Deleted, 1)
	equal(t, "previous pairs unasked", len(hit.PrevKvs), 0)
	again, err := c.Delete(testContext(t), key)
	must(t, err)
	equal(t, "deleted again", again.Deleted, 0)
	equal(t, "revision after the second delete", again.Header.Revision, written+1)
	equal(t, "count", get(t, c, key).Count, 0)
}

func TestDeleteRanges(t *testing.T) {
	c := newClient(t)
	for name, deletion := range map[string]struct {
		from, to, left string
		deleted        int64
	}{
		"half open":        {"b", "d", "a d e", 2},
		"end equals start": {"b", "b", "a b c d e", 0},
		"end before start": {"d", "b", "a b c d e", 0},
		"one of a gap":     {"bb", "cc", "a b d e", 1},
	} {
		t.Run(name, func(t *testing.T) {
			prefix := space(t)
			for _, key := range []string{"a", "b", "c", "d", "e"} {
				put(t, c, prefix+key, "v")
			}
			before := currentRevision(t, c)
			answer, err := c.Delete(testContext(t), prefix+deletion.from, clientv3.WithRange(prefix+deletion.to))
			must(t, err)
			equal(t, "deleted", answer.Deleted, deletion.deleted)
			equal(t, "left", keysOf(get(t, c, prefix, clientv3.WithPrefix()), prefix), deletion.left)
			equal(t, "one revision at most", answer.Header.Revision, before+min(1, deletion.deleted))
		})
	}
}

func TestDeletePrefixWithPrevKV(t *testing.T) {
	c := newClient(t)
	prefix := space(t)
	for i := range 4 {
		put(t, c, fmt.Sprintf("%s%d", prefix, 3-i), fmt.Sprint("value ", 3-i))
	}
	answer, err := c.Delete(testContext(t), prefix, clientv3.WithPrefix(), clientv3.WithPrevKV())
	must(t, err)
	equal(t, "deleted", answer.Deleted, 4)
	equal(t, "previous pairs", len(answer.PrevKvs), 4)
	for i, kv := range answer.PrevKvs {
		equal(t, "key", string(kv.Key), fmt.Sprintf("%s%d", prefix, i))
		equal(t, "value", string(kv.Value), fmt.Sprint("value ", i))
		equal(t, "version", kv.Version, 1)
	}
	equal(t, "left", get(t, c, prefix, clientv3.WithPrefix()).Count, 0)
}

func TestDeleteFromKey(t *testing.T) {
	c := newClient(t)
	prefix := "\xff\xff\xfe" + space(t)
	for _, key := range []string{"a", "b", "c"} {
		put(t, c, prefix+key, "v")
	}
	answer, err := c.Delete(testContext(t), prefix+"b", clientv3.WithFromKey())
	must(t, err)
	equal(t, "deleted", answer.Deleted, 2)
	equal(t, "left", keysOf(get(t, c, prefix, clientv3.WithPrefix()), prefix), "a")
}
