package platform

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecr"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/component"
	"threetier/internal/constraint"
	"threetier/internal/keys"
	"threetier/internal/problems"
	"threetier/internal/tags"
)

// RegistriesType is the type token of Registries.
const RegistriesType = "threetier:platform:Registries"

// RegistriesArgs name the repositories of images.
type RegistriesArgs struct {
	// Keys says what these mean.
	Repositories []string
	DeleteImages bool

	// Protect refuses to delete the repositories. Default: false.
	Protect bool
}

// Keys are the registries', below platform:registries.
func (args *RegistriesArgs) Keys() keys.Table {
	return keys.Table{
		keys.Texts("repositories", &args.Repositories).AtLeast(1, "at least one repository").Once("each repository once").
			Each(constraint.Text{Pattern: "^[a-z0-9]+([._-][a-z0-9]+)*(/[a-z0-9]+([._-][a-z0-9]+)*)*$", Want: "the name of a repository, as acme/backend"}).
			Required().Example("[acme/backend, acme/frontend]").
			Doc("Repositories in Amazon ECR. A tag can't move, each image is scanned as it is pushed, images without a tag go after two weeks, and those of pull requests after 60 days."),
		keys.Flag("deleteImages", &args.DeleteImages).
			Doc("Whether a repository is deleted with its images. Otherwise ECR refuses to delete one that has images."),
	}
}

// Complete fills in the defaults, and returns every problem of the args.
func (args *RegistriesArgs) Complete() problems.List { return args.Keys().Complete() }

// Registries are the repositories of images.
type Registries struct {
	pulumi.ResourceState

	// URLs are what images of each repository are called, without a tag.
	URLs pulumi.StringArrayOutput `pulumi:"urls"`
}

// ECR keeps images that another one names: https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html
const lifecycle = `{"rules": [{"rulePriority": 1, "description": "no tag names them", "action": {"type": "expire"},
	"selection": {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14}},
	{"rulePriority": 2, "description": "of pull requests", "action": {"type": "expire"},
	"selection": {"tagStatus": "tagged", "tagPrefixList": ["pr-"], "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 60}}]}`

// NewRegistries creates the repositories.
func NewRegistries(ctx *pulumi.Context, name string, args *RegistriesArgs, opts ...pulumi.ResourceOption) (*Registries, error) {
	registries := &Registries{}
	if args == nil {
		return nil, component.Wrap(registries, name, errors.New("args are missing"))
	}
	complete := *args
	if err := complete.Complete().Err(); err != nil {
		return nil, component.Wrap(registries, name, err)
	}
	return component.New(ctx, RegistriesType, name, registries, opts, func() error {
		var urls pulumi.StringArray
		for _, repository := range complete.Repositories {
			logical := name + "-" + strings.ReplaceAll(repository, "/", "-")
			made, err := ecr.NewRepository(ctx, logical, &ecr.RepositoryArgs{
				Name: pulumi.String(repository), ImageTagMutability: pulumi.String("IMMUTABLE"), ForceDelete: pulumi.Bool(complete.DeleteImages),
				ImageScanningConfiguration: ecr.RepositoryImageScanningConfigurationArgs{ScanOnPush: pulumi.Bool(true)}, Tags: tags.Of(ctx),
			}, pulumi.Parent(registries), pulumi.Protect(complete.Protect))
			if err != nil {
				return fmt.Errorf("create repository %s: %w", repository, err)
			}
			_, err = ecr.NewLifecyclePolicy(ctx, logical, &ecr.LifecyclePolicyArgs{Repository: made.Name, Policy: pulumi.String(lifecycle)}, pulumi.Parent(registries))
			if err != nil {
				return fmt.Errorf("create lifecycle policy of %s: %w", repository, err)
			}
			urls = append(urls, made.RepositoryUrl)
		}
		registries.URLs = urls.ToStringArrayOutput()
		return nil
	})
}
