package database

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/rds"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/problems"
)

// forceSSL makes the server refuse connections without TLS (control RDS.38).
const forceSSL = "rds.force_ssl"

// dynamicParameters are the PostgreSQL settings that RDS lets a parameter group change while the server runs.
var dynamicParameters = strings.Fields(`
	array_nulls authentication_timeout autovacuum autovacuum_analyze_scale_factor
	autovacuum_analyze_threshold autovacuum_naptime autovacuum_vacuum_cost_delay autovacuum_vacuum_cost_limit
	autovacuum_vacuum_insert_scale_factor autovacuum_vacuum_insert_threshold autovacuum_vacuum_scale_factor
	autovacuum_vacuum_threshold autovacuum_work_mem backend_flush_after bgwriter_delay bgwriter_flush_after
	bgwriter_lru_maxpages bgwriter_lru_multiplier bytea_output check_function_bodies checkpoint_completion_target
	checkpoint_flush_after checkpoint_timeout checkpoint_warning client_connection_check_interval client_encoding
	client_min_messages commit_delay commit_siblings compute_query_id constraint_exclusion cpu_index_tuple_cost
	cpu_operator_cost cpu_tuple_cost cursor_tuple_fraction datestyle deadlock_timeout default_statistics_target
	default_text_search_config default_toast_compression default_transaction_deferrable
	default_transaction_isolation default_transaction_read_only effective_cache_size effective_io_concurrency
	enable_async_append enable_bitmapscan enable_gathermerge enable_hashagg enable_hashjoin enable_incremental_sort
	enable_indexonlyscan enable_indexscan enable_material enable_memoize enable_mergejoin enable_nestloop
	enable_parallel_append enable_parallel_hash enable_partition_pruning enable_partitionwise_aggregate
	enable_partitionwise_join enable_seqscan enable_sort enable_tidscan escape_string_warning extra_float_digits
	from_collapse_limit geqo geqo_effort geqo_generations geqo_pool_size geqo_seed geqo_selection_bias
	geqo_threshold gin_fuzzy_search_limit gin_pending_list_limit hash_mem_multiplier hot_standby_feedback
	idle_in_transaction_session_timeout idle_session_timeout intervalstyle jit jit_above_cost jit_inline_above_cost
	jit_optimize_above_cost join_collapse_limit lc_messages lc_monetary lc_numeric lc_time lo_compat_privileges
	lock_timeout log_autovacuum_min_duration log_checkpoints log_connections log_destination log_disconnections log_duration
	log_error_verbosity log_executor_stats log_filename log_hostname log_line_prefix log_lock_waits log_min_duration_sample
	log_min_duration_statement log_min_error_statement log_min_messages log_parameter_max_length
	log_parameter_max_length_on_error log_parser_stats log_planner_stats log_recovery_conflict_waits
	log_replication_commands log_rotation_age log_rotation_size log_startup_progress_interval log_statement
	log_statement_sample_rate log_statement_stats log_temp_files log_transaction_sample_rate
	logical_decoding_work_mem maintenance_io_concurrency maintenance_work_mem max_parallel_maintenance_workers
	max_parallel_workers max_parallel_workers_per_gather max_pred_locks_per_page max_pred_locks_per_relation
	max_slot_wal_keep_size max_stack_depth max_standby_archive_delay max_standby_streaming_delay
	max_sync_workers_per_subscription max_wal_size min_parallel_index_scan_size min_parallel_table_scan_size
	min_wal_size parallel_leader_participation parallel_setup_cost parallel_tuple_cost password_encryption
	plan_cache_mode quote_all_identifiers random_page_cost recovery_prefetch recursive_worktable_factor row_security
	search_path seq_page_cost session_preload_libraries session_replication_role standard_conforming_strings statement_timeout
	stats_fetch_consistency synchronize_seqscans synchronous_commit tcp_keepalives_count tcp_keepalives_idle
	tcp_keepalives_interval tcp_user_timeout temp_buffers temp_file_limit temp_tablespaces timezone track_activities
	track_counts track_functions track_io_timing track_wal_io_timing transform_null_equals
	update_process_title vacuum_cost_delay vacuum_cost_limit vacuum_cost_page_dirty
	vacuum_cost_page_hit vacuum_cost_page_miss vacuum_failsafe_age vacuum_freeze_min_age vacuum_freeze_table_age
	vacuum_multixact_failsafe_age vacuum_multixact_freeze_min_age vacuum_multixact_freeze_table_age wal_compression
	wal_keep_size wal_receiver_create_temp_slot wal_receiver_status_interval wal_receiver_timeout wal_sender_timeout
	wal_skip_threshold wal_writer_delay wal_writer_flush_after work_mem xmlbinary xmloption

	autovacuum_vacuum_max_threshold enable_distinct_reordering enable_group_by_reordering
	enable_self_join_elimination file_copy_method icu_validation_level idle_replication_slot_timeout
	io_combine_limit io_workers log_lock_failures scram_iterations sync_replication_slots
	synchronized_standby_slots track_cost_delay_timing transaction_timeout vacuum_buffer_usage_limit
	vacuum_max_eager_freeze_failure_rate vacuum_truncate

	auto_explain.log_analyze auto_explain.log_buffers auto_explain.log_format auto_explain.log_min_duration
	auto_explain.log_nested_statements auto_explain.log_timing auto_explain.log_triggers auto_explain.log_verbose
	auto_explain.sample_rate pg_stat_statements.save pg_stat_statements.track pg_stat_statements.track_utility
	pgaudit.log pgaudit.log_catalog pgaudit.log_level pgaudit.log_parameter pgaudit.log_relation
	pgaudit.log_statement_once pgaudit.role rds.accepted_password_auth_method rds.adaptive_autovacuum
	rds.force_admin_logging_level rds.force_autovacuum_logging_level rds.log_retention_period
	ssl_ciphers ssl_max_protocol_version ssl_min_protocol_version
`)

