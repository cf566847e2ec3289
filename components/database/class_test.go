package database

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMemoryOfAClass(t *testing.T) {
	for class, want := range map[string]int{
		"db.t4g.micro": 1 * gib, "db.t3.small": 2 * gib, "db.t4g.medium": 4 * gib, "db.t4g.large": 8 * gib, "db.t4g.2xlarge": 32 * gib,
		"db.m7g.large": 8 * gib, "db.m7g.xlarge": 16 * gib, "db.m6i.24xlarge": 384 * gib,
		"db.r7g.large": 16 * gib, "db.r6g.16xlarge": 512 * gib, "db.x2g.large": 32 * gib, "db.x2g.16xlarge": 1024 * gib,
		"db.m8gd.large": 8 * gib, "db.r8gd.48xlarge": 1536 * gib, "db.m9g.xlarge": 16 * gib, "db.x2iedn.xlarge": 128 * gib, "db.x2idn.16xlarge": 1024 * gib,
	} {
		require.Regexp(t, classPattern, class)
		assert.Equal(t, want, classMemory(class), class)
	}
}

func TestConnectionsAreNoMoreThanRDSAllows(t *testing.T) {
	for memory, seen := range map[int]int{1: 81, 2: 198, 4: 405, 8: 823} {
		assert.LessOrEqual(t, maxConnections(memory*gib), seen, "%d GiB", memory)
		assert.GreaterOrEqual(t, maxConnections(memory*gib), seen*9/10, "%d GiB", memory)
	}
	assert.Equal(t, 5000, maxConnections(128*gib))
}
