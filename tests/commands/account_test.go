package commands

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/project"
)

// anAccount is an AWS account and Pulumi's backend as files of a folder: bucket/…, keys/…, aliases/…, login, stacks/PROJECT/NAME
// with the number of its resources. The tools refuse as AWS and Pulumi do, and note in calls what changes something.
const anAccount = `
W=$WORLD
refuse() { echo "An error occurred ($1) when calling the operation: ${2:-}" >&2; exit 254; }
option() { name=$1; shift; while [ $# -gt 1 ]; do [ "$1" = "$name" ] && { echo "$2"; return; }; shift; done; }
`

const awsOfAnAccount = anAccount + `
[ "$1 $2" = "sts get-caller-identity" ] && { echo "${ACCOUNT:-123456789012}"; exit 0; }
[ "$1 $2" = "--region eu-west-1" ] || { echo "no region" >&2; exit 9; }
shift 4
case "$2" in create-* | put-* | delete-* | schedule-*) echo "$*" >>"$W/calls" ;; esac
[ "$2" = "${DENY:-}" ] && refuse AccessDenied
bucket() { [ -d "$W/bucket" ] || refuse NoSuchBucket; }
case "$1 $2" in
"s3api head-bucket") [ -e "$W/elses" ] && refuse 403 Forbidden; [ -d "$W/bucket" ] || refuse 404 "Not Found" ;;
"s3api create-bucket") [ -d "$W/bucket" ] && refuse BucketAlreadyOwnedByYou; [ "$(option --create-bucket-configuration "$@")" = LocationConstraint=eu-west-1 ] || refuse IllegalLocationConstraintException; mkdir "$W/bucket" ;;
"s3api put-bucket-versioning") bucket; touch "$W/bucket/versions" ;;
"s3api get-bucket-versioning") bucket; if [ -e "$W/bucket/versions" ]; then echo '{"Status": "Enabled"}'; fi ;;
"s3api put-public-access-block") bucket; touch "$W/bucket/private" ;;
"s3api get-public-access-block") bucket; [ -e "$W/bucket/private" ] || refuse NoSuchPublicAccessBlockConfiguration
	echo '{"PublicAccessBlockConfiguration": {"BlockPublicAcls": true, "IgnorePublicAcls": true, "BlockPublicPolicy": true, "RestrictPublicBuckets": '"$(cat "$W/bucket/private" | grep . || echo true)"'}}' ;;
"s3api put-bucket-policy") bucket; file=$(option --policy "$@"); cp "${file#file://}" "$W/bucket/policy" ;;
"s3api get-bucket-policy") bucket; [ -e "$W/bucket/policy" ] || refuse NoSuchBucketPolicy; jq --null-input --rawfile policy "$W/bucket/policy" '{Policy: $policy}' ;;
"s3api list-objects-v2") bucket; { printf '%s\n' .pulumi/meta.yaml .pulumi/history/threetier/dev/dev-1.json; cd "$W"; find stacks -type f | sort | sed 's/^/.pulumi\//; s/$/.json/'; cat others 2>/dev/null; } |
	jq --raw-input --slurp '{Contents: [split("\n")[] | select(. != "") | {Key: .}]}' ;;
"s3api list-object-versions") bucket; if [ -e "$W/emptied" ]; then echo '{}'; else echo '{"Versions": [{"Key": "a", "VersionId": "1"}], "DeleteMarkers": [{"Key": "b", "VersionId": "2"}]}'; fi ;;
"s3api delete-objects") bucket; [ "$(option --delete "$@" | jq '.Objects | length')" = 2 ] || refuse MalformedXML; touch "$W/emptied" ;;
"s3api delete-bucket") bucket; [ -e "$W/emptied" ] || refuse BucketNotEmpty; rm -r "$W/bucket" ;;
"kms create-key") mkdir -p "$W/keys"; id=key-$(ls "$W/keys" | wc -l); echo Enabled >"$W/keys/$id"; echo "{\"KeyMetadata\": {\"KeyId\": \"$id\"}}" ;;
"kms create-alias") alias=$W/$(option --alias-name "$@"); [ -e "$alias" ] && refuse AlreadyExistsException; mkdir -p "$W/alias"; option --target-key-id "$@" >"$alias" ;;
"kms describe-key") alias=$W/$(option --key-id "$@"); [ -e "$alias" ] || refuse NotFoundException; id=$(cat "$alias"); echo "{\"KeyMetadata\": {\"KeyId\": \"$id\", \"KeyState\": \"$(cat "$W/keys/$id")\"}}" ;;
"kms delete-alias") rm "$W/$(option --alias-name "$@")" ;;
"kms schedule-key-deletion") echo PendingDeletion >"$W/keys/$(option --key-id "$@")" ;;
*) echo "aws $*: unknown" >&2; exit 9 ;;
esac
`

