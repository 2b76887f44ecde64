// SPDX-License-Identifier: Apache-2.0

// Drives a server of Kubernetes' streaming protocols (test/stream/driver.c) with Kubernetes' own client library:
// SPDY and WebSocket executors, port-forward through SPDY and through the tunnel, and channels by hand. One line a case.
// With "serve" it is the other side: Kubernetes' own servers of the same, for our clients.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/transport/spdy"
	utilexec "k8s.io/client-go/util/exec"
)

var base string

type dialect struct {
	name string
	new  func(u *url.URL) (remotecommand.Executor, error)
}

func config() *rest.Config { return &rest.Config{Host: base} }

func dialects() []dialect {
	ds := []dialect{
		{"spdy", func(u *url.URL) (remotecommand.Executor, error) {
			return remotecommand.NewSPDYExecutor(config(), "POST", u)
		}},
		{"websocket v5", func(u *url.URL) (remotecommand.Executor, error) {
			return remotecommand.NewWebSocketExecutor(config(), "GET", u.String())
		}},
		{"fallback", func(u *url.URL) (remotecommand.Executor, error) {
			ws, err := remotecommand.NewWebSocketExecutor(config(), "GET", u.String())
			if err != nil {
				return nil, err
			}
			s, err := remotecommand.NewSPDYExecutor(config(), "POST", u)
			if err != nil {
				return nil, err
			}
			return remotecommand.NewFallbackExecutor(ws, s, func(err error) bool { return httpstream.IsUpgradeFailure(err) })
		}},
	}
	for _, v := range []string{"v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io"} {
		v := v
		ds = append(ds, dialect{"spdy " + v, func(u *url.URL) (remotecommand.Executor, error) {
			rt, up, err := spdy.RoundTripperFor(config())
			if err != nil {
				return nil, err
			}
			return remotecommand.NewSPDYExecutorForProtocols(rt, up, "POST", u, v)
		}})
	}
	ds = append(ds, dialect{"websocket v4", func(u *url.URL) (remotecommand.Executor, error) {
		return remotecommand.NewWebSocketExecutorForProtocols(config(), "GET", u.String(), "v4.channel.k8s.io")
	}})
	return ds
}

type sizes struct{ v []remotecommand.TerminalSize }

func (s *sizes) Next() *remotecommand.TerminalSize {
	if len(s.v) == 0 {
		return nil
	}
	x := s.v[0]
	s.v = s.v[1:]
	return &x
}

func target(path string, in, out, err, tty bool, cmd ...string) *url.URL {
	u, _ := url.Parse(base + path)
	q := url.Values{}
	for _, c := range cmd {
		q.Add("command", c)
	}
	for k, v := range map[string]bool{"stdin": in, "stdout": out, "stderr": err, "tty": tty} {
		if v {
			q.Set(k, "true")
		}
	}
	u.RawQuery = q.Encode()
	return u
}

func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i % 251)
	}
	return p
}

func run(d dialect, u *url.URL, o remotecommand.StreamOptions) error {
	x, err := d.new(u)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return x.StreamWithContext(ctx, o)
}

func cat(d dialect, path string, n int) error {
	in, out := pattern(n), &bytes.Buffer{}
	if err := run(d, target(path, true, true, false, false, "cat"), remotecommand.StreamOptions{Stdin: bytes.NewReader(in), Stdout: out}); err != nil {
		return err
	}
	if !bytes.Equal(in, out.Bytes()) {
		return fmt.Errorf("%d bytes came back, not %d", out.Len(), n)
	}
	return nil
}

func both(d dialect, path string) error {
	var out, errOut bytes.Buffer
	if err := run(d, target(path, false, true, true, false, "both"), remotecommand.StreamOptions{Stdout: &out, Stderr: &errOut}); err != nil {
		return err
	}
	if out.String() != "out" || errOut.String() != "err" {
		return fmt.Errorf("%q and %q", out.String(), errOut.String())
	}
	return nil
}

