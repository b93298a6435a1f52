package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

const (
	grantPath     = "/etcdserverpb.Lease/LeaseGrant"
	revokePath    = "/etcdserverpb.Lease/LeaseRevoke"
	keepAlivePath = "/etcdserverpb.Lease/LeaseKeepAlive"
	// leaseSeconds outlives every run.
	leaseSeconds = 3600
)

// leaseIDOf gives ids as servers choose them: 63 bits, far apart.
func leaseIDOf(number int) uint64 {
	return uint64(number+1) * 0x9e37_79b9_7f4a_7c15 & 0x7fff_ffff_ffff_ffff
}

// leaseGrant makes leases of a known id each; withKeys puts a key on each of them, once they are there.
type leaseGrant struct {
	base
	counter
	withKeys bool
	value    []byte
}

func (l *leaseGrant) next(_ int, buffer []byte) []byte {
	number := l.take()
	if l.withKeys {
		buffer = appendPut(buffer, fmt.Sprintf("/bench/leased/%09d", number), l.value)
		return appendVarint(buffer, 3, leaseIDOf(number))
	}
	return appendVarint(appendVarint(buffer, 1, leaseSeconds), 2, leaseIDOf(number))
}

func (l *leaseGrant) answer(_ int, message []byte) error {
	if revisionOf(message) == 0 {
		return errors.New("an answer without a revision")
	}
	return nil
}

// keepAliveJob has clients with a stream and a lease each, that keep it alive again as soon as it was.
type keepAliveJob struct {
	o       options
	plan    *plan
	clients []*keepAliveClient
	ended   sync.WaitGroup
}

type keepAliveClient struct {
	job      *keepAliveJob
	worker   *worker
	stream   messageStream
	request  []byte
	lease    uint64
	sent     time.Time
	answered chan struct{}
}

func (j *keepAliveJob) prepare(client streamClient) error {
	for number := range j.o.clients {
		c := &keepAliveClient{job: j, worker: j.plan.workers[number], answered: make(chan struct{}, 1)}
		stream, err := client.open(number%j.o.connections, keepAlivePath, c.receive)
		if err != nil {
			return err
		}
		c.stream = stream
		j.clients = append(j.clients, c)
	}
	return j.each(func(c *keepAliveClient, call unaryCall) error {
		message, err := call(grantPath, appendVarint(nil, 1, leaseSeconds))
		if err != nil {
			return err
		}
		visit(message, func(field protowire.Number, number uint64, _ []byte) bool {
			if field == 2 {
				c.lease = number
			}
			return true
		})
		c.request = appendVarint(nil, 1, c.lease)
		// Once unmeasured, as every client does.
		if err := c.stream.send(c.request); err != nil {
			return err
		}
		<-c.answered
		return nil
	})
}

func (c *keepAliveClient) receive(message []byte) []byte {
	seconds := uint64(0)
	visit(message, func(field protowire.Number, number uint64, _ []byte) bool {
		if field == 3 {
			seconds = number
		}
		return true
	})
	if seconds != leaseSeconds {
		c.worker.fail(fmt.Errorf("a lease was kept alive for %d seconds", seconds))
	}
	if !c.job.plan.measuring.Load() {
		c.answered <- struct{}{}
		return nil
	}
	now := time.Now()
	c.worker.requests++
	c.worker.responseBytes += int64(len(message))
	c.worker.latencies.add(now.Sub(c.sent))
	if !c.job.plan.more(now) {
		c.job.ended.Done()
		return nil
	}
	c.sent = now
	return c.request
}

func (j *keepAliveJob) measure(p *plan) error {
	p.measuring.Store(true)
	j.ended.Add(len(j.clients))
	for _, c := range j.clients {
		c.sent = time.Now()
		if err := c.stream.send(c.request); err != nil {
			return err
		}
	}
	j.ended.Wait()
	return nil
}

func (j *keepAliveJob) close() {
	_ = j.each(func(c *keepAliveClient, call unaryCall) error {
		if c.lease == 0 {
			return nil
		}
		_, err := call(revokePath, appendVarint(nil, 1, c.lease))
		return err
	})
}

type unaryCall func(method string, request []byte) ([]byte, error)

// each does something for all clients at once; the first failure is given.
func (j *keepAliveJob) each(do func(*keepAliveClient, unaryCall) error) error {
	connection, err := dialGrpc(j.o.endpoints[0])
	if err != nil {
		return err
	}
	defer connection.Close()
	call := func(method string, request []byte) (response []byte, err error) {
		err = connection.Invoke(context.Background(), method, &request, &response)
		return response, err
	}
	failures := make(chan error, len(j.clients))
	for _, c := range j.clients {
		go func() { failures <- do(c, call) }()
	}
	for range j.clients {
		if failure := <-failures; failure != nil {
			err = failure
		}
	}
	return err
}
