package kube

import (
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// server answers who has the token, and has one namespace.
func server(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "Bearer right":
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"message": "ada may not"}`)
		case r.URL.Path == "/clusters/1/api/v1/namespaces/shop":
			fmt.Fprint(w, `{"metadata": {"name": "shop"}}`)
		case r.URL.Path == "/clusters/1/broken":
			fmt.Fprint(w, `<html>`)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

// kubeconfig has two contexts: the current one has a wrong token.
func kubeconfig(server *httptest.Server) string {
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return fmt.Sprintf(`
apiVersion: v1
kind: Config
clusters:
- {name: one, cluster: {server: "%s/clusters/1/", certificate-authority-data: %s}}
users:
- {name: right, user: {token: right}}
- {name: wrong, user: {token: wrong}}
contexts:
- {name: right, context: {cluster: one, user: right}}
- {name: wrong, context: {cluster: one, user: wrong}}
current-context: wrong
`, server.URL, base64.StdEncoding.EncodeToString(authority))
}

func TestAReaderTellsWhatIsThereFromWhatIsNot(t *testing.T) {
	reader, err := NewReader(t.Context(), kubeconfig(server(t)), "right")
	require.NoError(t, err)
	var object struct{ Metadata struct{ Name string } }
	found, err := reader.Find(t.Context(), "/api/v1/namespaces/shop", &object)
	require.NoError(t, err)
	assert.True(t, found)
	assert.Equal(t, "shop", object.Metadata.Name)
	found, err = reader.Find(t.Context(), "/api/v1/namespaces/other", &object)
	require.NoError(t, err)
	assert.False(t, found)
}

func TestWhatIsNotKnownIsAnError(t *testing.T) {
	up, down := server(t), server(t)
	down.Close()
	for name, test := range map[string]struct{ kubeconfig, context, path, want string }{
		"no rights":             {kubeconfig(up), "", "/api/v1/namespaces/shop", "read /api/v1/namespaces/shop: the cluster answers 403 Forbidden ada may not"},
		"no answer":             {kubeconfig(down), "right", "/api/v1/namespaces/shop", "connection refused"},
		"something else":        {kubeconfig(up), "right", "/broken", "read /broken: invalid character"},
		"no such context":       {kubeconfig(up), "left", "/", `read kubeconfig: context "left" does not exist`},
		"not a kubeconfig":      {"[", "", "/", "read kubeconfig: "},
		"an empty kubeconfig":   {"", "", "/", "read kubeconfig: invalid configuration"},
		"the name of some file": {"/root/.kube/config", "", "/", "read kubeconfig: "},
	} {
		t.Run(name, func(t *testing.T) {
			reader, err := NewReader(t.Context(), test.kubeconfig, test.context)
			if err == nil {
				_, err = reader.Find(t.Context(), test.path, &struct{}{})
			}
			assert.ErrorContains(t, err, test.want)
		})
	}
}
