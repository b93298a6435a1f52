package compat

import (
	"fmt"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"
)

const (
	emptyKeyText   = "etcdserver: key is not provided"
	duplicateText  = "etcdserver: duplicate key given in txn request"
	tooManyOpsText = "etcdserver: too many operations in txn request"
)

func opPut(key string) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte(key), Value: []byte("v")}}}
}

func opGet(key string) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: []byte(key)}}}
}

func opDelete(key, end string) *pb.RequestOp {
	request := &pb.DeleteRangeRequest{Key: []byte(key)}
	if end != "" {
		request.RangeEnd = []byte(end)
	}
	return &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: request}}
}

func opTxn(success, failure []*pb.RequestOp) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: &pb.TxnRequest{Success: success, Failure: failure}}}
}

func list(ops ...*pb.RequestOp) []*pb.RequestOp { return ops }

func TestTxnRefusesTheSameKeyWrittenTwice(t *testing.T) {
	kv := rawKV(t)
	p := space(t)
	for name, ops := range map[string][]*pb.RequestOp{
		"put twice":                   list(opPut(p+"a"), opPut(p+"a")),
		"put and deleted":             list(opPut(p+"a"), opDelete(p+"a", "")),
		"deleted and put":             list(opDelete(p+"a", ""), opPut(p+"a")),
		"put and range-deleted":       list(opPut(p+"b"), opDelete(p+"a", p+"c")),
		"put outside and inside":      list(opPut(p+"a"), opTxn(list(opPut(p+"a")), nil)),
		"put outside, inside's else":  list(opPut(p+"a"), opTxn(nil, list(opPut(p+"a")))),
		"deleted outside, put inside": list(opDelete(p+"a", p+"c"), opTxn(list(opPut(p+"b")), nil)),
		"put outside, deleted inside": list(opPut(p+"b"), opTxn(list(opDelete(p+"a", p+"c")), nil)),
		"put in two nested ones":      list(opTxn(list(opPut(p+"a")), nil), opTxn(nil, list(opPut(p+"a")))),
		"twice within a nested one":   list(opTxn(list(opPut(p+"a"), opPut(p+"a")), nil)),
		"two levels down":             list(opPut(p+"a"), opTxn(list(opTxn(list(opPut(p+"a")), nil)), nil)),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := kv.Txn(testContext(t), &pb.TxnRequest{Success: ops})
			wantStatus(t, err, codes.InvalidArgument, duplicateText)
			// The branch that is not taken is looked at as well.
			_, err = kv.Txn(testContext(t), &pb.TxnRequest{Failure: ops})
			wantStatus(t, err, codes.InvalidArgument, duplicateText)
		})
	}
}

func TestTxnAllowsWhatOnlyLooksLikeADuplicate(t *testing.T) {
	kv := rawKV(t)
	p := space(t)
	for name, request := range map[string]*pb.TxnRequest{
		"one key in both branches":          {Success: list(opPut(p + "a")), Failure: list(opPut(p + "a"))},
		"in both branches of a nested one":  {Success: list(opTxn(list(opPut(p+"a")), list(opPut(p+"a"))))},
		"deleted twice":                     {Success: list(opDelete(p+"a", p+"c"), opDelete(p+"b", ""))},
		"read and put":                      {Success: list(opGet(p+"a"), opPut(p+"a"), opGet(p+"a"))},
		"put at the end of a deleted range": {Success: list(opDelete(p+"a", p+"c"), opPut(p+"c"))},
		"deleted in two nested ones": {Success: list(opTxn(list(opDelete(p+"a", "")), nil),
			opTxn(list(opDelete(p+"a", "")), nil))},
		"deleted in one nested one, put in another": {Success: list(opTxn(list(opDelete(p+"x", p+"y")), nil),
			opTxn(list(opPut(p+"z")), nil))},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := kv.Txn(testContext(t), request)
			must(t, err)
		})
	}
}

// A deletion without an upper end is no interval to etcd's check, so it lets the pair pass and applies it in order.
func TestTxnDoesNotSeeADuplicateInADeletionWithoutEnd(t *testing.T) {
	kv := rawKV(t)
	key := "\xff\xff\xff\xff" + space(t)
	defer remove(t, newClient(t), key)
	for _, step := range []struct {
		ops     []*pb.RequestOp
		deleted int64
		left    int64
	}{
		{list(opPut(key), opDelete(key, "\x00"), opGet(key)), 1, 0},
		{list(opDelete(key, "\x00"), opPut(key), opGet(key)), 0, 1},
		{list(opDelete(key, "\x00"), opPut(key), opGet(key)), 1, 1},
	} {
		answer, err := kv.Txn(testContext(t), &pb.TxnRequest{Success: step.ops})
		must(t, err)
		deleted := answer.Responses[0].GetResponseDeleteRange()
		if deleted == nil {
			deleted = answer.Responses[1].GetResponseDeleteRange()
		}
		equal(t, "deleted", deleted.Deleted, step.deleted)
		equal(t, "left", answer.Responses[2].GetResponseRange().Count, step.left)
	}
}

