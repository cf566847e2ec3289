package pods

import "threetier/internal/constraint"

// Image is what names a container image.
var Image = constraint.Text{
	Pattern: "^[a-z0-9][a-zA-Z0-9._:/-]*(@sha256:[0-9a-f]{64})?$",
	Want:    "an image, like registry/name@sha256:…",
	Words:   "a container image with a tag other than latest, or with a digest",
	// With either, the pods that a node starts tomorrow may run what nobody deployed.
	Except:  "^([^@]*/)?[^/:@]+(:latest)?$",
	Instead: "a version as its tag, or a digest, which make pin writes",
}

// EnvNames are those of environment variables.
var EnvNames = constraint.Text{
	Pattern: "^[A-Za-z_][A-Za-z0-9_]*$",
	Want:    "names of letters, digits and _ that don't start with a digit",
}

var (
	labelName = constraint.Text{
		Pattern: "^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$",
		Want:    "the name of a label or taint, like example.org/pool",
		Words:   "names like pool or example.org/pool",
	}
	annotationName = constraint.Text{Pattern: labelName.Pattern, Want: "the name of an annotation, like prometheus.io/scrape", Words: "names like prometheus.io/scrape"}
	labelValue     = constraint.Text{
		Pattern: "^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$",
		Want:    "at most 63 letters, digits, -, _ and ., the first and last a letter or digit",
	}
)
