package compat

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
)

// seedSorted makes five keys whose order differs by key, version, create revision, mod revision and value.
func seedSorted(t *testing.T, c *clientv3.Client, prefix string) []*mvccpb.KeyValue {
	t.Helper()
	for _, key := range []string{"c", "a", "e", "b", "d"} {
		put(t, c, prefix+key, "first")
	}
	extra := []struct{ key, value string }{
		{"d", "x"}, {"d", "x"}, {"d", "x"}, {"d", "4"}, {"a", "x"}, {"a", "x"}, {"a", "1"}, {"c", "x"}, {"c", "5"},
		{"b", "2"},
	}
	for _, write := range extra {
		put(t, c, prefix+write.key, write.value)
	}
	return get(t, c, prefix, clientv3.WithPrefix()).Kvs
}

var sortTargets = map[clientv3.SortTarget]func(a, b *mvccpb.KeyValue) int{
	clientv3.SortByKey:            func(a, b *mvccpb.KeyValue) int { return bytes.Compare(a.Key, b.Key) },
	clientv3.SortByVersion:        func(a, b *mvccpb.KeyValue) int { return int(a.Version - b.Version) },
	clientv3.SortByCreateRevision: func(a, b *mvccpb.KeyValue) int { return int(a.CreateRevision - b.CreateRevision) },
	clientv3.SortByModRevision:    func(a, b *mvccpb.KeyValue) int { return int(a.ModRevision - b.ModRevision) },
	clientv3.SortByValue:          func(a, b *mvccpb.KeyValue) int { return bytes.Compare(a.Value, b.Value) },
}

var targetNames = map[clientv3.SortTarget]string{
	clientv3.SortByKey: "key", clientv3.SortByVersion: "version", clientv3.SortByCreateRevision: "create",
	clientv3.SortByModRevision: "mod", clientv3.SortByValue: "value",
}

var orderNames = map[clientv3.SortOrder]string{
	clientv3.SortNone: "none", clientv3.SortAscend: "ascend", clientv3.SortDescend: "descend",
}

// sortedKeys is what a server should answer, made by the plainest means.
func sortedKeys(all []*mvccpb.KeyValue, prefix string, target clientv3.SortTarget, order clientv3.SortOrder) []string {
	sorted := slices.Clone(all)
	slices.SortFunc(sorted, sortTargets[target])
	if order == clientv3.SortDescend {
		slices.Reverse(sorted)
	}
	names := make([]string, 0, len(sorted))
	for _, kv := range sorted {
		names = append(names, strings.TrimPrefix(string(kv.Key), prefix))
	}
	return names
}

func TestRangeSortsByEveryTargetAndOrderWithAndWithoutLimit(t *testing.T) {
	c := newClient(t)
	prefix := space(t)
	all := seedSorted(t, c, prefix)
	kv := rawKV(t)
	for target := range sortTargets {
		for order := range orderNames {
			for _, limit := range []int64{0, 1, 3, 5, 6} {
				t.Run(fmt.Sprintf("%s %s limit %d", targetNames[target], orderNames[order], limit), func(t *testing.T) {
					// The raw stub: the library turns "key ascending" into "no order" by itself.
					answer, err := kv.Range(testContext(t), &pb.RangeRequest{
						Key: []byte(prefix), RangeEnd: []byte(clientv3.GetPrefixRangeEnd(prefix)), Limit: limit,
						SortTarget: pb.RangeRequest_SortTarget(target), SortOrder: pb.RangeRequest_SortOrder(order),
					})
					must(t, err)
					considered := all
					if order == clientv3.SortNone && target != clientv3.SortByKey && limit > 0 {
						// Without an order etcd reads no more pairs than it takes to know `more`, and sorts these alone.
						considered = all[:min(len(all), int(limit)+1)]
					}
					want := sortedKeys(considered, prefix, target, order)
					more := limit > 0 && int(limit) < len(want)
					if more {
						want = want[:limit]
					}
					wantRange(t, prefix, (*clientv3.GetResponse)(answer), strings.Join(want, " "), 5, more)
				})
			}
		}
	}
}

func TestRangeByValueWithKeysOnlySortsBeforeItDropsTheValues(t *testing.T) {
	c := newClient(t)
	prefix := space(t)
	all := seedSorted(t, c, prefix)
	answer := get(t, c, prefix, clientv3.WithPrefix(), clientv3.WithKeysOnly(),
		clientv3.WithSort(clientv3.SortByValue, clientv3.SortDescend))
	equal(t, "keys", keysOf(answer, prefix),
		strings.Join(sortedKeys(all, prefix, clientv3.SortByValue, clientv3.SortDescend), " "))
	for _, kv := range answer.Kvs {
		equal(t, "value of "+string(kv.Key), string(kv.Value), "")
	}
}

