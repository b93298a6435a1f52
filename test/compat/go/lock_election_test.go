package compat

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"go.etcd.io/etcd/server/v3/etcdserver/api/v3election/v3electionpb"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3lock/v3lockpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestLockServiceGivesTheLockToOneAfterTheOther(t *testing.T) {
	c := newClient(t)
	name := space(t) + "lock"
	first, second := grant(t, c, longTTL), grant(t, c, longTTL)
	lock := v3lockpb.NewLockClient(dialRaw(t, 0))
	held, err := lock.Lock(testContext(t), &v3lockpb.LockRequest{Name: []byte(name), Lease: int64(first)})
	must(t, err)
	equal(t, "key", string(held.Key), fmt.Sprintf("%s/%x", name, first))
	equal(t, "revision", held.Header.Revision > 0, true)
	again, err := lock.Lock(testContext(t), &v3lockpb.LockRequest{Name: []byte(name), Lease: int64(first)})
	must(t, err)
	equal(t, "the same key", bytes.Equal(again.Key, held.Key), true)
	next := make(chan *v3lockpb.LockResponse)
	waiting := v3lockpb.NewLockClient(dialRaw(t, 1))
	go func() {
		answer, err := waiting.Lock(t.Context(), &v3lockpb.LockRequest{Name: []byte(name), Lease: int64(second)})
		if err != nil {
			t.Error(err)
		}
		next <- answer
	}()
	eventually(t, "the second stands in line", func() bool {
		return get(t, c, fmt.Sprintf("%s/%x", name, second)).Count == 1
	})
	_, err = lock.Unlock(testContext(t), &v3lockpb.UnlockRequest{Key: held.Key})
	must(t, err)
	answer := <-next
	equal(t, "key of the next", string(answer.Key), fmt.Sprintf("%s/%x", name, second))
	revoke(t, c, second)
	equal(t, "a lost lease loses the lock", get(t, c, string(answer.Key)).Count, 0)
}

func TestLockServiceMakesALeaseWhereNoneIsGiven(t *testing.T) {
	c := newClient(t)
	lock := v3lockpb.NewLockClient(dialRaw(t, 0))
	held, err := lock.Lock(testContext(t), &v3lockpb.LockRequest{Name: []byte(space(t))})
	must(t, err)
	kv := get(t, c, string(held.Key)).Kvs[0]
	equal(t, "key", string(held.Key), fmt.Sprintf("%s/%x", space(t), kv.Lease))
	_, err = lock.Unlock(testContext(t), &v3lockpb.UnlockRequest{Key: held.Key})
	must(t, err)
	equal(t, "unlocked", get(t, c, string(held.Key)).Count, 0)
}

func TestLockServiceWaiterIsTold(t *testing.T) {
	c := newClient(t)
	name := []byte(space(t) + "lock")
	lock := v3lockpb.NewLockClient(dialRaw(t, 0))
	_, err := lock.Lock(testContext(t), &v3lockpb.LockRequest{Name: name, Lease: int64(grant(t, c, longTTL))})
	must(t, err)
	id := grant(t, c, longTTL)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := lock.Lock(ctx, &v3lockpb.LockRequest{Name: name, Lease: int64(id)})
		ended <- err
	}()
	waits := func() bool { return get(t, c, fmt.Sprintf("%s/%x", name, id)).Count == 1 }
	eventually(t, "the second stands in line", waits)
	cancel()
	equal(t, "code", status.Code(<-ended), codes.Canceled)
	eventually(t, "the second has left the line", func() bool { return !waits() })
	_, err = lock.Lock(testContext(t), &v3lockpb.LockRequest{Name: name, Lease: 12345})
	equal(t, "an unknown lease is refused", status.Convert(err).Message(), leaseNotFoundText)
}

func TestElectionServiceFromFirstToNextLeader(t *testing.T) {
	c := newClient(t)
	name := []byte(space(t) + "election")
	first, second := grant(t, c, longTTL), grant(t, c, longTTL)
	election := v3electionpb.NewElectionClient(dialRaw(t, 0))
	_, err := election.Leader(testContext(t), &v3electionpb.LeaderRequest{Name: name})
	equal(t, "no leader", status.Convert(err).Message(), "election: no leader")
	stream, err := v3electionpb.NewElectionClient(dialRaw(t, 1)).Observe(testContext(t), &v3electionpb.LeaderRequest{Name: name})
	must(t, err)
	observes := func(value string) {
		t.Helper()
		answer, err := stream.Recv()
		must(t, err)
		equal(t, "observed", string(answer.Kv.Value), value)
	}
	won, err := election.Campaign(testContext(t), &v3electionpb.CampaignRequest{Name: name, Lease: int64(first), Value: []byte("first")})
	must(t, err)
	observes("first")
	equal(t, "key", string(won.Leader.Key), fmt.Sprintf("%s/%x", name, first))
	equal(t, "name", bytes.Equal(won.Leader.Name, name), true)
	equal(t, "lease", won.Leader.Lease, int64(first))
	equal(t, "revision", get(t, c, string(won.Leader.Key)).Kvs[0].CreateRevision, won.Leader.Rev)
	_, err = election.Proclaim(testContext(t), &v3electionpb.ProclaimRequest{Leader: won.Leader, Value: []byte("changed")})
	must(t, err)
	observes("changed")
	leader, err := election.Leader(testContext(t), &v3electionpb.LeaderRequest{Name: name})
	must(t, err)
	equal(t, "leader", string(leader.Kv.Value), "changed")
	next := make(chan *v3electionpb.CampaignResponse)
	go func() {
		answer, err := election.Campaign(t.Context(), &v3electionpb.CampaignRequest{Name: name, Lease: int64(second), Value: []byte("second")})
		if err != nil {
			t.Error(err)
		}
		next <- answer
	}()
	eventually(t, "the second stands in line", func() bool {
		return get(t, c, fmt.Sprintf("%s/%x", name, second)).Count == 1
	})
	_, err = election.Resign(testContext(t), &v3electionpb.ResignRequest{Leader: won.Leader})
	must(t, err)
	equal(t, "lease of the next", (<-next).Leader.Lease, int64(second))
	observes("second")
	_, err = election.Proclaim(testContext(t), &v3electionpb.ProclaimRequest{Leader: won.Leader, Value: []byte("too late")})
	equal(t, "no longer leader", status.Convert(err).Message(), "election: not leader")
	_, err = election.Proclaim(testContext(t), &v3electionpb.ProclaimRequest{Value: []byte("nobody")})
	equal(t, "without a leader key", err != nil, true)
}
