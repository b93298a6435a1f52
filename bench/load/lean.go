package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	frameHeaderBytes = 9
	// What the client grants at once, so that a long answer is never held up by it.
	streamWindow     = 16 << 20
	connectionWindow = 1 << 30
	frameBytesMax    = 16384
	readBufferBytes  = 256 << 10
)

// driveLean runs the plan with one goroutine a connection: requests of all its clients that become due while a
// packet is read leave in one write.
func driveLean(o options, p *plan) error {
	var ended sync.WaitGroup
	p.ready.Add(o.connections)
	failures := make(chan error, o.connections)
	for at := range o.connections {
		tcp, err := net.Dial("tcp", o.endpoints[at%len(o.endpoints)])
		if err != nil {
			return err
		}
		defer tcp.Close()
		c := newLeanConnection(tcp, p)
		for client := at; client < o.clients; client += o.connections {
			c.slots = append(c.slots, &slot{client: client, worker: p.workers[client]})
		}
		ended.Go(func() {
			if err := c.run(); err != nil {
				failures <- err
			}
		})
	}
	go p.release()
	ended.Wait()
	p.finish()
	select {
	case err := <-failures:
		return err
	default:
		return nil
	}
}

// slot is one client on a connection: at most one request of it is under way.
type slot struct {
	client  int
	worker  *worker
	sent    time.Time
	stream  uint32
	request []byte
	// toSend is what flow control has not let out yet.
	toSend     []byte
	sendWindow int64
	body       []byte
	unreported int
	status     string
}

type leanConnection struct {
	tcp           net.Conn
	reader        *bufio.Reader
	out           []byte
	plan          *plan
	slots         []*slot
	byStream      map[uint32]*slot
	waiting       []*slot
	nextStream    uint32
	encoder       *hpack.Encoder
	encoded       bytes.Buffer
	decoder       *hpack.Decoder
	decoding      *slot
	sendWindow    int64
	initialWindow int64
	unreported    int
	measured      bool
	underWay      int
}

func newLeanConnection(tcp net.Conn, p *plan) *leanConnection {
	c := &leanConnection{
		tcp: tcp, plan: p, reader: bufio.NewReaderSize(tcp, readBufferBytes), byStream: map[uint32]*slot{},
		nextStream: 1, sendWindow: 65535, initialWindow: 65535,
	}
	c.encoder = hpack.NewEncoder(&c.encoded)
	c.decoder = hpack.NewDecoder(4096, func(field hpack.HeaderField) {
		if field.Name == "grpc-status" && c.decoding != nil {
			c.decoding.status = field.Value
		}
	})
	c.out = append(c.out, http2.ClientPreface...)
	c.frame(http2.FrameSettings, 0, 0, 12)
	c.out = binary.BigEndian.AppendUint16(c.out, uint16(http2.SettingInitialWindowSize))
	c.out = binary.BigEndian.AppendUint32(c.out, streamWindow)
	c.out = binary.BigEndian.AppendUint16(c.out, uint16(http2.SettingEnablePush))
	c.out = binary.BigEndian.AppendUint32(c.out, 0)
	c.grant(0, connectionWindow-65535)
	return c
}

func (c *leanConnection) frame(kind http2.FrameType, flags http2.Flags, stream uint32, length int) {
	c.out = append(c.out, byte(length>>16), byte(length>>8), byte(length), byte(kind), byte(flags))
	c.out = binary.BigEndian.AppendUint32(c.out, stream)
}

func (c *leanConnection) grant(stream uint32, bytes int) {
	c.frame(http2.FrameWindowUpdate, 0, stream, 4)
	c.out = binary.BigEndian.AppendUint32(c.out, uint32(bytes))
}

func (c *leanConnection) run() error {
	err := c.round(false)
	// Failed or not: the others wait for all.
	c.plan.ready.Done()
	if err != nil {
		return err
	}
	<-c.plan.start
	return c.round(true)
}

