package rdsca_test

import (
	"crypto/x509"
	"encoding/pem"
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

func TestTrustReplacesTheRootsOfEveryRegion(t *testing.T) {
	another, err := rdsca.Bundle("us-east-1")
	require.NoError(t, err)
	rdsca.Trust(another)
	defer rdsca.Trust("")
	bundle, err := rdsca.Bundle("eu-west-1")
	require.NoError(t, err)
	assert.Equal(t, another, bundle)
	rdsca.Trust("")
	bundle, err = rdsca.Bundle("eu-west-1")
	require.NoError(t, err)
	assert.NotEqual(t, another, bundle)
}

func TestWhatIsNoCertificateIsNotTrusted(t *testing.T) {
	defer rdsca.Trust("")
	for _, bad := range []string{"a certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"} {
		rdsca.Trust(bad)
		_, err := rdsca.Bundle("eu-west-1")
		assert.ErrorContains(t, err, "certificates to trust")
	}
}
