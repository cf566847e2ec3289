package database

import (
	"strconv"
	"strings"
)

const gib = 1 << 30

// classPattern are the burstable, general and memory classes of every generation, a family that is to come as well as one
// that is there, each in the sizes of its kind. Source: the table of instance classes in the RDS guide. Whether the
// region has a class for PostgreSQL is looked up.
const classPattern = `^db\.(` +
	`t\d[a-z]*\.(micro|small|medium|large|xlarge|2xlarge)` +
	`|[mr][1-5][a-z]*\.(` + mostSizes + `|24xlarge)` +
	`|[mr]6[a-fh-z][a-z]*\.(` + mostSizes + `|24xlarge|32xlarge)` +
	`|[mr]7[a-fh-z][a-z]*\.(` + mostSizes + `|24xlarge|48xlarge)` +
	`|[mr][67]g[a-z]*\.(` + mostSizes + `)` +
	`|[mr]([89]|[1-9]\d)[a-z]*\.(` + mostSizes + `|24xlarge|48xlarge)` +
	`|x2g\.(` + mostSizes + `)` +
	`|x2idn\.(16|24|32)xlarge` +
	`|x2iedn\.(|2|4|8|16|24|32)xlarge` +
	`)$`

const mostSizes = `large|xlarge|2xlarge|4xlarge|8xlarge|12xlarge|16xlarge`

// largeMemory is the memory of a "large", by the first letter of its family, in GiB.
var largeMemory = map[string]int{"t": 8, "m": 8, "r": 16, "x": 32}

// classSizes are the sizes, by their memory in eighths of a "large".
var classSizes = map[string]int{
	"micro": 1, "small": 2, "medium": 4, "large": 8, "xlarge": 16, "2xlarge": 32, "4xlarge": 64, "8xlarge": 128,
	"12xlarge": 192, "16xlarge": 256, "24xlarge": 384, "32xlarge": 512, "48xlarge": 768,
}

// classMemory is the memory in bytes of an instance class that has no problems.
func classMemory(class string) int {
	family, size, _ := strings.Cut(strings.TrimPrefix(class, "db."), ".")
	memory := largeMemory[family[:1]]
	if strings.HasSuffix(family, "iedn") {
		memory *= 2
	}
	return memory * gib / classSizes["large"] * classSizes[size]
}

// maxConnections is how many connections RDS allows on that much memory, unless the parameter says
// otherwise. Its formula counts the memory that the operating system and RDS's own processes leave to PostgreSQL:
// reported are 81 connections with 1 GiB, 198 with 2 GiB and 405 with 4 GiB.
func maxConnections(memory int) int {
	const bytesPerConnection, ceiling, least = 9_531_392, 5000, 300 << 20
	return min((memory-max(memory/10, least))/bytesPerConnection, ceiling)
}

// maxConnections is the instance's own number.
func (args DatabaseArgs) maxConnections() int {
	if configured, err := strconv.Atoi(args.Parameters["max_connections"]); err == nil {
		return configured
	}
	return maxConnections(classMemory(args.InstanceClass))
}

// ReservedConnections are kept for administrators: three by PostgreSQL (superuser_reserved_connections), two by RDS
// (rds.rds_superuser_reserved_connections).
const ReservedConnections = 5

// Connections is how many of the instance's connections are left to the app. The args are complete.
func (args DatabaseArgs) Connections() int {
	return args.maxConnections() - ReservedConnections
}