func TestRangeRefusesUnknownSortOptions_Since3_5(t *testing.T) {
	kv := rawKV(t)
	for name, request := range map[string]*pb.RangeRequest{
		"order":  {Key: []byte("k"), SortOrder: 99},
		"target": {Key: []byte("k"), SortTarget: 99},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := kv.Range(testContext(t), request)
			wantStatus(t, err, codes.InvalidArgument, "etcdserver: invalid sort option")
		})
	}
}

func TestRangeFiltersByRevisionsAndCountsAllTheSame(t *testing.T) {
	c := newClient(t)
	prefix := space(t)
	all := seedSorted(t, c, prefix)
	oldest, newest := all[0].CreateRevision, all[0].ModRevision
	for _, kv := range all {
		oldest, newest = min(oldest, kv.CreateRevision), max(newest, kv.ModRevision)
	}
	filters := map[string]struct {
		option func(int64) clientv3.OpOption
		keep   func(kv *mvccpb.KeyValue, bound int64) bool
	}{
		"min mod":    {clientv3.WithMinModRev, func(kv *mvccpb.KeyValue, b int64) bool { return kv.ModRevision >= b }},
		"max mod":    {clientv3.WithMaxModRev, func(kv *mvccpb.KeyValue, b int64) bool { return kv.ModRevision <= b }},
		"min create": {clientv3.WithMinCreateRev, func(kv *mvccpb.KeyValue, b int64) bool { return kv.CreateRevision >= b }},
		"max create": {clientv3.WithMaxCreateRev, func(kv *mvccpb.KeyValue, b int64) bool { return kv.CreateRevision <= b }},
	}
	for name, filter := range filters {
		for bound := oldest - 1; bound <= newest+1; bound += 2 {
			for _, limit := range []int64{0, 2} {
				t.Run(fmt.Sprintf("%s +%d limit %d", name, bound-oldest, limit), func(t *testing.T) {
					var kept []*mvccpb.KeyValue
					for _, kv := range all {
						if filter.keep(kv, bound) {
							kept = append(kept, kv)
						}
					}
					want := sortedKeys(kept, prefix, clientv3.SortByKey, clientv3.SortNone)
					more := limit > 0 && len(want) > int(limit)
					if more {
						want = want[:limit]
					}
					answer := get(t, c, prefix, clientv3.WithPrefix(), filter.option(bound), clientv3.WithLimit(limit))
					wantRange(t, prefix, answer, strings.Join(want, " "), 5, more)
				})
			}
		}
	}
}

func TestRangeFiltersCombine(t *testing.T) {
	c := newClient(t)
	prefix := space(t)
	for _, key := range []string{"a", "b", "c", "d"} {
		put(t, c, prefix+key, "1")
	}
	all := get(t, c, prefix, clientv3.WithPrefix()).Kvs
	put(t, c, prefix+"b", "2")
	answer := get(t, c, prefix, clientv3.WithPrefix(), clientv3.WithMinCreateRev(all[1].CreateRevision),
		clientv3.WithMaxModRev(all[3].ModRevision), clientv3.WithSort(clientv3.SortByKey, clientv3.SortDescend),
		clientv3.WithLimit(1))
	wantRange(t, prefix, answer, "d", 4, true)
}

func TestRangeLimitCutsAndSaysSo(t *testing.T) {
	c := newClient(t)
	prefix := space(t)
	for i := range 7 {
		put(t, c, fmt.Sprintf("%s%d", prefix, i), "v")
	}
	for _, limit := range []int64{1, 6, 7, 8, 0, -1} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			answer := get(t, c, prefix, clientv3.WithPrefix(), clientv3.WithLimit(limit))
			want := 7
			if limit > 0 {
				want = min(want, int(limit))
			}
			equal(t, "keys", len(answer.Kvs), want)
			equal(t, "count", answer.Count, 7)
			equal(t, "more", answer.More, want < 7)
		})
	}
}

func TestRangePagesThroughAllKeysAtOneRevision(t *testing.T) {
	c := newClient(t)
	prefix := space(t)
	for i := range 25 {
		put(t, c, fmt.Sprintf("%s%02d", prefix, i), "v")
	}
	from, revision, seen := prefix, int64(0), []string{}
	for page := 0; ; page++ {
		answer := get(t, c, from, clientv3.WithRange(clientv3.GetPrefixRangeEnd(prefix)), clientv3.WithLimit(10),
			clientv3.WithRev(revision))
		if page == 0 {
			revision = answer.Header.Revision
		}
		// Later pages must not see what is written between them.
		put(t, c, fmt.Sprintf("%snew%d", prefix, page), "v")
		for _, kv := range answer.Kvs {
			seen = append(seen, string(kv.Key))
			from = string(kv.Key) + "\x00"
		}
		equal(t, "count", answer.Count, int64(25-10*page))
		if !answer.More {
			break
		}
	}
	equal(t, "keys seen", len(seen), 25)
}

