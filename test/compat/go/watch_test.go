package compat

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// watching is a watch whose events a test takes one after the other.
type watching struct {
	t      *testing.T
	prefix string
	answer clientv3.WatchChan
	cancel context.CancelFunc
	// rest holds events of the last answer that nobody took yet.
	rest []*clientv3.Event
}

// watch starts a watch of keys below `prefix`, and returns when the server has it.
func watch(t *testing.T, c *clientv3.Client, prefix, key string, opts ...clientv3.OpOption) *watching {
	t.Helper()
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(t.Context()))
	t.Cleanup(cancel)
	opts = append(opts, clientv3.WithCreatedNotify())
	w := &watching{t: t, prefix: prefix, answer: c.Watch(ctx, prefix+key, opts...), cancel: cancel}
	created := w.next()
	equal(t, "created", created.Created, true)
	return w
}

// next is the next answer, whatever it is.
func (w *watching) next() clientv3.WatchResponse {
	w.t.Helper()
	select {
	case answer, open := <-w.answer:
		if !open {
			w.t.Fatal("the watch ended")
		}
		return answer
	case <-time.After(callTimeout):
		w.t.Fatal("the watch said nothing")
	}
	return clientv3.WatchResponse{}
}

func (w *watching) nextEvent() *clientv3.Event {
	w.t.Helper()
	for len(w.rest) == 0 {
		answer := w.next()
		must(w.t, answer.Err())
		w.rest = answer.Events
	}
	event := w.rest[0]
	w.rest = w.rest[1:]
	return event
}

// show writes an event as "key=value" or "-key", without the prefix.
func (w *watching) show(event *clientv3.Event) string {
	key := strings.TrimPrefix(string(event.Kv.Key), w.prefix)
	if event.Type == clientv3.EventTypeDelete {
		return "-" + key
	}
	return key + "=" + string(event.Kv.Value)
}

// wants takes as many events as `events` has words, and compares them.
func (w *watching) wants(events string) {
	w.t.Helper()
	shown := []string{}
	for range strings.Fields(events) {
		shown = append(shown, w.show(w.nextEvent()))
	}
	equal(w.t, "events", strings.Join(shown, " "), events)
}

func deleteKey(t *testing.T, c *clientv3.Client, key string, opts ...clientv3.OpOption) int64 {
	t.Helper()
	answer, err := c.Delete(testContext(t), key, opts...)
	must(t, err)
	return answer.Header.Revision
}

func TestWatchOfAKeyTellsItsLife(t *testing.T) {
	c := newClient(t)
	p := space(t)
	w := watch(t, c, p, "a")
	created := put(t, c, p+"a", "1")
	put(t, c, p+"ab", "not this one")
	put(t, c, p, "nor this one")
	modified := put(t, c, p+"a", "2")
	deleted := deleteKey(t, c, p+"a")
	reborn := put(t, c, p+"a", "3")
	type life struct {
		kind             string
		create, mod, ver int64
		isCreate, isMod  bool
	}
	for _, want := range []life{
		{"a=1", created, created, 1, true, false},
		{"a=2", created, modified, 2, false, true},
		{"-a", 0, deleted, 0, false, false},
		{"a=3", reborn, reborn, 1, true, false},
	} {
		e := w.nextEvent()
		got := life{w.show(e), e.Kv.CreateRevision, e.Kv.ModRevision, e.Kv.Version, e.IsCreate(), e.IsModify()}
		equal(t, "event", got, want)
		equal(t, "no previous pair unasked", e.PrevKv == nil, true)
	}
}

func TestWatchOfRanges(t *testing.T) {
	c := newClient(t)
	p := space(t)
	prefix := watch(t, c, p, "", clientv3.WithPrefix())
	window := watch(t, c, p, "b", clientv3.WithRange(p+"d"))
	from := watch(t, c, p, "c", clientv3.WithFromKey())
	all := watch(t, c, "", p, clientv3.WithRange("\x00"))
	for _, key := range []string{"a", "b", "c", "d"} {
		put(t, c, p+key, key)
	}
	deleteKey(t, c, p+"a", clientv3.WithRange(p+"c"))
	prefix.wants("a=a b=b c=c d=d -a -b")
	window.wants("b=b c=c -b")
	from.wants("c=c d=d")
	all.prefix = p
	all.wants("a=a b=b c=c d=d -a -b")
}

