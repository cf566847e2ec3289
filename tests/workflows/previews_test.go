package workflows

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/project"
)

// Every job is of the default branch: pull_request_target and workflow_run have its rights, so none may run what a pull
// request has, nor let its words into a command.
func TestPreviewsRunNoCodeOfAPullRequest(t *testing.T) {
	previews := read(t, "previews.yml")
	assert.Equal(t, map[string]any{
		"workflow_run":        map[string]any{"workflows": []any{"build"}, "types": []any{"completed"}},
		"pull_request_target": map[string]any{"types": []any{"closed", "labeled", "synchronize"}},
		"schedule":            []any{map[string]any{"cron": "37 2 * * *"}},
	}, previews.On)
	expression := regexp.MustCompile(`\$\{\{`)
	for id, job := range previews.Jobs {
		for _, step := range job.Steps {
			if strings.HasPrefix(step.Uses, "actions/checkout@") {
				assert.Equal(t, map[string]any{"persist-credentials": false}, step.With, "%s: the default branch, without a ref", id)
			}
			assert.NotRegexp(t, expression, step.Run, "%s: values come by the environment", id)
			assert.NotContains(t, step.Uses, "cache", "%s: the default branch's cache", id)
		}
	}
	for id, job := range read(t, "build.yml").Jobs {
		assert.Equal(t, map[string]string{"contents": "read"}, job.Permissions, id)
		assert.Empty(t, job.role(), id)
	}
}

// One after the other for each pull request, and none is stopped half-way.
func TestPreviewsOfAPullRequestNeverOverlap(t *testing.T) {
	previews := read(t, "previews.yml")
	for id, number := range map[string]string{"up": "needs.asked.outputs.number", "down": "github.event.pull_request.number"} {
		job := previews.Jobs[id]
		assert.Equal(t, map[string]any{"group": "previews-${{ " + number + " }}", "cancel-in-progress": false}, job.Concurrency)
	}
	for _, id := range []string{"up", "down", "sweep"} {
		job := previews.Jobs[id]
		assert.Equal(t, "previews-dev", job.Environment, id)
		assert.Equal(t, "${{ vars.PREVIEWS_ROLE_ARN }}", job.role(), id)
	}
	last := previews.Jobs["down"].Steps[len(previews.Jobs["down"].Steps)-1]
	assert.Equal(t, map[string]any{"PR": "${{ github.event.pull_request.number }}"}, last.Env)
	for _, id := range []string{"asked", "down", "sweep"} { // and the others need asked
		assert.Contains(t, previews.Jobs[id].If, "vars.PREVIEWS_ROLE_ARN != ''", id)
	}
	assert.Contains(t, previews.Jobs["unlabel"].If, "github.event.action == 'synchronize'")
}

// ofRun is the environment of asked where a run of build has ended, with what differs.
func ofRun(more ...string) []string {
	return append([]string{"LABELED=", "SENDER=ada", "AUTHOR=User", "RUN=98", "HEAD_REPO=acme/shop", "HEAD_OWNER=acme",
		"HEAD_BRANCH=topic", "HEAD_SHA=0123abc"}, more...)
}

const asksForRun = "number=7\nowner=acme\nbranch=topic\nsha=0123abc\nrun=98\n"

func TestABranchIsPreviewedByItself(t *testing.T) {
	for name, c := range map[string]struct {
		more []string
		want string
	}{
		"a branch":                       {nil, asksForRun},
		"a fork":                         {[]string{"HEAD_REPO=mallory/shop"}, ""},
		"a fork of a name like that":     {[]string{"HEAD_REPO=acme/shop2"}, ""},
		"a bot":                          {[]string{"AUTHOR=Bot"}, ""},
		"a commit that isn't head":       {[]string{"HEAD_SHA=old"}, ""},
		"a branch with words of a shell": {[]string{"HEAD_BRANCH=$(touch ran);`touch ran`"}, strings.Replace(asksForRun, "topic", "$(touch ran);`touch ran`", 1)},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.env = ofRun(c.more...)
			s.command("gh", `case "$*" in */pulls*'"0123abc"'*) echo 7 ;; */pulls*) ;; *) exit 9 ;; esac`)
			require.Zero(t, s.run("asked"))
			output, _ := os.ReadFile(s.file("output"))
			assert.Equal(t, c.want, string(output))
			assert.NoFileExists(t, s.file("ran"))
		})
	}
}

// The label is for the commit that the pull request had when it was set.
func TestALabelAsksForAPreviewIfItsSenderMayWrite(t *testing.T) {
	ofLabel := ofRun("LABELED=7", "AUTHOR=", "RUN=", "HEAD_REPO=", "HEAD_OWNER=mallory")
	for permission, code := range map[string]int{"admin": 0, "write": 0, "read": 1, "none": 1, "": 1} {
		s := newStage(t)
		s.env = ofLabel
		s.command("gh", `case "$*" in
"api repos/acme/shop/collaborators/ada/permission --jq .permission") echo `+permission+` ;;
*"/build.yml/runs -f head_sha=0123abc -f event=pull_request -f status=success "*) echo 99 ;;
*) exit 9 ;;
esac`)
		assert.Equal(t, code, s.run("asked"), permission)
		output, _ := os.ReadFile(s.file("output"))
		if code == 0 {
			assert.Equal(t, "number=7\nowner=mallory\nbranch=topic\nsha=0123abc\nrun=99\n", string(output))
		} else {
			assert.Empty(t, output, permission)
		}
	}

	s := newStage(t)
	s.env = ofLabel
	s.command("gh", `case "$*" in *permission*) echo admin ;; esac`)
	code, said := s.says("asked")
	assert.Equal(t, 1, code)
	assert.Contains(t, said, "no run of build has the images of 0123abc: set the label again when one has\n")
}

