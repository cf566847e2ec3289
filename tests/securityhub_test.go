package tests

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/project"
	"threetier/gate/recorder"
	"threetier/gate/scorecard"
	"threetier/internal/settings"
	"threetier/internal/stack"
)

// deployed records a whole stack, with its waivers.
func deployed(t *testing.T, name string) (scorecard.Evidence, map[string]string) {
	t.Helper()
	var waive map[string]string
	network := recorder.TwoZones()
	recording := recorder.MustRun(t, func(ctx *pulumi.Context) error {
		config, err := settings.Load(ctx)
		if err != nil {
			return err
		}
		waive = config.Database.Waive
		return stack.Deploy(ctx)
	}, recorder.Options{Stack: name, Config: project.StackConfig(t, name), Network: network})
	return scorecard.Of(recording, network), waive
}

// met is the best that a control can be.
func met(id string) string {
	for _, control := range scorecard.Controls {
		if control.ID == id && control.ByDesign != "" {
			return scorecard.ByDesign
		}
	}
	return scorecard.Pass
}

func TestSecurityHubControlsOfProd(t *testing.T) {
	evidence, waive := deployed(t, "prod")
	assert.Empty(t, waive, "prod waives none")
	verdicts := scorecard.Judge(evidence, waive)
	for _, control := range scorecard.Controls {
		t.Run(control.ID, func(t *testing.T) {
			assert.Equal(t, scorecard.Verdict{Status: met(control.ID), Why: control.ByDesign}, verdicts[control.ID], control.Title)
		})
	}
}

func TestSecurityHubControlsOfDev(t *testing.T) {
	evidence, waive := deployed(t, "dev")
	verdicts := scorecard.Judge(evidence, waive)
	for _, control := range scorecard.Controls {
		t.Run(control.ID, func(t *testing.T) {
			assert.Contains(t, []string{scorecard.Pass, scorecard.Waived, scorecard.ByDesign}, verdicts[control.ID].Status, verdicts[control.ID].Why)
		})
	}
	for id, reason := range waive {
		assert.Equal(t, scorecard.Verdict{Status: scorecard.Waived, Why: reason}, verdicts[id], "%s is waived and needs to be", id)
	}
}

func TestSecurityHubControlsOfReadReplicas(t *testing.T) {
	network := recorder.TwoZones()
	recording := recorder.MustRun(t, stack.Deploy, recorder.Options{
		Stack: "prod", Network: network, Config: project.StackConfig(t, "prod").Set(t, "threetier:database.readReplicas", 2),
	})
	require.Len(t, recording.All("aws:rds/instance:Instance"), 3)
	for id, verdict := range scorecard.Judge(scorecard.Of(recording, network), nil) {
		assert.Equal(t, met(id), verdict.Status, "%s: %s", id, verdict.Why)
	}
}

func TestUnprotectedReplicasOfADurableDatabaseAreWaivedAndNothingElseIs(t *testing.T) {
	network := recorder.TwoZones()
	waive := map[string]string{"RDS.8": "one is being removed"}
	recording := recorder.MustRun(t, stack.Deploy, recorder.Options{
		Stack: "prod", Network: network, Config: project.StackConfig(t, "prod").
			Set(t, "threetier:database.readReplicas", 1).Set(t, "threetier:database.waive", waive),
	})
	for id, verdict := range scorecard.Judge(scorecard.Of(recording, network), waive) {
		assert.Equal(t, map[bool]string{true: scorecard.Waived, false: met(id)}[id == "RDS.8"], verdict.Status, "%s: %s", id, verdict.Why)
	}
}

// breakage is an input that, changed, must fail controls.
type breakage struct {
	typ, input string
	value      any
	fails      []string
}

