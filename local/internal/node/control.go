package node

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"threetier/local/internal/home"
)

// Status is what the running node says of itself.
type Status struct {
	// Ready says that pods and databases can run.
	Ready bool `json:"ready"`
	// Forwards are the ports on 127.0.0.1, by stack.
	Forwards map[string]Forward `json:"forwards"`
}

// Forward leads a port on 127.0.0.1 to a stack's load balancer.
type Forward struct {
	// Port listens on 127.0.0.1.
	Port int `json:"port"`
	// Target is the load balancer's address and port; empty where the stack isn't up.
	Target string `json:"target,omitempty"`
	// TLSTarget is where connections lead that begin with TLS; empty where the load balancer has no certificate.
	TLSTarget string `json:"tlsTarget,omitempty"`
}

// control answers the commands over a Unix socket.
type control struct {
	home    home.Home
	hostNet *os.File

	mu        sync.Mutex
	status    Status
	listeners map[string]net.Listener
}

func newControl(h home.Home, hostNet *os.File) *control {
	return &control{home: h, hostNet: hostNet, status: Status{Forwards: map[string]Forward{}}, listeners: map[string]net.Listener{}}
}

func (c *control) setReady() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status.Ready = true
}

// serve opens the socket, and the forwards of the last run.
func (c *control) serve(ctx context.Context) error {
	data, err := os.ReadFile(c.home.Path("node", "forwards.json"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the forwards: %w", err)
	}
	if err == nil {
		if err := json.Unmarshal(data, &c.status.Forwards); err != nil {
			return fmt.Errorf("read the forwards: %w", err)
		}
	}
	for stack, f := range c.status.Forwards {
		if f.Target == "" {
			continue // it was destroyed, or never came up
		}
		// A port that somebody else has taken meanwhile is that stack's trouble, at its next up.
		if err := c.listen(ctx, stack); err != nil {
			logger.Printf("forward for %s: %v", stack, err)
		}
	}
	if err := os.RemoveAll(socket(c.home)); err != nil {
		return fmt.Errorf("clear the control socket: %w", err)
	}
	l, err := net.Listen("unix", socket(c.home))
	if err != nil {
		return fmt.Errorf("open the control socket: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if err := json.NewEncoder(w).Encode(c.status); err != nil {
			logger.Printf("answer a status request: %v", err)
		}
	})
	mux.HandleFunc("PUT /forwards/{stack}", func(w http.ResponseWriter, r *http.Request) {
		var f Forward
		if err := json.NewDecoder(r.Body).Decode(&f); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if err := c.forward(ctx, r.PathValue("stack"), f); err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
		}
	})
	mux.HandleFunc("DELETE /forwards/{stack}", func(w http.ResponseWriter, r *http.Request) {
		if err := c.remove(r.PathValue("stack")); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) && ctx.Err() == nil {
			logger.Printf("control socket: %v", err)
		}
	}()
	return nil
}

// forward opens, moves or retargets a stack's port, and remembers it for the next start.
func (c *control) forward(ctx context.Context, stack string, f Forward) error {
	c.mu.Lock()
	old := c.status.Forwards[stack]
	c.status.Forwards[stack] = f
	open := c.listeners[stack] != nil && old.Port == f.Port
	c.mu.Unlock()
	if !open {
		c.close(stack)
		if err := c.listen(ctx, stack); err != nil {
			c.mu.Lock()
			delete(c.status.Forwards, stack)
			c.mu.Unlock()
			return err
		}
	}
	return c.save()
}

// remove closes a stack's port, and keeps its number for the stack's next up.
func (c *control) remove(stack string) error {
	c.close(stack)
	c.mu.Lock()
	if f, known := c.status.Forwards[stack]; known {
		c.status.Forwards[stack] = Forward{Port: f.Port}
	}
	c.mu.Unlock()
	return c.save()
}

func (c *control) close(stack string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.listeners[stack]; l != nil {
		l.Close()
		delete(c.listeners, stack)
	}
}