func TestWatchOfAllKeys(t *testing.T) {
	c := newClient(t)
	p := space(t)
	// A watch without a revision begins where its member stands, which may be before the last write of another test.
	next := currentRevision(t, c) + 1
	everything := watch(t, c, "", "", clientv3.WithPrefix(), clientv3.WithRev(next))
	everything.prefix = p
	put(t, c, p+"a", "1")
	deleteKey(t, c, p+"a")
	everything.wants("a=1 -a")
}

func TestWatchFromThePastReplaysAndGoesOn(t *testing.T) {
	c := newClient(t)
	p := space(t)
	put(t, c, p+"a", "0")
	from := put(t, c, p+"a", "1")
	deleteKey(t, c, p+"a")
	put(t, c, p+"b", "2")
	w := watch(t, c, p, "", clientv3.WithPrefix(), clientv3.WithRev(from))
	put(t, c, p+"b", "3")
	w.wants("a=1 -a b=2 b=3")
}

func TestWatchReplaysAVeryLongPast(t *testing.T) {
	const writes = 3000
	c := newClient(t)
	p := space(t)
	from := currentRevision(t, c) + 1
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for n := i; n < writes; n += 8 {
				_, err := c.Put(t.Context(), p+strconv.Itoa(n%50), strconv.Itoa(n))
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	w := watch(t, c, p, "", clientv3.WithPrefix(), clientv3.WithRev(from))
	seen := map[string]bool{}
	last := from - 1
	for range writes {
		event := w.nextEvent()
		equal(t, "revision after the one before", event.Kv.ModRevision, last+1)
		last = event.Kv.ModRevision
		seen[string(event.Kv.Value)] = true
	}
	group.Wait()
	equal(t, "distinct writes", len(seen), writes)
}

func TestWatchFromTheFutureGetsNothingOlder(t *testing.T) {
	c := newClient(t)
	p := space(t)
	from := currentRevision(t, c) + 3
	w := watch(t, c, p, "", clientv3.WithPrefix(), clientv3.WithRev(from))
	for i := range 4 {
		put(t, c, p+"a", strconv.Itoa(i))
	}
	w.wants("a=2 a=3")
}

func TestWatchKeepsOneRevisionInOneAnswer(t *testing.T) {
	c := newClient(t)
	p := space(t)
	live := watch(t, c, p, "", clientv3.WithPrefix())
	ops := []clientv3.Op{}
	for i := range 60 {
		ops = append(ops, clientv3.OpPut(fmt.Sprintf("%s%02d", p, i), "v"))
	}
	answer := do(t, c, ops...)
	deleted := deleteKey(t, c, p, clientv3.WithPrefix())
	past := watch(t, c, p, "", clientv3.WithPrefix(), clientv3.WithRev(answer.Header.Revision))
	for _, w := range []*watching{live, past} {
		sizes := map[int64]int{}
		for len(sizes) < 2 {
			got := w.next()
			must(t, got.Err())
			inThis := map[int64]bool{}
			for _, event := range got.Events {
				if sizes[event.Kv.ModRevision] > 0 && !inThis[event.Kv.ModRevision] {
					t.Errorf("revision %d came in two answers", event.Kv.ModRevision)
				}
				inThis[event.Kv.ModRevision] = true
				sizes[event.Kv.ModRevision]++
			}
		}
		equal(t, "puts", sizes[answer.Header.Revision], 60)
		equal(t, "deletes", sizes[deleted], 60)
	}
}

func TestWatchFromACompactedRevisionIsCancelledAndOthersLiveOn(t *testing.T) {
	// Of one member: others may be a moment behind when a watch of them begins.
	c := newClientAt(t, 0)
	p := space(t)
	other := watch(t, c, p, "", clientv3.WithPrefix())
	first := put(t, c, p+"a", "1")
	put(t, c, p+"a", "2")
	compacted := put(t, c, p+"a", "3")
	_, err := c.Compact(testContext(t), compacted)
	must(t, err)
	stale := c.Watch(testContext(t), p+"a", clientv3.WithRev(first))
	answer := <-stale
	equal(t, "cancelled", answer.Canceled, true)
	equal(t, "compact revision", answer.CompactRevision, compacted)
	equal(t, "error", errors.Is(answer.Err(), rpctypes.ErrCompacted), true)
	_, open := <-stale
	equal(t, "goes on", open, false)
	boundary := watch(t, c, p, "a", clientv3.WithRev(compacted))
	boundary.wants("a=3")
	put(t, c, p+"a", "4")
	other.wants("a=1 a=2 a=3 a=4")
	boundary.wants("a=4")
}

func TestWatchWithPreviousPairs(t *testing.T) {
	// Of one member: others may be a moment behind when a watch of them begins.
	c := newClientAt(t, 0)
	p := space(t)
	from := put(t, c, p+"a", "1")
	live := watch(t, c, p, "a", clientv3.WithPrevKV())
	second := put(t, c, p+"a", "2")
	deleteKey(t, c, p+"a")
	put(t, c, p+"a", "3")
	past := watch(t, c, p, "a", clientv3.WithPrevKV(), clientv3.WithRev(from+1))
	for _, w := range []*watching{live, past} {
		e := w.nextEvent()
		equal(t, "before the second put", string(e.PrevKv.Value), "1")
		equal(t, "its revision", e.PrevKv.ModRevision, from)
		e = w.nextEvent()
		equal(t, "kind", w.show(e), "-a")
		equal(t, "before the delete", string(e.PrevKv.Value), "2")
		equal(t, "its revision", e.PrevKv.ModRevision, second)
		equal(t, "its creation", e.PrevKv.CreateRevision, from)
		equal(t, "its version", e.PrevKv.Version, 2)
		e = w.nextEvent()
		equal(t, "before the new life", e.PrevKv == nil, true)
	}
}

func TestWatchWithFilters(t *testing.T) {
	c := newClient(t)
	p := space(t)
	from := currentRevision(t, c) + 1
	puts := watch(t, c, p, "", clientv3.WithPrefix(), clientv3.WithFilterDelete())
	deletes := watch(t, c, p, "", clientv3.WithPrefix(), clientv3.WithFilterPut())
	put(t, c, p+"a", "1")
	deleteKey(t, c, p+"a")
	do(t, c, clientv3.OpPut(p+"b", "2"), clientv3.OpDelete(p+"c"))
	deleteKey(t, c, p+"b")
	put(t, c, p+"end", "3")
	deleteKey(t, c, p+"end")
	puts.wants("a=1 b=2 end=3")
	deletes.wants("-a -b -end")
	past := watch(t, c, p, "", clientv3.WithPrefix(), clientv3.WithFilterPut(), clientv3.WithRev(from))
	past.wants("-a -b -end")
}

func TestWatchCreatedNotifyTellsTheRevision(t *testing.T) {
	c := newClientAt(t, 0)
	revision := put(t, c, space(t), "v")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	answer := <-c.Watch(ctx, space(t), clientv3.WithCreatedNotify())
	equal(t, "created", answer.Created, true)
	equal(t, "revision", answer.Header.Revision, revision)
	equal(t, "events", len(answer.Events), 0)
}

func TestWatchProgressOnRequestNeverOvertakesEvents(t *testing.T) {
	c := newClientAt(t, 0)
	p := space(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	answers := c.Watch(ctx, p, clientv3.WithPrefix(), clientv3.WithCreatedNotify())
	equal(t, "created", (<-answers).Created, true)
	written := make(chan int64)
	go func() {
		last := int64(0)
		for i := range 200 {
			answer, err := c.Put(ctx, p+strconv.Itoa(i%7), "v")
			if err != nil {
				t.Error(err)
				break
			}
			last = answer.Header.Revision
		}
		written <- last
	}()
	seen, told, end := int64(0), int64(0), int64(0)
	deadline := time.After(callTimeout)
	ask := time.NewTicker(5 * time.Millisecond)
	defer ask.Stop()
	for end == 0 || told < end {
		select {
		case end = <-written:
		case <-ask.C:
			must(t, c.RequestProgress(ctx))
		case <-deadline:
			t.Fatalf("progress was told up to %d, the last write is %d", told, end)
		case answer := <-answers:
			must(t, answer.Err())
			if answer.IsProgressNotify() {
				told = answer.Header.Revision
				continue
			}
			for _, event := range answer.Events {
				if event.Kv.ModRevision <= told {
					t.Fatalf("event of revision %d came after progress %d", event.Kv.ModRevision, told)
				}
				seen = event.Kv.ModRevision
			}
		}
	}
	equal(t, "last event", seen, end)
}

func TestWatchProgressByTime(t *testing.T) {
	c := newClientAt(t, 0)
	p := space(t)
	w := watch(t, c, p, "a", clientv3.WithProgressNotify())
	revision := put(t, c, p+"other", "v")
	for {
		answer := w.next()
		equal(t, "is progress", answer.IsProgressNotify(), true)
		if answer.Header.Revision >= revision {
			break
		}
	}
	put(t, c, p+"a", "1")
	w.wants("a=1")
}

func TestWatchEndsByItsContextAndOthersLiveOn(t *testing.T) {
	c := newClient(t)
	p := space(t)
	ended := watch(t, c, p, "a")
	other := watch(t, c, p, "a")
	ended.cancel()
	for range ended.answer {
		// What was under way may still come; then the channel closes.
	}
	put(t, c, p+"a", "1")
	other.wants("a=1")
}

func TestWatchManyKeysOnOneStream(t *testing.T) {
	const count = 400
	c := newClientAt(t, 0)
	p := space(t)
	watches := []*watching{}
	for i := range count {
		watches = append(watches, watch(t, c, p, strconv.Itoa(i)))
	}
	for i := range count {
		put(t, c, p+strconv.Itoa(i), "v")
	}
	for i, w := range watches {
		w.wants(strconv.Itoa(i) + "=v")
	}
}

func TestWatchersOfOneKeyAtEveryMemberSeeTheSame(t *testing.T) {
	p := space(t)
	watches := []*watching{}
	for i := range 3 * len(endpoints) {
		watches = append(watches, watch(t, newClientAt(t, i), p, "", clientv3.WithPrefix()))
	}
	for i := range 30 {
		put(t, newClientAt(t, i), p+strconv.Itoa(i%4), strconv.Itoa(i))
	}
	want := []string{}
	for i := range 30 {
		want = append(want, fmt.Sprintf("%d=%d", i%4, i))
	}
	for _, w := range watches {
		w.wants(strings.Join(want, " "))
	}
}

func TestWatchOfConcurrentWritersMissesAndRepeatsNothing(t *testing.T) {
	const writers, writes = 8, 50
	c := newClient(t)
	p := space(t)
	w := watch(t, c, p, "", clientv3.WithPrefix())
	var group sync.WaitGroup
	for i := range writers {
		writer := newClientAt(t, i)
		group.Go(func() {
			for n := range writes {
				if _, err := writer.Put(t.Context(), p+strconv.Itoa(i), strconv.Itoa(n)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	last := int64(0)
	next := map[string]int{}
	for range writers * writes {
		event := w.nextEvent()
		key := string(event.Kv.Key)
		equal(t, "ordered", event.Kv.ModRevision > last, true)
		equal(t, "value of "+key, string(event.Kv.Value), strconv.Itoa(next[key]))
		last = event.Kv.ModRevision
		next[key]++
	}
	group.Wait()
}