// staticParameters are those that take effect when the server starts: sent as immediate, RDS would refuse them,
// and rds.force_ssl would be planned as a change in every run.
var staticParameters = strings.Fields(`
	autovacuum_freeze_max_age autovacuum_max_workers autovacuum_multixact_freeze_max_age huge_pages max_connections
	max_files_per_process max_locks_per_transaction max_logical_replication_workers max_pred_locks_per_transaction
	max_prepared_transactions max_replication_slots max_wal_senders max_worker_processes min_dynamic_shared_memory
	shared_buffers shared_preload_libraries superuser_reserved_connections track_activity_query_size
	track_commit_timestamp wal_buffers wal_decode_buffer_size

	autovacuum_worker_slots commit_timestamp_buffers io_max_combine_limit io_max_concurrency io_method
	max_active_replication_origins max_notify_queue_pages multixact_member_buffers multixact_offset_buffers
	notify_buffers reserved_connections serializable_buffers subtransaction_buffers transaction_buffers

	cron.database_name cron.log_run cron.log_statement cron.max_running_jobs pg_stat_statements.max rds.force_ssl
	rds.logical_replication rds.rds_superuser_reserved_connections rds.restrict_password_commands
`)

// parametersSince are, by the major that brought them, the settings that not every supported major knows.
var parametersSince = map[int][]string{
	15: strings.Fields(`
		log_startup_progress_interval recovery_prefetch recursive_worktable_factor stats_fetch_consistency
		wal_decode_buffer_size`),
	16: strings.Fields(`icu_validation_level reserved_connections scram_iterations vacuum_buffer_usage_limit`),
	17: strings.Fields(`
		commit_timestamp_buffers enable_group_by_reordering io_combine_limit max_notify_queue_pages
		multixact_member_buffers multixact_offset_buffers notify_buffers serializable_buffers subtransaction_buffers
		sync_replication_slots synchronized_standby_slots transaction_buffers transaction_timeout`),
	18: strings.Fields(`
		autovacuum_vacuum_max_threshold autovacuum_worker_slots enable_distinct_reordering
		enable_self_join_elimination file_copy_method idle_replication_slot_timeout io_max_combine_limit
		io_max_concurrency io_method io_workers log_lock_failures max_active_replication_origins
		track_cost_delay_timing vacuum_max_eager_freeze_failure_rate vacuum_truncate`),
}

// parameterSince is the major that brought a setting; 0 where every supported one knows it.
func parameterSince(name string) int {
	for major, names := range parametersSince {
		if slices.Contains(names, name) {
			return major
		}
	}
	return 0
}

// parameterProblems finds unknown names: RDS would only refuse them halfway through the deployment.
func (args DatabaseArgs) parameterProblems() problems.List {
	var ps problems.List
	major, _ := strconv.Atoi(args.EngineVersion)
	for _, name := range slices.Sorted(maps.Keys(args.Parameters)) {
		problem := problems.Problem{Path: "parameters." + name, Value: strconv.Quote(args.Parameters[name])}
		switch since := parameterSince(name); {
		case name == forceSSL:
			problem.Want = "none: it is always 1"
		case !ParametersConstraint.Names.Accepts(name):
			problem.Want = "a PostgreSQL setting that RDS lets a parameter group change"
		case since > major:
			problem.Want = fmt.Sprintf("none: PostgreSQL has it since %d, engineVersion is %s", since, args.EngineVersion)
		case !ParametersConstraint.Values.Accepts(args.Parameters[name]):
			problem.Want = ParametersConstraint.Values.Want
		default:
			continue
		}
		ps = append(ps, problem)
	}
	return ps
}

// parameterArray is sorted, since RDS keeps no order and a changed one would look like a change.
func (args DatabaseArgs) parameterArray() rds.ParameterGroupParameterArray {
	values := maps.Clone(args.Parameters)
	if values == nil {
		values = map[string]string{}
	}
	values[forceSSL] = "1"
	var parameters rds.ParameterGroupParameterArray
	for _, name := range slices.Sorted(maps.Keys(values)) {
		method := "immediate"
		if slices.Contains(staticParameters, name) {
			method = "pending-reboot"
		}
		parameters = append(parameters, rds.ParameterGroupParameterArgs{
			Name:        pulumi.String(name),
			Value:       pulumi.String(values[name]),
			ApplyMethod: pulumi.String(method),
		})
	}
	return parameters
}

// createParameterGroup has the major in its logical name: an upgrade creates the new family's group, moves the
// instance to it, and only then deletes the old one.
func (b *builder) createParameterGroup() error {
	group, err := rds.NewParameterGroup(b.ctx, b.name+"-parameters-"+b.args.EngineVersion, &rds.ParameterGroupArgs{
		Description: pulumi.String("PostgreSQL " + b.args.EngineVersion + " settings of the database"),
		Family:      pulumi.String("postgres" + b.args.EngineVersion),
		Parameters:  b.args.parameterArray(),
		Tags:        b.tags(),
	}, b.child())
	if err != nil {
		return fmt.Errorf("create parameter group: %w", err)
	}
	b.parameterGroup = group
	return nil
}
