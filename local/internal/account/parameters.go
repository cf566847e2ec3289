package account

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// setting is what PostgreSQL says of one of its parameters.
type setting struct {
	kind     string // BOOLEAN, INTEGER, REAL, ENUM or STRING
	low      string
	high     string
	static   bool // changes need a restart
	sinceTop bool // newer than the installed PostgreSQL: recorded, not applied
}

// parameter is one entry of a parameter group.
type parameter struct {
	value   string
	pending bool // asked to wait for the next reboot
}

// managed are parameters that RDS sets itself and lets nobody change.
var managed = regexp.MustCompile(`^(listen_addresses|port|data_directory|config_file|hba_file|ident_file|` +
	`external_pid_file|unix_socket_.*|ssl|ssl_(cert|key|ca|crl|crl_dir|dh_params)_.*|ssl_(ca|cert|key|crl)_file|` +
	`log_directory|log_file_mode|logging_collector|syslog_.*|event_source|fsync|full_page_writes|wal_level|` +
	`archive_.*|restore_command|recovery_.*|primary_.*|promote_trigger_file|hot_standby|cluster_name|` +
	`allow_system_table_mods|zero_damaged_pages|ignore_.*|krb_.*|bonjour.*|dynamic_library_path|local_preload_libraries)$`)

// rdsParameters are RDS's own; only the first two have an effect here.
var rdsParameters = map[string]setting{
	"rds.force_ssl":                          {kind: "BOOLEAN"},
	"rds.logical_replication":                {kind: "BOOLEAN", static: true},
	"rds.accepted_password_auth_method":      {kind: "STRING"},
	"rds.adaptive_autovacuum":                {kind: "BOOLEAN"},
	"rds.allowed_extensions":                 {kind: "STRING"},
	"rds.enable_plan_management":             {kind: "BOOLEAN", static: true},
	"rds.force_admin_logging_level":          {kind: "STRING"},
	"rds.force_autovacuum_logging_level":     {kind: "STRING"},
	"rds.log_retention_period":               {kind: "INTEGER", low: "1440", high: "10080"},
	"rds.rds_superuser_reserved_connections": {kind: "INTEGER", low: "0", high: "8388607", static: true},
	"rds.restrict_password_commands":         {kind: "BOOLEAN", static: true},
	"rds.custom_dns_resolution":              {kind: "BOOLEAN", static: true},
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

// extensionParameter is one that a preloaded library defines; its library checks the value.
var extensionParameter = regexp.MustCompile(`^(pg_stat_statements|auto_explain|pgaudit|cron|pg_hint_plan|plpgsql|pglogical|pg_prewarm|pg_bigm)\.[a-z_]+$`)

// readSettings asks the installed server for its parameters.
func (pg *postgres) readSettings(ctx context.Context) error {
	out, err := pg.run(ctx, "", "postgres", "--describe-config")
	if err != nil {
		return err
	}
	pg.settings = map[string]setting{}
	for line := range strings.Lines(out) {
		if f := strings.Split(line, "\t"); len(f) >= 7 {
			pg.settings[strings.ToLower(f[0])] = setting{
				kind: f[3], low: f[5], high: f[6], static: f[1] == "postmaster"}
		}
	}
	for major, names := range newerParameters {
		for _, name := range strings.Fields(names) {
			bare := strings.TrimSuffix(name, "!")
			if _, known := pg.settings[bare]; !known && major > pg.major {
				pg.settings[bare] = setting{kind: "STRING", static: bare != name, sinceTop: true}
			}
		}
	}
	return nil
}

// setting is nil where RDS doesn't know the parameter for that family.
func (pg *postgres) setting(name string, major int) *setting {
	found, ok := pg.settings[name]
	switch {
	case ok && found.sinceTop:
		ok = slices.ContainsFunc(slices.Collect(maps.Keys(newerParameters)), func(since int) bool {
			return since <= major && slices.Contains(strings.Fields(strings.ReplaceAll(newerParameters[since], "!", "")), name)
		})
	case !ok:
		found, ok = rdsParameters[name]
	}
	if !ok && extensionParameter.MatchString(name) {
		found, ok = setting{kind: "STRING"}, true
	}
	if !ok {
		return nil
	}
	return &found
}

// readParameters turns a parameter group's inputs into its entries, refusing what RDS refuses.
func (pg *postgres) readParameters(ctx context.Context, inputs map[string]any) (map[string]parameter, error) {
	major, err := familyMajor(text(inputs, "family"))
	if err != nil {
		return nil, err
	}
	out := map[string]parameter{}
	for _, entry := range objects(inputs, "parameters") {
		name, value := strings.ToLower(text(entry, "name")), text(entry, "value")
		known := pg.setting(name, major)
		if known == nil {
			return nil, refuse("InvalidParameterValue", "Could not find parameter with name: %s", name)
		}
		if managed.MatchString(name) {
			return nil, refuse("InvalidParameterValue", "The parameter %s cannot be modified.", name)
		}
		method := fallback(entry, "applyMethod", "immediate")
		if method != "immediate" && method != "pending-reboot" {
			return nil, refuse("InvalidParameterValue", "Invalid apply method: %v for: %s", method, name)
		}
		if known.static && method == "immediate" {
			return nil, refuse("InvalidParameterCombination",
				"cannot use immediate apply method for static parameter: %s", name)
		}
		evaluated, err := evaluate(value, smallest)
		if err != nil {
			return nil, refuse("InvalidParameterValue", "Invalid parameter value: %s for: %s (%v)", value, name, err)
		}
		if err := known.check(name, evaluated); err != nil {
			return nil, err
		}
		out[name] = parameter{value: value, pending: method == "pending-reboot"}
	}
	return out, pg.tryParameters(ctx, out)
}

// check is RDS's own check: numbers without units, booleans as 0 and 1.
func (s *setting) check(name, value string) error {
	allowed := s.low + "-" + s.high
	ok := true
	switch s.kind {
	case "BOOLEAN":
		allowed, ok = "0, 1", value == "0" || value == "1"
	case "INTEGER", "REAL":
		n, err := strconv.ParseFloat(value, 64)
		low, _ := strconv.ParseFloat(s.low, 64)
		high, highErr := strconv.ParseFloat(s.high, 64)
		ok = err == nil && n >= low && (highErr != nil || n <= high)
		if _, err := strconv.Atoi(value); s.kind == "INTEGER" && err != nil {
			ok = false
		}
	}
	if !ok {
		return refuse("InvalidParameterValue", "Invalid parameter value: %s for: %s allowed values are: %s",
			value, name, allowed)
	}
	return nil
}

// tryParameters lets the installed PostgreSQL judge the values, such as those of enumerations.
func (pg *postgres) tryParameters(ctx context.Context, parameters map[string]parameter) error {
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
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		known, ok := pg.settings[name]
		if !ok || known.sinceTop {
			continue
		}
		value, err := evaluate(parameters[name].value, smallest)
		if err != nil {
			return err
		}
		if _, err := pg.run(ctx, "", "postgres", "-D", dir, "-C", name, "-c", name+"="+value); err != nil {
			_, reason, _ := strings.Cut(err.Error(), "FATAL: ")
			return refuse("InvalidParameterValue", "Invalid parameter value: %s for: %s (%s)", value, name,
				strings.Join(strings.Fields(reason), " "))
		}
	}
	return nil
}