func TestRangeKeysOnlyAndCountOnly(t *testing.T) {
	c := newClient(t)
	prefix := space(t)
	put(t, c, prefix+"a", "value")
	put(t, c, prefix+"b", "value")
	put(t, c, prefix+"b", "value")
	keysOnly := get(t, c, prefix, clientv3.WithPrefix(), clientv3.WithKeysOnly())
	wantRange(t, prefix, keysOnly, "a b", 2, false)
	for _, kv := range keysOnly.Kvs {
		equal(t, "value length", len(kv.Value), 0)
	}
	equal(t, "version of b", keysOnly.Kvs[1].Version, 2)
	equal(t, "mod after create", keysOnly.Kvs[1].ModRevision, keysOnly.Kvs[1].CreateRevision+1)

	wantRange(t, prefix, get(t, c, prefix, clientv3.WithPrefix(), clientv3.WithCountOnly()), "", 2, false)
	wantRange(t, prefix, get(t, c, prefix, clientv3.WithPrefix(), clientv3.WithCountOnly(), clientv3.WithLimit(1)), "",
		2, false)
	wantRange(t, prefix, get(t, c, prefix+"a", clientv3.WithCountOnly()), "", 1, false)
	wantRange(t, prefix, get(t, c, prefix+"none", clientv3.WithCountOnly()), "", 0, false)
}

func TestRangeCountOnlyIgnoresRevisionFilters(t *testing.T) {
	c := newClient(t)
	prefix := space(t)
	put(t, c, prefix+"a", "1")
	revision := put(t, c, prefix+"b", "1")
	answer := get(t, c, prefix, clientv3.WithPrefix(), clientv3.WithCountOnly(), clientv3.WithMinModRev(revision))
	wantRange(t, prefix, answer, "", 2, false)
}

func TestRangeAtPastRevisionsShowsEachPastState(t *testing.T) {
	c := newClient(t)
	prefix := space(t)
	first := put(t, c, prefix+"a", "1")
	second := put(t, c, prefix+"b", "1")
	third := put(t, c, prefix+"a", "2")
	_, err := c.Delete(testContext(t), prefix+"b")
	must(t, err)
	put(t, c, prefix+"b", "reborn")
	states := map[int64]string{
		first - 1: "", first: "a=1", second: "a=1 b=1", third: "a=2 b=1", third + 1: "a=2", third + 2: "a=2 b=reborn",
		0: "a=2 b=reborn",
	}
	for revision, want := range states {
		answer := get(t, c, prefix, clientv3.WithPrefix(), clientv3.WithRev(revision))
		pairs := []string{}
		for _, kv := range answer.Kvs {
			pairs = append(pairs, strings.TrimPrefix(string(kv.Key), prefix)+"="+string(kv.Value))
		}
		equal(t, fmt.Sprintf("state at first%+d", revision-first), strings.Join(pairs, " "), want)
		equal(t, "count", answer.Count, int64(len(pairs)))
		equal(t, "header revision", answer.Header.Revision, third+2)
	}
	counted := get(t, c, prefix, clientv3.WithPrefix(), clientv3.WithRev(second), clientv3.WithCountOnly())
	equal(t, "count at an old revision", counted.Count, 2)
}

func TestRangeAtFutureRevisionFails(t *testing.T) {
	c := newClient(t)
	current := currentRevision(t, c)
	for _, option := range [][]clientv3.OpOption{{}, {clientv3.WithSerializable()}, {clientv3.WithCountOnly()}} {
		_, err := c.Get(testContext(t), "k", append(option, clientv3.WithRev(current+1000))...)
		if !errors.Is(err, rpctypes.ErrFutureRev) {
			t.Errorf("got %v", err)
		}
	}
	_, err := rawKV(t).Range(testContext(t), &pb.RangeRequest{Key: []byte("k"), Revision: current + 1000})
	wantStatus(t, err, codes.OutOfRange, "etcdserver: mvcc: required revision is a future revision")
}

func TestRangeAtNegativeRevisionIsNow(t *testing.T) {
	c := newClient(t)
	key := space(t)
	put(t, c, key, "v")
	answer, err := rawKV(t).Range(testContext(t), &pb.RangeRequest{Key: []byte(key), Revision: -5})
	must(t, err)
	equal(t, "count", answer.Count, 1)
}

