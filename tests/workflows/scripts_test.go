package workflows

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// stage is a folder to run a script in, with commands that note how they were called.
type stage struct {
	t    *testing.T
	dir  string
	path string
	env  []string
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, dir: t.TempDir(), path: t.TempDir()}
	return s
}

// command puts a script in the place of a command; $calls is the file in which it is noted.
func (s *stage) command(name, body string) {
	s.t.Helper()
	text := fmt.Sprintf("#!/bin/sh\necho \"%s $*\" >>%s\n%s\n", name, s.file("calls"), body)
	require.NoError(s.t, os.WriteFile(filepath.Join(s.path, name), []byte(text), 0o700))
}

func (s *stage) file(name string) string { return filepath.Join(s.dir, name) }

func (s *stage) text(name string) string {
	s.t.Helper()
	text, err := os.ReadFile(s.file(name))
	require.NoError(s.t, err)
	return string(text)
}

// run runs one of the scripts, and returns its exit code.
func (s *stage) run(script string, args ...string) int {
	s.t.Helper()
	code, _ := s.says(script, args...)
	return code
}

// says is run with what the script printed.
func (s *stage) says(script string, args ...string) (int, string) {
	s.t.Helper()
	cmd := exec.Command(folder("scripts", script), args...)
	cmd.Dir = s.dir
	cmd.Env = []string{
		"PATH=" + s.path + ":/usr/bin:/bin", "TMPDIR=" + s.dir,
		"GITHUB_STEP_SUMMARY=" + s.file("step-summary"), "GITHUB_OUTPUT=" + s.file("output"), "GH_REPO=acme/shop",
		"RUNNER_TEMP=" + s.dir, "GITHUB_ACTOR=ada", "HOME=" + s.dir,
		"GITHUB_SERVER_URL=https://github.com", "GITHUB_REPOSITORY=acme/shop", "GITHUB_RUN_ID=5",
	}
	cmd.Env = append(cmd.Env, s.env...)
	out, err := cmd.CombinedOutput()
	s.t.Logf("%s: %s", script, out)
	if cmd.ProcessState == nil {
		require.NoError(s.t, err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

func TestPlanScriptWritesTheSummary(t *testing.T) {
	s := newStage(t)
	s.command("make", `echo "## What changes"`)
	require.Zero(t, s.run("plan", "0123abc", "out"))
	assert.Equal(t, "make --no-print-directory plan BASE=0123abc\n", s.text("calls"))
	assert.Equal(t, "## What changes\n", s.text("out/1-plan.md"))
	assert.Equal(t, "## What changes\n", s.text("step-summary"))
}

func TestPlanScriptFailsWithTheGatesReason(t *testing.T) {
	s := newStage(t)
	s.command("make", `echo "## What changes"
echo "dev: Instance database is replaced" >&2
echo "exit status 1" >&2
echo "make: *** [Makefile:40: plan] Error 1" >&2
exit 2`)
	require.Equal(t, 2, s.run("plan", "0123abc", "out"))
	assert.Equal(t, "## What changes\n\n> [!CAUTION]\n> This may not be merged as it is.\n> - dev: Instance database is replaced\n",
		s.text("out/1-plan.md"))
	assert.Equal(t, s.text("out/1-plan.md"), s.text("step-summary"))
}

func TestPreviewScriptSavesThePlanThatApplyIsHeldTo(t *testing.T) {
	s := newStage(t)
	s.command("pulumi", `case "$1" in
preview) for file; do :; done; echo '{}' >"$file"; echo 'a `+"`"+`tick and [secret]' ;;
up) echo done ;;
stack) [ "$2" = history ] && echo '[]' || echo https://shop.example.org ;;
esac`)
	require.Zero(t, s.run("preview", "prod", "out"))
	summary := s.text("out/2-preview-prod.md")
	assert.Contains(t, summary, "## pulumi preview: prod")
	assert.Contains(t, summary, "a 'tick and [secret]", "nothing ends the block that the output stands in")
	assert.FileExists(t, s.file("out/plan-prod.json"))

	require.Zero(t, s.run("apply", "prod", "out"))
	assert.Equal(t, `pulumi preview --stack prod --diff --non-interactive --color never --save-plan out/plan-prod.json
pulumi stack history --stack prod --json --page-size 20 --page 1
pulumi up --stack prod --plan out/plan-prod.json --skip-preview --yes --non-interactive --color never
pulumi stack output url --stack prod
`, s.text("calls"))
	assert.Contains(t, s.text("step-summary"), "prod is deployed: https://shop.example.org")
}

func TestPreviewThatFailsIsToldOfAndFails(t *testing.T) {
	s := newStage(t)
	s.command("pulumi", "echo 'error: threetier:database.storageGiB is 5' >&2; exit 255")
	require.Equal(t, 255, s.run("preview", "dev", "out"))
	assert.Contains(t, s.text("out/2-preview-dev.md"), "The preview failed.")
	assert.Contains(t, s.text("out/2-preview-dev.md"), "error: threetier:database.storageGiB is 5")
}

func TestLongPreviewFitsIntoAComment(t *testing.T) {
	s := newStage(t)
	s.command("pulumi", "seq 1 100000; echo the end")
	require.Zero(t, s.run("preview", "dev", "out"))
	summary := s.text("out/2-preview-dev.md")
	assert.Less(t, len(summary), 17000)
	assert.Contains(t, summary, "the end")
}

func TestApplyThatFailsSaysNothingIsDeployed(t *testing.T) {
	s := newStage(t)
	s.command("pulumi", `[ "$2" = history ] && echo '[]' || exit 1`)
	require.Equal(t, 1, s.run("apply", "dev", "out"))
	assert.NoFileExists(t, s.file("step-summary"))
}

// deployed has Pulumi say what the stack was last deployed from: one entry of git.head, after many refreshes.
func (s *stage) deployed(environment string) {
	refreshes := strings.Repeat(`{"kind": "refresh", "environment": {"git.head": "`+strings.Repeat("0", 40)+`"}},`, 30)
	s.command("pulumi", fmt.Sprintf(`size=10; page=1
for word; do case $last in --page-size) size=$word ;; --page) page=$word ;; esac; last=$word; done
[ "$2" = history ] && echo '[%s
	{"kind": "update", "environment": {%s}},
	{"kind": "update", "environment": {"git.head": "%s"}}]' | jq ".[$size * ($page - 1):$size * $page]"
true`, refreshes, environment, strings.Repeat("0", 40)))
}

func TestApplyNeverGoesBackBehindANewerCommit(t *testing.T) {
	s := newStage(t)
	commit := func(subject string) string {
		s.git("-c user.name=a commit --quiet --allow-empty --message " + subject)
		return s.git("rev-parse HEAD")
	}
	s.git("init --quiet .")
	older, newer := commit("older"), commit("newer")
	head := func(commit string) string { return `"git.head": "` + commit + `"` }
	byHand := strings.Repeat("1", 40) // on no branch of this repository
	ups := func() int {
		calls, _ := os.ReadFile(s.file("calls"))
		return strings.Count(string(calls), "pulumi up")
	}
	for deployed, reason := range map[string]string{
		head(newer):  newer + " already, which " + older + " does not contain",
		head(byHand): byHand + " already, which isn't in this repository",
		`"a": "b"`:   "unknown already, which isn't in this repository",
	} {
		s.git("checkout --quiet " + older)
		s.deployed(deployed)
		s.env = nil
		before := ups()
		code, said := s.says("apply", "prod", "out")
		assert.Equal(t, 1, code)
		commit, _, _ := strings.Cut(reason, " ")
		assert.Contains(t, said, "prod runs "+reason+": nothing is done. To deploy all the same: gh workflow run deploy --field over="+commit+"\n")
		assert.Equal(t, before, ups())

		s.env = []string{"OVER=" + commit}
		assert.Zero(t, s.run("apply", "prod", "out"))
		assert.Equal(t, before+1, ups())
	}
	s.env = []string{"OVER=" + older}
	s.deployed(head(newer))
	assert.Equal(t, 1, s.run("apply", "prod", "out"), "it allows that commit alone")

	s.env = nil
	s.git("checkout --quiet " + newer)
	for _, deployed := range []string{older, newer} {
		s.deployed(head(deployed))
		assert.Zero(t, s.run("apply", "prod", "out"))
	}
}

// gh answers as GitHub would: pulls is the number found, comment the id of an earlier comment.
func (s *stage) gh(pulls, comment string) {
	s.command("gh", fmt.Sprintf(`case "$*" in
*/pulls*) echo "%s" ;;
*/preview.yml/runs*) echo 98 ;;
*/rehearse.yml/runs*) echo 99 ;;
"run download 98"*) mkdir -p "$9/summary-preview-dev" "$9/summary-plan" "$9/summary-rehearsal"
    echo preview >"$9/summary-preview-dev/2-preview-dev.md"; echo plan >"$9/summary-plan/1-plan.md"; echo no >"$9/summary-plan/other"
    echo no >"$9/summary-rehearsal/3-rehearsal.md" ;;
"run download 99"*) mkdir -p "$9/summary-rehearsal"; echo rehearsal >"$9/summary-rehearsal/3-rehearsal.md" ;;
"api --paginate"*) echo "%s" ;;
*body=@*) for last; do :; done; cp "${last#body=@}" %s ;;
esac`, pulls, comment, s.file("posted")))
}

// quotation is how a summary of one line is posted.
func quotation(line string) string { return "\nThe code of 0123abc says:\n\n> " + line + "\n\n" }

func TestCommentIsMadeOnceAndRenewedAfterwards(t *testing.T) {
	s := newStage(t)
	s.gh("7", "")
	require.Zero(t, s.run("comment", "acme", "topic", "0123abc"))
	assert.Equal(t, "<!-- what changes in the stacks -->\n"+quotation("plan")+quotation("preview")+quotation("rehearsal"), s.text("posted"))
	assert.Contains(t, s.text("calls"), "--method POST repos/acme/shop/issues/7/comments")
	assert.Contains(t, s.text("calls"), "head=acme:topic")
	assert.Contains(t, s.text("calls"), `select(.head.sha == "0123abc")`)
	assert.Contains(t, s.text("calls"), "rehearse.yml/runs -f head_sha=0123abc -f event=pull_request -f status=completed")

	again := newStage(t)
	again.gh("7", "4711")
	require.Zero(t, again.run("comment", "acme", "topic", "0123abc"))
	assert.Contains(t, again.text("calls"), "--method PATCH repos/acme/shop/issues/comments/4711")
	assert.NotContains(t, again.text("calls"), "--method POST")
}

// A rehearsal takes longer than a preview, and a change of the docs has none.
func TestCommentHasWhatHasFinished(t *testing.T) {
	s := newStage(t)
	s.command("gh", fmt.Sprintf(`case "$*" in
*/pulls*) echo 7 ;;
*/preview.yml/runs*) echo 98 ;;
"run download 98"*) mkdir -p "$9/summary-plan"; echo plan >"$9/summary-plan/1-plan.md" ;;
*body=@*) for last; do :; done; cp "${last#body=@}" %s ;;
esac`, s.file("posted")))
	require.Zero(t, s.run("comment", "acme", "topic", "0123abc"))
	assert.Equal(t, "<!-- what changes in the stacks -->\n"+quotation("plan"), s.text("posted"))
}

func TestRehearseScriptHandsTheReportOn(t *testing.T) {
	s := newStage(t)
	s.command("make", `echo '## Rehearsal of prod: failed' >out/rehearsal/rehearsal.md; exit 2`)
	require.Equal(t, 2, s.run("rehearse", "0123abc", "prod", "out"))
	assert.Equal(t, "make --no-print-directory rehearse BASE=0123abc STACK=prod OUT=out/rehearsal\n", s.text("calls"))
	assert.Contains(t, s.text("out/3-rehearsal.md"), "## Rehearsal of prod: failed\n\nThe job took ")
	assert.Equal(t, s.text("out/3-rehearsal.md"), s.text("step-summary"))
}

func TestRehearsalWithoutAReportSaysWhy(t *testing.T) {
	s := newStage(t)
	s.command("make", "echo 'deploy base: `"+`ErrImagePull`+"`' >&2; exit 2")
	require.Equal(t, 2, s.run("rehearse", "0123abc", "prod", "out"))
	assert.Contains(t, s.text("out/3-rehearsal.md"), "## Rehearsal of prod: failed\n\nIt has no report. It said last:\n\n``````````\ndeploy base: ")
}

// An artifact of a fork may hold any file under any name.
func TestCommentReadsNothingButTheSummaries(t *testing.T) {
	for name, tree := range map[string]string{
		// One line of its path is the path of another file.
		"a name that is two lines": "mkdir -p \"summary-x/a\n${secret%/*}\"; echo x >\"summary-x/a\n$secret\"",
		"another file":             `mkdir -p summary-plan summary-evil; cp "$secret" summary-plan/9.md; cp "$secret" summary-evil/1-plan.md`,
		"a link":                   `mkdir -p summary-plan; ln -s "$secret" summary-plan/1-plan.md`,
		"a folder that's a link":   `mkdir -p summary-evil; cp "$secret" summary-evil/1-plan.md; ln -s summary-evil summary-plan`,
		"a folder":                 `mkdir -p summary-plan/1-plan.md; cp "$secret" summary-plan/1-plan.md/1-plan.md`,
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			require.NoError(t, os.WriteFile(s.file("secret.md"), []byte("the runner's own"), 0o600))
			s.command("gh", fmt.Sprintf(`case "$*" in
*/pulls*) echo 7 ;;
*/runs*) echo 98 ;;
"run download"*) secret=%s; mkdir -p "$9"; cd "$9"; %s ;;
*body=@*) for last; do :; done; cp "${last#body=@}" %s ;;
esac`, s.file("secret.md"), tree, s.file("posted")))
			require.Zero(t, s.run("comment", "mallory", "topic", "0123abc"))
			assert.Equal(t, "<!-- what changes in the stacks -->\n", s.text("posted"))
		})
	}
}

// commented is the comment that is made of a plan and a preview.
func commented(t *testing.T, plan, preview string) string {
	t.Helper()
	s := newStage(t)
	s.write("plan.md", plan)
	s.write("preview.md", preview)
	s.command("gh", fmt.Sprintf(`case "$*" in
*/pulls*) echo 7 ;;
*/preview.yml/runs*) echo 98 ;;
"run download"*) mkdir -p "$9/summary-plan" "$9/summary-preview-dev"
    cp %s "$9/summary-plan/1-plan.md"; cp %s "$9/summary-preview-dev/2-preview-dev.md" ;;
*body=@*) for last; do :; done; cp "${last#body=@}" %s ;;
esac`, s.file("plan.md"), s.file("preview.md"), s.file("posted")))
	require.Zero(t, s.run("comment", "mallory", "topic", "0123abc"))
	return s.text("posted")
}

// GitHub reads the words of a fork as the bot's own: a mention calls somebody, a link has the project's name on it.
func TestCommentQuotesTheCodeAndNobodyIsCalled(t *testing.T) {
	posted := commented(t, "@acme/admins &#64;ada &commat;ada [log in](https://evil.example) ![x](//evil.example/x.png) <img src=x> <https://evil.example>\n"+
		"www.evil.example #12 GH-12 acme/shop#12 a@evil.example\n[x]: https://evil.example\n<!-- hides\n\n## A heading &lt;b&gt;\n| a | `b@sha256:0` |\n\xff\x00\n", "end")
	for _, live := range []string{"@a", "@e", "&#", "&c", "](", "]:", "https://", "<i", "<h", "<!", "www.", "#1", "GH-1"} {
		assert.NotContains(t, strings.TrimPrefix(posted, "<!-- what changes in the stacks -->"), live)
	}
	for _, kept := range []string{"\n> ## A heading &lt;b&gt;\n", "\n> | a | `b@", "\n> end\n"} {
		assert.Contains(t, posted, kept)
	}
	for line := range strings.Lines(posted) {
		said := strings.HasPrefix(line, "> ") || line == "\n" || line == "The code of 0123abc says:\n" || line == "<!-- what changes in the stacks -->\n"
		assert.True(t, said, line)
	}
}

func TestNoSummaryPushesAnotherOneOut(t *testing.T) {
	for name, plan := range map[string]string{
		"long":                 strings.Repeat("a line\n", 100_000),
		"one line":             strings.Repeat("x", 300_000),
		"mentions":             strings.Repeat("@", 300_000),
		"folds":                strings.Repeat("<details>", 50),
		"many folds":           strings.Repeat("<details>", 30_000),
		"a block that is open": "``````````\n<details><summary>x</summary>\n",
	} {
		t.Run(name, func(t *testing.T) {
			posted := commented(t, plan, strings.Repeat("y\n", 4000)+"the end")
			assert.Less(t, len(posted), 65_536*2/3, "there may be a third one")
			first, second, found := strings.Cut(posted, "\nThe code of 0123abc says:\n\n> y\n")
			require.True(t, found)
			assert.Contains(t, second, "> the end\n")
			assert.Equal(t, strings.Count(first, "<details>"), strings.Count(first, "</details>"), "what follows isn't hidden")
			assert.Equal(t, len(plan) > 20_000, strings.Contains(first, "the rest may be on the page of the run alone"))
		})
	}
}

func TestCommentIsForTheCommitThatWasPreviewed(t *testing.T) {
	s := newStage(t)
	s.gh("", "")
	require.Zero(t, s.run("comment", "acme", "topic", "0123abc"))
	assert.Equal(t, 1, strings.Count(s.text("calls"), "\n"), "nothing is downloaded, nothing written")
}
