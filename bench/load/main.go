// The load generator of the benchmark: closed-loop clients that send one request each and wait for its answer.
// It speaks to any etcd v3 server, and is the same program for all that are compared.
//
// Requests are written, and answers read, by hand-made protobuf code, so that what a client costs is the cost of
// its gRPC library. Which one is a choice: "grpc-go" is what most programs use; "lean" is HTTP/2 framing with
// nothing around it, for servers that answer faster than grpc-go can ask.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
)

// options say what is asked, by how many, and for how long.
type options struct {
	endpoints      []string
	client         string
	workload       string
	clients        int
	connections    int
	requests       int64
	duration       time.Duration
	keys           int
	from           int
	valueBytes     int
	limit          int
	backgroundPuts int
	streams        int
	watches        int
	rate           int
	run            string
}

// summary is what a run prints at its end, as one line of JSON.
type summary struct {
	Requests       int64       `json:"requests"`
	Errors         int64       `json:"errors"`
	FirstError     string      `json:"firstError"`
	Seconds        float64     `json:"seconds"`
	ResponseBytes  int64       `json:"responseBytes"`
	CPUSeconds     float64     `json:"cpuSeconds"`
	LatencyBuckets [][2]int64  `json:"latencyBuckets"`
	Extra          interface{} `json:"extra,omitempty"`
}

func parseOptions() options {
	var o options
	var endpoints string
	flag.StringVar(&endpoints, "endpoints", "127.0.0.1:2379", "comma separated host:port, the first takes the first connection")
	flag.StringVar(&o.client, "client", "grpc-go", "grpc-go or lean")
	flag.StringVar(&o.workload, "workload", "put", "what is asked, see workloads.go, watch.go, lease.go; or probe")
	flag.IntVar(&o.clients, "clients", 1, "requests in flight at most")
	flag.IntVar(&o.connections, "connections", 1, "TCP connections, shared by the clients")
	flag.Int64Var(&o.requests, "requests", 0, "ends after this many, 0: not by count")
	flag.DurationVar(&o.duration, "duration", 10*time.Second, "ends after this time at the latest")
	flag.IntVar(&o.keys, "keys", 10_000, "keys in the store, or to be written")
	flag.IntVar(&o.from, "from", 0, "number of the first key that fill writes")
	flag.IntVar(&o.valueBytes, "value-bytes", 256, "size of a value")
	flag.IntVar(&o.limit, "limit", 0, "keys in a page")
	flag.IntVar(&o.backgroundPuts, "background-puts", 0, "puts of new keys a second beside the measured requests")
	flag.IntVar(&o.streams, "streams", 1, "streams of watches, shared by the connections")
	flag.IntVar(&o.watches, "watches", 1, "watches of each stream")
	flag.IntVar(&o.rate, "rate", 1_000, "puts a second where they come steadily")
	flag.StringVar(&o.run, "run", "r", "goes into the names of keys that must be new to each run")
	flag.Parse()
	o.endpoints = strings.Split(endpoints, ",")
	return o
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

func main() {
	if err := run(parseOptions()); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	if o.workload == "probe" {
		return probe(o)
	}
	// A server that stops answering must not hold the benchmark: twice the time, and what starting may take.
	watchdog := time.AfterFunc(2*o.duration+30*time.Second, func() {
		fmt.Fprintln(os.Stderr, "load: no end in sight, given up")
		os.Exit(3)
	})
	defer watchdog.Stop()
	plan := newPlan(o)
	if job := newStreamJob(o, plan); job != nil {
		if o.workload == "hold-watches" {
			watchdog.Stop()
		}
		if err := driveStreams(o, plan, job); err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(plan.summary())
	}
	job, err := newWorkload(o)
	if err != nil {
		return err
	}
	plan.job = job
	stopBackground := startBackgroundPuts(o)
	defer stopBackground()
	switch o.client {
	case "grpc-go":
		err = driveGrpc(o, plan)
	case "lean":
		err = driveLean(o, plan)
	default:
		err = fmt.Errorf("no client %q", o.client)
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(plan.summary())
}
