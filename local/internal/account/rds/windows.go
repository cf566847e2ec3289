package rds

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"threetier/local/internal/account/state"
)

var (
	backupPattern      = regexp.MustCompile(`^` + timePattern + `-` + timePattern + `$`)
	maintenancePattern = regexp.MustCompile(`^(?:` + dayPattern + `):` + timePattern + `-(?:` + dayPattern + `):` + timePattern + `$`)
	weekdays           = strings.Split(dayPattern, "|")
)

const (
	timePattern = `(?:[01]\d|2[0-3]):[0-5]\d`
	dayPattern  = `mon|tue|wed|thu|fri|sat|sun`
	aDay        = 24 * 60
	aWeek       = 7 * aDay
)

// Windows that RDS chooses where none is asked for; the second one of each keeps out of the way of one that is.
var (
	chosenBackups      = []string{"03:00-03:30", "13:00-13:30"}
	chosenMaintenances = []string{"sun:04:00-sun:04:30", "sun:14:00-sun:14:30"}
)

// windows are those in force.
func windows(inputs map[string]any) (backup, maintenance string) {
	backup, maintenance = state.Text(inputs, "backupWindow"), state.Text(inputs, "maintenanceWindow")
	for _, chosen := range chosenBackups {
		if state.Text(inputs, "backupWindow") == "" && (backup == "" || overlap(backup, maintenance)) {
			backup = chosen
		}
	}
	for _, chosen := range chosenMaintenances {
		if state.Text(inputs, "maintenanceWindow") == "" && (maintenance == "" || overlap(backup, maintenance)) {
			maintenance = chosen
		}
	}
	return backup, maintenance
}

func checkWindows(inputs map[string]any) error {
	backup, maintenance := state.Text(inputs, "backupWindow"), state.Text(inputs, "maintenanceWindow")
	switch {
	case backup != "" && !backupPattern.MatchString(backup):
		return state.Refuse("InvalidParameterValue", "The parameter PreferredBackupWindow is not valid: %s", backup)
	case maintenance != "" && !maintenancePattern.MatchString(maintenance):
		return state.Refuse("InvalidParameterValue", "The parameter PreferredMaintenanceWindow is not valid: %s", maintenance)
	}
	for _, window := range []string{backup, maintenance} {
		if from, to := span(window); window != "" && (to-from < 30 || to-from >= aDay) {
			return state.Refuse("InvalidParameterValue", "The window %s must be at least 30 minutes and less than 24 hours.", window)
		}
	}
	if overlap(windows(inputs)) {
		return state.Refuse("InvalidParameterValue", "The backup window and maintenance window must not overlap.")
	}
	return nil
}

// span is a window in minutes, from the midnight on with which its week or day begins.
func span(window string) (from, to int) {
	first, second, _ := strings.Cut(window, "-")
	from, to = moment(first), moment(second)
	if to <= from {
		to += aWeek
		if len(first) == len("03:00") {
			to += aDay - aWeek
		}
	}
	return from, to
}

func moment(text string) int {
	day := 0
	if name, rest, _ := strings.Cut(text, ":"); slices.Contains(weekdays, name) {
		day, text = slices.Index(weekdays, name), rest
	}
	hour, minute, _ := strings.Cut(text, ":")
	hours, _ := strconv.Atoi(hour)
	minutes, _ := strconv.Atoi(minute)
	return day*aDay + hours*60 + minutes
}

// overlap tells whether a daily and a weekly window have a minute in common.
func overlap(backup, maintenance string) bool {
	if backup == "" || maintenance == "" {
		return false
	}
	from, to := span(maintenance)
	daily, end := span(backup)
	for day := -aDay; day <= aWeek+aDay; day += aDay {
		if daily+day < to && from < end+day {
			return true
		}
	}
	return false
}
