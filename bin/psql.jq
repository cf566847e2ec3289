# For the scripts that run SQL in a Job of psql's template, without a person.

# with puts SQL into a container's variable. Kubernetes makes one $ of two in it.
def with(sql): .env += [{name: "SQL", value: (sql | gsub("\\$"; "$$"))}];

# psql is the shell's command that runs it; options are psql's own.
def psql(options): "printf %s \"$SQL\" | psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1\(options)";

# runs makes SQL all that a container does.
def runs(sql): with(sql) | .command = ["sh", "-ec", psql("")];
