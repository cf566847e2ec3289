// Package images names the images that run where the args name none.
package images

import (
	_ "embed"
	"regexp"
)

//go:embed Dockerfile
var defaultImages string

// The images that run where the args name none; Dockerfile says what they are.
var (
	Nginx  = defaultImage("nginx")
	Client = defaultImage("psql")
)

func defaultImage(name string) string {
	return regexp.MustCompile(`(?m)^FROM (\S+) AS ` + name + `$`).FindStringSubmatch(defaultImages)[1]
}
