package compat

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
)

// eventually polls what members reach by themselves and say no event for.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(callTimeout); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

func TestMemberListNamesEveryMember(t *testing.T) {
	c := newClient(t)
	answer, err := c.MemberList(testContext(t))
	must(t, err)
	equal(t, "members", len(answer.Members), len(endpoints))
	equal(t, "the header of a member list tells no revision", answer.Header.Revision, 0)
	clientURLs := []string{}
	ids := map[uint64]bool{}
	for _, member := range answer.Members {
		ids[member.ID] = true
		clientURLs = append(clientURLs, member.ClientURLs...)
		equal(t, "named", member.Name != "", true)
		equal(t, "peer addresses", len(member.PeerURLs), 1)
		equal(t, "learner", member.IsLearner, false)
	}
	equal(t, "distinct ids", len(ids), len(endpoints))
	for _, endpoint := range endpoints {
		equal(t, "lists "+endpoint, slices.Contains(clientURLs, clientURL(endpoint)), true)
	}
}

func TestMemberListIsInOneOrderAtEveryMember(t *testing.T) {
	lists := []string{}
	for i := range endpoints {
		answer, err := newClientAt(t, i).MemberList(testContext(t))
		must(t, err)
		ids := []string{}
		for _, member := range answer.Members {
			ids = append(ids, strconv.FormatUint(member.ID, 16))
		}
		lists = append(lists, fmt.Sprint(ids))
	}
	for _, other := range lists {
		equal(t, "list", other, lists[0])
	}
}

func TestStatusOfEveryMember(t *testing.T) {
	c := newClient(t)
	put(t, c, space(t), "v")
	leaders := map[uint64]bool{}
	for i, endpoint := range endpoints {
		// The read brings the member up to date, so that its indexes are not those of its start.
		get(t, newClientAt(t, i), space(t))
		answer, err := c.Status(testContext(t), endpoint)
		must(t, err)
		leaders[answer.Leader] = true
		equal(t, "version", answer.Version != "", true)
		equal(t, "size", answer.DbSize > 0, true)
		equal(t, "size in use", answer.DbSizeInUse > 0 && answer.DbSizeInUse <= answer.DbSize, true)
		equal(t, "index", answer.RaftIndex > 0, true)
		equal(t, "applied", answer.RaftAppliedIndex > 0 && answer.RaftAppliedIndex <= answer.RaftIndex, true)
		equal(t, "term", answer.RaftTerm, answer.Header.RaftTerm)
		equal(t, "learner", answer.IsLearner, false)
		equal(t, "errors", len(answer.Errors), 0)
	}
	equal(t, "one leader", len(leaders), 1)
}

func TestStatusTellsStorageVersionAndQuota_Since3_6(t *testing.T) {
	c := newClient(t)
	ctx := testContext(t)
	answer, err := c.Status(ctx, endpoints[0])
	must(t, err)
	// etcd raises it some seconds after the start.
	for want := fmt.Sprintf("%d.%d.0", serverVersion[0], serverVersion[1]); answer.StorageVersion != want; {
		time.Sleep(50 * time.Millisecond)
		answer, err = c.Status(ctx, endpoints[0])
		must(t, err)
	}
	equal(t, "quota", answer.DbSizeQuota, 2*1024*1024*1024)
}

func TestHeadersNameClusterMemberRevisionAndTerm(t *testing.T) {
	members, err := newClient(t).MemberList(testContext(t))
	must(t, err)
	for i, endpoint := range endpoints {
		c := newClientAt(t, i)
		answer, err := c.Put(testContext(t), space(t), "v")
		must(t, err)
		header := answer.Header
		equal(t, "cluster", header.ClusterId, members.Header.ClusterId)
		equal(t, "term", header.RaftTerm, members.Header.RaftTerm)
		for _, member := range members.Members {
			if slices.Contains(member.ClientURLs, clientURL(endpoint)) {
				equal(t, "member", header.MemberId, member.ID)
			}
		}
		for name, other := range headersOf(t, c, space(t)) {
			equal(t, "cluster of "+name, other.ClusterId, header.ClusterId)
			equal(t, "member of "+name, other.MemberId, header.MemberId)
			equal(t, "term of "+name, other.RaftTerm, header.RaftTerm)
			equal(t, "revision of "+name, other.Revision, header.Revision)
		}
	}
}

