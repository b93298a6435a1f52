package compat

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
)

const (
	leaseNotFoundText = "etcdserver: requested lease not found"
	// shortTTL is the shortest that members with the usual election timeout of a second grant, in seconds.
	shortTTL = 2
	longTTL  = 600
)

func grant(t *testing.T, c *clientv3.Client, ttl int64) clientv3.LeaseID {
	t.Helper()
	answer, err := c.Grant(testContext(t), ttl)
	must(t, err)
	// A lease that ended later would take its keys with it, and so make a revision in the middle of another test.
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
		defer cancel()
		_, _ = c.Revoke(ctx, answer.ID)
	})
	return answer.ID
}

func revoke(t *testing.T, c *clientv3.Client, id clientv3.LeaseID) int64 {
	t.Helper()
	answer, err := c.Revoke(testContext(t), id)
	must(t, err)
	return answer.Header.Revision
}

func timeToLive(t *testing.T, c *clientv3.Client, id clientv3.LeaseID) *clientv3.LeaseTimeToLiveResponse {
	t.Helper()
	answer, err := c.TimeToLive(testContext(t), id, clientv3.WithAttachedKeys())
	must(t, err)
	return answer
}

func TestLeaseGrantChoosesAnIdAndRaisesAShortTTL(t *testing.T) {
	c := newClient(t)
	first, err := c.Grant(testContext(t), 1)
	must(t, err)
	equal(t, "raised", first.TTL, shortTTL)
	second, err := c.Grant(testContext(t), longTTL)
	must(t, err)
	equal(t, "as asked", second.TTL, longTTL)
	equal(t, "ids", first.ID > 0 && second.ID > 0 && first.ID != second.ID, true)
	equal(t, "member", second.ResponseHeader.MemberId != 0, true)
}

func TestLeaseGrantOfAChosenIdIsRefusedTwice(t *testing.T) {
	lease := pb.NewLeaseClient(dialRaw(t, 0))
	id := time.Now().UnixNano()
	answer, err := lease.LeaseGrant(testContext(t), &pb.LeaseGrantRequest{ID: id, TTL: longTTL})
	must(t, err)
	equal(t, "id", answer.ID, id)
	_, err = lease.LeaseGrant(testContext(t), &pb.LeaseGrantRequest{ID: id, TTL: longTTL})
	wantStatus(t, err, codes.FailedPrecondition, "etcdserver: lease already exists")
	_, err = lease.LeaseGrant(testContext(t), &pb.LeaseGrantRequest{TTL: 9_000_000_001})
	wantStatus(t, err, codes.OutOfRange, "etcdserver: too large lease TTL")
	_, err = lease.LeaseRevoke(testContext(t), &pb.LeaseRevokeRequest{ID: id})
	must(t, err)
	_, err = lease.LeaseGrant(testContext(t), &pb.LeaseGrantRequest{ID: id, TTL: longTTL})
	must(t, err)
}

func TestLeaseTakesNoRevisionUntilItsKeysGo(t *testing.T) {
	c := newClient(t)
	before := put(t, c, space(t), "v")
	id := grant(t, c, longTTL)
	_, err := c.KeepAliveOnce(testContext(t), id)
	must(t, err)
	revoke(t, c, id)
	equal(t, "revision", currentRevision(t, c), before)
}

func TestLeaseRevokeDeletesItsKeysInOneRevision(t *testing.T) {
	c := newClient(t)
	p := space(t)
	w := watch(t, c, p, "", clientv3.WithPrefix(), clientv3.WithFilterPut(), clientv3.WithPrevKV())
	id := grant(t, c, longTTL)
	for _, key := range []string{"c", "a", "b"} {
		put(t, c, p+key, "v", clientv3.WithLease(id))
	}
	last := put(t, c, p+"free", "v")
	equal(t, "lease of the key", get(t, c, p+"a").Kvs[0].Lease, int64(id))
	revision := revoke(t, c, id)
	equal(t, "revision", revision, last+1)
	answer := w.next()
	deleted := []string{}
	for _, event := range answer.Events {
		deleted = append(deleted, w.show(event))
		equal(t, "revision", event.Kv.ModRevision, revision)
		equal(t, "lease before", event.PrevKv.Lease, int64(id))
	}
	equal(t, "deleted", fmt.Sprint(deleted), "[-a -b -c]")
	equal(t, "left", keysOf(get(t, c, p, clientv3.WithPrefix()), p), "free")
	_, err := c.Revoke(testContext(t), id)
	equal(t, "revoked again", err, error(rpctypes.ErrLeaseNotFound))
	equal(t, "time to live", timeToLive(t, c, id).TTL, -1)
}

