package commands

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A killed up leaves what it was creating in the pending operations. What has no name of its own can't be found again.
func TestRecoverTakesUpWhatAKilledUpWasCreating(t *testing.T) {
	const state = `{"version": 3, "deployment": {
  "resources": [{"urn": "stack"}, {"urn": "job", "id": "shop-prod/migrate-1"}],
  "pending_operations": [
    {"type": "creating", "resource": {"urn": "database", "type": "aws:rds/instance:Instance", "inputs": {"identifier": "shop-prod-database"}}},
    {"type": "creating", "resource": {"urn": "logs", "type": "aws:cloudwatch/logGroup:LogGroup", "inputs": {"name": "/aws/rds/shop"}}},
    {"type": "creating", "resource": {"urn": "password", "type": "aws:secretsmanager/secretVersion:SecretVersion", "inputs": {"name": "x"}}},
    {"type": "creating", "resource": {"urn": "job", "type": "kubernetes:batch/v1:Job", "inputs": {"metadata": {"namespace": "shop-prod", "name": "migrate-2"}}}},
    {"type": "creating", "resource": {"urn": "namespace", "type": "kubernetes:core/v1:Namespace", "inputs": {"metadata": {"name": "shop-prod"}}}},
    {"type": "updating", "resource": {"urn": "stack"}}]}}`
	dir := t.TempDir()
	pulumi := `case "$*" in
"stack export --stack prod") cat <<'END'
` + state + `
END
;;
"stack import --stack prod --file "*) for file; do :; done; cp "$file" ` + dir + `/imported ;;
"refresh --stack prod") test -e ` + dir + `/imported ;;
*) echo "pulumi $*" >&2; exit 9 ;;
esac`
	said, err := run(t, "recover", nil, map[string]string{"pulumi": pulumi}, "prod")
	require.NoError(t, err, said)
	imported, err := os.ReadFile(filepath.Join(dir, "imported"))
	require.NoError(t, err)
	assert.JSONEq(t, `{"version": 3, "deployment": {"resources": [
  {"urn": "stack"}, {"urn": "job", "id": "shop-prod/migrate-1", "delete": true},
  {"urn": "database", "type": "aws:rds/instance:Instance", "id": "shop-prod-database", "inputs": {"identifier": "shop-prod-database"}},
  {"urn": "logs", "type": "aws:cloudwatch/logGroup:LogGroup", "id": "/aws/rds/shop", "inputs": {"name": "/aws/rds/shop"}},
  {"urn": "job", "type": "kubernetes:batch/v1:Job", "id": "shop-prod/migrate-2", "inputs": {"metadata": {"namespace": "shop-prod", "name": "migrate-2"}}},
  {"urn": "namespace", "type": "kubernetes:core/v1:Namespace", "id": "shop-prod", "inputs": {"metadata": {"name": "shop-prod"}}}]}}`, string(imported))
}
