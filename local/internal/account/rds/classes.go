package rds

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Majors of PostgreSQL that RDS offers.
const (
	oldestMajor = 12
	newestMajor = 18
)

// classSizes are the sizes that each family of classes has, "x" for "xlarge".
var classSizes = map[string]string{
	"t3":     "micro small medium large x 2x",
	"t4g":    "micro small medium large x 2x",
	"m5":     "large x 2x 4x 8x 12x 16x 24x",
	"m5d":    "large x 2x 4x 8x 12x 16x 24x",
	"m6g":    "large x 2x 4x 8x 12x 16x",
	"m6gd":   "large x 2x 4x 8x 12x 16x",
	"m6i":    "large x 2x 4x 8x 12x 16x 24x 32x",
	"m6id":   "large x 2x 4x 8x 12x 16x 24x 32x",
	"m7g":    "large x 2x 4x 8x 12x 16x",
	"m7i":    "large x 2x 4x 8x 12x 16x 24x 48x",
	"m8g":    "large x 2x 4x 8x 12x 16x 24x 48x",
	"m8gd":   "large x 2x 4x 8x 12x 16x 24x 48x",
	"r5":     "large x 2x 4x 8x 12x 16x 24x",
	"r5b":    "large x 2x 4x 8x 12x 16x 24x",
	"r5d":    "large x 2x 4x 8x 12x 16x 24x",
	"r6g":    "large x 2x 4x 8x 12x 16x",
	"r6gd":   "large x 2x 4x 8x 12x 16x",
	"r6i":    "large x 2x 4x 8x 12x 16x 24x 32x",
	"r6id":   "large x 2x 4x 8x 12x 16x 24x 32x",
	"r7g":    "large x 2x 4x 8x 12x 16x",
	"r7i":    "large x 2x 4x 8x 12x 16x 24x 48x",
	"r8g":    "large x 2x 4x 8x 12x 16x 24x 48x",
	"r8gd":   "large x 2x 4x 8x 12x 16x 24x 48x",
	"x2g":    "large x 2x 4x 8x 12x 16x",
	"x2idn":  "16x 24x 32x",
	"x2iedn": "x 2x 4x 8x 16x 24x 32x",
	"z1d":    "large x 2x 3x 6x 12x",
}

// classMemory is an instance class's memory in bytes; 0 for a class that RDS doesn't have.
func classMemory(class string) int {
	family, size, _ := strings.Cut(strings.TrimPrefix(class, "db."), ".")
	short, xlarge := strings.CutSuffix(size, "xlarge")
	if xlarge {
		short += "x"
	}
	if !strings.HasPrefix(class, "db.") || !slices.Contains(strings.Fields(classSizes[family]), short) {
		return 0
	}
	const gib = 1 << 30
	if small := map[string]int{"micro": 1, "small": 2, "medium": 4}[size]; small > 0 {
		return small * gib
	}
	perLarge := map[byte]int{'t': 8, 'm': 8, 'r': 16, 'z': 16, 'x': 32}[family[0]] * gib
	if family == "x2iedn" {
		perLarge *= 2
	}
	if !xlarge {
		return perLarge
	}
	factor, err := strconv.Atoi(strings.TrimSuffix(short, "x"))
	if err != nil {
		factor = 1
	}
	return perLarge * 2 * factor
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