func spit(d dialect, path string) error {
	out := &bytes.Buffer{}
	if err := run(d, target(path, false, true, false, false, "spit", "20000000"), remotecommand.StreamOptions{Stdout: out}); err != nil {
		return err
	}
	if out.Len() != 20000000 {
		return fmt.Errorf("%d bytes", out.Len())
	}
	return nil
}

func exit(d dialect, path string) error {
	err := run(d, target(path, false, true, false, false, "exit", "42"), remotecommand.StreamOptions{Stdout: io.Discard})
	if strings.Contains(d.name, "v2") || strings.Contains(d.name, "v3") {
		if err == nil || !strings.Contains(err.Error(), "command terminated with non-zero exit code") {
			return fmt.Errorf("error is %v", err)
		}
		return nil
	}
	var code utilexec.CodeExitError
	if !errors.As(err, &code) || code.Code != 42 {
		return fmt.Errorf("error is %v", err)
	}
	return nil
}

func fail(d dialect, path string) error {
	err := run(d, target(path, false, true, false, false, "nosuch"), remotecommand.StreamOptions{Stdout: io.Discard})
	if err == nil || !strings.Contains(err.Error(), "executable file not found in $PATH") {
		return fmt.Errorf("error is %v", err)
	}
	return nil
}

func resize(d dialect, path string) error {
	if strings.Contains(d.name, "v2") {
		return nil // has none
	}
	out := &bytes.Buffer{}
	q := &sizes{[]remotecommand.TerminalSize{{Width: 80, Height: 24}, {Width: 132, Height: 43}, {Width: 1, Height: 1}}}
	if err := run(d, target(path, true, true, false, true, "sizes"), remotecommand.StreamOptions{Stdin: bytes.NewReader(nil), Stdout: out, Tty: true, TerminalSizeQueue: q}); err != nil {
		return err
	}
	if out.String() != "80x24 132x43 " {
		return fmt.Errorf("%q", out.String())
	}
	return nil
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// A command that ends while stdin is still being sent: the exit code must come through.
func unread(d dialect, path string) error {
	err := run(d, target(path, true, true, false, false, "exit", "7"), remotecommand.StreamOptions{Stdin: endless{}, Stdout: io.Discard})
	if err == nil || !strings.Contains(err.Error(), "exit code") {
		return fmt.Errorf("error is %v", err)
	}
	return nil
}

func missing(d dialect) error {
	err := run(d, target("/none", false, true, false, false, "x"), remotecommand.StreamOptions{Stdout: io.Discard})
	if err == nil {
		return errors.New("no error")
	}
	if strings.Contains(d.name, "websocket") {
		return nil // its error does not carry the body in every release
	}
	if !strings.Contains(err.Error(), `pods "x" not found`) {
		return fmt.Errorf("error is %v", err)
	}
	return nil
}

// --- port-forward

func echoServer() (net.Listener, int) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(c, c); c.Close() }()
		}
	}()
	return l, l.Addr().(*net.TCPAddr).Port
}

func dialer(tunnel bool) (httpstream.Dialer, error) {
	u, _ := url.Parse(base + "/portforward")
	if tunnel {
		return portforward.NewSPDYOverWebsocketDialer(u, config())
	}
	rt, up, err := spdy.RoundTripperFor(config())
	if err != nil {
		return nil, err
	}
	return spdy.NewDialer(up, &http.Client{Transport: rt}, "POST", u), nil
}

func forward(tunnel bool) error {
	l, port := echoServer()
	defer l.Close()
	d, err := dialer(tunnel)
	if err != nil {
		return err
	}
	stop, ready, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	f, err := portforward.New(d, []string{"0:" + strconv.Itoa(port)}, stop, ready, io.Discard, os.Stderr)
	if err != nil {
		return err
	}
	go func() { done <- f.ForwardPorts() }()
	select {
	case <-ready:
	case err := <-done:
		return err
	}
	ports, err := f.GetPorts()
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	errs := make(chan error, 20)
	for i := 0; i < 10; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			errs <- echo(int(ports[0].Local), 1000000)
		}()
	}
	wg.Wait()
	for i := 0; i < 10; i++ {
		if err := <-errs; err != nil {
			return err
		}
	}
	// and many one after another, over the same connection
	for i := 0; i < 300; i++ {
		if err := echo(int(ports[0].Local), 100); err != nil {
			return fmt.Errorf("connection %d: %v", i, err)
		}
	}
	close(stop)
	return <-done
}