func familyMajor(family string) (int, error) {
	major, err := strconv.Atoi(strings.TrimPrefix(family, "postgres"))
	if err != nil || !strings.HasPrefix(family, "postgres") || major < oldestMajor || major > newestMajor {
		return 0, refuse("InvalidParameterValue", "ParameterGroupFamily %s is not a valid parameter group family", family)
	}
	return major, nil
}

// configLines are the parameters as postgresql.conf wants them, and what of them this PostgreSQL can't do.
func (pg *postgres) configLines(parameters map[string]string) (lines, missing []string) {
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		value := parameters[name]
		known, ours := pg.settings[name]
		switch {
		case name == "rds.logical_replication" && value == "1":
			lines = append(lines, "wal_level = logical")
		case strings.HasPrefix(name, "rds."):
		case ours && known.sinceTop:
			missing = append(missing, fmt.Sprintf("parameter %s is recorded only: the installed PostgreSQL %d doesn't have it",
				name, pg.major))
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
func (pg *postgres) libraries(value string) (present string, absent []string) {
	var found []string
	for _, name := range strings.Split(value, ",") {
		name = strings.TrimSpace(name)
		if name == "" {
			continue
		}
		file := filepath.Join(filepath.Dir(pg.bin), "lib", filepath.Base(name)+".so")
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
