package app

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"threetier/components/app/pods"
)

// Connections is how many connections to the database all pods open at the most, with the sum in words. A rollout runs new
// pods beside the old ones. A job does one thing after the other, so it counts for one. So does the migration, beside which
// its lock is held. The args are complete.
func (args AppArgs) Connections() (int, string) {
	perPod := args.Backend.ConnectionsPerPod
	total := 0
	var terms []string
	pools := func(who string, replicas pods.ReplicaArgs) {
		total += replicas.InRollout() * perPod
		terms = append(terms, fmt.Sprintf("%s %d × %d", who, replicas.InRollout(), perPod))
	}
	pools("backend", args.Backend.Replicas)
	for _, name := range slices.Sorted(maps.Keys(args.Workers)) {
		pools("worker "+name, args.Workers[name].Replicas)
	}
	single := len(args.Jobs)
	if args.Backend.Migrate != nil {
		single += 2
	}
	terms = append(terms, fmt.Sprintf("jobs and migration %d", single))
	return total + single, strings.Join(terms, " + ")
}
