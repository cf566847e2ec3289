//go:build e2e

package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// publicRoot is the stand-in's authority for public names.
func publicRoot() string { return filepath.Join(home, "account", "acm", "ca.pem") }

// reach is the transport of a client that trusts the stand-in's authority alone, and that finds all names at the stack's port.
func (s *testStack) reach(t *testing.T) *http.Transport {
	t.Helper()
	root, err := os.ReadFile(publicRoot())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(root)
	return &http.Transport{
		ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, fmt.Sprintf("127.0.0.1:%d", s.port))
		},
	}
}

// page is what a request by name got.
type page struct {
	status int
	header http.Header
	tls    *tls.ConnectionState
}

// get asks by name, and follows no redirect.
func (s *testStack) get(t *testing.T, url string) page {
	t.Helper()
	client := http.Client{
		Transport: s.reach(t), Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	answer, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return page{answer.StatusCode, answer.Header, answer.TLS}
}

func (s *testStack) redirects(t *testing.T, from, to string) {
	t.Helper()
	if got := s.get(t, from); got.status != http.StatusPermanentRedirect || got.header.Get("Location") != to {
		t.Errorf("%s: status %d to %q, want a redirect to %s", from, got.status, got.header.Get("Location"), to)
	}
}

// names puts the stack's names into its config.
func (s *testStack) names(t *testing.T, names string) {
	t.Helper()
	config := regexp.MustCompile(`(?m)^  threetier:domain:.*\n`).ReplaceAllString(s.read(t), "")
	s.write(t, strings.Replace(config, "config:\n", "config:\n  threetier:domain: "+names+"\n", 1))
}

// servesItsNames begins with records that are made by hand, moves to a zone of Route 53 and then goes the runbook's way to
// another name, under load by the old name all the time.
func servesItsNames(t *testing.T, s *testStack) {
	s.names(t, "{ name: old.example.org }")
	if said := s.up(t); !strings.Contains(said, "\n"+s.site+"\n") {
		t.Fatalf("without a certificate, up doesn't end with the load balancer's URL:\n%s", said)
	}
	call(t, http.StatusOK, http.MethodGet, s.site+"/api/items", nil, nil)
	s.makeRecords(t)

	s.names(t, "{ name: old.example.org, redirectFrom: [www.old.example.org] }")
	said := s.up(t)
	if !strings.Contains(said, "\nhttps://old.example.org\n") {
		t.Fatalf("once the certificate is issued, up doesn't end with the https URL:\n%s", said)
	}
	command := regexp.MustCompile(`(?m)^curl .*$`).FindString(said)
	if page := must(t, "%s --silent --fail", command); !strings.Contains(page, `<div id="root">`) {
		t.Errorf("%s gets %q, want React's page", command, page)
	}
	must(t, ".local/bin/local exec -- curl --silent --fail --output /dev/null --cacert %s https://old.example.org/api/items", publicRoot())
	s.redirects(t, "http://old.example.org/a?b=c", "https://old.example.org/a?b=c")
	s.speaksTLS(t)
	s.browses(t, "https://old.example.org")

	l := startLoadBy("https://old.example.org", 20, askForItems, func() *http.Transport { return s.reach(t) })
	defer l.end()
	s.names(t, "{ name: old.example.org, zone: example.org, aliases: [new.example.org], redirectFrom: [www.old.example.org] }")
	s.up(t)
	s.redirects(t, "https://www.old.example.org/a?b=c", "https://old.example.org/a?b=c")
	if got := s.get(t, "https://new.example.org/api/items").status; got != http.StatusOK {
		t.Errorf("the new name is answered with %d", got)
	}
	s.names(t, "{ name: new.example.org, zone: example.org, redirectFrom: [old.example.org] }")
	if said := s.up(t); !strings.Contains(said, "\nhttps://new.example.org\n") {
		t.Errorf("up doesn't end with the new URL:\n%s", said)
	}
	s.redirects(t, "https://old.example.org/a", "https://new.example.org/a")
	followed := l.sent()
	eventually(t, 20*time.Second, "the load follows the redirect", func() bool { return l.sent() > followed+40 })
	l.end()
	for _, failed := range l.failed() {
		t.Errorf("a change of name lost a request: %s", failed)
	}
	t.Logf("%d requests", l.sent())
}

// makeRecords makes the stack's dnsRecords, as somebody does at a provider of DNS.
func (s *testStack) makeRecords(t *testing.T) {
	t.Helper()
	var outputs struct{ DNSRecords []map[string]string }
	if err := json.Unmarshal([]byte(must(t, ".local/bin/local exec -- pulumi stack output --json --stack %s", s.name)), &outputs); err != nil || len(outputs.DNSRecords) != 2 {
		t.Fatalf("dnsRecords: %v, %v, want two", err, outputs.DNSRecords)
	}
	for _, record := range outputs.DNSRecords {
		body, err := json.Marshal(map[string]any{"inputs": record})
		if err != nil {
			t.Fatal(err)
		}
		must(t, "curl --silent --fail --unix-socket %s/run/account.sock --data '%s' http://account/dns", home, body)
	}
}

// speaksTLS looks at what the load balancer shows, and at its certificate before and after a renewal.
func (s *testStack) speaksTLS(t *testing.T) {
	t.Helper()
	answer := s.get(t, "https://old.example.org/api/items")
	if answer.status != http.StatusOK || answer.header.Get("Strict-Transport-Security") == "" {
		t.Errorf("https: status %d, headers %v, want 200 with HSTS", answer.status, answer.header)
	}
	if spoken := answer.tls.NegotiatedProtocol; spoken != "" {
		t.Errorf("the load balancer agreed on %q by ALPN, want none: its policy is None", spoken)
	}
	must(t, "curl --silent --fail --unix-socket %s/run/account.sock --request POST http://account/certificates/old.example.org/renew", home)
	first := answer.tls.PeerCertificates[0].SerialNumber
	if s.get(t, "https://old.example.org/").tls.PeerCertificates[0].SerialNumber.Cmp(first) == 0 {
		t.Error("the load balancer shows the old certificate after its renewal")
	}
}

// browses opens the site in a browser that trusts the stand-in's authority, and adds an item.
func (s *testStack) browses(t *testing.T, url string) {
	t.Helper()
	profile := t.TempDir()
	must(t, "mkdir -p %[1]s/.pki/nssdb && certutil -N -d sql:%[1]s/.pki/nssdb --empty-password && certutil -A -d sql:%[1]s/.pki/nssdb -n acm -t C,, -i %[2]s", profile, publicRoot())
	title := fmt.Sprintf("seen by its name %d", time.Now().Unix())
	must(t, "cd tests/e2e/browser && npm ci --no-audit --no-fund && HOME=%s node add-item.mjs %s %q %s/page.png %d", profile, url, title, profile, s.port)
	if rows, err := psql(t, s.name, "verify-full", fmt.Sprintf("select title from items where title = '%s'", title)); err != nil || rows != title {
		t.Errorf("the row: %q, %v, want %q", rows, err, title)
	}
}
