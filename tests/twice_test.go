package tests

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"

	"threetier/components/alarms"
	"threetier/components/app"
	"threetier/components/app/nginx"
	"threetier/components/cluster"
	"threetier/components/database"
	"threetier/components/domain"
	"threetier/gate/project"
	"threetier/gate/recorder"
	"threetier/internal/settings"
)

// half registers one of every component, by names that begin with a prefix.
func half(ctx *pulumi.Context, prefix string) error {
	config, err := settings.Load(ctx)
	if err != nil {
		return err
	}
	if prefix != "" {
		config.App.Namespace, config.Alarms.Namespace = "second", "second"
		config.Domain = &domain.DomainArgs{Name: "second.example.org", Zone: "example.org"}
		config.App.Nginx.Domain, config.App.Nginx.Routes = nginx.DomainArgs{Name: "second.example.org"}, nil
	}
	place, err := cluster.NewCluster(ctx, prefix+"cluster", &config.Cluster)
	if err != nil {
		return err
	}
	names, err := domain.NewDomain(ctx, prefix+"domain", config.Domain)
	if err != nil {
		return err
	}
	data, err := database.NewDatabase(ctx, prefix+"database", config.Database.In(place.Network))
	if err != nil {
		return err
	}
	web, err := app.NewApp(ctx, prefix+"app", &config.App, app.Wiring{
		Owner: place.Owner, EKS: app.EKSArgs(place.EKS), Database: data.Connection(), Certificates: names.Certificates,
	}, pulumi.Providers(place.Provider))
	if err != nil {
		return err
	}
	if _, err := domain.NewRecords(ctx, prefix+"domain-records", &domain.RecordsArgs{Domain: names, LoadBalancer: web.LoadBalancer}); err != nil {
		return err
	}
	args := config.Alarms
	args.URL, args.LoadBalancer, args.Tiers, args.Database, args.DatabaseAlarms = web.URL, web.LoadBalancer, web.Tiers, data.Identifier, data.Alarms
	_, err = alarms.NewAlarms(ctx, prefix+"alarms", &args)
	return err
}

// physicalName is the name by which the account or the cluster knows a resource; empty where it gets an automatic one.
func physicalName(res recorder.Resource) string {
	inputs, _ := res.Plain().(map[string]any)
	if metadata, isObject := inputs["metadata"].(map[string]any); isObject {
		if metadata["name"] == nil {
			return ""
		}
		return fmt.Sprint(metadata["namespace"], "/", metadata["name"])
	}
	if metric, isFilter := inputs["metricTransformation"].(map[string]any); isFilter {
		return fmt.Sprint(metric["namespace"], " ", metric["name"])
	}
	for _, key := range []string{"identifier", "dashboardName", "name"} {
		if name, isText := inputs[key].(string); isText {
			return name
		}
	}
	return ""
}

func TestTwoOfEveryComponentInOneStackNeverCollide(t *testing.T) {
	r := recorder.MustRun(t, func(ctx *pulumi.Context) error {
		if err := half(ctx, ""); err != nil {
			return err
		}
		return half(ctx, "second-")
	}, recorder.Options{Stack: "full", Config: project.StackConfig(t, "full")})
	urns, first, named := map[string]bool{}, map[string]string{}, 0
	for _, res := range r.Resources {
		assert.False(t, urns[res.URN], "%s is registered twice", res.URN)
		urns[res.URN] = true
		if !strings.HasPrefix(res.Name, "second-") {
			first[res.Type+" "+physicalName(res)] = res.Name
		}
	}
	for _, res := range r.Resources {
		if name := physicalName(res); name != "" && strings.HasPrefix(res.Name, "second-") {
			named++
			assert.Empty(t, first[res.Type+" "+name], "%s has the name of this one: %s", res.Name, name)
		}
	}
	assert.Greater(t, named, 10)
}
