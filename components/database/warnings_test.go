package database

import (
	"testing"
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/rds"
	"github.com/stretchr/testify/assert"
)

func TestReplicaThatIsToBeDeletedIsWarnedOfWhereItMayBeProtected(t *testing.T) {
	present := []string{"shop", "shop-replica-1", "shop-replica-2", "shop-replica-22", "other-replica-3"}
	for lifecycle, want := range map[Lifecycle]int{Durable: 1, Retiring: 1, Disposable: 0} {
		args := DatabaseArgs{Lifecycle: lifecycle, ReadReplicas: 1}
		warnings := args.removedReplicas("shop", present)
		assert.Len(t, warnings, want, lifecycle)
		if want > 0 {
			assert.Contains(t, warnings[0], "the read replica shop-replica-2 is to be deleted")
		}
		args.ReadReplicas = 2
		assert.Empty(t, args.removedReplicas("shop", present))
	}
}

func day(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.DateOnly, text)
	assert.NoError(t, err)
	return at
}

func TestEveryMajorHasAnEndOfItsSupport(t *testing.T) {
	for _, major := range EngineVersions {
		end := day(t, supportEnds[major])
		assert.Equal(t, time.March, end.AddDate(0, 0, 1).Month(), "%s: the last day of February", major)
	}
	assert.Len(t, supportEnds, len(EngineVersions))
}

func TestMajorIsWarnedOfBeforeItsSupportEndsAndRefusedForANewInstanceAfterwards(t *testing.T) {
	args := DatabaseArgs{EngineVersion: "14"}
	nothing := present{}
	running := present{instance: &rds.LookupInstanceResult{EngineVersion: "14.20"}}
	upgraded := present{instance: running.instance, upgrade: "17.9"}
	restored := present{snapshot: &rds.LookupSnapshotResult{EngineVersion: "14.20"}}
	for _, test := range []struct {
		day     string
		present present
		warns   string
		refuses bool
	}{
		{"2026-08-30", nothing, "", false},
		{"2026-09-03", nothing, "PostgreSQL 14 ends on 2027-02-28", false},
		{"2027-02-28", running, "PostgreSQL 14 ends on 2027-02-28", false},
		{"2027-03-01", running, "PostgreSQL 14 ended on 2027-02-28", false},
		{"2027-03-01", restored, "PostgreSQL 14 ended on 2027-02-28", false},
		{"2027-03-01", upgraded, "", false},
		{"2027-03-01", nothing, "PostgreSQL 14 ended on 2027-02-28", true},
	} {
		now := day(t, test.day)
		warnings := args.supportWarnings(test.present, now)
		if test.warns == "" {
			assert.Empty(t, warnings, test.day)
		} else if assert.Len(t, warnings, 1, test.day) {
			assert.Contains(t, warnings[0], test.warns)
		}
		problems := args.supportProblems(test.present, now)
		if !test.refuses {
			assert.Empty(t, problems, test.day)
			continue
		}
		assert.Equal(t, `engineVersion is "14", want a later major: RDS's standard support of this one ended on 2027-02-28, `+
			"and extended support is off", problems.Err().Error())
	}
}
