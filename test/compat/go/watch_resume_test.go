package compat

import (
	"io"
	"net"
	"strconv"
	"sync"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// breakable forwards connections to a member until it is told to break them all; new ones it takes again.
type breakable struct {
	listener net.Listener
	to       string
	mutex    sync.Mutex
	open     []net.Conn
}

func newBreakable(t *testing.T, to string) *breakable {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	b := &breakable{listener: listener, to: to}
	t.Cleanup(func() {
		_ = listener.Close()
		b.breakAll()
	})
	go b.accept()
	return b
}

func (b *breakable) accept() {
	for {
		near, err := b.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", b.to)
		if err != nil {
			_ = near.Close()
			continue
		}
		b.mutex.Lock()
		b.open = append(b.open, near, far)
		b.mutex.Unlock()
		for _, pair := range [][2]net.Conn{{near, far}, {far, near}} {
			go func() {
				_, _ = io.Copy(pair[0], pair[1])
				_ = pair[0].Close()
			}()
		}
	}
}

func (b *breakable) breakAll() {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	for _, conn := range b.open {
		_ = conn.Close()
	}
	b.open = nil
}

func TestWatchResumesWhereItsConnectionBroke(t *testing.T) {
	const rounds, writes = 6, 40
	c := newClient(t)
	p := space(t)
	road := newBreakable(t, endpoints[0])
	w := watch(t, dialClient(t, []string{road.listener.Addr().String()}), p, "", clientv3.WithPrefix())
	var writer sync.WaitGroup
	writer.Go(func() {
		for n := range rounds * writes {
			if _, err := c.Put(t.Context(), p+strconv.Itoa(n%5), strconv.Itoa(n)); err != nil {
				t.Error(err)
			}
		}
	})
	for n := range rounds * writes {
		if n%writes == writes/2 {
			road.breakAll()
		}
		equal(t, "value", string(w.nextEvent().Kv.Value), strconv.Itoa(n))
	}
	writer.Wait()
}