func TestArchivesOfAPullRequestArePushedAsWhatTheyAre(t *testing.T) {
	archives := func(tree string) *stage {
		s := apps(t)
		s.write("secret", "the runner's own")
		require.NoError(t, os.MkdirAll(s.file(".github"), 0o700))
		require.NoError(t, os.Symlink(filepath.Join(project.Root(), ".github", "scripts"), s.file(".github/scripts")))
		s.env = []string{"REGISTRY=ghcr.io/acme", "GH_TOKEN=x"}
		s.command("gh", fmt.Sprintf(`for last; do :; done; mkdir -p "$last/image-backend" && cd "$last" && %s`, tree))
		return s
	}
	s := archives("echo x >image-backend/image.tar")
	code, said := s.says("push-preview", "7", "0123456789abcdef", "98")
	require.Zero(t, code)
	assert.Contains(t, said, "frontend: nothing was built, the preview has the image of dev\n")
	assert.Contains(t, s.text("calls"), "gh run download 98 --repo acme/shop --pattern image-* --dir ")
	assert.Regexp(t, `^backend=ghcr\.io/acme/backend:pr-7-0123456789ab-\d{14}@`+built+"\n$", s.text("output"))

	for name, tree := range map[string]string{
		"a link":                 "ln -s ../../secret image-backend/image.tar",
		"a folder that's a link": "rm -r image-backend && mkdir other && echo x >other/image.tar && ln -s other image-backend",
		"nothing":                "false",
	} {
		s := archives(tree)
		require.Zero(t, s.run("push-preview", "7", "0123456789abcdef", "98"), name)
		assert.NotContains(t, s.text("calls"), "skopeo copy", name)
		assert.NoFileExists(t, s.file("output"), name)
	}
}

func TestNothingIsDeployedOfACommitThatIsNoMoreTheHead(t *testing.T) {
	for found, deployed := range map[string]bool{"open 0123abc ada": true, "closed 0123abc ada": false, "open 4567def ada": false} {
		s := newStage(t)
		s.env = []string{"PR=7", "BACKEND=image"}
		s.command("gh", "echo "+found)
		s.command("make", `echo "for $WHO: $BACKEND" >>`+s.file("calls"))
		s.command("pulumi", "echo https://pr-7.dev.example.org")
		require.Zero(t, s.run("preview-up", "0123abc"))
		output, _ := os.ReadFile(s.file("output"))
		if !deployed {
			assert.Empty(t, output, found)
			assert.NotContains(t, s.text("calls"), "make")
			continue
		}
		assert.Equal(t, "url=https://pr-7.dev.example.org\n", string(output))
		assert.Contains(t, s.text("calls"), "make --no-print-directory preview-up\nfor ada: image\npulumi stack output url --stack pr-7\n")
	}
}

func TestSweepRemovesWhatHasNoOpenPullRequest(t *testing.T) {
	s := newStage(t)
	s.command("gh", "printf '%s\\n' 9 70")
	s.command("make", `case "$*" in
*"previews JSON=1") echo '[{"number": 7, "database": true}, {"number": 9}, {"number": 8}]' ;;
*PR=7) exit 2 ;;
esac`)
	assert.Equal(t, 1, s.run("sweep"), "one of them stayed")
	assert.Equal(t, 1, strings.Count(s.text("calls"), "preview-down PR=7\n"))
	assert.Equal(t, 1, strings.Count(s.text("calls"), "preview-down PR=8\n"), "the others go all the same")
	assert.NotContains(t, s.text("calls"), "PR=9")

	unknown := newStage(t)
	unknown.command("gh", "exit 1")
	unknown.command("make", `echo '[{"number": 7}]'`)
	assert.Equal(t, 1, unknown.run("sweep"))
	assert.NotContains(t, unknown.text("calls"), "preview-down", "nobody knows what is open")
}

// The address comes from a status, which whoever pushes branches can set too.
func TestCommentHasTheAddressOfThePreview(t *testing.T) {
	for url, shown := range map[string]bool{
		"https://pr-7.dev.example.org": true, "https://pr-8.dev.example.org": false, "https://evil.example/pr-7.dev": false,
		"https://pr-7.dev.example.org/[x](//evil.example)": false, "https://pr-7.dev@evil.example": false, "": false,
	} {
		s := newStage(t)
		s.command("gh", fmt.Sprintf(`case "$*" in
*/pulls*) echo 7 ;;
*/commits/0123abc/statuses*) echo '%s' ;;
*body=@*) for last; do :; done; cp "${last#body=@}" %s ;;
esac`, url, s.file("posted")))
		require.Zero(t, s.run("comment", "acme", "topic", "0123abc"))
		want := "<!-- what changes in the stacks -->\n"
		if shown {
			want += "\nA preview of 0123abc runs: " + url + "\n"
		}
		assert.Equal(t, want, s.text("posted"), url)
	}
}

func TestTheStatusHasTheAddressOrTheRun(t *testing.T) {
	for url, want := range map[string]string{
		"https://pr-7.dev.example.org": "state=success -f description=the preview runs -f target_url=https://pr-7.dev.example.org\n",
		"":                             "state=failure -f description=the preview did not come up -f target_url=https://github.com/acme/shop/actions/runs/5\n",
	} {
		s := newStage(t)
		s.command("gh", "")
		require.Zero(t, s.run("tell", "0123abc", url))
		assert.Equal(t, "gh api --silent --method POST repos/acme/shop/statuses/0123abc -f context=preview-url -f "+want, s.text("calls"))
	}
}