func (c *control) save() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	data, err := json.Marshal(c.status.Forwards)
	if err != nil {
		return fmt.Errorf("encode the forwards: %w", err)
	}
	return writeFile(c.home.Path("node", "forwards.json"), data)
}

// listen opens the stack's port outside and copies every connection inside.
func (c *control) listen(ctx context.Context, stack string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	port := c.status.Forwards[stack].Port
	l, err := listenIn(c.hostNet, fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return fmt.Errorf("port %d of 127.0.0.1 is in use, want a free one: give it as PORT=…: %w", port, err)
	}
	c.listeners[stack] = l
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c.mu.Lock()
			to := c.status.Forwards[stack]
			c.mu.Unlock()
			go to.lead(ctx, conn.(*net.TCPConn))
		}
	}()
	return nil
}

// tlsHandshake is the first byte of a TLS connection, and of no HTTP request.
const tlsHandshake = 0x16

// lead sends TLS to the one port, and all else to the other: both are at one port outside.
func (f Forward) lead(ctx context.Context, client *net.TCPConn) {
	if f.TLSTarget == "" {
		pipe(ctx, client, f.Target)
		return
	}
	buffered := bufferedConn{client, bufio.NewReader(client)}
	first, err := buffered.reader.Peek(1)
	switch {
	case err != nil:
		client.Close()
	case first[0] == tlsHandshake:
		pipe(ctx, buffered, f.TLSTarget)
	default:
		pipe(ctx, buffered, f.Target)
	}
}

// bufferedConn is a connection of which the beginning was looked at.
type bufferedConn struct {
	*net.TCPConn
	reader *bufio.Reader
}

func (c bufferedConn) Read(p []byte) (int, error) { return c.reader.Read(p) }

// WriteTo hides the connection's own, which would leave out what is in the buffer.
func (c bufferedConn) WriteTo(w io.Writer) (int64, error) { return c.reader.WriteTo(w) }

// halfCloser is a connection that can say that it is done and still listen.
type halfCloser interface {
	net.Conn
	CloseWrite() error
}

// pipe copies both ways until both sides have said that they are done.
func pipe(ctx context.Context, client halfCloser, target string) {
	defer client.Close()
	if target == "" {
		return
	}
	dialer := net.Dialer{Timeout: 5 * time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", target)
	if err != nil {
		logger.Printf("forward to %s: %v", target, err)
		return
	}
	server := conn.(*net.TCPConn)
	defer server.Close()
	done := make(chan struct{}, 2)
	oneWay := func(to, from halfCloser) {
		// Either side may go away at any time; there is nobody to tell but the other.
		_, _ = io.Copy(to, from)
		_ = to.CloseWrite()
		done <- struct{}{}
	}
	go oneWay(server, client)
	go oneWay(client, server)
	<-done
	<-done
}

func socket(h home.Home) string { return h.Path("run", "control.sock") }

// Control is the running node, as commands see it.
type Control struct{ client *http.Client }

// Connect makes a client of the node's control socket.
func Connect(h home.Home) Control {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket(h))
	}}
	return Control{&http.Client{Transport: transport, Timeout: 10 * time.Second}}
}

// Status asks how the node is.
func (c Control) Status() (Status, error) {
	var s Status
	resp, err := c.client.Get("http://node/status")
	if err != nil {
		return s, fmt.Errorf("ask the node for its status: %w", err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&s); err != nil {
		return s, fmt.Errorf("read the node's status: %w", err)
	}
	return s, nil
}

// SetForward opens a stack's port, or leads it to a new target.
func (c Control) SetForward(stack string, f Forward) error {
	body, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("encode the forward: %w", err)
	}
	return c.do(http.MethodPut, stack, body)
}

// RemoveForward closes a stack's port.
func (c Control) RemoveForward(stack string) error {
	return c.do(http.MethodDelete, stack, nil)
}

func (c Control) do(method, stack string, body []byte) error {
	req, err := http.NewRequest(method, "http://node/forwards/"+stack, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("ask the node for a forward: %w", err)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return fmt.Errorf("ask the node for a forward: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	message, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("read the node's answer: %w", err)
	}
	return errors.New(string(bytes.TrimSpace(message)))
}