func headersOf(t *testing.T, c *clientv3.Client, key string) map[string]*pb.ResponseHeader {
	t.Helper()
	read := get(t, c, key)
	deleted, err := c.Delete(testContext(t), key+"none")
	must(t, err)
	txn := do(t, c, clientv3.OpGet(key))
	status, err := c.Status(testContext(t), c.Endpoints()[0])
	must(t, err)
	hash, err := c.HashKV(testContext(t), c.Endpoints()[0], 0)
	must(t, err)
	return map[string]*pb.ResponseHeader{
		"range": read.Header, "delete": deleted.Header, "txn": txn.Header, "status": status.Header, "hash": hash.Header,
	}
}

func TestHashKVAgreesOnAllMembersAtOneRevision(t *testing.T) {
	c := newClient(t)
	prefix := space(t)
	for i := range 20 {
		put(t, c, fmt.Sprint(prefix, i%7), strconv.Itoa(i))
	}
	_, err := c.Delete(testContext(t), prefix+"3")
	must(t, err)
	revision := currentRevision(t, c)
	hashes := map[uint32]bool{}
	for i, endpoint := range endpoints {
		get(t, newClientAt(t, i), prefix)
		for _, at := range []int64{revision, 0} {
			answer, err := c.HashKV(testContext(t), endpoint, at)
			must(t, err)
			hashes[answer.Hash] = true
		}
	}
	equal(t, "distinct hashes", len(hashes), 1)
	earlier, err := c.HashKV(testContext(t), endpoints[0], revision-1)
	must(t, err)
	equal(t, "another hash at an earlier revision", hashes[earlier.Hash], false)
}

func TestHashKVAfterCompactionAgreesAndTellsTheRevision(t *testing.T) {
	c := newClient(t)
	prefix := space(t)
	for i := range 10 {
		put(t, c, fmt.Sprint(prefix, i%3), strconv.Itoa(i))
	}
	at := currentRevision(t, c) - 3
	_, err := c.Compact(testContext(t), at, clientv3.WithCompactPhysical())
	must(t, err)
	hashes := map[uint32]bool{}
	for i, endpoint := range endpoints {
		get(t, newClientAt(t, i), prefix)
		answer, err := c.HashKV(testContext(t), endpoint, at+2)
		must(t, err)
		hashes[answer.Hash] = true
		equal(t, "compacted revision", answer.CompactRevision, at)
	}
	equal(t, "distinct hashes", len(hashes), 1)
	maintenance := pb.NewMaintenanceClient(dialRaw(t, 0))
	_, err = maintenance.HashKV(testContext(t), &pb.HashKVRequest{Revision: at - 1})
	wantStatus(t, err, codes.OutOfRange, compactedText)
	_, err = maintenance.HashKV(testContext(t), &pb.HashKVRequest{Revision: at + 1000})
	wantStatus(t, err, codes.OutOfRange, "etcdserver: mvcc: required revision is a future revision")
}

func TestAlarmListIsEmpty(t *testing.T) {
	answer, err := newClient(t).AlarmList(testContext(t))
	must(t, err)
	equal(t, "alarms", len(answer.Alarms), 0)
}

func TestLinearizableReadsAtEveryMemberSeeTheLastWrite(t *testing.T) {
	writer := newClientAt(t, 0)
	key := space(t)
	readers := []*clientv3.Client{}
	for i := range endpoints {
		readers = append(readers, newClientAt(t, i))
	}
	for i := range 60 {
		value := strconv.Itoa(i)
		revision := put(t, writer, key, value)
		answer := get(t, readers[i%len(readers)], key)
		if got := string(answer.Kvs[0].Value); got != value || answer.Header.Revision < revision {
			t.Fatalf("member %d answered %q at revision %d after %q was written at %d", i%len(readers), got,
				answer.Header.Revision, value, revision)
		}
	}
}

