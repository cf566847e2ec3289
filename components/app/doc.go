// Package app is the Kubernetes part of a stack: a namespace with its network policies, and in it three tiers. NGINX is
// the only way in. It sends requests by path to the frontend and the backend. The backend alone reaches the database,
// after its migration has succeeded.
//
// Always so: pods run as a user without privileges on a read-only file system, every connection that no tier needs is
// closed, a rollout adds a pod before it takes one away, and a changed config or secret rolls the pods that use it.
package app