const pulumiOfAnAccount = anAccount + `
project=threetier
if [ "$1" = -C ]; then [ "$2" = . ] || project=threetier-platform; file=$2/Pulumi; shift 2; fi
case "$1" in login | logout) echo "pulumi $*" >>"$W/calls" ;; esac
[ "$1" != login ] || { [ -d "$W/bucket" ] || { echo "error: NoSuchBucket" >&2; exit 255; }; echo "$2" >"$W/login"; exit 0; }
[ -e "$W/login" ] || { echo "error: not logged in" >&2; exit 255; }
mkdir -p "$W/stacks/$project"
case "$1 $2" in
"logout ") rm "$W/login" ;;
"whoami --json") echo "{\"user\": \"u\", \"url\": \"$(cat "$W/login")\"}" ;;
"stack ls") (cd "$W/stacks/$project" && ls) | jq --raw-input --slurp '[split("\n")[] | select(. != "") | {name: .}]' ;;
"stack init") echo "pulumi $project $*" >>"$W/calls"; [ -e "$W/stacks/$project/$3" ] && { echo "error: stack '$3' already exists" >&2; exit 255; }
	secrets=$(option --secrets-provider "$@"); secrets=${secrets#awskms://}; [ -e "$W/${secrets%\?*}" ] || { echo "error: no such key" >&2; exit 255; }
	echo "encryptedkey: abc" >>"$file.$3.yaml"; echo 0 >"$W/stacks/$project/$3" ;;
"stack export") echo "{\"deployment\": {\"resources\": [$(seq -s, "$(cat "$W/stacks/$project/$4")")]}}" ;;
"stack rm") echo "pulumi $project $*" >>"$W/calls"; [ "$(cat "$W/stacks/$project/$3")" = 0 ] || { echo "error: stack has resources" >&2; exit 255; }
	case "$*" in *--preserve-config*) ;; *) rm "$file.$3.yaml" ;; esac; rm "$W/stacks/$project/$3" ;;
*) echo "pulumi $*: unknown" >&2; exit 9 ;;
esac
`

// newAccount is an empty account, and a function that runs bin/account in a copy of the project.
func newAccount(t *testing.T) (world string, account func(env []string, args ...string) (string, error)) {
	t.Helper()
	world = t.TempDir()
	checkout, bin := t.TempDir(), t.TempDir()
	said, err := exec.Command("sh", "-euc", `cd "$1" && mkdir -p "$2/bin" "$2/docs" && cp bin/account "$2/bin" && cp -r docs/iam "$2/docs" && cp Pulumi.yaml Pulumi.*.yaml "$2" && cp -r platform "$2"`,
		"sh", project.Root(), checkout).CombinedOutput()
	require.NoError(t, err, string(said))
	require.NoError(t, os.Mkdir(filepath.Join(world, "stacks"), 0o700))
	for name, body := range map[string]string{"aws": awsOfAnAccount, "pulumi": pulumiOfAnAccount} {
		require.NoError(t, os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/bash\n"+body), 0o700))
	}
	return world, func(env []string, args ...string) (string, error) {
		cmd := exec.Command(filepath.Join(checkout, "bin", "account"), args...)
		cmd.Dir, cmd.Env = world, append([]string{"PATH=" + bin + ":/usr/bin:/bin", "HOME=" + world, "WORLD=" + world}, env...)
		cmd.Stdin = strings.NewReader("")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
}

// copyOf is an account like another one.
func copyOf(t *testing.T, world string) string {
	t.Helper()
	other := filepath.Join(t.TempDir(), "world")
	said, err := exec.Command("cp", "-r", world, other).CombinedOutput()
	require.NoError(t, err, string(said))
	return other
}

func note(t *testing.T, world, name, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(world, name)), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(world, name), []byte(text), 0o600))
}

