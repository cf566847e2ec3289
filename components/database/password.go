package database

import (
	"crypto/rand"
	"fmt"
	"math/big"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/secretsmanager"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

const (
	// generatedPasswordLength in letters and digits is 190 bits, and needs no escaping anywhere.
	generatedPasswordLength = 32
	// secretRecoveryDays is how long a deleted password of a kept database can be brought back: the longest there is.
	secretRecoveryDays = 30
)

// createPasswords are the administrator's, and those of the logins that the app's SQL makes. The app has two logins: each
// has a secret, and the one whose turn it is a password in it.
func (b *builder) createPasswords() error {
	own := b.args.Password
	administrator, err := b.createSecret(b.name+"-password", "Administrator's password")
	if err != nil {
		return err
	}
	if b.password, err = b.createPassword(b.name+"-password", administrator, own); err != nil {
		return err
	}
	if b.migrationPassword, err = b.createLogin("migration", MigrationLogin, true); err != nil {
		return err
	}
	if b.args.Previews {
		if b.previewsPassword, err = b.createLogin("previews", PreviewsLogin, true); err != nil {
			return err
		}
	}
	active, _, _ := logins(b.args.PasswordVersion)
	for suffix, login := range map[string]string{"a": loginA, "b": loginB} {
		password, err := b.createLogin(suffix, login, login == active)
		if err != nil {
			return err
		}
		if login == active {
			b.appPassword = password
		}
	}
	return nil
}

// createLogin is the secret of a login, with a password where it has one.
func (b *builder) createLogin(suffix, login string, hasPassword bool) (pulumi.StringOutput, error) {
	name := b.name + "-password-" + suffix
	secret, err := b.createSecret(name, "Password of "+login)
	if err != nil || !hasPassword {
		return pulumi.StringOutput{}, err
	}
	return b.createPassword(name, secret, "")
}

func (b *builder) createSecret(name, description string) (*secretsmanager.Secret, error) {
	recovery := 0
	if b.args.keeps() {
		recovery = secretRecoveryDays
	}
	secret, err := secretsmanager.NewSecret(b.ctx, name, &secretsmanager.SecretArgs{
		Description:          pulumi.String(description + " of " + b.identifier()),
		RecoveryWindowInDays: pulumi.Int(recovery),
		Tags:                 b.tags(),
	}, b.child())
	if err != nil {
		return nil, fmt.Errorf("create secret %s: %w", name, err)
	}
	return secret, nil
}

// createPassword keeps the password in Secrets Manager, and reads it back from there for everything else. Each run
// generates one, but the first is kept, as changes of it are ignored: only another version's name makes another secret.
func (b *builder) createPassword(name string, secret *secretsmanager.Secret, own string) (pulumi.StringOutput, error) {
	password, version, options := pulumi.String(own).ToStringOutput(), "own", []pulumi.ResourceOption{b.child()}
	if own == "" {
		var err error
		if password, err = b.generatePassword(); err != nil {
			return password, fmt.Errorf("generate password: %w", err)
		}
		version = fmt.Sprintf("v%d", b.args.PasswordVersion)
		options = append(options, pulumi.IgnoreChanges([]string{"secretString"}))
	}
	stored, err := secretsmanager.NewSecretVersion(b.ctx, name+"-"+version, &secretsmanager.SecretVersionArgs{
		SecretId:     secret.ID(),
		SecretString: pulumi.ToSecret(password).(pulumi.StringOutput),
	}, options...)
	if err != nil {
		return password, fmt.Errorf("store password %s: %w", name, err)
	}
	return pulumi.ToSecret(stored.SecretString.Elem()).(pulumi.StringOutput), nil
}

// generatePassword is unknown in a preview: a saved plan would hold the up to a value that it can't draw again.
func (b *builder) generatePassword() (pulumi.StringOutput, error) {
	if b.ctx.DryRun() {
		return pulumi.UnsafeUnknownOutput(nil).ApplyT(func(any) string { return "" }).(pulumi.StringOutput), nil
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	password := make([]byte, generatedPasswordLength)
	for i := range password {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(alphabet))))
		if err != nil {
			return pulumi.StringOutput{}, err
		}
		password[i] = alphabet[n.Int64()]
	}
	return pulumi.String(password).ToStringOutput(), nil
}
