package app

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Connections is how many connections to the database all pods open at the most, with the sum in words. A rollout runs new
// pods beside the old ones. A job does one thing after the other, so it counts for one. So does the migration, beside which
// its lock is held. The args are complete.
func (args AppArgs) Connections() (int, string) {
	perPod := args.Backend.ConnectionsPerPod
	total := 0
	var terms []string
	pools := func(who string, pods int) {
		total += pods * perPod
		terms = append(terms, fmt.Sprintf("%s %d × %d", who, pods, perPod))
	}
	pools("backend", args.Backend.Replicas.InRollout())
	single := len(args.Jobs)
	for _, name := range slices.Sorted(maps.Keys(args.Workers)) {
		worker := args.Workers[name]
		if !worker.Single {
			pools("worker "+name, worker.Replicas.InRollout())
			continue
		}
		pools("worker "+name, 1)
		single += 2 // its lock, and that of the pod that waits for it
	}
	if args.Backend.Migrate != nil {
		single += 2
	}
	terms = append(terms, fmt.Sprintf("jobs and migration %d", single))
	return total + single, strings.Join(terms, " + ")
}
