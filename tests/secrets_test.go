package tests

import (
	"fmt"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"

	"threetier/components/app"
	"threetier/gate/project"
	"threetier/gate/recorder"
	"threetier/internal/keys"
)

const (
	stripeARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:threetier/dev/stripe-AbCdEf"
	smtpARN   = "arn:aws:ssm:eu-west-1:123456789012:parameter/threetier/dev/smtp"
)

func from(arn string) map[string]any { return map[string]any{"from": arn} }

func TestSecretsOfAWSAreReadAndStaySecret(t *testing.T) {
	config := project.StackConfig(t, "dev").
		Set(t, "threetier:backend.secretEnv.STRIPE_KEY", from(stripeARN)).
		Set(t, "threetier:backend.secretFiles", map[string]any{"/etc/shop/client.key": from(stripeARN)}).
		Set(t, "threetier:workers.mailer", map[string]any{"command": []any{"mail"}, "secretEnv": map[string]any{"SMTP_PASSWORD": from(smtpARN)}})
	require.Empty(t, refusedByEditor(t, editorSchema(t), config))
	recording := deploy(t, "dev", config)
	require.Equal(t, recorder.SecretText(stripeARN), recording.Named(t, secretType, "app-backend-env").SecretData(t)["STRIPE_KEY"])
	require.Equal(t, map[string]string{"file-0": recorder.SecretText(stripeARN)}, recording.Named(t, secretType, "app-backend-files").SecretData(t))
	require.Equal(t, map[string]string{"SMTP_PASSWORD": recorder.SecretText(smtpARN)}, recording.Named(t, secretType, "app-worker-mailer-env").SecretData(t))
	for _, res := range recording.Resources {
		require.NotContains(t, fmt.Sprint(res.Plain()), "text of arn:", "%s %s", res.Type, res.Name)
	}

	_, err := tryApp(func(a *appStack) {
		a.Backend.SecretEnv = map[string]pulumi.StringInput{"STRIPE_KEY": keys.From{StringInput: pulumi.String(""), ARN: stripeARN}}
	}, recorder.Options{NoSecrets: []string{stripeARN}})
	require.ErrorContains(t, err, "read STRIPE_KEY from "+stripeARN)
}

func TestWrongSecretsOfAWSAreALineEach(t *testing.T) {
	const want = "want a string, or {from: …} with the ARN of a secret of Secrets Manager or of a parameter of SSM"
	config := project.StackConfig(t, "dev").
		Set(t, "threetier:backend.secretEnv.A", from("stripe")).
		Set(t, "threetier:backend.secretEnv.B", map[string]any{"from": stripeARN, "key": "x"}).
		Set(t, "threetier:backend.secretEnv.C", from("arn:aws:s3:::acme")).
		Set(t, "threetier:backend.env.D", from(stripeARN))
	require.ElementsMatch(t, []string{
		`threetier:backend.secretEnv.A is {"from":"stripe"}, ` + want,
		`threetier:backend.secretEnv.B is {"from":"` + stripeARN + `","key":"x"}, ` + want,
		`threetier:backend.secretEnv.C is {"from":"arn:aws:s3:::acme"}, ` + want,
		`threetier:backend.env.D is {"from":"` + stripeARN + `"}, want a string`,
	}, refusals(t, config))
	for _, name := range []string{"secretEnv.A", "secretEnv.B", "secretEnv.C", "env.D"} {
		require.Contains(t, refusedByEditor(t, editorSchema(t), config), "threetier:backend."+name)
	}
}

func TestSecretFilesAreMountedBesideWhatIsThere(t *testing.T) {
	r := runProcesses(t, func(a *appStack) {
		withRoles(a)
		a.Backend.SecretFiles = map[string]pulumi.StringInput{"/etc/shop/z.pem": pulumi.String("zz"), "/etc/shop/a.pem": pulumi.String("aa")}
	})
	require.Equal(t, map[string]string{"file-0": "aa", "file-1": "zz"}, r.Named(t, secretType, "shop-backend-files").SecretData(t))
	for _, res := range []recorder.Resource{
		r.Named(t, deploymentType, "shop-backend"), r.Named(t, jobType, "shop-backend-migrate"),
		r.Named(t, deploymentType, "shop-worker-mailer"), r.Named(t, cronJobType, "shop-job-nightly"),
	} {
		require.Subset(t, res.Input(t, template(res)+".spec.containers[0].volumeMounts"), []any{
			map[string]any{"name": "secret-files", "mountPath": "/etc/shop/a.pem", "subPath": "file-0", "readOnly": true},
			map[string]any{"name": "secret-files", "mountPath": "/etc/shop/z.pem", "subPath": "file-1", "readOnly": true},
		}, res.Name)
		for _, volume := range res.Input(t, template(res)+".spec.volumes").([]any) {
			if volume.(map[string]any)["name"] == "secret-files" {
				require.EqualValues(t, 0o440, volume.(map[string]any)["secret"].(map[string]any)["defaultMode"], "the pod's group reads it, and nobody else")
			}
		}
	}
	for _, path := range []string{"etc/key", "/etc/../key", "/etc/key/", "/etc/database/key.pem"} {
		_, err := tryApp(func(a *appStack) {
			a.Frontend = &app.FrontendArgs{WorkloadArgs: a.Frontend.WorkloadArgs}
			a.Frontend.SecretFiles = map[string]pulumi.StringInput{path: pulumi.String("hush")}
		}, recorder.Options{})
		require.ErrorContains(t, err, "frontend.secretFiles is", path)
		require.NotContains(t, err.Error(), "hush")
	}
}
