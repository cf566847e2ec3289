// Package certificates issues what the stand-in shows as the certificates of RDS and of the cluster.
package certificates

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"threetier/local/internal/files"
)

const caLifetime = 10 * 365 * 24 * time.Hour

// Authority signs certificates.
type Authority struct {
	// PEM is its own certificate.
	PEM []byte

	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// Open is the authority that is kept in dir as ca.pem and ca.key, created under that name where it is absent. It holds
// a lock meanwhile: two processes may ask first at the same time.
func Open(dir, name string) (*Authority, error) {
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return nil, err
	}
	unlock, err := files.Lock(filepath.Join(dir, "ca.lock"), true)
	if err != nil {
		return nil, err
	}
	defer unlock()
	certFile, keyFile := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "ca.key")
	certPEM, err := os.ReadFile(certFile)
	if errors.Is(err, os.ErrNotExist) {
		return create(certFile, keyFile, name)
	}
	if err != nil {
		return nil, err
	}
	keyPEM, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, err
	}
	return parse(certPEM, keyPEM)
}

func parse(certPEM, keyPEM []byte) (*Authority, error) {
	certBlock, _ := pem.Decode(certPEM)
	keyBlock, _ := pem.Decode(keyPEM)
	if certBlock == nil || keyBlock == nil {
		return nil, errors.New("ca.pem or ca.key holds no PEM block")
	}
	cert, err := x509.ParseCertificate(certBlock.Bytes)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParseECPrivateKey(keyBlock.Bytes)
	if err != nil {
		return nil, err
	}
	return &Authority{cert: cert, key: key, PEM: certPEM}, nil
}

// create writes the key first: a certificate without its key would never be replaced.
func create(certFile, keyFile, name string) (*Authority, error) {
	authority, keyPEM, err := newAuthority(name)
	if err != nil {
		return nil, err
	}
	if err := files.Write(keyFile, keyPEM, 0o600); err != nil {
		return nil, err
	}
	return authority, files.Write(certFile, authority.PEM, 0o644)
}

// New is an authority that nothing keeps.
func New(name string) (*Authority, error) {
	authority, _, err := newAuthority(name)
	return authority, err
}

func newAuthority(name string) (authority *Authority, keyPEM []byte, err error) {
	certPEM, keyPEM, err := sign(&x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		NotAfter:              time.Now().Add(caLifetime),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
	}, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("create the authority %q: %w", name, err)
	}
	authority, err = parse(certPEM, keyPEM)
	return authority, keyPEM, err
}

// Issue makes a certificate of a template, and its key. It is valid from now on, and as long as its authority where
// the template has no NotAfter.
func (a *Authority) Issue(template *x509.Certificate) (certPEM, keyPEM []byte, err error) {
	if template.NotAfter.IsZero() {
		template.NotAfter = a.cert.NotAfter
	}
	certPEM, keyPEM, err = sign(template, a)
	if err != nil {
		return nil, nil, fmt.Errorf("issue a certificate for %s: %w", template.Subject.CommonName, err)
	}
	return certPEM, keyPEM, nil
}

// sign encodes a certificate and the private key that belongs to it; without an authority it is signed by itself.
func sign(template *x509.Certificate, by *Authority) (certPEM, keyPEM []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)); err != nil {
		return nil, nil, err
	}
	template.NotBefore = time.Now().Add(-time.Hour)
	parent, parentKey := template, key
	if by != nil {
		parent, parentKey = by.cert, by.key
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	certPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	keyPEM = pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
	return certPEM, keyPEM, nil
}

// Usable is false for a certificate that isn't signed by the authority, is for another name, or ends within spare.
func (a *Authority) Usable(certPEM []byte, dnsName string, spare time.Duration) bool {
	block, _ := pem.Decode(certPEM)
	if block == nil {
		return false
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return false
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	_, err = cert.Verify(x509.VerifyOptions{Roots: roots, DNSName: dnsName, CurrentTime: time.Now().Add(spare)})
	return err == nil
}
