package node

import (
	"os"
	"slices"
	"strings"
)

// passed are the environment variables that the node and the code on it get: what it takes to find, download and compile
// programs. Tokens and credentials stay out: a rehearsed commit may be a stranger's.
var passed = []string{
	"PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "TERM",
	"CGO_ENABLED", "GOCACHE", "GOENV", "GOFLAGS", "GOGC", "GOINSECURE", "GOMAXPROCS", "GOMEMLIMIT", "GOMODCACHE", "GONOPROXY", "GONOSUMDB",
	"GOPATH", "GOPRIVATE", "GOPROXY", "GOROOT", "GOSUMDB", "GOTMPDIR", "GOTOOLCHAIN",
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
	"CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE",
	"THREETIER_DISK_GIB", "THREETIER_HOME", "THREETIER_MEMORY_GIB", "THREETIER_RELEASES",
}

// Environment is what of the caller's is passed on, and more.
func Environment(more ...string) []string {
	return append(slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		if strings.HasSuffix(name, "_proxy") {
			name = strings.ToUpper(name)
		}
		return !slices.Contains(passed, name)
	}), more...)
}
