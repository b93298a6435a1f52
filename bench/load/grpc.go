package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// bytesCodec hands messages through as they are.
type bytesCodec struct{}

func (bytesCodec) Name() string { return "" }

func (bytesCodec) Marshal(message any) ([]byte, error) {
	bytes, ok := message.(*[]byte)
	if !ok {
		return nil, fmt.Errorf("no message: %T", message)
	}
	return *bytes, nil
}

func (bytesCodec) Unmarshal(data []byte, message any) error {
	bytes, ok := message.(*[]byte)
	if !ok {
		return fmt.Errorf("no message: %T", message)
	}
	*bytes = data
	return nil
}

func dialGrpc(endpoint string) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///"+endpoint,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(bytesCodec{}), grpc.MaxCallRecvMsgSize(math.MaxInt32)))
}

// driveGrpc runs the plan with one goroutine a client over grpc-go as any program would use it.
func driveGrpc(o options, p *plan) error {
	connections := make([]*grpc.ClientConn, o.connections)
	for at := range connections {
		connection, err := dialGrpc(o.endpoints[at%len(o.endpoints)])
		if err != nil {
			return err
		}
		defer connection.Close()
		connections[at] = connection
	}
	var ended sync.WaitGroup
	p.ready.Add(o.clients)
	for client, w := range p.workers {
		connection := connections[client%len(connections)]
		ended.Go(func() { grpcClient(p, client, w, connection) })
	}
	p.release()
	ended.Wait()
	p.finish()
	return nil
}

func grpcClient(p *plan, client int, w *worker, connection *grpc.ClientConn) {
	if _, err := grpcCall(p.job, client, connection, nil); err != nil {
		w.fail(err)
	}
	p.ready.Done()
	<-p.start
	var buffer []byte
	for before := time.Now(); p.more(before); {
		buffer = buffer[:0]
		bytes, err := grpcCall(p.job, client, connection, buffer)
		now := time.Now()
		if err != nil {
			w.fail(err)
		}
		w.requests++
		w.responseBytes += bytes
		w.latencies.add(now.Sub(before))
		before = now
	}
}

func grpcCall(job workload, client int, connection *grpc.ClientConn, buffer []byte) (int64, error) {
	request := job.next(client, buffer)
	if job.streams() {
		return grpcStream(job, client, connection, &request)
	}
	var response []byte
	if err := connection.Invoke(context.Background(), job.method(), &request, &response); err != nil {
		return 0, err
	}
	return int64(len(response)), finishAnswer(job, client, response)
}

func finishAnswer(job workload, client int, message []byte) error {
	if err := job.answer(client, message); err != nil {
		return err
	}
	if whole, ok := job.(last); ok {
		return whole.end(client)
	}
	return nil
}

func grpcStream(job workload, client int, connection *grpc.ClientConn, request *[]byte) (int64, error) {
	stream, err := connection.NewStream(context.Background(), &grpc.StreamDesc{ServerStreams: true}, job.method())
	if err != nil {
		return 0, err
	}
	if err := stream.SendMsg(request); err != nil {
		return 0, err
	}
	if err := stream.CloseSend(); err != nil {
		return 0, err
	}
	var bytes int64
	for {
		var response []byte
		err := stream.RecvMsg(&response)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return bytes, err
		}
		bytes += int64(len(response))
		if err := job.answer(client, response); err != nil {
			return bytes, err
		}
	}
	if whole, ok := job.(last); ok {
		return bytes, whole.end(client)
	}
	return bytes, nil
}
