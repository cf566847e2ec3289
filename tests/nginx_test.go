package tests

import (
	"testing"

	"github.com/stretchr/testify/require"

	"threetier/components/app/nginx"
)

const awsPrefix = "service.beta.kubernetes.io/aws-load-balancer-"

func loadBalancer(t *testing.T, change func(*nginx.Args)) (annotations map[string]any, spec func(string) any) {
	t.Helper()
	service := runApp(t, func(a *appStack) { change(&a.Nginx) }).Named(t, serviceType, "shop-nginx")
	return service.Input(t, "metadata.annotations").(map[string]any), func(path string) any { return service.Input(t, "spec."+path) }
}

func TestNginxStartsAfterBothServicesExist(t *testing.T) {
	r := runApp(t, nil)
	position := map[string]int{}
	for i, res := range r.Resources {
		position[res.Type+" "+res.Name] = i
	}
	front := position[deploymentType+" shop-nginx"]
	require.Greater(t, front, position[serviceType+" shop-backend"])
	require.Greater(t, front, position[serviceType+" shop-frontend"])
	require.Contains(t, r.One(t, nginx.Type).DependsOn, r.Named(t, serviceType, "shop-backend").URN)
	require.Contains(t, r.One(t, nginx.Type).DependsOn, r.Named(t, serviceType, "shop-frontend").URN)
}

func TestNginxReadsTheRenderedConfig(t *testing.T) {
	r := runApp(t, nil)
	config, deployment := r.One(t, configMapType), r.Named(t, deploymentType, "shop-nginx")
	require.Equal(t, "shop-nginx-config", config.Name)
	rendered, err := nginx.RenderConfig(nginx.Args{},
		"backend-service:8000",
		"frontend-service:8080")
	require.NoError(t, err)
	require.Equal(t, rendered, config.Input(t, `data["nginx.conf"]`))
	require.Contains(t, deployment.Input(t, "spec.template.spec.volumes[1].configMap.name"), "shop-nginx-config-")
	require.Equal(t, "/etc/nginx/nginx.conf", deployment.Input(t, "spec.template.spec.containers[0].volumeMounts[1].mountPath"))
	require.Contains(t, deployment.DependsOn, config.URN)
}

func TestNginxTakesNoRequestAfterTheLoadBalancerForgotIt(t *testing.T) {
	deployment := runApp(t, nil).Named(t, deploymentType, "shop-nginx")
	require.EqualValues(t, 300, deployment.Input(t, "spec.template.spec.containers[0].lifecycle.preStop.sleep.seconds"))
	require.Equal(t, nginx.HealthPath, deployment.Input(t, "spec.template.spec.containers[0].readinessProbe.httpGet.path"))
	require.GreaterOrEqual(t, deployment.Input(t, "spec.template.spec.containers[0].readinessProbe.initialDelaySeconds"), 5.0,
		"a pod that the network policies don't know yet answers 502")
	require.NotNil(t, deployment.Input(t, "spec.template.spec.containers[0].livenessProbe.tcpSocket"))
}

func TestLoadBalancerFacesTheInternetUnlessInternal(t *testing.T) {
	annotations, spec := loadBalancer(t, func(*nginx.Args) {})
	require.Equal(t, "internet-facing", annotations[awsPrefix+"scheme"])
	require.Equal(t, "ip", annotations[awsPrefix+"nlb-target-type"])
	require.Nil(t, spec("loadBalancerClass"), "the cluster's own")
	annotations, _ = loadBalancer(t, func(a *nginx.Args) { a.Internal = true })
	require.Equal(t, "internal", annotations[awsPrefix+"scheme"])
}

func TestLoadBalancerLetsInWhoIsAllowed(t *testing.T) {
	_, spec := loadBalancer(t, func(a *nginx.Args) { a.SourceRanges = []string{"203.0.113.0/24"} })
	require.Equal(t, []any{"203.0.113.0/24"}, spec("loadBalancerSourceRanges"))
	_, spec = loadBalancer(t, func(*nginx.Args) {})
	require.Nil(t, spec("loadBalancerSourceRanges"))
}

func TestLoadBalancerKeepsTheClientsAddressAndChecksNginx(t *testing.T) {
	annotations, spec := loadBalancer(t, func(*nginx.Args) {})
	require.Equal(t, "Local", spec("externalTrafficPolicy"))
	require.Equal(t, "preserve_client_ip.enabled=true", annotations[awsPrefix+"target-group-attributes"])
	require.Equal(t, "http", annotations[awsPrefix+"healthcheck-protocol"])
	require.Equal(t, nginx.HealthPath, annotations[awsPrefix+"healthcheck-path"])
}

