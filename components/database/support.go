package database

import (
	"fmt"
	"strconv"
	"time"
)

// supportEnds are the last days of RDS's standard support, by major: the end of February after PostgreSQL's own last
// release. https://docs.aws.amazon.com/AmazonRDS/latest/PostgreSQLReleaseNotes/postgresql-release-calendar.html
var supportEnds = map[string]string{
	"14": "2027-02-28", "15": "2028-02-29", "16": "2029-02-28", "17": "2030-02-28", "18": "2031-02-28",
}

// supportNoticeDays is how long before the end somebody should know of it: an upgrade is tried on a copy first.
const supportNoticeDays = 180

// supportWarnings are about what RDS does where extended support is off, at a time of its own choice. They refuse nothing:
// a config that was good yesterday, and is planned without the account, is not to fail on a day in spring.
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/extended-support-creating-db-instance.html
func (args DatabaseArgs) supportWarnings(p present, now time.Time) []string {
	major := args.EngineVersion
	if p.instance != nil {
		major = strconv.Itoa(majorOf(p.instance.EngineVersion))
	}
	end, isKnown := supportEnds[major]
	today, notice := now.UTC().Format(time.DateOnly), now.UTC().AddDate(0, 0, supportNoticeDays).Format(time.DateOnly)
	switch {
	case !isKnown, p.upgrade != "", notice < end:
		return nil
	case today <= end:
		return []string{fmt.Sprintf("RDS's standard support of PostgreSQL %s ends on %s: afterwards RDS upgrades the instance to a later major "+
			`in a maintenance window, and creates no other of this one. See "Upgrade" in docs/how-to/database.md`, major, end)}
	}
	return []string{fmt.Sprintf("RDS's standard support of PostgreSQL %s ended on %s, and extended support is off: RDS upgrades the instance to a "+
		`later major in a maintenance window, and refuses to create one of this major. See "Upgrade" in docs/how-to/database.md`, major, end)}
}
