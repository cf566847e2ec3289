package database

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestWindowsMeetWhereTheyHaveAMinuteInCommon(t *testing.T) {
	for _, test := range []struct {
		maintenance, backup string
		meet                bool
	}{
		{"sun:03:00-sun:04:00", "04:00-05:00", false},
		{"sun:03:00-sun:04:00", "03:59-05:00", true},
		{"sun:03:00-sun:04:00", "02:00-03:00", false},
		{"sun:03:00-sun:04:00", "02:00-03:01", true},
		{"sun:03:00-sun:04:00", "03:10-03:40", true},
		{"wed:23:30-thu:00:30", "00:00-00:30", true},
		{"wed:23:30-thu:00:30", "23:00-23:30", false},
		{"wed:00:00-wed:00:30", "23:45-00:15", true},
		// The week's first window with the last day's backup, and the last one with the first day's.
		{"mon:00:00-mon:00:30", "23:45-00:15", true},
		{"sun:23:45-mon:00:15", "00:00-00:30", true},
		{"sun:23:45-mon:00:15", "00:15-00:45", false},
	} {
		assert.Equal(t, test.meet, maintenanceWindow(test.maintenance).meetsDaily(backupWindow(test.backup)), "%s and %s", test.maintenance, test.backup)
	}
}
