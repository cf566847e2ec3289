package rds

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"threetier/local/internal/account/state"
)

// rounds are the releases of PostgreSQL that RDS offers, oldest first: the minors of a round came out together, by
// major. An instance can be upgraded to the minors of its own round and of later ones.
var rounds = []map[int]int{
	{12: 22, 13: 18, 14: 15, 15: 10, 16: 6, 17: 2},
	{13: 20, 14: 17, 15: 12, 16: 8, 17: 4},
	{13: 21, 14: 18, 15: 13, 16: 9, 17: 5},
	{13: 22, 14: 19, 15: 14, 16: 10, 17: 6},
	{13: 23, 14: 20, 15: 15, 16: 11, 17: 7, 18: 1},
	{14: 22, 15: 17, 16: 13, 17: 9, 18: 3},
}

// defaultMinors are what a major alone stands for, which isn't the newest.
var defaultMinors = map[int]int{12: 22, 13: 22, 14: 19, 15: 14, 16: 10, 17: 6, 18: 1}

// supportEnds are the last days of standard support.
var supportEnds = map[int]string{12: "2025-02-28", 13: "2026-02-28", 14: "2027-02-28", 15: "2028-02-29", 16: "2029-02-28",
	17: "2030-02-28", 18: "2031-02-28"}

// checkSupport refuses a new instance of a major that only extended support is left of, where that is off.
func checkSupport(inputs map[string]any, now time.Time) error {
	version := state.Text(inputs, "engineVersion")
	last := supportEnds[majorOf(version)]
	if state.Text(inputs, "engineLifecycleSupport") != "open-source-rds-extended-support-disabled" || last == "" || now.UTC().Format(time.DateOnly) <= last {
		return nil
	}
	return state.Refuse("InvalidParameterCombination", "You can't create a DB instance of postgres %s with RDS Extended Support disabled: "+
		"its standard support ended on %s.", version, last)
}

// defaultMajor is the one of an instance that asks for no version.
const defaultMajor = 17

// roundOf is -1 for what RDS doesn't offer.
func roundOf(version string) int {
	return slices.IndexFunc(rounds, func(minors map[int]int) bool {
		minor, offered := minors[majorOf(version)]
		return offered && version == fmt.Sprintf("%d.%d", majorOf(version), minor)
	})
}

// resolve is the full version that an asked one stands for, given the one that runs; empty where RDS has none. A
// running instance is of its major already, whatever the minor.
func resolve(asked, running string) string {
	major := majorOf(asked)
	switch {
	case asked == "":
		major = defaultMajor
	case major == 0:
		return ""
	case strings.Contains(asked, "."):
		if roundOf(asked) < 0 {
			return ""
		}
		return asked
	}
	if running != "" && (asked == "" || majorOf(running) == major) {
		return running
	}
	return fmt.Sprintf("%d.%d", major, defaultMinors[major])
}

// newestMinor is where automatic upgrades of minors lead.
func newestMinor(version string) string {
	for _, minors := range slices.Backward(rounds) {
		if minor, offered := minors[majorOf(version)]; offered {
			return strconv.Itoa(majorOf(version)) + "." + strconv.Itoa(minor)
		}
	}
	return version
}

// checkUpgrade is RDS's table of valid upgrade targets.
func checkUpgrade(from, to string) error {
	switch {
	case from == to:
		return nil
	case majorOf(from) == majorOf(to) && roundOf(to) < roundOf(from):
		return state.Refuse("InvalidParameterCombination", "Cannot find upgrade path from %s to %s.", from, to)
	case majorOf(to) < majorOf(from) || roundOf(to) < roundOf(from):
		return state.Refuse("InvalidParameterCombination", "Cannot upgrade postgres from %s to %s", from, to)
	}
	return nil
}

// upgradeTargets are the versions that an instance can be upgraded to: minors of its major, and those of later ones.
func upgradeTargets(version string) (minor, major []string) {
	minor, major = []string{}, []string{}
	for number := majorOf(version); number <= newestMajor; number++ {
		for _, minors := range rounds[max(0, roundOf(version)):] {
			target := fmt.Sprintf("%d.%d", number, minors[number])
			switch {
			case minors[number] == 0 || target == version:
			case number == majorOf(version):
				minor = append(minor, target)
			default:
				major = append(major, target)
			}
		}
	}
	return minor, major
}
