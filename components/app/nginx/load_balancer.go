package nginx

import (
	"fmt"
	"maps"
	"strings"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/app/pods"
)

const (
	tlsPortName     = "https"
	awsLoadBalancer = "service.beta.kubernetes.io/aws-load-balancer-"
	// certificates has a list, of which the first is the load balancer's default; clients get another by the name that they
	// ask for. The default is there twice: the controller changes the default before the others, so a default that isn't among
	// the others would be missing for a second once another name is the app's own. AWS takes it twice, and counts only the others.
	// https://github.com/kubernetes-sigs/aws-load-balancer-controller pkg/deploy/elbv2/listener_manager.go
	// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeListenerCertificates.html
	certificates = awsLoadBalancer + "ssl-cert"
)

// newLoadBalancer keeps the client's address on any cluster: with Local a node hands packets
// on as they came, and on AWS, where the load balancer sends straight to the pods, an
// annotation asks for the same.
func newLoadBalancer(ctx *pulumi.Context, parent pulumi.Resource, t pods.Set, args Args) (*corev1.Service, error) {
	port := func(name string, number int, target string) corev1.ServicePortArgs {
		return corev1.ServicePortArgs{Name: pulumi.String(name), Port: pulumi.Int(number), TargetPort: pulumi.String(target)}
	}
	ports := corev1.ServicePortArray{port("http", 80, pods.PortName)}
	if args.tls() {
		// Behind a load balancer of layer 4 nginx can't see which port was asked for, so each leads
		// to its own. Port 80 keeps the one that it has without a certificate: with another the AWS
		// Load Balancer Controller makes another target group, which is empty at first (its issue 3621).
		ports = append(ports, port("https", 443, tlsPortName))
	}
	metadata := t.Metadata()
	metadata.Annotations = args.loadBalancerAnnotations()
	spec := corev1.ServiceSpecArgs{
		Type:                  pulumi.String("LoadBalancer"),
		ExternalTrafficPolicy: pulumi.String("Local"),
		Selector:              pulumi.StringMap{pods.TierLabel: pulumi.String(t.Label)},
		Ports:                 ports,
	}
	// Not the annotation load-balancer-source-ranges, which EKS Auto Mode ignores.
	if args.Maintenance == "" {
		spec.LoadBalancerSourceRanges = pods.Strings(args.SourceRanges)
	}
	if args.LoadBalancer.Class != "" {
		spec.LoadBalancerClass = pulumi.String(args.LoadBalancer.Class)
	}
	return corev1.NewService(ctx, t.Name, &corev1.ServiceArgs{Metadata: metadata, Spec: spec}, pulumi.Parent(parent),
		// Kubernetes refuses to change it.
		pulumi.ReplaceOnChanges([]string{"spec.loadBalancerClass"}))
}

// OtherController tells that the annotations take the Service away from the AWS Load Balancer Controller.
func (args LoadBalancerArgs) OtherController() bool {
	_, given := args.Annotations[awsLoadBalancer+"type"]
	return given
}

// loadBalancerAnnotations are for the AWS Load Balancer Controller and EKS Auto Mode; other clusters ignore them.
func (args Args) loadBalancerAnnotations() pulumi.StringMap {
	scheme := "internet-facing"
	if args.Internal {
		scheme = "internal"
	}
	annotations := map[string]string{
		awsLoadBalancer + "type":                    "external",
		awsLoadBalancer + "scheme":                  scheme,
		awsLoadBalancer + "nlb-target-type":         "ip",
		awsLoadBalancer + "target-group-attributes": "preserve_client_ip.enabled=true",
		// With few pods a zone may have none; without this its address would lead nowhere.
		awsLoadBalancer + "attributes":                      "load_balancing.cross_zone.enabled=true",
		awsLoadBalancer + "healthcheck-protocol":            "http",
		awsLoadBalancer + "healthcheck-port":                "traffic-port",
		awsLoadBalancer + "healthcheck-path":                HealthPath,
		awsLoadBalancer + "healthcheck-interval":            "10",
		awsLoadBalancer + "healthcheck-healthy-threshold":   "2",
		awsLoadBalancer + "healthcheck-unhealthy-threshold": "2",
	}
	if args.tls() {
		annotations[certificates] = args.CertificateArn
		annotations[awsLoadBalancer+"ssl-ports"] = "443"
		annotations[awsLoadBalancer+"ssl-negotiation-policy"] = "ELBSecurityPolicy-TLS13-1-2-2021-06"
	}
	if longest := args.LongestRequest(""); longest > loadBalancerIdleSeconds {
		// A listener of plain TCP may wait for up to 6000 s; a certificate comes with one of TLS, which can't.
		annotations[awsLoadBalancer+"listener-attributes.TCP-80"] = fmt.Sprintf("tcp.idle_timeout.seconds=%d", longest+pods.StopMarginSeconds)
	}
	maps.Copy(annotations, args.LoadBalancer.Annotations)
	maps.DeleteFunc(annotations, func(_, value string) bool { return value == "" })
	all := pulumi.ToStringMap(annotations)
	if _, given := args.LoadBalancer.Annotations[certificates]; !given && len(args.Domain.CertificateARNs) > 0 {
		all[certificates] = pulumi.StringArray(args.Domain.CertificateARNs).ToStringArrayOutput().ApplyT(func(arns []string) string {
			return strings.Join(append(arns[:1:1], arns...), ",")
		}).(pulumi.StringOutput)
	}
	return all
}

// url is the domain's once it has a certificate: until then nothing may lead there.
func (args Args) url(loadBalancer pulumi.StringOutput) pulumi.StringOutput {
	switch {
	case len(args.Domain.CertificateARNs) > 0:
		return pulumi.String("https://" + args.Domain.Name).ToStringOutput()
	case args.tls():
		return pulumi.Sprintf("https://%s", loadBalancer)
	}
	return pulumi.Sprintf("http://%s", loadBalancer)
}

// loadBalancerName is a hostname on AWS and an address elsewhere.
func loadBalancerName(service *corev1.Service) pulumi.StringOutput {
	return pulumi.All(service.Metadata.Name(), service.Status).ApplyT(func(v []any) (string, error) {
		status, _ := v[1].(*corev1.ServiceStatus)
		host := loadBalancerHost(status)
		if host == "" {
			return "", fmt.Errorf("service %s got no address: is there a load balancer controller in the cluster?", *v[0].(*string))
		}
		return host, nil
	}).(pulumi.StringOutput)
}

func loadBalancerHost(status *corev1.ServiceStatus) string {
	if status == nil || status.LoadBalancer == nil {
		return ""
	}
	for _, ingress := range status.LoadBalancer.Ingress {
		if ingress.Hostname != nil && *ingress.Hostname != "" {
			return *ingress.Hostname
		}
		if ingress.Ip != nil && *ingress.Ip != "" {
			return *ingress.Ip
		}
	}
	return ""
}
