package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// leanStreams opens streams over HTTP/2 framing with nothing around it: one goroutine a connection reads, and what
// is answered while a packet is read leaves in one write.
type leanStreams struct {
	connections []*leanStreamConnection
	closed      atomic.Bool
}

func newLeanStreams(o options, failed func(error)) (*leanStreams, error) {
	l := &leanStreams{}
	for at := range o.connections {
		tcp, err := net.Dial("tcp", o.endpoints[at%len(o.endpoints)])
		if err != nil {
			return nil, err
		}
		c, err := newLeanStreamConnection(tcp)
		if err != nil {
			return nil, err
		}
		l.connections = append(l.connections, c)
		go func() {
			if err := c.read(); !l.closed.Load() {
				failed(err)
			}
		}()
	}
	return l, nil
}

func (l *leanStreams) open(connection int, method string, receive receiver) (messageStream, error) {
	return l.connections[connection].open(method, receive)
}

func (l *leanStreams) close() {
	l.closed.Store(true)
	for _, c := range l.connections {
		c.tcp.Close()
	}
}

type leanStream struct {
	connection *leanStreamConnection
	id         uint32
	receive    receiver
	sendWindow int64
	unreported int
	// body is what has come of a message that is not whole yet.
	body []byte
}

// waitingMessage is one that a window holds up.
type waitingMessage struct {
	stream *leanStream
	framed []byte
}

type leanStreamConnection struct {
	tcp    net.Conn
	reader *bufio.Reader
	frames *http2.Framer
	// mutex guards everything below, and what the framer writes.
	mutex         sync.Mutex
	out           bytes.Buffer
	streams       map[uint32]*leanStream
	waiting       []waitingMessage
	nextStream    uint32
	sendWindow    int64
	initialWindow int64
	unreported    int
	encoder       *hpack.Encoder
	encoded       bytes.Buffer
}

func newLeanStreamConnection(tcp net.Conn) (*leanStreamConnection, error) {
	c := &leanStreamConnection{
		tcp: tcp, reader: bufio.NewReaderSize(tcp, readBufferBytes), streams: map[uint32]*leanStream{},
		nextStream: 1, sendWindow: 65535, initialWindow: 65535,
	}
	c.encoder = hpack.NewEncoder(&c.encoded)
	c.frames = http2.NewFramer(&c.out, c.reader)
	c.frames.SetReuseFrames()
	c.out.WriteString(http2.ClientPreface)
	settings := []http2.Setting{
		{ID: http2.SettingInitialWindowSize, Val: streamWindow}, {ID: http2.SettingEnablePush, Val: 0},
	}
	if err := c.frames.WriteSettings(settings...); err != nil {
		return nil, err
	}
	if err := c.frames.WriteWindowUpdate(0, connectionWindow-65535); err != nil {
		return nil, err
	}
	return c, c.flush()
}

func (c *leanStreamConnection) open(method string, receive receiver) (messageStream, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	s := &leanStream{connection: c, id: c.nextStream, receive: receive, sendWindow: c.initialWindow}
	c.nextStream += 2
	c.streams[s.id] = s
	c.encoded.Reset()
	for _, field := range requestFields(method) {
		// bytes.Buffer takes every write.
		_ = c.encoder.WriteField(field)
	}
	err := c.frames.WriteHeaders(http2.HeadersFrameParam{
		StreamID: s.id, BlockFragment: c.encoded.Bytes(), EndHeaders: true,
	})
	if err != nil {
		return nil, err
	}
	return s, c.flush()
}

func (s *leanStream) send(message []byte) error {
	c := s.connection
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.push(s, message)
	if err := c.drain(); err != nil {
		return err
	}
	return c.flush()
}

func (c *leanStreamConnection) push(s *leanStream, message []byte) {
	framed := binary.BigEndian.AppendUint32(make([]byte, 1, 5+len(message)), uint32(len(message)))
	c.waiting = append(c.waiting, waitingMessage{stream: s, framed: append(framed, message...)})
}

