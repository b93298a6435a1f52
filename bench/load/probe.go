package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"time"
)

const probeInterval = 2 * time.Millisecond

// probe prints "ready", then tries until a linearizable read of one key is answered, and prints when that was.
func probe(o options) error {
	fmt.Println("ready")
	deadline := time.Now().Add(o.duration)
	var err error
	for time.Now().Before(deadline) {
		if err = probeOnce(o.endpoints[0], deadline); err == nil {
			answered := float64(time.Now().UnixNano()) / 1e6
			return json.NewEncoder(os.Stdout).Encode(map[string]float64{"answeredAtMs": answered})
		}
		time.Sleep(probeInterval)
	}
	return fmt.Errorf("no answer in %v: %w", o.duration, err)
}

func probeOnce(endpoint string, deadline time.Time) error {
	// A refused connection is noticed at once this way; grpc-go would wait a second before it tries again.
	tcp, err := net.DialTimeout("tcp", endpoint, time.Second)
	if err != nil {
		return err
	}
	tcp.Close()
	connection, err := dialGrpc(endpoint)
	if err != nil {
		return err
	}
	defer connection.Close()
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	request := appendRange(nil, rangeRequest{key: keyOf(0)})
	var response []byte
	if err := connection.Invoke(ctx, rangePath, &request, &response); err != nil {
		return err
	}
	if revisionOf(response) == 0 {
		return fmt.Errorf("an answer without a revision")
	}
	return nil
}

// startBackgroundPuts makes new keys at a steady rate beside the measured requests.
func startBackgroundPuts(o options) func() {
	if o.backgroundPuts == 0 {
		return func() {}
	}
	connection, err := dialGrpc(o.endpoints[0])
	if err != nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(time.Second / time.Duration(o.backgroundPuts))
		defer ticker.Stop()
		for number := 0; ; number++ {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			request := appendPut(nil, fmt.Sprintf("%s%09d/%s/%d", prefix, number*7919%o.keys, o.run, number), []byte("new"))
			var response []byte
			_ = connection.Invoke(ctx, putPath, &request, &response)
		}
	}()
	return func() {
		cancel()
		<-ended
		connection.Close()
	}
}
