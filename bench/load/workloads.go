package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
)

// workload makes the requests of all clients. Calls for one client never overlap.
type workload interface {
	method() string
	// streams says whether the answer is a stream of messages; they are handed over one by one.
	streams() bool
	// next appends the next request of a client to buffer.
	next(client int, buffer []byte) []byte
	// answer checks one message of the answer.
	answer(client int, message []byte) error
}

// last is implemented by workloads whose answer can only be judged when it is whole.
type last interface{ end(client int) error }

const prefix = "/bench/key/"

func keyOf(number int) string { return fmt.Sprintf("%s%09d", prefix, number) }

// scrambled visits every number below count once, in an order that has nothing to do with theirs.
func scrambled(at, count int) int {
	const stride = 7_368_787 // a prime that divides no count in use
	return int(int64(at) * stride % int64(count))
}

type base struct {
	path    string
	randoms []*rand.Rand
}

func newBase(path string, clients int) base {
	b := base{path: path}
	for client := range clients {
		b.randoms = append(b.randoms, rand.New(rand.NewPCG(uint64(client), 4711)))
	}
	return b
}

func (b *base) method() string { return b.path }
func (b *base) streams() bool  { return false }

// put overwrites keys of a key space, at random; fill writes each key of a span once.
type put struct {
	base
	counter
	value []byte
	fill  bool
}

// counter hands out each number of a span once, in an order unlike theirs.
type counter struct {
	keys, from int
	taken      atomic.Int64
}

// take begins again where all were taken: by the unmeasured request of a client past the end.
func (c *counter) take() int { return c.from + scrambled(int(c.taken.Add(1)-1)%c.keys, c.keys) }

func (p *put) next(client int, buffer []byte) []byte {
	number := 0
	if p.fill {
		number = p.take()
	} else {
		number = p.randoms[client].IntN(p.keys)
	}
	return appendPut(buffer, keyOf(number), p.value)
}

func (p *put) answer(_ int, message []byte) error {
	if revisionOf(message) == 0 {
		return errors.New("a put was answered without a revision")
	}
	return nil
}

// get reads one key that exists.
type get struct {
	base
	keys, valueBytes int
	serializable     bool
}

func (g *get) next(client int, buffer []byte) []byte {
	number := g.randoms[client].IntN(g.keys)
	return appendRange(buffer, rangeRequest{key: keyOf(number), serializable: g.serializable})
}

func (g *get) answer(_ int, message []byte) error {
	if len(message) < g.valueBytes {
		return fmt.Errorf("a get was answered with %d bytes", len(message))
	}
	return nil
}

// compareAndPut writes a key of the client's own, if it is as the client left it.
type compareAndPut struct {
	base
	run       string
	value     []byte
	revisions []int64
}

func (c *compareAndPut) next(client int, buffer []byte) []byte {
	return appendCompareAndPut(buffer, fmt.Sprintf("/bench/cas/%s/%06d", c.run, client), c.revisions[client], c.value)
}

func (c *compareAndPut) answer(client int, message []byte) error {
	c.revisions[client] = revisionOf(message)
	if !succeeded(message) {
		return errors.New("a compare-and-put of an own key did not succeed")
	}
	return nil
}

// span reads all keys, or the first `limit`, or only counts them.
type span struct {
	base
	keys, limit, valueBytes int
	countOnly, stream       bool
	received                []int
}

func (s *span) streams() bool { return s.stream }

func (s *span) next(client int, buffer []byte) []byte {
	s.received[client] = 0
	return appendRange(buffer, rangeRequest{key: prefix, end: prefix[:len(prefix)-1] + "0", limit: s.limit, countOnly: s.countOnly})
}

func (s *span) answer(client int, message []byte) error {
	if s.countOnly {
		if count := countOf(message); count < int64(s.keys) {
			return fmt.Errorf("counted %d keys of %d", count, s.keys)
		}
		return nil
	}
	s.received[client] += len(message)
	return nil
}

func (s *span) end(client int) error {
	expected := s.keys
	if s.limit > 0 {
		expected = s.limit
	}
	if !s.countOnly && s.received[client] < expected*s.valueBytes {
		return fmt.Errorf("%d bytes are too few for %d keys", s.received[client], expected)
	}
	return nil
}

// walk lists all keys page by page as a paging client does: the pages after the first at the revision of the first.
// Each client begins somewhere else, so that all depths are asked for.
type walk struct {
	base
	keys, limit, valueBytes int
	from                    []string
	revision                []int64
}

func (w *walk) next(client int, buffer []byte) []byte {
	return appendRange(buffer, rangeRequest{
		key: w.from[client], end: prefix[:len(prefix)-1] + "0", limit: w.limit, revision: w.revision[client],
	})
}

func (w *walk) answer(client int, message []byte) error {
	lastKey, more := lastKeyOf(message)
	if more && len(message) < w.limit*w.valueBytes {
		return fmt.Errorf("%d bytes are too few for a page of %d keys", len(message), w.limit)
	}
	if !more || lastKey == "" {
		w.from[client], w.revision[client] = prefix, 0
		return nil
	}
	if w.revision[client] == 0 {
		w.revision[client] = revisionOf(message)
	}
	w.from[client] = lastKey + "\x00"
	return nil
}

const (
	putPath    = "/etcdserverpb.KV/Put"
	rangePath  = "/etcdserverpb.KV/Range"
	txnPath    = "/etcdserverpb.KV/Txn"
	streamPath = "/etcdserverpb.KV/RangeStream"
)

func newWorkload(o options) (workload, error) {
	value := make([]byte, o.valueBytes)
	random := rand.New(rand.NewPCG(1, 2))
	for at := range value {
		value[at] = byte(random.Uint32())
	}
	ranged := span{base: newBase(rangePath, o.clients), keys: o.keys, valueBytes: o.valueBytes, received: make([]int, o.clients)}
	switch o.workload {
	case "put":
		return &put{base: newBase(putPath, o.clients), counter: counter{keys: o.keys}, value: value}, nil
	case "fill":
		return &put{base: newBase(putPath, o.clients), counter: counter{keys: o.keys - o.from, from: o.from}, value: value, fill: true}, nil
	case "grant":
		return &leaseGrant{base: newBase(grantPath, o.clients), counter: counter{keys: o.keys}}, nil
	case "put-leased":
		return &leaseGrant{base: newBase(putPath, o.clients), counter: counter{keys: o.keys}, withKeys: true, value: value}, nil
	case "get", "serializable-get":
		serializable := o.workload == "serializable-get"
		return &get{base: newBase(rangePath, o.clients), keys: o.keys, valueBytes: o.valueBytes, serializable: serializable}, nil
	case "compare-and-put":
		return &compareAndPut{base: newBase(txnPath, o.clients), run: o.run, value: value, revisions: make([]int64, o.clients)}, nil
	case "page":
		ranged.limit = o.limit
		return &ranged, nil
	case "count":
		ranged.countOnly = true
		return &ranged, nil
	case "full":
		return &ranged, nil
	case "full-stream":
		ranged.path, ranged.stream = streamPath, true
		return &ranged, nil
	case "walk":
		w := &walk{base: newBase(rangePath, o.clients), keys: o.keys, limit: o.limit, valueBytes: o.valueBytes, revision: make([]int64, o.clients)}
		for client := range o.clients {
			w.from = append(w.from, keyOf(o.keys*client/o.clients))
		}
		return w, nil
	}
	return nil, fmt.Errorf("no workload %q", o.workload)
}
