package rehearse

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAnAbsentFileIsAllDefaults(t *testing.T) {
	file, err := ReadFile(t.TempDir())
	require.NoError(t, err)
	assert.Equal(t, 20, *file.Load.Rate)
	assert.Equal(t, 10, *file.Load.SteadySeconds)
	assert.Equal(t, 2, *file.Limits.LockSeconds)
	assert.Empty(t, file.Load.Requests)
}

func TestProjectsOwnFileIsRead(t *testing.T) {
	file, err := ReadFile("../..")
	require.NoError(t, err)
	assert.NotEmpty(t, file.Seed.SQL)
	require.Len(t, file.Load.Requests, 3)
	post := file.Load.Requests[2]
	body, err := post.content()
	require.NoError(t, err)
	assert.JSONEq(t, `{"title": "rehearsal {n}"}`, body)
	assert.Equal(t, 201, post.Status)
	assert.Equal(t, 1, *post.Share)
	assert.Equal(t, "GET", file.Load.Requests[0].Method)
}

func TestEveryMistakeOfAFileIsALine(t *testing.T) {
	_, err := ParseFile([]byte(`
load:
  rate: 0
  requests:
    - { path: items, method: get, status: 99 }
    - { share: 0, page: true, status: 404 }
limits: { lockSeconds: 0, p99Times: 0, p99Milliseconds: 0 }
allow: { lost: yes, lock items: " ", rows items: it is meant }
`))
	require.Error(t, err)
	assert.Equal(t, strings.TrimSpace(`
rehearsal.yaml: load.rate is 0, want 1 to 500
limits.lockSeconds is 0, want 1 to 600
limits.p99Times is 0, want 1 to 1000
limits.p99Milliseconds is 0, want 1 to 30000
load.requests[0].method is "get", want GET, HEAD, POST, PUT, PATCH or DELETE
load.requests[0].path is "items", want a path that starts with /
load.requests[0].status is 99, want 100 to 599
load.requests[1].path is missing, want a path that starts with /
load.requests[1].share is 0, want 1 to 1000
load.requests[1].page is true, want GET and status 200 with it
allow.lock items is " ", want a reason
allow is "lost", want names like lost forward, slow back, rollback, rows items, lock items or unmeasured rows`), err.Error())
}

func TestUnknownKeyIsRefusedWithItsLine(t *testing.T) {
	_, err := ParseFile([]byte("load:\n  rates: 5\n"))
	assert.ErrorContains(t, err, "line 2: field rates is not a key of Load")
	_, err = ParseFile([]byte("seed:\n  rows: 5\n"))
	assert.ErrorContains(t, err, "line 2: field rows is not a key of Seed")
}
