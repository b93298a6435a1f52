package main

import (
	"fmt"
	"math/bits"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// subBuckets of each power of two: a latency is known to 1.6 percent.
const subBuckets = 64

// histogram counts latencies in tenths of a microsecond, in buckets that grow with the value.
type histogram struct{ counts [64 * subBuckets]int64 }

func bucketOf(tenths uint64) int {
	if tenths < subBuckets {
		return int(tenths)
	}
	shift := bits.Len64(tenths) - 7
	return (shift+1)*subBuckets + int(tenths>>shift) - subBuckets
}

// upperBound is the greatest value, in tenths of a microsecond, that bucketOf puts into this bucket.
func upperBound(bucket int) int64 {
	if bucket < subBuckets {
		return int64(bucket)
	}
	shift := bucket/subBuckets - 1
	return (int64(bucket%subBuckets+subBuckets)+1)<<shift - 1
}

func (h *histogram) add(latency time.Duration) {
	h.counts[bucketOf(uint64(latency.Nanoseconds()/100))]++
}

// worker is one client's own record: nothing is shared while requests are under way.
type worker struct {
	latencies     histogram
	requests      int64
	errors        int64
	firstError    string
	responseBytes int64
}

func (w *worker) fail(err error) {
	if w.errors == 0 {
		w.firstError = err.Error()
	}
	w.errors++
}

// plan is a run: every client asks once unmeasured (connections are made then), all wait for each other, and the
// clock starts.
type plan struct {
	job      workload
	deadline time.Duration
	// left is how many requests may still be sent; negative where only the clock ends the run.
	left      atomic.Int64
	counted   bool
	workers   []*worker
	ready     sync.WaitGroup
	start     chan struct{}
	started   time.Time
	ended     time.Time
	cpuBefore float64
	cpuAfter  float64
	// measuring is for streams: what comes at other times is not counted.
	measuring atomic.Bool
}

func newPlan(o options) *plan {
	p := &plan{deadline: o.duration, counted: o.requests > 0, start: make(chan struct{})}
	p.left.Store(o.requests)
	for range o.clients {
		p.workers = append(p.workers, &worker{})
	}
	return p
}

// startedLine is printed when everything is set up, for whoever looks at what the servers take from then on.
const startedLine = "started"

// release starts the clock once `parties` have called ready.Done.
func (p *plan) release() {
	p.ready.Wait()
	fmt.Println(startedLine)
	p.cpuBefore = cpuSeconds()
	p.started = time.Now()
	close(p.start)
}

// fail ends the program: a stream broke, and nobody would wait for what was to come on it.
func (p *plan) fail(err error) {
	fmt.Fprintln(os.Stderr, "load:", err)
	os.Exit(1)
}

func (p *plan) finish() {
	p.ended = time.Now()
	p.cpuAfter = cpuSeconds()
}

// more says whether another request may be sent at `now`, and takes it from the count.
func (p *plan) more(now time.Time) bool {
	if now.Sub(p.started) >= p.deadline {
		return false
	}
	return !p.counted || p.left.Add(-1) >= 0
}

func (p *plan) summary() summary {
	s := summary{Seconds: p.ended.Sub(p.started).Seconds(), CPUSeconds: p.cpuAfter - p.cpuBefore}
	var all histogram
	for _, w := range p.workers {
		s.Requests += w.requests
		s.Errors += w.errors
		s.ResponseBytes += w.responseBytes
		if s.FirstError == "" {
			s.FirstError = w.firstError
		}
		for bucket, count := range w.latencies.counts {
			all.counts[bucket] += count
		}
	}
	s.LatencyBuckets = [][2]int64{}
	for bucket, count := range all.counts {
		if count > 0 {
			s.LatencyBuckets = append(s.LatencyBuckets, [2]int64{upperBound(bucket), count})
		}
	}
	return s
}
