package account

import (
	"fmt"
	"time"
)

const (
	kindSecret        = "secretsmanager/secret"
	kindSecretVersion = "secretsmanager/secretVersion"
	// defaultRecoveryDays is how long Secrets Manager keeps a deleted secret.
	defaultRecoveryDays = 30
)

// createSecret refuses a name that a deleted secret still holds, as Secrets Manager does.
func createSecret(a *shared, c *call) (*record, error) {
	name := text(c.inputs, "name")
	for _, rec := range a.store.all(kindSecret) {
		if text(rec.Inputs, "name") != name {
			continue
		}
		if rec.Deleted == nil {
			return nil, refuse("ResourceExistsException",
				"The operation failed because the secret %s already exists.", name)
		}
		if time.Now().Before(*rec.Deleted) {
			return nil, refuse("InvalidRequestException", "You can't create this secret because a secret with this name is "+
				"already scheduled for deletion.")
		}
		if err := eraseSecret(a, rec); err != nil {
			return nil, err
		}
	}
	if days := fallback(c.inputs, "recoveryWindowInDays", float64(defaultRecoveryDays)); !validWindow(days) {
		return nil, refuse("InvalidParameterException",
			"The RecoveryWindowInDays value must be 0 or between 7 and 30 days (inclusive), it is %v.", days)
	}
	id := arn("secretsmanager", c.region, "secret:"+name+"-"+randomUpper(6))
	rec := c.record(kindSecret, id)
	rec.Outputs = map[string]any{
		"arn": id, "policy": "", "replicas": []any{}, "recoveryWindowInDays": defaultRecoveryDays, "forceOverwriteReplicaSecret": false,
	}
	return rec, nil
}

func validWindow(days any) bool {
	n := number(map[string]any{"n": days}, "n")
	return n == 0 || n >= 7 && n <= 30
}

// removeSecret keeps the secret for its recovery window; its name stays taken meanwhile.
func removeSecret(a *shared, _ *call, rec *record) error {
	days := number(rec.Inputs, "recoveryWindowInDays")
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

func eraseSecret(a *shared, rec *record) error {
	if err := eraseVersions(a, rec); err != nil {
		return err
	}
	return a.store.remove(rec)
}

func eraseVersions(a *shared, secret *record) error {
	for _, version := range a.store.all(kindSecretVersion) {
		if text(version.Inputs, "secretId") == secret.ID {
			if err := a.store.remove(version); err != nil {
				return err
			}
		}
	}
	return nil
}

// createSecretVersion makes the value the current one. It is sealed before it is written.
func createSecretVersion(a *shared, c *call) (*record, error) {
	secret := a.store.get(kindSecret, text(c.inputs, "secretId"))
	if secret == nil {
		secret = a.store.find(kindSecret, "name", text(c.inputs, "secretId"))
	}
	if secret == nil {
		return nil, refuse("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
	}
	if secret.Deleted != nil {
		return nil, refuse("InvalidRequestException",
			"You can't perform this operation on the secret because it was marked for deletion.")
	}
	value, binary := text(c.inputs, "secretString"), text(c.inputs, "secretBinary")
	if (value == "") == (binary == "") {
		return nil, refuse("InvalidParameterException", "You must provide either SecretString or SecretBinary.")
	}
	version := fmt.Sprintf("terraform-%s%s", time.Now().UTC().Format("20060102150405"), randomHex(6))
	rec := c.record(kindSecretVersion, secret.ID+"|"+version)
	rec.Sealed = a.sealer.seal(value + binary)
	rec.Inputs = map[string]any{"secretId": secret.ID}
	rec.Outputs = map[string]any{"arn": secret.ID, "versionId": version, "versionStages": []string{"AWSCURRENT"}}
	if binary != "" {
		rec.Outputs["binary"] = true
	}
	return rec, nil
}