func TestLeaseTimeToLiveNamesItsKeysAtEveryMember(t *testing.T) {
	c := newClient(t)
	p := space(t)
	id := grant(t, c, longTTL)
	put(t, c, p+"b", "v", clientv3.WithLease(id))
	put(t, c, p+"a", "v", clientv3.WithLease(id))
	for i := range endpoints {
		member := newClientAt(t, i)
		// The read brings the member up to date.
		get(t, member, p)
		answer := timeToLive(t, member, id)
		keys := []string{}
		for _, key := range answer.Keys {
			keys = append(keys, string(key))
		}
		slices.Sort(keys)
		equal(t, "keys", fmt.Sprint(keys), fmt.Sprintf("[%sa %sb]", p, p))
		equal(t, "granted", answer.GrantedTTL, longTTL)
		equal(t, "left", answer.TTL > longTTL-60 && answer.TTL <= longTTL, true)
		equal(t, "id", answer.ID, id)
		bare, err := member.TimeToLive(testContext(t), id)
		must(t, err)
		equal(t, "unasked keys", len(bare.Keys), 0)
		unknown, err := member.TimeToLive(testContext(t), 0x7fff_0000_1234)
		must(t, err)
		equal(t, "of an unknown lease", unknown.TTL, -1)
	}
}

func TestLeasesAreListed(t *testing.T) {
	c := newClient(t)
	granted := []clientv3.LeaseID{grant(t, c, longTTL), grant(t, c, longTTL)}
	listed := func() map[clientv3.LeaseID]bool {
		// The read brings all members that answer it up to date; a list is of the member's own knowledge.
		for i := range endpoints {
			get(t, newClientAt(t, i), space(t))
		}
		answer, err := c.Leases(testContext(t))
		must(t, err)
		ids := map[clientv3.LeaseID]bool{}
		for _, lease := range answer.Leases {
			ids[lease.ID] = true
		}
		return ids
	}
	both := listed()
	equal(t, "both", both[granted[0]] && both[granted[1]], true)
	revoke(t, c, granted[0])
	one := listed()
	equal(t, "the revoked one", one[granted[0]], false)
	equal(t, "the other", one[granted[1]], true)
}

func TestLeaseOfAKeyIsThatOfItsLastPut(t *testing.T) {
	c := newClient(t)
	p := space(t)
	first, second := grant(t, c, longTTL), grant(t, c, longTTL)
	put(t, c, p+"moved", "1", clientv3.WithLease(first))
	put(t, c, p+"moved", "2", clientv3.WithLease(second))
	put(t, c, p+"freed", "1", clientv3.WithLease(first))
	put(t, c, p+"freed", "2")
	put(t, c, p+"kept", "1", clientv3.WithLease(first))
	put(t, c, p+"kept", "2", clientv3.WithIgnoreLease())
	put(t, c, p+"reborn", "1", clientv3.WithLease(first))
	deleteKey(t, c, p+"reborn")
	put(t, c, p+"reborn", "2")
	revoke(t, c, first)
	equal(t, "left", keysOf(get(t, c, p, clientv3.WithPrefix()), p), "freed moved reborn")
	revoke(t, c, second)
	equal(t, "left", keysOf(get(t, c, p, clientv3.WithPrefix()), p), "freed reborn")
}

func TestLeaseInTransactions(t *testing.T) {
	c := newClient(t)
	p := space(t)
	id := grant(t, c, longTTL)
	do(t, c, clientv3.OpPut(p+"a", "1", clientv3.WithLease(id)), clientv3.OpPut(p+"b", "1", clientv3.WithLease(id)))
	answer, err := c.Txn(testContext(t)).If(clientv3.Compare(clientv3.LeaseValue(p+"a"), "=", id)).
		Then(clientv3.OpPut(p+"c", "1")).Commit()
	must(t, err)
	equal(t, "compared", answer.Succeeded, true)
	_, err = c.Txn(testContext(t)).Then(clientv3.OpPut(p+"d", "1"), clientv3.OpPut(p+"e", "1", clientv3.WithLease(12345))).
		Commit()
	equal(t, "unknown lease", err, error(rpctypes.ErrLeaseNotFound))
	revoke(t, c, id)
	equal(t, "left", keysOf(get(t, c, p, clientv3.WithPrefix()), p), "c")
}

