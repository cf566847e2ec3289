package rehearse

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSafeReadsNeedNoParameterAndNoLogin(t *testing.T) {
	safe, err := SafeReads([]byte(`{"openapi": "3.1.0", "paths": {
		"/api/items": {"get": {"parameters": [{"name": "limit", "in": "query", "required": false}]}, "post": {}},
		"/api/items/{id}": {"get": {}},
		"/api/search": {"get": {"parameters": [{"name": "q", "in": "query", "required": true}]}},
		"/api/shared": {"parameters": [{"name": "X-Tenant", "in": "header", "required": true}], "get": {}},
		"/api/referred": {"get": {"parameters": [{"$ref": "#/components/parameters/tenant"}]}},
		"/api/me": {"get": {"security": [{"bearer": []}]}},
		"/api/login": {"post": {}},
		"/api/health": {"get": {}}}}`))
	require.NoError(t, err)
	assert.Equal(t, []string{"/api/health", "/api/items"}, safe)
}

func TestLoginOfTheWholeDocumentCountsUnlessAPathOpensItself(t *testing.T) {
	safe, err := SafeReads([]byte(`{"openapi": "3.0.3", "security": [{"bearer": []}], "paths": {
		"/api/closed": {"get": {}}, "/api/open": {"get": {"security": []}}}}`))
	require.NoError(t, err)
	assert.Equal(t, []string{"/api/open"}, safe)
}

func TestAPageIsNoDescription(t *testing.T) {
	for _, document := range []string{"<!doctype html>", "{}", "[]"} {
		_, err := SafeReads([]byte(document))
		assert.ErrorContains(t, err, "want JSON with the key openapi", document)
	}
}
