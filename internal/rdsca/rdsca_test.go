package rdsca_test

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/internal/rdsca"
)

// enough is how long a certificate must be valid yet: time for a release that brings the next one.
const enough = 365 * 24 * time.Hour

func certificates(t *testing.T, bundle string) []*x509.Certificate {
	t.Helper()
	var found []*x509.Certificate
	for rest := []byte(bundle); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return found
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		require.NoError(t, err)
		found = append(found, certificate)
	}
}

func TestEveryRegionHasAValidSelfSignedRootOfEachKind(t *testing.T) {
	require.Contains(t, rdsca.Regions(), "eu-west-1")
	require.Greater(t, len(rdsca.Regions()), 20)
	for _, region := range rdsca.Regions() {
		bundle, err := rdsca.Bundle(region)
		require.NoError(t, err)
		var names []string
		for _, certificate := range certificates(t, bundle) {
			names = append(names, certificate.Subject.CommonName)
			assert.NoError(t, certificate.CheckSignatureFrom(certificate), "%s signs itself", certificate.Subject)
			assert.True(t, certificate.IsCA, "%s", certificate.Subject)
			assert.True(t, certificate.NotBefore.Before(time.Now()), "%s is valid already", certificate.Subject)
			assert.True(t, certificate.NotAfter.After(time.Now().Add(enough)),
				"%s is valid until %s: run internal/rdsca/refresh", certificate.Subject, certificate.NotAfter)
		}
		root := "Amazon RDS " + region + " Root CA "
		assert.Equal(t, []string{root + "RSA2048 G1", root + "RSA4096 G1", root + "ECC384 G1"}, names)
	}
}

func TestUnknownRegionIsAnErrorThatListsTheKnownOnes(t *testing.T) {
	for _, region := range []string{"eu-west-99", "", "../certificates/eu-west-1", "LICENSE"} {
		_, err := rdsca.Bundle(region)
		assert.ErrorContains(t, err, "ap-east-1, ap-northeast-1")
	}
}

func TestExtraRootsAreTrustedBesideThoseOfEveryRegion(t *testing.T) {
	amazons, err := rdsca.Bundle("eu-west-1")
	require.NoError(t, err)
	t.Setenv(rdsca.ExtraRoots, "certificates/us-east-1.pem")
	extra, err := os.ReadFile("certificates/us-east-1.pem")
	require.NoError(t, err)
	bundle, err := rdsca.Bundle("eu-west-1")
	require.NoError(t, err)
	assert.Equal(t, amazons+string(extra), bundle)
}

func TestExtraRootsThatAreNoCertificatesAreRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "roots.pem")
	t.Setenv(rdsca.ExtraRoots, file)
	_, err := rdsca.Bundle("eu-west-1")
	require.ErrorContains(t, err, "no such file")
	for _, bad := range []string{"a certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"} {
		require.NoError(t, os.WriteFile(file, []byte(bad), 0o600))
		_, err := rdsca.Bundle("eu-west-1")
		assert.ErrorContains(t, err, "THREETIER_EXTRA_ROOTS is "+file+", want a PEM file of certificates")
	}
}
