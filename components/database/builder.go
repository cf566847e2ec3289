package database

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/rds"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/secretsmanager"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

const (
	// generatedPasswordLength in letters and digits is 190 bits, and needs no escaping anywhere.
	generatedPasswordLength = 32
	// monitoringSeconds is the interval of enhanced monitoring: the longest, and the only one without extra log volume.
	monitoringSeconds = 60
	// secretRecoveryDays is how long a deleted password of a kept database can be brought back: the longest there is.
	secretRecoveryDays = 30
	// Logs of a kept database cover a month's incident review; others only the days in which somebody looks.
	keptLogDays       = 30
	disposableLogDays = 7
	// insightsDays is the history of Database Insights that costs nothing.
	insightsDays = 7
	// caCertificate signs the instance's certificate until 2061; clients verify it with the CA bundle.
	caCertificate = "rds-ca-rsa2048-g1"
)

// databaseLogs are the logs that RDS for PostgreSQL can export.
var databaseLogs = []string{"postgresql", "upgrade"}

// databaseBuilder creates the children of a Database, and holds those that others refer to.
type databaseBuilder struct {
	ctx    *pulumi.Context
	name   string
	args   DatabaseArgs
	parent *Database

	securityGroup  *ec2.SecurityGroup
	parameterGroup *rds.ParameterGroup
	monitoringRole *iam.Role
	password       pulumi.StringOutput
	// before are resources that the instance needs without referring to them.
	before []pulumi.Resource
}