func callsOf(t *testing.T, world string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(world, "calls"))
	if !os.IsNotExist(err) {
		require.NoError(t, err)
	}
	return string(text)
}

const allOfAnAccount = 4 + 2 + 1 + 4 // of the bucket, keys, the login, stacks

func TestAccountIsMadeOnceAndTakenAwayAgain(t *testing.T) {
	world, account := newAccount(t)
	said, err := account(nil, "check")
	require.Error(t, err)
	assert.Len(t, regexp.MustCompile(`(?m)^missing: `).FindAllString(said, -1), allOfAnAccount, said)
	assert.Contains(t, said, "missing: key alias/pulumi-prod for the secrets of prod (1 dollar a month)\n")

	said, err = account(nil, "create")
	require.Error(t, err, "nobody has said yes")
	assert.Contains(t, said, "will be made: bucket acme-pulumi-state for the state (cents a month)\n")
	assert.Contains(t, said, "Make this in account 123456789012, region eu-west-1? Type yes: nothing is changed")
	assert.Empty(t, callsOf(t, world))

	said, err = account(nil, "create", "--yes")
	require.NoError(t, err, said)
	assert.Len(t, regexp.MustCompile(`(?m)^made: `).FindAllString(said, -1), allOfAnAccount, said)
	made := callsOf(t, world)
	for _, init := range []string{
		"threetier stack init dev --no-select --secrets-provider awskms://alias/pulumi-dev?region=eu-west-1", "threetier-platform stack init dev ",
		"threetier stack init prod --no-select --secrets-provider awskms://alias/pulumi-prod?region=eu-west-1", "threetier-platform stack init prod ",
	} {
		assert.Contains(t, made, "pulumi "+init)
	}
	for _, command := range []string{"create", "check"} {
		said, err = account(nil, command)
		require.NoError(t, err, said)
		assert.Equal(t, "account 123456789012 is as the stacks want it: go on with pulumi -C platform up --stack dev\n", said)
	}
	assert.Equal(t, made, callsOf(t, world), "a second time changes nothing")

	said, err = account(nil, "remove", "--yes")
	require.NoError(t, err, said)
	assert.NoDirExists(t, filepath.Join(world, "bucket"))
	keys, err := filepath.Glob(filepath.Join(world, "keys", "*"))
	require.NoError(t, err)
	require.Len(t, keys, 2)
	for _, key := range keys {
		state, err := os.ReadFile(key)
		require.NoError(t, err)
		assert.Equal(t, "PendingDeletion\n", string(state))
	}
	assert.NoFileExists(t, filepath.Join(world, "login"))
	// The configs are there, and ask for a new key: all of it can be made again.
	require.NoError(t, os.Remove(filepath.Join(world, "emptied")))
	said, err = account(nil, "create", "--yes", "dev", "prod")
	require.NoError(t, err, said)
}

func TestAccountGoesOnWhereItStopped(t *testing.T) {
	world, account := newAccount(t)
	said, err := account([]string{"DENY=create-alias"}, "create", "--yes")
	require.Error(t, err)
	assert.Contains(t, said, "AccessDenied")
	assert.Contains(t, said, "not made: key alias/pulumi-dev for the secrets of dev (1 dollar a month). Run the same command again: it goes on from here")
	assert.Contains(t, callsOf(t, world), "kms schedule-key-deletion --key-id key-0", "a key that nobody finds costs all the same")
	said, err = account(nil, "create", "--yes")
	require.NoError(t, err, said)
	assert.Equal(t, 1, strings.Count(callsOf(t, world), "s3api create-bucket"))
}

