package domain

import (
	"strings"

	"threetier/internal/constraint"
)

// maxNames is how many certificates a network load balancer takes by default.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-limits.html
const maxNames = 25

// Constraints of the names. ACM refuses a certificate whose name is longer.
var (
	NameConstraint = constraint.Text{
		Pattern: dnsName,
		Want:    "a DNS name in lowercase letters, like shop.example.org",
		Except:  "^.{65,}$",
		Instead: "at most 64 characters, which is ACM's limit",
		Valid:   []string{"shop.example.org", "example.org", "xn--bcher-kva.example", strings.Repeat("a", 52) + ".example.com"},
		Invalid: []string{"Shop.example.org", "shop", "shop.example.org.", "*.example.org", "shop..org", "-a.org", "a_b.org", "10.0.0.1",
			strings.Repeat("a", 53) + ".example.com"},
	}
	ZoneConstraint = constraint.Text{
		Pattern: dnsName,
		Want:    "the name of a public hosted zone, like example.org",
		Valid:   []string{"example.org", "shop.example.co.uk"},
		Invalid: []string{"org", "example.org.", "Z0123456789ABCDEFGHIJ"},
	}
	OtherNamesConstraint = constraint.List{Items: NameConstraint, Once: "each name once"}
)

// dnsName has labels of at most 63 characters, of which the last isn't a number.
const dnsName = "^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$"
