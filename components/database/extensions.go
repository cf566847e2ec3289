package database

import "strings"

// extensionNames are the extensions that RDS lets its administrator create, in one major or another.
// https://docs.aws.amazon.com/AmazonRDS/latest/PostgreSQLReleaseNotes/postgresql-extensions.html
var extensionNames = strings.Fields(`
	address_standardizer address_standardizer_data_us amcheck aws_lambda aws_s3 bloom bool_plperl btree_gin btree_gist citext
	cube dblink dict_int dict_xsyn earthdistance fuzzystrmatch h3 h3_postgis hll hstore hstore_plperl hypopg intagg intarray
	ip4r isn jsonb_plperl lo ltree moddatetime mysql_fdw oracle_fdw orafce pg_bigm pg_buffercache pg_cron pg_freespacemap
	pg_hint_plan pg_partman pg_prewarm pg_proctab pg_repack pg_similarity pg_stat_statements pg_tle pg_trgm pg_visibility
	pg_walinspect pgactive pgaudit pgcrypto pglogical pgrouting pgrowlocks pgstattuple pgtap plperl plprofiler pltcl plv8
	postgis postgis_raster postgis_tiger_geocoder postgis_topology postgres_fdw prefix rdkit rds_tools seg sslinfo tablefunc
	tcn tds_fdw test_parser tsm_system_rows tsm_system_time unaccent uuid-ossp vector
`)
