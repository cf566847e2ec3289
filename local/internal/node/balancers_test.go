package node

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"threetier/local/internal/account"
)

const foreign = "arn:aws:acm:eu-west-1:210987654321:certificate/"

// service is one of type LoadBalancer that names certificates, on a free port of loopback, and answers with its name.
func service(t *testing.T, annotations map[string]string, ports ...corev1.ServicePort) corev1.Service {
	t.Helper()
	s := corev1.Service{Spec: corev1.ServiceSpec{ClusterIP: "127.0.0.1", Ports: ports}}
	s.Annotations = map[string]string{}
	for name, value := range annotations {
		s.Annotations[annotationPrefix+name] = value
	}
	s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "127.0.0.2"}}
	return s
}

// listen gives each connection to a port of this machine to handle, which closes it.
func listen(t *testing.T, handle func(net.Conn)) *net.TCPAddr {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go handle(conn)
		}
	}()
	return l.Addr().(*net.TCPAddr)
}

// echo answers each line with itself, at a port that is also free at the load balancer's address.
func echo(t *testing.T) int32 {
	t.Helper()
	return int32(listen(t, func(conn net.Conn) {
		defer conn.Close()
		_, _ = io.Copy(conn, conn)
	}).Port)
}

func start(t *testing.T, services ...corev1.Service) *balancers {
	t.Helper()
	b := newBalancers(t.TempDir())
	t.Cleanup(b.close)
	if err := b.sync(t.Context(), listenersOf(services)); err != nil {
		t.Fatal(err)
	}
	return b
}

// talk sends a line, and expects it back.
func talk(t *testing.T, conn net.Conn) {
	t.Helper()
	if _, err := io.WriteString(conn, "hello\n"); err != nil {
		t.Fatal(err)
	}
	if said, err := bufio.NewReader(conn).ReadString('\n'); err != nil || said != "hello\n" {
		t.Fatalf("got %q, %v", said, err)
	}
}

func dial(t *testing.T, b *balancers, address, name string, protocols ...string) tls.ConnectionState {
	t.Helper()
	authority, err := account.OpenPublicCA(b.accountDir)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority.PEM)
	conn, err := tls.Dial("tcp", address, &tls.Config{RootCAs: roots, ServerName: name, NextProtos: protocols, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	talk(t, conn)
	return conn.ConnectionState()
}

func TestLoadBalancerEndsTLSAtTheSecuredPortsAlone(t *testing.T) {
	secured, plain := echo(t), echo(t)
	b := start(t, service(t, map[string]string{"ssl-cert": foreign + "1", "ssl-ports": fmt.Sprint(secured)},
		corev1.ServicePort{Port: secured}, corev1.ServicePort{Port: plain}))
	if state := dial(t, b, fmt.Sprintf("127.0.0.2:%d", secured), "shop.example.org", "h2", "http/1.1"); state.NegotiatedProtocol != "" {
		t.Errorf("without a policy, ALPN agrees on %q", state.NegotiatedProtocol)
	}
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.2:%d", plain))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	talk(t, conn)
}

func TestLoadBalancerSpeaksALPNByItsPolicy(t *testing.T) {
	for policy, want := range map[string]string{"None": "", "HTTP1Only": "http/1.1", "HTTP2Only": "h2", "HTTP2Preferred": "h2", "HTTP2Optional": "http/1.1"} {
		port := echo(t)
		b := start(t, service(t, map[string]string{"ssl-cert": foreign + "1", "alpn-policy": policy}, corev1.ServicePort{Port: port}))
		if got := dial(t, b, fmt.Sprintf("127.0.0.2:%d", port), "shop.example.org", "h2", "http/1.1").NegotiatedProtocol; got != want {
			t.Errorf("%s: ALPN agrees on %q, want %q", policy, got, want)
		}
	}
}

func TestLoadBalancerLetsGoOfWhatNoServiceNames(t *testing.T) {
	port := echo(t)
	with := service(t, map[string]string{"ssl-cert": foreign + "1," + foreign + "2"}, corev1.ServicePort{Port: port})
	b := start(t, with)
	if !b.uses(foreign+"2") || b.uses(foreign+"3") {
		t.Error("it doesn't know its certificates")
	}
	with.Annotations[annotationPrefix+"ssl-cert"] = foreign + "1"
	if err := b.sync(t.Context(), listenersOf([]corev1.Service{with})); err != nil || b.uses(foreign+"2") {
		t.Errorf("it uses a certificate that no Service names: %v", err)
	}
	without := service(t, nil, corev1.ServicePort{Port: port})
	if err := b.sync(t.Context(), listenersOf([]corev1.Service{without})); err != nil || b.uses(foreign+"1") {
		t.Errorf("it uses a certificate that no Service names: %v", err)
	}
	if conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.2:%d", port)); err == nil {
		conn.Close()
		t.Error("it still listens")
	}
}

func TestForwardTellsTLSFromPlainHTTP(t *testing.T) {
	answer := func(text string) string {
		return listen(t, func(conn net.Conn) {
			first := make([]byte, 3)
			_, _ = io.ReadFull(conn, first)
			_, _ = io.WriteString(conn, text+string(first))
			conn.Close()
		}).String()
	}
	forward := Forward{Target: answer("plain "), TLSTarget: answer("tls ")}
	for sent, want := range map[string]string{"GET": "plain GET", "\x16\x03\x01": "tls \x16\x03\x01"} {
		outside := listen(t, func(conn net.Conn) { forward.lead(context.Background(), conn.(*net.TCPConn)) })
		conn, err := net.Dial("tcp", outside.String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, sent); err != nil {
			t.Fatal(err)
		}
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(conn)
		if err != nil || !strings.HasPrefix(string(got), want) {
			t.Errorf("%q led to %q, %v, want %q", sent, got, err, want)
		}
		conn.Close()
	}
}