func TestLeaseThatEndsTakesItsKeysAlong(t *testing.T) {
	c := newClient(t)
	p := space(t)
	w := watch(t, c, p, "", clientv3.WithPrefix(), clientv3.WithFilterPut())
	alive, ending := grant(t, c, shortTTL), grant(t, c, shortTTL)
	granted := time.Now()
	answers, err := c.KeepAlive(t.Context(), alive)
	must(t, err)
	put(t, c, p+"alive", "v", clientv3.WithLease(alive))
	put(t, c, p+"b", "v", clientv3.WithLease(ending))
	put(t, c, p+"a", "v", clientv3.WithLease(ending))
	first := w.nextEvent()
	took := time.Since(granted)
	if took < (shortTTL-1)*time.Second || took > (shortTTL+3)*time.Second {
		t.Errorf("a lease of %d s ended after %v", shortTTL, took)
	}
	second := w.nextEvent()
	equal(t, "deleted", w.show(first)+" "+w.show(second), "-a -b")
	equal(t, "in one revision", first.Kv.ModRevision, second.Kv.ModRevision)
	equal(t, "time to live", timeToLive(t, c, ending).TTL, -1)
	_, err = c.KeepAliveOnce(testContext(t), ending)
	equal(t, "kept alive too late", err, error(rpctypes.ErrLeaseNotFound))
	_, err = c.Put(testContext(t), p+"late", "v", clientv3.WithLease(ending))
	equal(t, "put too late", err, error(rpctypes.ErrLeaseNotFound))
	for range 2 {
		answer := <-answers
		equal(t, "kept alive for", answer.TTL, shortTTL)
	}
	equal(t, "kept", keysOf(get(t, c, p, clientv3.WithPrefix()), p), "alive")
	equal(t, "time left", timeToLive(t, c, alive).TTL >= 0, true)
}

func TestLeaseKeepAliveAtEveryMember(t *testing.T) {
	id := grant(t, newClient(t), longTTL)
	for i := range endpoints {
		c := newClientAt(t, i)
		answer, err := c.KeepAliveOnce(testContext(t), id)
		must(t, err)
		equal(t, "id", answer.ID, id)
		equal(t, "time to live", answer.TTL, longTTL)
		_, err = c.KeepAliveOnce(testContext(t), 0x7fff_0000_1234)
		equal(t, "unknown", err, error(rpctypes.ErrLeaseNotFound))
	}
}

func TestLeaseKeepAliveStreamAnswersEachRequest(t *testing.T) {
	id := grant(t, newClient(t), longTTL)
	for i := range endpoints {
		stream, err := pb.NewLeaseClient(dialRaw(t, i)).LeaseKeepAlive(testContext(t))
		must(t, err)
		for _, each := range []struct{ id, ttl int64 }{{int64(id), longTTL}, {12345, 0}, {int64(id), longTTL}, {0, 0}} {
			must(t, stream.Send(&pb.LeaseKeepAliveRequest{ID: each.id}))
			answer, err := stream.Recv()
			must(t, err)
			equal(t, "id", answer.ID, each.id)
			equal(t, "time to live", answer.TTL, each.ttl)
			equal(t, "header", answer.Header.ClusterId != 0, true)
		}
		must(t, stream.CloseSend())
	}
}

func TestLeaseKeepAliveChannelEndsWhenTheLeaseIsRevoked(t *testing.T) {
	c := newClient(t)
	id := grant(t, c, shortTTL)
	answers, err := c.KeepAlive(t.Context(), id)
	must(t, err)
	equal(t, "kept alive", (<-answers).ID, id)
	revoke(t, c, id)
	deadline := time.After(callTimeout)
	for {
		select {
		case _, open := <-answers:
			if !open {
				return
			}
		case <-deadline:
			t.Fatal("the channel stays open")
		}
	}
}

func TestLeasesByTheHundredAreKeptAndRevoked(t *testing.T) {
	const count = 300
	c := newClient(t)
	p := space(t)
	ids := make([]clientv3.LeaseID, count)
	atOnce := func(what func(i int) error) {
		t.Helper()
		var group sync.WaitGroup
		for i := range count {
			group.Go(func() {
				if err := what(i); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*callTimeout)
	defer cancel()
	atOnce(func(i int) error {
		answer, err := c.Grant(ctx, longTTL)
		if err != nil {
			return err
		}
		ids[i] = answer.ID
		_, err = c.Put(ctx, fmt.Sprintf("%s%03d", p, i), "v", clientv3.WithLease(answer.ID))
		return err
	})
	atOnce(func(i int) error {
		answers, err := c.KeepAlive(ctx, ids[i])
		if err == nil && (<-answers).ID != ids[i] {
			err = fmt.Errorf("lease %d is not kept alive", i)
		}
		return err
	})
	equal(t, "keys", get(t, c, p, clientv3.WithPrefix(), clientv3.WithCountOnly()).Count, count)
	atOnce(func(i int) error {
		_, err := c.Revoke(ctx, ids[i])
		return err
	})
	equal(t, "keys", get(t, c, p, clientv3.WithPrefix(), clientv3.WithCountOnly()).Count, 0)
}