func TestRangeIntervals(t *testing.T) {
	c := newClient(t)
	prefix := space(t)
	for _, key := range []string{"a", "aa", "b", "c"} {
		put(t, c, prefix+key, "v")
	}
	for name, interval := range map[string]struct{ from, to, want string }{
		"half open":         {"a", "c", "a aa b"},
		"end equals start":  {"a", "a", ""},
		"end before start":  {"c", "a", ""},
		"end next to start": {"a", "a\x00", "a"},
		"missing bounds":    {"ab", "bz", "b"},
	} {
		t.Run(name, func(t *testing.T) {
			answer := get(t, c, prefix+interval.from, clientv3.WithRange(prefix+interval.to))
			wantRange(t, prefix, answer, interval.want, int64(len(strings.Fields(interval.want))), false)
		})
	}
	t.Run("one key", func(t *testing.T) { wantRange(t, prefix, get(t, c, prefix+"a"), "a", 1, false) })
	t.Run("prefix", func(t *testing.T) {
		wantRange(t, prefix, get(t, c, prefix+"a", clientv3.WithPrefix()), "a aa", 2, false)
	})
}

func TestRangeFromKeyReachesTheLastKey(t *testing.T) {
	c := newClient(t)
	last := "\xff\xff\xff" + space(t)
	put(t, c, last, "v")
	defer remove(t, c, last)
	wantRange(t, "\xff\xff\xff", get(t, c, "\xff\xff\xff", clientv3.WithFromKey()), space(t), 1, false)
	// A prefix of nothing but 0xff has no next prefix: its range has no end either.
	wantRange(t, "\xff\xff\xff", get(t, c, "\xff\xff", clientv3.WithPrefix()), space(t), 1, false)
}

func TestRangeOfAllKeys(t *testing.T) {
	c := newClient(t)
	lowest := "\x00" + space(t)
	put(t, c, lowest, "v")
	defer remove(t, c, lowest)
	answer, err := rawKV(t).Range(testContext(t), &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}, Limit: 1})
	must(t, err)
	equal(t, "first key", string(answer.Kvs[0].Key), lowest)
	viaLibrary := get(t, c, "", clientv3.WithPrefix(), clientv3.WithCountOnly())
	equal(t, "count", viaLibrary.Count, answer.Count)
}

func TestRangeOrdersKeysAsBytes(t *testing.T) {
	c := newClient(t)
	prefix := space(t)
	tails := []string{"\x00", "\x00\x00", "\x00\xff", "A", "a", "a\x00", "\x7f", "\x80", "\xc3", "é", "€", "\xed\xa0\x80", "😀", "\xff", "\xff\x00"}
	slices.Sort(tails)
	for i := range tails {
		put(t, c, prefix+tails[(i*7)%len(tails)], "v")
	}
	answer := get(t, c, prefix, clientv3.WithPrefix())
	equal(t, "keys", keysOf(answer, prefix), strings.Join(tails, " "))
	for _, tail := range tails {
		equal(t, fmt.Sprintf("count of %q", tail), get(t, c, prefix+tail).Count, 1)
	}
}

func TestRangeSerializableSeesOwnWritesOnOneMember(t *testing.T) {
	c := newClientAt(t, 0)
	key := space(t)
	put(t, c, key, "v")
	answer := get(t, c, key, clientv3.WithSerializable())
	wantRange(t, "", answer, key, 1, false)
}

func TestRangeOfMissingKeyIsEmpty(t *testing.T) {
	c := newClient(t)
	answer := get(t, c, space(t)+"missing")
	equal(t, "kvs", len(answer.Kvs), 0)
	wantRange(t, "", answer, "", 0, false)
}

func TestRangeShortcutsOfTheLibrary(t *testing.T) {
	c := newClient(t)
	prefix := space(t)
	all := seedSorted(t, c, prefix)
	for name, shortcut := range map[string]struct {
		options []clientv3.OpOption
		target  clientv3.SortTarget
		order   clientv3.SortOrder
	}{
		"first create": {clientv3.WithFirstCreate(), clientv3.SortByCreateRevision, clientv3.SortAscend},
		"last create":  {clientv3.WithLastCreate(), clientv3.SortByCreateRevision, clientv3.SortDescend},
		"first key":    {clientv3.WithFirstKey(), clientv3.SortByKey, clientv3.SortAscend},
		"last key":     {clientv3.WithLastKey(), clientv3.SortByKey, clientv3.SortDescend},
		"first rev":    {clientv3.WithFirstRev(), clientv3.SortByModRevision, clientv3.SortAscend},
		"last rev":     {clientv3.WithLastRev(), clientv3.SortByModRevision, clientv3.SortDescend},
	} {
		t.Run(name, func(t *testing.T) {
			answer := get(t, c, prefix, shortcut.options...)
			wantRange(t, prefix, answer, sortedKeys(all, prefix, shortcut.target, shortcut.order)[0], 5, true)
		})
	}
}
