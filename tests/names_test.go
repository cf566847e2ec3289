package tests

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/project"
	"threetier/gate/recorder"
	"threetier/internal/stack"
)

// A stack that has a database can't be renamed.
func TestANameThatIsTooLongIsRefusedBeforeAnythingIsRegistered(t *testing.T) {
	run := func(project, name string, config *project.Config) (*recorder.Recording, error) {
		return recorder.Run(stack.Deploy, recorder.Options{Project: project, Stack: name, Config: config})
	}
	longest := strings.Repeat("a", 52-len("threetier--database"))
	_, err := run("threetier", longest, project.StackConfig(t, "dev"))
	require.NoError(t, err)
	for _, c := range []struct{ project, stack, want string }{
		{"threetier", longest + "ab", `stack is "` + longest + `ab", want a name that is 2 characters shorter: the database's name in RDS is threetier-` + longest + `ab-database, and may have 52`},
		{"threetier", strings.Repeat("b", 100), "want a name that is 67 characters shorter"},
		{"9lives", "dev", `project is "9lives", want a name that begins with a letter`},
	} {
		recording, err := run(c.project, c.stack, project.StackConfig(t, "dev"))
		require.ErrorContains(t, err, c.want)
		assert.Empty(t, recording.Names(), "nothing is registered")
		assert.Empty(t, recording.Lookups, "nothing is looked up")
	}
}
