package app

import (
	_ "embed"
	"regexp"
)

//go:embed images/Dockerfile
var defaultImages string

// The images that run where the args name none; images/Dockerfile says what they are.
var (
	DefaultNginxImage  = defaultImage("nginx")
	DefaultClientImage = defaultImage("psql")
)

func defaultImage(name string) string {
	return regexp.MustCompile(`(?m)^FROM (\S+) AS ` + name + `$`).FindStringSubmatch(defaultImages)[1]
}