func echo(port, n int) error {
	c, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	p := pattern(n)
	go func() { c.Write(p); c.(*net.TCPConn).CloseWrite() }()
	got, err := io.ReadAll(c)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, p) {
		return fmt.Errorf("%d bytes came back, not %d", len(got), n)
	}
	return nil
}

func refused(tunnel bool) error {
	d, err := dialer(tunnel)
	if err != nil {
		return err
	}
	c, _, err := d.Dial("portforward.k8s.io")
	if err != nil {
		return err
	}
	defer c.Close()
	h := http.Header{}
	h.Set("streamType", "error")
	h.Set("port", "1")
	h.Set("requestID", "0")
	e, err := c.CreateStream(h)
	if err != nil {
		return err
	}
	e.Close()
	h.Set("streamType", "data")
	if _, err := c.CreateStream(h); err != nil {
		return err
	}
	text, err := io.ReadAll(e)
	if err != nil || !strings.Contains(string(text), "error forwarding port 1 to pod sandbox") || !strings.Contains(string(text), "refused") {
		return fmt.Errorf("%q, %v", text, err)
	}
	return nil
}

func forwardChannels(protocol string) error {
	l, port := echoServer()
	defer l.Close()
	ws := websocket.Dialer{Subprotocols: []string{protocol}, HandshakeTimeout: 5 * time.Second}
	c, _, err := ws.Dial("ws"+strings.TrimPrefix(base, "http")+"/portforward?ports="+strconv.Itoa(port), nil)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	for i := 0; i < 2; i++ {
		_, p, err := c.ReadMessage()
		if err != nil || len(p) != 3 || p[0] != byte(i) || int(p[1])|int(p[2])<<8 != port {
			return fmt.Errorf("first message %d: %v, %v", i, p, err)
		}
	}
	if err := c.WriteMessage(websocket.BinaryMessage, []byte("\x00hello")); err != nil {
		return err
	}
	_, p, err := c.ReadMessage()
	if err != nil || string(p) != "\x00hello" {
		return fmt.Errorf("%q, %v", p, err)
	}
	return nil
}

func main() {
	if os.Args[1] == "serve" {
		serve()
	}
	base = "http://127.0.0.1:" + os.Args[1]
	bad := 0
	say := func(name string, err error) {
		if err != nil {
			bad++
			fmt.Printf("FAIL %s: %v\n", name, err)
		} else {
			fmt.Printf("ok   %s\n", name)
		}
	}
	for _, d := range dialects() {
		for _, path := range []string{"/exec", "/direct/exec"} {
			name := d.name + " " + path + ": "
			if d.name != "websocket v4" { // its client cannot say that stdin has ended
				say(name+"cat", cat(d, path, 3000000))
				say(name+"cat nothing", cat(d, path, 0))
			}
			say(name+"both outputs", both(d, path))
			say(name+"20 MB of output", spit(d, path))
			say(name+"exit code", exit(d, path))
			say(name+"cannot run", fail(d, path))
			say(name+"terminal sizes", resize(d, path))
			say(name+"stdin nobody reads", unread(d, path))
		}
		say(d.name+": no such pod", missing(d))
	}
	for _, tunnel := range []bool{false, true} {
		name := map[bool]string{false: "spdy", true: "tunnel"}[tunnel]
		say("port-forward "+name+": connections beside and behind each other", forward(tunnel))
		say("port-forward "+name+": refused port", refused(tunnel))
	}
	say("port-forward channels", forwardChannels("v4.channel.k8s.io"))
	if bad > 0 {
		os.Exit(1)
	}
}
