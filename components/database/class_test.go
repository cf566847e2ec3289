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
	} {
		memory, err := classMemory(class)
		require.NoError(t, err, class)
		assert.Equal(t, want, memory, class)
	}
}

func TestUnknownClassIsAnError(t *testing.T) {
	for _, class := range []string{"", "db.", "micro", "t4g.micro", "db.t4g", "db.t4g.nano", "db.t4g.micro.x", "db.m7g.medium", "db.t4g.4xlarge", "db.z9.large"} {
		_, err := classMemory(class)
		assert.Error(t, err, class)
	}
}

func TestConnectionsFollowMemoryUpToRDSsCeiling(t *testing.T) {
	assert.Equal(t, 112, maxConnections(1*gib))
	assert.Equal(t, 901, maxConnections(8*gib))
	assert.Equal(t, 5000, maxConnections(128*gib))
}
