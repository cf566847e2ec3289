package rehearse

import (
	"context"
	"os"
	"slices"
	"strings"
)

// passed are the environment variables that the code of a rehearsed commit gets: what it takes to find, download and compile
// programs. A reviewer's tokens and credentials stay out: the commit may be a stranger's.
var passed = []string{
	"PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "TERM",
	"CGO_ENABLED", "GOCACHE", "GOENV", "GOFLAGS", "GOGC", "GOINSECURE", "GOMAXPROCS", "GOMEMLIMIT", "GOMODCACHE", "GONOPROXY", "GONOSUMDB",
	"GOPATH", "GOPRIVATE", "GOPROXY", "GOROOT", "GOSUMDB", "GOTMPDIR", "GOTOOLCHAIN",
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
	"CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE",
	"THREETIER_DISK_GIB", "THREETIER_HOME", "THREETIER_MEMORY_GIB", "THREETIER_RELEASES",
}

// environment is what of the caller's is passed on, and more.
func environment(more ...string) []string {
	return append(slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		if strings.HasSuffix(name, "_proxy") {
			name = strings.ToUpper(name)
		}
		return !slices.Contains(passed, name)
	}), more...)
}

// warn says whose code runs, where the commit isn't part of the checkout's history.
func (r *rehearsal) warn(ctx context.Context, head string) {
	if _, err := git(ctx, r.Root, "merge-base", "--is-ancestor", head, "HEAD"); err != nil {
		r.say("WARNING: HEAD is %s, which isn't in the history of this checkout: the rehearsal runs code of that commit as root on this machine", r.Head)
	}
}