var breakages = []breakage{
	{instanceType, "publiclyAccessible", true, []string{"RDS.2"}},
	{instanceType, "storageEncrypted", false, []string{"RDS.3", "RDS.4"}},
	{instanceType, "multiAz", false, []string{"RDS.5"}},
	{instanceType, "monitoringInterval", 0, []string{"RDS.6"}},
	{instanceType, "deletionProtection", false, []string{"RDS.8"}},
	{instanceType, "enabledCloudwatchLogsExports", []any{"postgresql"}, []string{"RDS.9", "RDS.36"}},
	{"aws:cloudwatch/logGroup:LogGroup", "retentionInDays", 0, []string{"RDS.9", "RDS.36"}},
	{instanceType, "iamDatabaseAuthenticationEnabled", false, []string{"RDS.10"}},
	{instanceType, "backupRetentionPeriod", 6, []string{"RDS.11"}},
	{instanceType, "autoMinorVersionUpgrade", false, []string{"RDS.13"}},
	{instanceType, "copyTagsToSnapshot", false, []string{"RDS.17", "RDS.32"}},
	{subscriptionType, "enabled", false, []string{"RDS.20", "RDS.21", "RDS.22"}},
	{subscriptionType, "eventCategories", []any{"failure"}, []string{"RDS.20", "RDS.21", "RDS.22"}},
	{instanceType, "port", 5432, []string{"RDS.23"}},
	{instanceType, "username", "postgres", []string{"RDS.25"}},
	{instanceType, "tags", map[string]any{"Project": "threetier"}, []string{"RDS.26"}},
	{instanceType, "tags", map[string]any{}, []string{"RDS.26", "RDS.30"}},
	{"aws:rds/subnetGroup:SubnetGroup", "tags", map[string]any{}, []string{"RDS.33"}},
	{"aws:rds/parameterGroup:ParameterGroup", "parameters", []any{}, []string{"RDS.38"}},
	{"aws:secretsmanager/secret:Secret", "tags", map[string]any{}, []string{"SecretsManager.5"}},
	{"aws:rds/subnetGroup:SubnetGroup", "subnetIds", []any{"subnet-publica"}, []string{"RDS.46"}},
}

// A control whose check can't fail would be no control.
func TestSecurityHubControlsFailOnWhatBreaksThem(t *testing.T) {
	broken := map[string]bool{}
	for _, breakage := range breakages {
		t.Run(breakage.typ+" "+breakage.input, func(t *testing.T) {
			evidence, _ := deployed(t, "prod")
			for i, res := range evidence.Recording.Resources {
				if res.Type == breakage.typ {
					evidence.Recording.Resources[i].Inputs[resource.PropertyKey(breakage.input)] = resource.NewPropertyValue(breakage.value)
				}
			}
			var failed []string
			verdicts := scorecard.Judge(evidence, nil)
			for _, control := range scorecard.Controls {
				if verdicts[control.ID].Status == scorecard.Fail {
					failed = append(failed, control.ID)
					broken[control.ID] = true
				}
			}
			assert.Equal(t, breakage.fails, failed)
		})
	}
	for _, control := range scorecard.Controls {
		assert.True(t, broken[control.ID] || control.ByDesign != "", "%s was never seen to fail", control.ID)
	}
}

func TestWaiverThatIsUnknownUnneededOrUnreasonedIsRefused(t *testing.T) {
	for name, test := range map[string]struct{ waive, want string }{
		"unknown":    {"RDS.99", `threetier:database.waive.RDS.99 is "why", want one of RDS.5, RDS.6, RDS.8, RDS.11, RDS.20, RDS.21, RDS.22, RDS.23, RDS.25, RDS.26: every database meets the others`},
		"always met": {"RDS.3", `threetier:database.waive.RDS.3 is "why", want one of RDS.5, RDS.6, RDS.8, RDS.11, RDS.20, RDS.21, RDS.22, RDS.23, RDS.25, RDS.26: every database meets the others`},
		"unneeded":   {"RDS.5", `threetier:database.waive.RDS.5 is "why", want no waiver: the control is met`},
	} {
		t.Run(name, func(t *testing.T) {
			config := project.StackConfig(t, "prod").Set(t, "threetier:database.waive", map[string]string{test.waive: "why"})
			assert.Equal(t, []string{test.want}, refusals(t, config))
		})
	}
	config := project.StackConfig(t, "dev").Set(t, `threetier:database.waive["RDS.5"]`, " ")
	assert.Equal(t, []string{`threetier:database.waive.RDS.5 is " ", want a reason`}, refusals(t, config))
}

func TestDurableDatabaseMustMeetOrWaiveEveryControl(t *testing.T) {
	config := project.StackConfig(t, "prod").
		Set(t, "threetier:database.multiAz", false).
		Set(t, "threetier:database.port", 5432).
		Set(t, "threetier:database.username", "postgres").
		Remove(t, "threetier:database.backupPlan").
		Remove(t, "threetier:alarms.topicArn")
	assert.Equal(t, []string{
		"threetier:database.multiAz is false, want true (RDS.5), or the reason why not as waive.RDS.5",
		"threetier:alarms.topicArn is missing, want the ARN of an SNS topic for events (RDS.20), or the reason why not as waive.RDS.20",
		"threetier:database.port is 5432, want another than the default 5432 (RDS.23), or the reason why not as waive.RDS.23",
		"threetier:database.username is postgres, want another than the default postgres (RDS.25), or the reason why not as waive.RDS.25",
		"threetier:database.backupPlan is missing, want the tag that an AWS Backup plan selects by (RDS.26), or the reason why not as waive.RDS.26",
	}, refusals(t, config))
}
