package compat

import (
	"errors"
	"fmt"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func commit(t *testing.T, txn clientv3.Txn) *clientv3.TxnResponse {
	t.Helper()
	answer, err := txn.Commit()
	must(t, err)
	return answer
}

func do(t *testing.T, c *clientv3.Client, ops ...clientv3.Op) *clientv3.TxnResponse {
	t.Helper()
	return commit(t, c.Txn(testContext(t)).Then(ops...))
}

func TestTxnTakesOneRevisionForAllItsWrites(t *testing.T) {
	c := newClient(t)
	prefix := space(t)
	before := currentRevision(t, c)
	answer := do(t, c, clientv3.OpPut(prefix+"a", "1"), clientv3.OpPut(prefix+"b", "2"), clientv3.OpDelete(prefix+"none"))
	equal(t, "revision", answer.Header.Revision, before+1)
	equal(t, "succeeded", answer.Succeeded, true)
	for _, kv := range get(t, c, prefix, clientv3.WithPrefix()).Kvs {
		equal(t, "mod of "+string(kv.Key), kv.ModRevision, before+1)
		equal(t, "create of "+string(kv.Key), kv.CreateRevision, before+1)
	}
}

func TestTxnThatChangesNothingTakesNoRevision(t *testing.T) {
	c := newClient(t)
	prefix := space(t)
	put(t, c, prefix+"a", "1")
	before := currentRevision(t, c)
	no := clientv3.Compare(clientv3.Value(prefix+"a"), "=", "other")
	for name, txn := range map[string]clientv3.Txn{
		"empty":               c.Txn(testContext(t)),
		"failed, no branch":   c.Txn(testContext(t)).If(no).Then(clientv3.OpPut(prefix+"a", "2")),
		"reads alone":         c.Txn(testContext(t)).Then(clientv3.OpGet(prefix + "a")),
		"deletes of nothing":  c.Txn(testContext(t)).Then(clientv3.OpDelete(prefix + "none")),
		"empty nested":        c.Txn(testContext(t)).Then(clientv3.OpTxn(nil, nil, nil)),
		"deletes of no range": c.Txn(testContext(t)).Then(clientv3.OpDelete(prefix+"b", clientv3.WithRange(prefix+"a"))),
	} {
		t.Run(name, func(t *testing.T) {
			equal(t, "revision", commit(t, txn).Header.Revision, before)
		})
	}
	equal(t, "revision after all", currentRevision(t, c), before)
}

func TestTxnTakesTheBranchOfItsComparison(t *testing.T) {
	c := newClient(t)
	key := space(t)
	put(t, c, key, "1")
	for value, want := range map[string]bool{"1": true, "2": false} {
		answer := commit(t, c.Txn(testContext(t)).If(clientv3.Compare(clientv3.Value(key), "=", value)).
			Then(clientv3.OpGet(key)).Else(clientv3.OpGet(key), clientv3.OpGet(key+"none")))
		equal(t, "succeeded", answer.Succeeded, want)
		equal(t, "answers", len(answer.Responses), map[bool]int{true: 1, false: 2}[want])
	}
	twoOfWhichOneFails := commit(t, c.Txn(testContext(t)).
		If(clientv3.Compare(clientv3.Value(key), "=", "1"), clientv3.Compare(clientv3.Version(key), ">", 5)).
		Else(clientv3.OpGet(key)))
	equal(t, "all comparisons must hold", twoOfWhichOneFails.Succeeded, false)
}

func TestTxnReadsSeeTheWritesBeforeThemInTheBranch(t *testing.T) {
	c := newClient(t)
	prefix := space(t)
	old := put(t, c, prefix+"a", "old")
	answer := do(t, c,
		clientv3.OpGet(prefix+"a"),
		clientv3.OpPut(prefix+"a", "new", clientv3.WithPrevKV()),
		clientv3.OpGet(prefix+"a"),
		clientv3.OpPut(prefix+"b", "b"),
		clientv3.OpGet(prefix, clientv3.WithPrefix()),
		clientv3.OpDelete(prefix+"c"),
		clientv3.OpGet(prefix, clientv3.WithPrefix(), clientv3.WithCountOnly()),
	)
	responses := answer.Responses
	equal(t, "before", string(responses[0].GetResponseRange().Kvs[0].Value), "old")
	equal(t, "previous", string(responses[1].GetResponsePut().PrevKv.Value), "old")
	after := responses[2].GetResponseRange().Kvs[0]
	equal(t, "after", string(after.Value), "new")
	equal(t, "mod", after.ModRevision, old+1)
	equal(t, "version", after.Version, 2)
	equal(t, "both", len(responses[4].GetResponseRange().Kvs), 2)
	equal(t, "deleted", responses[5].GetResponseDeleteRange().Deleted, 0)
	equal(t, "count", responses[6].GetResponseRange().Count, 2)
}

func TestTxnReadSeesADeleteBeforeIt(t *testing.T) {
	c := newClient(t)
	prefix := space(t)
	put(t, c, prefix+"a", "1")
	put(t, c, prefix+"b", "2")
	answer := do(t, c,
		clientv3.OpDelete(prefix, clientv3.WithPrefix(), clientv3.WithPrevKV()),
		clientv3.OpGet(prefix, clientv3.WithPrefix()),
		clientv3.OpDelete(prefix, clientv3.WithPrefix()),
	)
	equal(t, "deleted", answer.Responses[0].GetResponseDeleteRange().Deleted, 2)
	equal(t, "previous pairs", len(answer.Responses[0].GetResponseDeleteRange().PrevKvs), 2)
	equal(t, "left", answer.Responses[1].GetResponseRange().Count, 0)
	equal(t, "deleted again", answer.Responses[2].GetResponseDeleteRange().Deleted, 0)
}

func TestTxnReadAtAnOldRevisionSeesTheOldState(t *testing.T) {
	c := newClient(t)
	key := space(t)
	first := put(t, c, key, "1")
	put(t, c, key, "2")
	answer := do(t, c, clientv3.OpPut(key, "3"), clientv3.OpGet(key, clientv3.WithRev(first)), clientv3.OpGet(key))
	equal(t, "old", string(answer.Responses[1].GetResponseRange().Kvs[0].Value), "1")
	equal(t, "new", string(answer.Responses[2].GetResponseRange().Kvs[0].Value), "3")
}

func TestTxnHeadersOfTheOperations(t *testing.T) {
	c := newClient(t)
	key := space(t)
	before := put(t, c, key, "1")
	answer := do(t, c, clientv3.OpGet(key), clientv3.OpPut(key, "2"), clientv3.OpGet(key),
		clientv3.OpDelete(key+"none"), clientv3.OpTxn(nil, []clientv3.Op{clientv3.OpGet(key)}, nil))
	headers := []*pb.ResponseHeader{
		answer.Responses[0].GetResponseRange().Header, answer.Responses[1].GetResponsePut().Header,
		answer.Responses[2].GetResponseRange().Header, answer.Responses[3].GetResponseDeleteRange().Header,
		answer.Responses[4].GetResponseTxn().Responses[0].GetResponseRange().Header,
	}
	for i, want := range []int64{before, before + 1, before + 1, before + 1, before + 1} {
		equal(t, fmt.Sprint("revision of operation ", i), headers[i].GetRevision(), want)
		// Only the header of the whole answer names the cluster.
		equal(t, fmt.Sprint("cluster of operation ", i), headers[i].GetClusterId(), 0)
		equal(t, fmt.Sprint("term of operation ", i), headers[i].GetRaftTerm(), 0)
	}
	equal(t, "revision of the nested transaction", answer.Responses[4].GetResponseTxn().GetHeader().GetRevision(), 0)
}

func TestTxnOfReadsAlone(t *testing.T) {
	c := newClient(t)
	prefix := space(t)
	put(t, c, prefix+"a", "1")
	revision := put(t, c, prefix+"b", "2")
	for name, options := range map[string][]clientv3.OpOption{
		"linearizable": {clientv3.WithPrefix()},
		"sorted":       {clientv3.WithPrefix(), clientv3.WithSort(clientv3.SortByKey, clientv3.SortDescend)},
		"limited":      {clientv3.WithPrefix(), clientv3.WithLimit(1)},
	} {
		t.Run(name, func(t *testing.T) {
			answer := do(t, c, clientv3.OpGet(prefix, options...))
			got := (*clientv3.GetResponse)(answer.Responses[0].GetResponseRange())
			want := map[string]string{"linearizable": "a b", "sorted": "b a", "limited": "a"}[name]
			wantRange(t, prefix, got, want, 2, name == "limited")
			equal(t, "revision", answer.Header.Revision, revision)
		})
	}
	pinned := newClientAt(t, 0)
	put(t, pinned, prefix+"c", "3")
	answer := do(t, pinned, clientv3.OpGet(prefix+"c", clientv3.WithSerializable()))
	equal(t, "serializable read of an own write", answer.Responses[0].GetResponseRange().Count, 1)
}

func TestTxnNested(t *testing.T) {
	c := newClient(t)
	prefix := space(t)
	put(t, c, prefix+"a", "1")
	inner := clientv3.OpTxn(
		[]clientv3.Cmp{clientv3.Compare(clientv3.Value(prefix+"a"), "=", "1")},
		[]clientv3.Op{clientv3.OpPut(prefix+"then", "x"), clientv3.OpGet(prefix + "outer")},
		[]clientv3.Op{clientv3.OpPut(prefix+"else", "x")},
	)
	failing := clientv3.OpTxn(
		[]clientv3.Cmp{clientv3.Compare(clientv3.Value(prefix+"a"), "=", "2")},
		[]clientv3.Op{clientv3.OpPut(prefix+"then2", "x")},
		[]clientv3.Op{clientv3.OpPut(prefix+"else2", "x"), clientv3.OpTxn(nil, []clientv3.Op{clientv3.OpGet(prefix + "else2")}, nil)},
	)
	answer := do(t, c, clientv3.OpPut(prefix+"outer", "o"), inner, failing)
	first, second := answer.Responses[1].GetResponseTxn(), answer.Responses[2].GetResponseTxn()
	equal(t, "first", first.Succeeded, true)
	equal(t, "sees the outer write", first.Responses[1].GetResponseRange().Count, 1)
	equal(t, "second", second.Succeeded, false)
	equal(t, "third level", second.Responses[1].GetResponseTxn().Responses[0].GetResponseRange().Count, 1)
	all := get(t, c, prefix, clientv3.WithPrefix())
	equal(t, "keys", keysOf(all, prefix), "a else2 outer then")
	for _, kv := range all.Kvs[1:] {
		equal(t, "one revision", kv.ModRevision, answer.Header.Revision)
	}
}

func TestTxnNestedComparisonsSeeTheStateBeforeTheWholeTransaction(t *testing.T) {
	c := newClient(t)
	key := space(t)
	put(t, c, key, "before")
	answer := do(t, c, clientv3.OpPut(key, "after"), clientv3.OpTxn(
		[]clientv3.Cmp{clientv3.Compare(clientv3.Value(key), "=", "after")}, nil, nil))
	equal(t, "succeeded", answer.Responses[1].GetResponseTxn().Succeeded, false)
}

func TestTxnIsRefusedAsAWhole(t *testing.T) {
	c := newClient(t)
	prefix := space(t)
	before := put(t, c, prefix+"a", "1")
	future := before + 1_000_000
	for name, refused := range map[string]struct {
		op   clientv3.Op
		want error
	}{
		"missing lease":                 {clientv3.OpPut(prefix+"b", "1", clientv3.WithLease(4242)), rpctypes.ErrLeaseNotFound},
		"ignore value of a missing key": {clientv3.OpPut(prefix+"b", "", clientv3.WithIgnoreValue()), rpctypes.ErrKeyNotFound},
		"ignore lease of a missing key": {clientv3.OpPut(prefix+"b", "v", clientv3.WithIgnoreLease()), rpctypes.ErrKeyNotFound},
		"future revision":               {clientv3.OpGet(prefix+"a", clientv3.WithRev(future)), rpctypes.ErrFutureRev},
		"future revision, nested": {clientv3.OpTxn(nil, []clientv3.Op{clientv3.OpGet(prefix+"a", clientv3.WithRev(future))}, nil),
			rpctypes.ErrFutureRev},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.Txn(testContext(t)).Then(clientv3.OpPut(prefix+"written", "x"), refused.op).Commit()
			if !errors.Is(err, refused.want) {
				t.Fatalf("got %v, want %v", err, refused.want)
			}
			equal(t, "nothing written", get(t, c, prefix+"written").Count, 0)
		})
	}
	equal(t, "revision", currentRevision(t, c), before)
	// An error in the branch that is not taken does not count.
	answer := commit(t, c.Txn(testContext(t)).Then(clientv3.OpGet(prefix+"a")).
		Else(clientv3.OpPut(prefix+"b", "1", clientv3.WithLease(4242))))
	equal(t, "succeeded", answer.Succeeded, true)
}

// A read in a transaction at the revision that its own write is about to take asks for the future.
func TestTxnReadAtItsOwnRevisionIsInTheFuture(t *testing.T) {
	c := newClient(t)
	key := space(t)
	before := put(t, c, key, "1")
	_, err := c.Txn(testContext(t)).Then(clientv3.OpPut(key, "2"), clientv3.OpGet(key, clientv3.WithRev(before+1))).Commit()
	if !errors.Is(err, rpctypes.ErrFutureRev) {
		t.Fatalf("got %v", err)
	}
}
