// Package version is the release that this program is.
package version

// Number is raised with a section of CHANGELOG.md; the workflow release makes the tag.
const Number = "0.9.0"
