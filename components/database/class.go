package database

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

const gib = 1 << 30

// classFamilies are the instance families that RDS offers for PostgreSQL, by the memory of their "large" size in GiB.
var classFamilies = map[int][]string{
	8:  {"t3", "t4g", "m5", "m5d", "m6g", "m6gd", "m6i", "m6id", "m7g", "m7i", "m8g"},
	16: {"r5", "r5b", "r5d", "r6g", "r6gd", "r6i", "r6id", "r7g", "r7i", "r8g"},
	32: {"x2g"},
}

// classSizes are the sizes, by their memory in eighths of a "large".
var classSizes = map[string]int{
	"micro": 1, "small": 2, "medium": 4, "large": 8, "xlarge": 16, "2xlarge": 32, "4xlarge": 64, "8xlarge": 128,
	"12xlarge": 192, "16xlarge": 256, "24xlarge": 384, "32xlarge": 512, "48xlarge": 768,
}

// classMemory is the memory of an instance class in bytes.
func classMemory(class string) (int, error) {
	family, size, _ := strings.Cut(strings.TrimPrefix(class, "db."), ".")
	eighths, known := classSizes[size]
	if !known || !strings.HasPrefix(class, "db.") {
		return 0, errors.New("an instance class, as db.t4g.micro or db.m7g.large")
	}
	burstable := strings.HasPrefix(family, "t")
	large := classSizes["large"]
	for memory, families := range classFamilies {
		switch {
		case !slices.Contains(families, family):
			continue
		case !burstable && eighths < large:
			return 0, fmt.Errorf("a size of %s from large on", family)
		case burstable && eighths > classSizes["2xlarge"]:
			return 0, fmt.Errorf("a size of %s from micro to 2xlarge", family)
		}
		return memory * gib / large * eighths, nil
	}
	return 0, fmt.Errorf("a class of the families %s", strings.Join(families(), ", "))
}

// instanceClasses are all of them, sorted.
func instanceClasses() []string {
	var classes []string
	for _, family := range families() {
		for size := range classSizes {
			class := "db." + family + "." + size
			if _, err := classMemory(class); err == nil {
				classes = append(classes, class)
			}
		}
	}
	slices.Sort(classes)
	return classes
}

func families() []string {
	var all []string
	for _, families := range classFamilies {
		all = append(all, families...)
	}
	slices.Sort(all)
	return all
}

// maxConnections is how many connections RDS allows for that much memory, unless the parameter says otherwise.
func maxConnections(memory int) int {
	const bytesPerConnection, ceiling = 9_531_392, 5000
	return min(memory/bytesPerConnection, ceiling)
}
