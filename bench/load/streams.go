package main

import (
	"context"
	"fmt"
	"sync"

	"google.golang.org/grpc"
)

// receiver is told of each message of a stream, one after the other, and may answer it. The message is its to keep
// only until it returns.
type receiver func(message []byte) (reply []byte)

// messageStream is a call that stays open.
type messageStream interface {
	send(message []byte) error
}

// streamClient opens calls that stay open, on the connections of a run.
type streamClient interface {
	open(connection int, method string, receive receiver) (messageStream, error)
	close()
}

// streamJob is a run over such calls.
type streamJob interface {
	// prepare opens the streams and waits until the server has taken what they ask for; nothing of it is measured.
	prepare(client streamClient) error
	// measure works until the plan has no more, and until all that is expected has come.
	measure(p *plan) error
	close()
}

// newStreamJob gives nil where the workload is one of single requests.
func newStreamJob(o options, p *plan) streamJob {
	switch o.workload {
	case "watch", "watch-all", "watch-latency", "watch-bursts", "hold-watches":
		return newWatchJob(o, p)
	case "keep-alive":
		return &keepAliveJob{o: o, plan: p}
	}
	return nil
}

func newStreamClient(o options, failed func(error)) (streamClient, error) {
	switch o.client {
	case "grpc-go":
		return newGrpcStreams(o, failed)
	case "lean":
		return newLeanStreams(o, failed)
	}
	return nil, fmt.Errorf("no client %q", o.client)
}

func driveStreams(o options, p *plan, job streamJob) error {
	client, err := newStreamClient(o, p.fail)
	if err != nil {
		return err
	}
	defer client.close()
	defer job.close()
	if err := job.prepare(client); err != nil {
		return err
	}
	p.release()
	if err := job.measure(p); err != nil {
		return err
	}
	p.finish()
	return nil
}

// grpcStreams opens them by grpc-go, with a goroutine for each that reads.
type grpcStreams struct {
	connections []*grpc.ClientConn
	context     context.Context
	cancel      context.CancelFunc
	failed      func(error)
}

func newGrpcStreams(o options, failed func(error)) (*grpcStreams, error) {
	g := &grpcStreams{failed: failed}
	g.context, g.cancel = context.WithCancel(context.Background())
	for at := range o.connections {
		connection, err := dialGrpc(o.endpoints[at%len(o.endpoints)])
		if err != nil {
			return nil, err
		}
		g.connections = append(g.connections, connection)
	}
	return g, nil
}

type grpcMessageStream struct {
	stream grpc.ClientStream
	mutex  sync.Mutex
}

func (s *grpcMessageStream) send(message []byte) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.stream.SendMsg(&message)
}

func (g *grpcStreams) open(connection int, method string, receive receiver) (messageStream, error) {
	description := &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}
	stream, err := g.connections[connection].NewStream(g.context, description, method)
	if err != nil {
		return nil, err
	}
	s := &grpcMessageStream{stream: stream}
	go func() {
		for {
			var message []byte
			err := stream.RecvMsg(&message)
			if err == nil {
				if reply := receive(message); reply != nil {
					err = s.send(reply)
				}
			}
			if err != nil {
				if g.context.Err() == nil {
					g.failed(err)
				}
				return
			}
		}
	}()
	return s, nil
}

func (g *grpcStreams) close() {
	g.cancel()
	for _, connection := range g.connections {
		connection.Close()
	}
}
