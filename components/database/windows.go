package database

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"threetier/internal/problems"
)

// https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html, PreferredMaintenanceWindow and
// PreferredBackupWindow: both are UTC, at least half an hour long, and must not conflict.
const (
	minutesPerDay  = 24 * 60
	minutesPerWeek = 7 * minutesPerDay
	leastWindow    = 30
)

var weekdays = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

// window is a span of minutes, from midnight of Monday on.
type window struct{ from, to int }

// maintenanceWindow reads sun:03:00-sun:03:30, which has no problems.
func maintenanceWindow(text string) window {
	from, to, _ := strings.Cut(text, "-")
	moment := func(text string) int {
		return slices.Index(weekdays, text[:3])*minutesPerDay + minuteOfDay(text[4:])
	}
	return ordered(moment(from), moment(to), minutesPerWeek)
}

// backupWindow reads 03:00-03:30, which has no problems, on Monday.
func backupWindow(text string) window {
	from, to, _ := strings.Cut(text, "-")
	return ordered(minuteOfDay(from), minuteOfDay(to), minutesPerDay)
}

// ordered ends a window after its beginning: in the next period, if need be.
func ordered(from, to, period int) window {
	if to <= from {
		to += period
	}
	return window{from, to}
}

func minuteOfDay(text string) int {
	hour, _ := strconv.Atoi(text[:2])
	minute, _ := strconv.Atoi(text[3:])
	return hour*60 + minute
}

func (w window) length() int { return w.to - w.from }

// meetsDaily tells whether a window of every day has a minute in common with a weekly one, which may end in the next week.
func (w window) meetsDaily(daily window) bool {
	for day := -1; day <= 8; day++ {
		if from := daily.from + day*minutesPerDay; from < w.to && w.from < from+daily.length() {
			return true
		}
	}
	return false
}

// windowProblems are those of the windows' lengths, and of their meeting each other. A text that is none is known.
func (args DatabaseArgs) windowProblems(known problems.List) (ps problems.List) {
	if known.Has("maintenanceWindow", "backupWindow") {
		return nil
	}
	if args.MaintenanceWindow != "" {
		ps = lengthProblems("maintenanceWindow", args.MaintenanceWindow, maintenanceWindow(args.MaintenanceWindow))
	}
	if args.BackupWindow != "" {
		ps = append(ps, lengthProblems("backupWindow", args.BackupWindow, backupWindow(args.BackupWindow))...)
	}
	if len(ps) > 0 {
		return ps
	}
	return meetingProblems(args.MaintenanceWindow, args.BackupWindow, "backupWindow")
}

// lengthProblems want what no slip of the pen makes: a window that ends before it begins takes nearly a week.
func lengthProblems(path, text string, w window) problems.List {
	if w.length() >= leastWindow && w.length() < minutesPerDay {
		return nil
	}
	return problems.List{{Path: path, Value: text, Want: fmt.Sprintf("%d minutes or more, and less than a day", leastWindow)}}
}

// meetingProblems name the key of one of the windows.
func meetingProblems(maintenance, backup, path string) problems.List {
	if maintenance == "" || backup == "" || !maintenanceWindow(maintenance).meetsDaily(backupWindow(backup)) {
		return nil
	}
	if path == "maintenanceWindow" {
		return problems.List{{Path: path, Value: maintenance, Want: "a window outside of the daily backups', " + backup}}
	}
	return problems.List{{Path: path, Value: backup, Want: "a window outside of the maintenance window, " + maintenance}}
}

// windowProblems are those of a window in the config with the other one, which RDS has chosen.
func (p present) windowProblems(args DatabaseArgs) problems.List {
	if (args.MaintenanceWindow == "") == (args.BackupWindow == "") {
		return nil
	}
	path := "backupWindow"
	if args.BackupWindow == "" {
		path = "maintenanceWindow"
	}
	return meetingProblems(cmp.Or(args.MaintenanceWindow, p.instance.PreferredMaintenanceWindow),
		cmp.Or(args.BackupWindow, p.instance.PreferredBackupWindow), path)
}
