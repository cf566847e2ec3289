package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/project"
)

func TestThePageFollowsTheStackConfigs(t *testing.T) {
	want, err := render(project.Root())
	require.NoError(t, err)
	have, err := os.ReadFile(filepath.Join(project.Root(), pageFile))
	require.NoError(t, err)
	assert.Equal(t, want, string(have), "run go run ./cmd/scale -page, and look whether its prose still holds")
}

func TestTheTierWithTheLeastRoomIsTheFirst(t *testing.T) {
	s := stack{Name: "shop", Class: "db.t4g.small", Tiers: map[string]tier{
		nginx:   {nginx, 2, 50, 1000},
		backend: {backend, 4, 100, 1000},
	}}
	all, err := bounds(s, load{CPU: map[string]float64{nginx: 50, backend: 2000, database: 200}})
	require.NoError(t, err)
	require.Len(t, all, 3)
	assert.Equal(t, bound{nginx, "2 pods with 50m, at most 1000m", 2000, 40_000}, all[0])
	assert.Equal(t, bound{backend, "4 pods with 100m, at most 1000m", 200, 2000}, all[1])
	assert.Equal(t, bound{database, "db.t4g.small: 2 vCPU, baseline 20 %", 2000, 10_000}, all[2])
	assert.Equal(t, backend, first(all, func(b bound) float64 { return b.Sure }).Tier)

	_, err = bounds(s, load{CPU: map[string]float64{frontend: 50}})
	assert.EqualError(t, err, "shop has no Deployment of frontend")
}

func TestFiguresAreShownWithTwoDigits(t *testing.T) {
	for value, want := range map[float64]string{0: "0", 7: "7", 94.7: "95", 1234: "1200", 25_512: "26000"} {
		assert.Equal(t, want, rounded(value))
	}
}
