package nginx

import (
	"fmt"

	"threetier/components/app/pods"
	"threetier/internal/constraint"
)

// maxBodyMebibytes bounds a request's body: it is kept on disk while it comes in.
const maxBodyMebibytes = 1024

// Constraints of nginx.
var (
	TimeoutSecondsConstraint = constraint.Number{Default: DefaultTimeoutSeconds, Min: 1, Max: pods.MaxTimeoutSeconds}
	DrainSecondsConstraint   = constraint.Number{
		Default: DefaultDrainSeconds,
		Min:     5, // less than kube-proxy's own delay would lose connections everywhere
		Max:     pods.MaxTimeoutSeconds,
	}
	MaxBodySizeConstraint = constraint.Text{
		Default: DefaultMaxBodySize,
		Pattern: fmt.Sprintf("^(1[gG]|%s[mM]|%s[kK]|%s)$",
			constraint.UpTo(maxBodyMebibytes), constraint.UpTo(maxBodyMebibytes<<10), constraint.UpTo(maxBodyMebibytes<<20)),
		Want:    fmt.Sprintf("a size up to %dm, like 512k or 10m", maxBodyMebibytes),
		Words:   fmt.Sprintf("bytes, or a number with k, m or g; at most %dm", maxBodyMebibytes),
		Numbers: constraint.Schema{"type": "integer", "minimum": 1, "maximum": maxBodyMebibytes << 20},
		Valid:   []string{"1", "512k", "10m", "1G", "1024m", "1048576k", "1073741824"},
		Invalid: []string{"0", "10mb", "10 MB", "2g", "1025m", "1048577k", "1073741825", "1.5m"},
	}
	RoutesConstraint    = constraint.List{Min: 1, Want: "at least one route"}
	RoutePathConstraint = constraint.Text{
		// No segment is . or .., which browsers and servers leave out.
		Pattern: `^(/|(/([A-Za-z0-9_~-]|\.[A-Za-z0-9_~-]|\.\.[A-Za-z0-9._~-])[A-Za-z0-9._~-]*)+)$`,
		Want:    "/ or segments of letters, digits, . _ ~ -, without a trailing slash",
		Except:  "^" + OwnPath + "(/|$)",
		Instead: "one that isn't below " + OwnPath + ", which is nginx's own",
		Words:   "/ or complete path segments, not below " + OwnPath,
		Valid:   []string{"/", "/api", "/.well-known/x", "/-x", "/..."},
		Invalid: []string{"api", "/api/", "/a;b", "/a/../b", "/..", "/./a", "/-", "/-/x"},
	}
	RouteToConstraint        = constraint.Text{OneOf: []string{ToBackend, ToFrontend}}
	CertificateArnConstraint = constraint.Text{
		Pattern: "^arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/[A-Za-z0-9-]+$",
		Want:    "the ARN of an ACM certificate",
		Valid:   []string{"arn:aws:acm:eu-west-1:123456789012:certificate/0a1b-2c"},
		Invalid: []string{"cert", "arn:aws:acm:eu-west-1:123456789012:certificate/", "arn:aws:iam::123456789012:certificate/x"},
	}
	TrustedProxiesConstraint = constraint.List{Items: constraint.Text{
		Pattern: `^(([0-9]{1,3}\.){3}[0-9]{1,3}/([0-9]|[12][0-9]|3[0-2])|[0-9a-f:]*::?[0-9a-f:]*/([0-9]|[1-9][0-9]|1[01][0-9]|12[0-8]))$`,
		Want:    "a network, like 10.0.0.0/8",
		Words:   "networks in CIDR notation",
		Valid:   []string{"10.0.0.0/8", "192.0.2.1/32", "2600:9000::/28"},
		Invalid: []string{"10.0.0.1", "10.0.0.0/33", "proxy", "::/129"},
	}}
	HostsConstraint = constraint.List{Items: constraint.Text{
		Pattern: `^(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`,
		Want:    "a name in lowercase letters, like shop.example.org or *.example.org",
		Words:   "host names in lowercase letters, *. in front for all below one",
		Valid:   []string{"shop.example.org", "*.example.org", "localhost"},
		Invalid: []string{"Shop.example.org", "shop.example.org:80", "*", "a_b", "shop..org", "-a.org"},
	}}
	RequestsConstraint          = constraint.Number{Min: minRequests, Max: maxRequests * 9 / 10}
	RequestsPerClientConstraint = constraint.Number{Min: 1, Max: maxRequests * 9 / 10}
	UploadsConstraint           = constraint.Number{Min: 2, Max: maxRequests}
	RatePerClientConstraint     = constraint.Number{Min: 0, Max: maxRatePerClient}
	LoadBalancerClassConstraint = constraint.Text{
		Pattern: "^[a-z0-9.-]+(/[A-Za-z0-9._-]+)?$",
		Want:    "a class, like eks.amazonaws.com/nlb",
		Words:   "a load balancer class",
		Valid:   []string{"eks.amazonaws.com/nlb", "internal"},
		Invalid: []string{"a b", "A/b", "a/b/c"},
	}
)