func gets(count int) []*pb.RequestOp {
	ops := make([]*pb.RequestOp, count)
	for i := range ops {
		ops[i] = opGet(fmt.Sprint("k", i))
	}
	return ops
}

func compares(count int) []*pb.Compare {
	made := make([]*pb.Compare, count)
	for i := range made {
		made[i] = number(pb.Compare_VERSION, fmt.Sprint("none", i), "", pb.Compare_EQUAL, 0)
	}
	return made
}

// nestedTo is a transaction with `depth` more below it.
func nestedTo(depth int) *pb.TxnRequest {
	request := &pb.TxnRequest{}
	for range depth {
		request = &pb.TxnRequest{Success: list(&pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: request}})}
	}
	return request
}

func TestTxnOperationsUpToTheLimit(t *testing.T) {
	kv := rawKV(t)
	for name, request := range map[string]*pb.TxnRequest{
		"success":             {Success: gets(128)},
		"failure":             {Failure: gets(128)},
		"compares":            {Compare: compares(128)},
		"all three":           {Compare: compares(128), Success: gets(128), Failure: gets(128)},
		"a nested one":        {Success: list(opTxn(gets(127), nil))},
		"two nested ones":     {Success: list(opTxn(gets(126), nil), opTxn(gets(126), nil))},
		"nested 60 deep":      nestedTo(60),
		"nested to the limit": nestedTo(128),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := kv.Txn(testContext(t), request)
			must(t, err)
		})
	}
}

func TestTxnOperationsOverTheLimit(t *testing.T) {
	kv := rawKV(t)
	for name, request := range map[string]*pb.TxnRequest{
		"success":                {Success: gets(129)},
		"failure":                {Failure: gets(129)},
		"compares":               {Compare: compares(129)},
		"a nested one":           {Success: list(opTxn(gets(128), nil))},
		"a nested one, its else": {Success: list(opTxn(nil, gets(128)))},
		"beside a nested one":    {Success: append(gets(100), opTxn(gets(28), nil))},
		"by outer compares":      {Compare: compares(100), Success: list(opTxn(gets(29), nil))},
		"in the branch not taken": {Compare: []*pb.Compare{number(pb.Compare_VERSION, "none", "", pb.Compare_GREATER, 0)},
			Success: gets(129)},
		"nested too deep": nestedTo(129),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := kv.Txn(testContext(t), request)
			wantStatus(t, err, codes.InvalidArgument, tooManyOpsText)
		})
	}
}

func TestTxnShapeErrors(t *testing.T) {
	kv := rawKV(t)
	leased := opPut("k")
	leased.GetRequestPut().Lease, leased.GetRequestPut().IgnoreLease = 1, true
	valued := opPut("k")
	valued.GetRequestPut().IgnoreValue = true
	for name, refused := range map[string]struct {
		request *pb.TxnRequest
		text    string
	}{
		"compare without a key": {&pb.TxnRequest{Compare: []*pb.Compare{{}}}, emptyKeyText},
		"put without a key":     {&pb.TxnRequest{Success: list(opPut(""))}, emptyKeyText},
		"get without a key":     {&pb.TxnRequest{Success: list(opGet(""))}, emptyKeyText},
		"delete without a key":  {&pb.TxnRequest{Failure: list(opDelete("", ""))}, emptyKeyText},
		"nested without a key":  {&pb.TxnRequest{Success: list(opTxn(nil, list(opGet(""))))}, emptyKeyText},
		"operation of no kind":  {&pb.TxnRequest{Success: list(&pb.RequestOp{})}, "etcdserver: key not found"},
		"value is provided":     {&pb.TxnRequest{Success: list(valued)}, "etcdserver: value is provided"},
		"lease is provided":     {&pb.TxnRequest{Success: list(leased)}, "etcdserver: lease is provided"},
		"count before keys":     {&pb.TxnRequest{Success: append(gets(128), opGet(""))}, tooManyOpsText},
		"keys before duplicates": {&pb.TxnRequest{Success: list(opPut("k"), opPut("k"), opPut(""))},
			emptyKeyText},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := kv.Txn(testContext(t), refused.request)
			wantStatus(t, err, codes.InvalidArgument, refused.text)
		})
	}
}
