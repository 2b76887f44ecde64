// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/proxy"
	translator "k8s.io/apiserver/pkg/util/proxy"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	"k8s.io/cri-streaming/pkg/streaming"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	"k8s.io/streaming/pkg/httpstream/wsstream"
	utilexec "k8s.io/utils/exec"
)

// What runs "in containers": the same words as test/stream/driver.c knows.
type words struct{}

func (words) Exec(ctx context.Context, id string, cmd []string, in io.Reader, out, errOut io.WriteCloser, tty bool, resize <-chan remotecommand.TerminalSize) error {
	number := 0
	if len(cmd) > 1 {
		number, _ = strconv.Atoi(cmd[1])
	}
	switch cmd[0] {
	case "cat":
		io.Copy(out, in)
	case "both":
		io.WriteString(out, "out")
		io.WriteString(errOut, "err")
	case "spit":
		p := make([]byte, 10000)
		for ; number > 0; number -= len(p) {
			if _, err := out.Write(p); err != nil {
				return nil
			}
		}
	case "sizes":
		for s := range resize {
			if s.Width == 1 {
				return nil
			}
			fmt.Fprintf(out, "%dx%d ", s.Width, s.Height)
		}
	case "exit":
		if number == 0 {
			return nil
		}
		return utilexec.CodeExitError{Err: fmt.Errorf("exit status %d", number), Code: number}
	default:
		return fmt.Errorf("exec: %q: executable file not found in $PATH", cmd[0])
	}
	return nil
}

func (w words) Attach(ctx context.Context, id string, in io.Reader, out, errOut io.WriteCloser, tty bool, resize <-chan remotecommand.TerminalSize) error {
	return w.Exec(ctx, id, []string{"cat"}, in, out, errOut, tty, resize)
}

func (words) PortForward(ctx context.Context, id string, port int32, s io.ReadWriteCloser) error {
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return err
	}
	defer c.Close()
	go func() { io.Copy(c, s); c.(*net.TCPConn).CloseWrite() }()
	io.Copy(s, c)
	return nil
}

type plainErrors struct{}

func (plainErrors) Error(w http.ResponseWriter, req *http.Request, err error) {
	http.Error(w, err.Error(), 500)
}

// Kubernetes' API server's part before containerd's: the translator from WebSocket v5 to SPDY v4, the tunnel, the upgrade proxy.
func serve() {
	config := streaming.DefaultConfig
	var handler http.Handler
	cri := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	config.BaseURL, _ = url.Parse(cri.URL)
	s, err := streaming.NewServer(config, words{})
	if err != nil {
		panic(err)
	}
	handler = s
	_, port := echoServer()
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		is := func(name string) bool { return q.Get(name) == "true" }
		path := strings.TrimPrefix(r.URL.Path, "/spdy")
		if path != r.URL.Path && wsstream.IsWebSocketRequest(r) {
			http.Error(w, "no WebSocket here", 400)
			return
		}
		var where string
		switch path {
		case "/exec":
			x, err := s.GetExec(&runtimeapi.ExecRequest{ContainerId: "c", Cmd: q["command"], Tty: is("tty"), Stdin: is("stdin"), Stdout: is("stdout"), Stderr: is("stderr")})
			if err != nil {
				http.Error(w, err.Error(), 400)
				return
			}
			where = x.Url
		case "/portforward":
			x, _ := s.GetPortForward(&runtimeapi.PortForwardRequest{PodSandboxId: "sandbox"})
			where = x.Url
		default:
			http.NotFound(w, r)
			return
		}
		u, _ := url.Parse(where)
		if path == "/exec" && wsstream.IsWebSocketRequestWithStreamCloseProtocol(r) {
			translator.NewStreamTranslatorHandler(u, http.DefaultTransport, 0, translator.Options{Stdin: is("stdin"), Stdout: is("stdout"), Stderr: is("stderr"), Tty: is("tty")}).ServeHTTP(w, r)
			return
		}
		var h http.Handler = proxy.NewUpgradeAwareHandler(u, http.DefaultTransport, false, true, plainErrors{})
		if path == "/portforward" && wsstream.IsWebSocketRequestWithTunnelingProtocol(r) {
			h = translator.NewTunnelingHandler(h)
		}
		h.ServeHTTP(w, r)
	}))
	u, _ := url.Parse(front.URL)
	fmt.Println(u.Port(), port)
	select {}
}