func TestLoadBalancerEndsTLSAndRedirectsPlainHTTP(t *testing.T) {
	const certificate = "arn:aws:acm:eu-west-1:123456789012:certificate/1-2"
	annotations, spec := loadBalancer(t, func(a *nginx.Args) { a.CertificateArn = certificate })
	require.Equal(t, certificate, annotations[awsPrefix+"ssl-cert"])
	require.Equal(t, "443", annotations[awsPrefix+"ssl-ports"])
	// The AWS Load Balancer Controller names a target group by its target port: another one for port 80 would be
	// empty until the load balancer has checked every pod again (its buildTargetGroupName; its issue 3621).
	require.EqualValues(t, 80, spec("ports[0].port"))
	require.Equal(t, "http", spec("ports[0].targetPort"))
	require.EqualValues(t, 443, spec("ports[1].port"))
	require.Equal(t, "https", spec("ports[1].targetPort"))

	annotations, spec = loadBalancer(t, func(*nginx.Args) {})
	require.NotContains(t, annotations, awsPrefix+"ssl-cert")
	require.Len(t, spec("ports"), 1)
	require.EqualValues(t, 80, spec("ports[0].port"))
	require.Equal(t, "http", spec("ports[0].targetPort"))
}

func TestLoadBalancerWaitsAsLongAsTheLongestRequest(t *testing.T) {
	// An NLB cuts a connection that is silent for 350 s; a TCP listener can be told up to 6000 s, a TLS listener can't
	// (Elastic Load Balancing, update the TCP idle timeout). The annotation is the AWS Load Balancer Controller's, by protocol and port.
	key := awsPrefix + "listener-attributes.TCP-80"
	annotations, _ := loadBalancer(t, func(a *nginx.Args) { a.TimeoutSeconds = 350 })
	require.NotContains(t, annotations, key)
	annotations, _ = loadBalancer(t, func(a *nginx.Args) {
		a.Routes = []nginx.RouteArgs{{Path: "/", To: nginx.ToBackend, TimeoutSeconds: 3600}}
	})
	require.Equal(t, "tcp.idle_timeout.seconds=3610", annotations[key])
}

func TestLoadBalancerReachesThePodsOfEveryZone(t *testing.T) {
	// Off by default on an NLB: the address of a zone whose pods are all being replaced leads nowhere.
	annotations, _ := loadBalancer(t, func(*nginx.Args) {})
	require.Equal(t, "load_balancing.cross_zone.enabled=true", annotations[awsPrefix+"attributes"])
}

func TestLoadBalancerOfAnotherClassIsAnotherService(t *testing.T) {
	// Kubernetes refuses to change spec.loadBalancerClass of a Service.
	service := runApp(t, nil).Named(t, serviceType, "shop-nginx")
	require.Equal(t, []string{"spec.loadBalancerClass"}, service.ReplaceOnChanges)
}

func TestNginxPodsAreReplacedAllAtOnce(t *testing.T) {
	// A pod behind an NLB is ready minutes after its start (aws-load-balancer-controller, issue 1834): one by one
	// they would take longer than the rollout may.
	r := runApp(t, nil)
	require.Equal(t, "100%", r.Named(t, deploymentType, "shop-nginx").Input(t, "spec.strategy.rollingUpdate.maxSurge"))
	require.Equal(t, "25%", r.Named(t, deploymentType, "shop-backend").Input(t, "spec.strategy.rollingUpdate.maxSurge"))
}

func TestLoadBalancerIsAdaptedByConfig(t *testing.T) {
	annotations, spec := loadBalancer(t, func(a *nginx.Args) {
		a.LoadBalancer = nginx.LoadBalancerArgs{
			Class: "eks.amazonaws.com/nlb",
			Annotations: map[string]string{
				awsPrefix + "nlb-target-type":  "instance",
				awsPrefix + "healthcheck-path": "",
				"example.com/own":              "value",
			},
		}
	})
	require.Equal(t, "eks.amazonaws.com/nlb", spec("loadBalancerClass"))
	require.Equal(t, "instance", annotations[awsPrefix+"nlb-target-type"], "the config wins")
	require.NotContains(t, annotations, awsPrefix+"healthcheck-path", "an empty value removes one")
	require.Equal(t, "value", annotations["example.com/own"])
	require.Equal(t, "internet-facing", annotations[awsPrefix+"scheme"], "the others stay")
}
