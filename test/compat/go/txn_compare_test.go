package compat

import (
	"fmt"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

var results = []pb.Compare_CompareResult{pb.Compare_EQUAL, pb.Compare_GREATER, pb.Compare_LESS, pb.Compare_NOT_EQUAL}

// holds tells what the result of a comparison should be where the stored field is below (-1), at (0) or above (1) the
// given one.
func holds(result pb.Compare_CompareResult, order int) bool {
	switch result {
	case pb.Compare_EQUAL:
		return order == 0
	case pb.Compare_GREATER:
		return order > 0
	case pb.Compare_LESS:
		return order < 0
	default:
		return order != 0
	}
}

// number makes a comparison of one of the numeric targets.
func number(target pb.Compare_CompareTarget, key, end string, result pb.Compare_CompareResult, value int64) *pb.Compare {
	compare := &pb.Compare{Key: []byte(key), Target: target, Result: result}
	if end != "" {
		compare.RangeEnd = []byte(end)
	}
	switch target {
	case pb.Compare_VERSION:
		compare.TargetUnion = &pb.Compare_Version{Version: value}
	case pb.Compare_CREATE:
		compare.TargetUnion = &pb.Compare_CreateRevision{CreateRevision: value}
	case pb.Compare_MOD:
		compare.TargetUnion = &pb.Compare_ModRevision{ModRevision: value}
	case pb.Compare_LEASE:
		compare.TargetUnion = &pb.Compare_Lease{Lease: value}
	}
	return compare
}

func valueCompare(key, end string, result pb.Compare_CompareResult, value string) *pb.Compare {
	compare := &pb.Compare{Key: []byte(key), Target: pb.Compare_VALUE, Result: result,
		TargetUnion: &pb.Compare_Value{Value: []byte(value)}}
	if end != "" {
		compare.RangeEnd = []byte(end)
	}
	return compare
}

// succeeds reads in both branches: a transaction without any operation would be answered from local state, which may
// lag behind.
func succeeds(t *testing.T, kv pb.KVClient, compares ...*pb.Compare) bool {
	t.Helper()
	answer, err := kv.Txn(testContext(t), &pb.TxnRequest{Compare: compares, Success: gets(1), Failure: gets(1)})
	must(t, err)
	return answer.Succeeded
}

func TestCompareEveryNumericTargetWithEveryResult(t *testing.T) {
	c := newClient(t)
	kv := rawKV(t)
	key := space(t)
	lease, err := c.Grant(testContext(t), 600)
	must(t, err)
	put(t, c, key, "1")
	put(t, c, key, "2")
	put(t, c, key, "m", clientv3.WithLease(lease.ID))
	stored := get(t, c, key).Kvs[0]
	for target, field := range map[pb.Compare_CompareTarget]int64{
		pb.Compare_VERSION: stored.Version, pb.Compare_CREATE: stored.CreateRevision, pb.Compare_MOD: stored.ModRevision,
		pb.Compare_LEASE: stored.Lease,
	} {
		for _, result := range results {
			for order := -1; order <= 1; order++ {
				t.Run(fmt.Sprintf("%s %s %d", target, result, order), func(t *testing.T) {
					got := succeeds(t, kv, number(target, key, "", result, field-int64(order)))
					equal(t, "succeeded", got, holds(result, order))
				})
			}
		}
	}
}

func TestCompareValuesAsBytes(t *testing.T) {
	c := newClient(t)
	kv := rawKV(t)
	key := space(t)
	put(t, c, key, "m\xc3")
	for given, order := range map[string]int{
		"": 1, "l": 1, "m": 1, "m\xc2\xff": 1, "m\xc3": 0, "m\xc3\x00": -1, "m\xff": -1, "n": -1, "\xff": -1,
	} {
		for _, result := range results {
			t.Run(fmt.Sprintf("%s %q", result, given), func(t *testing.T) {
				equal(t, "succeeded", succeeds(t, kv, valueCompare(key, "", result, given)), holds(result, order))
			})
		}
	}
}

func TestCompareOfAMissingKeyOrAnEmptyRange(t *testing.T) {
	kv := rawKV(t)
	prefix := space(t)
	numeric := []pb.Compare_CompareTarget{pb.Compare_VERSION, pb.Compare_CREATE, pb.Compare_MOD, pb.Compare_LEASE}
	for name, end := range map[string]string{"key": "", "range": clientv3.GetPrefixRangeEnd(prefix), "no interval": "\x01"} {
		t.Run(name, func(t *testing.T) {
			for _, target := range numeric {
				for _, result := range results {
					for order := -1; order <= 1; order++ {
						got := succeeds(t, kv, number(target, prefix, end, result, int64(-order)))
						equal(t, fmt.Sprintf("%s %s %d", target, result, -order), got, holds(result, order))
					}
				}
			}
			for _, result := range results {
				for _, value := range []string{"", "v"} {
					got := succeeds(t, kv, valueCompare(prefix, end, result, value))
					equal(t, fmt.Sprintf("VALUE %s %q", result, value), got, false)
				}
			}
		})
	}
}

func TestCompareOfARangeHoldsOnlyIfItHoldsForEveryKey(t *testing.T) {
	c := newClient(t)
	kv := rawKV(t)
	prefix := space(t)
	end := clientv3.GetPrefixRangeEnd(prefix)
	first := put(t, c, prefix+"a", "same")
	put(t, c, prefix+"b", "same")
	last := put(t, c, prefix+"c", "same")
	for name, check := range map[string]struct {
		compare *pb.Compare
		want    bool
	}{
		"values all equal":      {valueCompare(prefix, end, pb.Compare_EQUAL, "same"), true},
		"values none equal":     {valueCompare(prefix, end, pb.Compare_NOT_EQUAL, "other"), true},
		"values not all differ": {valueCompare(prefix, end, pb.Compare_NOT_EQUAL, "same"), false},
		"all after":             {number(pb.Compare_CREATE, prefix, end, pb.Compare_GREATER, first-1), true},
		"not all after":         {number(pb.Compare_CREATE, prefix, end, pb.Compare_GREATER, first), false},
		"all before":            {number(pb.Compare_MOD, prefix, end, pb.Compare_LESS, last+1), true},
		"not all before":        {number(pb.Compare_MOD, prefix, end, pb.Compare_LESS, last), false},
		"versions":              {number(pb.Compare_VERSION, prefix, end, pb.Compare_EQUAL, 1), true},
		"from key":              {number(pb.Compare_VERSION, prefix+"c", "\x00", pb.Compare_GREATER, 0), true},
		"half open end":         {number(pb.Compare_MOD, prefix, prefix+"c", pb.Compare_LESS, last), true},
	} {
		t.Run(name, func(t *testing.T) { equal(t, "succeeded", succeeds(t, kv, check.compare), check.want) })
	}
	put(t, c, prefix+"b", "different")
	equal(t, "after one changed", succeeds(t, kv, valueCompare(prefix, end, pb.Compare_EQUAL, "same")), false)
}

// The union of a comparison may be left out: proto3 sends no field for a zero that older clients mean.
func TestCompareWithoutAValueComparesWithZero(t *testing.T) {
	c := newClient(t)
	kv := rawKV(t)
	key := space(t)
	put(t, c, key, "")
	for target, want := range map[pb.Compare_CompareTarget]bool{
		pb.Compare_VERSION: false, pb.Compare_CREATE: false, pb.Compare_MOD: false, pb.Compare_LEASE: true,
		pb.Compare_VALUE: true,
	} {
		equal(t, "present "+target.String(), succeeds(t, kv, &pb.Compare{Key: []byte(key), Target: target}), want)
		missing := succeeds(t, kv, &pb.Compare{Key: []byte(key + "none"), Target: target})
		equal(t, "missing "+target.String(), missing, target != pb.Compare_VALUE)
	}
}

// A value in the union that is not the target's counts as none.
func TestCompareWithTheValueOfAnotherTarget(t *testing.T) {
	c := newClient(t)
	kv := rawKV(t)
	key := space(t)
	put(t, c, key, "v")
	compare := number(pb.Compare_VERSION, key, "", pb.Compare_EQUAL, 1)
	compare.Target = pb.Compare_LEASE
	equal(t, "lease compared with zero", succeeds(t, kv, compare), true)
}

func TestCompareWithUnknownResultHolds(t *testing.T) {
	kv := rawKV(t)
	compare := number(pb.Compare_VERSION, space(t), "", 9, 77)
	equal(t, "succeeded", succeeds(t, kv, compare), true)
}

func TestCompareWithUnknownTargetComparesNothing(t *testing.T) {
	c := newClient(t)
	kv := rawKV(t)
	key := space(t)
	put(t, c, key, "v")
	equal(t, "equal", succeeds(t, kv, &pb.Compare{Key: []byte(key), Target: 9, Result: pb.Compare_EQUAL}), true)
	equal(t, "less", succeeds(t, kv, &pb.Compare{Key: []byte(key), Target: 9, Result: pb.Compare_LESS}), false)
}