func TestSerializableReadsAtEveryMemberCatchUp(t *testing.T) {
	revision := put(t, newClient(t), space(t), "v")
	for i := range endpoints {
		c := newClientAt(t, i)
		eventually(t, fmt.Sprintf("member %d shows the write", i), func() bool {
			answer := get(t, c, space(t), clientv3.WithSerializable())
			return answer.Count == 1 && answer.Header.Revision >= revision
		})
	}
}

func TestWritesThroughEveryMember(t *testing.T) {
	prefix := space(t)
	last := int64(0)
	for i := range 3 * len(endpoints) {
		revision := put(t, newClientAt(t, i), fmt.Sprint(prefix, i), "v")
		equal(t, "revision after the one before", last == 0 || revision == last+1, true)
		last = revision
	}
	equal(t, "count", get(t, newClient(t), prefix, clientv3.WithPrefix()).Count, int64(3*len(endpoints)))
}

// increment adds one by compare and swap, as often as it takes.
func increment(ctx context.Context, c *clientv3.Client, key string) (int64, error) {
	for {
		answer, err := c.Get(ctx, key)
		if err != nil {
			return 0, err
		}
		value, modified := 0, int64(0)
		if len(answer.Kvs) == 1 {
			value, _ = strconv.Atoi(string(answer.Kvs[0].Value))
			modified = answer.Kvs[0].ModRevision
		}
		swapped, err := c.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(key), "=", modified)).
			Then(clientv3.OpPut(key, strconv.Itoa(value+1))).Commit()
		if err != nil || swapped.Succeeded {
			return swapped.Header.Revision, err
		}
	}
}

func TestConcurrentCountersByCompareAndSwapLoseNothing(t *testing.T) {
	const workers, increments = 6, 15
	key := space(t)
	var group sync.WaitGroup
	var mutex sync.Mutex
	revisions := map[int64]int{}
	var failures error
	for i := range workers {
		c := newClientAt(t, i)
		group.Go(func() {
			for range increments {
				revision, err := increment(testContext(t), c, key)
				mutex.Lock()
				revisions[revision]++
				failures = errors.Join(failures, err)
				mutex.Unlock()
			}
		})
	}
	group.Wait()
	must(t, failures)
	equal(t, "distinct revisions", len(revisions), workers*increments)
	kv := get(t, newClient(t), key).Kvs[0]
	equal(t, "counter", string(kv.Value), strconv.Itoa(workers*increments))
	equal(t, "version", kv.Version, workers*increments)
}

func TestConcurrentCreatorsOfOneKeyHaveOneWinner(t *testing.T) {
	const workers = 12
	key := space(t)
	wins := make(chan bool, workers)
	for i := range workers {
		c := newClientAt(t, i)
		go func() {
			answer, err := c.Txn(testContext(t)).If(clientv3.Compare(clientv3.CreateRevision(key), "=", 0)).
				Then(clientv3.OpPut(key, strconv.Itoa(i))).Else(clientv3.OpGet(key)).Commit()
			wins <- err == nil && answer.Succeeded
		}()
	}
	winners := 0
	for range workers {
		if <-wins {
			winners++
		}
	}
	equal(t, "winners", winners, 1)
	equal(t, "version", get(t, newClient(t), key).Kvs[0].Version, 1)
}

func TestConcurrentWritesTakeRevisionsWithoutGap(t *testing.T) {
	const writes = 200
	c := newClient(t)
	before := currentRevision(t, c)
	revisions := make(chan int64, writes)
	for i := range writes {
		go func() {
			answer, err := c.Put(testContext(t), fmt.Sprint(space(t), i), "v")
			if err != nil {
				t.Error(err)
				revisions <- 0
				return
			}
			revisions <- answer.Header.Revision
		}()
	}
	seen := map[int64]bool{}
	for range writes {
		revision := <-revisions
		equal(t, "within the new revisions", revision > before && revision <= before+writes, true)
		seen[revision] = true
	}
	equal(t, "distinct revisions", len(seen), writes)
}