// drain frames what the windows let out. Messages are small: each is one frame.
func (c *leanStreamConnection) drain() error {
	for len(c.waiting) > 0 {
		first := c.waiting[0]
		length := int64(len(first.framed))
		if length > c.sendWindow || length > first.stream.sendWindow {
			return nil
		}
		c.sendWindow -= length
		first.stream.sendWindow -= length
		c.waiting = c.waiting[1:]
		if err := c.frames.WriteData(first.stream.id, false, first.framed); err != nil {
			return err
		}
	}
	c.waiting = nil
	return nil
}

func (c *leanStreamConnection) flush() error {
	if c.out.Len() == 0 {
		return nil
	}
	_, err := c.tcp.Write(c.out.Bytes())
	c.out.Reset()
	return err
}

func (c *leanStreamConnection) read() error {
	for {
		frame, err := c.frames.ReadFrame()
		if err != nil {
			return err
		}
		if err := c.handle(frame); err != nil {
			return err
		}
		if c.reader.Buffered() >= frameHeaderBytes {
			continue
		}
		c.mutex.Lock()
		err = c.drain()
		if err == nil {
			err = c.flush()
		}
		c.mutex.Unlock()
		if err != nil {
			return err
		}
	}
}

func (c *leanStreamConnection) handle(frame http2.Frame) error {
	if data, ok := frame.(*http2.DataFrame); ok {
		return c.data(data)
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	switch frame := frame.(type) {
	case *http2.HeadersFrame:
		if frame.StreamEnded() {
			return fmt.Errorf("the server ended a stream that was to stay open")
		}
	case *http2.SettingsFrame:
		if frame.IsAck() {
			return nil
		}
		if size, ok := frame.Value(http2.SettingInitialWindowSize); ok {
			for _, s := range c.streams {
				s.sendWindow += int64(size) - c.initialWindow
			}
			c.initialWindow = int64(size)
		}
		return c.frames.WriteSettingsAck()
	case *http2.PingFrame:
		if !frame.IsAck() {
			return c.frames.WritePing(true, frame.Data)
		}
	case *http2.WindowUpdateFrame:
		if frame.StreamID == 0 {
			c.sendWindow += int64(frame.Increment)
		} else if s := c.streams[frame.StreamID]; s != nil {
			s.sendWindow += int64(frame.Increment)
		}
	case *http2.RSTStreamFrame:
		return fmt.Errorf("stream reset: %v", frame.ErrCode)
	case *http2.GoAwayFrame:
		return fmt.Errorf("the server said goodbye: %v", frame.ErrCode)
	}
	return nil
}

func (c *leanStreamConnection) data(frame *http2.DataFrame) error {
	c.mutex.Lock()
	s := c.streams[frame.StreamID]
	err := c.account(s, len(frame.Data()))
	c.mutex.Unlock()
	if err != nil {
		return err
	}
	bytes := frame.Data()
	if len(s.body) > 0 {
		s.body = append(s.body, bytes...)
		bytes = s.body
	}
	for len(bytes) >= 5 {
		end := 5 + int(binary.BigEndian.Uint32(bytes[1:]))
		if len(bytes) < end {
			break
		}
		if reply := s.receive(bytes[5:end]); reply != nil {
			c.mutex.Lock()
			c.push(s, reply)
			c.mutex.Unlock()
		}
		bytes = bytes[end:]
	}
	s.body = append(s.body[:0], bytes...)
	return nil
}

// account gives back the windows that the server has used, a quarter at a time.
func (c *leanStreamConnection) account(s *leanStream, length int) error {
	if s == nil {
		return fmt.Errorf("data on a stream that is not open")
	}
	c.unreported += length
	s.unreported += length
	if c.unreported > connectionWindow/4 {
		if err := c.frames.WriteWindowUpdate(0, uint32(c.unreported)); err != nil {
			return err
		}
		c.unreported = 0
	}
	if s.unreported > streamWindow/4 {
		if err := c.frames.WriteWindowUpdate(s.id, uint32(s.unreported)); err != nil {
			return err
		}
		s.unreported = 0
	}
	return nil
}
