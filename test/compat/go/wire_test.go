package compat

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// bytesCodec sends and receives messages as they are. It calls itself "proto" so that the content type is the usual.
type bytesCodec struct{}

func (bytesCodec) Marshal(message any) ([]byte, error) { return *message.(*[]byte), nil }
func (bytesCodec) Unmarshal(data []byte, message any) error {
	*message.(*[]byte) = bytes.Clone(data)
	return nil
}
func (bytesCodec) Name() string { return "proto" }

func invokeBytes(t *testing.T, conn *grpc.ClientConn, method string, request []byte) ([]byte, error) {
	t.Helper()
	var answer []byte
	err := conn.Invoke(testContext(t), method, &request, &answer, grpc.ForceCodec(bytesCodec{}))
	return answer, err
}

func TestRequestLargerThanTheLimitIsRefusedAndTheConnectionLivesOn(t *testing.T) {
	conn := dialRaw(t, 0)
	kv := pb.NewKVClient(conn)
	key := []byte(space(t))
	for _, size := range []int{1_572_864, 1_900_000} {
		_, err := kv.Put(testContext(t), &pb.PutRequest{Key: key, Value: make([]byte, size)})
		wantStatus(t, err, codes.InvalidArgument, "etcdserver: request is too large")
	}
	ops := make([]*pb.RequestOp, 3)
	for i := range ops {
		ops[i] = opPut(fmt.Sprintf("%s%d", key, i))
		ops[i].GetRequestPut().Value = make([]byte, 600_000)
	}
	_, err := kv.Txn(testContext(t), &pb.TxnRequest{Success: ops})
	wantStatus(t, err, codes.InvalidArgument, "etcdserver: request is too large")
	_, err = kv.Put(testContext(t), &pb.PutRequest{Key: key, Value: make([]byte, 1_572_000)})
	must(t, err)
	answer, err := kv.Range(testContext(t), &pb.RangeRequest{Key: key})
	must(t, err)
	equal(t, "length", len(answer.Kvs[0].Value), 1_572_000)
}

func TestMessageLargerThanTheServerReceivesIsExhausted(t *testing.T) {
	conn := dialRaw(t, 0)
	kv := pb.NewKVClient(conn)
	// The server takes its request limit and 512 KiB for what is around it.
	_, err := kv.Put(testContext(t), &pb.PutRequest{Key: []byte(space(t)), Value: make([]byte, 3<<20)})
	equal(t, "code", status.Code(err), codes.ResourceExhausted)
	equal(t, "text", strings.HasPrefix(status.Convert(err).Message(), "grpc: received message larger than max ("), true)
	_, err = kv.Put(testContext(t), &pb.PutRequest{Key: []byte(space(t)), Value: []byte("small")})
	must(t, err)
}

func TestAnswerLargerThanARequestMayBe(t *testing.T) {
	c := newClient(t)
	prefix := space(t)
	for i := range 6 {
		put(t, c, fmt.Sprint(prefix, i), strings.Repeat("x", 1_000_000))
	}
	answer := get(t, c, prefix, clientv3.WithPrefix())
	equal(t, "bytes", len(answer.Kvs)*len(answer.Kvs[0].Value), 6_000_000)
	_, err := c.Delete(testContext(t), prefix, clientv3.WithPrefix())
	must(t, err)
}

func TestMalformedProtobufIsRefusedAndTheConnectionLivesOn(t *testing.T) {
	conn := dialRaw(t, 0)
	valid, err := proto.Marshal(&pb.PutRequest{Key: []byte(space(t)), Value: []byte("v")})
	must(t, err)
	for name, request := range map[string][]byte{
		"length past the end":    {0x0a, 0x7f, 'k'},
		"endless varint":         {0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"cut in a tag":           {0x80},
		"field number zero":      {0x02, 0x00},
		"group that never ends":  {0x53},
		"reserved wire type":     {0x0f},
		"cut in the middle":      valid[:len(valid)-1],
		"end of no group":        {0x54},
		"length beyond 63 bits":  {0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
		"varint cut by the end":  {0x18, 0x80},
		"fixed64 cut by the end": {0x51, 0x00, 0x00},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := invokeBytes(t, conn, pb.KV_Put_FullMethodName, request)
			equal(t, "code", status.Code(err), codes.Internal)
			text := status.Convert(err).Message()
			if !strings.HasPrefix(text, "grpc: error unmarshalling request") {
				t.Errorf("text: %q", text)
			}
			_, err = invokeBytes(t, conn, pb.KV_Put_FullMethodName, valid)
			must(t, err)
		})
	}
}

