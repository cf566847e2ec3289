package components

import (
	"regexp"
	"strconv"
)

// AppType is App's type token.
const AppType = "threetier:index:App"

// AppArgs describe the Kubernetes stack. The cluster is the caller's Kubernetes provider,
// given as a resource option.
type AppArgs struct {
	// Namespace is made, and owned, by the app. Required.
	Namespace string
	// Database is where the backend keeps its data. Required.
	Database DatabaseConnection
	// Backend is the API.
	Backend BackendArgs
	// Frontend serves the pages.
	Frontend FrontendArgs
	// Nginx is the way in.
	Nginx NginxArgs
}

var namespaceName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// Problems are what the args can't run with, by the keys of the stack config.
func (a AppArgs) Problems() Problems {
	var ps Problems
	if a.Namespace == "" {
		ps = append(ps, Problem{"namespace", "", "a name"})
	} else if !namespaceName.MatchString(a.Namespace) {
		ps = append(ps, Problem{"namespace", strconv.Quote(a.Namespace), "1 to 63 small letters, digits and -, not at an end"})
	}
	ps = append(ps, a.Backend.Problems().Under("backend")...)
	ps = append(ps, a.Frontend.Problems().Under("frontend")...)
	return append(ps, a.Nginx.Problems().Under("nginx")...)
}
