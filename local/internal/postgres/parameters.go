package postgres

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Setting is what PostgreSQL says of one of its parameters.
type Setting struct {
	Kind      string // BOOLEAN, INTEGER, REAL, ENUM or STRING
	Low, High string
	Static    bool // changes need a restart
	Since     int  // the major that brought it, where the installed PostgreSQL is older: recorded, not applied
}

// newerParameters are those that later majors brought; a trailing ! marks a static one.
var newerParameters = map[int]string{
	16: `createrole_self_grant debug_parallel_query gss_accept_delegation icu_validation_level reserved_connections!
		scram_iterations send_abort_for_crash vacuum_buffer_usage_limit`,
	17: `allow_alter_system commit_timestamp_buffers! enable_group_by_reordering event_triggers io_combine_limit
		max_notify_queue_pages! multixact_member_buffers! multixact_offset_buffers! notify_buffers!
		restrict_nonsystem_relation_kind serializable_buffers! subtransaction_buffers! summarize_wal
		sync_replication_slots synchronized_standby_slots transaction_buffers! transaction_timeout wal_summary_keep_time`,
	18: `autovacuum_vacuum_max_threshold autovacuum_worker_slots! enable_distinct_reordering
		enable_self_join_elimination file_copy_method idle_replication_slot_timeout io_max_combine_limit!
		io_max_concurrency! io_method! io_workers log_lock_failures max_active_replication_origins!
		track_cost_delay_timing vacuum_max_eager_freeze_failure_rate vacuum_truncate`,
}

// readSettings asks the installed server for its parameters.
func (pg *Installation) readSettings(ctx context.Context) error {
	out, err := pg.run(ctx, "", "postgres", "--describe-config")
	if err != nil {
		return err
	}
	pg.settings = map[string]Setting{}
	for line := range strings.Lines(out) {
		if f := strings.Split(line, "\t"); len(f) >= 7 {
			pg.settings[strings.ToLower(f[0])] = Setting{
				Kind: f[3], Low: f[5], High: f[6], Static: f[1] == "postmaster"}
		}
	}
	for major, names := range newerParameters {
		for _, name := range strings.Fields(names) {
			bare := strings.TrimSuffix(name, "!")
			if _, known := pg.settings[bare]; !known && major > pg.Major {
				pg.settings[bare] = Setting{Kind: "STRING", Static: bare != name, Since: major}
			}
		}
	}
	return nil
}

// Setting is the parameter of that name, of the installed PostgreSQL or of a newer one.
func (pg *Installation) Setting(name string) (Setting, bool) {
	found, ok := pg.settings[name]
	return found, ok
}

// BadValue is a parameter's value that PostgreSQL rejects.
type BadValue struct{ Name, Value, Reason string }

// Error names the parameter, the value and PostgreSQL's own reason.
func (e *BadValue) Error() string { return fmt.Sprintf("%s is %q: %s", e.Name, e.Value, e.Reason) }

// Try lets the installed PostgreSQL judge the values, such as those of enumerations.
func (pg *Installation) Try(ctx context.Context, values map[string]string) error {
	dir, err := os.MkdirTemp("", "parameters-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.WriteFile(filepath.Join(dir, "postgresql.conf"), nil, 0o644); err != nil {
		return err
	}
	if err := pg.own(dir); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		known, ok := pg.settings[name]
		if !ok || known.Since > 0 {
			continue
		}
		value := values[name]
		if _, err := pg.run(ctx, "", "postgres", "-D", dir, "-C", name, "-c", name+"="+value); err != nil {
			_, reason, _ := strings.Cut(err.Error(), "FATAL: ")
			return &BadValue{Name: name, Value: value, Reason: strings.Join(strings.Fields(reason), " ")}
		}
	}
	return nil
}

// ConfigLines are the parameters as postgresql.conf wants them, and what of them this PostgreSQL can't do.
func (pg *Installation) ConfigLines(parameters map[string]string) (lines, missing []string) {
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		value := parameters[name]
		known, ours := pg.settings[name]
		switch {
		case name == "rds.logical_replication" && value == "1":
			lines = append(lines, "wal_level = logical")
		case strings.HasPrefix(name, "rds."):
		case ours && known.Since > 0:
			missing = append(missing, fmt.Sprintf("parameter %s is recorded only: PostgreSQL %d, which runs here, doesn't have it",
				name, pg.Major))
		case name == "shared_preload_libraries":
			var absent []string
			value, absent = pg.libraries(value)
			for _, library := range absent {
				missing = append(missing, "shared library "+library+" is recorded only: it isn't installed here")
			}
			lines = append(lines, name+" = "+quoteConfig(value))
		default:
			lines = append(lines, name+" = "+quoteConfig(value))
		}
	}
	return lines, missing
}

// libraries splits a list into what is installed and what isn't.
func (pg *Installation) libraries(value string) (present string, absent []string) {
	var found []string
	for _, name := range strings.Split(value, ",") {
		name = strings.TrimSpace(name)
		if name == "" {
			continue
		}
		file := filepath.Join(pg.root, pg.folder("lib"), filepath.Base(name)+".so")
		if _, err := os.Stat(file); err != nil {
			absent = append(absent, name)
			continue
		}
		found = append(found, name)
	}
	return strings.Join(found, ","), absent
}

func quoteConfig(value string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", "''", "\n", " ").Replace(value) + "'"
}
