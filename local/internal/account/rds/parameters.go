package rds

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"threetier/local/internal/account/state"
	"threetier/local/internal/postgres"
)

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
var rdsParameters = map[string]postgres.Setting{
	"rds.force_ssl":                          {Kind: "BOOLEAN"},
	"rds.logical_replication":                {Kind: "BOOLEAN", Static: true},
	"rds.accepted_password_auth_method":      {Kind: "STRING"},
	"rds.adaptive_autovacuum":                {Kind: "BOOLEAN"},
	"rds.allowed_extensions":                 {Kind: "STRING"},
	"rds.enable_plan_management":             {Kind: "BOOLEAN", Static: true},
	"rds.force_admin_logging_level":          {Kind: "STRING"},
	"rds.force_autovacuum_logging_level":     {Kind: "STRING"},
	"rds.log_retention_period":               {Kind: "INTEGER", Low: "1440", High: "10080"},
	"rds.rds_superuser_reserved_connections": {Kind: "INTEGER", Low: "0", High: "8388607", Static: true},
	"rds.restrict_password_commands":         {Kind: "BOOLEAN", Static: true},
	"rds.custom_dns_resolution":              {Kind: "BOOLEAN", Static: true},
}

// extensionParameter is one that a preloaded library defines; its library checks the value.
var extensionParameter = regexp.MustCompile(`^(pg_stat_statements|auto_explain|pgaudit|cron|pg_hint_plan|plpgsql|pglogical|pg_prewarm|pg_bigm)\.[a-z_]+$`)

// setting is nil where RDS doesn't know the parameter for that family.
func (a *Service) setting(name string, major int) *postgres.Setting {
	found, ok := a.majors.For(major).Setting(name)
	switch {
	case ok:
		ok = found.Since <= major
	default:
		found, ok = rdsParameters[name]
	}
	if !ok && extensionParameter.MatchString(name) {
		found, ok = postgres.Setting{Kind: "STRING"}, true
	}
	if !ok {
		return nil
	}
	return &found
}

// allowedValues are RDS's own, where PostgreSQL would take any text.
var allowedValues = map[string][]string{
	"log_line_prefix": {"%t:%r:%u@%d:[%p]:", "%m:%r:%u@%d:[%p]:%l:%e:%s:%v:%x:%c:%q%a",
		"%m:%r:%u@%d:[%p]:%l:%e:%s:%v:%x:%c:%q%a:"},
	"pgaudit.role": {"rds_pgaudit"},
}

// preloadable are the libraries that RDS allows in shared_preload_libraries.
var preloadable = strings.Split("auto_explain,orafce,pgaudit,pglogical,pg_bigm,pg_cron,pg_hint_plan,pg_prewarm,"+
	"pg_similarity,pg_stat_statements,pg_tle,pg_transport,plprofiler,plrust", ",")

// checkAllowed refuses a value that isn't one of RDS's own.
func checkAllowed(name, value string) error {
	values, allowed := []string{value}, allowedValues[name]
	if name == "shared_preload_libraries" {
		values, allowed = strings.Split(strings.ReplaceAll(value, " ", ""), ","), preloadable
	}
	for _, one := range values {
		if allowed != nil && one != "" && !slices.Contains(allowed, one) {
			return state.Refuse("InvalidParameterValue", "Invalid parameter value: %s for: %s allowed values are: %s",
				one, name, strings.Join(allowed, ","))
		}
	}
	return nil
}

// readParameters turns a parameter group's inputs into its entries, refusing what RDS refuses.
func (a *Service) readParameters(ctx context.Context, inputs map[string]any) (map[string]parameter, error) {
	major, err := familyMajor(state.Text(inputs, "family"))
	if err != nil {
		return nil, err
	}
	out, values := map[string]parameter{}, map[string]string{}
	for _, entry := range state.Objects(inputs, "parameters") {
		name, value := strings.ToLower(state.Text(entry, "name")), state.Text(entry, "value")
		known := a.setting(name, major)
		if known == nil {
			return nil, state.Refuse("InvalidParameterValue", "Could not find parameter with name: %s", name)
		}
		if managed.MatchString(name) {
			return nil, state.Refuse("InvalidParameterValue", "The parameter %s cannot be modified.", name)
		}
		method := state.Fallback(entry, "applyMethod", "immediate")
		if method != "immediate" && method != "pending-reboot" {
			return nil, state.Refuse("InvalidParameterValue", "Invalid apply method: %v for: %s", method, name)
		}
		if known.Static && method == "immediate" {
			return nil, state.Refuse("InvalidParameterCombination",
				"cannot use immediate apply method for static parameter: %s", name)
		}
		evaluated, err := evaluate(value, smallest)
		if err != nil {
			return nil, state.Refuse("InvalidParameterValue", "Invalid parameter value: %s for: %s (%v)", value, name, err)
		}
		if err := checkValue(known, name, evaluated); err != nil {
			return nil, err
		}
		if err := checkAllowed(name, evaluated); err != nil {
			return nil, err
		}
		out[name] = parameter{value: value, pending: method == "pending-reboot"}
		values[name] = evaluated
	}
	var bad *postgres.BadValue
	if err := a.majors.For(major).Try(ctx, values); errors.As(err, &bad) {
		return nil, state.Refuse("InvalidParameterValue", "Invalid parameter value: %s for: %s (%s)", bad.Value, bad.Name, bad.Reason)
	} else if err != nil {
		return nil, err
	}
	return out, nil
}

// checkValue is RDS's own check: numbers without units, booleans as 0 and 1.
func checkValue(s *postgres.Setting, name, value string) error {
	allowed := s.Low + "-" + s.High
	ok := true
	switch s.Kind {
	case "BOOLEAN":
		allowed, ok = "0, 1", value == "0" || value == "1"
	case "INTEGER", "REAL":
		n, err := strconv.ParseFloat(value, 64)
		low, _ := strconv.ParseFloat(s.Low, 64)
		high, highErr := strconv.ParseFloat(s.High, 64)
		ok = err == nil && n >= low && (highErr != nil || n <= high)
		if _, err := strconv.Atoi(value); s.Kind == "INTEGER" && err != nil {
			ok = false
		}
	}
	if !ok {
		return state.Refuse("InvalidParameterValue", "Invalid parameter value: %s for: %s allowed values are: %s",
			value, name, allowed)
	}
	return nil
}

func familyMajor(family string) (int, error) {
	major, err := strconv.Atoi(strings.TrimPrefix(family, "postgres"))
	if err != nil || !strings.HasPrefix(family, "postgres") || major < oldestMajor || major > newestMajor {
		return 0, state.Refuse("InvalidParameterValue", "ParameterGroupFamily %s is not a valid parameter group family", family)
	}
	return major, nil
}
