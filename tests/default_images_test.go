package tests

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"threetier/components/app/images"
	"threetier/gate/project"
)

// oldAfter is how long the digests may stay. PostgreSQL alone has a minor release in each quarter.
const oldAfter = 120 * 24 * time.Hour

func TestDefaultImagesHaveADigestAndAreNotOld(t *testing.T) {
	pinned := regexp.MustCompile(`^[a-z0-9./-]+:[a-z0-9.-]+@sha256:[0-9a-f]{64}$`)
	require.Regexp(t, pinned, images.Nginx)
	require.Regexp(t, pinned, images.Client)

	const file = "components/app/images/Dockerfile"
	text, err := os.ReadFile(filepath.Join(project.Root(), file))
	require.NoError(t, err)
	dates := regexp.MustCompile(`\d{4}-\d\d-\d\d`).FindAllString(string(text), -1)
	require.Len(t, dates, 1, "make renew writes the day of the digests")
	of, err := time.Parse(time.DateOnly, dates[0])
	require.NoError(t, err)
	require.WithinRange(t, time.Now(), of, of.Add(oldAfter), "%s is of %s: merge Dependabot's pull request or set newer tags, then run make renew", file, dates[0])
}