// round sends one request of every client and, if measured, goes on until the plan has no more.
func (c *leanConnection) round(measured bool) error {
	c.measured = measured
	now := time.Now()
	for _, s := range c.slots {
		if !measured || c.plan.more(now) {
			c.send(s, now)
		}
	}
	for c.underWay > 0 {
		// More may be there to be read: answer it together.
		if c.reader.Buffered() < frameHeaderBytes {
			if _, err := c.tcp.Write(c.out); err != nil {
				return err
			}
			c.out = c.out[:0]
		}
		if err := c.readFrame(); err != nil {
			return err
		}
	}
	return nil
}

func (c *leanConnection) send(s *slot, now time.Time) {
	s.sent, s.stream, s.status, s.body, s.unreported = now, c.nextStream, "", s.body[:0], 0
	s.sendWindow = c.initialWindow
	c.nextStream += 2
	c.byStream[s.stream] = s
	c.underWay++
	c.encoded.Reset()
	for _, field := range requestFields(c.plan.job.method()) {
		// bytes.Buffer takes every write.
		_ = c.encoder.WriteField(field)
	}
	c.frame(http2.FrameHeaders, http2.FlagHeadersEndHeaders, s.stream, c.encoded.Len())
	c.out = append(c.out, c.encoded.Bytes()...)
	s.request = c.plan.job.next(s.client, append(s.request[:0], 0, 0, 0, 0, 0))
	binary.BigEndian.PutUint32(s.request[1:], uint32(len(s.request)-5))
	s.toSend = s.request
	c.push(s)
}

func requestFields(method string) []hpack.HeaderField {
	return []hpack.HeaderField{
		{Name: ":method", Value: "POST"},
		{Name: ":scheme", Value: "http"},
		{Name: ":path", Value: method},
		{Name: ":authority", Value: "127.0.0.1"},
		{Name: "content-type", Value: "application/grpc"},
		{Name: "user-agent", Value: "quorate-bench"},
		{Name: "te", Value: "trailers"},
	}
}

// push sends what the windows let out; the rest waits for a WINDOW_UPDATE.
func (c *leanConnection) push(s *slot) {
	for len(s.toSend) > 0 {
		length := min(int64(len(s.toSend)), frameBytesMax, c.sendWindow, s.sendWindow)
		if length <= 0 {
			c.waiting = append(c.waiting, s)
			return
		}
		flags := http2.Flags(0)
		if length == int64(len(s.toSend)) {
			flags = http2.FlagDataEndStream
		}
		c.frame(http2.FrameData, flags, s.stream, int(length))
		c.out = append(c.out, s.toSend[:length]...)
		s.toSend = s.toSend[length:]
		c.sendWindow -= length
		s.sendWindow -= length
	}
}

func (c *leanConnection) pushAll() {
	waiting := c.waiting
	c.waiting = nil
	for _, s := range waiting {
		c.push(s)
	}
}

func (c *leanConnection) readFrame() error {
	header, err := c.reader.Peek(frameHeaderBytes)
	if err != nil {
		return err
	}
	length := int(header[0])<<16 | int(header[1])<<8 | int(header[2])
	kind, flags := http2.FrameType(header[3]), http2.Flags(header[4])
	stream := binary.BigEndian.Uint32(header[5:]) & 0x7fffffff
	if _, err := c.reader.Discard(frameHeaderBytes); err != nil {
		return err
	}
	payload, err := c.reader.Peek(length)
	if err != nil {
		return err
	}
	if err := c.handle(kind, flags, stream, payload); err != nil {
		return err
	}
	_, err = c.reader.Discard(length)
	return err
}

