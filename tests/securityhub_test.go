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
	"threetier/internal/allow"
	"threetier/internal/settings"
	"threetier/internal/stack"
)

// deployed records a whole stack, with what its database is allowed.
func deployed(t *testing.T, name string) (scorecard.Evidence, allow.List) {
	t.Helper()
	var allowed allow.List
	network := recorder.TwoZones()
	recording := recorder.MustRun(t, func(ctx *pulumi.Context) error {
		config, err := settings.Load(ctx)
		if err != nil {
			return err
		}
		allowed = config.Database.Allow
		return stack.Deploy(ctx)
	}, recorder.Options{Stack: name, Config: project.StackConfig(t, name), Network: network})
	return scorecard.Of(recording, network), allowed
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
	evidence, allowed := deployed(t, "prod")
	assert.Empty(t, allowed, "prod needs none")
	verdicts := scorecard.Judge(evidence, allowed)
	for _, control := range scorecard.Controls {
		t.Run(control.ID, func(t *testing.T) {
			assert.Equal(t, scorecard.Verdict{Status: met(control.ID), Why: control.ByDesign}, verdicts[control.ID], control.Title)
		})
	}
}

func TestSecurityHubControlsOfDev(t *testing.T) {
	evidence, allowed := deployed(t, "dev")
	verdicts := scorecard.Judge(evidence, allowed)
	for _, control := range scorecard.Controls {
		t.Run(control.ID, func(t *testing.T) {
			assert.Contains(t, []string{scorecard.Pass, scorecard.Allowed, scorecard.ByDesign}, verdicts[control.ID].Status, verdicts[control.ID].Why)
		})
	}
	for id, reason := range allowed {
		assert.Equal(t, scorecard.Verdict{Status: scorecard.Allowed, Why: reason}, verdicts[id], "%s is allowed and needs to be", id)
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

func TestUnprotectedReplicasOfADurableDatabaseAreAllowedAndNothingElseIs(t *testing.T) {
	network := recorder.TwoZones()
	allowed := allow.List{"RDS.8": "one is being removed"}
	recording := recorder.MustRun(t, stack.Deploy, recorder.Options{
		Stack: "prod", Network: network, Config: project.StackConfig(t, "prod").
			Set(t, "threetier:database.readReplicas", 1).Set(t, "threetier:database.allow", allowed),
	})
	for id, verdict := range scorecard.Judge(scorecard.Of(recording, network), allowed) {
		assert.Equal(t, map[bool]string{true: scorecard.Allowed, false: met(id)}[id == "RDS.8"], verdict.Status, "%s: %s", id, verdict.Why)
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

func TestExceptionThatIsUnknownUnneededOrUnreasonedIsRefused(t *testing.T) {
	const known = "RDS.5, RDS.6, RDS.8, RDS.11, RDS.20, RDS.21, RDS.22, RDS.23, RDS.25, RDS.26, upgrade to 14, upgrade to 15, upgrade to 16, upgrade to 17 or upgrade to 18"
	for name, test := range map[string]struct{ allow, want string }{
		"unknown":    {"RDS.99", `threetier:database.allow is "RDS.99", want ` + known},
		"always met": {"RDS.3", `threetier:database.allow is "RDS.3", want ` + known},
		"unneeded":   {"RDS.5", `threetier:database.allow.RDS.5 is "why", want none: the control is met`},
		"an upgrade": {"upgrade to 18", `threetier:database.allow.upgrade to 18 is "why", want none: engineVersion is 17`},
	} {
		t.Run(name, func(t *testing.T) {
			config := project.StackConfig(t, "prod").Set(t, "threetier:database.allow", allow.List{test.allow: "why"})
			assert.Equal(t, []string{test.want}, refusals(t, config))
		})
	}
	config := project.StackConfig(t, "dev").Set(t, `threetier:database.allow["RDS.5"]`, " ")
	assert.Equal(t, []string{`threetier:database.allow.RDS.5 is " ", want a reason`}, refusals(t, config))
}

func TestDurableDatabaseMustMeetEveryControlOrSayWhyNot(t *testing.T) {
	config := project.StackConfig(t, "prod").
		Set(t, "threetier:database.multiAz", false).
		Set(t, "threetier:database.port", 5432).
		Set(t, "threetier:database.username", "postgres").
		Remove(t, "threetier:database.backupPlan").
		Remove(t, "threetier:alarms.topicArn")
	assert.Equal(t, []string{
		"threetier:database.multiAz is false, want true (RDS.5), or the reason in database.allow: { RDS.5: … }",
		"threetier:alarms.topicArn is missing, want the ARN of an SNS topic for events (RDS.20), or the reason in database.allow: { RDS.20: … }",
		"threetier:database.port is 5432, want another than the default 5432 (RDS.23), or the reason in database.allow: { RDS.23: … }",
		"threetier:database.username is postgres, want another than the default postgres (RDS.25), or the reason in database.allow: { RDS.25: … }",
		"threetier:database.backupPlan is missing, want the tag that an AWS Backup plan selects by (RDS.26), or the reason in database.allow: { RDS.26: … }",
	}, refusals(t, config))
}
