package recorded

import (
	"fmt"
	"time"

	"threetier/local/internal/account/state"
)

const (
	KindSecret        = "secretsmanager/secret"
	KindSecretVersion = "secretsmanager/secretVersion"
	// defaultRecoveryDays is how long Secrets Manager keeps a deleted secret.
	defaultRecoveryDays = 30
)

// createSecret refuses a name that a deleted secret still holds, as Secrets Manager does.
func createSecret(a *state.Shared, c *state.Call) (*state.Record, error) {
	name := state.Text(c.Inputs, "name")
	for _, rec := range a.Store.All(KindSecret) {
		if state.Text(rec.Inputs, "name") != name {
			continue
		}
		if rec.Deleted == nil {
			return nil, state.Refuse("ResourceExistsException",
				"The operation failed because the secret %s already exists.", name)
		}
		if time.Now().Before(*rec.Deleted) {
			return nil, state.Refuse("InvalidRequestException", "You can't create this secret because a secret with this name is "+
				"already scheduled for deletion.")
		}
		if err := eraseSecret(a, rec); err != nil {
			return nil, err
		}
	}
	if days := state.Fallback(c.Inputs, "recoveryWindowInDays", float64(defaultRecoveryDays)); !validWindow(days) {
		return nil, state.Refuse("InvalidParameterException",
			"The RecoveryWindowInDays value must be 0 or between 7 and 30 days (inclusive), it is %v.", days)
	}
	id := state.ARN("secretsmanager", c.Region, "secret:"+name+"-"+state.RandomUpper(6))
	rec := c.Record(KindSecret, id)
	rec.Outputs = map[string]any{
		"arn": id, "policy": "", "replicas": []any{}, "recoveryWindowInDays": defaultRecoveryDays, "forceOverwriteReplicaSecret": false,
	}
	return rec, nil
}

func validWindow(days any) bool {
	n := state.Number(map[string]any{"n": days}, "n")
	return n == 0 || n >= 7 && n <= 30
}

// removeSecret keeps the secret for its recovery window; its name stays taken meanwhile.
func removeSecret(a *state.Shared, _ *state.Call, rec *state.Record) error {
	days := state.Number(rec.Inputs, "recoveryWindowInDays")
	if _, given := rec.Inputs["recoveryWindowInDays"]; !given {
		days = defaultRecoveryDays
	}
	if days == 0 {
		return eraseVersions(a, rec)
	}
	until := time.Now().UTC().AddDate(0, 0, days)
	rec.Deleted = &until
	return nil
}

func eraseSecret(a *state.Shared, rec *state.Record) error {
	if err := eraseVersions(a, rec); err != nil {
		return err
	}
	return a.Store.Remove(rec)
}

func eraseVersions(a *state.Shared, secret *state.Record) error {
	for _, version := range a.Store.All(KindSecretVersion) {
		if state.Text(version.Inputs, "secretId") == secret.ID {
			if err := a.Store.Remove(version); err != nil {
				return err
			}
		}
	}
	return nil
}

// createSecretVersion makes the value the current one. It is sealed before it is written.
func createSecretVersion(a *state.Shared, c *state.Call) (*state.Record, error) {
	secret := a.Store.Get(KindSecret, state.Text(c.Inputs, "secretId"))
	if secret == nil {
		secret = a.Store.Find(KindSecret, "name", state.Text(c.Inputs, "secretId"))
	}
	if secret == nil {
		return nil, state.Refuse("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
	}
	if secret.Deleted != nil {
		return nil, state.Refuse("InvalidRequestException",
			"You can't perform this operation on the secret because it was marked for deletion.")
	}
	value, binary := state.Text(c.Inputs, "secretString"), state.Text(c.Inputs, "secretBinary")
	if (value == "") == (binary == "") {
		return nil, state.Refuse("InvalidParameterException", "You must provide either SecretString or SecretBinary.")
	}
	version := fmt.Sprintf("terraform-%s%s", time.Now().UTC().Format("20060102150405"), state.RandomHex(6))
	rec := c.Record(KindSecretVersion, secret.ID+"|"+version)
	rec.Sealed = a.Sealer.Seal(value + binary)
	rec.Inputs = map[string]any{"secretId": secret.ID}
	rec.Outputs = map[string]any{"arn": secret.ID, "versionId": version, "versionStages": []string{"AWSCURRENT"}}
	if binary != "" {
		rec.Outputs["binary"] = true
	}
	return rec, nil
}
