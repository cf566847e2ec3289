// Package cluster looks up the Kubernetes cluster that a stack runs on: an EKS cluster by name, or any other by its
// kubeconfig. It creates only the provider, and answers where a database for this cluster belongs.
package cluster
