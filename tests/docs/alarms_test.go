package docs

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"threetier/gate/project"
)

type alarm struct {
	Description string  `yaml:"alarmDescription"`
	Threshold   float64 `yaml:"threshold"`
}

// registered are the alarms of a stack that has every kind, by name: what they say, and their threshold.
func registered(t *testing.T) map[string]alarm {
	t.Helper()
	full, err := os.ReadFile(filepath.Join(project.Root(), "tests", "stacks", "Pulumi.full.yaml"))
	require.NoError(t, err)
	withReplica := strings.Replace(string(full), "threetier:database:\n", "threetier:database:\n    readReplicas: 1\n", 1)
	require.NotEqual(t, string(full), withReplica)
	planned, err := planOf(t, withReplica)
	require.NoError(t, err)
	text, err := planned.Text()
	require.NoError(t, err)
	var document struct {
		Resources []struct {
			Type, Name string
			Inputs     alarm
		}
	}
	require.NoError(t, yaml.Unmarshal(text, &document))
	all := map[string]alarm{}
	for _, res := range document.Resources {
		if res.Type == "aws:cloudwatch/metricAlarm:MetricAlarm" {
			all[res.Name] = res.Inputs
		}
	}
	return all
}

// Whoever is woken reads the address of a section, which says what the alarm means, what to type and how it ends.
func TestEachAlarmEndsWithTheAddressOfItsSection(t *testing.T) {
	all := registered(t)
	require.Greater(t, len(all), 15)
	address := regexp.MustCompile(`: (docs/operate/(?:database-)?alarms\.md)#([a-z-]+)$`)
	described := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		match := address.FindStringSubmatch(all[name].Description)
		require.NotNil(t, match, "%s: %s", name, all[name].Description)
		_, section, found := strings.Cut(pages(t)[match[1]], "\n## "+match[2]+"\n")
		require.True(t, found, "%s names %s#%s, which isn't there", name, match[1], match[2])
		section, _, _ = strings.Cut(section, "\n## ")
		described[match[1]+"#"+match[2]] = true
		for _, part := range []string{"- **Fires:** ", "- **Means:** ", "- **Way out:** "} {
			assert.Contains(t, section, part, "%s#%s", match[1], match[2])
		}
		_, commands, _ := strings.Cut(section, "```console\n")
		commands, _, _ = strings.Cut(commands, "```")
		assert.Equal(t, 3, strings.Count(commands, "\n"), "%s#%s has other than three commands", match[1], match[2])
	}
	for _, name := range []string{"docs/operate/alarms.md", "docs/operate/database-alarms.md"} {
		for _, match := range regexp.MustCompile(`(?m)^## ([a-z-]+)$`).FindAllStringSubmatch(pages(t)[name], -1) {
			assert.True(t, described[name+"#"+match[1]], "%s describes %s, which no alarm names", name, match[1])
		}
	}
}

// The thresholds that don't depend on a stack config stand in the page as the program has them.
func TestThresholdsOfTheAlarmsAreThoseOfTheProgram(t *testing.T) {
	all := registered(t)
	for alarm, words := range map[string]struct {
		threshold float64
		page, say string
	}{
		"alarms-errors":                {1.44, "docs/operate/alarms.md", "more than 1.44 % of the requests of 5 minutes"},
		"alarms-restarts-backend":      {3, "docs/operate/alarms.md", "restarted 3 times in 15 minutes"},
		"database-alarm-cpu":           {80, "docs/operate/database-alarms.md", "CPU is above 80 % for 15 minutes"},
		"database-replica-1-alarm-lag": {120, "docs/operate/database-alarms.md", "more than 120 seconds behind for 15 minutes"},
	} {
		require.Contains(t, all, alarm)
		assert.InDelta(t, words.threshold, all[alarm].Threshold, 0, alarm)
		assert.Contains(t, pages(t)[words.page], words.say)
	}
}
