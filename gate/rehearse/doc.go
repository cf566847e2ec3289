// Package rehearse deploys a commit, changes it to another one and back under load, on the local node, and reports what
// that cost: requests, rows, locks. It drives the node by its commands, as a user does.
package rehearse
