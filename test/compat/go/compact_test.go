package compat

import (
	"errors"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
)

const compactedText = "etcdserver: mvcc: required revision has been compacted"

func TestCompactForgetsWhatLiesBelow(t *testing.T) {
	for name, options := range map[string][]clientv3.CompactOption{"logical": nil, "physical": {clientv3.WithCompactPhysical()}} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t)
			prefix := space(t)
			old := put(t, c, prefix+"a", "1")
			put(t, c, prefix+"b", "1")
			_, err := c.Delete(testContext(t), prefix+"b")
			must(t, err)
			at := put(t, c, prefix+"a", "2")
			newest := put(t, c, prefix+"a", "3")
			answer, err := c.Compact(testContext(t), at, options...)
			must(t, err)
			equal(t, "revision", answer.Header.Revision, newest)

			kept := get(t, c, prefix, clientv3.WithPrefix(), clientv3.WithRev(at))
			wantRange(t, prefix, kept, "a", 1, false)
			equal(t, "value at the compacted revision", string(kept.Kvs[0].Value), "2")
			now := get(t, c, prefix+"a").Kvs[0]
			equal(t, "value now", string(now.Value), "3")
			equal(t, "version survives", now.Version, 3)
			equal(t, "create survives", now.CreateRevision, old)
			for _, revision := range []int64{old, at - 1, 1} {
				_, err = c.Get(testContext(t), prefix+"a", clientv3.WithRev(revision))
				if !errors.Is(err, rpctypes.ErrCompacted) {
					t.Errorf("read at %d: %v", revision, err)
				}
			}
			put(t, c, prefix+"a", "4")
		})
	}
}

func TestCompactErrors(t *testing.T) {
	c := newClient(t)
	kv := rawKV(t)
	put(t, c, space(t), "1")
	at := put(t, c, space(t), "2")
	_, err := c.Compact(testContext(t), at)
	must(t, err)
	for name, revision := range map[string]int64{"again": at, "below": at - 1, "zero": 0, "negative": -1} {
		t.Run(name, func(t *testing.T) {
			_, err := kv.Compact(testContext(t), &pb.CompactionRequest{Revision: revision})
			wantStatus(t, err, codes.OutOfRange, compactedText)
			_, err = kv.Compact(testContext(t), &pb.CompactionRequest{Revision: revision, Physical: true})
			wantStatus(t, err, codes.OutOfRange, compactedText)
		})
	}
	t.Run("future", func(t *testing.T) {
		_, err := kv.Compact(testContext(t), &pb.CompactionRequest{Revision: at + 1000})
		wantStatus(t, err, codes.OutOfRange, "etcdserver: mvcc: required revision is a future revision")
	})
	equal(t, "the store still answers", get(t, c, space(t)).Count, 1)
}

func TestCompactedRevisionsInTransactions(t *testing.T) {
	c := newClient(t)
	key := space(t)
	old := put(t, c, key, "1")
	at := put(t, c, key, "2")
	_, err := c.Compact(testContext(t), at, clientv3.WithCompactPhysical())
	must(t, err)
	for name, txn := range map[string]clientv3.Txn{
		"reads":  c.Txn(testContext(t)).Then(clientv3.OpGet(key, clientv3.WithRev(old))),
		"writes": c.Txn(testContext(t)).Then(clientv3.OpPut(key, "3"), clientv3.OpGet(key, clientv3.WithRev(old))),
		"nested": c.Txn(testContext(t)).Then(clientv3.OpPut(key, "3"),
			clientv3.OpTxn(nil, []clientv3.Op{clientv3.OpGet(key, clientv3.WithRev(old))}, nil)),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := txn.Commit()
			if !errors.Is(err, rpctypes.ErrCompacted) {
				t.Errorf("got %v", err)
			}
		})
	}
	answer := do(t, c, clientv3.OpGet(key, clientv3.WithRev(at)))
	equal(t, "at the compacted revision", string(answer.Responses[0].GetResponseRange().Kvs[0].Value), "2")
	equal(t, "nothing was written", string(get(t, c, key).Kvs[0].Value), "2")
}

// A negative revision means now for a plain read, and is below everything in a transaction.
func TestCompactedNegativeRevisionInATransaction(t *testing.T) {
	c := newClient(t)
	at := put(t, c, space(t), "1")
	_, err := c.Compact(testContext(t), at)
	must(t, err)
	_, err = rawKV(t).Txn(testContext(t), &pb.TxnRequest{Success: list(&pb.RequestOp{Request: &pb.RequestOp_RequestRange{
		RequestRange: &pb.RangeRequest{Key: []byte(space(t)), Revision: -1}}})})
	wantStatus(t, err, codes.OutOfRange, compactedText)
}

func TestCompactOfATombstoneKeepsTheRevision(t *testing.T) {
	c := newClient(t)
	key := space(t)
	put(t, c, key, "1")
	deleted, err := c.Delete(testContext(t), key)
	must(t, err)
	_, err = c.Compact(testContext(t), deleted.Header.Revision, clientv3.WithCompactPhysical())
	must(t, err)
	equal(t, "revision", currentRevision(t, c), deleted.Header.Revision)
	equal(t, "count", get(t, c, key, clientv3.WithRev(deleted.Header.Revision)).Count, 0)
	equal(t, "next revision", put(t, c, key, "2"), deleted.Header.Revision+1)
	equal(t, "version of the new life", get(t, c, key).Kvs[0].Version, 1)
}