// create makes the instance and all that it stands on.
func (p *databaseBuilder) create() (*rds.Instance, error) {
	subnetGroup, err := rds.NewSubnetGroup(p.ctx, p.name+"-subnets", &rds.SubnetGroupArgs{
		Description: pulumi.String("Private subnets of the database"),
		SubnetIds:   pulumi.ToStringArray(p.args.Network.SubnetIDs),
		Tags:        p.tags(),
	}, p.child())
	if err != nil {
		return nil, fmt.Errorf("create subnet group: %w", err)
	}
	for _, step := range []func() error{
		p.createSecurityGroup, p.createParameterGroup, p.createLogGroups, p.createMonitoringRole, p.createPassword,
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return p.createInstance(subnetGroup)
}

func (p *databaseBuilder) child() pulumi.ResourceOption { return pulumi.Parent(p.parent) }

func (p *databaseBuilder) tags() pulumi.StringMap {
	return pulumi.StringMap{
		"Project":   pulumi.String(p.ctx.Project()),
		"Stack":     pulumi.String(p.ctx.Stack()),
		"ManagedBy": pulumi.String("pulumi"),
	}
}

func (p *databaseBuilder) tagsWith(key, value string) pulumi.StringMap {
	tags := p.tags()
	tags[key] = pulumi.String(value)
	return tags
}

var notInIdentifiers = regexp.MustCompile(`[^a-z0-9]+`)

// longestIdentifier leaves room for the suffix of a replica in the 63 characters of RDS.
const longestIdentifier = 52

// checkIdentifier is for names that are chosen outside of the args.
func (p *databaseBuilder) checkIdentifier() error {
	identifier := p.identifier()
	if len(identifier) > longestIdentifier || identifier == "" || identifier[0] < 'a' {
		return fmt.Errorf("the instance's identifier is %s (from project, stack and component), want a letter and at most %d characters",
			identifier, longestIdentifier)
	}
	return nil
}

// identifier is explicit, since log groups and alarms carry it in their names before the instance exists.
func (p *databaseBuilder) identifier() string {
	full := strings.ToLower(fmt.Sprintf("%s-%s-%s", p.ctx.Project(), p.ctx.Stack(), p.name))
	return strings.Trim(notInIdentifiers.ReplaceAllString(full, "-"), "-")
}

// createSecurityGroup lets the clients in on one port, by rules of their own: inline rules and separate ones
// undo each other. Without egress rules, nothing gets out.
func (p *databaseBuilder) createSecurityGroup() error {
	group, err := ec2.NewSecurityGroup(p.ctx, p.name+"-security-group", &ec2.SecurityGroupArgs{
		// A changed description replaces the group, which hangs while the instance uses it: it says nothing that changes.
		Description: pulumi.String("Database access"),
		VpcId:       pulumi.String(p.args.Network.VPCID),
		Tags:        p.tags(),
	}, p.child())
	if err != nil {
		return fmt.Errorf("create security group: %w", err)
	}
	p.securityGroup = group
	for _, client := range p.args.Network.ClientSecurityGroupIDs {
		rule, err := vpc.NewSecurityGroupIngressRule(p.ctx, p.name+"-from-"+client, &vpc.SecurityGroupIngressRuleArgs{
			SecurityGroupId:           group.ID(),
			ReferencedSecurityGroupId: pulumi.String(client),
			IpProtocol:                pulumi.String("tcp"),
			FromPort:                  pulumi.Int(*p.args.Port),
			ToPort:                    pulumi.Int(*p.args.Port),
			Description:               pulumi.String("PostgreSQL from the cluster"),
			Tags:                      p.tags(),
		}, p.child())
		if err != nil {
			return fmt.Errorf("create ingress rule for %s: %w", client, err)
		}
		// Whoever waits for the database may connect to it.
		p.before = append(p.before, rule)
	}
	return nil
}

// createParameterGroup has the major in its logical name: an upgrade creates the new family's group, moves the
// instance to it, and only then deletes the old one.
func (p *databaseBuilder) createParameterGroup() error {
	group, err := rds.NewParameterGroup(p.ctx, p.name+"-parameters-"+p.args.EngineVersion, &rds.ParameterGroupArgs{
		Description: pulumi.String("PostgreSQL " + p.args.EngineVersion + " settings of the database"),
		Family:      pulumi.String("postgres" + p.args.EngineVersion),
		Parameters:  p.args.parameterArray(),
		Tags:        p.tags(),
	}, p.child())
	if err != nil {
		return fmt.Errorf("create parameter group: %w", err)
	}
	p.parameterGroup = group
	return nil
}

// createLogGroups comes before the instances: RDS would create them itself, and keep the logs for ever.
func (p *databaseBuilder) createLogGroups() error {
	days := disposableLogDays
	if p.args.keeps() {
		days = keptLogDays
	}
	for instance := range p.args.ReadReplicas + 1 {
		for _, log := range databaseLogs {
			suffix := replicaSuffix(instance)
			group, err := cloudwatch.NewLogGroup(p.ctx, p.name+suffix+"-log-"+log, &cloudwatch.LogGroupArgs{
				Name:            pulumi.String(fmt.Sprintf("/aws/rds/instance/%s/%s", p.identifier()+suffix, log)),
				RetentionInDays: pulumi.Int(days),
				Tags:            p.tags(),
			}, p.child())
			if err != nil {
				return fmt.Errorf("create log group for %s: %w", log, err)
			}
			p.before = append(p.before, group)
		}
	}
	return nil
}

// replicaSuffix tells a replica's names from the primary's, which is number 0.
func replicaSuffix(number int) string {
	if number == 0 {
		return ""
	}
	return fmt.Sprintf("-replica-%d", number)
}

// createMonitoringRole lets RDS write the operating system's metrics; waiving RDS.6 does without them.
func (p *databaseBuilder) createMonitoringRole() error {
	if p.args.waived("RDS.6") {
		return nil
	}
	policy, err := json.Marshal(map[string]any{
		"Version": "2012-10-17",
		"Statement": []map[string]any{{
			"Effect":    "Allow",
			"Principal": map[string]string{"Service": "monitoring.rds.amazonaws.com"},
			"Action":    "sts:AssumeRole",
		}},
	})
	if err != nil {
		return fmt.Errorf("write trust policy of the monitoring role: %w", err)
	}
	p.monitoringRole, err = iam.NewRole(p.ctx, p.name+"-monitoring", &iam.RoleArgs{
		Description:      pulumi.String("Enhanced monitoring of the database"),
		AssumeRolePolicy: pulumi.String(policy),
		Tags:             p.tags(),
	}, p.child())
	if err != nil {
		return fmt.Errorf("create monitoring role: %w", err)
	}
	attachment, err := iam.NewRolePolicyAttachment(p.ctx, p.name+"-monitoring-policy", &iam.RolePolicyAttachmentArgs{
		Role:      p.monitoringRole.Name,
		PolicyArn: pulumi.String("arn:" + partition(p.args.Region) + ":iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"),
	}, p.child())
	if err != nil {
		return fmt.Errorf("attach policy to the monitoring role: %w", err)
	}
	p.before = append(p.before, attachment)
	return nil
}

// partition is the first part of ARNs: China and the US government have clouds of their own.
func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// createPassword keeps the password in Secrets Manager, and reads it back from there for everything else. Each run
// generates one, but the first is kept, as changes of it are ignored: only another version's name makes another secret.
func (p *databaseBuilder) createPassword() error {
	recovery := 0
	if p.args.keeps() {
		recovery = secretRecoveryDays
	}
	secret, err := secretsmanager.NewSecret(p.ctx, p.name+"-password", &secretsmanager.SecretArgs{
		Description:          pulumi.String("Administrator's password of " + p.identifier()),
		RecoveryWindowInDays: pulumi.Int(recovery),
		Tags:                 p.tags(),
	}, p.child())
	if err != nil {
		return fmt.Errorf("create secret for the password: %w", err)
	}

	password, version, options := pulumi.String(p.args.Password).ToStringOutput(), "own", []pulumi.ResourceOption{p.child()}
	if p.args.Password == "" {
		if password, err = p.generatePassword(); err != nil {
			return fmt.Errorf("generate password: %w", err)
		}
		version = fmt.Sprintf("v%d", *p.args.PasswordVersion)
		options = append(options, pulumi.IgnoreChanges([]string{"secretString"}))
	}
	stored, err := secretsmanager.NewSecretVersion(p.ctx, p.name+"-password-"+version, &secretsmanager.SecretVersionArgs{
		SecretId:     secret.ID(),
		SecretString: pulumi.ToSecret(password).(pulumi.StringOutput),
	}, options...)
	if err != nil {
		return fmt.Errorf("store password: %w", err)
	}
	p.password = pulumi.ToSecret(stored.SecretString.Elem()).(pulumi.StringOutput)
	return nil
}

// generatePassword is unknown in a preview: a saved plan would hold the up to a value that it can't draw again.
func (p *databaseBuilder) generatePassword() (pulumi.StringOutput, error) {
	if p.ctx.DryRun() {
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