func (c *leanConnection) handle(kind http2.FrameType, flags http2.Flags, stream uint32, payload []byte) error {
	switch kind {
	case http2.FrameData:
		return c.data(flags, stream, payload)
	case http2.FrameHeaders:
		if flags.Has(http2.FlagHeadersPadded) || !flags.Has(http2.FlagHeadersEndHeaders) {
			return fmt.Errorf("headers in a form that this client does not read")
		}
		c.decoding = c.byStream[stream]
		if flags.Has(http2.FlagHeadersPriority) {
			payload = payload[5:]
		}
		if _, err := c.decoder.Write(payload); err != nil {
			return err
		}
		if err := c.decoder.Close(); err != nil {
			return err
		}
		if flags.Has(http2.FlagHeadersEndStream) {
			return c.finished(stream)
		}
	case http2.FrameSettings:
		if !flags.Has(http2.FlagSettingsAck) {
			c.settings(payload)
		}
	case http2.FramePing:
		if !flags.Has(http2.FlagPingAck) {
			c.frame(http2.FramePing, http2.FlagPingAck, 0, len(payload))
			c.out = append(c.out, payload...)
		}
	case http2.FrameWindowUpdate:
		increment := int64(binary.BigEndian.Uint32(payload))
		if stream == 0 {
			c.sendWindow += increment
		} else if s := c.byStream[stream]; s != nil {
			s.sendWindow += increment
		}
		c.pushAll()
	case http2.FrameRSTStream:
		// A server may add one to an answer that it gave before it saw that the request had ended.
		if c.byStream[stream] == nil {
			return nil
		}
		return fmt.Errorf("stream reset: %v", http2.ErrCode(binary.BigEndian.Uint32(payload)))
	case http2.FrameGoAway:
		return io.ErrUnexpectedEOF
	}
	return nil
}

func (c *leanConnection) settings(payload []byte) {
	for ; len(payload) >= 6; payload = payload[6:] {
		if http2.SettingID(binary.BigEndian.Uint16(payload)) == http2.SettingInitialWindowSize {
			size := int64(binary.BigEndian.Uint32(payload[2:]))
			for _, s := range c.byStream {
				s.sendWindow += size - c.initialWindow
			}
			c.initialWindow = size
		}
	}
	c.frame(http2.FrameSettings, http2.FlagSettingsAck, 0, 0)
	c.pushAll()
}

func (c *leanConnection) data(flags http2.Flags, stream uint32, payload []byte) error {
	s := c.byStream[stream]
	if s == nil {
		return fmt.Errorf("data on stream %d, which is not open", stream)
	}
	c.unreported += len(payload)
	s.unreported += len(payload)
	if c.unreported > connectionWindow/4 {
		c.grant(0, c.unreported)
		c.unreported = 0
	}
	if s.unreported > streamWindow/4 {
		c.grant(stream, s.unreported)
		s.unreported = 0
	}
	s.body = append(s.body, payload...)
	s.worker.responseBytes += int64(len(payload))
	// Of a stream each message is judged as it comes, so that it does not pile up.
	for c.plan.job.streams() && len(s.body) >= 5 {
		end := 5 + int(binary.BigEndian.Uint32(s.body[1:]))
		if len(s.body) < end {
			break
		}
		if err := c.plan.job.answer(s.client, s.body[5:end]); err != nil {
			s.worker.fail(err)
		}
		s.body = append(s.body[:0], s.body[end:]...)
	}
	if flags.Has(http2.FlagDataEndStream) {
		return c.finished(stream)
	}
	return nil
}

func (c *leanConnection) finished(stream uint32) error {
	s := c.byStream[stream]
	if s == nil {
		return fmt.Errorf("the end of stream %d, which is not open", stream)
	}
	delete(c.byStream, stream)
	c.underWay--
	if err := c.judge(s); err != nil {
		s.worker.fail(err)
	}
	if !c.measured {
		return nil
	}
	now := time.Now()
	s.worker.requests++
	s.worker.latencies.add(now.Sub(s.sent))
	if c.plan.more(now) {
		c.send(s, now)
	}
	return nil
}

func (c *leanConnection) judge(s *slot) error {
	if s.status != "0" {
		return fmt.Errorf("grpc-status %q", s.status)
	}
	if c.plan.job.streams() {
		if whole, ok := c.plan.job.(last); ok {
			return whole.end(s.client)
		}
		return nil
	}
	if len(s.body) < 5 {
		return fmt.Errorf("an answer without a message")
	}
	return finishAnswer(c.plan.job, s.client, s.body[5:])
}
