// Package iam has the documents of this folder: the pages link to them, and the platform applies them.
package iam

import "embed"

// Documents are the policies and the objects of a cluster, by file name.
//
//go:embed *.json *.yaml
var Documents embed.FS
