// Package components holds what a stack is made of, a component resource in each file: the cluster that is looked up,
// the database, and the app with its three tiers.
package app
