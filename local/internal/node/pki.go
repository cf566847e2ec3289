package node

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// pki is the folder of the cluster's certificates and keys.
type pki struct {
	dir  string
	cert *x509.Certificate
	key  crypto.Signer
}

// openPKI makes the cluster's certificates on the first start, and finds them there on later ones.
func openPKI(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, "complete")); err == nil {
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look for the certificates: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of the certificates: %w", err)
	}
	p := &pki{dir: dir}
	steps := []func() error{p.makeCA, p.makeServers, p.makeClients}
	for _, makeSome := range steps {
		if err := makeSome(); err != nil {
			return fmt.Errorf("make the certificates: %w", err)
		}
	}
	return os.WriteFile(filepath.Join(dir, "complete"), nil, 0o600)
}

func (p *pki) makeCA() error {
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "local-eks"},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	cert, key, err := p.issue("ca", template)
	if err != nil {
		return err
	}
	p.cert, p.key = cert, key
	// The service account tokens are signed by a key of their own.
	_, _, err = p.issue("service-account", &x509.Certificate{Subject: pkix.Name{CommonName: "service-account"}})
	return err
}

func (p *pki) makeServers() error {
	server := func(file, name string, names []string, addresses ...string) error {
		t := &x509.Certificate{
			Subject:     pkix.Name{CommonName: name},
			KeyUsage:    x509.KeyUsageDigitalSignature,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
			DNSNames:    names,
		}
		for _, a := range addresses {
			t.IPAddresses = append(t.IPAddresses, net.ParseIP(a))
		}
		_, _, err := p.issue(file, t)
		return err
	}
	names := []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"}
	if err := server("kube-apiserver", "kube-apiserver", names, "127.0.0.1", Address, apiServerIP); err != nil {
		return err
	}
	if err := server("kubelet-server", Name, []string{Name}, Address); err != nil {
		return err
	}
	return server("metrics-server", "metrics-server", []string{"metrics-server.kube-system.svc"}, Address)
}

// makeClients makes a kubeconfig for each component: the built-in roles know them by these names.
func (p *pki) makeClients() error {
	clients := []struct{ file, user, group string }{
		{"admin", "local-admin", "system:masters"},
		{"kube-controller-manager", "system:kube-controller-manager", ""},
		{"kube-scheduler", "system:kube-scheduler", ""},
		{"kubelet", "system:node:" + Name, "system:nodes"},
		{"kube-proxy", "system:kube-proxy", ""},
		{"front-proxy", "front-proxy", ""},
	}
	for _, c := range clients {
		subject := pkix.Name{CommonName: c.user}
		if c.group != "" {
			subject.Organization = []string{c.group}
		}
		template := &x509.Certificate{
			Subject:     subject,
			KeyUsage:    x509.KeyUsageDigitalSignature,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		}
		if _, _, err := p.issue(c.file, template); err != nil {
			return err
		}
		if err := p.writeKubeconfig(c.file); err != nil {
			return err
		}
	}
	return nil
}

// issue signs a certificate by the CA (the CA's own by itself) and writes it and its key as NAME.pem and NAME.key.
func (p *pki) issue(name string, template *x509.Certificate) (*x509.Certificate, crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("generate the key of %s: %w", name, err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, nil, fmt.Errorf("choose the serial of %s: %w", name, err)
	}
	template.SerialNumber = serial
	template.NotBefore = time.Now().Add(-time.Hour)
	template.NotAfter = time.Now().AddDate(10, 0, 0)
	parent, signer := p.cert, p.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return nil, nil, fmt.Errorf("sign the certificate of %s: %w", name, err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("encode the key of %s: %w", name, err)
	}
	if err := os.WriteFile(p.file(name+".key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600); err != nil {
		return nil, nil, fmt.Errorf("write the key of %s: %w", name, err)
	}
	if err := os.WriteFile(p.file(name+".pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		return nil, nil, fmt.Errorf("write the certificate of %s: %w", name, err)
	}
	cert, err := x509.ParseCertificate(der)
	return cert, key, err
}

func (p *pki) writeKubeconfig(name string) error {
	config := clientcmdapi.NewConfig()
	config.Clusters["local"] = &clientcmdapi.Cluster{Server: Endpoint, CertificateAuthority: p.file("ca.pem")}
	config.AuthInfos[name] = &clientcmdapi.AuthInfo{ClientCertificate: p.file(name + ".pem"), ClientKey: p.file(name + ".key")}
	config.Contexts["local"] = &clientcmdapi.Context{Cluster: "local", AuthInfo: name}
	config.CurrentContext = "local"
	if err := clientcmd.WriteToFile(*config, p.file(name+".kubeconfig")); err != nil {
		return fmt.Errorf("write the kubeconfig of %s: %w", name, err)
	}
	return nil
}

func (p *pki) file(name string) string { return filepath.Join(p.dir, name) }
