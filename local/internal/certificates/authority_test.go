package certificates

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"net"
	"testing"
	"time"
)

func open(t *testing.T, dir string) *Authority {
	t.Helper()
	authority, err := Open(dir, "test")
	if err != nil {
		t.Fatal(err)
	}
	return authority
}

func issue(t *testing.T, authority *Authority, template *x509.Certificate) (certPEM, keyPEM []byte) {
	t.Helper()
	certPEM, keyPEM, err := authority.Issue(template)
	if err != nil {
		t.Fatal(err)
	}
	return certPEM, keyPEM
}

func TestAuthorityIsTheSameWhenOpenedAgain(t *testing.T) {
	dir := t.TempDir()
	first, second := open(t, dir), open(t, dir)
	if !bytes.Equal(first.PEM, second.PEM) {
		t.Error("a second authority was made")
	}
	certPEM, _ := issue(t, first, &x509.Certificate{DNSNames: []string{"db"}})
	if !second.Usable(certPEM, "db", time.Hour) {
		t.Error("the authority doesn't know its own certificate")
	}
}

func TestCertificateIsUsableForItsNameAuthorityAndTime(t *testing.T) {
	authority, other := open(t, t.TempDir()), open(t, t.TempDir())
	certPEM, _ := issue(t, authority, &x509.Certificate{DNSNames: []string{"db"}, NotAfter: time.Now().Add(2 * time.Hour)})
	for what, have := range map[string]bool{
		"another name":      authority.Usable(certPEM, "elsewhere", time.Hour),
		"another authority": other.Usable(certPEM, "db", time.Hour),
		"a time too late":   authority.Usable(certPEM, "db", 3*time.Hour),
		"no certificate":    authority.Usable(nil, "db", time.Hour),
	} {
		if have {
			t.Errorf("usable for %s", what)
		}
	}
	if !authority.Usable(certPEM, "db", time.Hour) {
		t.Error("not usable for its own name")
	}
}

func TestServerAndClientTrustEachOther(t *testing.T) {
	authority := open(t, t.TempDir())
	pair := func(usage x509.ExtKeyUsage) tls.Certificate {
		t.Helper()
		certPEM, keyPEM := issue(t, authority, &x509.Certificate{Subject: pkix.Name{CommonName: "who"}, DNSNames: []string{"db"},
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{usage}})
		out, err := tls.X509KeyPair(certPEM, keyPEM)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority.PEM)
	near, far := net.Pipe()
	server := tls.Server(near, &tls.Config{Certificates: []tls.Certificate{pair(x509.ExtKeyUsageServerAuth)},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots})
	client := tls.Client(far, &tls.Config{Certificates: []tls.Certificate{pair(x509.ExtKeyUsageClientAuth)},
		RootCAs: roots, ServerName: "db"})
	go func() { _, _ = server.Write([]byte("hello")) }()
	said := make([]byte, 5)
	if _, err := io.ReadFull(client, said); err != nil || string(said) != "hello" {
		t.Errorf("said %q, error %v", said, err)
	}
}
