package node

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"threetier/local/internal/certificates"
)

// pki is the folder of the cluster's certificates and keys.
type pki struct {
	dir string
	ca  *certificates.Authority
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
	ca, err := certificates.Open(dir, "local-eks")
	if err != nil {
		return fmt.Errorf("open the cluster's certificate authority: %w", err)
	}
	p := &pki{dir: dir, ca: ca}
	// The service account tokens are signed by a key of their own.
	tokens := &x509.Certificate{Subject: pkix.Name{CommonName: "service-account"}}
	if err := errors.Join(p.issue("service-account", tokens), p.makeServers(), p.makeClients()); err != nil {
		return fmt.Errorf("make the certificates: %w", err)
	}
	return os.WriteFile(filepath.Join(dir, "complete"), nil, 0o600)
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
		return p.issue(file, t)
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
		if err := p.issue(c.file, template); err != nil {
			return err
		}
		if err := p.writeKubeconfig(c.file); err != nil {
			return err
		}
	}
	return nil
}

// issue writes a certificate and its key as NAME.pem and NAME.key.
func (p *pki) issue(name string, template *x509.Certificate) error {
	certPEM, keyPEM, err := p.ca.Issue(template)
	if err != nil {
		return err
	}
	if err := os.WriteFile(p.file(name+".key"), keyPEM, 0o600); err != nil {
		return fmt.Errorf("write the key of %s: %w", name, err)
	}
	if err := os.WriteFile(p.file(name+".pem"), certPEM, 0o600); err != nil {
		return fmt.Errorf("write the certificate of %s: %w", name, err)
	}
	return nil
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
