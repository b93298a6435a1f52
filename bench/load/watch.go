package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"
)

const (
	watchPath = "/etcdserverpb.Watch/Watch"
	// createsAhead is how many watches of one stream are asked for before the first is answered.
	createsAhead = 100
	stampBytes   = 8
)

// watchJob has streams with watches, and clients that put what they watch. A value begins with the time at which its
// put was sent, so that everyone who is told of it knows how long that took.
//
//	watch         all watch one key; puts go on while events are under way
//	watch-all     all watch one key; the next put waits until everyone was told of the one before
//	watch-latency each watches a key of its own; puts come at a steady rate, one at a time
//	watch-bursts  the same, but all clients put at the same time
//	hold-watches  each watches a key of its own; nothing happens until the program is ended
type watchJob struct {
	o       options
	plan    *plan
	streams []*watchedStream
	puts    []*grpc.ClientConn
	created sync.WaitGroup
	// expected and received are events, over all streams.
	expected, received atomic.Int64
	complete           chan struct{}
	began              time.Time
}

type watchedStream struct {
	job     *watchJob
	number  int
	worker  *worker
	stream  messageStream
	ahead   chan struct{}
	created int
	// told is the number of events of each watch.
	told []int64
}

func newWatchJob(o options, p *plan) *watchJob {
	p.workers = nil
	for range o.streams {
		p.workers = append(p.workers, &worker{})
	}
	return &watchJob{o: o, plan: p, complete: make(chan struct{}, 1), began: time.Now()}
}

func (j *watchJob) sharesKey() bool {
	return j.o.workload == "watch" || j.o.workload == "watch-all"
}

func (j *watchJob) keyOf(watch int) string {
	if j.sharesKey() {
		watch = 0
	}
	return fmt.Sprintf("/bench/watch/%s/%09d", j.o.run, watch)
}

func (j *watchJob) prepare(client streamClient) error {
	for range min(j.o.clients, j.o.connections) {
		connection, err := dialGrpc(j.o.endpoints[len(j.puts)%len(j.o.endpoints)])
		if err != nil {
			return err
		}
		j.puts = append(j.puts, connection)
	}
	j.created.Add(j.o.streams * j.o.watches)
	failures := make(chan error, j.o.streams)
	for number := range j.o.streams {
		s := &watchedStream{
			job: j, number: number, worker: j.plan.workers[number],
			ahead: make(chan struct{}, createsAhead), told: make([]int64, j.o.watches),
		}
		stream, err := client.open(number%j.o.connections, watchPath, s.receive)
		if err != nil {
			return err
		}
		s.stream = stream
		j.streams = append(j.streams, s)
		go func() { failures <- s.createAll() }()
	}
	for range j.o.streams {
		if err := <-failures; err != nil {
			return err
		}
	}
	j.created.Wait()
	return nil
}

func (s *watchedStream) createAll() error {
	for watch := range s.job.o.watches {
		s.ahead <- struct{}{}
		key := s.job.keyOf(s.number*s.job.o.watches + watch)
		create := appendText(nil, 1, key)
		if err := s.stream.send(appendBytes(nil, 1, create)); err != nil {
			return err
		}
	}
	return nil
}

func (s *watchedStream) receive(message []byte) []byte {
	now := time.Since(s.job.began)
	watch, events, created := uint64(0), 0, false
	visit(message, func(field protowire.Number, number uint64, content []byte) bool {
		switch field {
		case 2:
			watch = number
		case 3:
			created = number == 1
		case 4:
			s.worker.fail(fmt.Errorf("a watch was cancelled by the server"))
		case 11:
			events++
			if sent := stampOf(content); s.job.plan.measuring.Load() {
				s.worker.latencies.add(now - sent)
			}
		}
		return true
	})
	if created {
		s.created++
		<-s.ahead
		s.job.created.Done()
		return nil
	}
	if watch >= uint64(len(s.told)) {
		s.worker.fail(fmt.Errorf("events for watch %d", watch))
		return nil
	}
	s.told[watch] += int64(events)
	s.worker.requests += int64(events)
	s.worker.responseBytes += int64(len(message))
	received := s.job.received.Add(int64(events))
	if received == s.job.expected.Load() {
		select {
		case s.job.complete <- struct{}{}:
		default:
		}
	}
	return nil
}

// stampOf is what the value of an event begins with.
func stampOf(event []byte) (sent time.Duration) {
	visit(event, func(field protowire.Number, _ uint64, pair []byte) bool {
		if field != 2 {
			return true
		}
		visit(pair, func(inner protowire.Number, _ uint64, value []byte) bool {
			if inner == 5 && len(value) >= stampBytes {
				sent = time.Duration(binary.BigEndian.Uint64(value))
			}
			return true
		})
		return false
	})
	return sent
}

