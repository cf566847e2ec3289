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

func TestMajorIsWarnedOfBeforeItsSupportEndsAndAfterwards(t *testing.T) {
	args := DatabaseArgs{EngineVersion: "14"}
	running := present{instance: &rds.LookupInstanceResult{EngineVersion: "14.20"}}
	for _, test := range []struct {
		day     string
		present present
		want    string
	}{
		{"2026-08-31", present{}, ""},
		{"2026-09-01", present{}, "PostgreSQL 14 ends on 2027-02-28"},
		{"2027-02-28", running, "PostgreSQL 14 ends on 2027-02-28"},
		{"2027-03-01", running, "PostgreSQL 14 ended on 2027-02-28, and extended support is off"},
		{"2027-03-01", present{}, "refuses to create one of this major"},
		// What runs counts, and what is being upgraded needs no word.
		{"2027-03-01", present{instance: &rds.LookupInstanceResult{EngineVersion: "15.14"}}, ""},
		{"2027-03-01", present{instance: running.instance, upgrade: "17.9"}, ""},
		{"2027-03-01", present{instance: &rds.LookupInstanceResult{EngineVersion: "19.1"}}, ""},
	} {
		warnings := args.supportWarnings(test.present, day(t, test.day))
		if test.want == "" {
			assert.Empty(t, warnings, test.day)
		} else if assert.Len(t, warnings, 1, test.day) {
			assert.Contains(t, warnings[0], test.want)
		}
	}
}
