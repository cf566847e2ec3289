package account

import (
	"regexp"
	"strconv"
	"strings"
)

// Majors of PostgreSQL that RDS offers.
const (
	oldestMajor = 12
	newestMajor = 18
)

var classPattern = regexp.MustCompile(`^db\.(t3|t4g|m5|m5d|m6g|m6gd|m6i|m6id|m7g|m7i|m8g|r5|r5b|r5d|r6g|r6gd|r6i|r6id|r7g|r7i|r8g|x2g|x2iedn|x2idn|z1d)\.(micro|small|medium|large|([0-9]*)xlarge)$`)

// classMemory is an instance class's memory in bytes; 0 for a class that RDS doesn't have.
func classMemory(class string) int {
	match := classPattern.FindStringSubmatch(class)
	if match == nil {
		return 0
	}
	const gib = 1 << 30
	family, size := match[1], match[2]
	burst := strings.HasPrefix(family, "t")
	switch small := map[string]int{"micro": 1, "small": 2, "medium": 4}[size]; {
	case burst && small > 0:
		return small * gib
	case small > 0:
		return 0
	}
	perLarge := map[byte]int{'t': 8, 'm': 8, 'r': 16, 'z': 16, 'x': 32}[family[0]]
	if size == "large" {
		return perLarge * gib
	}
	factor, err := strconv.Atoi(match[3])
	if err != nil {
		factor = 1
	}
	if burst && factor > 2 {
		return 0
	}
	return perLarge * 2 * factor * gib
}

// defaultConnections is RDS's formula for max_connections.
func defaultConnections(class string) int {
	return max(20, min(classMemory(class)/9531392, 5000))
}

var versionPattern = regexp.MustCompile(`^(\d+)(\.\d+)?$`)

// majorOf is 0 for what isn't a version that RDS offers.
func majorOf(version string) int {
	match := versionPattern.FindStringSubmatch(version)
	if match == nil {
		return 0
	}
	major, err := strconv.Atoi(match[1])
	if err != nil || major < oldestMajor || major > newestMajor {
		return 0
	}
	return major
}
