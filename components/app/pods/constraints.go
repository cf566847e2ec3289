package pods

import (
	"fmt"
	"strings"

	"threetier/internal/constraint"
)

// Constraints of every set of pods.
var (
	ImageConstraint = constraint.Text{
		Pattern: "^[a-z0-9][a-zA-Z0-9._:/-]*(@sha256:[0-9a-f]{64})?$",
		Want:    "an image, like registry/name@sha256:…",
		Words:   "a container image",
		Valid:   []string{"x", "ghcr.io/acme/app:1.0.0", "ghcr.io/acme/app@sha256:" + strings.Repeat("0a", 32)},
		Invalid: []string{"a b", "Not An Image", "x@sha256:0a"},
	}
	RolloutSecondsConstraint = constraint.Number{
		Default: DefaultRolloutSeconds,
		Min:     20, // leaves Kubernetes time to notice a failed rollout before Pulumi stops waiting
		Max:     MaxTimeoutSeconds,
	}
	MinReplicasConstraint = constraint.Number{Min: 1, Max: MaxReplicas}
	MaxReplicasConstraint = constraint.Number{Min: 1, Max: MaxReplicas, Words: fmt.Sprintf("min to %d", MaxReplicas)}
	CPUConstraint         = constraint.Text{
		Pattern: `^([1-9][0-9]*m|[0-9]+(\.[0-9]{1,3})?)$`,
		Want:    `cores, like "100m" or "2"`,
		Except:  `^0+(\.0+)?$`,
		Numbers: constraint.Schema{"type": "number", "minimum": 0.001},
		Valid:   []string{"100m", "2", "0.5", "1.125"},
		Invalid: []string{"0", "0.0", "100mi", "0m", "1.0001", "many"},
	}
	// A size in M is surely a slip for one in Mi.
	MemoryConstraint = constraint.Text{
		Pattern: "^[1-9][0-9]*(Mi|Gi)$",
		Want:    `a size, like "256Mi" or "1Gi"`,
		Valid:   []string{"256Mi", "1Gi"},
		Invalid: []string{"1", "128M", "0Mi", "1 Gi"},
	}
	EnvConstraint = constraint.Map{Names: EnvNames}
	EnvNames      = constraint.Text{
		Pattern: "^[A-Za-z_][A-Za-z0-9_]*$",
		Want:    "names of letters, digits and _ that don't start with a digit",
		Valid:   []string{"LOG_LEVEL", "_x1"},
		Invalid: []string{"1X", "A-B", "A B"},
	}
)

// Constraints of registry and placement.
var (
	RegistryServerConstraint = constraint.Text{
		Pattern: "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$",
		Want:    "a registry's host name, like ghcr.io, as the images begin with",
		Words:   "a host name, with a port where the images have one",
		Valid:   []string{"ghcr.io", "docker.io", "registry.example.org:5000", "10.0.0.10:5000"},
		Invalid: []string{"https://ghcr.io", "ghcr.io/acme", "GHCR.io", "ghcr.io:"},
	}
	RegistryUsernameConstraint = constraint.Text{
		Pattern: "^[^:]+$", // a colon ends it
		Want:    "the name of the user that pulls images, without a colon",
		Valid:   []string{"acme-bot", "robot$acme"},
		Invalid: []string{"acme:bot"},
	}
	LabelNameConstraint = constraint.Text{
		Pattern: "^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$",
		Want:    "the name of a label or taint, like example.org/pool",
		Words:   "names like pool or example.org/pool",
		Valid:   []string{"pool", "example.org/pool", "kubernetes.io/arch", strings.Repeat("a", 63)},
		Invalid: []string{"-pool", "pool/", "/pool", "a b", strings.Repeat("a", 64)},
	}
	LabelValueConstraint = constraint.Text{
		Pattern: "^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$",
		Want:    "at most 63 letters, digits, -, _ and ., the first and last a letter or digit",
		Valid:   []string{"apps", "2", "arm64", "a_b.c"},
		Invalid: []string{"a b", "-a", "a-", strings.Repeat("a", 64)},
	}
	NodeSelectorConstraint       = constraint.Map{Names: LabelNameConstraint, Values: LabelValueConstraint}
	TolerationOperatorConstraint = constraint.Text{Default: TolerationEqual, OneOf: []string{TolerationEqual, TolerationExists}}
	TolerationEffectConstraint   = constraint.Text{OneOf: []string{"NoSchedule", "PreferNoSchedule", "NoExecute"}}
)
