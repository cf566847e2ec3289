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

// createPassword keeps the password in Secrets Manager, and reads it back from there for everything else. Each run
// generates one, but the first is kept, as changes of it are ignored: only another version's name makes another secret.
func (b *builder) createPassword() error {
	recovery := 0
	if b.args.keeps() {
		recovery = secretRecoveryDays
	}
	secret, err := secretsmanager.NewSecret(b.ctx, b.name+"-password", &secretsmanager.SecretArgs{
		Description:          pulumi.String("Administrator's password of " + b.identifier()),
		RecoveryWindowInDays: pulumi.Int(recovery),
		Tags:                 b.tags(),
	}, b.child())
	if err != nil {
		return fmt.Errorf("create secret for the password: %w", err)
	}

	password, version, options := pulumi.String(b.args.Password).ToStringOutput(), "own", []pulumi.ResourceOption{b.child()}
	if b.args.Password == "" {
		if password, err = b.generatePassword(); err != nil {
			return fmt.Errorf("generate password: %w", err)
		}
		version = fmt.Sprintf("v%d", *b.args.PasswordVersion)
		options = append(options, pulumi.IgnoreChanges([]string{"secretString"}))
	}
	stored, err := secretsmanager.NewSecretVersion(b.ctx, b.name+"-password-"+version, &secretsmanager.SecretVersionArgs{
		SecretId:     secret.ID(),
		SecretString: pulumi.ToSecret(password).(pulumi.StringOutput),
	}, options...)
	if err != nil {
		return fmt.Errorf("store password: %w", err)
	}
	b.password = pulumi.ToSecret(stored.SecretString.Elem()).(pulumi.StringOutput)
	return nil
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
