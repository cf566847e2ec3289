// Package gcsblob is what the CLI names of the driver.
package gcsblob

// Scheme is that of the URLs.
const Scheme = "gs"
