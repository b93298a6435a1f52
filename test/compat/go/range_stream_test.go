package compat

import (
	"errors"
	"fmt"
	"io"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
)

func streamChunks(t *testing.T, kv pb.KVClient, request *pb.RangeRequest) ([]*pb.RangeResponse, error) {
	t.Helper()
	stream, err := kv.RangeStream(testContext(t), request)
	must(t, err)
	var chunks []*pb.RangeResponse
	for {
		chunk, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return chunks, nil
		}
		if err != nil {
			return chunks, err
		}
		chunks = append(chunks, chunk.RangeResponse)
	}
}

func seedStream(t *testing.T, count int, size int) string {
	t.Helper()
	c := newClient(t)
	prefix := space(t)
	for from := 0; from < count; from += 100 {
		ops := []clientv3.Op{}
		for i := from; i < min(count, from+100); i++ {
			ops = append(ops, clientv3.OpPut(fmt.Sprintf("%s%04d", prefix, i), string(make([]byte, size))))
		}
		do(t, c, ops...)
	}
	return prefix
}

func over(prefix string) *pb.RangeRequest {
	return &pb.RangeRequest{Key: []byte(prefix), RangeEnd: []byte(clientv3.GetPrefixRangeEnd(prefix))}
}

func TestRangeStreamIsTheRangeInChunks_Since3_7(t *testing.T) {
	kv := rawKV(t)
	prefix := seedStream(t, 250, 10)
	past := currentRevision(t, newClient(t))
	put(t, newClient(t), prefix+"0100", "changed")
	put(t, newClient(t), prefix+"later", "v")
	// From here on a serializable read at this member sees all of the writes, wherever they were made.
	_, err := kv.Range(testContext(t), over(prefix))
	must(t, err)
	variants := map[string]func(*pb.RangeRequest){
		"all":          func(*pb.RangeRequest) {},
		"serializable": func(r *pb.RangeRequest) { r.Serializable = true },
		"limit 1":      func(r *pb.RangeRequest) { r.Limit = 1 },
		"limit 99":     func(r *pb.RangeRequest) { r.Limit = 99 },
		"limit 251":    func(r *pb.RangeRequest) { r.Limit = 251 },
		"limit 1000":   func(r *pb.RangeRequest) { r.Limit = 1000 },
		"keys only":    func(r *pb.RangeRequest) { r.KeysOnly = true },
		"count only":   func(r *pb.RangeRequest) { r.CountOnly = true },
		"old revision": func(r *pb.RangeRequest) { r.Revision = past },
		"one key":      func(r *pb.RangeRequest) { r.Key, r.RangeEnd = []byte(prefix+"0007"), nil },
		"nothing":      func(r *pb.RangeRequest) { r.Key, r.RangeEnd = []byte(prefix+"none"), nil },
		"by key":       func(r *pb.RangeRequest) { r.SortOrder = pb.RangeRequest_ASCEND },
		"from key":     func(r *pb.RangeRequest) { r.Key, r.RangeEnd = []byte(prefix+"later"), []byte{0} },
	}
	for name, vary := range variants {
		t.Run(name, func(t *testing.T) {
			request := over(prefix)
			vary(request)
			whole, err := kv.Range(testContext(t), request)
			must(t, err)
			chunks, err := streamChunks(t, kv, request)
			must(t, err)
			wantChunks(t, chunks, whole)
		})
	}
}

// wantChunks asserts that the pairs of all chunks are those of the whole answer, and that only the last chunk tells
// header, count and more.
func wantChunks(t *testing.T, chunks []*pb.RangeResponse, whole *pb.RangeResponse) {
	t.Helper()
	if len(chunks) == 0 {
		t.Fatal("no chunk")
	}
	var pairs []*mvccpb.KeyValue
	for i, chunk := range chunks {
		pairs = append(pairs, chunk.Kvs...)
		if i < len(chunks)-1 {
			equal(t, "header of an early chunk", chunk.Header == nil, true)
			equal(t, "count of an early chunk", chunk.Count, 0)
			equal(t, "more of an early chunk", chunk.More, false)
		}
	}
	last := chunks[len(chunks)-1]
	equal(t, "pairs", len(pairs), len(whole.Kvs))
	for i := range min(len(pairs), len(whole.Kvs)) {
		equal(t, "pair", pairs[i].String(), whole.Kvs[i].String())
	}
	equal(t, "count", last.Count, whole.Count)
	equal(t, "more", last.More, whole.More)
	equal(t, "revision", last.Header.GetRevision(), whole.Header.GetRevision())
	equal(t, "cluster", last.Header.GetClusterId(), whole.Header.GetClusterId())
	equal(t, "member", last.Header.GetMemberId(), whole.Header.GetMemberId())
	equal(t, "term", last.Header.GetRaftTerm(), whole.Header.GetRaftTerm())
}

func TestRangeStreamCutsALargeAnswerIntoChunks_Since3_7(t *testing.T) {
	prefix := seedStream(t, 600, 10_000)
	chunks, err := streamChunks(t, rawKV(t), over(prefix))
	must(t, err)
	equal(t, "more than one chunk", len(chunks) > 1, true)
	equal(t, "count", chunks[len(chunks)-1].Count, 600)
	c := newClient(t)
	_, err = c.Delete(testContext(t), prefix, clientv3.WithPrefix())
	must(t, err)
}

func TestRangeStreamErrors_Since3_7(t *testing.T) {
	c := newClient(t)
	kv := rawKV(t)
	put(t, c, space(t), "1")
	current := put(t, c, space(t), "2")
	_, err := c.Compact(testContext(t), current)
	must(t, err)
	for name, refused := range map[string]struct {
		request *pb.RangeRequest
		code    codes.Code
		text    string
	}{
		"empty key": {&pb.RangeRequest{}, codes.InvalidArgument, emptyKeyText},
		"sort order": {&pb.RangeRequest{Key: []byte("k"), SortOrder: pb.RangeRequest_DESCEND}, codes.Unimplemented,
			"RangeStream does not support custom sort orders"},
		"sort target": {&pb.RangeRequest{Key: []byte("k"), SortOrder: pb.RangeRequest_ASCEND,
			SortTarget: pb.RangeRequest_MOD}, codes.Unimplemented, "RangeStream does not support custom sort orders"},
		"revision filter": {&pb.RangeRequest{Key: []byte("k"), MinModRevision: 1}, codes.Unimplemented,
			"RangeStream does not support revision filters"},
		"unknown sort order": {&pb.RangeRequest{Key: []byte("k"), SortOrder: 99}, codes.InvalidArgument,
			"etcdserver: invalid sort option"},
		"compacted": {&pb.RangeRequest{Key: []byte("k"), Revision: current - 1}, codes.OutOfRange, compactedText},
		"future": {&pb.RangeRequest{Key: []byte("k"), Revision: current + 1000}, codes.OutOfRange,
			"etcdserver: mvcc: required revision is a future revision"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := streamChunks(t, kv, refused.request)
			wantStatus(t, err, refused.code, refused.text)
		})
	}
}

func TestRangeStreamThroughTheLibrary_Since3_7(t *testing.T) {
	c := newClient(t)
	prefix := seedStream(t, 120, 5)
	stream, err := c.GetStream(testContext(t), prefix, clientv3.WithPrefix(), clientv3.WithLimit(110))
	must(t, err)
	answer, err := clientv3.GetStreamToGetResponse(stream)
	must(t, err)
	equal(t, "keys", len(answer.Kvs), 110)
	equal(t, "count", answer.Count, 120)
	equal(t, "more", answer.More, true)
}
