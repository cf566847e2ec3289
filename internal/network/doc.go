// Package network is where a database lives and who may reach it: a VPC, private subnets in two zones, and the security
// groups of its clients. Cluster finds one, Database needs one.
package network
