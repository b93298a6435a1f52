package compat

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
)

func session(t *testing.T, c *clientv3.Client, opts ...concurrency.SessionOption) *concurrency.Session {
	t.Helper()
	s, err := concurrency.NewSession(c, opts...)
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// within fails the test when `what` does not happen in time.
func within(t *testing.T, what string, happened <-chan struct{}) {
	t.Helper()
	select {
	case <-happened:
	case <-time.After(callTimeout):
		t.Fatalf("never: %s", what)
	}
}

func TestSessionEndsWithItsLease(t *testing.T) {
	c := newClient(t)
	s := session(t, c, concurrency.WithTTL(shortTTL+1))
	put(t, c, space(t)+"a", "v", clientv3.WithLease(s.Lease()))
	equal(t, "granted", timeToLive(t, c, s.Lease()).GrantedTTL, shortTTL+1)
	revoke(t, c, s.Lease())
	within(t, "the session is done", s.Done())
	within(t, "its context is done", s.Ctx().Done())

	orphan := session(t, c, concurrency.WithTTL(shortTTL))
	orphan.Orphan()
	within(t, "the orphan is done", orphan.Done())
	eventually(t, "the lease of the orphan ends", func() bool { return timeToLive(t, c, orphan.Lease()).TTL == -1 })

	given := grant(t, c, longTTL)
	adopted := session(t, c, concurrency.WithLease(given))
	equal(t, "lease", adopted.Lease(), given)
	must(t, adopted.Close())
	equal(t, "closing revokes", timeToLive(t, c, given).TTL, -1)
}

func TestMutexKeyAndOwner(t *testing.T) {
	c := newClient(t)
	s := session(t, c)
	m := concurrency.NewMutex(s, space(t)+"lock")
	must(t, m.Lock(testContext(t)))
	equal(t, "key", m.Key(), fmt.Sprintf("%slock/%x", space(t), s.Lease()))
	equal(t, "revision", m.Header().Revision > 0, true)
	kv := get(t, c, m.Key()).Kvs[0]
	equal(t, "lease", kv.Lease, int64(s.Lease()))
	guarded := func() bool {
		answer, err := c.Txn(testContext(t)).If(m.IsOwner()).Then(clientv3.OpPut(space(t)+"value", "v")).Commit()
		must(t, err)
		return answer.Succeeded
	}
	equal(t, "owner", guarded(), true)
	must(t, m.Unlock(testContext(t)))
	equal(t, "owner", guarded(), false)
	equal(t, "key after", get(t, c, string(kv.Key)).Count, 0)
	equal(t, "unlocked again", errors.Is(m.Unlock(testContext(t)), concurrency.ErrLockReleased), true)
}

func TestMutexTryLockAndWaitingInTurn(t *testing.T) {
	const waiters = 4
	name := space(t) + "lock"
	holder := concurrency.NewMutex(session(t, newClientAt(t, 0)), name)
	must(t, holder.TryLock(testContext(t)))
	trying := concurrency.NewMutex(session(t, newClientAt(t, 1)), name)
	equal(t, "taken", errors.Is(trying.TryLock(testContext(t)), concurrency.ErrLocked), true)
	order := make(chan int, waiters)
	c := newClient(t)
	var group sync.WaitGroup
	for i := range waiters {
		m := concurrency.NewMutex(session(t, newClientAt(t, i)), name)
		group.Go(func() {
			if err := m.Lock(t.Context()); err != nil {
				t.Error(err)
			}
			order <- i
			_ = m.Unlock(t.Context())
		})
		eventually(t, "the waiter stands in line", func() bool {
			return get(t, c, name+"/", clientv3.WithPrefix()).Count == int64(i+2)
		})
	}
	must(t, holder.Unlock(testContext(t)))
	for i := range waiters {
		equal(t, "next in line", <-order, i)
	}
	group.Wait()
	must(t, trying.TryLock(testContext(t)))
}

func TestMutexExcludesEveryoneElse(t *testing.T) {
	const workers, rounds = 6, 5
	name, counter := space(t)+"lock", space(t)+"counter"
	var group sync.WaitGroup
	for i := range workers {
		c := newClientAt(t, i)
		locker := concurrency.NewLocker(session(t, c), name)
		group.Go(func() {
			for range rounds {
				locker.Lock()
				// Read and written apart: whoever else holds the lock makes a step be lost.
				value := 0
				if answer, err := c.Get(t.Context(), counter); err == nil && len(answer.Kvs) == 1 {
					value, _ = strconv.Atoi(string(answer.Kvs[0].Value))
				}
				if _, err := c.Put(t.Context(), counter, strconv.Itoa(value+1)); err != nil {
					t.Error(err)
				}
				locker.Unlock()
			}
		})
	}
	group.Wait()
	equal(t, "counter", string(get(t, newClient(t), counter).Kvs[0].Value), strconv.Itoa(workers*rounds))
}

func TestMutexOfALostSessionGoesToTheNext(t *testing.T) {
	c := newClient(t)
	name := space(t) + "lock"
	lost, next := session(t, c), session(t, c)
	m := concurrency.NewMutex(lost, name)
	must(t, m.Lock(testContext(t)))
	taken := make(chan struct{})
	go func() {
		if err := concurrency.NewMutex(next, name).Lock(t.Context()); err == nil {
			close(taken)
		}
	}()
	revoke(t, c, lost.Lease())
	within(t, "the next one has the lock", taken)
	answer, err := c.Txn(testContext(t)).If(m.IsOwner()).Commit()
	must(t, err)
	equal(t, "still owner", answer.Succeeded, false)
}

func TestMutexWaiterThatGivesUpLeavesTheLine(t *testing.T) {
	c := newClient(t)
	name := space(t) + "lock"
	m := concurrency.NewMutex(session(t, c), name)
	must(t, m.Lock(testContext(t)))
	ctx, cancel := context.WithCancel(t.Context())
	gaveUp := make(chan error)
	go func() { gaveUp <- concurrency.NewMutex(session(t, c), name).Lock(ctx) }()
	line := func() int64 { return get(t, c, name+"/", clientv3.WithPrefix()).Count }
	eventually(t, "the waiter stands in line", func() bool { return line() == 2 })
	// Nothing tells when the waiter itself has the answer; one that gives up before that leaves its key to its lease.
	time.Sleep(300 * time.Millisecond)
	cancel()
	equal(t, "error", errors.Is(<-gaveUp, context.Canceled), true)
	eventually(t, "the waiter has left", func() bool { return line() == 1 })
}

func leaderOf(t *testing.T, e *concurrency.Election) string {
	t.Helper()
	answer, err := e.Leader(testContext(t))
	must(t, err)
	return string(answer.Kvs[0].Value)
}

func TestElectionFromFirstToNextLeader(t *testing.T) {
	name := space(t) + "election"
	c := newClient(t)
	first := concurrency.NewElection(session(t, newClientAt(t, 0)), name)
	second := concurrency.NewElection(session(t, newClientAt(t, 1)), name)
	_, err := first.Leader(testContext(t))
	equal(t, "no leader", errors.Is(err, concurrency.ErrElectionNoLeader), true)
	equal(t, "not leader", errors.Is(second.Proclaim(testContext(t), "x"), concurrency.ErrElectionNotLeader), true)
	ctx, cancel := context.WithTimeout(t.Context(), 2*callTimeout)
	defer cancel()
	observed := concurrency.NewElection(session(t, newClientAt(t, 2)), name).Observe(ctx)
	must(t, first.Campaign(testContext(t), "first"))
	equal(t, "observed", string((<-observed).Kvs[0].Value), "first")
	equal(t, "leader", leaderOf(t, second), "first")
	equal(t, "revision", first.Rev() > 0 && first.Header().Revision >= first.Rev(), true)
	equal(t, "key", get(t, c, first.Key()).Kvs[0].CreateRevision, first.Rev())
	must(t, first.Proclaim(testContext(t), "first again"))
	equal(t, "observed", string((<-observed).Kvs[0].Value), "first again")
	won := make(chan struct{})
	go func() {
		if err := second.Campaign(ctx, "second"); err == nil {
			close(won)
		}
	}()
	eventually(t, "the second stands in line", func() bool {
		return get(t, c, name+"/", clientv3.WithPrefix()).Count == 2
	})
	must(t, first.Resign(testContext(t)))
	within(t, "the second wins", won)
	equal(t, "observed", string((<-observed).Kvs[0].Value), "second")
	equal(t, "leader", leaderOf(t, first), "second")
	equal(t, "no longer leader", errors.Is(first.Proclaim(ctx, "x"), concurrency.ErrElectionNotLeader), true)
	cancel()
	for range observed {
		// It ends with its context.
	}
}

func TestElectionResumedByItsKey(t *testing.T) {
	name := space(t) + "election"
	s := session(t, newClient(t))
	e := concurrency.NewElection(s, name)
	must(t, e.Campaign(testContext(t), "before"))
	resumed := concurrency.ResumeElection(s, name, e.Key(), e.Rev())
	must(t, resumed.Proclaim(testContext(t), "after"))
	equal(t, "leader", leaderOf(t, e), "after")
	must(t, resumed.Resign(testContext(t)))
	_, err := e.Leader(testContext(t))
	equal(t, "no leader", errors.Is(err, concurrency.ErrElectionNoLeader), true)
}

func TestElectionOfALostLeader(t *testing.T) {
	name := space(t) + "election"
	c := newClient(t)
	lost := session(t, c)
	must(t, concurrency.NewElection(lost, name).Campaign(testContext(t), "lost"))
	next := concurrency.NewElection(session(t, c), name)
	won := make(chan struct{})
	go func() {
		if err := next.Campaign(t.Context(), "next"); err == nil {
			close(won)
		}
	}()
	revoke(t, c, lost.Lease())
	within(t, "the next one wins", won)
	equal(t, "leader", leaderOf(t, next), "next")
}

func TestSTMKeepsTheSumOfAccounts(t *testing.T) {
	const accounts, workers, transfers, start = 5, 4, 10, 100
	for name, level := range map[string]concurrency.Isolation{
		"serializable snapshot": concurrency.SerializableSnapshot,
		"serializable":          concurrency.Serializable,
		"repeatable reads":      concurrency.RepeatableReads,
	} {
		t.Run(name, func(t *testing.T) {
			p := space(t)
			c := newClient(t)
			account := func(n int) string { return p + strconv.Itoa(n) }
			for n := range accounts {
				put(t, c, account(n), strconv.Itoa(start))
			}
			transfer := func(stm concurrency.STM, from, to string) {
				have, _ := strconv.Atoi(stm.Get(from))
				other, _ := strconv.Atoi(stm.Get(to))
				amount := have / 2
				stm.Put(from, strconv.Itoa(have-amount))
				stm.Put(to, strconv.Itoa(other+amount))
			}
			var group sync.WaitGroup
			for i := range workers {
				c := newClientAt(t, i)
				group.Go(func() {
					for range transfers {
						from := rand.IntN(accounts)
						to := (from + 1 + rand.IntN(accounts-1)) % accounts
						_, err := concurrency.NewSTM(c, func(stm concurrency.STM) error {
							transfer(stm, account(from), account(to))
							return nil
						}, concurrency.WithIsolation(level), concurrency.WithPrefetch(account(from), account(to)))
						if err != nil {
							t.Error(err)
						}
					}
				})
			}
			group.Wait()
			sum := 0
			for _, kv := range get(t, c, p, clientv3.WithPrefix()).Kvs {
				value, err := strconv.Atoi(string(kv.Value))
				must(t, err)
				sum += value
			}
			equal(t, "sum", sum, accounts*start)
		})
	}
}

func TestSTMReadsItsWritesAndAborts(t *testing.T) {
	c := newClient(t)
	p := space(t)
	put(t, c, p+"old", "1")
	for name, level := range map[string]concurrency.Isolation{
		"read committed": concurrency.ReadCommitted, "serializable": concurrency.Serializable,
	} {
		t.Run(name, func(t *testing.T) {
			id := grant(t, c, longTTL)
			answer, err := concurrency.NewSTM(c, func(stm concurrency.STM) error {
				equal(t, "missing", stm.Get(p+"none"), "")
				equal(t, "revision", stm.Rev(p+"old") > 0, true)
				stm.Put(p+"new", name, clientv3.WithLease(id))
				equal(t, "own write", stm.Get(p+"new"), name)
				stm.Del(p + "gone")
				return nil
			}, concurrency.WithIsolation(level), concurrency.WithAbortContext(testContext(t)))
			must(t, err)
			equal(t, "committed", answer.Succeeded, true)
			kv := get(t, c, p+"new").Kvs[0]
			equal(t, "value", string(kv.Value), name)
			equal(t, "lease", kv.Lease, int64(id))
			aborted := errors.New("aborted")
			_, err = concurrency.NewSTM(c, func(stm concurrency.STM) error {
				stm.Put(p+"new", "never")
				return aborted
			}, concurrency.WithIsolation(level))
			equal(t, "error", errors.Is(err, aborted), true)
			equal(t, "value", string(get(t, c, p+"new").Kvs[0].Value), name)
		})
	}
}