// An account that somebody made by hand lacks one thing each.
func TestAccountMadeByHandIsChecked(t *testing.T) {
	made, account := newAccount(t)
	said, err := account(nil, "create", "--yes")
	require.NoError(t, err, said)
	for want, change := range map[string]func(t *testing.T, world string){
		"missing: versions of bucket acme-pulumi-state":                          func(t *testing.T, world string) { require.NoError(t, os.Remove(world+"/bucket/versions")) },
		"missing: public access block of bucket acme-pulumi-state":               func(t *testing.T, world string) { note(t, world, "bucket/private", "false") },
		"missing: policy of bucket acme-pulumi-state: no connection without TLS": func(t *testing.T, world string) { require.NoError(t, os.Remove(world+"/bucket/policy")) },
		"missing: policy of bucket acme-pulumi-state lacks the statement":        func(t *testing.T, world string) { note(t, world, "bucket/policy", `{"Statement": [{"Sid": "Other"}]}`) },
		"missing: key alias/pulumi-prod for the secrets of prod":                 func(t *testing.T, world string) { require.NoError(t, os.Remove(world+"/alias/pulumi-prod")) },
		"missing: key alias/pulumi-dev is PendingDeletion, want Enabled":         func(t *testing.T, world string) { note(t, world, "keys/key-0", "PendingDeletion") },
		"missing: platform prod": func(t *testing.T, world string) {
			require.NoError(t, os.Remove(world+"/stacks/threetier-platform/prod"))
		},
		"missing: stack dev": func(t *testing.T, world string) { require.NoError(t, os.Remove(world+"/stacks/threetier/dev")) },
		"missing: bucket acme-pulumi-state is another account's, or closed to you": func(t *testing.T, world string) { note(t, world, "elses", "") },
	} {
		world := copyOf(t, made)
		change(t, world)
		said, err := account([]string{"WORLD=" + world}, "check")
		require.Error(t, err, want)
		assert.Contains(t, said, want)
		assert.Equal(t, 1, strings.Count(said, "missing: "), said)
	}
	// What AWS doesn't tell isn't missing.
	for _, deny := range []string{"get-bucket-versioning", "get-public-access-block", "get-bucket-policy", "describe-key"} {
		said, err = account([]string{"DENY=" + deny}, "check")
		require.Error(t, err)
		assert.Contains(t, said, "AccessDenied", deny)
		assert.NotContains(t, said, "missing")
	}
}

func TestAccountIsTheOneThatTheConfigsName(t *testing.T) {
	world, account := newAccount(t)
	said, err := account([]string{"ACCOUNT=210987654321"}, "create", "--yes")
	require.Error(t, err)
	assert.Contains(t, said, "the account is 210987654321, want 123456789012 platform/Pulumi.dev.yaml allows")
	said, err = account(nil, "create", "--yes", "stage")
	require.Error(t, err)
	assert.Contains(t, said, "STACK is stage, want one that has Pulumi.stage.yaml")
	for _, args := range [][]string{nil, {"make"}, {"create", "--force"}, {"check", "--yes"}} {
		said, err = account(nil, args...)
		require.Error(t, err)
		assert.Contains(t, said, "usage: bin/account create")
	}
	assert.Empty(t, callsOf(t, world))
}

// A state is the only record of what the account has.
func TestAccountWithStateStays(t *testing.T) {
	made, account := newAccount(t)
	said, err := account(nil, "create", "--yes")
	require.NoError(t, err, said)
	for want, prepare := range map[string]func(world string){
		"stack prod has 2 resources, want none: pulumi -C . destroy --stack prod":                          func(world string) { note(t, world, "stacks/threetier/prod", "2") },
		"platform dev has 40 resources, want none: pulumi -C platform destroy --stack dev":                 func(world string) { note(t, world, "stacks/threetier-platform/dev", "40") },
		"bucket acme-pulumi-state has .pulumi/stacks/another/dev.json, want nothing but the state":         func(world string) { note(t, world, "stacks/another/dev", "0") },
		"bucket acme-pulumi-state has notes.txt, want nothing but the state of dev prod: name its stack":   func(world string) { note(t, world, "others", "notes.txt\n") },
		"bucket acme-pulumi-state has .pulumi/stacks/threetier/stage.json, want nothing but the state of ": func(world string) { note(t, world, "stacks/threetier/stage", "0") },
	} {
		world := copyOf(t, made)
		prepare(world)
		before := callsOf(t, world)
		said, err := account([]string{"WORLD=" + world}, "remove", "--yes")
		require.Error(t, err)
		assert.Contains(t, said, want)
		assert.Equal(t, before, callsOf(t, world))
	}
	said, err = account(nil, "remove")
	require.Error(t, err)
	assert.Contains(t, said, "Type yes: nothing is changed")
	said, err = account(nil, "remove", "--yes", "dev")
	require.Error(t, err)
	assert.Contains(t, said, "has .pulumi/stacks/threetier-platform/prod.json, want nothing but the state of dev")
}
