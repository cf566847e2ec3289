package database

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"threetier/internal/problems"
)

// supportEnds are the last days of RDS's standard support, by major: the end of February after PostgreSQL's own last
// release. https://docs.aws.amazon.com/AmazonRDS/latest/PostgreSQLReleaseNotes/postgresql-release-calendar.html
var supportEnds = map[string]string{
	"14": "2027-02-28", "15": "2028-02-29", "16": "2029-02-28", "17": "2030-02-28", "18": "2031-02-28",
}

// supportNotice is how long before the end somebody should know of it: an upgrade is tried on a copy first.
const supportNotice = 180 * 24 * time.Hour

// supportEnd is the moment at which a major's standard support is over.
func supportEnd(major string) time.Time {
	day, err := time.Parse(time.DateOnly, supportEnds[major])
	if err != nil {
		return time.Unix(1<<40, 0) // of a major that isn't in the table, nothing is known
	}
	return day.AddDate(0, 0, 1)
}

// supportProblems are those of a new, empty instance, which RDS refuses where extended support is off. One that is there,
// or comes from a snapshot, must stay within reach: RDS upgrades it by itself.
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/extended-support-creating-db-instance.html
func (args DatabaseArgs) supportProblems(p present, now time.Time) problems.List {
	if p.instance != nil || p.snapshot != nil || now.Before(supportEnd(args.EngineVersion)) {
		return nil
	}
	return problems.List{{
		Path: "engineVersion", Value: strconv.Quote(args.EngineVersion),
		Want: fmt.Sprintf("a later major: RDS's standard support of this one ended on %s, and extended support is off", supportEnds[args.EngineVersion]),
	}}
}

// supportWarnings are about an upgrade that RDS would make at a time of its own choice.
func (args DatabaseArgs) supportWarnings(p present, now time.Time) []string {
	major := args.EngineVersion
	if p.instance != nil {
		major = strconv.Itoa(majorOf(p.instance.EngineVersion))
	}
	if !slices.Contains(EngineVersions, major) || now.Before(supportEnd(major).Add(-supportNotice)) || p.upgrade != "" {
		return nil
	}
	verb := "ends"
	if !now.Before(supportEnd(major)) {
		verb = "ended"
	}
	return []string{fmt.Sprintf("RDS's standard support of PostgreSQL %s %s on %s. After that day RDS upgrades the instance to a later major "+
		`in a maintenance window: "Upgrade" in docs/runbook.md says how to do it before`, major, verb, supportEnds[major])}
}
