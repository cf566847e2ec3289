package node

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"threetier/local/internal/account"
)

const annotationPrefix = "service.beta.kubernetes.io/aws-load-balancer-"

// handshakeLimit is how long a client may take to agree on TLS.
const handshakeLimit = 10 * time.Second

// listener is one port of a load balancer that ends TLS.
type listener struct {
	// target is where its connections lead: the Service's own address inside the cluster.
	target string
	// certificates are ARNs, the default one first; empty for a port without TLS.
	certificates []string
	// protocols are offered by ALPN; empty: none is, and clients speak what they like.
	protocols []string
}

// protocolsOf are the ALPN policies of a network load balancer.
var protocolsOf = map[string][]string{
	"HTTP1Only": {"http/1.1", "http/1.0"}, "HTTP2Only": {"h2"},
	"HTTP2Optional": {"http/1.1", "http/1.0", "h2"}, "HTTP2Preferred": {"h2", "http/1.1", "http/1.0"},
}

func endsTLS(s corev1.Service) bool { return s.Annotations[annotationPrefix+"ssl-cert"] != "" }

// listenersOf are those of all Services that name certificates, by address and port.
func listenersOf(services []corev1.Service) map[string]listener {
	all := map[string]listener{}
	for _, s := range services {
		if !endsTLS(s) {
			continue
		}
		certificates := strings.Split(s.Annotations[annotationPrefix+"ssl-cert"], ",")
		secured := strings.Split(s.Annotations[annotationPrefix+"ssl-ports"], ",")
		for _, port := range s.Spec.Ports {
			number := strconv.Itoa(int(port.Port))
			l := listener{target: net.JoinHostPort(s.Spec.ClusterIP, number)}
			// Without the annotation, all ports are.
			if secured[0] == "" || slices.Contains(secured, number) || slices.Contains(secured, port.Name) {
				l.certificates, l.protocols = certificates, protocolsOf[s.Annotations[annotationPrefix+"alpn-policy"]]
			}
			all[net.JoinHostPort(s.Status.LoadBalancer.Ingress[0].IP, number)] = l
		}
	}
	return all
}

// balancers are the load balancers that end TLS.
type balancers struct {
	accountDir string

	mu      sync.Mutex
	open    map[string]net.Listener // by address and port
	present map[string]listener
}

func newBalancers(accountDir string) *balancers {
	return &balancers{accountDir: accountDir, open: map[string]net.Listener{}, present: map[string]listener{}}
}

// sync opens and closes what differs. New connections meet the new settings; those that are under way stay.
func (b *balancers) sync(ctx context.Context, want map[string]listener) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.present = want
	for _, at := range slices.Sorted(maps.Keys(want)) {
		if b.open[at] != nil {
			continue
		}
		l, err := net.Listen("tcp", at)
		if err != nil {
			return fmt.Errorf("listen as a load balancer: %w", err)
		}
		b.open[at] = l
		go b.serve(ctx, at, l)
	}
	for at, l := range b.open {
		if _, wanted := want[at]; !wanted {
			l.Close()
			delete(b.open, at)
		}
	}
	return nil
}

func (b *balancers) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.open {
		l.Close()
	}
}

// uses tells whether some listener has the certificate.
func (b *balancers) uses(arn string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.present {
		if slices.Contains(l.certificates, arn) {
			return true
		}
	}
	return false
}

func (b *balancers) serve(ctx context.Context, at string, l net.Listener) {
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			logger.Printf("load balancer %s: %v", at, err)
			time.Sleep(100 * time.Millisecond) // too many open files, say
			continue
		}
		b.mu.Lock()
		settings := b.present[at]
		b.mu.Unlock()
		go b.balance(ctx, conn.(*net.TCPConn), settings)
	}
}

func (b *balancers) balance(ctx context.Context, conn *net.TCPConn, l listener) {
	if len(l.certificates) == 0 {
		pipe(ctx, conn, l.target)
		return
	}
	secured := tls.Server(conn, &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: l.protocols,
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			return b.choose(l.certificates, hello.ServerName)
		},
	})
	soon, cancel := context.WithTimeout(ctx, handshakeLimit)
	defer cancel()
	if secured.HandshakeContext(soon) != nil {
		conn.Close()
		return // a load balancer logs nothing of it either
	}
	pipe(ctx, secured, l.target)
}

// choose takes the certificate of the name that the client asks for, or the default one.
func (b *balancers) choose(arns []string, name string) (*tls.Certificate, error) {
	for _, arn := range arns {
		pair, err := account.Certificate(b.accountDir, arn, name)
		if err != nil {
			logger.Printf("load balancer: %v", err)
			continue
		}
		if name != "" && pair.Leaf.VerifyHostname(name) == nil {
			return pair, nil
		}
	}
	return account.Certificate(b.accountDir, arns[0], name)
}