func (j *watchJob) put(connection *grpc.ClientConn, key string) error {
	value := make([]byte, max(j.o.valueBytes, stampBytes))
	binary.BigEndian.PutUint64(value, uint64(time.Since(j.began)))
	request := appendPut(nil, key, value)
	var response []byte
	return connection.Invoke(context.Background(), putPath, &request, &response)
}

func (j *watchJob) measure(p *plan) error {
	p.measuring.Store(true)
	defer p.measuring.Store(false)
	switch j.o.workload {
	case "watch":
		return j.putFreely(p)
	case "watch-all":
		return j.putInStep(p)
	case "watch-latency", "watch-bursts":
		return j.putSteadily(p)
	default:
		return hold()
	}
}

// hold waits to be ended: what the server holds is being looked at.
func hold() error {
	fmt.Println("ready")
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM)
	<-ended
	return nil
}

// putFreely lets every client put as soon as its last put was answered.
func (j *watchJob) putFreely(p *plan) error {
	return j.putByAll(func(client int, connection *grpc.ClientConn) (int64, error) {
		puts := int64(0)
		for ; p.more(time.Now()); puts++ {
			if err := j.put(connection, j.keyOf(0)); err != nil {
				return puts, err
			}
		}
		return puts, nil
	}, int64(j.o.streams*j.o.watches))
}

// putSteadily shares the rate among the clients, who take turns at equal distances; a put that takes longer than its
// turn delays the next one of its client only.
func (j *watchJob) putSteadily(p *plan) error {
	distance := time.Second / time.Duration(j.o.rate)
	return j.putByAll(func(client int, connection *grpc.ClientConn) (int64, error) {
		random := rand.New(rand.NewPCG(uint64(client), 4711))
		if j.o.workload == "watch-latency" {
			time.Sleep(time.Duration(client) * distance)
		}
		ticker := time.NewTicker(time.Duration(j.o.clients) * distance)
		defer ticker.Stop()
		puts := int64(0)
		for ; p.more(time.Now()); puts++ {
			<-ticker.C
			if err := j.put(connection, j.keyOf(random.IntN(j.o.streams*j.o.watches))); err != nil {
				return puts, err
			}
		}
		return puts, nil
	}, 1)
}

// putByAll runs the clients, and waits for the events of all their puts.
func (j *watchJob) putByAll(run func(int, *grpc.ClientConn) (int64, error), eventsOfPut int64) error {
	var ended sync.WaitGroup
	var puts atomic.Int64
	failures := make(chan error, j.o.clients)
	for client := range j.o.clients {
		ended.Go(func() {
			done, err := run(client, j.puts[client%len(j.puts)])
			puts.Add(done)
			if err != nil {
				failures <- err
			}
		})
	}
	ended.Wait()
	select {
	case err := <-failures:
		return err
	default:
	}
	j.await(puts.Load() * eventsOfPut)
	return j.checkAll(puts.Load())
}

// await returns when so many events have come in all; the watchdog ends a run in which they do not.
func (j *watchJob) await(events int64) {
	j.expected.Store(events)
	for j.received.Load() != events {
		select {
		case <-j.complete:
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// putInStep measures how long it takes until all watches were told of a put.
func (j *watchJob) putInStep(p *plan) error {
	watches := int64(j.o.streams * j.o.watches)
	// What single events took is of no interest here.
	p.measuring.Store(false)
	steps := &worker{}
	puts := int64(0)
	for before := time.Now(); p.more(before); before = time.Now() {
		puts++
		j.expected.Store(puts * watches)
		if err := j.put(j.puts[0], j.keyOf(0)); err != nil {
			return err
		}
		j.await(puts * watches)
		steps.latencies.add(time.Since(before))
	}
	p.workers = append(p.workers, steps)
	return j.checkAll(puts)
}

// checkAll sees that each watch of a shared key was told of every put.
func (j *watchJob) checkAll(puts int64) error {
	if !j.sharesKey() {
		return nil
	}
	for _, s := range j.streams {
		for watch, told := range s.told {
			if told != puts {
				return fmt.Errorf("watch %d of stream %d was told of %d puts of %d", watch, s.number, told, puts)
			}
		}
	}
	return nil
}

func (j *watchJob) close() {
	for _, connection := range j.puts {
		connection.Close()
	}
}
