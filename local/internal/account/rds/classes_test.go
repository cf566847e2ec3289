package rds

import "testing"

func TestClassMemory(t *testing.T) {
	const gib = 1 << 30
	for class, want := range map[string]int{
		"db.t4g.micro": gib, "db.t3.medium": 4 * gib, "db.t4g.2xlarge": 32 * gib, "db.m7g.large": 8 * gib,
		"db.r6g.xlarge": 32 * gib, "db.r7g.16xlarge": 512 * gib, "db.x2g.large": 32 * gib,
		"db.x2iedn.xlarge": 128 * gib, "db.m5.48xlarge": 0, "db.m5d.32xlarge": 0, "db.m6g.24xlarge": 0, "db.m6i.48xlarge": 0,
		"db.r7g.32xlarge": 0, "db.x2g.24xlarge": 0, "db.m7g.xxlarge": 0, "db.t4g.4xlarge": 0, "db.m6g.micro": 0, "t4g.micro": 0, "db.t4g": 0, "": 0,
	} {
		if have := classMemory(class); have != want {
			t.Errorf("%q has %d, want %d", class, have, want)
		}
	}
}
