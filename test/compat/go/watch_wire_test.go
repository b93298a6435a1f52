package compat

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// rawWatch is one stream of the Watch rpc, without what the client library makes of it.
type rawWatch struct {
	t       *testing.T
	stream  pb.Watch_WatchClient
	answers chan *pb.WatchResponse
}

func openRawWatch(t *testing.T) *rawWatch {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	stream, err := pb.NewWatchClient(dialRaw(t, 0)).Watch(ctx)
	must(t, err)
	w := &rawWatch{t: t, stream: stream, answers: make(chan *pb.WatchResponse)}
	go func() {
		defer close(w.answers)
		for {
			answer, err := stream.Recv()
			if err != nil {
				return
			}
			select {
			case w.answers <- answer:
			case <-ctx.Done():
				return
			}
		}
	}()
	return w
}

func (w *rawWatch) create(request *pb.WatchCreateRequest) {
	w.t.Helper()
	must(w.t, w.stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: request}}))
}

func (w *rawWatch) cancel(id int64) {
	w.t.Helper()
	request := &pb.WatchCancelRequest{WatchId: id}
	must(w.t, w.stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CancelRequest{CancelRequest: request}}))
}

func (w *rawWatch) requestProgress() {
	w.t.Helper()
	request := &pb.WatchRequest_ProgressRequest{ProgressRequest: &pb.WatchProgressRequest{}}
	must(w.t, w.stream.Send(&pb.WatchRequest{RequestUnion: request}))
}

func (w *rawWatch) next() *pb.WatchResponse {
	w.t.Helper()
	select {
	case answer, open := <-w.answers:
		if !open {
			w.t.Fatal("the stream ended")
		}
		return answer
	case <-time.After(callTimeout):
		w.t.Fatal("the stream said nothing")
	}
	return nil
}

func (w *rawWatch) wantsCreated(id int64) {
	w.t.Helper()
	answer := w.next()
	equal(w.t, "created", answer.Created, true)
	equal(w.t, "cancelled", answer.Canceled, false)
	equal(w.t, "id", answer.WatchId, id)
	equal(w.t, "revision", answer.Header.Revision > 0, true)
}

// wantsRefused takes the answer to a create request that is turned away.
func (w *rawWatch) wantsRefused(reason string) {
	w.t.Helper()
	answer := w.next()
	equal(w.t, "created", answer.Created, true)
	equal(w.t, "cancelled", answer.Canceled, true)
	equal(w.t, "id", answer.WatchId, -1)
	equal(w.t, "reason", answer.CancelReason, reason)
}

func TestWatchIdsOfTheServerAndOfTheClient(t *testing.T) {
	c := newClientAt(t, 0)
	key := []byte(space(t))
	w := openRawWatch(t)
	w.create(&pb.WatchCreateRequest{Key: key})
	w.wantsCreated(0)
	w.create(&pb.WatchCreateRequest{Key: key, WatchId: 7})
	w.wantsCreated(7)
	w.create(&pb.WatchCreateRequest{Key: key})
	w.wantsCreated(1)
	w.create(&pb.WatchCreateRequest{Key: key, WatchId: 7})
	w.wantsRefused("mvcc: duplicate watch ID provided on the WatchStream")
	w.create(&pb.WatchCreateRequest{Key: []byte("b"), RangeEnd: []byte("a")})
	w.wantsRefused("mvcc: watcher range is empty")
	put(t, c, string(key), "v")
	ids := []int64{}
	for range 3 {
		answer := w.next()
		equal(t, "events", len(answer.Events), 1)
		ids = append(ids, answer.WatchId)
	}
	slices.Sort(ids)
	equal(t, "ids", fmt.Sprint(ids), "[0 1 7]")
}

