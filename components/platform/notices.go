package platform

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/budgets"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sns"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/component"
	"threetier/internal/constraint"
	"threetier/internal/keys"
	"threetier/internal/problems"
	"threetier/internal/tags"
)

// NoticesType is the type token of Notices.
const NoticesType = "threetier:platform:Notices"

// NoticesArgs say whom to tell, and of which costs.
type NoticesArgs struct {
	// Keys says what these mean.
	Topic         string
	Emails        []string
	MonthlyBudget int

	// Account is the account's number. Required.
	Account string
}

// Keys are the notices', below platform:notices.
func (args *NoticesArgs) Keys() keys.Table {
	return keys.Table{
		keys.Text("topic", &args.Topic).Match("^[A-Za-z0-9_-]{1,256}$", "1 to 256 letters, digits, - and _").Required().Example("acme-prod-alerts").
			Doc("Name of the SNS topic: threetier:alarms.topicArn of the stack ends with it."),
		keys.Texts("emails", &args.Emails).AtLeast(1, "at least one address").Once("each address once").
			Each(constraint.Text{Pattern: `^[^@\s]+@[^@\s]+\.[^@\s]+$`, Want: "an e-mail address"}).Otherwise("nobody gets them yet").Example("[on-call@example.org]").
			Doc("Who gets the topic's messages. AWS asks each of them first, by mail."),
		keys.Number("monthlyBudget", &args.MonthlyBudget).Between(1, 1_000_000).Otherwise("none").Example("300").
			Doc("US dollars a month, of the whole account. The topic gets a message when the forecast is above it, and at four fifths of it."),
	}
}

// Complete fills in the defaults, and returns every problem of the args.
func (args *NoticesArgs) Complete() problems.List { return args.Keys().Complete() }

// Notices are the topic, and the budget that it tells of.
type Notices struct {
	pulumi.ResourceState

	// TopicARN is the topic's.
	TopicARN pulumi.StringOutput `pulumi:"topicArn"`
}

// NewNotices creates the topic and the budget.
func NewNotices(ctx *pulumi.Context, name string, args *NoticesArgs, opts ...pulumi.ResourceOption) (*Notices, error) {
	notices := &Notices{}
	if args == nil || args.Account == "" {
		return nil, component.Wrap(notices, name, errors.New("args or the account are missing"))
	}
	b := &noticesBuilder{ctx: ctx, name: name, args: *args, parent: notices}
	if err := b.args.Complete().Err(); err != nil {
		return nil, component.Wrap(notices, name, err)
	}
	return component.New(ctx, NoticesType, name, notices, opts, b.create)
}

// noticesBuilder creates the children of a Notices.
type noticesBuilder struct {
	ctx    *pulumi.Context
	name   string
	args   NoticesArgs
	parent *Notices
}

// publishers are the services that may tell the topic, for this account alone. A topic's first policy lets in CloudWatch and
// RDS, and no budgets: https://docs.aws.amazon.com/cost-management/latest/userguide/budgets-sns-policy.html
const publishers = `{"Version": "2012-10-17", "Statement": [{"Sid": "ServicesOfThisAccount", "Effect": "Allow",
	"Principal": {"Service": ["budgets.amazonaws.com", "cloudwatch.amazonaws.com", "events.rds.amazonaws.com"]},
	"Action": "sns:Publish", "Resource": "%s", "Condition": {"StringEquals": {"aws:SourceAccount": "%s"}}}]}`

func (b *noticesBuilder) create() error {
	topic, err := sns.NewTopic(b.ctx, b.name, &sns.TopicArgs{Name: pulumi.String(b.args.Topic), Tags: tags.Of(b.ctx)}, b.child())
	if err != nil {
		return fmt.Errorf("create topic: %w", err)
	}
	b.parent.TopicARN = topic.Arn
	policy, err := sns.NewTopicPolicy(b.ctx, b.name, &sns.TopicPolicyArgs{Arn: topic.Arn, Policy: pulumi.Sprintf(publishers, topic.Arn, b.args.Account)}, b.child())
	if err != nil {
		return fmt.Errorf("create policy of topic: %w", err)
	}
	for _, address := range b.args.Emails {
		_, err := sns.NewTopicSubscription(b.ctx, b.name+"-"+address, &sns.TopicSubscriptionArgs{
			Topic: topic.Arn, Protocol: pulumi.String("email"), Endpoint: pulumi.String(address),
		}, b.child())
		if err != nil {
			return fmt.Errorf("subscribe %s: %w", address, err)
		}
	}
	if b.args.MonthlyBudget == 0 {
		return nil
	}
	return b.budget(topic, policy)
}

func (b *noticesBuilder) budget(topic *sns.Topic, policy pulumi.Resource) error {
	tells := func(kind string, percent float64) budgets.BudgetNotificationArgs {
		return budgets.BudgetNotificationArgs{
			NotificationType: pulumi.String(kind), ComparisonOperator: pulumi.String("GREATER_THAN"), Threshold: pulumi.Float64(percent),
			ThresholdType: pulumi.String("PERCENTAGE"), SubscriberSnsTopicArns: pulumi.StringArray{topic.Arn},
		}
	}
	_, err := budgets.NewBudget(b.ctx, b.name+"-budget", &budgets.BudgetArgs{
		Name: pulumi.String(b.ctx.Project() + "-" + b.ctx.Stack()), BudgetType: pulumi.String("COST"), TimeUnit: pulumi.String("MONTHLY"),
		LimitAmount: pulumi.String(strconv.Itoa(b.args.MonthlyBudget)), LimitUnit: pulumi.String("USD"), Tags: tags.Of(b.ctx),
		Notifications: budgets.BudgetNotificationArray{tells("ACTUAL", 80), tells("FORECASTED", 100)},
	}, b.child(), pulumi.DependsOn([]pulumi.Resource{policy}))
	if err != nil {
		return fmt.Errorf("create budget: %w", err)
	}
	return nil
}

func (b *noticesBuilder) child() pulumi.ResourceOption { return pulumi.Parent(b.parent) }
