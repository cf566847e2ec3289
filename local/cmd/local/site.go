package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"

	"threetier/local/internal/account"
	"threetier/local/internal/deploy"
	"threetier/local/internal/home"
	"threetier/local/internal/node"
)

// site is what a stack that is up serves, and where.
type site struct {
	// url is the stack's own.
	url string
	// address is the load balancer's, inside the node: a name that leads to it may be anybody's.
	address string
}

func (s site) tls() bool { return strings.HasPrefix(s.url, "https://") }

// findSite asks the stack for its URL, and the cluster for its load balancer.
func findSite(h home.Home, pid int, stack string) (site, error) {
	out, err := node.CommandIn(deploy.Project(h), h, pid, "pulumi", "stack", "output", "--json", "--stack", stack).Output()
	if err != nil {
		return site{}, fmt.Errorf("read the stack's outputs: %w", err)
	}
	var outputs struct{ URL, Namespace string }
	if err := json.Unmarshal(out, &outputs); err != nil {
		return site{}, fmt.Errorf("read the stack's outputs: %w", err)
	}
	address, err := node.Command(h, pid, "kubectl", "--namespace", outputs.Namespace, "get", "services", "--output",
		`jsonpath={.items[?(@.spec.type=="LoadBalancer")].status.loadBalancer.ingress[0].ip}`).Output()
	if err != nil {
		return site{}, fmt.Errorf("find the stack's load balancer: %w", err)
	}
	return site{outputs.URL, strings.TrimSpace(string(address))}, nil
}

// transport reaches the site as the users' browsers do: by the port on 127.0.0.1, whatever the name.
func (s site) transport(h home.Home, port int) (*http.Transport, error) {
	authority, err := account.OpenPublicCA(h.Path("account"))
	if err != nil {
		return nil, fmt.Errorf("open the account's authority: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority.PEM)
	return &http.Transport{
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, fmt.Sprintf("127.0.0.1:%d", port))
		},
	}, nil
}

// rootFile is the root certificate of what the account's ACM issues.
func rootFile(h home.Home) string {
	return filepath.Join(account.PublicCA(h.Path("account")), "ca.pem")
}