func TestWatchIsCancelledById(t *testing.T) {
	c := newClientAt(t, 0)
	key := []byte(space(t))
	w := openRawWatch(t)
	for _, id := range []int64{0, 1} {
		w.create(&pb.WatchCreateRequest{Key: key})
		w.wantsCreated(id)
	}
	w.cancel(12345)
	w.cancel(0)
	answer := w.next()
	equal(t, "cancelled", answer.Canceled, true)
	equal(t, "created", answer.Created, false)
	equal(t, "id", answer.WatchId, 0)
	equal(t, "reason", answer.CancelReason, "")
	put(t, c, string(key), "v")
	answer = w.next()
	equal(t, "id", answer.WatchId, 1)
	equal(t, "events", len(answer.Events), 1)
	w.cancel(1)
	equal(t, "cancelled", w.next().Canceled, true)
	w.create(&pb.WatchCreateRequest{Key: key, WatchId: 1})
	w.wantsCreated(1)
}

func TestWatchFromANegativeRevisionIsRefused_Since3_6(t *testing.T) {
	w := openRawWatch(t)
	key := []byte(space(t))
	w.create(&pb.WatchCreateRequest{Key: key, StartRevision: -1})
	w.wantsRefused(compactedText)
	w.create(&pb.WatchCreateRequest{Key: key})
	w.wantsCreated(0)
}

func TestWatchFromACompactedRevisionIsCreatedThenCancelled(t *testing.T) {
	c := newClientAt(t, 0)
	key := space(t)
	first := put(t, c, key, "1")
	compacted := put(t, c, key, "2")
	_, err := c.Compact(testContext(t), compacted)
	must(t, err)
	w := openRawWatch(t)
	w.create(&pb.WatchCreateRequest{Key: []byte(key), StartRevision: first})
	w.wantsCreated(0)
	answer := w.next()
	equal(t, "cancelled", answer.Canceled, true)
	equal(t, "compact revision", answer.CompactRevision, compacted)
	equal(t, "id", answer.WatchId, 0)
	w.create(&pb.WatchCreateRequest{Key: []byte(key), StartRevision: compacted})
	w.wantsCreated(1)
	equal(t, "events", len(w.next().Events), 1)
}

func TestWatchProgressOfAStreamHasNoWatchId(t *testing.T) {
	c := newClientAt(t, 0)
	key := space(t)
	w := openRawWatch(t)
	for id := range int64(2) {
		w.create(&pb.WatchCreateRequest{Key: []byte(key + "other")})
		w.wantsCreated(id)
	}
	revision := put(t, c, key, "v")
	for {
		w.requestProgress()
		answer := w.next()
		equal(t, "id", answer.WatchId, -1)
		equal(t, "events", len(answer.Events), 0)
		if answer.Header.Revision >= revision {
			return
		}
	}
}

func TestWatchFragmentsALargeRevisionOnRequestAlone(t *testing.T) {
	const count, size = 30, 200_000
	c := newClientAt(t, 0)
	p := space(t)
	whole := openRawWatch(t)
	pieces := openRawWatch(t)
	end := []byte(clientv3.GetPrefixRangeEnd(p))
	filters := []pb.WatchCreateRequest_FilterType{pb.WatchCreateRequest_NOPUT}
	for w, fragment := range map[*rawWatch]bool{whole: false, pieces: true} {
		w.create(&pb.WatchCreateRequest{Key: []byte(p), RangeEnd: end, PrevKv: true, Filters: filters, Fragment: fragment})
		w.wantsCreated(0)
	}
	value := string(bytes.Repeat([]byte{'x'}, size))
	for i := range count {
		put(t, c, fmt.Sprintf("%s%02d", p, i), value)
	}
	revision := deleteKey(t, c, p, clientv3.WithPrefix())
	answer := whole.next()
	equal(t, "events of the whole", len(answer.Events), count)
	equal(t, "fragment", answer.Fragment, false)
	keys := []string{}
	for parts := 1; ; parts++ {
		part := pieces.next()
		for _, event := range part.Events {
			keys = append(keys, string(event.Kv.Key))
			equal(t, "revision", event.Kv.ModRevision, revision)
			equal(t, "previous value", len(event.PrevKv.Value), size)
		}
		if !part.Fragment {
			equal(t, "in parts", parts > 2, true)
			break
		}
	}
	equal(t, "events in parts", len(keys), count)
	equal(t, "sorted", slices.IsSorted(keys), true)
}
