package rds

import "testing"

func TestWindowThatIsNotAskedForKeepsOutOfTheOthersWay(t *testing.T) {
	for _, asked := range []map[string]any{{}, {"backupWindow": "04:00-04:30"}, {"maintenanceWindow": "mon:03:15-mon:03:45"}} {
		backup, maintenance := windows(asked)
		if backup == "" || maintenance == "" || overlap(backup, maintenance) {
			t.Errorf("asked for %v, the windows are %s and %s", asked, backup, maintenance)
		}
	}
}
