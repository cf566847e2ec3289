// Package platform makes what stands before a stack: a network, an EKS cluster with Auto Mode, the roles of workflows and
// people, registries for images, and whom to tell.
package platform