func TestProtobufThatOldOrNewClientsMightSend(t *testing.T) {
	conn := dialRaw(t, 0)
	key := []byte(space(t))
	field := func(number protowire.Number, value []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), value)
	}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	unknown := join(
		protowire.AppendVarint(protowire.AppendTag(nil, 1000, protowire.VarintType), 7),
		protowire.AppendFixed64(protowire.AppendTag(nil, 1001, protowire.Fixed64Type), 7),
		protowire.AppendFixed32(protowire.AppendTag(nil, 1002, protowire.Fixed32Type), 7),
		field(1003, []byte("unknown")),
	)
	for name, request := range map[string][]byte{
		"unknown fields":         join(unknown, field(1, key), unknown, field(2, []byte("v")), unknown),
		"fields out of order":    join(field(2, []byte("v")), field(1, key)),
		"the last one wins":      join(field(1, []byte("other")), field(2, []byte("x")), field(1, key), field(2, []byte("v"))),
		"a varint of many bytes": join(field(1, key), field(2, []byte("v")), []byte{0x18, 0x80, 0x80, 0x80, 0x00}),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := invokeBytes(t, conn, pb.KV_Put_FullMethodName, request)
			must(t, err)
			answer, err := pb.NewKVClient(conn).Range(testContext(t), &pb.RangeRequest{Key: key})
			must(t, err)
			equal(t, "value", string(answer.Kvs[0].Value), "v")
		})
	}
}

func TestUnknownMethodsAreUnimplemented(t *testing.T) {
	conn := dialRaw(t, 0)
	for method, text := range map[string]string{
		"/etcdserverpb.KV/Nope":     "unknown method Nope for service etcdserverpb.KV",
		"/etcdserverpb.Nope/Range":  "unknown service etcdserverpb.Nope",
		"/nope/nope":                "unknown service nope",
		"/etcdserverpb.KV/range":    "unknown method range for service etcdserverpb.KV",
		"/a.b.C/D":                  "unknown service a.b.C",
		"/etcdserverpb.Lease/Range": "unknown method Range for service etcdserverpb.Lease",
	} {
		t.Run(method, func(t *testing.T) {
			_, err := invokeBytes(t, conn, method, nil)
			wantStatus(t, err, codes.Unimplemented, text)
		})
	}
	_, err := pb.NewKVClient(conn).Range(testContext(t), &pb.RangeRequest{Key: []byte("k")})
	must(t, err)
}

func TestManyCallsShareOneConnection(t *testing.T) {
	conn := dialRaw(t, 0)
	kv := pb.NewKVClient(conn)
	const calls = 300
	failures := make(chan error, calls)
	for i := range calls {
		go func() {
			key := fmt.Appendf(nil, "%s%d", space(t), i)
			value := bytes.Repeat([]byte{byte(i)}, i*10)
			_, err := kv.Put(t.Context(), &pb.PutRequest{Key: key, Value: value})
			if err == nil {
				var answer *pb.RangeResponse
				answer, err = kv.Range(t.Context(), &pb.RangeRequest{Key: key})
				if err == nil && (len(answer.Kvs) != 1 || !bytes.Equal(answer.Kvs[0].Value, value)) {
					err = fmt.Errorf("key %d has another value", i)
				}
			}
			failures <- err
		}()
	}
	for range calls {
		if err := <-failures; err != nil {
			t.Error(err)
		}
	}
}
